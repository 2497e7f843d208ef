//! The rules, one a file. Every rule that applies is evaluated always, and every reason is returned.
//!
//! A rule reads the `Case` and writes its reasons and warnings into [`Findings`]. A fact that a rule needs and that
//! is not known is a reason of its own (`FACT_UNKNOWN`), never a skipped rule. [`RULES`] is the whole gate: a rule that
//! is not in it does not exist.

mod area_code_in_service;
mod automated_voice_device;
mod automated_voice_hours;
mod business_relationship_term;
mod calling_hours_federal;
mod calling_hours_state;
mod consent;
mod consent_revoked;
mod country_enabled;
mod dnc_list_age;
mod frequency_exempt;
mod frequency_state;
mod geographic_number;
mod holiday;
mod in_flight;
mod internal_dnc;
mod litigator_list;
mod national_dnc;
mod number_form;
mod outbound_stopped;
mod protected_line;
mod reassigned_number;
mod seller_registration;
mod state_dnc;
mod state_of_emergency;
mod state_prohibition;
mod sunday;
mod verified_address;

use jiff::civil::{DateTime, Weekday};

use super::case::Case;
use crate::domain::ReasonCode;
use crate::domain::decision::Reason;

/// One rule of the gate.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The name that reasons quote; the name of its file.
    pub name: &'static str,
    /// What it enforces, in a line: the law, or the house's policy. The rows it reads carry the exact citations.
    pub law: &'static str,
    pub stage: Stage,
    pub check: fn(&Case<'_>, &mut Findings),
}

/// When a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// For every call, an emergency too. If one of these denies, nothing else can be known about the number.
    Number,
    /// For every call that is no emergency.
    Call,
}

/// Every rule, in no order that matters: precedence is that of [`ReasonCode`].
pub const RULES: [Rule; 28] = [
    outbound_stopped::RULE,
    number_form::RULE,
    area_code_in_service::RULE,
    geographic_number::RULE,
    country_enabled::RULE,
    verified_address::RULE,
    internal_dnc::RULE,
    consent_revoked::RULE,
    litigator_list::RULE,
    reassigned_number::RULE,
    protected_line::RULE,
    consent::RULE,
    national_dnc::RULE,
    state_dnc::RULE,
    dnc_list_age::RULE,
    business_relationship_term::RULE,
    state_prohibition::RULE,
    automated_voice_device::RULE,
    seller_registration::RULE,
    state_of_emergency::RULE,
    holiday::RULE,
    sunday::RULE,
    calling_hours_federal::RULE,
    calling_hours_state::RULE,
    automated_voice_hours::RULE,
    frequency_state::RULE,
    frequency_exempt::RULE,
    in_flight::RULE,
];

/// What the rules found.
#[derive(Debug, Default)]
pub struct Findings {
    /// The rule that is being asked.
    pub(super) rule: &'static str,
    pub(super) reasons: Vec<Reason>,
    pub(super) warnings: Vec<String>,
}

impl Findings {
    fn deny(&mut self, code: ReasonCode, citation: &str, message: impl Into<String>) {
        let (rule, citation, message) = (self.rule.to_owned(), citation.to_owned(), message.into());
        self.reasons.push(Reason { code, rule, citation, message });
    }

    /// Denies because a fact that the rule needs is not known.
    fn unknown(&mut self, case: &Case<'_>, fact: &str, citation: &str) {
        let mut message = format!("The fact {fact} is not known, and this call needs it.");
        if let Some(why) = case.facts.why_unknown.get(fact) {
            message.extend([" ", why.trim_end_matches('.'), "."]);
        }
        self.deny(ReasonCode::FactUnknown, citation, message);
    }

    /// The same for a fact that lists give, with what kept them from it.
    fn unknown_from_lists(&mut self, case: &Case<'_>, fact: &str, citation: &str, gaps: impl Iterator<Item = String>) {
        let gaps: Vec<_> = gaps.collect();
        if gaps.is_empty() {
            return self.unknown(case, fact, citation);
        }
        let message = format!("The fact {fact} is not known, and this call needs it: {}.", gaps.join("; "));
        self.deny(ReasonCode::FactUnknown, citation, message);
    }

    fn warn(&mut self, message: impl Into<String>) {
        self.warnings.push(message.into());
    }
}

/// `07:30 on Sunday 2026-12-06`.
fn clock_face(at: DateTime) -> String {
    format!("{:02}:{:02} on {} {}", at.hour(), at.minute(), weekday(at.weekday()), at.date())
}

fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
