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
    /// Whether the line is one that an artificial voice may ring with consent only, whatever the purpose.
    #[serde(default, skip_serializing_if = "ProtectedLine::is_none")]
    pub protected_line: ProtectedLine,
    pub source: Option<String>,
    pub status: LeadStatus,
    pub tags: Vec<String>,
    /// Whatever else the operator keeps: property, investor type, ids in other systems.
    pub custom: BTreeMap<String, serde_json::Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The lines of 47 CFR 64.1200(a)(1)(i)-(ii), by the operator's knowledge: no number shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectedLine {
    #[default]
    None,
    /// 911, and emergency lines of hospitals, physicians, fire and police stations, poison control: (a)(1)(i).
    EmergencyLine,
    /// A guest's or patient's room in a hospital, health care facility or home for the elderly: (a)(1)(ii).
    PatientRoom,
}

impl ProtectedLine {
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
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
