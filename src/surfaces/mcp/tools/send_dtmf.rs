//! `send_dtmf`: press keys, in a live call.

use serde_json::{Value, json};

use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "send_dtmf",
    title: "Press keys",
    description: "Presses keys in a live call, as a person with a telephone keypad would: for the menus of other systems. The other side hears the tones. Works only while the conversation is on.",
    hints: Hints::REACH_OUT,
    scopes: &[Scope::CallsControl, Scope::CallsWrite],
    fields: &[
        required("call_id", Kind::Call, "The call, by our id or Twilio's."),
        required("digits", Kind::Text { max: 50 }, "Digits 0-9, *, #, and w for half a second's pause."),
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
