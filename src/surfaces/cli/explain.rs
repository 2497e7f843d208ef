//! A decision of the gate for a person at a terminal.

use serde_json::Value;

use crate::compliance::explain::explain;
use crate::compliance::tables::RuleTables;
use crate::domain::{Decision, DecisionId};
use crate::surfaces::api::views;

use super::out::{Paint, line};

pub fn as_json(id: DecisionId, decision: &Decision) -> Value {
    views::decision(id, decision)
}

/// The answer for the number that was asked about, whole, and where it is recorded.
pub fn print(asked: &str, id: DecisionId, decision: &Decision, tables: &RuleTables, paint: Paint) {
    let text = explain(decision, tables);
    for (place, told) in text.lines().enumerate() {
        match (place, decision.is_allowed()) {
            (0, true) => line(paint.green(format!("{asked}: {told}"))),
            (0, false) => line(paint.red(format!("{asked}: {told}"))),
            _ if told.starts_with("May be tried") || told.starts_with("No time") => line(paint.yellow(told)),
            _ if told.starts_with("Note:") => line(paint.yellow(told)),
            _ if told.starts_with("  ") => line(told),
            _ => line(paint.dim(told)),
        }
    }
    line(paint.dim(format!("Recorded as {id}")));
}
