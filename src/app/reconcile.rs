//! An attempt whose fate is unknown: the request to dial timed out or broke. The carrier is asked what became of it; the number
//! is never dialled again to find out.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::carrier::CarrierError;
use crate::domain::{AttemptId, CallId, CallSid, Disposition, E164};
use crate::store::{Settlement, StoreError};

use super::live_calls::LiveCall;
use super::{App, PlaceCallError};

/// When the carrier's list is read again after the first look. A webhook with our call id may settle it sooner.
const LOOKS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(8), Duration::from_secs(20)];

/// How far our clock may be ahead of the carrier's. An attempt that is overlooked would count as one that never left.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// Why the carrier could not be asked about an attempt.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("there is no carrier to ask (carrier.twilio.account_sid)")]
    NoCarrier,
    #[error(transparent)]
    Carrier(#[from] CarrierError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Settles the attempt: found at the carrier (adopted, and the call goes on) or nowhere (the call fails). Where the carrier
    /// does not say, the call fails and its attempt stays open, which keeps the number blocked; it is asked again later.
    pub(super) async fn reconcile(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        attempt: AttemptId,
        to: &E164,
        from: &E164,
        since: Timestamp,
    ) -> Result<(), PlaceCallError> {
        let mut is_absent = false;
        for wait in LOOKS {
            tokio::select! {
                () = call.over.cancelled() => {}
                () = self.shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            if let Some(call_sid) = call.sid() {
                // A webhook that carried our call id came meanwhile.
                return self.carrier_accepted(call, attempt, call_sid.clone()).await;
            }
            if call.is_over() {
                return Ok(());
            }
            match self.find_attempt(call.id, to, from, since).await {
                Ok(Some(call_sid)) => return self.carrier_accepted(call, attempt, call_sid).await,
                Ok(None) => is_absent = true,
                Err(error) => {
                    is_absent = false;
                    tracing::warn!(call.id = %call.id, %error, "the carrier's list could not be read");
                }
            }
        }
        if is_absent {
            self.store.settle_attempt(attempt, Settlement::Absent, self.clock.now()).await?;
            self.finish_call(call, Disposition::Failed, "the carrier knows nothing of the attempt").await;
        } else {
            self.finish_call(call, Disposition::Failed, "the carrier does not say whether the attempt left").await;
        }
        Ok(())
    }

    /// The carrier's call that this attempt became: made since then, between these numbers, and not known as another call's.
    pub(super) async fn find_attempt(
        &self,
        call: CallId,
        to: &E164,
        from: &E164,
        since: Timestamp,
    ) -> Result<Option<CallSid>, LookError> {
        let carrier = self.carrier.as_ref().ok_or(LookError::NoCarrier)?;
        let since = since.saturating_sub(CLOCK_SLACK).unwrap_or(since);
        let attempts = self.store.attempts_to(to).await?;
        for resource in carrier.find_recent(to, from, since).await? {
            if attempts.iter().any(|other| other.call_id != call && other.call_sid.as_ref() == Some(&resource.sid)) {
                continue;
            }
            let owner = match self.live.by_sid(&resource.sid) {
                Some(owner) => Some(owner.id),
                None => self.store.call_by_sid(&resource.sid).await?.map(|owner| owner.id),
            };
            if owner.is_none_or(|owner| owner == call) {
                return Ok(Some(resource.sid));
            }
        }
        Ok(None)
    }

    /// A webhook with our call id brought the carrier's id of an attempt that was still open.
    pub async fn adopt_attempt(&self, call: &Arc<LiveCall>, call_sid: &CallSid) {
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
