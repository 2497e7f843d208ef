//! An attempt whose fate is unknown: the request to dial timed out or broke. The carrier is asked what became of it; the number
//! is never dialled again to find out.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{AttemptId, Disposition, E164};
use crate::store::Settlement;

use super::live_calls::LiveCall;
use super::{App, PlaceCallError};

/// When the carrier's list is read again after the first look. A webhook with our call id may settle it sooner.
const LOOKS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(8), Duration::from_secs(20)];

impl App {
    /// Settles the attempt: found at the carrier (adopted, and the call goes on) or nowhere (the call fails).
    pub(super) async fn reconcile(
        &self,
        call: &Arc<LiveCall>,
        attempt: AttemptId,
        to: &E164,
        from: &E164,
        since: Timestamp,
    ) -> Result<(), PlaceCallError> {
        let Some(carrier) = &self.carrier else { return Err(PlaceCallError::NoCarrier) };
        for wait in [Duration::ZERO].into_iter().chain(LOOKS) {
            tokio::select! {
                () = call.over.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            if let Some(call_sid) = call.sid().cloned() {
                // A webhook that carried our call id came meanwhile.
                return self.carrier_accepted(call, attempt, call_sid).await;
            }
            let found = match carrier.find_recent(to, from, since).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(call.id = %call.id, %error, "the carrier's list could not be read");
                    continue;
                }
            };
            // Another call of ours to the same number would already be bound to its own id.
            if let Some(resource) = found.into_iter().find(|resource| self.live.by_sid(&resource.sid).is_none()) {
                return self.carrier_accepted(call, attempt, resource.sid).await;
            }
        }
        self.store.settle_attempt(attempt, Settlement::Absent, self.clock.now()).await?;
        self.finish_call(call, Disposition::Failed, "the carrier knows nothing of the attempt").await;
        Ok(())
    }

    /// A status callback with our call id brought the carrier's id of an attempt that was still open.
    pub async fn adopt_attempt(&self, call: &Arc<LiveCall>, call_sid: &crate::domain::CallSid) {
        if call.record().call_sid.is_some() {
            return;
        }
        self.adopt(call, call_sid);
        if let Some(attempt) = call.attempt() {
            let settled =
                self.store.settle_attempt(attempt, Settlement::Accepted(call_sid.clone()), self.clock.now()).await;
            if let Err(error) = settled {
                tracing::error!(call.id = %call.id, %error, "an attempt could not be settled");
            }
        }
    }
}
