//! A decision of the gate for a person at a terminal.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::{Decision, DecisionId};
use crate::surfaces::api::views;

use super::out::{Paint, line};

pub fn as_json(id: DecisionId, decision: &Decision) -> Value {
    views::decision(id, decision)
}

pub fn print(decision: &Decision, paint: Paint) {
    if decision.is_allowed() {
        line(paint.green("allowed"));
    } else {
        line(paint.red("denied"));
    }
    for reason in decision.reasons() {
        line(format!("  {}  {}", paint.bold(reason.code), reason.message));
        line(format!("    {}", paint.dim(&reason.citation)));
    }
    for place in &decision.places {
        line(paint.dim(format!("  considered {} in {}: {}", place.state, place.zone, place.local_time)));
    }
    for warning in &decision.warnings {
        line(format!("  {} {warning}", paint.yellow("note:")));
    }
    if let Some(at) = decision.next_permissible_at() {
        line(format!("  {} {}", paint.yellow("may be tried again at"), local(at, decision)));
    }
    line(
        paint.dim(format!("  rules {}, profile {}, time zones {}", decision.rule_set, decision.profile, decision.tzdb)),
    );
}

/// The instant in UTC, and in the first zone that was considered.
fn local(at: Timestamp, decision: &Decision) -> String {
    let zone = decision.places.first().and_then(|place| at.in_tz(&place.zone).ok());
    zone.map_or_else(|| at.to_string(), |local| format!("{at} ({})", local.strftime("%a %F %R %Z")))
}
