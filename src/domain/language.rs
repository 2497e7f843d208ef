//! The languages in which the carrier says what the law asks for, and in which callers are understood when they opt out.

use serde::Deserialize;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    #[serde(alias = "en")]
    English,
    #[serde(alias = "es")]
    Spanish,
}

impl Language {
    /// The carrier's name of it, for `<Say language>`. None: its default, which is American English.
    pub fn tag(self) -> Option<&'static str> {
        match self {
            Self::English => None,
            Self::Spanish => Some("es-US"),
        }
    }
}
