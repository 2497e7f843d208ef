//! Stop every outbound call, and let them through again. The stop stands in the store: it holds over a restart and binds the next
//! dial, also of calls that wait for their slot.

use crate::domain::event::Actor;
use crate::store::{OutboundStop, StoreError};

use super::App;

impl App {
    /// Gives the stop in force, which is an earlier one if there was one.
    pub async fn stop_outbound(&self, reason: &str, by: &Actor) -> Result<OutboundStop, StoreError> {
        let stop = self.store.stop_outbound(reason, by, self.clock.now()).await?;
        tracing::warn!(by = stop.by.name, door = ?stop.by.door, reason = stop.reason, "outbound calls are stopped");
        Ok(stop)
    }

    /// Gives the stop that was lifted, if there was one.
    pub async fn release_outbound(&self, reason: &str, by: &Actor) -> Result<Option<OutboundStop>, StoreError> {
        let lifted = self.store.release_outbound(reason, by, self.clock.now()).await?;
        if lifted.is_some() {
            tracing::warn!(by = by.name, door = ?by.door, reason, "outbound calls are let through again");
        }
        Ok(lifted)
    }
}
