//! Record a permission to call. Consents are added, never changed; a withdrawal is a record of its own.

use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::domain::consent::{Consent, ConsentEvidence, ConsentKind, OptOutChannel, Revocation};
use crate::domain::event::{Actor, Door};
use crate::domain::{ConsentId, E164};
use crate::store::{ReassignedAnswer, Reassignment, Store, StoreError};

use super::leads::future_date;
use super::scrub_number::day;
use super::{App, ids};

/// How far the clock of whoever captured a consent may be ahead of ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(10);

/// The words of a consent may be this long, in characters.
const TEXT_LIMIT: usize = 100_000;

/// A permission as somebody reports it.
#[derive(Debug, Clone)]
pub struct NewConsent {
    pub number: E164,
    pub kind: ConsentKind,
    pub scope: Vec<String>,
    /// The seller that may call, by its legal name; none: this server's own.
    pub seller: Option<String>,
    pub given_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub evidence: ConsentEvidence,
    /// The day (UTC) on which the Reassigned Numbers Database was asked about the day of the consent and answered "no".
    pub rnd_checked_on: Option<Date>,
}

impl NewConsent {
    /// Everything that is wrong with it: the field, and a sentence. 47 CFR 64.1200(f)(9) says what a written one must hold.
    pub fn problems(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut must = |is_so: bool, field: &'static str, problem: &str| {
            if !is_so {
                problems.push((field, problem.to_owned()));
            }
        };
        let token = |token: &String| {
            !token.is_empty()
                && token.len() <= 64
                && token.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        };
        must(!self.scope.is_empty(), "scope", "it is empty: say what the consent covers, like telemarketing");
        must(self.scope.iter().all(token), "scope", "it is made of words like telemarketing or appointment");
        must(self.seller.as_ref().is_none_or(|seller| !seller.trim().is_empty()), "seller", "it is empty");
        must(
            self.given_at <= now.saturating_add(CLOCKS_DIFFER).unwrap_or(Timestamp::MAX),
            "given_at",
            "it is in the future",
        );
        must(self.expires_at.is_none_or(|at| at > self.given_at), "expires_at", "it is not after given_at");
        let checked = self.rnd_checked_on;
        must(checked.and_then(|checked| future_date(checked, now)).is_none(), "rnd_checked_on", "it is in the future");
        must(
            checked.is_none_or(|checked| checked >= day(self.given_at)),
            "rnd_checked_on",
            "it is before given_at, so that the answer says nothing of the time since",
        );
        let ConsentEvidence { method, text, text_sha256, url, ip, user_agent, certificate_id, certificate_url } =
            &self.evidence;
        must(!method.trim().is_empty(), "method", "it is empty: say how the consent was given, like web_form");
        must(
            self.kind != ConsentKind::Written || !text.trim().is_empty(),
            "text",
            "it is empty: a written consent is nothing without the words that the person agreed to",
        );
        must(text.chars().count() <= TEXT_LIMIT, "text", "it is longer than 100000 characters");
        must(
            text_sha256.is_empty() || *text_sha256 == sha256(text),
            "text_sha256",
            "it is not the SHA-256 of the text: one of them was changed on the way",
        );
        must(ip.as_deref().is_none_or(|ip| ip.parse::<IpAddr>().is_ok()), "ip", "it is no IP address");
        must(url.as_deref().is_none_or(is_web_address), "url", "it is no web address");
        must(certificate_url.as_deref().is_none_or(is_web_address), "certificate_url", "it is no web address");
        for (field, text) in [("user_agent", user_agent), ("certificate_id", certificate_id)] {
            must(text.as_deref().is_none_or(|text| text.len() <= 2_000), field, "it is longer than 2000 bytes");
        }
        problems
    }

    /// What the Reassigned Numbers Database said of the number, 47 CFR 64.1200(m).
    pub(super) fn rnd_answer(&self) -> Option<ReassignedAnswer> {
        let asked_at = self.rnd_checked_on?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let (consent_date, source) = (day(self.given_at), "operator".to_owned());
        Some(ReassignedAnswer { consent_date, answer: Reassignment::No, asked_at, source })
    }

    /// The record, under an id that follows from what it says: the same permission is the same record.
    pub(super) fn into_its_own_record(self) -> Consent {
        let record = self.into_record(ids::consent_of(""));
        let content = serde_json::to_string(&record).expect("consents serialise");
        Consent { id: ids::consent_of(&content), ..record }
    }

    /// The hash of the text is ours, whatever was sent.
    fn into_record(self, id: ConsentId) -> Consent {
        let text_sha256 = sha256(&self.evidence.text);
        Consent {
            id,
            number: self.number,
            kind: self.kind,
            scope: self.scope,
            seller: self.seller.unwrap_or_default(),
            given_at: self.given_at,
            expires_at: self.expires_at,
            evidence: ConsentEvidence { text_sha256, ..self.evidence },
        }
    }
}

impl App {
    pub async fn record_consent(&self, consent: NewConsent, by: &Actor) -> Result<ConsentId, StoreError> {
        record_consent(&self.store, &self.config.seller.name, consent, by, self.clock.now()).await
    }

    /// Ends every permission for the number, without putting it on the do-not-call list.
    pub async fn revoke_consent(&self, number: &E164, words: &str, by: &Actor) -> Result<(), StoreError> {
        let now = self.clock.now();
        let channel = if by.door == Door::Mcp { OptOutChannel::Mcp } else { OptOutChannel::Api };
        let revocation = Revocation { number: number.clone(), at: now, channel, words: words.to_owned() };
        self.store.record_revocation(revocation, None, by, now).await
    }
}

/// Writes a consent down, for this seller where it names none.
pub async fn record_consent(
    store: &Store,
    seller: &str,
    consent: NewConsent,
    by: &Actor,
    now: Timestamp,
) -> Result<ConsentId, StoreError> {
    let id = ids::consent();
    let seller = consent.seller.clone().unwrap_or_else(|| seller.to_owned());
    if let Some(answer) = consent.rnd_answer() {
        store.record_reassigned_answer(&consent.number, answer).await?;
    }
    let record = NewConsent { seller: Some(seller), ..consent }.into_record(id);
    store.record_consents(vec![record], by, now).await?;
    Ok(id)
}

fn sha256(text: &str) -> String {
    ids::hex(&Sha256::digest(text.as_bytes()))
}

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent() -> NewConsent {
        NewConsent {
            number: "+12125550113".parse().unwrap(),
            kind: ConsentKind::Written,
            scope: vec!["telemarketing".to_owned()],
            seller: Some("Riverside Homes".to_owned()),
            given_at: "2026-09-21T18:30:00Z".parse().unwrap(),
            expires_at: None,
            evidence: ConsentEvidence {
                method: "web_form".to_owned(),
                text: "You may call me.".to_owned(),
                ..ConsentEvidence::default()
            },
            rnd_checked_on: None,
        }
    }

    fn wrong(change: impl FnOnce(&mut NewConsent)) -> Vec<&'static str> {
        let mut consent = consent();
        change(&mut consent);
        let now = "2026-10-01T00:00:00Z".parse().unwrap();
        consent.problems(now).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        assert!(wrong(|_| {}).is_empty());
        assert_eq!(wrong(|c| c.scope.clear()), ["scope"]);
        assert_eq!(wrong(|c| c.scope = vec!["call me".to_owned()]), ["scope"]);
        assert_eq!(wrong(|c| c.given_at = "2026-10-02T00:00:00Z".parse().unwrap()), ["given_at"]);
        assert_eq!(wrong(|c| c.expires_at = Some(c.given_at)), ["expires_at"]);
        assert_eq!(wrong(|c| c.evidence.text.clear()), ["text"]);
        assert_eq!(wrong(|c| c.evidence.text_sha256 = "00".repeat(32)), ["text_sha256"]);
        assert!(wrong(|c| c.evidence.text_sha256 = sha256(&c.evidence.text)).is_empty());
        let all = wrong(|c| {
            c.evidence.ip = Some("1.2.3".to_owned());
            c.evidence.url = Some("example".to_owned());
            c.evidence.method.clear();
            c.seller = Some(" ".to_owned());
        });
        assert_eq!(all, ["seller", "method", "ip", "url"]);
        for (on, problems) in [("2026-09-21", 0), ("2026-10-01", 0), ("2026-09-20", 1), ("2026-10-02", 1)] {
            assert_eq!(wrong(|c| c.rnd_checked_on = Some(on.parse().unwrap())).len(), problems, "{on}");
        }
        assert!(wrong(|c| (c.kind, c.evidence.text) = (ConsentKind::Express, String::new())).is_empty());
    }

    #[test]
    fn the_same_permission_is_the_same_record() {
        let first = consent().into_its_own_record();
        assert_eq!(consent().into_its_own_record(), first);
        let mut later = consent();
        later.expires_at = Some("2027-01-01T00:00:00Z".parse().unwrap());
        assert_ne!(later.into_its_own_record().id, first.id);
    }
}
