//! The store of the settings, open for one command.

use anyhow::Context as _;
use tokio_util::task::TaskTracker;

use crate::app::read_number;
use crate::config::Config;
use crate::domain::E164;
use crate::domain::event::{Actor, Door};
use crate::store::Store;

use super::world;

pub(super) struct OpenStore {
    pub store: Store,
    tracker: TaskTracker,
}

impl OpenStore {
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        let tracker = TaskTracker::new();
        Ok(Self { store: world::open_store(config, &tracker).await?, tracker })
    }

    pub(super) async fn close(self) {
        self.store.close().await;
        self.tracker.close();
        self.tracker.wait().await;
    }
}

pub(super) fn operator() -> Actor {
    Actor::new(Door::Cli, "operator")
}

pub(super) fn number(text: &str) -> anyhow::Result<E164> {
    read_number(text).map_err(anyhow::Error::msg).with_context(|| format!("`{text}`"))
}
