//! Record a live call at the carrier: start, pause, resume, stop. A recording begins after the other party was told of it and heard it.
//! Where that cannot be said, it begins only if the law of their place is content with one party's consent.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::compliance::disclosure::RecordingNotice;
use crate::domain::event::{Actor, JournalEntry, RecordingStep};
use crate::domain::{Call, CallEvent, CallId, Direction, Party};
use crate::protocol::twilio::rest::{RecordingChange, RecordingChannels, RecordingRequest};

use super::live_calls::LiveCall;
use super::steer_call::ControlError;
use super::{App, JournalFull};

/// How long the notice may take to be heard, what was being said before it included.
const NOTICE_LIMIT: Duration = Duration::from_secs(40);

/// Why a recording was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("set carrier.twilio.account_sid and credentials: the carrier keeps the recordings")]
    NoCarrier,
    #[error("the call is being recorded already")]
    Recording,
    #[error(
        "every party must know of a recording ({}), and the notice cannot be spoken: {why}",
        if laws.is_empty() { "the other party's place is not known".to_owned() } else { laws.join("; ") }
    )]
    NoticeNeeded { laws: Vec<String>, why: String },
    #[error("the notice was not heard to its end: nothing is recorded. Try again when nobody speaks")]
    NoticeNotHeard,
    #[error(transparent)]
    Journal(#[from] JournalFull),
}

impl App {
    /// Returns when the carrier has done it; a start waits until the notice was heard.
    pub async fn steer_recording(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        by: Actor,
        step: RecordingStep,
    ) -> Result<(), RecordingError> {
        let (app, call) = (Arc::clone(self), Arc::clone(call));
        // In a task of its own: a notice that was spoken is followed by its recording, whoever asked may be gone.
        let done = self.tracker.spawn(async move { app.do_steer_recording(&call, by, step).await });
        done.await.unwrap_or(Err(ControlError::Stuck.into()))
    }

    async fn do_steer_recording(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        by: Actor,
        step: RecordingStep,
    ) -> Result<(), RecordingError> {
        let (Some(carrier), Some(sid)) = (&self.carrier, call.sid()) else { return Err(RecordingError::NoCarrier) };
        let change = match step {
            RecordingStep::Start => {
                if is_recorded(&call.record()) {
                    return Err(RecordingError::Recording);
                }
                let notice = self.notice_for(call);
                let announced = self.announce_recording(call, &by, &notice.text).await?;
                let request = RecordingRequest {
                    channels: RecordingChannels::Dual,
                    status_callback: self.urls.recording_callback(call.id),
                };
                let started = carrier.start_recording(sid, &request).await;
                started.map_err(|error| ControlError::Carrier(error.to_string()))?;
                if notice.is_said_again && self.say(call, by.clone(), &notice.text).await.is_err() {
                    // A recording that must hold its notice and cannot is none that may be made.
                    let stopped = carrier.update_recording(sid, None, RecordingChange::Stop).await;
                    stopped.map_err(|error| ControlError::Carrier(error.to_string()))?;
                    return Err(RecordingError::NoticeNotHeard);
                }
                let event = CallEvent::RecordingSteered { by, step, announced };
                return Ok(self.journal.record_durably(call.id, event).await?);
            }
            RecordingStep::Pause => RecordingChange::Pause,
            RecordingStep::Resume => RecordingChange::Resume,
            RecordingStep::Stop => RecordingChange::Stop,
        };
        let changed = carrier.update_recording(sid, None, change).await;
        changed.map_err(|error| ControlError::Carrier(error.to_string()))?;
        let event = CallEvent::RecordingSteered { by, step, announced: false };
        Ok(self.journal.record_durably(call.id, event).await?)
    }

    /// What the other party is told.
    fn notice_for(&self, call: &LiveCall) -> RecordingNotice {
        let record = call.record();
        let callback = self.config.seller.complete().map(|(_, number)| number);
        self.gate.recording_notice(other_party(&record), callback.as_ref(), self.clock.now())
    }

    /// Whether the other party was told and heard it. False only where the law does not ask for it.
    async fn announce_recording(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        by: &Actor,
        notice: &str,
    ) -> Result<bool, RecordingError> {
        let events = self.journal.listen();
        match self.say(call, by.clone(), notice).await {
            Ok(utterance) => {
                let heard = heard_to_the_end(events, call.id, utterance);
                match tokio::time::timeout(NOTICE_LIMIT, heard).await {
                    Ok(true) => Ok(true),
                    Ok(false) | Err(_) => Err(RecordingError::NoticeNotHeard),
                }
            }
            Err(ControlError::NoVoice(error)) => {
                let record = call.record();
                match other_party(&record).number().and_then(|number| self.gate.recording_laws(number)) {
                    Some(laws) if laws.is_empty() => Ok(false),
                    laws => {
                        Err(RecordingError::NoticeNeeded { laws: laws.unwrap_or_default(), why: error.to_string() })
                    }
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn other_party(record: &Call) -> &Party {
    if record.direction == Direction::Outbound { &record.to } else { &record.from }
}

/// Whether the carrier records, as far as it told.
fn is_recorded(record: &Call) -> bool {
    record.recordings.iter().any(|recording| matches!(recording.status.as_str(), "in-progress" | "paused"))
}

/// Waits until an utterance was played. False when it was cut off, or can no longer be heard of.
async fn heard_to_the_end(mut events: Receiver<Arc<JournalEntry>>, call: CallId, utterance: u32) -> bool {
    loop {
        match events.recv().await {
            Ok(entry) if entry.call_id == call => match entry.event {
                CallEvent::OwnAudioHeard { utterance: of, heard_ms, sent_ms } if of == utterance => {
                    return heard_ms > 0 && heard_ms >= sent_ms;
                }
                CallEvent::StreamEnded { .. } | CallEvent::Ended { .. } => return false,
                _ => {}
            },
            Ok(_) => {}
            Err(RecvError::Lagged(_) | RecvError::Closed) => return false,
        }
    }
}
