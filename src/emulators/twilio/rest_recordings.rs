//! The REST API of recordings: started, paused and stopped on live calls, fetched as JSON or WAV.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Json, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::calls::{Call, Status};
use super::recording::Recording;
use super::resource::{ApiError, page};
use super::rest::{Shared, json_name, read_form, read_wish};
use super::rest_update::paging;
use super::{Emulation, locked};

/// The recording that is running.
const CURRENT: &str = "Twilio.CURRENT";

pub(super) async fn create(
    State(emulation): Shared,
    Path((account, call)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let form = read_form(&body)?;
    let call = find(&emulation, &call)?;
    if call.status() != Status::InProgress {
        return Err(ApiError::bad(21220, "Requested resource is not eligible for recording"));
    }
    let recording = emulation.start_recording(&call, read_wish(&form, "StartCallRecordingAPI")?);
    Ok((StatusCode::CREATED, Json(emulation.recording_json(&call.sid, &recording))))
}

pub(super) async fn list(
    State(emulation): Shared,
    Path((account, call)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let call = find(&emulation, &call)?;
    let path = format!("{}/Calls/{}/Recordings.json", emulation.account_uri(), call.sid);
    list_of(&emulation, std::iter::once(call), &path, query)
}

pub(super) async fn list_all(
    State(emulation): Shared,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let path = format!("{}/Recordings.json", emulation.account_uri());
    list_of(&emulation, emulation.calls.all().into_iter(), &path, query)
}

fn list_of(
    emulation: &Emulation,
    calls: impl Iterator<Item = std::sync::Arc<Call>>,
    path: &str,
    query: Option<String>,
) -> Result<Json<Value>, ApiError> {
    let query = query.unwrap_or_default();
    let form = read_form(query.as_bytes())?;
    let items = calls
        .flat_map(|call| {
            let recordings = locked(&call.recordings).clone();
            recordings.into_iter().map(|one| emulation.recording_json(&call.sid, &one)).collect::<Vec<_>>()
        })
        .collect();
    let (number, size, filters) = paging(&form, &query);
    Ok(Json(page("recordings", items, path, &filters, number, size)))
}

pub(super) async fn fetch_of_call(
    State(emulation): Shared,
    Path((account, call, recording)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let call = find(&emulation, &call)?;
    let recording = find_in(&call, json_name(&recording)?)?;
    Ok(Json(emulation.recording_json(&call.sid, &recording)))
}

pub(super) async fn update(
    State(emulation): Shared,
    Path((account, call, recording)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let form = read_form(&body)?;
    let call = find(&emulation, &call)?;
    let sid = find_in(&call, json_name(&recording)?)?.sid;
    let refused = || ApiError::bad(21220, "Requested resource is not eligible for recording");
    let recording = match form.value("Status") {
        Some("stopped") => emulation.stop_recording(&call, &sid, "stopped").ok_or_else(refused)?,
        Some(status @ ("paused" | "in-progress")) => {
            let mut recordings = locked(&call.recordings);
            let one = recordings.iter_mut().find(|one| one.sid == sid && one.is_running()).ok_or_else(refused)?;
            one.status = if status == "paused" { "paused" } else { "in-progress" };
            one.clone()
        }
        _ => return Err(ApiError::bad(20001, "Status must be stopped, paused or in-progress")),
    };
    Ok(Json(emulation.recording_json(&call.sid, &recording)))
}

pub(super) async fn delete_of_call(
    State(emulation): Shared,
    Path((account, _, recording)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    remove(&emulation, json_name(&recording)?)
}

pub(super) async fn delete(
    State(emulation): Shared,
    Path((account, recording)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    remove(&emulation, json_name(&recording)?)
}

/// `RE….json`, or `RE….wav` and `RE…` for the sound.
pub(super) async fn fetch(
    State(emulation): Shared,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let sid = file.split('.').next().unwrap_or_default();
    let found = emulation.calls.all().into_iter().find_map(|call| {
        let recording = locked(&call.recordings).iter().find(|one| one.sid == sid).cloned();
        recording.map(|recording| (call, recording))
    });
    let Some((call, recording)) = found else { return Err(ApiError::not_found(&format!("/Recordings/{file}"))) };
    if json_name(&file).is_ok() {
        return Ok(Json(emulation.recording_json(&call.sid, &recording)).into_response());
    }
    Ok(([(header::CONTENT_TYPE, "audio/x-wav")], recording.wav()).into_response())
}

fn find(emulation: &Emulation, sid: &str) -> Result<std::sync::Arc<Call>, ApiError> {
    emulation.calls.find(sid).ok_or_else(|| ApiError::not_found(&format!("/Calls/{sid}")))
}

fn find_in(call: &Call, sid: &str) -> Result<Recording, ApiError> {
    let recordings = locked(&call.recordings);
    let found = recordings.iter().rev().find(|one| if sid == CURRENT { one.is_running() } else { one.sid == sid });
    found.cloned().ok_or_else(|| ApiError::not_found(&format!("/Recordings/{sid}.json")))
}

fn remove(emulation: &Emulation, sid: &str) -> Result<StatusCode, ApiError> {
    for call in emulation.calls.all() {
        let mut recordings = locked(&call.recordings);
        let before = recordings.len();
        recordings.retain(|one| one.sid != sid);
        if recordings.len() < before {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(ApiError::not_found(&format!("/Recordings/{sid}.json")))
}
