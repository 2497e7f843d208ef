//! The playback clock of a media stream: what was sent to the called party, what of it was played, and the marks between. Pure.
//!
//! Twilio's rules (docs: media-streams/websocket-messages): audio is played in order; a mark comes back when everything sent
//! before it was played, at once if nothing is buffered; `clear` empties the buffer and returns every outstanding mark.

use std::collections::VecDeque;

/// Audio kept for playing. Twilio documents no limit; ours is 17 minutes.
pub(super) const BUFFER_LIMIT: usize = 8_000_000;

/// The buffer of one stream.
#[derive(Debug, Default)]
pub(super) struct Playback {
    buffered: VecDeque<u8>,
    /// Bytes played or thrown away so far.
    passed: u64,
    /// Marks in order, each with the position, counted like `passed`, at which it comes back.
    marks: VecDeque<(u64, String)>,
}

/// What one step of the clock played, and the marks it reached.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Played {
    pub audio: Vec<u8>,
    pub marks: Vec<String>,
}

impl Playback {
    /// Queues audio. Returns false, and queues nothing, when the buffer is full.
    pub(super) fn media(&mut self, audio: &[u8]) -> bool {
        let fits = self.buffered.len() + audio.len() <= BUFFER_LIMIT;
        if fits {
            self.buffered.extend(audio);
        }
        fits
    }

    /// Queues a mark. It is handed back if it is to be echoed at once.
    pub(super) fn mark(&mut self, name: String) -> Option<String> {
        if self.buffered.is_empty() {
            return Some(name);
        }
        self.marks.push_back((self.passed + self.buffered.len() as u64, name));
        None
    }

    /// Throws away what is buffered; all outstanding marks come back.
    pub(super) fn clear(&mut self) -> Vec<String> {
        self.passed += self.buffered.len() as u64;
        self.buffered.clear();
        self.marks.drain(..).map(|(_, name)| name).collect()
    }

    /// Plays up to `bytes`.
    pub(super) fn play(&mut self, bytes: usize) -> Played {
        let audio: Vec<u8> = self.buffered.drain(..bytes.min(self.buffered.len())).collect();
        self.passed += audio.len() as u64;
        let mut marks = Vec::new();
        while self.marks.front().is_some_and(|(at, _)| *at <= self.passed) {
            marks.extend(self.marks.pop_front().map(|(_, name)| name));
        }
        Played { audio, marks }
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffered.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_when_the_audio_before_them_was_played() {
        let mut playback = Playback::default();
        assert!(playback.media(&[1; 200]));
        assert_eq!(playback.mark("a".into()), None);
        assert!(playback.media(&[2; 100]));
        assert_eq!(playback.mark("b".into()), None);
        assert_eq!(playback.play(160), Played { audio: vec![1; 160], marks: vec![] });
        assert_eq!(playback.play(160).marks, ["a", "b"], "the last byte brings its mark along");
        assert_eq!(playback.play(160), Played::default());
    }

    #[test]
    fn a_mark_with_nothing_buffered_comes_back_at_once() {
        let mut playback = Playback::default();
        assert_eq!(playback.mark("now".into()).as_deref(), Some("now"));
    }

    #[test]
    fn clear_returns_every_outstanding_mark_and_plays_nothing_more() {
        let mut playback = Playback::default();
        playback.media(&[1; 320]);
        playback.mark("a".into());
        playback.media(&[2; 320]);
        playback.mark("b".into());
        playback.play(160);
        assert_eq!(playback.clear(), ["a", "b"]);
        assert_eq!(playback.play(160), Played::default());
        playback.media(&[3; 160]);
        playback.mark("c".into());
        assert_eq!(playback.play(160), Played { audio: vec![3; 160], marks: vec!["c".into()] });
    }

    #[test]
    fn the_buffer_has_a_limit() {
        let mut playback = Playback::default();
        assert!(playback.media(&vec![0; BUFFER_LIMIT]));
        assert!(!playback.media(&[0]));
        assert_eq!(playback.buffered(), BUFFER_LIMIT);
    }
}
