//! What the tools share that step between the voice agent and the other person.

use serde_json::{Value, json};

use crate::app::{ControlError, LiveCall};

use super::super::args::{Field, Kind, required};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::Answer;

pub(super) const CALL: Field = required("call_id", Kind::Call, "The call, by our id or Twilio's.");

pub(super) fn schema() -> Value {
    object([("call_id", text("the call")), ("done", flag("always true: it was handed to the conversation"))], [])
}

pub(super) fn answer(call: &LiveCall, step: Result<(), ControlError>) -> Result<Answer, Failure> {
    step.map_err(|error| Failure::control(&error))?;
    Ok(Answer::Done(json!({ "call_id": call.id, "done": true })))
}
