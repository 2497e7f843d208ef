//! `POST /api/v1/check`: the gate's answer now, recorded as an inquiry and counted nowhere.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use crate::app::{App, GateQuestion};
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
