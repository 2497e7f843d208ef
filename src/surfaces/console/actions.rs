//! What only the console does: put the other party of a call on the do-not-call list, whose number its user may not see.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::domain::access::Scope;
use crate::domain::consent::OptOutChannel;
use crate::domain::event::Door;
use crate::domain::{CallEvent, Direction};
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::Problem;

use super::call_data;

/// `POST /console/actions/calls/{id}/do-not-call`: lists the other party's number and ends its permissions. The call goes on:
/// the operator decides what is still to be said.
pub(super) async fn do_not_call(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must(Scope::ComplianceWrite)?;
    let record = call_data::find(&app, &id).await?;
    let party = if record.direction == Direction::Outbound { &record.to } else { &record.from };
    let Some(number) = party.number() else {
        return Err(Problem::bad_request("The other party has no number that could be called."));
    };
    let words = "marked by an operator";
    app.record_opt_out(number, OptOutChannel::Console, words, Some(record.id), &caller.actor(Door::Console))
        .await
        .map_err(|error| Problem::internal(&error))?;
    let event = CallEvent::OptedOut { channel: OptOutChannel::Console, words: words.to_owned() };
    if let Err(error) = app.journal.record(record.id, event) {
        tracing::error!(call.id = %record.id, %error, "a do-not-call mark is not in the call's journal");
    }
    Ok(Json(json!({ "number": number.masked(), "listed": true })).into_response())
}
