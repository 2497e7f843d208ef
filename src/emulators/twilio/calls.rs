//! The calls of the emulator: their records, and what is shared between a call's own task and the REST API.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::interpreter::Request;
use super::locked;
use super::recording::Recording;
use super::webhook::Webhook;

/// Calls remembered; the oldest go first.
const REMEMBERED: usize = 10_000;

/// How far a call has come, in Twilio's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Queued,
    Initiated,
    Ringing,
    InProgress,
    Completed,
    Busy,
    Failed,
    NoAnswer,
    Canceled,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
        }
    }

    /// What the REST API shows: it has no `initiated`.
    pub(super) fn in_rest(self) -> &'static str {
        if self == Self::Initiated { "queued" } else { self.as_str() }
    }

    pub(super) fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Initiated | Self::Ringing | Self::InProgress)
    }

    /// The name under which `StatusCallbackEvent` asks for it.
    pub(super) fn event(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::InProgress => "answered",
            _ => "completed",
        }
    }
}

/// Who is told of a call's progress.
#[derive(Debug, Clone)]
pub(super) struct StatusPlan {
    pub url: String,
    pub get: bool,
    /// `initiated`, `ringing`, `answered`, `completed`.
    pub events: Vec<String>,
}

/// What the REST API shows of a call.
#[derive(Debug, Clone)]
pub(super) struct CallRecord {
    pub sid: String,
    pub parent_sid: Option<String>,
    pub from: String,
    pub to: String,
    /// `inbound`, `outbound-api`, `outbound-dial`.
    pub direction: &'static str,
    pub status: Status,
    pub answered_by: Option<&'static str>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub started: Option<Timestamp>,
    pub answered: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

impl CallRecord {
    /// Whole seconds since the answer.
    pub(super) fn duration_s(&self) -> i64 {
        match (self.answered, self.ended) {
            (Some(answered), Some(ended)) => ended.duration_since(answered).as_secs().max(0),
            _ => 0,
        }
    }
}

/// What the REST API asks of a call's task.
#[derive(Debug)]
pub(super) enum Command {
    /// Ends the call. The sender is dropped when that is done.
    Hangup(oneshot::Sender<()>),
    Redirect(Source),
}

/// Where a call's next document comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Fetch(Request),
    Inline(String),
}

/// A call.
#[derive(Debug)]
pub(super) struct Call {
    pub sid: String,
    pub record: Mutex<CallRecord>,
    pub commands: mpsc::Sender<Command>,
    pub heard: Mutex<Heard>,
    pub recordings: Mutex<Vec<Recording>>,
    pub status_plan: Option<StatusPlan>,
    /// The queue of its callbacks, closed after its last; with the number of status callbacks so far.
    pub callbacks: Mutex<(Option<mpsc::Sender<Webhook>>, u64)>,
}

impl Call {
    pub(super) fn new(
        record: CallRecord,
        status_plan: Option<StatusPlan>,
        commands: mpsc::Sender<Command>,
        callbacks: Option<mpsc::Sender<Webhook>>,
    ) -> Self {
        Self {
            sid: record.sid.clone(),
            record: Mutex::new(record),
            commands,
            heard: Mutex::default(),
            recordings: Mutex::default(),
            status_plan,
            callbacks: Mutex::new((callbacks, 0)),
        }
    }

    pub(super) fn record(&self) -> CallRecord {
        locked(&self.record).clone()
    }

    pub(super) fn status(&self) -> Status {
        locked(&self.record).status
    }
}

/// What the phone heard, a run of audio a segment, silence left out.
#[derive(Debug, Default)]
pub(super) struct Heard {
    segments: Vec<(u64, Vec<u8>)>,
    bytes: usize,
}

impl Heard {
    /// Ten minutes are kept.
    const LIMIT: usize = 4_800_000;

    /// Adds what was heard in tick `tick` of the call.
    pub(super) fn push(&mut self, tick: u64, audio: &[u8]) {
        if audio.is_empty() || self.bytes + audio.len() > Self::LIMIT {
            return;
        }
        self.bytes += audio.len();
        match self.segments.last_mut() {
            Some((start, run)) if *start * 160 + run.len() as u64 == tick * 160 => run.extend_from_slice(audio),
            _ => self.segments.push((tick, audio.to_vec())),
        }
    }

    /// All audio, one run after the other.
    pub(super) fn audio(&self) -> Vec<u8> {
        self.segments.iter().flat_map(|(_, run)| run.iter().copied()).collect()
    }

    /// All audio in its place from the answer on, silence between.
    pub(super) fn timeline(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (tick, run) in &self.segments {
            let at = usize::try_from(tick * 160).unwrap_or(usize::MAX).min(4 * Self::LIMIT);
            out.resize(at.max(out.len()), crate::domain::audio::MULAW_SILENCE);
            out.extend_from_slice(run);
        }
        out
    }
}

/// All calls, by SID and in order.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_sid: HashMap<String, Arc<Call>>,
    order: VecDeque<String>,
}

impl Calls {
    pub(super) fn insert(&self, call: Arc<Call>) {
        let mut inner = locked(&self.0);
        inner.order.push_back(call.sid.clone());
        inner.by_sid.insert(call.sid.clone(), call);
        if inner.order.len() > REMEMBERED
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.by_sid.remove(&oldest);
        }
    }

    pub(super) fn find(&self, sid: &str) -> Option<Arc<Call>> {
        locked(&self.0).by_sid.get(sid).cloned()
    }

    pub(super) fn remove(&self, sid: &str) {
        let mut inner = locked(&self.0);
        inner.by_sid.remove(sid);
        inner.order.retain(|known| known != sid);
    }

    /// The newest first.
    pub(super) fn all(&self) -> Vec<Arc<Call>> {
        let inner = locked(&self.0);
        inner.order.iter().rev().filter_map(|sid| inner.by_sid.get(sid).cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_keeps_its_place() {
        let mut heard = Heard::default();
        heard.push(1, &[1; 160]);
        heard.push(2, &[2; 40]);
        heard.push(5, &[3; 160]);
        assert_eq!(heard.segments.len(), 2);
        assert_eq!(heard.audio().len(), 360);
        let timeline = heard.timeline();
        assert_eq!((timeline.len(), timeline[0], timeline[160], timeline[400], timeline[800]), (960, 0xFF, 1, 0xFF, 3));
    }
}
