//! Retention: once a day what was said in calls that ended long enough ago is removed. Evidence (decisions, attempts, consents) stays
//! for ever, or for the years that the settings say, which are never fewer than the law asks for. Webhooks long done with are
//! forgotten.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::event::{Actor, Door};
use crate::store::{Expired, StoreError};

use super::App;
use super::privacy::evidence_until;

/// The carrier repeats a delivery within seconds.
const DELIVERIES_KEPT: SignedDuration = SignedDuration::from_hours(24);

const ONCE_A_DAY: Duration = Duration::from_hours(24);

impl App {
    /// Runs until the server stops.
    pub async fn prune_daily(self: Arc<Self>) {
        let kept = SignedDuration::from_hours(i64::from(self.config.store.call_retention_days) * 24);
        loop {
            match self.clock.now().checked_sub(kept) {
                Ok(before) => self.prune_content(before).await,
                Err(error) => tracing::error!(%error, "store.call_retention_days reaches before time itself"),
            }
            self.expire_evidence().await;
            self.forget_deliveries().await;
            tokio::select! {
                () = tokio::time::sleep(ONCE_A_DAY) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    /// Transcripts stand twice: in the journal, and in what the agent's vendor sent.
    async fn prune_content(&self, before: Timestamp) {
        let pruned = async {
            Ok::<_, StoreError>((self.store.prune_events(before).await?, self.store.prune_conversations(before).await?))
        };
        match pruned.await {
            Ok((0, 0)) => {}
            Ok((events, conversations)) => tracing::info!(events, conversations, "what old calls held was removed"),
            Err(error) => tracing::error!(%error, "what old calls hold could not be removed"),
        }
    }

    async fn expire_evidence(&self) {
        let (years, now) = (self.config.store.evidence_retention_years, self.clock.now());
        if years == 0 {
            return;
        }
        let by = Actor::new(Door::System, "retention");
        match self.store.expire_evidence(evidence_until(years, now), &by, now).await {
            Ok(expired) if expired == Expired::default() => {}
            Ok(expired) => tracing::info!(?expired, "evidence was erased after its time"),
            Err(error) => tracing::error!(%error, "evidence could not be erased after its time"),
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
