//! `say_in_call`: speaks a sentence to the other person of a live call.

use serde_json::json;

use crate::app::SENTENCE_MAX;
use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::send_message_to_agent::sent_schema;
use super::stepping;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "say_in_call",
    title: "Say a sentence to the other person",
    description: "Speaks a sentence of yours to the other person of a live call, in the operator's voice or the voice agent's own, \
                  while the agent waits. It costs speech synthesis and cannot be taken back; refused with the reason where there \
                  is no voice, or no audio here. Returns when the sentence was handed over, which is before its last word.",
    hints: Hints::REACH_OUT,
    scopes: &[Scope::CallsControl],
    fields: &[stepping::CALL, required("text", Kind::Text { max: SENTENCE_MAX }, "What they hear.")],
    output: sent_schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    let text = asked.args.text("text").unwrap_or_default();
    asked.app().say(&call, asked.actor(), text).await.map_err(|error| Failure::control(&error))?;
    Ok(Answer::Done(json!({ "call_id": call.id, "sent": true })))
}
