//! Who is speaking: a voice-activity detector by loudness alone, good enough for clean synthetic speech. Pure, counts audio, not time.

use super::mulaw;
use crate::domain::audio::FRAME;

/// A frame is loud when its mean amplitude passes this. Speech of `speech/` has some 2,000, line noise under 100.
const LOUD: u32 = 250;

/// Loud frames in a row that make speech: 60 ms, so that a click does not.
const ONSET_FRAMES: u32 = 3;

/// Whether a frame sounds like speech, taken by itself.
pub(super) fn is_loud(frame: &[u8]) -> bool {
    mulaw::loudness(frame) >= LOUD
}

/// A change in who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Started,
    Ended,
}

/// Listens to µ-law audio of any chunk length.
#[derive(Debug)]
pub(super) struct VoiceActivity {
    partial: Vec<u8>,
    loud_frames: u32,
    quiet_frames: u32,
    hangover_frames: u32,
    speaking: bool,
}

impl VoiceActivity {
    /// `hangover_ms`: how much quiet ends speech.
    pub(super) fn new(hangover_ms: u32) -> Self {
        Self {
            partial: Vec::new(),
            loud_frames: 0,
            quiet_frames: 0,
            hangover_frames: hangover_ms / 20,
            speaking: false,
        }
    }

    pub(super) fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// Takes more audio and tells what changed, in order.
    pub(super) fn hear(&mut self, audio: &[u8]) -> Vec<Activity> {
        self.partial.extend_from_slice(audio);
        let whole = self.partial.len() / FRAME * FRAME;
        let frames: Vec<u8> = self.partial.drain(..whole).collect();
        frames.chunks_exact(FRAME).filter_map(|frame| self.hear_frame(frame)).collect()
    }

    fn hear_frame(&mut self, frame: &[u8]) -> Option<Activity> {
        if is_loud(frame) {
            self.loud_frames += 1;
            self.quiet_frames = 0;
        } else {
            self.loud_frames = 0;
            self.quiet_frames += 1;
        }
        if !self.speaking && self.loud_frames >= ONSET_FRAMES {
            self.speaking = true;
            return Some(Activity::Started);
        }
        if self.speaking && self.quiet_frames >= self.hangover_frames {
            self.speaking = false;
            return Some(Activity::Ended);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audio::MULAW_SILENCE;
    use crate::emulators::speech;

    #[test]
    fn every_shipped_line_is_heard_as_one_utterance() {
        for line in speech::lines() {
            let mut vad = VoiceActivity::new(500);
            let mut audio = vec![MULAW_SILENCE; 1_600];
            audio.extend_from_slice(line.audio);
            audio.extend_from_slice(&[MULAW_SILENCE; 8_000]);
            let heard: Vec<Activity> = audio.chunks(93).flat_map(|chunk| vad.hear(chunk)).collect();
            assert_eq!(heard, [Activity::Started, Activity::Ended], "{}", line.id);
        }
    }

    #[test]
    fn a_click_is_not_speech() {
        let mut vad = VoiceActivity::new(500);
        let mut audio = vec![0x00; 2 * FRAME];
        audio.extend_from_slice(&[MULAW_SILENCE; 2 * FRAME]);
        assert_eq!(vad.hear(&audio), []);
    }
}
