//! `send_dtmf`: presses keys in a live call.

use serde_json::json;

use crate::domain::Keys;
use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::send_message_to_agent::sent_schema;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "send_dtmf",
    title: "Press keys",
    description: "Presses telephone keys in a live call, for the menus of other systems. The other side hears the tones. Works \
                  while the conversation is on; returns when the keys were handed over, which is before the last tone.",
    hints: Hints::REACH_OUT,
    scopes: &[Scope::CallsControl, Scope::CallsWrite],
    fields: &[
        required("call_id", Kind::Call, "The call, by our id or Twilio's."),
        required("digits", Kind::Keys, "0-9, *, #, A-D, and w for half a second's wait, like 1w204#."),
    ],
    output: sent_schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    let keys = asked.args.text("digits").and_then(|text| text.parse::<Keys>().ok());
    let keys = keys.ok_or_else(|| Failure::invalid_arguments(&[]))?;
    asked.app().send_keys(&call, asked.actor(), &keys).await.map_err(|error| Failure::control(&error))?;
    Ok(Answer::Done(json!({ "call_id": call.id, "sent": true })))
}
