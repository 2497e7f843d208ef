//! Local `ElevenLabs` agents: the conversation socket with scripted turns, barge-in and tool calls, and the REST resources around
//! it. Production clients reach it through their base URL; `/_emulator/…` is its own.

mod agents;
mod config;
mod control;
mod conversation;
mod dialogue;
mod faults;
mod post_call;
mod records;
mod rest;
mod script;
mod upgrade;
mod voices;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use config::{AgentConfig, ElevenLabsEmulatorConfig, WebhookConfig};
pub use faults::ElevenLabsFaults;
pub use script::ScriptError;

use self::agents::Agent;
use self::records::Records;
use super::clock::Clock;
use super::log::EventLog;
use super::server::{self, EmulatorError, Running};
use crate::domain::Secret;

/// The `ElevenLabs` emulator.
#[derive(Debug)]
pub struct ElevenLabsEmulator;

impl ElevenLabsEmulator {
    /// Listens and serves until `shutdown`. Every task it starts is on `tracker`.
    pub async fn start(
        config: ElevenLabsEmulatorConfig,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Running, EmulatorError> {
        let now = config.clock.now();
        let agents = config
            .agents
            .iter()
            .map(|agent| Ok((agent.agent_id.clone(), Agent::configured(agent, now)?)))
            .collect::<Result<_, ScriptError>>()?;
        let client = server::http_client("ElevenLabs/1.0")?;
        let (listener, addr) = server::bind(config.listen).await?;
        let log = EventLog::new(config.clock.clone());
        let emulation = Arc::new(Emulation {
            api_key: config.api_key,
            agents: Mutex::new(agents),
            signed_urls: Mutex::default(),
            records: Records::default(),
            webhook: Mutex::new(config.webhook),
            faults: Mutex::new(config.faults),
            ping_interval: Duration::from_millis(config.ping_interval_ms.max(1)),
            response_delay: Duration::from_millis(config.response_delay_ms),
            processing: Duration::from_millis(config.processing_ms),
            input_limit: Duration::from_millis(config.input_limit_ms),
            client,
            log: log.clone(),
            clock: config.clock,
            tracker: tracker.clone(),
            shutdown: shutdown.clone(),
        });
        Ok(server::serve(listener, rest::router(emulation), (addr, log), tracker, shutdown))
    }
}

/// Everything the parts of one emulator share.
#[derive(Debug)]
struct Emulation {
    api_key: Secret,
    agents: Mutex<BTreeMap<String, Agent>>,
    signed_urls: Mutex<HashMap<String, SignedUrl>>,
    records: Records,
    webhook: Mutex<Option<WebhookConfig>>,
    faults: Mutex<ElevenLabsFaults>,
    ping_interval: Duration,
    response_delay: Duration,
    processing: Duration,
    input_limit: Duration,
    client: reqwest::Client,
    log: EventLog,
    clock: Clock,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

/// What a `conversation_signature` stands for.
#[derive(Debug, Clone)]
struct SignedUrl {
    agent_id: String,
    expires: Timestamp,
    /// One that carries a conversation id works once.
    conversation_id: Option<String>,
}

/// A mutex whose holders do not panic with half-done work: what a panicked one left is as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An id in the vendor's form.
fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::new_v4().simple())
}
