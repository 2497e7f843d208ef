//! The gate itself: `evaluate` asks every rule and makes one [`Decision`] of the answers.
//!
//! It is a pure function: the same facts, tables, profile and instant give the same decision, so that a decision can be
//! made again from its own record.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::case::Case;
use super::facts::Facts;
use super::next::next_permissible;
use super::profile::Profile;
use super::rules::{Findings, RULES, Rule, Stage};
use super::tables::RuleTables;
use crate::domain::decision::{AllowCode, Outcome, Place, Reason};
use crate::domain::{Decision, Purpose, ReasonCode};

/// May this call be placed now? Allow or deny, with every reason.
pub fn evaluate(facts: &Facts, tables: &RuleTables, profile: &Profile, now: Timestamp) -> Decision {
    evaluate_under(&RULES, facts, tables, profile, now)
}

/// What one rule answered: the codes it denies with, none if it passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleOutcome {
    pub rule: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denies_with: Vec<ReasonCode>,
}

/// The answer of each rule that was asked, for the evidence.
pub fn outcomes(facts: &Facts, tables: &RuleTables, profile: &Profile, now: Timestamp) -> Vec<RuleOutcome> {
    let case = Case::new(facts, tables, profile, now);
    let mut asked = Vec::new();
    for stage in [Stage::Number, Stage::Call] {
        for rule in RULES.iter().filter(|rule| rule.stage == stage) {
            let found = ask(std::iter::once(rule), &case);
            let denies_with = found.reasons.iter().map(|reason| reason.code).collect();
            asked.push(RuleOutcome { rule: rule.name.into(), denies_with });
        }
        let number_denied = asked.iter().any(|outcome| !outcome.denies_with.is_empty());
        if number_denied || facts.purpose == Purpose::Emergency {
            break;
        }
    }
    asked
}

/// The same with other rules than [`RULES`], so that a test can switch one off.
pub(super) fn evaluate_under(
    rules: &[Rule],
    facts: &Facts,
    tables: &RuleTables,
    profile: &Profile,
    now: Timestamp,
) -> Decision {
    let case = Case::new(facts, tables, profile, now);
    let mut findings = ask(rules.iter().filter(|rule| rule.stage == Stage::Number), &case);
    let emergency = facts.purpose == Purpose::Emergency;
    if findings.reasons.is_empty() && !emergency {
        let more = ask(rules.iter().filter(|rule| rule.stage == Stage::Call), &case);
        findings.reasons = more.reasons;
        findings.warnings.extend(more.warnings);
    }
    findings.warnings.extend(tables.loosened.iter().cloned());
    let mut reasons = findings.reasons;
    reasons.sort_by_key(|reason| reason.code);
    drop_in_flight_if_a_cap_counts_it(&mut reasons);
    let allowed = reasons.is_empty();
    let outcome = if allowed { allow(&case) } else { deny(&case, reasons) };
    let consent = case.consent.valid.filter(|_| allowed && !emergency && case.need_uses_consent());
    Decision {
        outcome,
        decided_at: now,
        rule_set: tables.rule_set_text.clone(),
        profile: profile.label(),
        tzdb: tables.tzdb.clone(),
        places: places(&case),
        basis: if allowed { basis(&case) } else { String::new() },
        consent_id: consent.and_then(|consent| consent.id),
        warnings: findings.warnings,
    }
}

fn ask<'r>(rules: impl Iterator<Item = &'r Rule>, case: &Case<'_>) -> Findings {
    let mut findings = Findings::default();
    for rule in rules {
        findings.rule = rule.name;
        (rule.check)(case, &mut findings);
    }
    findings
}

/// A cap that already counts the live attempt says it better, and knows when it ends.
fn drop_in_flight_if_a_cap_counts_it(reasons: &mut Vec<Reason>) {
    let capped =
        reasons.iter().any(|reason| matches!(reason.code, ReasonCode::FreqCapState | ReasonCode::FreqCapExempt));
    if capped {
        reasons.retain(|reason| reason.code != ReasonCode::InFlight);
    }
}

fn allow(case: &Case<'_>) -> Outcome {
    let code = match case.facts.purpose {
        Purpose::Emergency => AllowCode::AllowEmergency,
        _ if case.uses_exemption() => AllowCode::AllowExempt,
        _ => AllowCode::Allow,
    };
    Outcome::Allow { code }
}

fn deny(case: &Case<'_>, reasons: Vec<Reason>) -> Outcome {
    let waiting_helps = reasons.iter().all(|reason| reason.code.is_about_time());
    let next_permissible_at = if waiting_helps { next_permissible(case) } else { None };
    Outcome::Deny { reasons, next_permissible_at }
}

fn basis(case: &Case<'_>) -> String {
    match case.facts.purpose {
        Purpose::Emergency => "47 USC 227(b)(1)(A); 47 CFR 64.1200(a)(1), (f)(4)".to_owned(),
        _ => case.need().map_or_else(String::new, |row| row.citation.clone()),
    }
}

fn places(case: &Case<'_>) -> Vec<Place> {
    let mut places = Vec::with_capacity(case.zones.len() * case.states.len());
    for local in &case.zones {
        let local_time = case.now.to_zoned(local.zone.tz.clone()).to_string();
        for state in &case.states {
            let (state, zone) = (state.code.to_string(), local.zone.name.to_string());
            places.push(Place { state, zone, local_time: local_time.clone() });
        }
    }
    places
}
