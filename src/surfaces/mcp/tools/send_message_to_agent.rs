//! `send_message_to_agent`: tells the voice agent of a live call something.

use serde_json::{Value, json};

use crate::app::MESSAGE_MAX;
use crate::domain::access::Scope;
use crate::domain::event::MessageKind;

use super::super::args::{Kind, optional, required};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "send_message_to_agent",
    title: "Tell the voice agent something",
    description: "Tells the voice agent of a live call something. With kind context (the default) it takes it into account and \
                  need not speak; with user_message it answers as if the other person had said it. The other person does not \
                  hear the message itself. Works while the conversation is on; returns when the message was handed over.",
    hints: Hints::REACH_OUT,
    scopes: &[Scope::CallsControl, Scope::CallsWrite],
    fields: &[
        required("call_id", Kind::Call, "The call, by our id or Twilio's."),
        required("message", Kind::Text { max: MESSAGE_MAX }, "What the agent is told."),
        optional("kind", Kind::Word(&["context", "user_message"]), "How it is told. Default context."),
    ],
    output: sent_schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

pub(super) fn sent_schema() -> Value {
    object([("call_id", text("the call")), ("sent", flag("always true: it was handed to the conversation"))], [])
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    let kind = asked.args.word("kind").unwrap_or(MessageKind::Context);
    let message = asked.args.text("message").unwrap_or_default();
    let told = asked.app().message_agent(&call, asked.actor(), kind, message).await;
    told.map_err(|error| Failure::control(&error))?;
    Ok(Answer::Done(json!({ "call_id": call.id, "sent": true })))
}
