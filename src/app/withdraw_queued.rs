//! A call that the carrier took but has not begun to dial: it queues what exceeds the account's calls per second for up to a day.
//! The gate was asked for now, not for some hour of that day, so the call is withdrawn when its time in the queue is over.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::{Actor, Door};
use crate::domain::{CallStatus, Disposition};

use super::App;
use super::live_calls::LiveCall;

/// How soon the carrier is asked again that could not be asked, or that did not withdraw the call.
const AGAIN: Duration = Duration::from_secs(10);

impl App {
    /// Watches over a call's time in the carrier's queue.
    pub(super) fn withdraw_if_queued(self: &Arc<Self>, call: &Arc<LiveCall>) {
        let (app, call) = (Arc::clone(self), Arc::clone(call));
        self.tracker.spawn(async move {
            let mut wait = Duration::from_secs(app.config.carrier.twilio.queue_limit_s);
            loop {
                tokio::select! {
                    () = call.over.cancelled() => return,
                    () = app.shutdown.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                match app.queued_at_carrier(&call).await {
                    Some(false) => return,
                    Some(true) if app.withdraw(&call).await => return,
                    Some(true) | None => wait = AGAIN,
                }
            }
        });
    }

    /// Whether the carrier has not begun with the call, by what it reported, else by what it answers; none where it does not. Its
    /// REST API shows `initiated` as `queued`, but that lasts no two minutes.
    async fn queued_at_carrier(&self, call: &LiveCall) -> Option<bool> {
        let status = match call.record().carrier_status {
            Some(status) if status != CallStatus::Queued => status,
            _ => self.ask_carrier(call).await?,
        };
        Some(status == CallStatus::Queued)
    }

    /// Whether the call is withdrawn. One that has been picked up meanwhile is met by the document that hangs up.
    async fn withdraw(self: &Arc<Self>, call: &Arc<LiveCall>) -> bool {
        let (Some(carrier), Some(sid)) = (&self.carrier, call.sid()) else { return true };
        self.request_end(call, &Actor::new(Door::System, "queue limit"), Disposition::Expired);
        if let Err(error) = carrier.cancel(sid).await {
            tracing::warn!(call.id = %call.id, %error, "a call that the carrier keeps queued could not be withdrawn");
            return false;
        }
        self.finish_call(call, Disposition::Expired, "the carrier did not begin to dial in time").await;
        true
    }
}
