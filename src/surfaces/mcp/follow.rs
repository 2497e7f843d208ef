//! Update notifications for resources, in both eras: the first change is told at once, further ones at most four times a second,
//! several as one. A notification says which resource changed; the client reads it again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rmcp::model::{ResourceUpdatedNotification, ResourceUpdatedNotificationParam, ServerNotification};
use rmcp::service::{Peer, SubscriptionContext, SubscriptionSink};
use rmcp::{ErrorData, RoleServer};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Following};

use super::principal::Principal;
use super::resources::Target;

/// The least time between two notifications about one resource.
const PACE: Duration = Duration::from_millis(250);

/// How many resources one client may follow at once.
pub(super) const FOLLOWED_MAX: usize = 100;

/// What a session of the handshake era follows. Ends with the session.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<HashMap<String, CancellationToken>>);

impl Subscriptions {
    /// Subscribing twice is subscribing once.
    pub(super) fn add(
        &self,
        app: &Arc<App>,
        principal: &Principal,
        uri: String,
        peer: Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        let following = Target::allowed(&uri, principal)?.follow(app);
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.contains_key(&uri) {
            return Ok(());
        }
        if followed.len() >= FOLLOWED_MAX {
            return Err(ErrorData::invalid_params(
                format!("at most {FOLLOWED_MAX} resources are followed at once"),
                None,
            ));
        }
        let ended = CancellationToken::new();
        followed.insert(uri.clone(), ended.clone());
        let shutdown = app.shutdown.clone();
        app.tracker.spawn(async move {
            tokio::select! {
                () = tell_changes(following, Ear::Session(peer), uri) => {}
                () = ended.cancelled() => {}
                () = shutdown.cancelled() => {}
            }
        });
        Ok(())
    }

    pub(super) fn remove(&self, uri: &str) {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uri);
        if let Some(ended) = ended {
            ended.cancel();
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for ended in self.0.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            ended.cancel();
        }
    }
}

/// `subscriptions/listen`: runs until the client closes the stream, its key is revoked, or the server stops.
pub(super) async fn listen(
    app: &Arc<App>,
    principal: &Principal,
    context: SubscriptionContext,
) -> Result<(), ErrorData> {
    let mut all = FuturesUnordered::new();
    for uri in context.accepted().resource_subscriptions.iter().flatten() {
        let following = Target::allowed(uri, principal)?.follow(app);
        all.push(tell_changes(following, Ear::Stream(context.sink().clone()), uri.clone()));
    }
    tokio::select! {
        () = async { while all.next().await.is_some() {} }, if !all.is_empty() => {}
        () = context.cancelled() => {}
        () = principal.loses_access(app) => {}
        () = app.shutdown.cancelled() => {}
    }
    Ok(())
}

/// Where notifications go.
enum Ear {
    Session(Peer<RoleServer>),
    Stream(SubscriptionSink),
}

impl Ear {
    /// Says whether anybody still listens.
    async fn tell(&self, uri: &str) -> bool {
        let changed = ResourceUpdatedNotificationParam::new(uri);
        match self {
            Self::Session(peer) => peer.notify_resource_updated(changed).await.is_ok(),
            Self::Stream(sink) => {
                let changed = ResourceUpdatedNotification::new(changed);
                sink.send(ServerNotification::ResourceUpdatedNotification(changed)).await.is_ok()
            }
        }
    }
}

/// Tells of changes until nobody listens any more.
async fn tell_changes(mut following: Following, ear: Ear, uri: String) {
    loop {
        following.changed().await;
        if !ear.tell(&uri).await {
            return;
        }
        tokio::time::sleep(PACE).await;
    }
}
