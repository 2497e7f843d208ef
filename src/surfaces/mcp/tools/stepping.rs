//! What the tools share that step between the voice agent and the other person.

use serde_json::{Value, json};

use crate::app::{ControlError, LiveCall};
use crate::domain::access::Scope;

use super::super::args::{Field, Kind, required};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::{Answer, Hints, Run, ToolSpec};

pub(super) const CALL: Field = required("call_id", Kind::Call, "The call, by our id or Twilio's.");

/// A tool that does a step which is done at once and needs no more than the call.
pub(super) const fn tool(name: &'static str, title: &'static str, description: &'static str, run: Run) -> ToolSpec {
    ToolSpec {
        name,
        title,
        description,
        hints: Hints::STEP_IN,
        scopes: &[Scope::CallsControl],
        fields: &[CALL],
        output: schema,
        shows_numbers: false,
        run,
    }
}

fn schema() -> Value {
    object([("call_id", text("the call")), ("done", flag("always true: it was handed to the conversation"))], [])
}

pub(super) fn answer(call: &LiveCall, step: Result<(), ControlError>) -> Result<Answer, Failure> {
    step.map_err(|error| Failure::control(&error))?;
    Ok(Answer::Done(json!({ "call_id": call.id, "done": true })))
}
