//! Where the facts of a decision came from and how old they were: the part of the evidence that the gate itself does not need.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::compliance::evidence::Input;
use crate::domain::consent::Consent;
use crate::lists::{ListAnswer, ListName, Listing};
use crate::store::StoredFacts;

use super::scrub_number::{changed_hands, day};
use super::{GateQuestion, addresses};

/// A consent, and whether it was the number's holder of before who gave it.
fn in_words(consent: &Consent, stored: &StoredFacts) -> String {
    let before = changed_hands(&stored.reassigned).filter(|since| day(consent.given_at) <= *since);
    let before = before.map_or("", |_| ", of before the number changed hands");
    format!("{:?} consent for {}{before}", consent.kind, consent.scope.join(", "))
}

/// One entry for each thing that is known of the number. What is missing here was not known, or there was none.
pub(super) fn inputs(
    stored: &StoredFacts,
    on_disk: &[ListAnswer],
    question: &GateQuestion,
    now: Timestamp,
) -> Vec<Input> {
    let mut inputs = Vec::new();
    let mut add = |fact: &str, says: String, source: &str, as_of: Timestamp| {
        inputs.push(Input::new(fact, says, source, as_of, now));
    };
    if let Some(stop) = &stored.outbound_stop {
        add("outbound_stopped", format!("all calls are stopped: {}", stop.reason), &stop.by.name, stop.since);
    }
    if let Some(since) = stored.internal_dnc_at {
        add("internal_dnc_at", "on the company's own list".to_owned(), "internal do-not-call list", since);
    }
    for revocation in &stored.revocations {
        add("revoked_at", "permission withdrawn".to_owned(), &format!("{:?}", revocation.channel), revocation.at);
    }
    for consent in &stored.consents {
        add("consents", in_words(consent, stored), &consent.id.to_string(), consent.given_at);
    }
    if let (Some(listed), Some(as_of)) = (stored.litigator, stored.litigators_as_of) {
        let says = if listed { "on the list" } else { "not on the list" };
        add("litigator", says.to_owned(), "litigator list", midnight(as_of));
    }
    for answer in &stored.reassigned {
        let says = format!("{:?}, asked about {}", answer.answer, answer.consent_date);
        add("reassigned", says, &answer.source, answer.asked_at);
    }
    for answer in &stored.dnc_answers {
        let fact = if answer.list == "national" { "national_dnc" } else { "state_dnc" };
        let says = if answer.listed { "on the list" } else { "not on the list" };
        add(fact, format!("{says} {} of {}", answer.list, answer.as_of), &answer.source, answer.asked_at);
    }
    for (answer, entry) in on_disk.iter().filter_map(|answer| Some((answer, answer.entry.as_ref()?))) {
        let says = match &answer.listing {
            Listing::Listed => "on the list",
            Listing::NotListed => "not on the list",
            Listing::NotCovered | Listing::Unreadable(_) => continue,
        };
        let fact = if answer.list == ListName::National { "national_dnc" } else { "state_dnc" };
        let says = format!("{says} {} of {}, version {}", answer.list, entry.as_of, answer.version);
        add(fact, says, "list on disk", midnight(entry.as_of));
    }
    if let Some(line_type) = question.line_type {
        add("line_type", format!("{line_type:?}"), "the question", now);
    } else if let Some(answer) = &stored.line_type {
        add("line_type", format!("{:?}", answer.line_type), &answer.source, answer.asked_at);
    }
    for relationship in &stored.relationships {
        add("relationships", format!("{:?}", relationship.kind), "operator's record", midnight(relationship.date));
    }
    let known = addresses::known(&stored.addresses);
    for address in &stored.addresses {
        let fact = if known == Some(address) { "known_state" } else { "other_addresses" };
        let place = [address.state.as_deref(), address.time_zone.as_deref()].into_iter().flatten().collect::<Vec<_>>();
        add(fact, format!("address in {}", place.join(", ")), &address.lead_id.to_string(), address.updated_at);
    }
    if let Some(lead) = &stored.protected_by {
        add("protected_line", format!("{:?}", lead.protected_line), &lead.id.to_string(), lead.updated_at);
    }
    for attempt in &stored.attempts {
        add("attempts", "the number was dialled".to_owned(), "dial attempts", *attempt);
    }
    inputs
}

/// The instant that begins a date, in UTC.
fn midnight(date: Date) -> Timestamp {
    date.to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |zoned| zoned.timestamp())
}
