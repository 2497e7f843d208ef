//! The door of the conversation socket: who may begin a conversation with which agent.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::agents::Agent;
use super::conversation::Conversation;
use super::faults::take_one;
use super::rest::{ApiError, Query, Shared};
use super::{Emulation, locked, new_id};
use crate::emulators::upgrade::Handshake;

/// What the vendor's own client takes.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

pub(super) async fn converse(State(emulation): Shared, mut request: Request) -> Response {
    let query = Query::of(request.uri());
    let (agent, conversation_id) = match emulation.admit(&query) {
        Ok(admitted) => admitted,
        Err(error) => {
            let response = error.into_response();
            emulation.log.record("upgrade_refused", None, json!({"status": response.status().as_u16()}));
            return response;
        }
    };
    if take_one(&mut locked(&emulation.faults).refuse_upgrades) {
        emulation.log.record("upgrade_refused", None, json!({"status": 503}));
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let handshake = match Handshake::read(&mut request) {
        Ok(handshake) => handshake,
        Err(error) => return (StatusCode::UPGRADE_REQUIRED, error.to_string()).into_response(),
    };
    let config =
        WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE)).max_frame_size(Some(LARGEST_MESSAGE));
    let (response, socket) = handshake.accept("convai", config);
    let conversations = Arc::clone(&emulation);
    emulation.tracker.spawn(async move {
        match socket.await {
            Ok(socket) => Conversation::new(conversations, agent, conversation_id, socket).run().await,
            Err(error) => tracing::debug!(%error, "an upgrade was not completed"),
        }
    });
    response
}

impl Emulation {
    /// The agent and the id of the conversation to be held.
    fn admit(&self, query: &Query) -> Result<(Agent, String), ApiError> {
        let refused = |message: &str| ApiError::Detail {
            http: StatusCode::FORBIDDEN,
            kind: "authentication_error",
            code: "unauthorized",
            message: message.to_owned(),
        };
        let mut conversation_id = None;
        let mut signed_for = None;
        if let Some(signature) = query.value("conversation_signature").or_else(|| query.value("token")) {
            let mut urls = locked(&self.signed_urls);
            let url = urls.get(signature).filter(|url| url.expires > self.clock.now()).cloned();
            let url = url.ok_or_else(|| refused("the signed URL is not valid any more"))?;
            if url.conversation_id.is_some() {
                urls.remove(signature);
            }
            conversation_id = url.conversation_id;
            signed_for = Some(url.agent_id);
        }
        let agent_id = query.value("agent_id").or(signed_for.as_deref()).unwrap_or_default();
        let agent = locked(&self.agents).get(agent_id).cloned();
        let agent = agent.ok_or_else(|| ApiError::not_found("agent_not_found", "no such agent"))?;
        if agent.is_private() && signed_for.as_deref() != Some(agent_id) {
            return Err(refused("this agent needs a signed URL"));
        }
        Ok((agent, conversation_id.unwrap_or_else(|| new_id("conv"))))
    }
}
