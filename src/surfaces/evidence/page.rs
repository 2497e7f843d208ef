//! `evidence.html`: the same for a person who reads or prints it. Plain HTML without scripts; everything is escaped.

use askama::Template;
use jiff::{SignedDuration, Timestamp};

use crate::app::{Bundle, BundleScope, Entry, PersonRecords};
use crate::compliance::evidence::Evidence;
use crate::compliance::rules::RULES;
use crate::domain::decision::{Outcome, Place, Reason};
use crate::store::OperatorAction;

#[derive(Template)]
#[template(path = "evidence_opening.html")]
struct OpeningPage {
    title: String,
    made_at: Timestamp,
    made_by: String,
    head: String,
    count: i64,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "evidence_decision.html")]
struct DecisionPage<'a> {
    seq: i64,
    id: String,
    answer: &'static str,
    is_allowed: bool,
    asked: Vec<(&'static str, String)>,
    basis: &'a str,
    reasons: &'a [Reason],
    next: String,
    places: &'a [Place],
    inputs: Vec<InputLine>,
    unknown: Vec<&'static str>,
    outcomes: Vec<OutcomeLine>,
    warnings: &'a [String],
    rules: Vec<(&'static str, String)>,
    dialled: Vec<(&'static str, String)>,
    chain: Vec<(&'static str, String)>,
    hashed_line: &'a str,
}

/// One thing that was known.
struct InputLine {
    fact: String,
    says: String,
    source: String,
    as_of: Timestamp,
    age: String,
}

/// What one rule answered.
struct OutcomeLine {
    rule: String,
    law: &'static str,
    answer: String,
    denies: bool,
}

#[derive(Template)]
#[template(path = "evidence_person.html")]
struct PersonPage {
    number: String,
    consents: Vec<Vec<(&'static str, String)>>,
    refusals: Vec<String>,
}

#[derive(Template)]
#[template(path = "evidence_closing.html")]
struct ClosingPage<'a> {
    actions: &'a [OperatorAction],
    head: String,
}

pub(super) fn opening(bundle: &Bundle) -> askama::Result<String> {
    let title = match &bundle.scope {
        BundleScope::Call(id) => format!("Evidence for call {id}"),
        BundleScope::Number(number) => format!("Evidence for number {}", number.as_str()),
        BundleScope::Period { since, until } => format!("Evidence from {since} until {until}"),
    };
    let page = OpeningPage {
        title,
        made_at: bundle.made_at,
        made_by: bundle.made_by.to_string(),
        head: bundle.head.to_string(),
        count: bundle.head.count,
        fault: bundle.fault.clone(),
    };
    page.render()
}

pub(super) fn entry(entry: &Entry) -> askama::Result<String> {
    let recorded = &entry.recorded;
    let decision = &recorded.decision;
    let next = match &decision.outcome {
        Outcome::Allow { .. } => String::new(),
        Outcome::Deny { next_permissible_at: Some(at), .. } => format!("It might have been tried again from {at}."),
        Outcome::Deny { .. } => "Waiting alone would not have helped.".to_owned(),
    };
    let page = DecisionPage {
        seq: recorded.seq,
        id: recorded.id.to_string(),
        answer: if decision.is_allowed() { "ALLOWED" } else { "DENIED" },
        is_allowed: decision.is_allowed(),
        asked: asked(entry),
        basis: &decision.basis,
        reasons: decision.reasons(),
        next,
        places: &decision.places,
        inputs: entry.evidence.iter().flat_map(input_lines).collect(),
        unknown: entry.evidence.as_ref().map(unknown).unwrap_or_default(),
        outcomes: entry.evidence.iter().flat_map(outcome_lines).collect(),
        warnings: &decision.warnings,
        rules: rules(entry),
        dialled: dialled(entry),
        chain: vec![
            ("Hash of the entry before", recorded.prev_hash.clone()),
            ("Hash of this entry", recorded.hash.clone()),
            ("Made again for this export", entry.replay.to_string()),
        ],
        hashed_line: &recorded.hashed_line,
    };
    page.render()
}

fn asked(entry: &Entry) -> Vec<(&'static str, String)> {
    let recorded = &entry.recorded;
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let subject = recorded.subject.as_ref();
    let number = subject.map_or("erased after its time".to_owned(), |subject| subject.number.as_str().to_owned());
    let intent = match recorded.intent {
        crate::store::Intent::Dial => "to place a call now",
        crate::store::Intent::Inquiry => "to know (nothing was dialled)",
    };
    let mut asked = vec![
        (
            "Asked",
            format!("{} by {} through the door {}", recorded.recorded_at, recorded.actor.name, recorded.actor.door),
        ),
        ("Wanted", intent.to_owned()),
        ("Number", number),
        ("Purpose", word(serde_json::json!(recorded.purpose))),
        ("Voice", word(serde_json::json!(recorded.voice))),
        ("Decided for the instant", recorded.decision.decided_at.to_string()),
    ];
    asked.extend(subject.and_then(|subject| subject.lead_id).map(|lead| ("Lead", lead.to_string())));
    asked.extend(recorded.call_id.map(|call| ("Call", call.to_string())));
    asked
}

fn input_lines(evidence: &Evidence) -> impl Iterator<Item = InputLine> {
    evidence.inputs.iter().map(|input| InputLine {
        fact: input.fact.clone(),
        says: input.says.clone(),
        source: match &input.version {
            Some(version) => format!("{} ({version})", input.source),
            None => input.source.clone(),
        },
        as_of: input.as_of,
        age: age(input.age_s),
    })
}

/// The facts of which nothing was known. Where a rule needed one, that was a denial.
fn unknown(evidence: &Evidence) -> Vec<&'static str> {
    let facts = &evidence.facts;
    [
        ("the line type (taken for a mobile)", facts.line_type.is_none()),
        ("the national do-not-call registry", facts.national_dnc.is_none()),
        ("the states' do-not-call lists", facts.state_dnc.is_none()),
        ("the age of the do-not-call lists", facts.dnc_list_date.is_none()),
        ("the litigator list", facts.litigator.is_none()),
        ("the Reassigned Numbers Database", facts.reassigned.is_none()),
    ]
    .into_iter()
    .filter_map(|(what, is_unknown)| is_unknown.then_some(what))
    .collect()
}

fn outcome_lines(evidence: &Evidence) -> impl Iterator<Item = OutcomeLine> {
    evidence.outcomes.iter().map(|outcome| {
        let codes: Vec<_> = outcome.denies_with.iter().map(ToString::to_string).collect();
        OutcomeLine {
            rule: outcome.rule.to_string(),
            law: RULES.iter().find(|rule| rule.name == outcome.rule).map_or("", |rule| rule.law),
            denies: !codes.is_empty(),
            answer: if codes.is_empty() { "no objection".to_owned() } else { codes.join(", ") },
        }
    })
}

fn rules(entry: &Entry) -> Vec<(&'static str, String)> {
    let decision = &entry.recorded.decision;
    let mut rules = vec![
        ("Rule tables", decision.rule_set.clone()),
        ("Profile", decision.profile.clone()),
        ("Time-zone data", decision.tzdb.clone()),
    ];
    rules.extend(entry.evidence.as_ref().map(|evidence| ("Program", format!("Clearline {}", evidence.program))));
    rules.extend(decision.consent_id.map(|id| ("Permission relied on", id.to_string())));
    rules
}

fn dialled(entry: &Entry) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(slot) = &entry.slot {
        let closed = slot.closed_at.map_or_else(String::new, |at| format!(" at {at}"));
        lines.push(("Slot", format!("{} held from {}; now {}{closed}", slot.id, slot.reserved_at, slot.state)));
    }
    if let Some(attempt) = &entry.attempt {
        let settled = attempt.settled_at.map_or_else(String::new, |at| format!(" (known at {at})"));
        lines
            .push(("Dial attempt", format!("{} begun {}: {}{settled}", attempt.id, attempt.started_at, attempt.state)));
        lines.extend(attempt.call_sid.as_ref().map(|sid| ("The carrier's id", sid.to_string())));
    }
    if let Some(call) = &entry.call {
        let outcome = call.disposition.map_or("not ended", crate::domain::Disposition::as_str);
        lines.push(("Call", format!("{}: {outcome}", call.id)));
        lines.extend(call.answered_at.map(|at| ("Answered", at.to_string())));
        lines.extend(call.ended_at.map(|at| ("Ended", at.to_string())));
    }
    if lines.is_empty() {
        lines.push(("Dialled", "nothing was dialled under this decision".to_owned()));
    }
    lines
}

pub(super) fn person(person: &PersonRecords) -> askama::Result<String> {
    let consents = person.consents.iter().map(|recorded| {
        let consent = &recorded.consent;
        let evidence = &consent.evidence;
        let mut lines = vec![
            ("Record", consent.id.to_string()),
            ("Kind", format!("{:?}", consent.kind).to_lowercase()),
            ("Covers", consent.scope.join(", ")),
            ("Seller", consent.seller.clone()),
            ("Given", format!("{}, {}", consent.given_at, evidence.method)),
            ("Words agreed to", evidence.text.clone()),
            ("SHA-256 of the words", evidence.text_sha256.clone()),
            ("Recorded", format!("{} by {}", recorded.recorded_at, recorded.recorded_by)),
        ];
        lines.extend(consent.expires_at.map(|at| ("Good until", at.to_string())));
        let more = [
            ("Page", &evidence.url),
            ("IP address", &evidence.ip),
            ("User agent", &evidence.user_agent),
            ("Certificate", &evidence.certificate_id),
            ("Certificate at", &evidence.certificate_url),
        ];
        lines.extend(more.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))));
        lines
    });
    let quoted = |words: &str| if words.is_empty() { String::new() } else { format!(": \u{201c}{words}\u{201d}") };
    let withdrawals = person.dnc.revocations.iter().map(|revocation| {
        format!("Permission withdrawn {} ({}){}", revocation.at, revocation.channel, quoted(&revocation.words))
    });
    let entries = person.dnc.entries.iter().map(|entry| {
        let end = entry.removed.as_ref().map_or_else(
            || "still listed".to_owned(),
            |removed| format!("removed {} by {}{}", removed.at, removed.by.name, quoted(&removed.reason)),
        );
        let words = quoted(&entry.words);
        format!("On the internal do-not-call list since {} ({}){words}; {end}", entry.added_at, entry.channel)
    });
    let number = person.number.as_str().to_owned();
    PersonPage { number, consents: consents.collect(), refusals: withdrawals.chain(entries).collect() }.render()
}

pub(super) fn closing(bundle: &Bundle, actions: &[OperatorAction]) -> askama::Result<String> {
    ClosingPage { actions, head: bundle.head.to_string() }.render()
}

/// An age in words: `3 d 4 h`, `12 s`.
fn age(seconds: i64) -> String {
    if seconds < 0 {
        return format!("{} s after the decision's instant", -seconds);
    }
    let age = SignedDuration::from_secs(seconds);
    let (days, hours, minutes) = (age.as_hours() / 24, age.as_hours() % 24, age.as_mins() % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_two_units_at_most() {
        let ages = [0, 59, 60, 3_660, 90_000, -5].map(age);
        assert_eq!(ages, ["0 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h", "5 s after the decision's instant"]);
    }
}
