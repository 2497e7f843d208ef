//! `/api/v1/outbound`: the operators' stop of every outbound call.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use crate::app::App;
use crate::domain::access::Scope;
use crate::domain::event::Door;
use crate::store::ActionFilter;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::Problem;

use super::calls::parse_json;
use super::record_views;

/// How many stops and releases of the past are shown.
const HISTORY: u32 = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonBody {
    reason: String,
}

/// `GET /api/v1/outbound`: whether calls are stopped, and the stops and releases of the past.
pub(super) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let stop = app.store.outbound_stop().await.map_err(|error| Problem::internal(&error))?;
    let filter = ActionFilter { action_prefix: Some("outbound_"), ..ActionFilter::default() };
    let history = app.store.operator_actions(filter, HISTORY).await.map_err(|error| Problem::internal(&error))?;
    let mut answer = record_views::outbound(stop.as_ref());
    answer["history"] = history.iter().map(record_views::operator_action).collect();
    Ok(Json(answer))
}

/// `POST /api/v1/outbound/stop`: nothing is dialled any more, also not what waits. Stopping twice is fine: the first stop stands.
pub(super) async fn stop(State(app): State<Arc<App>>, caller: Caller, body: Bytes) -> Result<Json<Value>, Problem> {
    let reason = reason(&caller, &body)?;
    let stop = app.stop_outbound(&reason, &caller.actor(Door::Api)).await.map_err(|error| Problem::internal(&error))?;
    Ok(Json(record_views::outbound(Some(&stop))))
}

/// `POST /api/v1/outbound/release`: calls are let through again, as far as the gate does.
pub(super) async fn release(State(app): State<Arc<App>>, caller: Caller, body: Bytes) -> Result<Json<Value>, Problem> {
    let reason = reason(&caller, &body)?;
    let lifted =
        app.release_outbound(&reason, &caller.actor(Door::Api)).await.map_err(|error| Problem::internal(&error))?;
    let mut answer = record_views::outbound(None);
    answer["was_stopped"] = lifted.is_some().into();
    Ok(Json(answer))
}

fn reason(caller: &Caller, body: &[u8]) -> Result<String, Problem> {
    caller.must(Scope::CallsControl)?;
    let ReasonBody { reason } = parse_json(body)?;
    if reason.trim().is_empty() || reason.chars().count() > 1_000 {
        return Err(Problem::invalid_fields(&[(
            "reason",
            "a sentence for those who read it later, of at most 1000 characters".to_owned(),
        )]));
    }
    Ok(reason)
}
