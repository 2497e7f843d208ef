//! Twilio's words for states and outcomes: understood where we know them, kept as they came in any case.

use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

/// A word of a closed set, as the carrier reported it. New words appear without notice, so an unknown one is data, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported<T> {
    /// What we take it for; none where the word is new to us or was not given.
    pub known: Option<T>,
    /// The word as it came; empty where it was not given.
    pub raw: String,
}

impl<T> Default for Reported<T> {
    /// Not given.
    fn default() -> Self {
        Self { known: None, raw: String::new() }
    }
}

impl<T: DeserializeOwned> Reported<T> {
    /// Reads one word by the serde names of `T`. A blank one is the same as none at all.
    pub fn parse(word: &str) -> Self {
        if word.is_empty() {
            return Self::default();
        }
        let known = T::deserialize(StrDeserializer::<Error>::new(word)).ok();
        Self { known, raw: word.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CallStatus;
    use crate::domain::call::AnsweredBy;

    #[test]
    fn every_documented_word_is_known() {
        use CallStatus as S;
        let words = [
            ("queued", S::Queued),
            ("initiated", S::Initiated),
            ("ringing", S::Ringing),
            ("in-progress", S::InProgress),
            ("completed", S::Completed),
            ("busy", S::Busy),
            ("failed", S::Failed),
            ("no-answer", S::NoAnswer),
            ("canceled", S::Canceled),
        ];
        for (word, status) in words {
            assert_eq!(Reported::parse(word), Reported { known: Some(status), raw: word.to_owned() });
        }
        let machine = Reported::<AnsweredBy>::parse("machine_end_beep");
        assert_eq!(machine.known, Some(AnsweredBy::MachineEndBeep));
    }

    #[test]
    fn a_new_word_is_kept_and_a_blank_one_is_none() {
        let held = Reported::<CallStatus>::parse("on-hold");
        assert_eq!((held.known, held.raw.as_str()), (None, "on-hold"));
        assert_eq!(Reported::<AnsweredBy>::parse(""), Reported::default());
        let pet = Reported::<AnsweredBy>::parse("parrot");
        assert_eq!((pet.known, pet.raw.as_str()), (Some(AnsweredBy::Unknown), "parrot"));
    }
}
