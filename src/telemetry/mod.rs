//! What the server says about itself: log set-up with one place for field names, and the metrics.

pub mod metrics;

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Field names of log lines, dotted. Numbers are only ever logged through `E164`, which masks itself.
pub mod fields {
    pub const CALL_ID: &str = "call.id";
    pub const CALL_SID: &str = "call.sid";
    pub const DECISION_ID: &str = "decision.id";
}

/// An error's causes without the outermost text, which in HTTP clients holds the URL and with it numbers and ids.
pub fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    if texts.is_empty() { "no further details".to_owned() } else { texts.join(": ") }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Sends log lines to standard error, so that standard output stays for results. Fails if a subscriber is set already.
/// `colours` are for a person at a terminal: in a file or a pipe their codes would be noise.
pub fn init_logging(format: LogFormat, level: Level, colours: bool) -> Result<(), TryInitError> {
    let registry = tracing_subscriber::registry().with(LevelFilter::from_level(level));
    match format {
        LogFormat::Text => {
            let layer = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(colours);
            registry.with(layer).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    }
}
