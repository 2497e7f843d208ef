//! `check --rules`: the rules in force in a state on a date, in plain words.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use crate::app::{Gate, WallClock};
use crate::compliance::effective::{EffectiveRow, Origin, country_rules, holiday_on, state_rules};
use crate::compliance::place::StateCode;
use crate::config::Config;
use crate::surfaces::cli::out::{Paint, line};
use crate::surfaces::cli::{CheckArgs, When};

use super::world;

pub(super) fn print(config: &Config, args: &CheckArgs, paint: Paint) -> anyhow::Result<ExitCode> {
    let gate = world::open_gate(config)?;
    let when = args.at.unwrap_or_else(|| When::Instant(WallClock::real().now()));
    let date = when.date();
    let asked = args.state.as_deref().map(|text| parse_state(&gate, text)).transpose()?;
    let codes: Vec<StateCode> = match asked {
        Some(code) => vec![code],
        None => gate.tables().states().map(|state| state.code).collect(),
    };
    let country = country_rules(gate.tables(), date);
    let states: Vec<_> =
        codes.into_iter().filter_map(|code| Some((code, state_rules(gate.tables(), code, date)?))).collect();
    if args.json {
        let states: serde_json::Map<_, _> = states
            .iter()
            .map(|(code, rows)| {
                let holiday = holiday_on(gate.tables(), *code, date);
                (code.to_string(), json!({ "holiday": holiday, "rows": rows }))
            })
            .collect();
        line(json!({
            "date": date,
            "rule_set": gate.rule_set(),
            "profile": gate.profile().label(),
            "loosened": gate.tables().loosened,
            "country": country,
            "states": states,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    print_head(config, &gate, &date.to_string(), paint);
    line(paint.bold("Every number in the United States"));
    for row in &country {
        print_row(row, paint);
    }
    for (code, rows) in &states {
        line("");
        let holiday = holiday_on(gate.tables(), *code, date).map_or_else(String::new, |name| format!(", {name} there"));
        line(paint.bold(format!("{code} on {date}{holiday}")));
        for row in rows {
            print_row(row, paint);
        }
    }
    for sentence in &gate.tables().loosened {
        line("");
        line(paint.red(format!("Written into every decision made under these rules: {sentence}")));
    }
    Ok(ExitCode::SUCCESS)
}

fn parse_state(gate: &Gate, text: &str) -> anyhow::Result<StateCode> {
    let code: StateCode = text.to_uppercase().parse().with_context(|| format!("--state {text}"))?;
    anyhow::ensure!(
        gate.tables().state(code).is_some(),
        "--state {text}: there is no such state, district or territory"
    );
    Ok(code)
}

fn print_head(config: &Config, gate: &Gate, date: &str, paint: Paint) {
    line(paint.bold(format!("Rules in force on {date}")));
    line(format!("rule tables {}, profile {}", gate.rule_set(), gate.profile().label()));
    if !config.compliance.rules.is_empty() {
        line(format!("the operator's own rows are from {}", config.compliance.rules));
    }
    line(
        paint.dim("A call needs every row that binds it to let it through. Not legal advice: have counsel read them."),
    );
    line("");
}

fn print_row(row: &EffectiveRow, paint: Paint) {
    let origin = match row.origin {
        Origin::Shipped => String::new(),
        Origin::Replaced => paint.yellow("  operator's row, in the place of the shipped one"),
        Origin::Added => paint.yellow("  operator's row"),
    };
    line(format!("  {:15} {}{origin}", row.table, paint.bold(&row.id)));
    line(format!("    {}", row.says));
    let confidence = format!("{:?}", row.confidence).to_lowercase();
    let from = row.from.map_or_else(String::new, |from| format!("; from {from}"));
    let until = row.until.map_or_else(String::new, |until| format!("; until before {until}"));
    let (law, read) = (&row.citation, row.source_date);
    line(paint.dim(format!("    {law}; confidence {confidence}, source of {read}{from}{until}")));
    if let Some(note) = &row.note {
        line(paint.dim(format!("    {note}")));
    }
    if let Some(reason) = &row.loosened {
        line(paint.red(format!("    laxer than it ships: {reason}")));
    }
}
