//! The opening disclosure: who calls, that it is an AI, how to opt out, that the call is recorded, and how to reach the
//! seller. Composed from `disclosures.toml` for the purpose of the call and every state that the called party may be
//! in.

use jiff::civil::Date;

use super::number::Number;
use super::place::StateCode;
use super::tables::area_codes::NumberKind;
use super::tables::disclosures::DisclosureRow;
pub use super::tables::disclosures::Part;
use super::tables::row::{Row, Scope};
use super::tables::{RuleTables, StateRules};
use crate::domain::{E164, Language, Purpose};

/// What the composer must know of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening<'a> {
    pub purpose: Purpose,
    pub language: Language,
    /// The seller's registered name.
    pub seller: &'a str,
    /// The number that takes do-not-call requests in business hours.
    pub callback: Option<&'a E164>,
    /// The key that opts out, where the carrier listens for keys.
    pub opt_out_key: Option<char>,
    pub recorded: bool,
    /// The date of the call: rows have their times.
    pub on: Date,
    /// Every state that the called party may be in (`Decision::places`). None: nobody knows, and what any state asks for is said.
    pub states: Option<&'a [StateCode]>,
}

/// The sentences of an opening, in the order in which they are spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    pub sentences: Vec<Sentence>,
    /// The laws that make silence about the recording fatal: one for each state in which every party must agree. Empty
    /// if the call is not recorded.
    pub all_party_recording: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// The row of the table it comes from.
    pub row: String,
    pub part: Part,
    pub text: String,
    pub citation: String,
}

/// What a call must say first.
pub fn compose(opening: &Opening<'_>, tables: &RuleTables) -> Disclosure {
    let mut rows: Vec<&Row<DisclosureRow>> = tables.disclosures.iter().filter(|row| applies(row, opening)).collect();
    let has_key = opening.opt_out_key.is_some();
    rows.retain(|row| row.says.part != Part::OptOut || row.says.en.contains("{key}") == has_key);
    rows.sort_by_key(|row| row.says.part);
    let sentences = rows.into_iter().map(|row| Sentence {
        row: row.id.clone(),
        part: row.says.part,
        text: fill(&row.says, opening),
        citation: row.citation.clone(),
    });
    Disclosure { sentences: sentences.collect(), all_party_recording: all_party_laws(opening, tables) }
}

impl DisclosureRow {
    /// What it has the carrier say, and to whom.
    pub(super) fn describe(&self) -> String {
        let calls = match &self.purposes {
            None => "every call".to_owned(),
            Some(purposes) => purposes.iter().map(|of| format!("{of:?}").to_lowercase()).collect::<Vec<_>>().join(", "),
        };
        format!("before any conversation ({calls}): \u{201c}{}\u{201d}", self.en)
    }
}

/// Why no message may be left on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VoicemailError {
    #[error(
        "a sales message left on a machine must give a toll-free number that takes opt-outs (47 CFR 64.1200(b)(3)): set \
         seller.opt_out_number"
    )]
    NoTollFreeOptOut,
    #[error("a message must give the seller's number (47 CFR 64.1200(b)(2)): set seller.callback_number")]
    NoCallback,
}

/// What a machine is told: who calls, and that it is an AI, first; then `message`; then how to reach the seller, and where it is
/// a sales call the toll-free number that takes opt-outs. `toll_free` counts only if it is one.
pub fn voicemail(
    opening: &Opening<'_>,
    toll_free: Option<&E164>,
    message: &str,
    tables: &RuleTables,
) -> Result<String, VoicemailError> {
    if opening.callback.is_none() {
        return Err(VoicemailError::NoCallback);
    }
    let is_toll_free = |number: &&E164| Number::classify(number.as_str(), tables).kind() == Some(NumberKind::TollFree);
    let opt_out = match (opening.purpose, toll_free.filter(is_toll_free)) {
        (Purpose::Telemarketing, None) => return Err(VoicemailError::NoTollFreeOptOut),
        (_, None) => None,
        (_, Some(number)) => Some(match opening.language {
            Language::English => format!("To stop these calls, call us free of charge at {}.", spoken(number)),
            Language::Spanish => format!("Para no recibir más llamadas, llame gratis al {}.", spoken(number)),
        }),
    };
    // A machine cannot say or press anything.
    let composed = compose(&Opening { opt_out_key: None, ..opening.clone() }, tables).sentences;
    let of = |after: bool| {
        let wanted = composed.iter().filter(move |sentence| (sentence.part == Part::Callback) == after);
        wanted.filter(|sentence| sentence.part != Part::OptOut).map(|sentence| sentence.text.as_str())
    };
    let parts = of(false).chain(std::iter::once(message)).chain(of(true)).chain(opt_out.as_deref());
    Ok(parts.collect::<Vec<_>>().join(" "))
}

/// What is said when a recording begins that the opening did not tell of, in a call of nobody knows what purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingNotice {
    /// Said before it begins, on every call: where one party's consent is enough it does no harm.
    pub text: String,
    /// Said again once it runs: the law of a place where the other party may be wants the notice in the recording.
    pub is_said_again: bool,
}

/// The notice for somebody whose number is `party`, as far as it is known. Where it tells no place of the country, all that any
/// state asks for is said.
pub fn recording_notice(party: Option<&E164>, opening: &Opening<'_>, tables: &RuleTables) -> RecordingNotice {
    let area = party.and_then(|number| Number::classify(number.as_str(), tables).us_area());
    let state = area.and_then(|area| area.state);
    let opening = Opening { states: state.as_ref().map(std::slice::from_ref), recorded: true, ..opening.clone() };
    let says_it = |row: &&Row<DisclosureRow>| row.says.part == Part::Recording && applies_to_any_purpose(row, &opening);
    let sentences: Vec<_> = tables.disclosures.iter().filter(says_it).map(|row| fill(&row.says, &opening)).collect();
    let of = |state: &StateRules| state.jurisdiction.says.notice_in_recording;
    let is_said_again = match state {
        Some(code) => tables.state(code).is_some_and(of),
        None => tables.states().any(of),
    };
    RecordingNotice { text: sentences.join(" "), is_said_again }
}

/// The laws by which every party must know of a recording of a call with this number; empty where one party is enough. None where
/// nobody knows what place the number is of.
pub fn recording_laws(number: &E164, tables: &RuleTables) -> Option<Vec<String>> {
    let area = Number::classify(number.as_str(), tables).us_area()?;
    let says = &tables.state(area.state?)?.jurisdiction.says;
    let asks = says.recording.asks_every_party();
    Some(asks.then(|| format!("{}: {}", says.name, says.recording_citation)).into_iter().collect())
}

impl Disclosure {
    /// The whole opening as one text.
    pub fn text(&self) -> String {
        let sentences: Vec<&str> = self.sentences.iter().map(|sentence| sentence.text.as_str()).collect();
        sentences.join(" ")
    }
}

fn applies(row: &Row<DisclosureRow>, opening: &Opening<'_>) -> bool {
    row.says.purposes.as_ref().is_none_or(|purposes| purposes.contains(&opening.purpose))
        && applies_to_any_purpose(row, opening)
}

fn applies_to_any_purpose(row: &Row<DisclosureRow>, opening: &Opening<'_>) -> bool {
    let here = match row.place {
        Scope::Country => true,
        Scope::State(code) => opening.states.is_none_or(|states| states.contains(&code)),
    };
    let says = &row.says;
    here && row.is_in_force_on(opening.on)
        && (opening.recorded || says.part != Part::Recording)
        && (opening.callback.is_some() || !says.en.contains("{callback}"))
}

fn fill(says: &DisclosureRow, opening: &Opening<'_>) -> String {
    let text = match opening.language {
        Language::English => &says.en,
        Language::Spanish => &says.es,
    };
    // The seller's name goes in last, so that nothing is filled into it.
    let text = text.replace("{callback}", &opening.callback.map(spoken).unwrap_or_default());
    let text = text.replace("{key}", &opening.opt_out_key.map(String::from).unwrap_or_default());
    // `Inc.` at the end of a sentence has one full stop.
    let text = text.replace("{seller}.", &format!("{}.", opening.seller.trim_end_matches('.')));
    text.replace("{seller}", opening.seller)
}

/// A number as a carrier's voice reads it digit by digit: `2 1 2, 5 5 5, 0 1 1 3`.
fn spoken(number: &E164) -> String {
    let apart = |digits: &str| digits.chars().map(String::from).collect::<Vec<_>>().join(" ");
    match number.nanp_digits() {
        Some(digits) => [&digits[..3], &digits[3..6], &digits[6..]].map(apart).join(", "),
        None => apart(&number.as_str()[1..]),
    }
}

fn all_party_laws(opening: &Opening<'_>, tables: &RuleTables) -> Vec<String> {
    let is_one = |state: &&StateRules| opening.states.is_none_or(|states| states.contains(&state.code));
    let states = tables.states().filter(|_| opening.recorded).filter(is_one);
    let places = states.map(|state| &state.jurisdiction.says).filter(|place| place.recording.asks_every_party());
    places.map(|place| format!("{}: {}", place.name, place.recording_citation)).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::compliance::tables::TableError;

    fn compose_default(change: impl FnOnce(&mut Opening<'_>)) -> Disclosure {
        compose_in(&["NY"], change)
    }

    fn compose_in(states: &[&str], change: impl FnOnce(&mut Opening<'_>)) -> Disclosure {
        compose_under(&RuleTables::shipped().unwrap(), states, change)
    }

    fn compose_under(tables: &RuleTables, states: &[&str], change: impl FnOnce(&mut Opening<'_>)) -> Disclosure {
        let callback: E164 = "+12125550113".parse().unwrap();
        let states: Vec<StateCode> = states.iter().map(|code| code.parse().unwrap()).collect();
        let mut opening = Opening {
            purpose: Purpose::Telemarketing,
            language: Language::English,
            seller: "Acme Solar, Inc.",
            callback: Some(&callback),
            opt_out_key: Some('9'),
            recorded: true,
            on: date(2026, 12, 1),
            states: Some(&states),
        };
        change(&mut opening);
        compose(&opening, tables)
    }

    #[test]
    fn a_message_says_who_first_and_how_to_opt_out_free_of_charge() {
        let (callback, toll_free): (E164, E164) = ("+12125550113".parse().unwrap(), "+18005550113".parse().unwrap());
        let tables = RuleTables::shipped().unwrap();
        let states: Vec<StateCode> = vec!["CA".parse().unwrap()];
        let mut opening = Opening {
            purpose: Purpose::Telemarketing,
            language: Language::English,
            seller: "Acme Solar",
            callback: Some(&callback),
            opt_out_key: Some('9'),
            recorded: false,
            on: date(2026, 12, 1),
            states: Some(&states),
        };
        let say = |opening: &Opening<'_>, number| voicemail(opening, number, "Your quote is ready.", &tables);
        assert_eq!(
            say(&opening, Some(&toll_free)).unwrap(),
            "Hello, this is an AI assistant with a sales call from Acme Solar. This call uses an artificial voice. Your quote is ready. \
             You can reach us at 2 1 2, 5 5 5, 0 1 1 3. To stop these calls, call us free of charge at 8 0 0, 5 5 5, 0 1 1 3."
        );
        for no_toll_free in [None, Some(&callback)] {
            assert_eq!(say(&opening, no_toll_free), Err(VoicemailError::NoTollFreeOptOut));
        }
        opening.purpose = Purpose::Informational;
        assert!(say(&opening, None).unwrap().ends_with("You can reach us at 2 1 2, 5 5 5, 0 1 1 3."));
        opening.callback = None;
        assert_eq!(say(&opening, None), Err(VoicemailError::NoCallback));
    }

    #[test]
    fn an_opening_says_who_and_what_then_at_once_how_to_opt_out() {
        assert_eq!(
            compose_default(|_| ()).text(),
            "Hello, this is an AI assistant with a sales call from Acme Solar, Inc. To stop these calls, press 9 or say: stop calling. This call is recorded and transcribed. \
             You can reach us at 2 1 2, 5 5 5, 0 1 1 3."
        );
    }

    #[test]
    fn every_purpose_and_language_names_the_ai_and_the_seller() {
        for purpose in [Purpose::Telemarketing, Purpose::Informational, Purpose::Healthcare, Purpose::Emergency] {
            for (language, ai) in [(Language::English, "AI assistant"), (Language::Spanish, "inteligencia artificial")]
            {
                let disclosure = compose_default(|opening| {
                    opening.purpose = purpose;
                    opening.language = language;
                });
                let first = &disclosure.sentences[0];
                assert_eq!(first.part, Part::Identity);
                assert!(first.text.contains(ai) && first.text.contains("Acme Solar"), "{}", first.text);
                let text = disclosure.text();
                assert!(!text.contains(['{', '}']), "{text}");
                let opts_out = disclosure.sentences.iter().any(|sentence| sentence.part == Part::OptOut);
                assert_eq!(opts_out, purpose != Purpose::Emergency);
            }
        }
    }

    #[test]
    fn states_add_their_words_and_the_laws_on_recording() {
        let states = ["CA", "NY", "DE"];
        let disclosure = compose_in(&states, |_| ());
        assert!(disclosure.text().contains("artificial voice"));
        assert_eq!(
            disclosure.all_party_recording,
            ["California: Cal. Penal Code 632, 632.7", "Delaware: conflicting Delaware statutes"]
        );
        let unrecorded = compose_in(&states, |opening| opening.recorded = false);
        assert!(unrecorded.all_party_recording.is_empty() && !unrecorded.text().contains("recorded"));
    }

    #[test]
    fn without_keys_or_callback_number_nothing_dangles() {
        let text = compose_default(|opening| {
            opening.opt_out_key = None;
            opening.callback = None;
        })
        .text();
        assert!(
            text.contains("To stop these calls, say: stop calling.")
                && !text.contains("press")
                && !text.contains("reach")
        );
    }

    #[test]
    fn a_sellers_name_fills_nothing_in() {
        let text = compose_default(|opening| opening.seller = "{callback} & {key}").text();
        assert!(text.contains("{callback} & {key}"));
    }

    fn own(rows: &[(&str, &str, &str)]) -> String {
        let row = |(id, place, more): &(&str, &str, &str)| {
            format!(
                "[[disclosure]]\nid = \"{id}\"\nplace = \"{place}\"\n{more}\ncitation = \"house\"\nconfidence = \"high\"\nsource_date = \
                 2026-11-21\n"
            )
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn where_nobody_knows_the_place_what_any_state_asks_for_is_said() {
        let disclosure = compose_default(|opening| opening.states = None);
        assert!(disclosure.text().contains("artificial voice"));
        let laws = disclosure.all_party_recording;
        assert!(
            ["California", "Washington"].iter().all(|name| laws.iter().any(|law| law.starts_with(name))),
            "{laws:?}"
        );
        assert!(!compose_default(|opening| opening.states = Some(&[])).text().contains("artificial voice"));
    }

    #[test]
    fn a_notice_of_recording_is_for_the_place_of_the_other_party() {
        let tables = RuleTables::with_operator_file(&own(&[(
            "own.wa",
            "WA",
            "part = \"recording\"\nen = \"The recording is kept by {seller}.\"\nes = \"Uno.\"\npurposes = [\"telemarketing\"]",
        )]))
        .unwrap();
        let opening = Opening {
            purpose: Purpose::Informational,
            language: Language::English,
            seller: "Acme",
            callback: None,
            opt_out_key: None,
            recorded: true,
            on: date(2026, 12, 1),
            states: None,
        };
        let notice = |number: Option<&str>| {
            let number: Option<E164> = number.map(|number| number.parse().unwrap());
            recording_notice(number.as_ref(), &opening, &tables)
        };
        let common = "This call is recorded and transcribed.";
        for (number, more, again) in [
            (Some("+12125550113"), false, false),
            (Some("+14155550113"), false, false),
            (Some("+12065550113"), true, true),
            (Some("+14165550113"), true, true),
            (Some("+18005550113"), true, true),
            (Some("+442079460000"), true, true),
            (None, true, true),
        ] {
            let notice = notice(number);
            assert!(notice.text.starts_with(common), "{number:?}: {}", notice.text);
            assert_eq!((notice.text.contains("kept by Acme"), notice.is_said_again), (more, again), "{number:?}");
        }
    }

    #[test]
    fn the_operators_sentences_are_said_in_their_place_and_time() {
        let text = own(&[
            ("own.tx", "TX", "part = \"state\"\nen = \"Our Texas number is 1.\"\nes = \"Uno.\""),
            ("own.soon", "US", "part = \"state\"\nen = \"From next year.\"\nes = \"Dos.\"\nfrom = 2027-01-01"),
        ]);
        let tables = RuleTables::with_operator_file(&text).unwrap();
        assert!(tables.loosened.is_empty());
        let text = |state: &str, on| compose_under(&tables, &[state], |opening| opening.on = on).text();
        let then = date(2026, 12, 1);
        assert!(text("TX", then).contains("stop calling. Our Texas number is 1. This call is recorded"));
        assert!(!text("NY", then).contains("Texas") && !text("NY", then).contains("next year"));
        assert!(text("NY", date(2027, 1, 1)).contains("From next year."));
    }

    #[test]
    fn other_words_for_a_shipped_sentence_need_an_acknowledgement() {
        let words = |en: &str, more: &str| {
            let says =
                format!("part = \"recording\"\nen = \"{en}\"\nes = \"Esta llamada se graba y se transcribe.\"\n{more}");
            RuleTables::with_operator_file(&own(&[("US.recording", "US", &says)]))
        };
        let more = words("This call is recorded and transcribed. Ask us to stop at any time.", "").unwrap();
        assert!(more.loosened.is_empty() && more.replaced.contains("US.recording"));
        assert!(compose_under(&more, &["NY"], |_| ()).text().contains("Ask us to stop"));
        for laxer in ["", "purposes = [\"telemarketing\"]", "until = 2027-01-01"] {
            let text =
                if laxer.is_empty() { "This call is recorded." } else { "This call is recorded and transcribed." };
            assert!(matches!(words(text, laxer), Err(TableError::Loosened { .. })), "{laxer}");
            let with_reason = format!("{laxer}\nacknowledge_loosening = \"counsel said so\"");
            let loosened = words(text, &with_reason).unwrap().loosened;
            assert!(loosened[0].contains("US.recording") && loosened[0].contains("counsel said so"), "{loosened:?}");
        }
    }

    #[test]
    fn a_sentence_that_cannot_be_spoken_stops_the_start() {
        for (says, reason) in [
            ("part = \"state\"\nen = \"Hello {name}.\"\nes = \"Hola.\"", "blank"),
            ("part = \"state\"\nen = \"Hello.\"\nes = \" \"", "says nothing"),
            ("part = \"greeting\"\nen = \"Hello.\"\nes = \"Hola.\"", "unknown variant"),
            ("part = \"state\"\nen = \"Hello.\"", "es"),
        ] {
            let error = RuleTables::with_operator_file(&own(&[("own.odd", "US", says)])).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("own.odd"), "{error}");
        }
        let nowhere = own(&[("own.odd", "ZZ", "part = \"state\"\nen = \"Hello.\"\nes = \"Hola.\"")]);
        assert!(RuleTables::with_operator_file(&nowhere).unwrap_err().to_string().contains("own.odd"));
    }
}
