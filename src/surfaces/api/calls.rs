//! `/api/v1/calls`: place, list, look at, end, read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, LimitReached, MESSAGE_MAX, PlaceCall, PlaceCallError, Placed};
use crate::domain::access::Scope;
use crate::domain::event::{Door, OnMachine};
use crate::domain::{AgentRef, Call, CallId, Direction, Disposition, E164, LeadId, Purpose};
use crate::store::CallFilter;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::{ArgumentProblem, Problem};

use super::control::may_work;
use super::paging::page;
use super::views;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceBody {
    to: Option<String>,
    lead_id: Option<String>,
    agent: Option<String>,
    purpose: Option<String>,
    #[serde(default)]
    dynamic_variables: BTreeMap<String, Value>,
    on_machine: Option<OnMachine>,
    #[serde(default)]
    dry_run: bool,
}

/// `POST /api/v1/calls`: 202 with the call, or 403 with every reason of the gate.
pub(super) async fn place(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsWrite)?;
    let body: PlaceBody = parse_json(&body)?;
    let dry_run = body.dry_run;
    let request = parse_place(&app, &caller, body).await?;
    let actor = caller.actor(Door::Api);
    if dry_run {
        let answer = app.what_if(&request, actor).await.map_err(|error| Problem::internal(&error))?;
        return Ok(Json(views::decision(answer.decision_id, &answer.decision)).into_response());
    }
    let key = headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default().to_owned());
    let placed = match key.as_deref() {
        Some(key) if key.is_empty() || key.len() > 200 => {
            return Err(Problem::bad_request("An Idempotency-Key has 1 to 200 visible ASCII characters."));
        }
        Some(key) => app.place_call_once(request, actor, key).await,
        None => app.place_call(request, actor).await,
    };
    let placed = placed.map_err(place_problem)?;
    if placed.decision.is_allowed() {
        let body = json!({
            "call_id": placed.call_id,
            "decision_id": placed.decision_id,
            "state": "queued",
            "self": format!("/api/v1/calls/{}", placed.call_id),
        });
        return Ok((StatusCode::ACCEPTED, Json(body)).into_response());
    }
    Err(blocked(&placed))
}

/// A denial as a problem document with the `error` object of the contract.
pub(super) fn blocked(placed: &Placed) -> Problem {
    let reasons: Vec<_> = placed
        .decision
        .reasons()
        .iter()
        .map(|r| json!({"code": r.code, "rule": r.rule, "citation": r.citation, "message": r.message}))
        .collect();
    let next = placed.decision.next_permissible_at();
    let hint = match next {
        Some(at) => format!("No call was placed. It may be tried again at {at}."),
        None => "No call was placed. Waiting does not help: read the reasons.".to_owned(),
    };
    let message = placed.decision.reasons().first().map_or_else(String::new, |reason| reason.message.clone());
    let error = json!({
        "code": "compliance_blocked",
        "message": message,
        "details": { "reasons": reasons, "next_permissible_at": next, "decision_id": placed.decision_id },
        "retryable": false,
        "hint": hint,
        "next_tools": ["check_tcpa_compliance"],
    });
    Problem::new(StatusCode::FORBIDDEN, "compliance-blocked", "The compliance gate blocked this call", hint)
        .with("call_id", placed.call_id.to_string().into())
        .with("success", false.into())
        .with("error", error)
}

/// All problems of the arguments in one answer.
async fn parse_place(app: &App, caller: &Caller, body: PlaceBody) -> Result<PlaceCall, Problem> {
    let mut problems = Vec::new();
    let mut problem = |field, received: &str, expected| {
        problems.push(ArgumentProblem { field, received: received.to_owned(), expected });
    };
    let agent = body.agent.as_deref().map(str::parse::<AgentRef>).transpose().unwrap_or_else(|_| {
        problem("agent", body.agent.as_deref().unwrap_or_default(), "an agent like elevenlabs:agent_123");
        None
    });
    let purpose = parse_purpose(body.purpose.as_deref()).unwrap_or_else(|received| {
        problem("purpose", received, "telemarketing, informational, healthcare or emergency");
        Purpose::Telemarketing
    });
    let lead_id = body.lead_id.as_deref().map(str::parse::<LeadId>).transpose().unwrap_or_else(|_| {
        problem("lead_id", body.lead_id.as_deref().unwrap_or_default(), "a lead's id like lead_…");
        None
    });
    if body.dynamic_variables.values().any(|value| !(value.is_string() || value.is_number() || value.is_boolean())) {
        problem("dynamic_variables", "a nested value", "texts, numbers and booleans by name");
    }
    if body.dynamic_variables.keys().any(|name| name.starts_with("system__")) {
        problem("dynamic_variables", "a name that starts with system__", "names of your own");
    }
    if let Some(OnMachine::Message { text }) = &body.on_machine
        && (text.trim().is_empty() || text.chars().count() > MESSAGE_MAX)
    {
        problem("on_machine.text", "a text of another length", "1 to 2000 characters");
    }
    let to = match (&body.to, lead_id) {
        (Some(text), _) => text.parse::<E164>().map_or_else(
            |_| {
                problem("to", &mask(text), "a number like +12125550113");
                None
            },
            Some,
        ),
        (None, Some(lead)) => {
            let found = app.store.lead(lead).await.map_err(|error| Problem::internal(&error))?;
            if found.is_none() {
                problem("lead_id", &lead.to_string(), "the id of a lead that exists");
            }
            found.map(|lead| lead.number)
        }
        (None, None) => {
            problem("to", "nothing", "a number like +12125550113, or a lead_id");
            None
        }
    };
    match to {
        Some(to) if problems.is_empty() => {
            let purpose = caller.claim(purpose)?;
            let (dynamic_variables, on_machine) = (body.dynamic_variables, body.on_machine);
            Ok(PlaceCall { to, agent, purpose, lead_id, dynamic_variables, on_machine })
        }
        _ => Err(Problem::invalid_arguments(&problems)),
    }
}

pub(super) fn parse_purpose(text: Option<&str>) -> Result<Purpose, &str> {
    match text {
        None | Some("telemarketing") => Ok(Purpose::Telemarketing),
        Some("informational") => Ok(Purpose::Informational),
        Some("healthcare") => Ok(Purpose::Healthcare),
        Some("emergency") => Ok(Purpose::Emergency),
        Some(other) => Err(other),
    }
}

/// What was received, without digits that could be somebody's number.
pub(super) fn mask(text: &str) -> String {
    text.chars().take(24).map(|c| if c.is_ascii_digit() { '•' } else { c }).collect()
}

pub(super) fn parse_json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("The body is not the JSON expected: {error}.")))
}

pub(super) fn limit_problem(limit: LimitReached) -> Problem {
    let title = "This key has used what it may use";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "limit-reached", title, limit.to_string())
}

fn place_problem(error: PlaceCallError) -> Problem {
    match error {
        PlaceCallError::Store(error) => Problem::internal(&error),
        PlaceCallError::Journal(error) => Problem::internal(&error),
        PlaceCallError::Limit(limit) => limit_problem(limit),
        PlaceCallError::ShuttingDown => Problem::unavailable(error.to_string()),
        PlaceCallError::PurposeNotAllowed(_) => Problem::new(
            StatusCode::FORBIDDEN,
            "purpose-not-allowed",
            "This purpose may not be claimed",
            error.to_string(),
        ),
        PlaceCallError::IdempotencyConflict | PlaceCallError::IdempotencyKeyWorn => Problem::new(
            StatusCode::CONFLICT,
            "idempotency-conflict",
            "This key cannot be used for this request",
            error.to_string(),
        ),
        PlaceCallError::NoSeller
        | PlaceCallError::NoCallerNumber
        | PlaceCallError::NoCarrier
        | PlaceCallError::NoAgent
        | PlaceCallError::NoBridge(_) => Problem::new(
            StatusCode::CONFLICT,
            "not-configured",
            "The server is not set up for outbound calls",
            error.to_string(),
        ),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ListQuery {
    state: Option<String>,
    direction: Option<String>,
    disposition: Option<String>,
    number: Option<String>,
    agent: Option<String>,
    lead_id: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// `GET /api/v1/calls`: newest first, in pages.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let (after, limit) = page(query.cursor.as_deref(), query.limit)?;
    let filter = parse_filter(query)?;
    let page = app.store.list_calls(filter, after, limit).await.map_err(|error| Problem::internal(&error))?;
    let calls: Vec<_> = page.items.iter().map(|call| views::call(call, caller.numbers())).collect();
    Ok(Json(json!({ "calls": calls, "next_cursor": page.next.map(|cursor| cursor.to_string()) })))
}

fn parse_filter(query: ListQuery) -> Result<CallFilter, Problem> {
    let bad = |field: &str, expected: &str| Problem::bad_request(format!("`{field}` must be {expected}."));
    let mut filter = CallFilter::default();
    match query.state.as_deref() {
        None => {}
        Some("live") => filter.live = true,
        Some(text) => {
            let state = serde_json::from_value(text.into());
            filter.state =
                Some(state.map_err(|_| bad("state", "live, queued, dialing, ringing, in_progress or ended"))?);
        }
    }
    if let Some(text) = query.direction {
        let direction: Direction =
            serde_json::from_value(text.into()).map_err(|_| bad("direction", "inbound or outbound"))?;
        filter.direction = Some(direction);
    }
    if let Some(text) = query.disposition {
        let disposition: Disposition = serde_json::from_value(text.into())
            .map_err(|_| bad("disposition", "how a call may end, like completed or no_answer"))?;
        filter.disposition = Some(disposition);
    }
    if let Some(text) = query.number {
        filter.number = Some(text.parse().map_err(|_| bad("number", "a number like +12125550113"))?);
    }
    if let Some(text) = query.agent {
        filter.agent = Some(text.parse().map_err(|_| bad("agent", "an agent like elevenlabs:agent_123"))?);
    }
    if let Some(text) = query.lead_id {
        filter.lead = Some(text.parse().map_err(|_| bad("lead_id", "a lead's id"))?);
    }
    Ok(filter)
}

/// `GET /api/v1/calls/{id}`
pub(super) async fn fetch(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    Ok(Json(views::call(&find(&app, &id).await?, caller.numbers())))
}

/// `POST /api/v1/calls/{id}/end`: 202; ending a call that has ended is fine.
pub(super) async fn end(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    may_work(&caller)?;
    let record = find(&app, &id).await?;
    let Some(call) = app.live.by_id(record.id) else {
        return Ok(Json(views::call(&record, caller.numbers())).into_response());
    };
    app.hang_up(&call, caller.actor(Door::Api), Disposition::Completed).await;
    Ok((StatusCode::ACCEPTED, Json(views::call(&call.record(), caller.numbers()))).into_response())
}

#[derive(Debug, Deserialize)]
pub(super) struct TranscriptQuery {
    #[serde(default)]
    after_seq: i64,
}

/// `GET /api/v1/calls/{id}/transcript`: what was said and what of it was heard.
pub(super) async fn transcript(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<TranscriptQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let record = find(&app, &id).await?;
    let entries = app.store.events_of(record.id).await.map_err(|error| Problem::internal(&error))?;
    let mut lines = views::transcript(&entries, caller.numbers());
    lines.retain(|line| line.seq > query.after_seq);
    Ok(Json(json!({ "call_id": record.id, "ended": record.is_ended(), "lines": lines })))
}

/// A call by our id or Twilio's.
async fn find(app: &App, id: &str) -> Result<Call, Problem> {
    let found = match id.parse::<CallId>() {
        Ok(id) => match app.live.by_id(id) {
            Some(call) => return Ok(call.record()),
            None => app.store.call(id).await,
        },
        Err(_) => app.store.call_by_sid(&crate::domain::CallSid::new(id)).await,
    };
    found.map_err(|error| Problem::internal(&error))?.ok_or_else(|| Problem::not_found("call"))
}
