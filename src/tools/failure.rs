//! Why the tool of an attached server has no result: a sentence for the agent, and a reason for the operator's log.

use std::error::Error;
use std::time::Duration;

use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::DynamicTransportError;

/// The most of a server's own words that is passed on, in characters.
const WORDS_MAX: usize = 500;

/// Told to the agent, which can apologise, try again or go another way. Names no address and no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolFailure {
    #[error("The tool {tool} did not answer within {} s. Go on without it.", limit.as_secs_f32())]
    TooSlow { tool: String, limit: Duration },
    /// `reason` is for the log.
    #[error("The tool {tool} cannot be reached at the moment. Go on without it.")]
    Unreachable { tool: String, reason: String },
    /// The tool, or its server, says no.
    #[error("{0}")]
    Refused(String),
    #[error("The arguments of {tool} must be an object.")]
    Arguments { tool: String },
    #[error("The tool {tool} wants to ask somebody first, which a call has no way for. Go on without it.")]
    Asks { tool: String },
}

impl ToolFailure {
    /// Whether the server is to blame, and not what it was asked.
    pub fn is_about_the_server(&self) -> bool {
        matches!(self, Self::TooSlow { .. } | Self::Unreachable { .. })
    }

    pub(super) fn of_connecting(tool: &str, error: &ClientInitializeError) -> Self {
        Self::Unreachable { tool: tool.to_owned(), reason: connecting_words(error) }
    }

    pub(super) fn of_service(tool: &str, error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(error) => Self::Refused(words(&error.message)),
            error => Self::Unreachable { tool: tool.to_owned(), reason: service_words(&error) },
        }
    }
}

pub(super) fn connecting_words(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::TransportError { error, .. } => transport_words(error),
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => connecting_words(fallback),
        ClientInitializeError::JsonRpcError(error) => words(&error.message),
        ClientInitializeError::NoCompatibleProtocolVersion { .. } => "it speaks no version that we know".to_owned(),
        _ => "it does not answer as an MCP server does".to_owned(),
    }
}

pub(super) fn service_words(error: &ServiceError) -> String {
    match error {
        ServiceError::TransportSend(error) => transport_words(error),
        ServiceError::McpError(error) => words(&error.message),
        ServiceError::TransportClosed => "the connection is closed".to_owned(),
        _ => "it does not answer as an MCP server does".to_owned(),
    }
}

/// The innermost cause: those around it may repeat the URL.
fn transport_words(error: &DynamicTransportError) -> String {
    let mut innermost: &(dyn Error + 'static) = error.error.as_ref();
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    match innermost.downcast_ref::<reqwest::Error>() {
        Some(error) => error.status().map_or_else(|| "no connection".to_owned(), |status| format!("status {status}")),
        None => words(&innermost.to_string()),
    }
}

pub(super) fn words(text: &str) -> String {
    text.chars().take(WORDS_MAX).collect()
}
