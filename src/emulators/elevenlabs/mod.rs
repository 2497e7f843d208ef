//! A local ElevenLabs: conversation sockets with scripted agents, and the REST API around them.

mod config;
mod rest;
mod script;
mod socket;
mod talk;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::log::EventLog;
use super::server::{EmulatorError, Running, bind, http_client, serve};

pub use config::{AgentFaults, AgentSettings, Behaviour, ElevenLabsEmulatorConfig};
pub use script::{Script, ScriptError, Step};

/// The emulator. [`ElevenLabsEmulator::start`] runs one.
#[derive(Debug, Clone, Copy)]
pub struct ElevenLabsEmulator;

impl ElevenLabsEmulator {
    /// Binds and serves until `shutdown`. Scripts that do not parse fail here, not in a call.
    pub async fn start(
        config: ElevenLabsEmulatorConfig,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Running, EmulatorError> {
        let mut scripts = BTreeMap::new();
        for (id, agent) in &config.agents {
            if let Behaviour::Script(name) = &agent.behaviour {
                let shipped = config::SHIPPED.into_iter().find(|(known, _)| known == name).map(|(_, text)| text);
                scripts.insert(id.clone(), shipped.unwrap_or(name).parse::<Script>()?);
            }
        }
        let (listener, addr) = bind(config.listen).await?;
        let log = EventLog::new(config.clock.clone());
        let world = Arc::new(World {
            base: addr.to_string(),
            scripts,
            faults: Mutex::new(config.faults.clone()),
            signatures: Mutex::default(),
            agents: Mutex::new(rest::agent_resources(&config)),
            conversations: Mutex::default(),
            http: http_client("ElevenLabs-emulator")?,
            log: log.clone(),
            tracker: tracker.clone(),
            shutdown: shutdown.clone(),
            config,
        });
        Ok(serve(listener, rest::router(world), (addr, log), tracker, shutdown))
    }
}

/// Everything that the emulator's handlers share.
#[derive(Debug)]
struct World {
    config: ElevenLabsEmulatorConfig,
    /// `127.0.0.1:4020`
    base: String,
    scripts: BTreeMap<String, Script>,
    faults: Mutex<AgentFaults>,
    /// Signed URLs that were given out: signature, agent, when.
    signatures: Mutex<BTreeMap<String, (String, Timestamp)>>,
    /// Agents as REST resources.
    agents: Mutex<BTreeMap<String, Value>>,
    /// Finished conversations as REST resources.
    conversations: Mutex<BTreeMap<String, Value>>,
    http: reqwest::Client,
    log: EventLog,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

/// What lies behind these locks is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
