//! `send_message_to_agent`: tell the agent something, in a live call.

use serde_json::{Value, json};

use crate::domain::access::Scope;

use super::super::args::{Kind, optional, required};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "send_message_to_agent",
    title: "Tell the agent something",
    description: "Tells the voice agent of a live call something: with kind context it takes it into account without being asked to speak, with user_message it answers as if the other person had said it. The other person does not hear the message itself. Works only while the conversation is on.",
    hints: Hints::REACH_OUT,
    scopes: &[Scope::CallsControl, Scope::CallsWrite],
    fields: &[
        required("call_id", Kind::Call, "The call, by our id or Twilio's."),
        required("message", Kind::Text { max: 2_000 }, "What the agent is told."),
        optional("kind", Kind::Word(&["context", "user_message"]), "How it is told. Default context."),
    ],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object([("call_id", text("the call")), ("sent", flag("always true"))], [])
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    Err(Failure::new(
        "not_available",
        "This version of the server cannot do that.",
        "Nothing was done. The call goes on.",
    )
    .details(json!({ "call_id": call.id })))
}
