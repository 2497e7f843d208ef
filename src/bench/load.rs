//! The calls that a contender carries: both ends of each, what they say by the clock, and what is held against them.
//!
//! Every 20 ms each carrier's end sends a frame of caller audio and each agent's end one of agent audio, all at their own moments
//! within the 20 ms. A frame says when it was sent, of which call and the how manieth it is; who receives it checks every byte.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use super::histogram::Histogram;
use super::wire::{FRAME_BYTES, Noise, PCM_FRAME_BYTES, Side, Stamp, VOID, put_close, put_text};

/// Between two frames of one direction.
const FRAME: Duration = Duration::from_millis(20);

/// Of one direction that does not pause.
const FRAMES_A_MINUTE: f64 = 3_000.0;

/// Frames between two barge-ins of a call: ten seconds.
const BARGE_IN: u32 = 500;

/// Which calls, and what of their traffic differs between contenders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    pub(super) calls: usize,
    /// The agents speak and hear 16 kHz PCM. Bytes then change on the way and are only counted.
    pub(super) pcm: bool,
    /// The contender is to drop what an agent still sends of a turn that was talked over.
    pub(super) voids_turns: bool,
    /// For how much of the time each agent speaks, in percent.
    pub(super) agents_speak: u32,
}

impl Traffic {
    /// Whether an agent speaks in this frame of the ten seconds between two of its interruptions, which come in mid-speech.
    fn agent_speaks(&self, phase: u32) -> bool {
        let spoken = BARGE_IN * self.agents_speak / 100;
        (phase + spoken / 2) % BARGE_IN < spoken
    }

    /// Of both directions.
    pub(super) fn frames_a_minute(&self) -> f64 {
        FRAMES_A_MINUTE * (1.0 + f64::from(self.agents_speak) / 100.0)
    }
}

#[derive(Debug)]
pub(super) struct Load {
    pub(super) traffic: Traffic,
    pub(super) calls: Vec<Call>,
    pub(super) findings: Arc<Findings>,
    noise: Noise,
    epoch: Instant,
    /// Of the first call's sid: sids are never used twice.
    first: usize,
    ready: AtomicUsize,
    news: Notify,
}

/// What was measured, and what was wrong. It outlives the calls, whose sockets are to be closed by then.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) to_agent: Histogram,
    pub(super) to_carrier: Histogram,
    /// From the agent's `interruption` to what the carrier hears of it: `clear`, or the interruption itself through the splice.
    pub(super) barge_in: Histogram,
    /// How late the load itself was.
    pub(super) slip: Histogram,
    pub(super) faults: Faults,
}

impl Findings {
    /// Forgets what was measured so far, not what was found wrong.
    pub(super) fn begin(&self) {
        [&self.to_agent, &self.to_carrier, &self.barge_in, &self.slip].into_iter().for_each(Histogram::clear);
    }
}

/// What must not happen to a frame.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) corrupted: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) repeated: AtomicU64,
    /// Audio of a turn that was talked over.
    pub(super) void: AtomicU64,
    /// Operators who listened and did not hear all of it.
    pub(super) unheard: AtomicU64,
}

impl Faults {
    pub(super) fn all(&self) -> [(&'static str, u64); 5] {
        [
            ("corrupted", &self.corrupted),
            ("lost", &self.lost),
            ("repeated or reordered", &self.repeated),
            ("of a void turn", &self.void),
            ("listeners who missed audio", &self.unheard),
        ]
        .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }
}

/// One call's two ends.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) carrier: OnceLock<Line>,
    pub(super) agent: OnceLock<Line>,
    at_agent: Mutex<Ear>,
    at_carrier: Mutex<Ear>,
    interrupted_at: AtomicU64,
    turn: AtomicU32,
}

/// What one end has heard.
#[derive(Debug, Default)]
struct Ear {
    next: u32,
    /// A `clear` came: what was on its way may be missing.
    may_skip: bool,
    /// In PCM: when the frames were sent that have not been heard, and bytes heard of the first of them.
    on_the_way: VecDeque<u64>,
    bytes: usize,
}

/// The writing half of one end's socket.
#[derive(Debug)]
pub(super) struct Line {
    socket: OwnedWriteHalf,
    side: Side,
    pen: Mutex<Pen>,
}

#[derive(Debug, Default)]
struct Pen {
    waiting: Vec<u8>,
    text: String,
    frames: u32,
}

impl Line {
    pub(super) fn new(socket: OwnedWriteHalf, side: Side) -> Self {
        Self { socket, side, pen: Mutex::default() }
    }

    /// Says one message. What the socket does not take waits for the next one.
    pub(super) fn say(&self, text: &str) {
        let mut pen = lock(&self.pen);
        put_text(&mut pen.waiting, self.side, text.as_bytes());
        self.write(&mut pen);
    }

    pub(super) fn close(&self) {
        let mut pen = lock(&self.pen);
        put_close(&mut pen.waiting, self.side);
        self.write(&mut pen);
    }

    /// Says one frame of audio: `compose` gets its number.
    fn say_frame(&self, compose: impl FnOnce(u32, &mut String)) {
        let mut pen = lock(&self.pen);
        let Pen { waiting, text, frames } = &mut *pen;
        text.clear();
        compose(*frames, text);
        *frames += 1;
        put_text(waiting, self.side, text.as_bytes());
        self.write(&mut pen);
    }

    fn write(&self, pen: &mut Pen) {
        let mut written = 0;
        while written < pen.waiting.len() {
            // Full, or broken: the reading half says so.
            let Ok(bytes) = self.socket.try_write(&pen.waiting[written..]) else { break };
            written += bytes;
        }
        pen.waiting.drain(..written);
    }

    fn frames(&self) -> u32 {
        lock(&self.pen).frames
    }
}

impl Load {
    pub(super) fn new(traffic: Traffic, first: usize, epoch: Instant) -> Self {
        Self {
            traffic,
            calls: (0..traffic.calls).map(|_| Call { turn: AtomicU32::new(1), ..Call::default() }).collect(),
            findings: Arc::default(),
            noise: Noise::new(),
            epoch,
            first,
            ready: AtomicUsize::new(0),
            news: Notify::new(),
        }
    }

    /// Nanoseconds since the epoch.
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The number in a call's sid.
    pub(super) fn sid_number(&self, index: usize) -> usize {
        self.first + index
    }

    /// The call of this number.
    pub(super) fn index_of(&self, sid_number: usize) -> Option<usize> {
        sid_number.checked_sub(self.first).filter(|index| *index < self.calls.len())
    }

    /// An agent's end has been told which call it is on.
    pub(super) fn count_ready(&self) {
        self.ready.fetch_add(1, Ordering::AcqRel);
        self.news.notify_waiters();
    }

    /// Waits until every call has its agent.
    pub(super) async fn all_ready(&self) {
        loop {
            let news = self.news.notified();
            if self.ready.load(Ordering::Acquire) >= self.calls.len() {
                return;
            }
            news.await;
        }
    }

    /// Audio arrived at this end of a call.
    pub(super) fn hear(&self, index: usize, at: Side, base64: &[u8]) {
        let now = self.now();
        let call = &self.calls[index];
        let (ear, latencies) = match at {
            Side::Agent => (&call.at_agent, &self.findings.to_agent),
            Side::Carrier => (&call.at_carrier, &self.findings.to_carrier),
        };
        let mut ear = lock(ear);
        if self.traffic.pcm {
            let padding = base64.iter().rev().take_while(|byte| **byte == b'=').count();
            ear.bytes += base64.len() / 4 * 3 - padding;
            let frame = if at == Side::Agent { PCM_FRAME_BYTES } else { FRAME_BYTES };
            while ear.bytes >= frame
                && let Some(sent) = ear.on_the_way.pop_front()
            {
                ear.bytes -= frame;
                ear.next += 1;
                latencies.record(now - sent);
            }
            return;
        }
        match self.noise.read_frame(base64) {
            Some(stamp) if stamp.turn == VOID => count(&self.findings.faults.void, 1),
            Some(stamp) if stamp.call as usize == index => {
                if stamp.number < ear.next {
                    return count(&self.findings.faults.repeated, 1);
                }
                if stamp.number > ear.next && !ear.may_skip {
                    count(&self.findings.faults.lost, (stamp.number - ear.next).into());
                }
                ear.may_skip = false;
                ear.next = stamp.number + 1;
                latencies.record(now.saturating_sub(stamp.sent));
            }
            Some(_) | None => count(&self.findings.faults.corrupted, 1),
        }
    }

    /// The carrier's end learnt that its caller had talked over the agent.
    pub(super) fn hear_barge_in(&self, index: usize, is_clear: bool) {
        let call = &self.calls[index];
        let at = call.interrupted_at.swap(0, Ordering::AcqRel);
        if at > 0 {
            self.findings.barge_in.record(self.now() - at);
        }
        lock(&call.at_carrier).may_skip |= is_clear;
    }

    /// Counts what was sent and never came. To be asked when everything has had the time to arrive.
    pub(super) fn count_missing(&self) {
        for call in &self.calls {
            for (line, ear) in [(&call.carrier, &call.at_agent), (&call.agent, &call.at_carrier)] {
                let sent = line.get().map_or(0, Line::frames);
                let ear = lock(ear);
                if sent > ear.next && !ear.may_skip {
                    count(&self.findings.faults.lost, (sent - ear.next).into());
                }
            }
        }
    }

    /// Speaks for all ends, by the clock, until told to stop.
    ///
    /// It never sleeps, so that frames leave at their moment and whoever hears one is awake: waking the load, dear where processors
    /// are virtual, would be charged to the contender, and nobody has to be woken at the other end of a network.
    pub(super) async fn speak(&self, stop: &AtomicBool) {
        let ends = self.calls.len() * 2;
        let gap = FRAME / u32::try_from(ends).expect("calls are counted in thousands");
        let start = self.epoch.elapsed();
        for tick in 0_u32.. {
            for end in 0..ends {
                let due = start + FRAME * tick + gap * u32::try_from(end).expect("as above");
                let now = loop {
                    // Whoever has something to hear hears it now.
                    tokio::task::yield_now().await;
                    let now = self.epoch.elapsed();
                    if now >= due {
                        break now;
                    }
                };
                self.findings.slip.record(u64::try_from(now.saturating_sub(due).as_nanos()).unwrap_or(u64::MAX));
                // The carrier of one call, then the agent of one at the other end of the line-up.
                if end % 2 == 0 {
                    self.speak_as_caller(end / 2, tick);
                } else {
                    self.speak_as_agent(self.calls.len() - 1 - end / 2, tick);
                }
            }
            if stop.load(Ordering::Acquire) {
                return;
            }
        }
    }

    fn speak_as_caller(&self, index: usize, tick: u32) {
        let call = &self.calls[index];
        let Some(line) = call.carrier.get() else { return };
        line.say_frame(|number, text| {
            let (sequence, time) = (number + 2, tick * 20);
            let _ = write!(text, r#"{{"event":"media","sequenceNumber":"{sequence}","media":{{"track":"inbound","chunk":"{number}","timestamp":"{time}","payload":""#);
            let sent = self.now();
            if self.traffic.pcm {
                lock(&call.at_agent).on_the_way.push_back(sent);
            }
            self.noise.write_frame(Stamp { sent, call: to_u32(index), number, turn: 0 }, text);
            let _ = write!(text, r#""}},"streamSid":"MZ{index:032x}"}}"#);
        });
    }

    fn speak_as_agent(&self, index: usize, tick: u32) {
        let call = &self.calls[index];
        let Some(line) = call.agent.get() else { return };
        let phase = (tick + to_u32(index) * 37) % BARGE_IN;
        match phase {
            0 if !self.traffic.pcm => self.interrupt(index, call, line),
            200 => line.say(r#"{"type":"user_transcript","user_transcription_event":{"user_transcript":"Yes, Thursday would be fine.","event_id":1}}"#),
            100 | 350 => line.say(&format!(r#"{{"type":"ping","ping_event":{{"event_id":{tick},"ping_ms":20}}}}"#)),
            _ => {}
        }
        if !self.traffic.agent_speaks(phase) {
            return;
        }
        let turn = call.turn.load(Ordering::Relaxed);
        line.say_frame(|number, text| {
            text.push_str(r#"{"type":"audio","audio_event":{"audio_base_64":""#);
            let sent = self.now();
            if self.traffic.pcm {
                lock(&call.at_carrier).on_the_way.push_back(sent);
                self.noise.write_pcm(to_u32(index), number, text);
            } else {
                self.noise.write_frame(Stamp { sent, call: to_u32(index), number, turn }, text);
            }
            let _ = write!(text, r#"","event_id":{turn}}}}}"#);
        });
    }

    /// The agent was talked over; being slow, it sends two frames more of what it was saying, and then begins its next turn.
    fn interrupt(&self, index: usize, call: &Call, line: &Line) {
        let turn = call.turn.fetch_add(1, Ordering::AcqRel);
        call.interrupted_at.store(self.now(), Ordering::Release);
        line.say(&format!(r#"{{"type":"interruption","interruption_event":{{"event_id":{turn}}}}}"#));
        if self.traffic.voids_turns {
            let mut audio = String::new();
            self.noise.write_frame(Stamp { sent: 0, call: to_u32(index), number: 0, turn: VOID }, &mut audio);
            let late = format!(r#"{{"type":"audio","audio_event":{{"audio_base_64":"{audio}","event_id":{turn}}}}}"#);
            line.say(&late);
            line.say(&late);
        }
        let next = turn + 1;
        line.say(&format!(r#"{{"type":"agent_response","agent_response_event":{{"agent_response":"Of course, let me look at Thursday for you.","event_id":{next}}}}}"#));
    }
}

fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn to_u32(index: usize) -> u32 {
    u32::try_from(index).expect("calls are counted in thousands")
}

/// What is behind these locks is valid after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_speak_for_their_share_of_the_time_and_are_interrupted_in_mid_speech() {
        for share in 1..=100 {
            let traffic = Traffic { calls: 1, pcm: false, voids_turns: true, agents_speak: share };
            let spoken = (0..BARGE_IN).filter(|phase| traffic.agent_speaks(*phase)).count();
            assert_eq!(spoken, 5 * share as usize);
            assert!(traffic.agent_speaks(0) && traffic.agent_speaks(BARGE_IN - 1), "{share}");
        }
    }
}
