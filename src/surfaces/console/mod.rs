//! The operator console: pages, their scripts and style (all embedded), what the pages ask for, and how a browser signs in.
//!
//! A page is a frame from the server that its script fills. What programs get too comes from the REST API, with the cookie in
//! place of a key; `/console/data` has what only the console needs.

mod actions;
mod assets;
mod call_data;
mod door;
mod gate_data;
mod health_data;
mod live_data;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderName, HeaderValue, header};

use crate::app::App;

pub use pages::PHONE_NUMBER;

/// Bodies of the console's forms and requests, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(pages::home))
        .route("/console", get(pages::live))
        .route("/console/calls", get(pages::calls))
        .route("/console/calls/{id}", get(pages::call))
        .route("/console/decisions", get(pages::decisions))
        .route("/console/numbers", get(pages::numbers))
        .route("/console/phone", get(pages::phone))
        .route("/console/health", get(pages::health))
        .route("/console/audit", get(pages::audit))
        .route("/console/sign-in", get(door::page).post(door::sign_in))
        .route("/console/sign-out", post(door::sign_out))
        .route("/console/assets/{digest}/{file}", get(assets::serve))
        .route("/console/data/live", get(live_data::live))
        .route("/console/data/meters", get(live_data::meters))
        .route("/console/data/status", get(live_data::status))
        .route("/console/data/calls/{id}", get(call_data::call))
        .route("/console/data/calls/{id}/recordings/{sid}", get(call_data::recording))
        .route("/console/data/calls/{id}/events.csv", get(call_data::events_csv))
        .route("/console/data/calls/{id}/evidence", get(call_data::evidence))
        .route("/console/data/decisions", get(gate_data::decisions))
        .route("/console/data/decisions/{id}", get(gate_data::decision))
        .route("/console/data/numbers", post(gate_data::number))
        .route("/console/data/health", get(health_data::health))
        .route("/console/data/audit", get(health_data::audit))
        .route("/console/actions/calls/{id}/do-not-call", post(actions::do_not_call))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), protect))
}

/// Nothing runs, loads or frames these pages but themselves; what they show is kept by no cache.
async fn protect(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{}; \
         media-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        pages::phone_socket(&app).map(|socket| format!(" {}", socket.origin)).unwrap_or_default(),
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(self)"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
