//! The control plane: one use case a file, the registry of live calls, the journal's one writer.

mod answer_call;
mod answered_by;
mod clock;
mod finish_call;
mod gate;
mod hang_up;
mod ids;
mod journal;
mod keys;
mod live_calls;
mod media_stream;
mod opt_out_listener;
mod place_call;
mod post_call;
mod reconcile;
mod record_consent;
mod record_opt_out;
mod recover;
mod retention;
mod run_tool;
mod urls;
mod warm_agent;
mod watch_calls;

use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agents::elevenlabs::ElevenLabsClient;
use crate::carrier::{Pacer, TwilioClient};
use crate::config::Config;
use crate::protocol::twilio::signature::SignatureKeys;
use crate::relay::MediaThreads;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

pub use answer_call::AnswerOrder;
pub use clock::WallClock;
pub use gate::{Gate, GateAnswer, GateQuestion};
pub use journal::{Journal, JournalFull};
pub use keys::create_key;
pub use live_calls::{LiveCall, LiveCalls, Next};
pub use place_call::{PlaceCall, PlaceCallError, Placed};
pub use record_consent::{NewConsent, record_consent};
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
    pub agents: ElevenLabsClient,
    pub metrics: Arc<Metrics>,
    pub signature_keys: SignatureKeys,
    pub media_threads: MediaThreads,
    /// One permit a media socket.
    pub media_places: Arc<Semaphore>,
    /// Every task of the server.
    pub tracker: TaskTracker,
    /// Cancelled first: no new calls, running ones finish.
    pub drain: CancellationToken,
    /// Cancelled last: everything stops.
    pub shutdown: CancellationToken,
}
