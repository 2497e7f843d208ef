//! What only the console can do so far: stop and release outbound calls, put the other party of a call on the do-not-call list.

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

/// `POST /console/actions/stop`: no outbound call from the next decision on, until released. Holds across restarts.
pub(super) async fn stop(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Problem> {
    caller.must(Scope::CallsControl)?;
    let stop = app
        .store
        .stop_outbound(&caller.actor(Door::Console), app.clock.now())
        .await
        .map_err(|error| Problem::internal(&error))?;
    tracing::warn!(by = stop.by.name, "all outbound calls are stopped");
    Ok(Json(json!({ "stop": stop })).into_response())
}

/// `POST /console/actions/resume`
pub(super) async fn resume(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Problem> {
    caller.must(Scope::CallsControl)?;
    let lifted = app.store.resume_outbound().await.map_err(|error| Problem::internal(&error))?;
    tracing::warn!(by = caller.name, "outbound calls are released");
    Ok(Json(json!({ "stop": null, "lifted": lifted })).into_response())
}

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
