//! `transfer_call`: transfer a call, in a live call.

use serde_json::{Value, json};

use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "transfer_call",
    title: "Transfer a call",
    description: "Hands a live call over to another number, where a person takes it. The other person hears it, and the voice agent leaves. The number goes through the compliance gate as any call does; a block is an error and the call goes on as it was.",
    hints: Hints::REACH_OUT,
    scopes: &[Scope::CallsControl, Scope::CallsWrite],
    fields: &[
        required("call_id", Kind::Call, "The call, by our id or Twilio's."),
        required("to", Kind::Number, "Where to, in E.164 form."),
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
