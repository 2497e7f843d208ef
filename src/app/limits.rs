//! What one API key may use: dials a minute, calls at once, money a day. A transfer to an outside number is a dial. Counted from the
//! store, so that a restart forgets nothing, and over all doors that take keys: a browser that was signed in with a key is that key.

use tokio::sync::MutexGuard;

use crate::config::Limits;
use crate::domain::Purpose;
use crate::domain::event::Actor;
use crate::store::{KeyUsage, StoreError};

use super::App;

/// Which limit of a key was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    #[error("this key may dial {0} times a minute (limits.dials_per_minute, or its own)")]
    DialsPerMinute(u32),
    #[error("this key may have {0} calls at once (limits.concurrent_calls, or its own)")]
    ConcurrentCalls(u32),
    #[error("this key has spent what it may spend in 24 hours (limits.spend_per_day, or its own)")]
    SpendPerDay,
}

impl App {
    /// Lets a key dial once more, for a call or a transfer to an outside number, or says which limit stands against it. While the
    /// answer is held no other call is let through, so that two at once cannot both be the last one.
    pub(super) async fn within_limits(
        &self,
        actor: &Actor,
    ) -> Result<Result<Option<MutexGuard<'_, ()>>, LimitReached>, StoreError> {
        let Some(key) = actor.key() else { return Ok(Ok(None)) };
        let limits = self.config.limits.of(key);
        if limits.dials_per_minute == 0 && limits.concurrent_calls == 0 && limits.spend_per_day <= 0.0 {
            return Ok(Ok(None));
        }
        let turn = self.limited.lock().await;
        let usage = self.store.usage_of_key(key, self.clock.now()).await?;
        Ok(self.check(limits, usage).map(|()| Some(turn)))
    }

    /// Whether whoever asks may claim the purpose: the server's setting, and their key's own.
    pub(super) fn may_claim(&self, actor: &Actor, purpose: Purpose) -> bool {
        let keys_own = actor.key().is_none_or(|key| self.config.limits.may_claim(key, purpose));
        self.config.compliance.purposes.contains(&purpose) && keys_own
    }

    fn check(&self, limits: Limits, usage: KeyUsage) -> Result<(), LimitReached> {
        let reached = |limit: u32, used: u32| limit > 0 && used >= limit;
        if reached(limits.dials_per_minute, usage.last_minute) {
            return Err(LimitReached::DialsPerMinute(limits.dials_per_minute));
        }
        if reached(limits.concurrent_calls, usage.live) {
            return Err(LimitReached::ConcurrentCalls(limits.concurrent_calls));
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds of a day's calls are far below 2^52")]
        let spent = usage.answered_s as f64 / 60.0 * self.config.limits.cost_per_minute;
        if limits.spend_per_day > 0.0 && spent >= limits.spend_per_day {
            return Err(LimitReached::SpendPerDay);
        }
        Ok(())
    }
}
