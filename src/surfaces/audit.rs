//! Writes down every action that comes through the API and the console, with who asked for it and what came of it. It stands
//! around the routes, so that none can forget it.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::domain::CallId;
use crate::domain::event::{Actor, Door};
use crate::store::{AuditEntry, AuditOutcome};

use super::auth::{Caller, is_action};
use super::problem::{Problem, ProblemKind};

/// No action comes with a larger body, in bytes. Handlers set limits of their own below it.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// An inquiry has a record of its own with the same actor: the decision ledger.
const RECORDED_ELSEWHERE: [&str; 1] = ["/api/v1/check"];

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
    let mut entry = entry(&app, caller.actor(Door::Api), &route);
    entry.call_id = parts.uri.path().split('/').find_map(|part| part.parse().ok());
    entry.arguments_sha256 = hex(&Sha256::digest(&body));
    parts.extensions.insert(caller);
    let request = Request::from_parts(parts, body.into());
    // In a task of its own: whoever asked may go away, and what is done by then is written down all the same.
    let broken = AuditEntry { outcome: AuditOutcome::Failed, ..entry.clone() };
    let noted = app.tracker.clone().spawn(doing(Arc::clone(&app), request, next, entry, route));
    match noted.await {
        Ok(response) => response,
        Err(error) => {
            write(&app, broken).await;
            Problem::internal(&error).into_response()
        }
    }
}

/// Does what is asked for, and writes it down.
async fn doing(app: Arc<App>, request: Request, next: Next, mut entry: AuditEntry, route: String) -> Response {
    let response = next.run(request).await;
    entry.outcome = outcome(response.status());
    if entry.outcome != AuditOutcome::Done || !RECORDED_ELSEWHERE.contains(&route.as_str()) {
        entry.code = response.extensions().get::<ProblemKind>().map(|ProblemKind(kind)| (*kind).to_owned());
        write(&app, entry).await;
    }
    response
}

/// Notes something that is no action of a route: a sign-in, or that somebody read what names a person.
pub(super) async fn note(app: &App, by: Actor, what: &str, outcome: AuditOutcome, call_id: Option<CallId>) {
    write(app, AuditEntry { outcome, call_id, ..entry(app, by, what) }).await;
}

fn entry(app: &App, actor: Actor, action: &str) -> AuditEntry {
    AuditEntry {
        at: app.clock.now(),
        actor,
        action: action.to_owned(),
        outcome: AuditOutcome::Done,
        code: None,
        call_id: None,
        decision_id: None,
        arguments_sha256: hex(&Sha256::digest(b"")),
    }
}

async fn write(app: &App, entry: AuditEntry) {
    if let Err(error) = app.store.record_audit(entry).await {
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

fn outcome(status: StatusCode) -> AuditOutcome {
    if status.is_client_error() {
        AuditOutcome::Refused
    } else if status.is_server_error() {
        AuditOutcome::Failed
    } else {
        AuditOutcome::Done
    }
}
