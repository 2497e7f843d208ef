//! Rows of permission.toml: which calls need which permission, how long a business relationship lives, what a state
//! bans outright.

use serde::Deserialize;

use crate::compliance::facts::RelationshipKind;
use crate::domain::Purpose;
use crate::domain::decision::{LineType, Voice};

/// What a call of one voice and purpose to one kind of line needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentNeed {
    pub voice: Voice,
    pub purpose: Purpose,
    pub line: LineType,
    pub needs: Needs,
}

/// How strong the permission must be; ordered from the laxest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    Nothing,
    /// Prior express consent in any form, or else an exemption with its caps.
    ExpressOrExempt,
    Express,
    Written,
}

/// How long after its last event a business relationship lives; both terms bind, both are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationshipTerm {
    pub kind: RelationshipKind,
    pub months: u16,
    pub days: u16,
}

/// How old the do-not-call lists may be, in days before the local date of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListAge {
    pub max_days: u16,
}

/// Sales calls to `lines` that a state bans at any hour.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prohibition {
    pub lines: Vec<LineType>,
    pub lifted_by: Vec<BanLift>,
}

/// A state that bans sales calls during a declared emergency.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyBan {
    pub lifted_by: Vec<BanLift>,
}

/// What lifts a ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanLift {
    /// A valid consent of any kind.
    Consent,
    /// A live business relationship of any kind.
    Relationship,
}
