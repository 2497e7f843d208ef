//! Writes down every action that comes through the API and the console, with who asked for it and what came of it. It stands
//! around the routes, so that none can forget it.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::domain::CallId;
use crate::domain::event::{Actor, Door};

use super::auth::{Caller, is_action};
use super::problem::{Problem, ProblemKind};

/// No action comes with a larger body, in bytes. Handlers set limits of their own below it.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// What is done here is written down elsewhere with the same actor: in the decision ledger, or with the reason. What is refused here
/// is not.
const RECORDED_ELSEWHERE: [&str; 4] =
    ["/api/v1/check", "/api/v1/outbound/stop", "/api/v1/outbound/release", "/api/v1/privacy/erase"];

pub(super) async fn record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !is_action(request.method(), request.headers()) {
        return next.run(request).await;
    }
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let (mut parts, body) = request.into_parts();
    // A stranger's request is refused by the handler and leaves no trace here: it could be one of millions.
    let Ok(caller) = Caller::from_request_parts(&mut parts, &app).await else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return Problem::bad_request("The body is too large, or broke off.").into_response();
    };
    let by = caller.actor(Door::Api);
    let call_id: Option<CallId> = parts.uri.path().split('/').find_map(|part| part.parse().ok());
    // Proves what was asked without keeping it.
    let arguments_sha256 = hex(&Sha256::digest(&body));
    parts.extensions.insert(caller);
    let response = next.run(Request::from_parts(parts, body.into())).await;
    let outcome = outcome(response.status());
    if outcome == "done" && RECORDED_ELSEWHERE.contains(&route.as_str()) {
        return response;
    }
    let code = response.extensions().get::<ProblemKind>().map(|ProblemKind(kind)| *kind);
    let detail = json!({"outcome": outcome, "code": code, "call_id": call_id, "arguments_sha256": arguments_sha256});
    write(&app, &by, &route, detail).await;
    response
}

/// Notes something that is no action of a route: a sign-in, or that somebody read what names a person.
pub(super) async fn note(app: &App, by: &Actor, what: &str, outcome: &str, call_id: Option<CallId>) {
    write(app, by, what, json!({"outcome": outcome, "call_id": call_id})).await;
}

async fn write(app: &App, by: &Actor, what: &str, detail: Value) {
    let door = if by.door == Door::Console { "console" } else { "api" };
    if let Err(error) = app.store.record_audit(format!("{door}.{what}"), detail, by, app.clock.now()).await {
        tracing::error!(%error, "an action could not be written to the audit log");
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn outcome(status: StatusCode) -> &'static str {
    if status.is_client_error() {
        "refused"
    } else if status.is_server_error() {
        "failed"
    } else {
        "done"
    }
}
