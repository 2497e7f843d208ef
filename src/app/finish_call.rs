//! The end of a call, whoever brings it about. Exactly one `Ended` event; whatever the call held is given back.
//!
//! A call ends on the carrier's first terminal status, or when its last stream ended with nothing announced to come after it
//! and the carrier (or a limit) confirms.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::{Actor, Door, StreamEnd};
use crate::domain::{CallEvent, CallStatus, Direction, Disposition};

use super::App;
use super::live_calls::{LiveCall, Next};

/// How long a call whose stream is gone waits for the carrier's word before it is taken as ended.
const CONFIRMATION_LIMIT: Duration = Duration::from_secs(30);

/// When the carrier is first asked by itself, after a stream ended.
const ASK_CARRIER_AFTER: Duration = Duration::from_secs(5);

/// How long the end of a call waits for the end of its stream.
const STREAM_LIMIT: Duration = Duration::from_secs(8);

impl App {
    /// Ends the call in our books. Idempotent: only the first one counts.
    pub(super) async fn finish_call(&self, call: &Arc<LiveCall>, disposition: Disposition, detail: &str) {
        if !call.claim_end() {
            return;
        }
        // The stream's own last events come before the end of its call.
        if tokio::time::timeout(STREAM_LIMIT, call.stream_closed()).await.is_err() {
            tracing::warn!(call.id = %call.id, "a stream did not end with its call");
        }
        // The record must know who asked for the end before it is asked. A journal that has stopped shows below.
        let _ = self.journal.caught_up().await;
        let record = call.record();
        // Somebody may have asked for the end before the carrier reported it: then their reason is the reason.
        let disposition = match (record.ending_as, disposition) {
            (Some(asked), Disposition::Completed | Disposition::Canceled) => asked,
            (_, given) => given,
        };
        let ended = CallEvent::Ended { disposition, detail: detail.to_owned() };
        if let Err(error) = self.journal.record_durably(call.id, ended).await {
            tracing::error!(call.id = %call.id, %error, "the end of a call could not be written down");
        }
        call.release_slot();
        drop(call.take_warm_agent());
        self.live.remove(call.id);
        let answered_s = record.answered_at.map(|at| self.clock.now().duration_since(at).as_secs_f64());
        self.metrics.call_ended(record.direction, disposition, answered_s);
        tracing::info!(call.id = %call.id, disposition = disposition.as_str(), detail, "call ended");
    }

    /// The carrier reported progress. Duplicates and disorder change nothing.
    pub async fn carrier_status(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        status: CallStatus,
        sequence: Option<u32>,
        sip_code: Option<u16>,
        duration_s: Option<u32>,
    ) {
        if call.is_over() || !call.advance_status(status) {
            return;
        }
        let _ = self.journal.record(call.id, CallEvent::CarrierStatus { status, sequence, sip_code, duration_s });
        if let Some(disposition) = disposition_of(status) {
            self.finish_call(call, disposition, "the carrier reported the end").await;
        }
    }

    /// A stream of the call ended. Decides what the carrier will be told next and watches that the end really comes.
    pub(super) fn stream_ended(self: &Arc<Self>, call: &Arc<LiveCall>, cause: StreamEnd) {
        match cause {
            StreamEnd::AgentFailed => {
                self.request_end(call, &Actor::new(Door::System, "agent watchdog"), Disposition::AgentFailed);
                call.plan_next(Next::Apologise);
            }
            StreamEnd::JournalFull | StreamEnd::CarrierFault => {
                self.request_end(call, &Actor::new(Door::System, "stream"), Disposition::Failed);
                call.plan_next(Next::HangUp);
            }
            StreamEnd::Silence => {
                self.request_end(call, &Actor::new(Door::System, "silence watchdog"), Disposition::Failed);
                call.plan_next(Next::HangUp);
            }
            StreamEnd::MaxDuration | StreamEnd::AgentEnded => {
                self.request_end(call, &Actor::new(Door::System, "stream"), Disposition::Completed);
                call.plan_next(Next::HangUp);
            }
            StreamEnd::HungUp => {
                if call.next_document() == Next::Reconnect {
                    call.plan_next(Next::HangUp);
                }
            }
            // The far side hung up, or we replaced the document: the carrier will say.
            StreamEnd::CarrierStop | StreamEnd::CarrierClosed => {}
        }
        let (app, call) = (Arc::clone(self), Arc::clone(call));
        self.tracker.spawn(async move { app.confirm_end(&call).await });
    }

    /// Waits for the terminal status; asks the carrier when it does not come; takes the call as ended at the limit.
    async fn confirm_end(self: &Arc<Self>, call: &Arc<LiveCall>) {
        let streams = call.record().streams;
        let rounds = CONFIRMATION_LIMIT.as_secs() / ASK_CARRIER_AFTER.as_secs();
        for _ in 0..rounds {
            tokio::select! {
                () = call.over.cancelled() => return,
                () = tokio::time::sleep(ASK_CARRIER_AFTER) => {}
            }
            if call.record().streams > streams {
                // The stream was taken up again; its end has a watch of its own.
                return;
            }
            match self.ask_carrier(call).await {
                Some(status) if status.is_terminal() => {
                    self.carrier_status(call, status, None, None, None).await;
                    return;
                }
                _ => {}
            }
        }
        if call.record().open_streams == 0 && call.record().streams == streams {
            self.end_at_carrier(call).await;
            let disposition = call.ending_as().unwrap_or(Disposition::Completed);
            self.finish_call(call, disposition, "the stream ended and the carrier said nothing more").await;
        }
    }

    async fn ask_carrier(&self, call: &LiveCall) -> Option<CallStatus> {
        let (carrier, sid) = (self.carrier.as_ref()?, call.sid()?);
        match carrier.fetch(sid).await {
            Ok(resource) => resource.status.known,
            Err(error) => {
                tracing::warn!(call.id = %call.id, %error, "the carrier could not be asked about a call");
                None
            }
        }
    }
}

/// What a terminal status means for us. An inbound caller who hangs up before the answer is `canceled` at Twilio.
fn disposition_of(status: CallStatus) -> Option<Disposition> {
    match status {
        CallStatus::Queued | CallStatus::Initiated | CallStatus::Ringing | CallStatus::InProgress => None,
        CallStatus::Completed => Some(Disposition::Completed),
        CallStatus::Busy => Some(Disposition::Busy),
        CallStatus::Failed => Some(Disposition::Failed),
        CallStatus::NoAnswer => Some(Disposition::NoAnswer),
        CallStatus::Canceled => Some(Disposition::Canceled),
    }
}

impl App {
    /// Notes that the call is to end and why. The first reason stays.
    pub(super) fn request_end(&self, call: &LiveCall, by: &Actor, disposition: Disposition) {
        if call.ending_as().is_none() && !call.is_over() {
            let _ = self.journal.record(call.id, CallEvent::HangUpRequested { by: by.clone(), disposition });
        }
    }

    /// Whether outbound: used where only the called party's rights matter.
    pub(super) fn is_outbound(call: &LiveCall) -> bool {
        call.record().direction == Direction::Outbound
    }
}
