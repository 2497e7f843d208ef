//! How loud both sides of a running stream are and how fast the relay works, for whoever looks. Without a look a frame costs as much
//! as it does without listeners.
//!
//! The caller's frames are the clock: they come in their own time, so as much of what the caller was sent has been played.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::domain::audio::MulawChunk;
use crate::domain::carrier_stream::CarrierCommand;

use super::pace::Pace;

/// A reading is taken of so many bytes of the caller's audio: half a second.
const READING_BYTES: usize = 4_000;

/// Readings that are taken after a look, until nobody seems to look any more.
const READINGS_PER_LOOK: u32 = 10;

/// Pieces of what the caller is sent that are kept until they were played. What is more is not measured.
const PIECES_MAX: usize = 4_096;

/// What a look sees of the last half second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// How loud the caller was at most, 0 to 127; see [`MulawChunk::loudness`].
    pub caller: u8,
    /// The same of what the caller heard.
    pub agent: u8,
    /// How long wake-ups of the stream's task take, since its beginning.
    pub relay_p50_us: u32,
    pub relay_p99_us: u32,
}

/// Where readings are left, and asked for.
#[derive(Debug, Default)]
pub(super) struct Dial {
    wanted: AtomicU32,
    caller: AtomicU8,
    agent: AtomicU8,
    relay_p50_us: AtomicU32,
    relay_p99_us: AtomicU32,
}

impl Dial {
    /// The last reading; none when nobody has looked for a while. Asks for the next ones.
    pub(super) fn look(&self) -> Option<Reading> {
        let was_wanted = self.wanted.swap(READINGS_PER_LOOK, Ordering::Relaxed) > 0;
        was_wanted.then(|| Reading {
            caller: self.caller.load(Ordering::Relaxed),
            agent: self.agent.load(Ordering::Relaxed),
            relay_p50_us: self.relay_p50_us.load(Ordering::Relaxed),
            relay_p99_us: self.relay_p99_us.load(Ordering::Relaxed),
        })
    }

    pub(super) fn is_looked_at(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > 0
    }

    fn leave(&self, reading: Reading) {
        self.caller.store(reading.caller, Ordering::Relaxed);
        self.agent.store(reading.agent, Ordering::Relaxed);
        self.relay_p50_us.store(reading.relay_p50_us, Ordering::Relaxed);
        self.relay_p99_us.store(reading.relay_p99_us, Ordering::Relaxed);
        // A look in between counts more than this reading.
        let left = |wanted: u32| wanted.checked_sub(1);
        let _ = self.wanted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }

    /// Nothing is to be heard any more.
    pub(super) fn rest(&self) {
        self.caller.store(0, Ordering::Relaxed);
        self.agent.store(0, Ordering::Relaxed);
    }
}

/// What a stream's task keeps for its next reading; nothing while nobody looks.
#[derive(Debug, Default)]
pub(super) struct Meter(Option<Box<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// What the caller was sent and has not heard yet: how loud, how many bytes.
    sent: VecDeque<(u8, usize)>,
    heard: usize,
    reading: Reading,
}

impl Meter {
    pub(super) fn caller_said(&mut self, dial: &Dial, chunk: &MulawChunk, pace: &Pace) {
        if !dial.is_looked_at() {
            // What was kept would be too old for the next look.
            self.0 = None;
            return;
        }
        let kept = self.0.get_or_insert_default();
        kept.reading.caller = kept.reading.caller.max(chunk.loudness());
        kept.play(chunk.len());
        kept.heard += chunk.len();
        if kept.heard >= READING_BYTES {
            kept.heard = 0;
            let levels = std::mem::take(&mut kept.reading);
            let (relay_p50_us, relay_p99_us) = (pace.percentile_us(50), pace.percentile_us(99));
            dial.leave(Reading { relay_p50_us, relay_p99_us, ..levels });
        }
    }

    pub(super) fn caller_is_sent(&mut self, dial: &Dial, command: &CarrierCommand) {
        if !dial.is_looked_at() {
            return;
        }
        let sent = &mut self.0.get_or_insert_default().sent;
        match command {
            CarrierCommand::Media(chunk) if sent.len() < PIECES_MAX => sent.push_back((chunk.loudness(), chunk.len())),
            CarrierCommand::Clear => sent.clear(),
            CarrierCommand::Media(_) | CarrierCommand::Mark(_) => {}
        }
    }
}

impl Kept {
    fn play(&mut self, mut bytes: usize) {
        while bytes > 0
            && let Some((level, left)) = self.sent.front_mut()
        {
            self.reading.agent = self.reading.agent.max(*level);
            let played = bytes.min(*left);
            bytes -= played;
            *left -= played;
            if *left == 0 {
                self.sent.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audio::FRAME;

    fn loud(bytes: usize) -> MulawChunk {
        MulawChunk::from_base64("gICA".repeat(bytes / 3).into())
    }

    fn half_a_second(meter: &mut Meter, dial: &Dial, chunk: &MulawChunk) {
        for _ in 0..READING_BYTES / FRAME {
            meter.caller_said(dial, chunk, &Pace::default());
        }
    }

    #[test]
    fn a_burst_is_loud_for_as_long_as_it_plays() {
        let (dial, mut meter, quiet) = (Dial::default(), Meter::default(), MulawChunk::silence(FRAME));
        assert_eq!(dial.look(), None);
        meter.caller_is_sent(&dial, &CarrierCommand::Media(loud(READING_BYTES * 2)));
        let levels = |dial: &Dial| dial.look().map(|reading| (reading.caller, reading.agent));
        let seen: Vec<_> = (0..4)
            .map(|_| {
                half_a_second(&mut meter, &dial, &quiet);
                levels(&dial)
            })
            .collect();
        assert_eq!(seen, [Some((0, 127)), Some((0, 127)), Some((0, 0)), Some((0, 0))]);
        half_a_second(&mut meter, &dial, &loud(FRAME + 2));
        assert_eq!(levels(&dial), Some((127, 0)));
    }

    #[test]
    fn what_was_cleared_is_not_heard() {
        let (dial, mut meter, quiet) = (Dial::default(), Meter::default(), MulawChunk::silence(FRAME));
        dial.look();
        meter.caller_is_sent(&dial, &CarrierCommand::Media(loud(READING_BYTES)));
        meter.caller_is_sent(&dial, &CarrierCommand::Clear);
        half_a_second(&mut meter, &dial, &quiet);
        assert_eq!(dial.look().unwrap().agent, 0);
    }

    #[test]
    fn nothing_is_measured_when_nobody_looks() {
        let (dial, mut meter, quiet) = (Dial::default(), Meter::default(), MulawChunk::silence(FRAME));
        meter.caller_is_sent(&dial, &CarrierCommand::Media(loud(FRAME)));
        assert!(meter.0.is_none());
        dial.look();
        for _ in 0..READINGS_PER_LOOK {
            assert!(dial.is_looked_at());
            half_a_second(&mut meter, &dial, &quiet);
        }
        assert!(!dial.is_looked_at() && dial.look().is_none());
        for _ in 0..PIECES_MAX + 10 {
            meter.caller_is_sent(&dial, &CarrierCommand::Media(quiet.clone()));
        }
        assert_eq!(meter.0.unwrap().sent.len(), PIECES_MAX);
    }
}
