//! `twilio_get_call`: what the carrier itself says of one of our calls.

use serde_json::{Value, json};

use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::output::{self, instant, integer, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "twilio_get_call",
    title: "Ask Twilio about a call",
    description: "Asks Twilio's API for its own record of one of this server's calls: status, times, duration. Use it \
                  when Twilio's word is wanted; get_call_status answers faster and knows more about the conversation.",
    hints: Hints::READ_OUTSIDE,
    scopes: &[Scope::CallsRead],
    fields: &[required("call_sid", Kind::Call, "The call, by Twilio's id or ours.")],
    output: schema,
    shows_numbers: true,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object(
        [("call_sid", text("Twilio's id")), ("call_id", text("our id"))],
        [
            ("status", text("Twilio's status")),
            ("direction", text("Twilio's word for the direction")),
            ("from", text("the caller's number")),
            ("to", text("the called number")),
            ("answered_by", text("who picked up")),
            ("created_at", instant("when Twilio created it")),
            ("started_at", instant("when it started")),
            ("ended_at", instant("when it ended")),
            ("duration_s", integer("seconds")),
        ],
    )
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let record = asked.call("call_sid").await?;
    let sid = record.call_sid.ok_or_else(|| {
        Failure::new(
            "not_at_carrier",
            "Twilio does not know this call: it was never dialled.",
            "Read its status instead.",
        )
        .next(&["get_call_status"])
    })?;
    let carrier = asked.app().carrier.as_ref().ok_or_else(Failure::no_carrier)?;
    let call = carrier.fetch(&sid).await.map_err(|error| Failure::carrier(&error))?;
    let show = |party: &Option<crate::domain::Party>| party.as_ref().map(|party| asked.numbers().show(party));
    Ok(Answer::Done(output::compact(json!({
        "call_sid": call.sid,
        "call_id": record.id,
        "status": given(&call.status.raw),
        "direction": call.direction,
        "from": show(&call.from),
        "to": show(&call.to),
        "answered_by": given(&call.answered_by.raw),
        "created_at": call.created_at,
        "started_at": call.started_at,
        "ended_at": call.ended_at,
        "duration_s": call.duration_s,
    }))))
}

/// A word that was said.
fn given(word: &str) -> Option<&str> {
    (!word.is_empty()).then_some(word)
}
