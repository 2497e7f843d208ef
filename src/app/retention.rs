//! Retention: once a day the events of calls that ended long enough ago are removed, and webhooks long done with
//! are forgotten. Decisions, attempts and consents stay.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::App;

/// The carrier repeats a delivery within seconds.
const DELIVERIES_KEPT: SignedDuration = SignedDuration::from_hours(24);

const ONCE_A_DAY: Duration = Duration::from_hours(24);

impl App {
    /// Runs until the server stops.
    pub async fn prune_daily(self: Arc<Self>) {
        let kept = SignedDuration::from_hours(i64::from(self.config.store.call_retention_days) * 24);
        loop {
            match self.clock.now().checked_sub(kept) {
                Ok(before) => match self.store.prune_events(before).await {
                    Ok(events) if events > 0 => tracing::info!(events, "events of old calls were removed"),
                    Ok(_) => {}
                    Err(error) => tracing::error!(%error, "events of old calls could not be removed"),
                },
                Err(error) => tracing::error!(%error, "store.call_retention_days reaches before time itself"),
            }
            self.forget_deliveries().await;
            tokio::select! {
                () = tokio::time::sleep(ONCE_A_DAY) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    async fn forget_deliveries(&self) {
        let before = self.clock.now().checked_sub(DELIVERIES_KEPT);
        if let Ok(before) = before
            && let Err(error) = self.store.prune_deliveries(before).await
        {
            tracing::error!(%error, "old deliveries of webhooks could not be forgotten");
        }
    }
}
