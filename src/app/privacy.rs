//! Erase a person's data, as far as the law lets it go: content at once, evidence when its time is over.

use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use crate::domain::E164;
use crate::domain::event::Actor;
use crate::store::{Erased, Kept, Store, StoreError};

use super::App;

/// The least that the law asks: 16 CFR 310.5 (five years), 47 CFR 64.1200(d)(6).
pub(super) const LEAST_YEARS: u32 = 5;

/// What an erasure did, what it left, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    pub erased: Erased,
    pub kept: Kept,
    /// Evidence from before this instant went.
    pub evidence_until: Timestamp,
    /// A sentence for each kind that was kept.
    pub reasons: Vec<String>,
}

/// Evidence from before this instant need not be kept any more. 0 years stand for the least that the law asks.
pub fn evidence_until(years: u32, now: Timestamp) -> Timestamp {
    let years = i64::from(years.max(LEAST_YEARS));
    let until = now.to_zoned(jiff::tz::TimeZone::UTC).checked_sub(years.years());
    until.map_or(Timestamp::MIN, |zoned| zoned.timestamp())
}

/// Erases what names the person of a number.
pub async fn erase_person(
    store: &Store,
    number: &E164,
    years: u32,
    by: &Actor,
    now: Timestamp,
) -> Result<Erasure, StoreError> {
    let evidence_until = evidence_until(years, now);
    let (erased, kept) = store.erase_person(number, evidence_until, by, now).await?;
    Ok(Erasure { erased, kept, evidence_until, reasons: reasons(&kept, years.max(LEAST_YEARS)) })
}

fn reasons(kept: &Kept, years: u32) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut keep = |count: i64, what: &str, why: &str| {
        if count > 0 {
            reasons.push(format!("{count} {what}: {why}"));
        }
    };
    let proof = format!("kept {years} years as proof of what was known and decided (16 CFR 310.5; 28 USC 1658)");
    keep(kept.decisions, "decisions of the gate with number and facts", &proof);
    keep(kept.attempts, "dial attempts", &format!("kept {years} years (16 CFR 310.5(a)); the caps count them too"));
    keep(
        kept.calls - kept.running_calls,
        "call records (number, times, outcome)",
        &format!("kept {years} years (16 CFR 310.5(a))"),
    );
    keep(kept.running_calls, "calls that are running", "nothing of them was erased; erase again when they have ended");
    keep(
        kept.consents,
        "records of permission",
        &format!(
            "the burden of proof is the caller's: kept {years} years after the last call under them (16 CFR 310.5(a))"
        ),
    );
    keep(
        kept.do_not_call_entries,
        "entries of the internal do-not-call list",
        "kept for ever: without them the person could be called again (47 CFR 64.1200(d)(6))",
    );
    keep(
        kept.revocations,
        "withdrawals of permission",
        "kept with the permissions that they end (47 CFR 64.1200(a)(10))",
    );
    keep(kept.relationships, "records of a business relationship", &proof);
    keep(kept.reassigned_answers, "answers about reassignment", "kept as proof of the query (47 CFR 64.1200(m))");
    keep(
        kept.protected_lines,
        "marks of a protected line, without a name",
        "they bind whoever calls the number (47 CFR 64.1200(a)(1)(i)-(ii))",
    );
    reasons
}

impl App {
    /// The same with this server's settings.
    pub async fn erase_person(&self, number: &E164, by: &Actor) -> Result<Erasure, StoreError> {
        let years = self.config.store.evidence_retention_years;
        let erasure = erase_person(&self.store, number, years, by, self.clock.now()).await?;
        tracing::info!(%number, by = by.name, "a person's data were erased");
        Ok(erasure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_goes_below_what_the_law_asks() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let wanted = "2021-11-21T12:00:00Z".parse().unwrap();
        assert_eq!((evidence_until(0, now), evidence_until(1, now), evidence_until(5, now)), (wanted, wanted, wanted));
        assert_eq!(evidence_until(7, now), "2019-11-21T12:00:00Z".parse().unwrap());
    }
}
