//! `Decision`: one answer of the gate, allow or deny, with everything that it rests on.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ConsentId;

/// What a call is for. Decides which rules apply; which purposes a key or route may claim is the operator's setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Telemarketing,
    Informational,
    Healthcare,
    Emergency,
}

/// Who speaks. Every agent of this product is an artificial voice (FCC 24-17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    Ai,
    Human,
}

/// What kind of line a number is. Unknown counts as `Mobile`, the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LineType {
    #[serde(rename = "mobile")]
    Mobile,
    #[serde(rename = "landline_res")]
    LandlineResidential,
    #[serde(rename = "landline_biz")]
    LandlineBusiness,
}

/// The gate's reason codes. Their order here is their precedence: the first of a denial's reasons is its `reason_code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReasonCode {
    OutboundStopped,
    InvalidNumber,
    InternationalNotCovered,
    NpaNotInService,
    NonGeographicNumber,
    CountryNotEnabled,
    InternalDnc,
    ConsentRevoked,
    LitigatorList,
    ReassignedNumber,
    ProtectedLine,
    ConsentNotYetValid,
    ConsentExpired,
    ConsentNumberMismatch,
    ConsentSellerMismatch,
    ConsentPurposeMismatch,
    ConsentMissing,
    ConsentInsufficient,
    NationalDnc,
    StateDnc,
    DncDataStale,
    FactUnknown,
    StateProhibition,
    StateOfEmergency,
    HolidayBan,
    SundayBan,
    OutsideHoursFederal,
    OutsideHoursState,
    OutsideHoursStateAutomated,
    FreqCapState,
    FreqCapExempt,
    InFlight,
}

impl ReasonCode {
    /// Whether waiting alone can turn this denial into an allow: hours, days and caps, but not lists or consent.
    pub fn is_about_time(self) -> bool {
        matches!(
            self,
            Self::HolidayBan
                | Self::SundayBan
                | Self::OutsideHoursFederal
                | Self::OutsideHoursState
                | Self::OutsideHoursStateAutomated
                | Self::FreqCapState
                | Self::FreqCapExempt
        )
    }
}

impl fmt::Display for ReasonCode {
    /// The code as it is published, `OUTSIDE_HOURS_STATE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// How a call was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AllowCode {
    Allow,
    /// An exemption of 47 CFR 64.1200(a)(3) is used instead of consent.
    AllowExempt,
    AllowEmergency,
}

impl fmt::Display for AllowCode {
    /// The code as it is published, `ALLOW_EXEMPT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One reason for a denial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: ReasonCode,
    /// The rule that fired, by its name in `compliance::rules`.
    pub rule: String,
    /// The law or policy it comes from.
    pub citation: String,
    /// A sentence for a person.
    pub message: String,
}

/// What the gate answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Outcome {
    Allow {
        code: AllowCode,
    },
    /// `reasons` is never empty and stands in the order of precedence.
    Deny {
        reasons: Vec<Reason>,
        /// The earliest instant at which the call would be allowed; none as soon as one reason is not about time.
        next_permissible_at: Option<Timestamp>,
    },
}

/// One answer of the gate, with what it rests on. Pure data: it permits nothing by itself (see
/// `compliance::clearance`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub outcome: Outcome,
    pub decided_at: Timestamp,
    /// Version and hash of the rule tables.
    pub rule_set: String,
    pub profile: String,
    /// The time-zone database that the calendar arithmetic used.
    pub tzdb: String,
    /// Every (zone, state) pair that was considered, with its local time.
    pub places: Vec<Place>,
    /// The law that an allowing decision rests on; empty on denial, where each reason has its own.
    #[serde(default)]
    pub basis: String,
    /// The record of permission that was relied on, where the call needed one.
    #[serde(default)]
    pub consent_id: Option<ConsentId>,
    /// Things that do not deny but that a person should know: permits, registrations, no safe harbour.
    pub warnings: Vec<String>,
}

/// A place where the called party may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub state: String,
    pub zone: String,
    /// RFC 9557 local time with zone.
    pub local_time: String,
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        matches!(self.outcome, Outcome::Allow { .. })
    }

    /// The reasons of a denial, in the order of precedence; empty on allow.
    pub fn reasons(&self) -> &[Reason] {
        match &self.outcome {
            Outcome::Allow { .. } => &[],
            Outcome::Deny { reasons, .. } => reasons,
        }
    }

    pub fn next_permissible_at(&self) -> Option<Timestamp> {
        match &self.outcome {
            Outcome::Allow { .. } => None,
            Outcome::Deny { next_permissible_at, .. } => *next_permissible_at,
        }
    }
}
