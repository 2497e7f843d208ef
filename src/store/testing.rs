//! What the store's tests share: stores in memory and on disk, fixed instants, numbers, and gates that always say the same.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::reservations::GateRequest;
use super::{Intent, Store, StoredFacts};
use crate::domain::consent::{Consent, ConsentEvidence, ConsentKind};
use crate::domain::decision::{AllowCode, Outcome, Reason, Voice};
use crate::domain::event::{Actor, Created, Door};
use crate::domain::lead::{Lead, LeadStatus, ProtectedLine};
use crate::domain::{AttemptId, CallEvent, CallId, ConsentId, Decision, Direction, E164, LeadId, Purpose, ReasonCode};

/// A directory of a test's own, deleted with it.
pub(super) struct Scratch {
    directory: PathBuf,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("clearline-store-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&directory).unwrap();
        Self { directory }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn database(&self) -> PathBuf {
        self.directory.join("store.sqlite3")
    }

    pub(super) fn url(&self) -> String {
        format!("sqlite://{}", self.database().display())
    }

    pub(super) async fn open(&self) -> Store {
        Store::open(&self.url(), &TaskTracker::new()).await.unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover in the system's temporary directory is no reason to fail a test that passed.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub(super) async fn store() -> Store {
    Store::open("sqlite::memory:", &TaskTracker::new()).await.unwrap()
}

pub(super) async fn on_disk() -> (Store, Scratch) {
    let scratch = Scratch::new();
    (scratch.open().await, scratch)
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// So many seconds after noon in New York on a weekday.
pub(super) fn at(seconds: i64) -> Timestamp {
    "2026-11-18T17:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

pub(super) fn number(text: &str) -> E164 {
    text.parse().unwrap()
}

pub(super) fn call_id(n: u128) -> CallId {
    CallId::from_uuid(Uuid::from_u128(n))
}

pub(super) fn attempt_id(n: u128) -> AttemptId {
    AttemptId::from_uuid(Uuid::from_u128(n))
}

pub(super) fn operator() -> Actor {
    Actor::new(Door::Cli, "operator")
}

pub(super) fn created(to: &str) -> CallEvent {
    CallEvent::Created(Created {
        direction: Direction::Outbound,
        from: "+12125550100".into(),
        to: to.into(),
        agent: "elevenlabs:agent_1".parse().unwrap(),
        purpose: Some(Purpose::Telemarketing),
        lead_id: None,
        dynamic_variables: std::collections::BTreeMap::new(),
        requested_by: operator(),
    })
}

pub(super) fn consent(n: u128, text: &str, given_at: Timestamp) -> Consent {
    Consent {
        id: ConsentId::from_uuid(Uuid::from_u128(n)),
        number: number(text),
        kind: ConsentKind::Written,
        scope: vec!["telemarketing".to_owned()],
        seller: "Example Homes LLC".to_owned(),
        given_at,
        expires_at: None,
        evidence: ConsentEvidence::default(),
    }
}

pub(super) fn lead(n: u128, text: &str) -> Lead {
    Lead {
        id: LeadId::from_uuid(Uuid::from_u128(n)),
        number: number(text),
        first_name: "Ada".to_owned(),
        last_name: "Example".to_owned(),
        email: None,
        state: Some("NY".to_owned()),
        time_zone: Some("America/New_York".to_owned()),
        protected_line: ProtectedLine::None,
        source: None,
        status: LeadStatus::New,
        tags: Vec::new(),
        custom: std::collections::BTreeMap::new(),
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(super) fn gate_request(text: &str) -> GateRequest {
    GateRequest {
        number: text.into(),
        purpose: Purpose::Telemarketing,
        voice: Voice::Ai,
        lead_id: None,
        call_id: None,
        actor: operator(),
        intent: Intent::Dial,
    }
}

pub(super) fn answer(outcome: Outcome) -> (Decision, serde_json::Value) {
    let decision = Decision {
        outcome,
        decided_at: at(0),
        rule_set: "test.1".to_owned(),
        profile: "conservative".to_owned(),
        tzdb: "2026a".to_owned(),
        places: Vec::new(),
        basis: String::new(),
        consent_id: None,
        warnings: Vec::new(),
    };
    (decision, serde_json::json!({"from": "a test"}))
}

/// A gate with one rule: a number in flight, or on the internal list, is not called.
pub(super) fn allow_if_free(facts: &StoredFacts) -> (Decision, serde_json::Value) {
    let code = if facts.internal_dnc_at.is_some() {
        ReasonCode::InternalDnc
    } else if facts.in_flight.is_some() {
        ReasonCode::InFlight
    } else {
        return answer(Outcome::Allow { code: AllowCode::Allow });
    };
    let reason = Reason { code, rule: "test".to_owned(), citation: "none".to_owned(), message: "not now".to_owned() };
    answer(Outcome::Deny { reasons: vec![reason], next_permissible_at: None })
}

/// A broken gate, which allows everything.
pub(super) fn allow(_: &StoredFacts) -> (Decision, serde_json::Value) {
    answer(Outcome::Allow { code: AllowCode::Allow })
}
