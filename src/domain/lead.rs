//! `Lead`: a person or business that may be called, as the operator's own system knows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{E164, LeadId};

/// A person or business that may be called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    pub id: LeadId,
    pub number: E164,
    pub first_name: String,
    pub last_name: String,
    pub email: Option<String>,
    /// Two letters, where an address was verified.
    pub state: Option<String>,
    /// IANA name, where an address was verified.
    pub time_zone: Option<String>,
    pub source: Option<String>,
    pub status: LeadStatus,
    pub tags: Vec<String>,
    /// Whatever else the operator keeps: property, investor type, ids in other systems.
    pub custom: BTreeMap<String, serde_json::Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadStatus {
    #[default]
    New,
    Contacted,
    Qualified,
    Disqualified,
}
