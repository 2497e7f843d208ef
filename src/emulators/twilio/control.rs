//! `/_emulator/…`: what Twilio does not have. Inbound calls, faults, the log, what was heard, who is at which number.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use axum::{Router, body::Bytes};
use http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::calls::{Command, StatusPlan};
use super::interpreter::{self, Request};
use super::phone_script::PhoneScript;
use super::rest::{Shared, is_dialable};
use super::{Emulation, LookupRecord, NumberConfig, TwilioFaults, locked};

type Refusal = (StatusCode, Json<Value>);

pub(super) fn router() -> Router<Arc<Emulation>> {
    Router::new()
        .route("/_emulator/inbound", post(inbound))
        .route("/_emulator/faults", get(show_faults).post(set_faults))
        .route("/_emulator/log", get(show_log))
        .route("/_emulator/reset", post(reset))
        .route("/_emulator/phones", post(set_phone))
        .route("/_emulator/numbers", post(set_number))
        .route("/_emulator/lookups", post(set_lookup))
        .route("/_emulator/calls/{sid}/heard", get(heard))
}

/// A call from somebody to one of the account's numbers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inbound {
    from: String,
    to: String,
    /// A phone script or the name of a shipped one; else whoever is configured at `from`.
    #[serde(default, alias = "phone")]
    script: Option<String>,
    /// Instead of the number's own.
    #[serde(default)]
    voice_url: Option<String>,
}

async fn inbound(State(emulation): Shared, body: Bytes) -> Result<Response, Refusal> {
    let wish: Inbound = read(&body)?;
    if !is_dialable(&wish.to) {
        return Err(refuse("`to` is no number: write it like +12125550100"));
    }
    let phone = match &wish.script {
        Some(script) => PhoneScript::parse(script).map_err(|error| refuse(&error.to_string()))?,
        None => emulation.phone_at(&wish.from),
    };
    let mut number = locked(&emulation.numbers).get(&wish.to).cloned().unwrap_or_default();
    if let Some(url) = wish.voice_url {
        number.voice_url = url;
    }
    if interpreter::resolve(None, &number.voice_url).is_none() {
        return Err(refuse(
            "this number has no voice URL: POST /_emulator/numbers {\"number\", \"voice_url\"}, or give voice_url",
        ));
    }
    let request = |url: &str, get: bool| Request { url: url.to_owned(), get, params: Vec::new() };
    let first = request(&number.voice_url, number.voice_method == "GET");
    let fallback = (!number.voice_fallback_url.is_empty()).then(|| request(&number.voice_fallback_url, false));
    let status_plan = (!number.status_callback.is_empty()).then(|| StatusPlan {
        url: number.status_callback.clone(),
        get: false,
        events: vec!["completed".to_owned()],
    });
    let call = emulation.place_inbound((&wish.from, &wish.to), status_plan, phone, (first, fallback));
    Ok((StatusCode::CREATED, Json(json!({"call_sid": call.sid}))).into_response())
}

async fn show_faults(State(emulation): Shared) -> Json<TwilioFaults> {
    Json(locked(&emulation.faults).clone())
}

/// Replaces all faults: what is not named is off.
async fn set_faults(State(emulation): Shared, body: Bytes) -> Result<Json<TwilioFaults>, Refusal> {
    let faults: TwilioFaults = read(&body)?;
    locked(&emulation.faults).clone_from(&faults);
    Ok(Json(faults))
}

#[derive(Debug, Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn show_log(State(emulation): Shared, Query(query): Query<Since>) -> Json<Value> {
    Json(json!(emulation.log.since(query.since)))
}

/// Hangs up what is running, forgets the log and the faults.
async fn reset(State(emulation): Shared) -> StatusCode {
    for call in emulation.calls.all().iter().filter(|call| !call.status().is_over()) {
        // A full queue means that a hang-up is on its way already.
        let _ = call.commands.try_send(Command::Hangup(oneshot::channel().0));
    }
    *locked(&emulation.faults) = TwilioFaults::default();
    emulation.log.clear();
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPhone {
    number: String,
    script: String,
}

async fn set_phone(State(emulation): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    let wish: SetPhone = read(&body)?;
    let script = PhoneScript::parse(&wish.script).map_err(|error| refuse(&error.to_string()))?;
    locked(&emulation.phones).insert(wish.number, script);
    Ok(StatusCode::NO_CONTENT)
}

/// What Lookup says of a number from now on.
#[derive(Debug, Deserialize)]
struct SetLookup {
    number: String,
    #[serde(flatten)]
    record: LookupRecord,
}

async fn set_lookup(State(emulation): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    let wish: SetLookup = read(&body)?;
    locked(&emulation.lookups).insert(wish.number, wish.record);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
struct SetNumber {
    number: String,
    #[serde(flatten)]
    config: NumberConfig,
}

async fn set_number(State(emulation): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    let wish: SetNumber = read(&body)?;
    locked(&emulation.numbers).insert(wish.number, wish.config);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
struct HeardQuery {
    #[serde(default)]
    timeline: bool,
}

/// Raw µ-law: what was played to the phone, without the silence between; with `?timeline=true` in its place since the answer.
async fn heard(
    State(emulation): Shared,
    Path(sid): Path<String>,
    Query(query): Query<HeardQuery>,
) -> Result<Response, Refusal> {
    let Some(call) = emulation.calls.find(&sid) else {
        return Err((StatusCode::NOT_FOUND, Json(json!({"error": "no such call"}))));
    };
    let heard = locked(&call.heard);
    let audio = if query.timeline { heard.timeline() } else { heard.audio() };
    Ok(([(header::CONTENT_TYPE, "audio/basic")], audio).into_response())
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| refuse(&error.to_string()))
}

fn refuse(why: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why })))
}
