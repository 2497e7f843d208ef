//! New ids: time-ordered for calls, so that newer ones sort later, and random for the rest.

use std::fmt::Write as _;

use jiff::Timestamp;
use uuid::{NoContext, Uuid};

use sha2::{Digest as _, Sha256};

use crate::domain::event::Actor;
use crate::domain::{AttemptId, CallId, ConsentId, KeyId, LeadId};

pub(super) fn call(now: Timestamp) -> CallId {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    CallId::from_uuid(Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds)))
}

/// The call of an idempotency key: the same key of the same actor is the same call, without a table of keys. `number` counts the
/// calls of the key, of which the first is 0.
pub(super) fn call_of_key(actor: &Actor, key: &str, number: u32) -> CallId {
    let name = format!("{:?}\n{}\n{key}\n{number}", actor.door, actor.name);
    CallId::from_uuid(uuid_of(&name))
}

/// The lead that goes by this name of this kind (a number, an id of the operator's): the same name is the same lead.
pub(super) fn lead_of(kind: &str, name: &str) -> LeadId {
    LeadId::from_uuid(uuid_of(&format!("{kind}\n{name}")))
}

/// The record that holds this: the same content is the same record.
pub(super) fn consent_of(content: &str) -> ConsentId {
    ConsentId::from_uuid(uuid_of(content))
}

fn uuid_of(name: &str) -> Uuid {
    let hash = Sha256::digest(name.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

pub(super) fn attempt() -> AttemptId {
    AttemptId::from_uuid(Uuid::new_v4())
}

pub(super) fn consent() -> ConsentId {
    ConsentId::from_uuid(Uuid::new_v4())
}

pub(super) fn key() -> KeyId {
    KeyId::from_uuid(Uuid::new_v4())
}

/// A text that cannot be guessed: 32 random bytes in lower-case hex.
pub(super) fn secret_text() -> String {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    hex(&bytes)
}

/// What tells one row of texts from every other: SHA-256 in hexadecimal.
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that no part can pass for the end of the one before.
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
