//! `POST /api/v1/check`: the gate's answer now, recorded as an inquiry and counted nowhere.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, GateQuestion};
use crate::domain::DecisionId;
use crate::domain::access::Scope;
use crate::domain::event::Door;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::{ArgumentProblem, Problem};

use super::calls::{parse_json, parse_purpose};
use super::views;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckBody {
    number: String,
    purpose: Option<String>,
}

pub(super) async fn check(State(app): State<Arc<App>>, caller: Caller, body: Bytes) -> Result<Json<Value>, Problem> {
    caller.must(Scope::ComplianceRead)?;
    let body: CheckBody = parse_json(&body)?;
    let purpose = parse_purpose(body.purpose.as_deref()).map_err(|received| {
        Problem::invalid_arguments(&[ArgumentProblem {
            field: "purpose",
            received: received.to_owned(),
            expected: "telemarketing, informational, healthcare or emergency",
        }])
    })?;
    let question = GateQuestion::about(body.number, purpose, caller.actor(Door::Api));
    let answer = app.inquire(&question).await.map_err(|error| Problem::internal(&error))?;
    Ok(Json(views::decision(answer.decision_id, &answer.decision)))
}

/// `GET /api/v1/decisions/{id}`: one entry of the ledger, with what it rests on and its place in the chain.
pub(super) async fn decision(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::ComplianceRead)?;
    let id: DecisionId = id.parse().map_err(|_| Problem::not_found("decision"))?;
    let recorded = app.store.decision(id).await.map_err(|error| Problem::internal(&error))?;
    let recorded = recorded.ok_or_else(|| Problem::not_found("decision"))?;
    let numbers = caller.numbers();
    let mut answer = views::decision(id, &recorded.decision);
    answer["recorded_at"] = recorded.recorded_at.to_string().into();
    answer["actor"] = json!(recorded.actor);
    answer["intent"] = json!(recorded.intent);
    answer["call_id"] = json!(recorded.call_id);
    // What it rested on: where each fact came from and how old it was, and what every rule said.
    for part in ["inputs", "outcomes"] {
        let rested_on = recorded.subject.as_ref().and_then(|subject| subject.facts.get(part)).cloned();
        answer[part] = numbers.show_all(rested_on.unwrap_or_default());
    }
    answer["number"] = recorded.subject.map(|subject| numbers.show(&subject.number)).into();
    answer["seq"] = recorded.seq.into();
    answer["prev_hash"] = recorded.prev_hash.into();
    answer["hash"] = recorded.hash.into();
    Ok(Json(answer))
}
