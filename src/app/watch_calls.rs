//! Looks after what nobody reports: calls whose end was never told (no status callback is set for a number, or it got lost), and
//! dial attempts whose fate the carrier could not be asked about before.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{CallState, CallStatus, Disposition};
use crate::store::{Attempt, Settlement};

use super::App;
use super::live_calls::LiveCall;
use super::reconcile::LookError;

/// How often.
const ROUND: Duration = Duration::from_mins(1);

/// A call without a stream about which nothing was heard for so long is asked about.
const QUIET: SignedDuration = SignedDuration::from_secs(60);

/// An attempt that is younger may still be on its way, or in the hands of its call.
const UNSETTLED: SignedDuration = SignedDuration::from_mins(5);

impl App {
    /// Runs until the server stops. The first round is at once: a restart may have left attempts behind.
    pub async fn watch_calls(self: Arc<Self>) {
        loop {
            self.settle_left_attempts().await;
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
            for call in self.live.all() {
                self.look_at(&call).await;
            }
        }
    }

    async fn look_at(self: &Arc<Self>, call: &Arc<LiveCall>) {
        let record = call.record();
        let quiet = self.clock.now().duration_since(record.updated_at);
        // One that waits for its slot has a limit of its own.
        if call.commands().is_some() || record.state == CallState::Queued || quiet < QUIET {
            return;
        }
        let status = self.ask_carrier(call).await;
        if let Some(status) = status.filter(|status| status.is_terminal()) {
            self.carrier_status(call, status, None, None, None).await;
        } else if status != Some(CallStatus::InProgress) && quiet.unsigned_abs() > self.config.calls.max_duration() {
            // A status before the answer for so long is a call that the carrier lost, as is one that it does not know.
            self.end_at_carrier(call).await;
            self.finish_call(call, Disposition::Failed, "nothing was heard of the call any more").await;
        }
    }

    async fn settle_left_attempts(&self) {
        if self.carrier.is_none() {
            return;
        }
        let before = self.clock.now().saturating_sub(UNSETTLED).unwrap_or(Timestamp::MIN);
        let attempts = match self.store.unsettled_attempts(before).await {
            Ok(attempts) => attempts,
            Err(error) => {
                tracing::error!(%error, "the attempts of unknown fate could not be read");
                return;
            }
        };
        // That of a live call is in the hands of its reconciliation.
        for attempt in attempts.into_iter().filter(|attempt| self.live.by_id(attempt.call_id).is_none()) {
            if let Err(error) = self.settle_left_attempt(&attempt).await {
                tracing::warn!(call.id = %attempt.call_id, %error, "an attempt of unknown fate keeps its number blocked");
            }
        }
    }

    async fn settle_left_attempt(&self, attempt: &Attempt) -> Result<(), LookError> {
        let record = self.store.call(attempt.call_id).await?;
        let Some(from) = record.as_ref().and_then(|record| record.from.number()) else { return Ok(()) };
        let found = self.find_attempt(attempt.call_id, &attempt.number, from, attempt.started_at).await?;
        let settlement = match found {
            Some(call_sid) => {
                // Nobody here attends to this call any more.
                if let Some(carrier) = &self.carrier {
                    carrier.hang_up(&call_sid).await?;
                }
                Settlement::Accepted(call_sid)
            }
            None => Settlement::Absent,
        };
        self.store.settle_attempt(attempt.id, settlement, self.clock.now()).await?;
        Ok(())
    }
}
