//! The REST API for programs: `/api/v1`. Errors are problem documents, numbers are masked except for those who may see them.

mod calls;
mod check;
mod control;
mod events;
mod leads;
mod openapi;
mod outbound;
mod paging;
mod privacy;
pub mod record_views;
mod records;
mod transfer;
pub mod views;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

/// Request bodies of the API, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/calls", post(calls::place).get(calls::list))
        .route("/api/v1/calls/{id}", get(calls::fetch))
        .route("/api/v1/calls/{id}/end", post(calls::end))
        .route("/api/v1/calls/{id}/transcript", get(calls::transcript))
        .route("/api/v1/calls/{id}/message", post(control::message))
        .route("/api/v1/calls/{id}/say", post(control::say))
        .route("/api/v1/calls/{id}/dtmf", post(control::keys))
        .route("/api/v1/calls/{id}/mute", post(control::mute))
        .route("/api/v1/calls/{id}/unmute", post(control::unmute))
        .route("/api/v1/calls/{id}/hold", post(control::hold))
        .route("/api/v1/calls/{id}/resume", post(control::resume))
        .route("/api/v1/calls/{id}/recording", post(control::recording))
        .route("/api/v1/calls/{id}/listen", get(control::listen))
        .route("/api/v1/calls/{id}/take-over", get(control::take_over))
        .route("/api/v1/calls/{id}/transfer", post(transfer::transfer))
        .route("/api/v1/check", post(check::check))
        .route("/api/v1/decisions/{id}", get(check::decision))
        .route("/api/v1/leads", post(leads::upsert).get(leads::list))
        .route("/api/v1/leads/{id}", get(leads::fetch))
        .route("/api/v1/consents", post(records::add_consent).get(records::list_consents))
        .route("/api/v1/consents/revoke", post(records::revoke))
        .route("/api/v1/dnc", post(records::add_to_dnc).get(records::list_dnc))
        .route("/api/v1/dnc/remove", post(records::remove_from_dnc))
        .route("/api/v1/outbound", get(outbound::show))
        .route("/api/v1/outbound/stop", post(outbound::stop))
        .route("/api/v1/outbound/release", post(outbound::release))
        .route("/api/v1/privacy/erase", post(privacy::erase))
        .route("/api/v1/events", get(events::stream))
        .route("/api/openapi.json", get(openapi::document))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_LIMIT))
}
