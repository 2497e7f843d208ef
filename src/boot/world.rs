//! Builds the world of a server from its settings: store, journal, gate, carrier, agents, and the `App` that holds them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agents::AgentError;
use crate::agents::accounts::ElevenLabsAccounts;
use crate::agents::chat::ChatClient;
use crate::agents::elevenlabs::{ElevenLabsClient, Limits};
use crate::agents::own::{OpenDialect, OwnAgent, OwnAgents};
use crate::agents::retell::RetellClient;
use crate::app::{AgentHealth, App, EnvironmentKey, Gate, Journal, LiveCalls, Urls, WallClock};
use crate::carrier::{Account, Credentials, Pacer, Patience, TwilioClient};
use crate::config::{AgentsConfig, Config, OwnAgentConfig, ScrubVendor, TwilioConfig};
use crate::domain::{AccountSid, AgentVendor, Secret};
use crate::lists::{self, Lists};
use crate::protocol::twilio::signature::{SharedKey, SignatureKeys};
use crate::relay::{Looks, MediaThreads, step_back_for_audio};
use crate::scrub::{self, ScrubClient, Vendor};
use crate::session::SessionConfig;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use crate::tools::AttachedTools;

pub(super) async fn build(
    config: Config,
    clock: WallClock,
    environment_key: Option<EnvironmentKey>,
) -> anyhow::Result<Arc<App>> {
    let media_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let media_threads =
        MediaThreads::start(media_threads).context("the threads for the calls' audio could not start")?;
    // Before the store opens: its threads begin with the priority of the one that starts them.
    step_back_for_audio();
    let tracker = TaskTracker::new();
    let store = open_store(&config, &tracker).await?;
    let live = Arc::new(LiveCalls::default());
    let metrics = Arc::new(Metrics::default());
    let journal = Journal::start(store.clone(), Arc::clone(&live), clock, Arc::clone(&metrics), &tracker);
    if let Some(Err(error)) = lists_folder(&config)?.map(|folder| lists::sweep(&folder)) {
        // Nothing is read from what was left over; the lists in force are looked at by each decision.
        tracing::error!(%error, "what a cut-short import of a list left could not be removed");
    }
    let gate = open_gate(&config)?;
    let carrier = open_carrier(&config.carrier.twilio)?;
    let agents = elevenlabs_accounts(&config.agents)?;
    let twilio = &config.carrier.twilio;
    let own_agents = own_agents(&config)?;
    let retell = RetellClient::new(&config.agents.retell.api_url, set(&config.agents.retell.api_key).as_ref())?;
    let attached_tools = AttachedTools::new(&config.tools)?;
    let chat = open_chat(&config)?;
    let pacer =
        Pacer::new(twilio.calls_per_second, (twilio.max_concurrent > 0).then_some(twilio.max_concurrent as usize));
    let head = store.ledger_head().await.context("the decision ledger cannot be read")?;
    // To be noted elsewhere: `clearline ledger verify --expect-head` proves the ledger against it.
    tracing::info!(%head, rules = gate.rule_set(), "the decision ledger and the rules");
    Ok(Arc::new(App {
        urls: Urls::new(config.public_url()),
        signature_keys: signature_keys(&config.carrier.twilio),
        environment_key,
        media_threads,
        main_runtime: Handle::current(),
        looks: Looks::new(Handle::current()),
        session_config: Arc::new(session_config(&config)),
        media_places: Arc::new(Semaphore::new(config.server.max_media_sockets as usize)),
        config,
        clock,
        store,
        journal,
        live,
        gate,
        carrier,
        pacer,
        idempotent: Mutex::new(()),
        limited: Mutex::new(()),
        updates: Arc::default(),
        agents,
        own_agents,
        retell,
        attached_tools,
        chat,
        vendor_lines: Mutex::new(()),
        agent_health: AgentHealth::default(),
        metrics,
        tracker,
        drain: CancellationToken::new(),
        shutdown: CancellationToken::new(),
    }))
}

fn session_config(config: &Config) -> SessionConfig {
    SessionConfig {
        start_deadline: Duration::from_secs(config.media.start_deadline_s),
        agent_ready_limit: Duration::from_secs(config.calls.agent_ready_s),
        agent_idle: Duration::from_secs(config.calls.agent_silence_s),
        answer_limit: Duration::from_secs(config.agents.answer_limit_s),
        ..SessionConfig::default()
    }
}

/// The chat endpoint for Retell's custom-LLM socket. None where that is closed.
fn open_chat(config: &Config) -> anyhow::Result<Option<ChatClient>> {
    let settings = &config.agents.retell.llm;
    if settings.secret.expose().is_empty() {
        return Ok(None);
    }
    let patience = Duration::from_millis(settings.patience_ms);
    Ok(Some(ChatClient::new(&settings.base_url, set(&settings.api_key).as_ref(), patience)?))
}

/// The account that everything shares, and those of agents with a section of their own.
pub(super) fn elevenlabs_accounts(config: &AgentsConfig) -> anyhow::Result<ElevenLabsAccounts> {
    let client = |api_url: &str, key: &Secret| ElevenLabsClient::new(api_url, set(key).as_ref(), Limits::default());
    let others = config.own.iter().filter(|(_, agent)| agent.vendor() == Some(AgentVendor::ElevenLabs));
    let by_agent = others.map(|(id, agent)| Ok((id.clone(), client(&agent.url, &agent.api_key)?)));
    let by_agent = by_agent.collect::<Result<_, AgentError>>()?;
    Ok(ElevenLabsAccounts::new(client(&config.elevenlabs.api_url, &config.elevenlabs.api_key)?, by_agent))
}

/// The agents of the operator's own. The settings were checked: a wrong one would not have come this far.
fn own_agents(config: &Config) -> anyhow::Result<OwnAgents> {
    let agent = |(name, settings): (&String, &OwnAgentConfig)| {
        let format = settings.audio_format()?;
        let dialect = match settings.vendor()? {
            AgentVendor::Binary => OpenDialect::Binary(format),
            AgentVendor::TwilioStream => OpenDialect::TwilioStream,
            AgentVendor::ElevenLabs | AgentVendor::Retell => return None,
        };
        let (url, key) = (settings.url.clone(), set(&settings.api_key));
        Some((name.clone(), OwnAgent { dialect, url, key }))
    };
    let by_name = config.agents.own.iter().filter_map(agent).collect();
    Ok(OwnAgents::new(by_name, AccountSid::new(config.carrier.twilio.account_sid.as_str()))?)
}

/// Opens the store of the settings, or the default one in the platform's data directory.
pub(super) async fn open_store(config: &Config, tracker: &TaskTracker) -> anyhow::Result<Store> {
    let url = store_url(config)?;
    Store::open(&url, tracker).await.with_context(|| format!("the store {url} cannot be opened (store.url)"))
}

fn store_url(config: &Config) -> anyhow::Result<String> {
    if config.store.url.is_empty() { default_store_url() } else { Ok(config.store.url.clone()) }
}

fn default_store_url() -> anyhow::Result<String> {
    let folders = directories::ProjectDirs::from("", "", "clearline")
        .context("this platform has no data directory: set store.url to sqlite://PATH")?;
    Ok(format!("sqlite://{}", folders.data_dir().join("clearline.sqlite3").display()))
}

pub(super) fn open_gate(config: &Config) -> anyhow::Result<Gate> {
    let own_rules = match config.compliance.rules.as_str() {
        "" => None,
        path => Some((
            path.to_owned(),
            std::fs::read_to_string(path).with_context(|| format!("the rules file {path} cannot be read"))?,
        )),
    };
    let gate = Gate::load(
        &config.compliance,
        &config.seller,
        own_rules.as_ref().map(|(path, text)| (path.as_str(), text.as_str())),
        lists_folder(config)?.map(Lists::new),
    )?;
    Ok(match open_scrub(config)? {
        Some(vendor) => gate.with_vendor(&config.compliance.scrub, vendor),
        None => gate,
    })
}

/// The scrubbing vendor, where one is set.
fn open_scrub(config: &Config) -> anyhow::Result<Option<ScrubClient>> {
    let settings = &config.compliance.scrub;
    let vendor = match settings.vendor {
        ScrubVendor::Off => return Ok(None),
        ScrubVendor::TwilioLookup => Vendor::TwilioLookup,
    };
    let twilio = &config.carrier.twilio;
    anyhow::ensure!(
        !twilio.account_sid.is_empty(),
        "compliance.scrub.vendor asks with the credentials of carrier.twilio: set account_sid and a token or key"
    );
    let (user, password) = match credentials(twilio)? {
        Credentials::AuthToken(token) => (twilio.account_sid.clone(), token),
        Credentials::ApiKey { key_sid, secret } => (key_sid, secret),
    };
    let account = scrub::Account {
        vendor,
        api_url: settings.api_url.clone(),
        credentials: scrub::Credentials { user, password },
        time_limit: Duration::from_millis(settings.time_limit_ms),
        line_type: settings.line_type,
    };
    Ok(Some(ScrubClient::new(account)?))
}

/// The folder of the do-not-call lists: that of the settings, or `lists` beside the database. None where that is in memory.
pub(super) fn lists_folder(config: &Config) -> anyhow::Result<Option<PathBuf>> {
    if !config.compliance.lists_directory.is_empty() {
        return Ok(Some(config.compliance.lists_directory.clone().into()));
    }
    let database = store_url(config)?;
    Ok(database.strip_prefix("sqlite://").map(|path| Path::new(path).with_file_name("lists")))
}

pub(super) fn open_carrier(settings: &TwilioConfig) -> anyhow::Result<Option<TwilioClient>> {
    if settings.account_sid.is_empty() {
        return Ok(None);
    }
    let (api_url, sid) = (settings.api_url.clone(), AccountSid::new(settings.account_sid.as_str()));
    let account = Account { api_url, sid, credentials: credentials(settings)? };
    Ok(Some(TwilioClient::new(account, Patience::default())?))
}

fn credentials(settings: &TwilioConfig) -> anyhow::Result<Credentials> {
    Ok(match (settings.api_key.as_str(), set(&settings.api_secret), set(&settings.auth_token)) {
        ("", _, Some(token)) => Credentials::AuthToken(token),
        ("", _, None) => anyhow::bail!("set carrier.twilio.auth_token (or api_key and api_secret) for the account"),
        (_, None, _) => anyhow::bail!("carrier.twilio.api_key is set but api_secret is not"),
        (key, Some(secret), _) => Credentials::ApiKey { key_sid: key.to_owned(), secret },
    })
}

fn signature_keys(settings: &TwilioConfig) -> SignatureKeys {
    let shared_keys = settings.shared_keys.iter().filter_map(|key| {
        let (id, secret) = key.expose().split_once('=')?;
        Some(SharedKey { id: id.trim().to_owned(), secret: Secret::new(secret.trim()) })
    });
    SignatureKeys {
        auth_tokens: vec![settings.auth_token.clone(), settings.previous_auth_token.clone()],
        shared_keys: shared_keys.collect(),
    }
}

/// An empty secret is one that is not set.
fn set(secret: &Secret) -> Option<Secret> {
    (!secret.expose().is_empty()).then(|| secret.clone())
}
