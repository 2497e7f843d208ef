//! The control plane: one use case a file, the registry of live calls, the journal's one writer.

mod addresses;
mod agent_health;
mod agent_opening;
mod agent_tools;
mod answer_call;
mod answered_by;
mod at_vendor;
mod call_updates;
mod clock;
mod evidence_bundle;
mod finish_call;
mod gate;
mod hand_over;
mod hang_up;
mod health;
mod ids;
mod import;
mod inputs;
mod journal;
mod keys;
mod leads;
mod limits;
mod list_facts;
mod listen;
mod live_calls;
mod media_stream;
mod monitor_vendor;
mod opt_out_listener;
mod outbound_stop;
mod place_call;
mod post_call;
mod privacy;
mod recognise;
mod reconcile;
mod record_call;
mod record_consent;
mod record_opt_out;
mod recover;
mod replay;
mod retell_llm;
mod retention;
mod run_tool;
mod say;
mod scrub_number;
mod sign_in;
mod steer_call;
mod take_over;
mod transfer_call;
mod urls;
mod warm_agent;
mod watch_calls;
mod withdraw_queued;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agents::accounts::ElevenLabsAccounts;
use crate::agents::chat::ChatClient;
use crate::agents::own::OwnAgents;
use crate::agents::retell::RetellClient;
use crate::carrier::{Pacer, TwilioClient};
use crate::config::Config;
use crate::protocol::twilio::signature::SignatureKeys;
use crate::relay::{Looks, MediaThreads};
use crate::session::SessionConfig;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use crate::tools::AttachedTools;

pub use agent_health::AgentHealth;
pub use answer_call::AnswerOrder;
pub use call_updates::{CallUpdates, Following};
pub use clock::WallClock;
pub use evidence_bundle::{Bundle, BundleScope, Entry, PersonRecords};
pub use gate::{Gate, GateAnswer, GateQuestion};
pub use health::{Check, Level};
pub use ids::fingerprint;
pub use import::{BadRow, ImportError, ImportMode, ImportReport, import_consents, import_leads};
pub use journal::{Journal, JournalFull};
pub use keys::{CreateKeyError, EnvironmentKey, KnownKey, WeakKey, create_key};
pub use leads::{LeadError, LeadPatch, ProtectedLines, future_date, read_number};
pub use limits::LimitReached;
pub use listen::Listener;
pub use live_calls::{LiveCall, LiveCalls, Next};
pub use place_call::{PlaceCall, PlaceCallError, Placed};
pub use privacy::{Erasure, erase_person, evidence_until};
pub use record_call::RecordingError;
pub use record_consent::{NewConsent, record_consent};
pub use replay::{ReplayOutcome, Replayer};
pub use say::SENTENCE_MAX;
pub use sign_in::{Session, create_sign_in_link};
pub use steer_call::{ControlError, MESSAGE_MAX};
pub use take_over::TakeOver;
pub use transfer_call::{BRIEFING_MAX, LegEnded, TransferCall, TransferError, TransferTo, Transferring};
pub use urls::Urls;

/// Everything that the use cases work with. Boot builds one and shares it.
#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub urls: Urls,
    pub clock: WallClock,
    pub store: Store,
    pub journal: Journal,
    pub live: Arc<LiveCalls>,
    pub gate: Gate,
    /// None where no account is set: inbound streams still work, outbound calls do not.
    pub carrier: Option<TwilioClient>,
    pub pacer: Pacer,
    /// Requests with an idempotency key are placed one at a time, so that two of one key cannot both be the first.
    pub idempotent: Mutex<()>,
    /// Calls of keys with limits are let through one at a time.
    pub limited: Mutex<()>,
    /// Who follows which call.
    pub updates: Arc<CallUpdates>,
    pub agents: ElevenLabsAccounts,
    pub own_agents: OwnAgents,
    pub retell: RetellClient,
    /// The MCP servers whose tools agents may call.
    pub attached_tools: AttachedTools,
    /// Answers on Retell's custom-LLM socket, where one is set up.
    pub chat: Option<ChatClient>,
    /// What a vendor tells of handed-over calls is written down one at a time, so that no line is written twice.
    pub vendor_lines: Mutex<()>,
    pub agent_health: AgentHealth,
    pub metrics: Arc<Metrics>,
    pub signature_keys: SignatureKeys,
    pub environment_key: Option<EnvironmentKey>,
    pub media_threads: MediaThreads,
    /// Where everything runs that is no stream: what a stream asks for must not be done on its own thread.
    pub main_runtime: Handle,
    /// Wakes streams to which nothing comes.
    pub looks: Looks,
    /// The limits of every stream.
    pub session_config: Arc<SessionConfig>,
    /// One permit a media socket.
    pub media_places: Arc<Semaphore>,
    /// Every task of the server.
    pub tracker: TaskTracker,
    /// Cancelled first: no new calls, running ones finish.
    pub drain: CancellationToken,
    /// Cancelled last: everything stops.
    pub shutdown: CancellationToken,
}
