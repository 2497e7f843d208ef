//! How the house stands, and who did what.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::domain::CallState;
use crate::domain::access::Scope;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::Problem;

/// How many audit entries a page holds.
const PAGE: u32 = 100;

/// `GET /console/data/health`
pub(super) async fn health(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let checks = app.look_at_health().await.map_err(|error| Problem::internal(&error))?;
    let head = app.store.ledger_head().await.map_err(|error| Problem::internal(&error))?;
    let checks: Vec<_> = checks
        .iter()
        .map(|c| json!({"area": c.area, "level": c.level.as_str(), "text": c.text, "remedy": c.remedy}))
        .collect();
    Ok(Json(json!({
        "now": app.clock.now(),
        "checks": checks,
        "live_calls": app.live.len(),
        "queued_calls": app.live.all().iter().filter(|call| call.record().state == CallState::Queued).count(),
        "open_streams": app.metrics.open_streams.get(),
        "journal_depth": app.metrics.journal_depth.get(),
        "interim_dropped": app.metrics.interim_dropped.get(),
        "decisions": head.count,
        "ledger_head": head.hash,
        "rule_set": app.gate.rule_set(),
        "version": env!("CARGO_PKG_VERSION"),
    })))
}

#[derive(Debug, Deserialize)]
pub(super) struct AuditQuery {
    before: Option<i64>,
}

/// `GET /console/data/audit`: newest first.
pub(super) async fn audit(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsControl)?;
    let page = app.store.audit_page(query.before, PAGE).await.map_err(|error| Problem::internal(&error))?;
    let next = page.last().filter(|_| page.len() == PAGE as usize).map(|(place, _)| *place);
    let entries: Vec<_> = page
        .iter()
        .map(|(place, entry)| {
            json!({
                "place": place,
                "at": entry.at,
                "by": entry.actor,
                "action": entry.action,
                "outcome": entry.outcome,
                "code": entry.code,
                "call_id": entry.call_id,
            })
        })
        .collect();
    Ok(Json(json!({ "entries": entries, "next_before": next, "now": app.clock.now() })))
}
