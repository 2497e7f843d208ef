//! What the records amount to at the time of the call: is there a valid consent, is a business relationship alive.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::case::LocalTime;
use super::facts::{ConsentFact, Facts, Relationship, RelationshipKind};
use super::tables::permission::RelationshipTerm;
use super::tables::row::Row;
use crate::domain::consent::ConsentKind;
use crate::domain::{Purpose, ReasonCode};

/// The consents on record, judged.
#[derive(Debug)]
pub struct ConsentStanding<'a> {
    /// The valid record that is relied on: for a sales call the strongest, among equals the newest; else the newest, since any will do.
    pub valid: Option<&'a ConsentFact>,
    /// Where none is valid: what is wrong with the record that comes closest, in the order of precedence. Empty if
    /// there is no record that was not revoked.
    pub failures: Vec<ReasonCode>,
}

impl<'a> ConsentStanding<'a> {
    pub fn judge(facts: &'a Facts, now: Timestamp) -> Self {
        let standing = |record: &&ConsentFact| !is_revoked(record, facts.revoked_at, now);
        let records = || facts.consents.iter().filter(standing);
        let valid =
            records().filter(|record| failures(record, facts.purpose, now).next().is_none()).max_by_key(|record| {
                let strength = (facts.purpose == Purpose::Telemarketing).then_some(record.kind);
                (strength, record.given_at, record.kind, record.id)
            });
        let failures = match valid {
            Some(_) => Vec::new(),
            None => records()
                .map(|record| failures(record, facts.purpose, now).collect::<Vec<_>>())
                .min_by(|a, b| a.len().cmp(&b.len()).then_with(|| b.cmp(a)))
                .unwrap_or_default(),
        };
        Self { valid, failures }
    }

    pub fn is_valid(&self) -> bool {
        self.valid.is_some()
    }

    pub fn is_written(&self) -> bool {
        self.valid.is_some_and(|record| record.kind == ConsentKind::Written)
    }
}

/// A record that was given before the last withdrawal no longer counts; one given after it, and not after the call,
/// does.
fn is_revoked(record: &ConsentFact, revoked_at: Option<Timestamp>, now: Timestamp) -> bool {
    match (revoked_at, record.given_at) {
        (Some(revoked_at), Some(given_at)) => revoked_at <= now && given_at <= revoked_at,
        (Some(revoked_at), None) => revoked_at <= now,
        (None, _) => false,
    }
}

fn failures(record: &ConsentFact, purpose: Purpose, now: Timestamp) -> impl Iterator<Item = ReasonCode> {
    let not_yet = record.given_at.is_some_and(|given_at| given_at > now);
    let expired = record.expires_at.is_some_and(|expires_at| expires_at <= now);
    let tests = [
        (not_yet, ReasonCode::ConsentNotYetValid),
        (expired, ReasonCode::ConsentExpired),
        (!record.names_this_number, ReasonCode::ConsentNumberMismatch),
        (!record.names_this_seller, ReasonCode::ConsentSellerMismatch),
        (!covers(record, purpose), ReasonCode::ConsentPurposeMismatch),
        (record.given_at.is_none(), ReasonCode::FactUnknown),
    ];
    tests.into_iter().filter_map(|(failed, code)| failed.then_some(code))
}

/// Sales calls need the token `telemarketing`; calls that sell nothing are covered by any scope.
fn covers(record: &ConsentFact, purpose: Purpose) -> bool {
    purpose != Purpose::Telemarketing || record.scope.iter().any(|token| token.eq_ignore_ascii_case("telemarketing"))
}

/// The business relationships that are alive on the local date of the call.
#[derive(Debug, Clone, Copy, Default)]
pub struct LiveRelationships {
    /// The newest date of each kind.
    pub purchase: Option<Date>,
    pub inquiry: Option<Date>,
}

impl LiveRelationships {
    /// Asking not to be called ends whatever there was until that day, 47 CFR 64.1200(f)(5)(i): the latest that it may have been where
    /// the called party is.
    pub fn judge(
        facts: &Facts,
        terms: &[Row<RelationshipTerm>],
        zones: &[LocalTime],
        now: Timestamp,
        today: Date,
    ) -> Self {
        let latest_day = |at: Timestamp| {
            let days = zones.iter().map(|local| local.zone.tz.to_datetime(at).date());
            days.max().unwrap_or_else(|| at.to_zoned(TimeZone::UTC).date())
        };
        let ended = facts.revoked_at.filter(|at| *at <= now).map(latest_day);
        let newest = |kind: RelationshipKind| {
            let of_kind = facts.relationships.iter().filter(|record| record.kind == kind);
            let of_kind = of_kind.filter(|record| ended.is_none_or(|ended| ended < record.date));
            of_kind.filter(|record| is_alive(**record, terms, today)).map(|record| record.date).max()
        };
        Self { purchase: newest(RelationshipKind::Purchase), inquiry: newest(RelationshipKind::Inquiry) }
    }

    pub fn any(&self) -> bool {
        self.purchase.is_some() || self.inquiry.is_some()
    }
}

/// Alive up to and including the last day of both terms; the day is clamped to the end of a shorter month. A kind
/// without terms is never alive.
fn is_alive(record: Relationship, terms: &[Row<RelationshipTerm>], today: Date) -> bool {
    let mut of_kind = terms.iter().filter(|row| row.says.kind == record.kind && row.is_in_force_on(today)).peekable();
    of_kind.peek().is_some()
        && record.date <= today
        && of_kind.all(|row| {
            let after_months = record.date.saturating_add(Span::new().months(row.says.months));
            let after_days = record.date.saturating_add(Span::new().days(row.says.days));
            today <= after_months && today <= after_days
        })
}
