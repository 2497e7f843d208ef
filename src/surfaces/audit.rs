//! Writes down every action that comes through the API and the console, with who asked for it and what came of it. It stands
//! around the routes, so that none can forget it.

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;

use crate::app::App;
use crate::domain::event::Door;
use crate::store::AuditEntry;

use super::auth::{Caller, is_action};

/// A handler leaves this in its response: what the path does not say. Never a number in full.
#[derive(Debug, Clone)]
pub(super) struct AuditDetail(pub(super) String);

/// Inquiries have a record of their own with the same actor: the decision ledger.
const RECORDED_ELSEWHERE: [&str; 1] = ["/api/v1/check"];

pub(super) async fn record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    if !is_action(request.method(), request.headers()) || RECORDED_ELSEWHERE.contains(&route.as_str()) {
        return next.run(request).await;
    }
    let action = format!("{} {route}", request.method());
    let target = target(&route, request.uri().path());
    let (mut parts, body) = request.into_parts();
    // A stranger's request is refused by the handler and leaves no trace here: it could be one of millions.
    let Ok(caller) = Caller::from_request_parts(&mut parts, &app).await else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    parts.extensions.insert(caller.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    let detail = response.extensions().get::<AuditDetail>().map(|AuditDetail(text)| text.clone()).unwrap_or_default();
    let entry = AuditEntry {
        at: app.clock.now(),
        by: caller.actor(Door::Api),
        action,
        target,
        detail,
        outcome: outcome(response.status()).to_owned(),
    };
    if let Err(error) = app.store.record_audit(entry).await {
        tracing::error!(%error, "an action could not be written to the audit log");
    }
    response
}

/// What stands in the path where the route has its names: ids. They are checked by the handler, so a wrong one is cut short.
fn target(route: &str, path: &str) -> String {
    let ids = route.split('/').zip(path.split('/')).filter(|(name, _)| name.starts_with('{'));
    let ids: Vec<String> = ids.map(|(_, id)| id.chars().take(64).collect()).collect();
    ids.join(" ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_the_path_names() {
        assert_eq!(target("/api/v1/calls/{id}/end", "/api/v1/calls/call_1/end"), "call_1");
        assert_eq!(target("/api/v1/dnc", "/api/v1/dnc"), "");
    }
}
