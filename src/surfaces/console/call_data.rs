//! What the page of one call shows: its record, its events, its recordings.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::app::{App, Bundle, BundleScope};
use crate::domain::access::Scope;
use crate::domain::event::Door;
use crate::domain::{Call, CallId, RecordingSid};
use crate::store::AuditOutcome;
use crate::surfaces::api::views;
use crate::surfaces::audit;
use crate::surfaces::auth::Caller;
use crate::surfaces::evidence::{self, ExportError};
use crate::surfaces::problem::Problem;

use super::live_data::newest_seq;

/// `GET /console/data/calls/{id}`: the record, every event so far, and the place in the journal from which to follow.
pub(super) async fn call(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let seq = newest_seq(&app).await?;
    let record = find(&app, &id).await?;
    let events = app.store.events_of(record.id).await.map_err(|error| Problem::internal(&error))?;
    let show = caller.numbers();
    let events: Vec<_> = events.iter().map(|entry| views::entry(entry, show)).collect();
    Ok(Json(json!({
        "seq": seq,
        "now": app.clock.now(),
        "call": views::call(&record, show),
        "events": events,
        "events_kept_days": app.config.store.call_retention_days,
    })))
}

/// `GET /console/data/calls/{id}/events.csv`: the same events for a spreadsheet.
pub(super) async fn events_csv(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsRead)?;
    let record = find(&app, &id).await?;
    let events = app.store.events_of(record.id).await.map_err(|error| Problem::internal(&error))?;
    let show = caller.numbers();
    let mut text = String::from("seq,at,type,event\r\n");
    for entry in &events {
        let entry = views::entry(entry, show);
        let kind = entry["event"]["type"].as_str().unwrap_or_default();
        let whole = entry["event"].to_string().replace('"', "\"\"");
        // Writing to a String does not fail. An event's JSON begins with a brace, so no spreadsheet takes it for a formula.
        let _ = write!(text, "{},{},{kind},\"{whole}\"\r\n", entry["seq"], entry["at"].as_str().unwrap_or_default());
    }
    let name = format!("attachment; filename=\"{}-events.csv\"", record.id);
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)], text)
        .into_response())
}

/// `GET /console/data/calls/{id}/recordings/{sid}`: the sound, passed on from the carrier. Who listened is written down.
pub(super) async fn recording(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, sid)): Path<(String, String)>,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsRead)?;
    // A voice says whose it is, and what numbers it names: for those who may see them.
    caller.must(Scope::NumbersRead)?;
    let record = find(&app, &id).await?;
    let sid = RecordingSid::new(sid);
    if !record.recordings.iter().any(|recording| recording.sid == sid) {
        return Err(Problem::not_found("recording of this call"));
    }
    let carrier = app.carrier.as_ref().ok_or_else(|| Problem::unavailable("No carrier account is set."))?;
    let audio = carrier.recording_audio(&sid).await.map_err(|error| {
        tracing::warn!(call.id = %record.id, %error, "a recording could not be fetched");
        Problem::unavailable("The carrier did not give the recording. It may still be in the making, or deleted there.")
    })?;
    let by = caller.actor(Door::Console);
    audit::note(&app, by, "listen to a recording", AuditOutcome::ReadNumbers, Some(record.id)).await;
    let mut response = Body::from_stream(audio.bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("audio/wav"));
    if let Some(length) = audio.length {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Ok(response)
}

/// `GET /console/data/calls/{id}/evidence`: the decisions about the call with all that belongs to them, as a zip archive. It holds
/// full numbers and words of people; who took it is written down.
pub(super) async fn evidence(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must(Scope::ComplianceRead)?;
    caller.must(Scope::NumbersRead)?;
    let record = find(&app, &id).await?;
    let by = caller.actor(Door::Console);
    let bundle = Bundle::begin(&app.store, BundleScope::Call(record.id), by.clone(), app.clock.now())
        .await
        .map_err(|error| Problem::internal(&error))?;
    let archive = match evidence::archive(&app.store, &bundle).await {
        Ok(archive) => archive,
        Err(ExportError::Nothing) => {
            let detail = "The gate was never asked about this call, so there is no evidence to take.";
            return Err(Problem::new(StatusCode::NOT_FOUND, "not-found", "There is no evidence", detail));
        }
        Err(error) => return Err(Problem::internal(&error)),
    };
    audit::note(&app, by, "take the evidence", AuditOutcome::ReadNumbers, Some(record.id)).await;
    let name = format!("attachment; filename=\"{}-evidence.zip\"", record.id);
    let head = [(header::CONTENT_TYPE, "application/zip".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((head, archive).into_response())
}

pub(super) async fn find(app: &App, id: &str) -> Result<Call, Problem> {
    let id: CallId = id.parse().map_err(|_| Problem::not_found("call"))?;
    if let Some(call) = app.live.by_id(id) {
        return Ok(call.record());
    }
    let found = app.store.call(id).await.map_err(|error| Problem::internal(&error))?;
    found.ok_or_else(|| Problem::not_found("call"))
}
