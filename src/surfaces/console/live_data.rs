//! What the live page starts from: every call that has not ended, and the place in the journal from which it follows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::domain::access::Scope;
use crate::surfaces::api::views::{self, Numbers};
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::Problem;

pub(super) fn numbers(caller: &Caller) -> Numbers {
    if caller.may(Scope::NumbersRead) { Numbers::Full } else { Numbers::Masked }
}

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
    let show = numbers(&caller);
    let calls: Vec<_> = app.live.all().iter().map(|call| views::call(&call.record(), show)).collect();
    Ok(Json(json!({
        "seq": seq,
        "now": app.clock.now(),
        "calls": calls,
        "stop": stop,
        "draining": app.drain.is_cancelled(),
        "cost_per_minute": app.config.limits.cost_per_minute,
    })))
}

/// `GET /console/data/status`: what every page shows at its head.
pub(super) async fn status(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let stop = app.store.outbound_stop().await.map_err(|error| Problem::internal(&error))?;
    Ok(Json(json!({ "now": app.clock.now(), "stop": stop, "draining": app.drain.is_cancelled() })))
}
