//! `Facts`: everything that one decision of the gate rests on, gathered by the caller. A fact that is not known is
//! `None` and is told apart from "there is none".
//!
//! Facts read and write as JSON, so that the ledger can keep them and a decision can be made again from its own record.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::place::StateCode;
use crate::domain::consent::ConsentKind;
use crate::domain::decision::{LineType, Voice};
use crate::domain::{ConsentId, E164, Purpose};

/// What is known about a call that somebody wants to place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub number: CalledNumber,
    pub purpose: Purpose,
    pub voice: Voice,
    /// Unknown counts as mobile, the strictest.
    pub line_type: Option<LineType>,
    /// State of a verified address; none where no address was verified.
    pub known_state: Option<StateCode>,
    /// IANA zone of a verified address; none where no address was verified.
    pub known_zone: Option<String>,
    /// Further addresses that somebody knows of the number, in any order. They add places and never take one away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_addresses: Vec<Address>,
    /// Every record of permission for this number, in any order.
    pub consents: Vec<ConsentFact>,
    /// When permission was last withdrawn; none if it never was.
    pub revoked_at: Option<Timestamp>,
    /// Since when the number is on the company's own list; none if it is not.
    pub internal_dnc_at: Option<Timestamp>,
    /// On the national registry? `None` = not known.
    pub national_dnc: Option<bool>,
    /// On a state's list? `None` = not known.
    pub state_dnc: Option<bool>,
    /// The as-of date of the oldest do-not-call list consulted. `None` = not known.
    pub dnc_list_date: Option<Date>,
    /// What each list said that was asked, with its version: evidence, and the reason where a fact above is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListFact>,
    /// On a list of litigators? `None` = not known.
    pub litigator: Option<bool>,
    /// What the Reassigned Numbers Database answered. `None` = not asked, or no answer.
    pub reassigned: Option<Reassigned>,
    /// The established business relationships with the called party, in any order.
    pub relationships: Vec<Relationship>,
    /// Earlier attempts on this number, answered or not, in any order.
    pub attempts: Vec<Timestamp>,
    /// Slots that allowed calls hold at this moment, by the instant each was reserved. A dial stands here or under
    /// `attempts`, never in both.
    pub reservations: Vec<Timestamp>,
    /// The line is one of 47 CFR 64.1200(a)(1)(i)-(ii): an emergency line, a patient's or guest's room.
    pub protected_line: bool,
    /// States under a declared state of emergency at the time of the call.
    pub emergencies: Vec<StateCode>,
    /// The operators have stopped every outbound call.
    pub outbound_stopped: bool,
    /// Why a fact is not known and what to do about it, by the fact's name (`rnd`, `known_state`). For the reasons' messages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub why_unknown: BTreeMap<String, String>,
}

/// Where the called party may be, by somebody's record: a state, a zone of it, or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    pub state: Option<StateCode>,
    /// IANA name.
    pub zone: Option<String>,
}

/// One record of permission, as far as the gate needs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentFact {
    pub id: Option<ConsentId>,
    pub kind: ConsentKind,
    /// Tokens such as `telemarketing`, `appointment`.
    pub scope: Vec<String>,
    /// `None` = not known, which no rule accepts.
    pub given_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// The record names the number that is to be called.
    pub names_this_number: bool,
    /// The record names the seller on whose behalf the call is placed.
    pub names_this_seller: bool,
}

/// What one do-not-call list on disk said of the number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListFact {
    /// `national` or `state:TX`.
    pub list: String,
    pub says: ListSays,
    /// The publisher's date of the list.
    pub as_of: Option<Date>,
    /// Which import of the list, with a hash of all that it says; empty where there is no list.
    pub version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListSays {
    Listed,
    NotListed,
    /// The list was not subscribed to for this area code.
    NotCovered,
    /// No such list was imported.
    Missing,
    /// A file is missing or damaged: which, and how.
    Unreadable(String),
}

impl ListFact {
    /// Why the list gave no answer, where it gave none.
    pub fn gap(&self) -> Option<String> {
        let list = &self.list;
        match &self.says {
            ListSays::Listed | ListSays::NotListed => None,
            ListSays::NotCovered => Some(format!("the list {list} does not cover this area code")),
            ListSays::Missing => Some(format!("no list {list} was imported")),
            ListSays::Unreadable(fault) => Some(fault.clone()),
        }
    }
}

/// What the Reassigned Numbers Database answered for the number and the date of consent, 47 CFR 64.1200(m).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reassigned {
    /// Not disconnected since that date.
    No,
    /// Disconnected on or after that date.
    Yes,
    NoData,
}

/// An established business relationship, 47 CFR 64.1200(f)(5), by the date of its last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relationship {
    pub kind: RelationshipKind,
    pub date: Date,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationshipKind {
    Inquiry,
    Purchase,
}

impl Facts {
    /// Facts about a call of which nothing else is known: no permission, no history, and every list unknown.
    pub fn unknown(number: impl Into<CalledNumber>, purpose: Purpose, voice: Voice) -> Self {
        Self {
            number: number.into(),
            purpose,
            voice,
            line_type: None,
            known_state: None,
            known_zone: None,
            other_addresses: Vec::new(),
            consents: Vec::new(),
            revoked_at: None,
            internal_dnc_at: None,
            national_dnc: None,
            state_dnc: None,
            dnc_list_date: None,
            lists: Vec::new(),
            litigator: None,
            reassigned: None,
            relationships: Vec::new(),
            attempts: Vec::new(),
            reservations: Vec::new(),
            protected_line: false,
            emergencies: Vec::new(),
            outbound_stopped: false,
            why_unknown: BTreeMap::new(),
        }
    }

    /// The line type that the rules are read for.
    pub fn line(&self) -> LineType {
        self.line_type.unwrap_or(LineType::Mobile)
    }
}

/// The number as it was asked for, which may be no number at all. Printing masks it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CalledNumber(Box<str>);

impl CalledNumber {
    /// The full text. For the wire and the store, never for a log.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for CalledNumber {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<&E164> for CalledNumber {
    fn from(number: &E164) -> Self {
        Self(number.as_str().into())
    }
}

impl fmt::Display for CalledNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.parse::<E164>() {
            Ok(number) => fmt::Display::fmt(&number, f),
            Err(_) => f.write_str("•••"),
        }
    }
}

impl fmt::Debug for CalledNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
