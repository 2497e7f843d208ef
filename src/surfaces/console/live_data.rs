//! What the live page starts from: every call that has not ended, and the place in the journal from which it follows.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, LiveCall};
use crate::domain::CallId;
use crate::domain::access::Scope;
use crate::surfaces::api::views::Numbers;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::Problem;

/// How many calls are measured for one request: more than a screen holds.
const METERS_MAX: usize = 200;

/// The newest place in the journal. Read before the state that goes with it: what happens in between is then told twice rather
/// than not at all, and the fold of a call's events takes no harm from that.
pub(super) async fn newest_seq(app: &App) -> Result<i64, Problem> {
    let slice = app.store.events_after(i64::MAX, 0).await.map_err(|error| Problem::internal(&error))?;
    Ok(slice.newest_seq)
}

/// `GET /console/data/live`
pub(super) async fn live(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let seq = newest_seq(&app).await?;
    let stop = app.store.outbound_stop().await.map_err(|error| Problem::internal(&error))?;
    let show = caller.numbers();
    let calls: Vec<_> = app.live.all().iter().map(|call| row(call, show)).collect();
    Ok(Json(json!({
        "seq": seq,
        "now": app.clock.now(),
        "calls": calls,
        "stop": stop,
        "draining": app.drain.is_cancelled(),
        "cost_per_minute": app.config.limits.cost_per_minute,
    })))
}

/// What a row of the table shows, or is found by, and nothing that is empty: every call is in one answer.
fn row(call: &LiveCall, show: Numbers) -> Value {
    let record = call.record();
    let added = record.counters.relay_p99_us;
    let mut row = json!({
        "id": record.id,
        "call_sid": record.call_sid,
        "direction": record.direction,
        "from": show.show(&record.from),
        "to": show.show(&record.to),
        "agent": record.agent,
        "purpose": record.purpose,
        "state": record.state,
        "disposition": record.disposition,
        "ending_as": record.ending_as,
        "operator": call.operator().map(|by| by.name),
        "transfer": record.transfer.as_ref().map(|transfer| json!({"is_connected": transfer.is_connected})),
        "counters": (added > 0).then(|| json!({"relay_p99_us": added})),
        "created_at": record.created_at,
        "answered_at": record.answered_at,
        "ended_at": record.ended_at,
    });
    if let Value::Object(fields) = &mut row {
        fields.retain(|_, value| !value.is_null());
    }
    row
}

#[derive(Debug, Deserialize)]
pub(super) struct MetersQuery {
    /// Ids of calls, with commas between.
    ids: String,
}

/// `GET /console/data/meters`: how loud both sides of these calls are and what we add, as of the last half second. Calls that have
/// ended, have no stream or were not looked at before are left out.
pub(super) async fn meters(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<MetersQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let ids = query.ids.split(',').take(METERS_MAX).filter_map(|id| id.parse::<CallId>().ok());
    let meters: serde_json::Map<_, _> = ids
        .filter_map(|id| {
            let reading = app.live.by_id(id)?.look()?;
            let level = |loudness: u8| f64::from(loudness) / 127.0;
            let shown = json!({
                "caller": level(reading.caller),
                "agent": level(reading.agent),
                "relay_p50_us": reading.relay_p50_us,
                "relay_p99_us": reading.relay_p99_us,
            });
            Some((id.to_string(), shown))
        })
        .collect();
    Ok(Json(json!({ "meters": meters })))
}

/// `GET /console/data/status`: what every page shows at its head.
pub(super) async fn status(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let stop = app.store.outbound_stop().await.map_err(|error| Problem::internal(&error))?;
    Ok(Json(json!({ "now": app.clock.now(), "stop": stop, "draining": app.drain.is_cancelled() })))
}
