//! Record a permission to call. Consents are added, never changed; a withdrawal is a record of its own.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::domain::consent::{Consent, ConsentEvidence, ConsentKind, OptOutChannel, Revocation};
use crate::domain::event::{Actor, Door};
use crate::domain::{ConsentId, E164};
use crate::store::{Store, StoreError};

use super::{App, ids};

/// A permission as somebody reports it.
#[derive(Debug, Clone)]
pub struct NewConsent {
    pub number: E164,
    pub kind: ConsentKind,
    pub scope: Vec<String>,
    pub given_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub evidence: ConsentEvidence,
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

/// Writes a consent down for this seller. The hash of the text is ours, whatever was sent.
pub async fn record_consent(
    store: &Store,
    seller: &str,
    consent: NewConsent,
    by: &Actor,
    now: Timestamp,
) -> Result<ConsentId, StoreError> {
    let id = ids::consent();
    let text_sha256 = ids::hex(&Sha256::digest(consent.evidence.text.as_bytes()));
    let consent = Consent {
        id,
        number: consent.number,
        kind: consent.kind,
        scope: consent.scope,
        seller: seller.to_owned(),
        given_at: consent.given_at,
        expires_at: consent.expires_at,
        evidence: ConsentEvidence { text_sha256, ..consent.evidence },
    };
    store.record_consents(vec![consent], by, now).await?;
    Ok(id)
}
