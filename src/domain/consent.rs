//! Records of permission to call, and of its withdrawal.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConsentId, E164};

/// Permission to call one number, as it was given. 47 CFR 64.1200(f)(9) says what a written one must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub id: ConsentId,
    pub number: E164,
    pub kind: ConsentKind,
    /// What it covers: tokens such as `telemarketing`, `appointment`.
    pub scope: Vec<String>,
    /// The seller that may call, by its legal name.
    pub seller: String,
    pub given_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub evidence: ConsentEvidence,
}

/// How strong a permission is, the weaker first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentKind {
    /// Prior express consent, given in any form.
    Express,
    /// Prior express written consent, signed.
    Written,
}

/// What proves a consent later. All of it optional, since sources differ; the burden of proof is the caller's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsentEvidence {
    /// How it was given: `web_form`, `paper`, `voice`, ….
    pub method: String,
    /// The words that the person agreed to.
    pub text: String,
    /// SHA-256 of `text`, lower-case hex.
    pub text_sha256: String,
    pub url: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    /// The id that a consent-certificate vendor gave.
    pub certificate_id: Option<String>,
    pub certificate_url: Option<String>,
}

/// A withdrawal of permission, from whatever channel it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    pub number: E164,
    pub at: Timestamp,
    pub channel: OptOutChannel,
    /// The raw words, where there were any.
    pub words: String,
}

impl fmt::Display for OptOutChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Where an opt-out came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptOutChannel {
    Speech,
    KeyPress,
    Agent,
    Api,
    Mcp,
    Console,
    Cli,
    Import,
}
