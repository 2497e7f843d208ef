//! Recordings of a call: their state, their audio, their callbacks.

use jiff::Timestamp;

use super::calls::Call;
use super::webhook::Webhook;
use super::{Emulation, locked, new_sid, rfc2822};
use crate::domain::audio::{FRAME, MULAW_BYTES_PER_SECOND};

/// Ten minutes are kept.
const LIMIT: usize = 4_800_000;

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub dual: bool,
    pub track: String,
    /// `OutboundAPI`, `StartCallRecordingAPI`, `StartCallRecordingTwiML`, `RecordVerb`.
    pub source: &'static str,
    pub callback: Option<(String, bool)>,
    pub events: Vec<String>,
}

/// One recording. The audio kept is a mono mix.
#[derive(Debug, Clone)]
pub(super) struct Recording {
    pub sid: String,
    pub wish: Wish,
    /// `in-progress`, `paused`, `stopped`, `completed`, `absent`.
    pub status: &'static str,
    pub started: Timestamp,
    pub audio: Vec<u8>,
}

impl Recording {
    pub(super) fn is_running(&self) -> bool {
        matches!(self.status, "in-progress" | "paused")
    }

    pub(super) fn duration_s(&self) -> u64 {
        (self.audio.len() as u64).div_ceil(MULAW_BYTES_PER_SECOND)
    }

    /// A WAV file (RIFF, format 7: µ-law).
    pub(super) fn wav(&self) -> Vec<u8> {
        let length = u32::try_from(self.audio.len()).unwrap_or(u32::MAX - 50);
        let mut wav = Vec::with_capacity(self.audio.len() + 58);
        wav.extend_from_slice(b"RIFF");
        wav.extend_from_slice(&(length + 50).to_le_bytes());
        wav.extend_from_slice(b"WAVEfmt ");
        wav.extend_from_slice(&18_u32.to_le_bytes());
        for field in [7_u16, 1] {
            wav.extend_from_slice(&field.to_le_bytes());
        }
        wav.extend_from_slice(&8_000_u32.to_le_bytes());
        wav.extend_from_slice(&8_000_u32.to_le_bytes());
        for field in [1_u16, 8, 0] {
            wav.extend_from_slice(&field.to_le_bytes());
        }
        wav.extend_from_slice(b"fact");
        wav.extend_from_slice(&4_u32.to_le_bytes());
        wav.extend_from_slice(&length.to_le_bytes());
        wav.extend_from_slice(b"data");
        wav.extend_from_slice(&length.to_le_bytes());
        wav.extend_from_slice(&self.audio);
        wav
    }
}

impl Call {
    /// Adds one tick to every recording in progress.
    pub(super) fn capture(&self, heard: &[u8; FRAME], said: &[u8; FRAME]) {
        let mut recordings = locked(&self.recordings);
        for recording in recordings.iter_mut().filter(|one| one.status == "in-progress" && one.audio.len() < LIMIT) {
            match recording.wish.track.as_str() {
                "inbound" => recording.audio.extend_from_slice(said),
                "outbound" => recording.audio.extend_from_slice(heard),
                _ => recording.audio.extend_from_slice(&super::phone::mixed(heard, said)),
            }
        }
    }
}

impl Emulation {
    /// Starts a recording and tells of it, if asked to.
    pub(super) fn start_recording(&self, call: &Call, wish: Wish) -> Recording {
        let recording =
            Recording { sid: new_sid("RE"), wish, status: "in-progress", started: self.clock.now(), audio: Vec::new() };
        locked(&call.recordings).push(recording.clone());
        self.recording_callback(call, &recording);
        recording
    }

    /// Ends a recording and tells of it.
    pub(super) fn stop_recording(&self, call: &Call, sid: &str, status: &'static str) -> Option<Recording> {
        let stopped = {
            let mut recordings = locked(&call.recordings);
            let recording = recordings.iter_mut().find(|one| one.sid == sid && one.is_running())?;
            recording.status = status;
            recording.clone()
        };
        let told = Recording { status: "completed", ..stopped.clone() };
        self.recording_callback(call, &told);
        Some(stopped)
    }

    /// Ends all recordings of a call.
    pub(super) fn finish_recordings(&self, call: &Call) {
        let running: Vec<String> =
            locked(&call.recordings).iter().filter(|one| one.is_running()).map(|one| one.sid.clone()).collect();
        for sid in running {
            self.stop_recording(call, &sid, "completed");
        }
    }

    /// Parameters of a recording, for its callback and for the action of `<Record>`.
    pub(super) fn recording_params(&self, call: &Call, recording: &Recording) -> Vec<(String, String)> {
        let url = format!("{}/2010-04-01/Accounts/{}/Recordings/{}", self.base_url, self.account_sid, recording.sid);
        [
            ("AccountSid", self.account_sid.clone()),
            ("CallSid", call.sid.clone()),
            ("RecordingSid", recording.sid.clone()),
            ("RecordingUrl", url),
            ("RecordingStatus", recording.status.to_owned()),
            ("RecordingDuration", recording.duration_s().to_string()),
            ("RecordingChannels", if recording.wish.dual { "2" } else { "1" }.to_owned()),
            ("RecordingStartTime", rfc2822(recording.started)),
            ("RecordingSource", recording.wish.source.to_owned()),
            ("RecordingTrack", recording.wish.track.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn recording_callback(&self, call: &Call, recording: &Recording) {
        if let Some((url, get)) = &recording.wish.callback
            && recording.wish.events.iter().any(|event| event == recording.status)
        {
            let params = self.recording_params(call, recording);
            self.queue_callback(call, Webhook { purpose: "recording", url: url.clone(), get: *get, params });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wav_file_says_what_it_holds() {
        let wish = Wish { dual: false, track: "both".into(), source: "OutboundAPI", callback: None, events: vec![] };
        let recording = Recording {
            sid: "RE1".into(),
            wish,
            status: "completed",
            started: Timestamp::UNIX_EPOCH,
            audio: vec![0xFF; 8_001],
        };
        let wav = recording.wav();
        assert_eq!((recording.duration_s(), wav.len()), (2, 58 + 8_001));
        assert_eq!(wav[4..8], (50_u32 + 8_001).to_le_bytes());
        assert_eq!(
            (&wav[..4], &wav[8..16], &wav[50..54]),
            (b"RIFF".as_slice(), b"WAVEfmt ".as_slice(), b"data".as_slice())
        );
    }
}
