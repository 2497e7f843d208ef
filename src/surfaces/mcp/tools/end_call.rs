//! `end_call`: ends a call, politely where a stream is open.

use serde_json::{Value, json};

use crate::domain::Disposition;
use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "end_call",
    title: "End a call",
    description: "Ends a call: hangs up, or withdraws a call that is still waiting or ringing. The other person is cut off. \
                  Returns at once; the end itself follows within a second or so (wait_for_call with until ended). Ending a call \
                  that has ended is no error and says already_ended.",
    hints: Hints { open_world: true, ..Hints::WITHDRAW },
    scopes: &[Scope::CallsControl, Scope::CallsWrite],
    fields: &[required("call_id", Kind::Call, "The call, by our id or Twilio's.")],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked, "call_id")),
};

pub(super) fn schema() -> Value {
    object(
        [
            ("call_id", text("the call")),
            ("already_ended", flag("whether it had ended before")),
            ("state", text("its state")),
        ],
        [("disposition", text("how it ended, once it has"))],
    )
}

pub(super) async fn run(asked: &Asked, argument: &str) -> Result<Answer, Failure> {
    let record = asked.call(argument).await?;
    let app = asked.app();
    let live = app.live.by_id(record.id).filter(|call| !call.is_over());
    let already_ended = live.is_none();
    if let Some(call) = live {
        app.hang_up(&call, asked.actor(), Disposition::Completed).await;
    }
    let record = asked.call(argument).await?;
    let mut body = json!({ "call_id": record.id, "already_ended": already_ended, "state": record.state });
    if let Some(disposition) = record.disposition {
        body["disposition"] = json!(disposition);
    }
    Ok(Answer::Done(body))
}
