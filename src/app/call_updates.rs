//! Who follows which call: one channel a followed call, fed from the journal, so that an event wakes those who follow its call
//! and nobody else.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use crate::domain::{CallEvent, CallId};

use super::App;

/// The channels of the calls that somebody follows.
#[derive(Debug)]
pub struct CallUpdates {
    by_call: DashMap<CallId, watch::Sender<u64>>,
    /// Changes when a call begins, moves on or ends.
    any: watch::Sender<u64>,
}

/// Follows one call, or all of them. Says that something changed, not what: whoever wants to know reads it.
#[derive(Debug)]
pub struct Following {
    updates: Arc<CallUpdates>,
    call: Option<CallId>,
    changes: watch::Receiver<u64>,
}

impl Default for CallUpdates {
    fn default() -> Self {
        Self { by_call: DashMap::new(), any: watch::Sender::new(0) }
    }
}

impl CallUpdates {
    /// From now on. A change that is under way when this returns is seen.
    pub fn follow(self: &Arc<Self>, call: CallId) -> Following {
        let changes = self.by_call.entry(call).or_insert_with(|| watch::Sender::new(0)).subscribe();
        Following { updates: Arc::clone(self), call: Some(call), changes }
    }

    /// Follows which calls there are and what state they are in.
    pub fn follow_all(self: &Arc<Self>) -> Following {
        Following { updates: Arc::clone(self), call: None, changes: self.any.subscribe() }
    }

    fn changed(&self, call: CallId, event: &CallEvent) {
        if let Some(channel) = self.by_call.get(&call) {
            channel.send_modify(|count| *count += 1);
        }
        if moves_the_call(event) {
            self.any.send_modify(|count| *count += 1);
        }
    }

    fn everything_may_have_changed(&self) {
        for channel in &self.by_call {
            channel.send_modify(|count| *count += 1);
        }
        self.any.send_modify(|count| *count += 1);
    }
}

/// Events that change what a list of the active calls shows.
fn moves_the_call(event: &CallEvent) -> bool {
    matches!(
        event,
        CallEvent::Created(_)
            | CallEvent::Dialing { .. }
            | CallEvent::CarrierAccepted { .. }
            | CallEvent::CarrierStatus { .. }
            | CallEvent::StreamStarted { .. }
            | CallEvent::AgentConnected { .. }
            | CallEvent::Ended { .. }
    )
}

impl Following {
    /// Waits for the next change, however many there were since the last one. Never returns once the server stops.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // This one still counts among the receivers.
        if let Some(call) = self.call {
            self.updates.by_call.remove_if(&call, |_, channel| channel.receiver_count() <= 1);
        }
    }
}

impl App {
    /// Hands what the journal writes to those who follow. Ends with the server.
    pub async fn tell_followers(self: Arc<Self>) {
        let mut events = self.journal.listen();
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = self.shutdown.cancelled() => return,
            };
            match event {
                Ok(entry) => self.updates.changed(entry.call_id, &entry.event),
                Err(RecvError::Lagged(_)) => self.updates.everything_may_have_changed(),
                Err(RecvError::Closed) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn only_those_who_follow_a_call_hear_of_it_and_nothing_is_left_behind() {
        let updates = Arc::new(CallUpdates::default());
        let (one, two) = (CallId::from_uuid(uuid::Uuid::from_u128(1)), CallId::from_uuid(uuid::Uuid::from_u128(2)));
        let (mut first, mut second) = (updates.follow(one), updates.follow(two));
        let (mut twin, mut all) = (updates.follow(one), updates.follow_all());
        let said = CallEvent::CallerSaid { text: "hello".to_owned() };
        updates.changed(one, &said);
        updates.changed(one, &said);
        assert!(first.changed().now_or_never().is_some() && twin.changed().now_or_never().is_some());
        assert!(first.changed().now_or_never().is_none(), "two changes are told as one");
        assert!(second.changed().now_or_never().is_none() && all.changed().now_or_never().is_none());
        updates.everything_may_have_changed();
        assert!(second.changed().now_or_never().is_some() && all.changed().now_or_never().is_some());
        drop(first);
        assert!(updates.by_call.contains_key(&one));
        drop((twin, second));
        assert!(updates.by_call.is_empty());
    }
}
