//! Rows of jurisdictions.toml: what a person must know about each place, none of which denies a call by itself.

use serde::Deserialize;

/// A US state, district or territory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jurisdiction {
    pub name: String,
    pub recording: RecordingConsent,
    pub recording_citation: String,
    /// Whether the recording must hold the notice of it, too.
    #[serde(default)]
    pub notice_in_recording: bool,
    pub dnc: DncList,
    /// What registration, licence or bond a seller needs there; none where none is known.
    pub registration: Option<String>,
    /// A shorter life of a purchase relationship than the federal one.
    pub shorter_relationship_months: Option<u16>,
}

/// Who must agree to a recording of a call; ordered from the laxest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingConsent {
    One,
    /// Sources conflict: treated as all.
    Mixed,
    All,
}

impl RecordingConsent {
    pub fn asks_every_party(self) -> bool {
        self != Self::One
    }
}

/// Whether a state keeps a do-not-call list of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DncList {
    Own,
    National,
}
