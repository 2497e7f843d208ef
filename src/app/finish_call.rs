//! The end of a call, whoever brings it about. Exactly one `Ended` event; whatever the call held is given back.
//!
//! A call ends on the carrier's first terminal status, or when its last stream ended with nothing announced to come after it
//! and the carrier (or a limit) confirms.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::{Actor, Door, StreamEnd};
use crate::domain::{CallEvent, CallStatus, Disposition};

use super::App;
use super::live_calls::{LiveCall, Next};

/// When the carrier is asked about a call whose stream is gone, in seconds, each after the one before. The first is soon, for
/// numbers without a status callback; after the last the call is taken as ended, 30 s after its stream.
const ASK_CARRIER_AFTER_S: [u64; 6] = [1, 4, 5, 5, 5, 10];

/// How long the end of a call waits for the end of its stream.
const STREAM_LIMIT: Duration = Duration::from_secs(8);

impl App {
    /// Ends the call in our books. Idempotent: only the first one counts.
    pub(super) async fn finish_call(self: &Arc<Self>, call: &Arc<LiveCall>, disposition: Disposition, detail: &str) {
        if !call.claim_end() {
            return;
        }
        // In a task of its own: a webhook is dropped when its sender goes away, and an end that was claimed must be written.
        let (app, call, detail) = (Arc::clone(self), Arc::clone(call), detail.to_owned());
        let written = self.tracker.spawn(async move { app.write_end(&call, disposition, detail).await });
        if let Err(error) = written.await {
            tracing::error!(%error, "the end of a call broke off");
        }
    }

    async fn write_end(self: &Arc<Self>, call: &LiveCall, disposition: Disposition, detail: String) {
        // The stream's own last events come before the end of its call, and may hold the reason for it.
        if tokio::time::timeout(STREAM_LIMIT, call.stream_closed()).await.is_err() {
            tracing::warn!(call.id = %call.id, "a stream did not end with its call");
        }
        // The record must know who asked for the end before it is asked. A journal that has stopped shows below.
        let _ = self.journal.catch_up().await;
        let record = call.record();
        let disposition = final_disposition(record.ending_as, disposition);
        let ended = CallEvent::Ended { disposition, detail: detail.clone() };
        if let Err(error) = self.journal.record_durably(call.id, ended).await {
            tracing::error!(call.id = %call.id, %error, "the end of a call could not be written down");
        }
        call.release_slot();
        drop(call.take_warm_agent());
        self.live.remove(call);
        self.ask_vendor_later(&record);
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
        if call.is_over() {
            return;
        }
        let known = call.record().carrier_status;
        let is_news = call.advance_status(status);
        if is_news {
            let _ = self.journal.record(call.id, CallEvent::CarrierStatus { status, sequence, sip_code, duration_s });
        }
        // A terminal status that was known before (from before a restart, say) ends the call too; the first one counts.
        let status = if is_news { status } else { known.unwrap_or(status) };
        if let Some(disposition) = disposition_of(status) {
            self.finish_call(call, disposition, "the carrier reported the end").await;
        }
    }

    /// A stream of the call ended. Decides what the carrier will be told next and watches that the end really comes.
    pub(super) fn stream_ended(self: &Arc<Self>, call: &Arc<LiveCall>, cause: StreamEnd) {
        if let Some(disposition) = cause.disposition() {
            let by = match cause {
                StreamEnd::AgentFailed => "agent watchdog",
                StreamEnd::Silence => "silence watchdog",
                _ => "stream",
            };
            self.request_end(call, &Actor::new(Door::System, by), disposition);
            call.plan_next(if cause == StreamEnd::AgentFailed { Next::Apologise } else { Next::HangUp });
        } else if cause == StreamEnd::HungUp && call.next_document() == Next::Reconnect {
            call.plan_next(Next::HangUp);
        }
        // Else the far side hung up, or we replaced the document: the carrier will say.
        let (app, call) = (Arc::clone(self), Arc::clone(call));
        // Here is a thread of the audio's.
        self.tracker.spawn_on(async move { app.confirm_end(&call).await }, &self.main_runtime);
    }

    /// Waits for the terminal status; asks the carrier when it does not come; takes the call as ended at the limit.
    async fn confirm_end(self: &Arc<Self>, call: &Arc<LiveCall>) {
        // The journal may not have told the record yet that this stream began.
        let _ = self.journal.catch_up().await;
        let streams = call.record().streams;
        for wait_s in ASK_CARRIER_AFTER_S {
            tokio::select! {
                () = call.over.cancelled() => return,
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(wait_s)) => {}
            }
            let record = call.record();
            let speaks_on = matches!(call.next_document(), Next::Message(_));
            if record.streams > streams || record.at_vendor || record.transfer.is_some() || speaks_on {
                // The stream was taken up again and its end has a watch of its own; or the call went on with somebody else, or with
                // a message that takes its time.
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
        // A stream that has just been opened may not be in the record yet, so the lane is asked too.
        if call.commands().is_none() && call.record().streams == streams {
            self.end_at_carrier(call).await;
            let disposition = call.ending_as().unwrap_or(Disposition::Completed);
            self.finish_call(call, disposition, "the stream ended and the carrier said nothing more").await;
        }
    }

    pub(super) async fn ask_carrier(&self, call: &LiveCall) -> Option<CallStatus> {
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

/// Somebody may have asked for the end before the carrier reported it: then their reason is the reason. But a call that was never
/// answered was not completed, whoever ended it.
fn final_disposition(asked: Option<Disposition>, given: Disposition) -> Disposition {
    match (asked, given) {
        (Some(Disposition::Completed), Disposition::Canceled) => Disposition::Canceled,
        (Some(asked), Disposition::Completed | Disposition::Canceled) => asked,
        (_, given) => given,
    }
}

/// What a terminal status means for us. An inbound caller who hangs up before the answer is `canceled` at Twilio.
pub(super) fn disposition_of(status: CallStatus) -> Option<Disposition> {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asked_for_the_end_gives_the_reason_unless_nobody_had_answered() {
        use Disposition::{Busy, Canceled, Completed, OptedOut};
        for (asked, given, wanted) in [
            (None, Completed, Completed),
            (Some(OptedOut), Completed, OptedOut),
            (Some(OptedOut), Busy, Busy),
            (Some(Completed), Canceled, Canceled),
        ] {
            assert_eq!(final_disposition(asked, given), wanted);
        }
    }
}
