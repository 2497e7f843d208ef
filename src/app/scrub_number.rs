//! Scrub a number before a decision: find out whether it was reassigned since the person agreed, where that is not on record or
//! the record is too old.
//!
//! It runs before the store's transaction, which must not wait for somebody else's server, and leaves its answers in the store, where
//! the decision finds them. No answer is no fact: the gate then denies with `FACT_UNKNOWN`, and the reason says which vendor failed.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::compliance::facts::{ConsentFact, Facts, Reassigned};
use crate::compliance::standing::ConsentStanding;
use crate::config::{ScrubConfig, ScrubVendor};
use crate::domain::consent::Consent;
use crate::domain::decision::{LineType, Voice};
use crate::domain::{E164, Purpose};
use crate::scrub::{ScrubAnswer, ScrubClient};
use crate::store::{LineTypeAnswer, NumberRecord, ReassignedAnswer, Reassignment, Relationship, Store, StoreError};

/// Whom to ask, and how long an answer counts.
#[derive(Debug)]
pub(super) struct Scrubbing {
    vendor: Option<ScrubClient>,
    max_age: SignedDuration,
}

impl Scrubbing {
    pub(super) fn new(settings: &ScrubConfig, vendor: Option<ScrubClient>) -> Self {
        let hours = match settings.vendor {
            ScrubVendor::Off => ScrubConfig::LONGEST_AGE_H,
            ScrubVendor::TwilioLookup => settings.max_age_h,
        };
        Self { vendor, max_age: SignedDuration::from_hours(hours.into()) }
    }

    /// Asks the vendor about a number if what is on record does not do, and records the answer. Returns why there is none.
    pub(super) async fn refresh(
        &self,
        store: &Store,
        seller: &str,
        number: &E164,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Some(vendor) = &self.vendor else { return Ok(None) };
        // Twice: a number that changed hands may have been permitted anew, and then that permission is asked about.
        for _ in 0..2 {
            let record = store.number_record(number).await?;
            let mut facts = Facts::unknown(number.as_str(), purpose, Voice::Ai);
            facts.consents = consent_facts(&record.consents, &record.reassigned, seller);
            facts.revoked_at = record.revoked_at;
            let Some(since) = held_since(&facts, &record.relationships, now) else {
                return Ok(Some(format!(
                    "{} was not asked: no consent and no business relationship is on record whose date could be asked about",
                    vendor.vendor()
                )));
            };
            if self.counting(&record.reassigned, Some(since), now).is_some() {
                break;
            }
            let answer = match vendor.ask(number, since).await {
                Ok(answer) => answer,
                Err(error) => return Ok(Some(error.to_string())),
            };
            keep(store, number, &record, answer, since, vendor.vendor().to_string(), now).await?;
        }
        Ok(None)
    }

    /// The answer that counts for somebody who was last known to have the number on `since`.
    ///
    /// "Disconnected on or after a day" holds for every earlier day too, and for ever. "Not disconnected since a day" and "no data"
    /// hold for every later day too while they are fresh, even a day after the question: a number that is given up rests for 45 days
    /// before somebody else gets it (47 CFR 52.15(f)(1)(ii)), which is longer than any answer counts.
    pub(super) fn counting(
        &self,
        answers: &[ReassignedAnswer],
        since: Option<Date>,
        now: Timestamp,
    ) -> Option<Reassigned> {
        let counts = |answer: &&ReassignedAnswer| match answer.answer {
            Reassignment::Yes => since.is_none_or(|since| since <= answer.consent_date),
            Reassignment::No | Reassignment::NoData => {
                let age = now.duration_since(answer.asked_at);
                let fresh = !age.is_negative() && age <= self.max_age;
                fresh && since.is_none_or(|since| answer.consent_date <= since)
            }
        };
        let answers: Vec<_> = answers.iter().filter(counts).collect();
        if answers.iter().any(|answer| answer.answer == Reassignment::Yes) {
            return Some(Reassigned::Yes);
        }
        let newest = answers.into_iter().max_by_key(|answer| answer.asked_at)?;
        Some(if newest.answer == Reassignment::No { Reassigned::No } else { Reassigned::NoData })
    }
}

/// Records what a vendor answered about `since`.
async fn keep(
    store: &Store,
    number: &E164,
    record: &NumberRecord,
    answer: ScrubAnswer,
    since: Date,
    source: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    // A vendor cannot tell a business from a home, so it does not overrule somebody who could.
    let knows_better =
        record.line_type == Some(LineType::LandlineBusiness) && answer.line_type == Some(LineType::LandlineResidential);
    if let Some(line_type) = answer.line_type.filter(|_| !knows_better) {
        let answer = LineTypeAnswer { line_type, asked_at: now, source: source.clone() };
        store.record_line_type(number, answer).await?;
    }
    let answer = match answer.reassigned {
        Reassigned::Yes => Reassignment::Yes,
        Reassigned::No => Reassignment::No,
        Reassigned::NoData => Reassignment::NoData,
    };
    store
        .record_reassigned_answer(number, ReassignedAnswer { consent_date: since, answer, asked_at: now, source })
        .await
}

/// The newest day since which, by a register, a number has changed hands.
pub(super) fn changed_hands(answers: &[ReassignedAnswer]) -> Option<Date> {
    answers.iter().filter(|answer| answer.answer == Reassignment::Yes).map(|answer| answer.consent_date).max()
}

/// The consents of a number, in the gate's words. Those from before it changed hands are another person's: where the new holder gave
/// one, theirs are left out.
pub(super) fn consent_facts(consents: &[Consent], answers: &[ReassignedAnswer], seller: &str) -> Vec<ConsentFact> {
    let changed_hands = changed_hands(answers);
    let is_since = |consent: &&Consent| changed_hands.is_none_or(|day_of| day_of < day(consent.given_at));
    let is_known_since = consents.iter().filter(is_since).any(|consent| consent.seller == seller);
    let fact = |consent: &Consent| ConsentFact {
        id: Some(consent.id),
        kind: consent.kind,
        scope: consent.scope.clone(),
        given_at: Some(consent.given_at),
        expires_at: consent.expires_at,
        // The store looks consents up by their number.
        names_this_number: true,
        names_this_seller: consent.seller == seller,
    };
    consents.iter().filter(|consent| !is_known_since || is_since(consent)).map(fact).collect()
}

/// The last day on which the person was known to have the number, which is what 47 CFR 64.1200(m) wants to be asked about: of the
/// consent that the decision relies on; without any that is valid, of the newest that names the seller; without that, of the newest
/// purchase or inquiry.
pub(super) fn held_since(facts: &Facts, relationships: &[Relationship], now: Timestamp) -> Option<Date> {
    let relied_on = ConsentStanding::judge(facts, now).valid.and_then(|consent| consent.given_at);
    let of_seller = || facts.consents.iter().filter(|consent| consent.names_this_seller);
    let newest = || of_seller().filter_map(|consent| consent.given_at).filter(|at| *at <= now).max();
    let met = || relationships.iter().map(|relationship| relationship.date).filter(|date| *date <= day(now)).max();
    relied_on.or_else(newest).map(day).or_else(met)
}

/// The day by UTC.
pub(super) fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ConsentId;
    use crate::domain::consent::{ConsentEvidence, ConsentKind};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn answer(answer: Reassignment, consent_date: Date, asked_at: &str) -> ReassignedAnswer {
        ReassignedAnswer { consent_date, answer, asked_at: at(asked_at), source: "tests".to_owned() }
    }

    /// Answers count for a day.
    fn counting(answers: &[ReassignedAnswer], since: Option<Date>) -> Option<Reassigned> {
        let scrubbing = Scrubbing { vendor: None, max_age: SignedDuration::from_hours(24) };
        scrubbing.counting(answers, since, at("2026-12-01T18:00:00Z"))
    }

    const SINCE: Date = date(2026, 9, 21);
    const FRESH: &str = "2026-12-01T12:00:00Z";

    #[test]
    fn no_counts_while_it_is_fresh() {
        let counts = |asked_at| counting(&[answer(Reassignment::No, SINCE, asked_at)], Some(SINCE));
        assert_eq!(counts("2026-11-30T18:00:00Z"), Some(Reassigned::No));
        assert_eq!(counts("2026-11-30T17:59:59Z"), None, "older than a day");
        assert_eq!(counts("2026-12-01T18:00:01Z"), None, "asked in the future");
    }

    #[test]
    fn no_counts_for_later_days_too() {
        let no_since = |day| counting(&[answer(Reassignment::No, day, FRESH)], Some(SINCE));
        assert_eq!(no_since(date(2026, 9, 20)), Some(Reassigned::No), "asked for an earlier consent");
        assert_eq!(no_since(date(2026, 9, 22)), None, "a disconnection on the 21st would not have shown");
        let asked_before_the_consent = [answer(Reassignment::No, SINCE, "2026-11-30T23:00:00Z")];
        assert_eq!(counting(&asked_before_the_consent, Some(date(2026, 12, 1))), Some(Reassigned::No));
    }

    #[test]
    fn yes_counts_for_earlier_days_and_for_ever() {
        let yes_since = |day| counting(&[answer(Reassignment::Yes, day, "2025-01-01T00:00:00Z")], Some(SINCE));
        assert_eq!(yes_since(date(2026, 9, 21)), Some(Reassigned::Yes));
        assert_eq!(yes_since(date(2026, 10, 1)), Some(Reassigned::Yes));
        assert_eq!(yes_since(date(2026, 9, 20)), None, "perhaps it changed hands before the consent");
    }

    #[test]
    fn yes_wins_and_else_the_newest() {
        let yes = answer(Reassignment::Yes, SINCE, "2026-10-01T00:00:00Z");
        let no = answer(Reassignment::No, SINCE, "2026-12-01T10:00:00Z");
        let no_data = answer(Reassignment::NoData, SINCE, FRESH);
        assert_eq!(counting(&[no.clone(), no_data.clone()], Some(SINCE)), Some(Reassigned::NoData));
        assert_eq!(counting(&[no_data.clone(), no.clone()], Some(SINCE)), Some(Reassigned::NoData));
        assert_eq!(counting(&[no, yes, no_data], Some(SINCE)), Some(Reassigned::Yes));
        assert_eq!(counting(&[], Some(SINCE)), None);
    }

    #[test]
    fn without_a_day_any_fresh_answer_counts() {
        assert_eq!(counting(&[answer(Reassignment::No, SINCE, FRESH)], None), Some(Reassigned::No));
        assert_eq!(counting(&[answer(Reassignment::No, SINCE, "2026-10-01T00:00:00Z")], None), None);
        assert_eq!(counting(&[answer(Reassignment::Yes, SINCE, "2026-10-01T00:00:00Z")], None), Some(Reassigned::Yes));
    }

    fn consent(kind: ConsentKind, scope: &str, given_at: &str) -> Consent {
        Consent {
            id: ConsentId::from_uuid(Uuid::from_u128(1)),
            number: "+12125550113".parse().unwrap(),
            kind,
            scope: vec![scope.to_owned()],
            seller: "Riverside Homes LLC".to_owned(),
            given_at: at(given_at),
            expires_at: None,
            evidence: ConsentEvidence::default(),
        }
    }

    fn asked_about(consents: &[Consent], answers: &[ReassignedAnswer], purpose: Purpose) -> Option<Date> {
        let mut facts = Facts::unknown("+12125550113", purpose, Voice::Ai);
        facts.consents = consent_facts(consents, answers, "Riverside Homes LLC");
        held_since(&facts, &[], at("2026-12-01T18:00:00Z"))
    }

    #[test]
    fn what_is_asked_about_is_the_consent_that_is_relied_on() {
        let written = consent(ConsentKind::Written, "telemarketing", "2024-05-01T15:00:00Z");
        let callback = consent(ConsentKind::Express, "callback", "2026-11-30T15:00:00Z");
        let paper = consent(ConsentKind::Written, "appointment", "2026-11-30T15:00:00Z");
        let both = [written.clone(), callback.clone()];
        assert_eq!(asked_about(&both, &[], Purpose::Telemarketing), Some(date(2024, 5, 1)));
        assert_eq!(asked_about(&[written.clone(), paper], &[], Purpose::Telemarketing), Some(date(2024, 5, 1)));
        assert_eq!(asked_about(&both, &[], Purpose::Informational), Some(date(2026, 11, 30)), "any will do");
        assert_eq!(asked_about(&[callback], &[], Purpose::Telemarketing), Some(date(2026, 11, 30)), "none is valid");

        // The number changed hands after the written one: the new holder's is what there is.
        let changed = [answer(Reassignment::Yes, date(2024, 5, 1), "2026-01-01T00:00:00Z")];
        let left = consent_facts(&both, &changed, "Riverside Homes LLC");
        assert_eq!(left.iter().map(|consent| consent.kind).collect::<Vec<_>>(), [ConsentKind::Express]);
        assert_eq!(asked_about(&both, &changed, Purpose::Informational), Some(date(2026, 11, 30)));
        assert_eq!(
            asked_about(&[written], &changed, Purpose::Telemarketing),
            Some(date(2024, 5, 1)),
            "REASSIGNED_NUMBER"
        );
    }
}
