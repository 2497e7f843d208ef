//! The agent's socket, opened ahead of time: while the phone rings, or while the carrier still reads our document.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use crate::agents::{AgentError, AgentSocket, DialledSocket, move_here};
use crate::domain::{AgentRef, AgentVendor};
use crate::relay::{DialFailure, Dialing};

use super::App;
use super::live_calls::LiveCall;

/// A socket on its way. Dropping it closes the socket.
#[derive(Debug)]
pub(super) struct WarmAgent(oneshot::Receiver<Result<AgentSocket<DialledSocket>, DialFailure>>);

impl App {
    /// Starts to open a socket for the call's next stream. One that is there already is replaced.
    pub(super) fn warm_agent(self: &Arc<Self>, call: &LiveCall) {
        // A call that is handed over needs no socket.
        if self.hands_over(&call.record().agent) {
            return;
        }
        call.set_warm_agent(self.begin_dialing(call.record().agent, call));
    }

    /// Starts to open a socket to an agent, on other threads than those of the audio, which a handshake of TLS would hold up.
    pub(super) fn begin_dialing(self: &Arc<Self>, agent: AgentRef, call: &LiveCall) -> WarmAgent {
        let (mut ready, socket) = oneshot::channel();
        let dialing = self.dial_agent(agent, call);
        let (over, shutdown) = (call.over.clone(), self.shutdown.clone());
        let task = async move {
            tokio::select! {
                result = dialing => {
                    // Nobody takes it when the call ended meanwhile.
                    let _ = ready.send(result);
                }
                () = ready.closed() => {}
                () = over.cancelled() => {}
                () = shutdown.cancelled() => {}
            }
        };
        self.tracker.spawn_on(task, &self.main_runtime);
        WarmAgent(socket)
    }

    /// Opens a socket to an agent.
    fn dial_agent(self: &Arc<Self>, agent: AgentRef, call: &LiveCall) -> Dialing<DialledSocket> {
        let (app, record) = (Arc::clone(self), call.record());
        async move {
            match agent.vendor {
                AgentVendor::ElevenLabs => {
                    app.agents.of(&agent.id).connect(&agent.id).await.map_err(|error| failure(&error))
                }
                AgentVendor::TwilioStream | AgentVendor::Binary => {
                    app.own_agents.connect(&agent.id).await.map_err(|error| failure(&error))
                }
                AgentVendor::Retell if !app.hands_over(&agent) => {
                    app.open_retell_audio(&agent, &record).await.map_err(|error| failure(&error))
                }
                AgentVendor::Retell => Err(DialFailure {
                    reason:
                        "a call on a media stream cannot be handed over to Retell: name its agent first in the list"
                            .to_owned(),
                    retryable: false,
                }),
            }
        }
        .boxed()
    }
}

impl WarmAgent {
    /// The socket, when it is there; on the thread that waits for it.
    pub(super) fn dialing(self) -> Dialing<DialledSocket> {
        async move {
            let gone = |reason: String| DialFailure { reason, retryable: true };
            let mut agent = self.0.await.unwrap_or_else(|_| Err(gone("the agent's socket was given up".to_owned())))?;
            move_here(&mut agent.socket)
                .map_err(|error| gone(format!("the agent's socket could not be moved: {error}")))?;
            Ok(agent)
        }
        .boxed()
    }
}

/// Whether trying again could go better: the network may recover and a busy vendor too; a refusal stays one.
fn is_retryable(error: &AgentError) -> bool {
    match error {
        AgentError::Unreachable { .. } | AgentError::Timeout { .. } => true,
        AgentError::Refused { status, .. }
        | AgentError::Retell { status, .. }
        | AgentError::SignedUrl { status, .. }
        | AgentError::Api { status, .. } => *status == 429 || *status >= 500,
        AgentError::Chat { .. }
        | AgentError::ChatStream(_)
        | AgentError::NoRetellKey
        | AgentError::ApiUrl(_)
        | AgentError::NotConfigured(_)
        | AgentError::KeyText
        | AgentError::NoKey
        | AgentError::ForeignHost { .. }
        | AgentError::UnexpectedAnswer { .. } => false,
    }
}

fn failure(error: &AgentError) -> DialFailure {
    DialFailure { reason: error.to_string(), retryable: is_retryable(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_or_broken_vendor_is_tried_again_and_one_that_says_no_is_not() {
        let host = || "h".to_owned();
        let refused = |status| AgentError::Refused { host: host(), status, excerpt: String::new() };
        for (status, again) in [(401, false), (402, false), (403, false), (404, false), (429, true), (500, true)] {
            assert_eq!(is_retryable(&refused(status)), again, "{status}");
        }
        assert!(is_retryable(&AgentError::Unreachable { host: host(), reason: String::new() }));
        assert!(!is_retryable(&AgentError::NoKey));
    }
}
