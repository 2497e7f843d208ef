//! The one message that comes fifty times a second: finds the audio of an `ElevenLabs` `audio` message where it stands,
//! without building a tree and without copying it.

use std::ops::Range;

use crate::protocol::plain_json::{has_controls, string_len};

/// Where the base64 text stands in the message, and the turn it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AudioInPlace {
    pub(super) base64: Range<usize>,
    pub(super) turn: u64,
}

/// `None` means only "not certain", and leaves the message to the general reader: another kind of message, an unexpected key,
/// an escaped character, a number that is no plain integer.
pub(super) fn find_audio(message: &[u8]) -> Option<AudioInPlace> {
    let mut scan = Scan { text: message, at: 0, has_controls: has_controls(message) };
    let (mut is_audio, mut found) = (false, None);
    scan.token(b'{')?;
    loop {
        match scan.key()? {
            b"type" if !is_audio => is_audio = &message[scan.plain_string()?] == b"audio",
            b"audio_event" if found.is_none() => found = Some(scan.audio_event()?),
            _ => return None,
        }
        if scan.ends(b'}')? {
            break;
        }
    }
    scan.white_space();
    (is_audio && scan.at == message.len()).then_some(found).flatten()
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    /// Somewhere in the text.
    has_controls: bool,
}

impl<'a> Scan<'a> {
    fn audio_event(&mut self) -> Option<AudioInPlace> {
        let (mut base64, mut turn) = (None, None);
        self.token(b'{')?;
        loop {
            match self.key()? {
                b"audio_base_64" if base64.is_none() => base64 = Some(self.plain_string()?),
                b"event_id" if turn.is_none() => turn = Some(self.plain_integer()?),
                b"alignment" | b"is_final" => self.skip_value()?,
                _ => return None,
            }
            if self.ends(b'}')? {
                return Some(AudioInPlace { base64: base64?, turn: turn? });
            }
        }
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn token(&mut self, byte: u8) -> Option<()> {
        self.white_space();
        (*self.text.get(self.at)? == byte).then(|| self.at += 1)
    }

    /// After a member of an object: is it the last?
    fn ends(&mut self, close: u8) -> Option<bool> {
        self.white_space();
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        (byte == close || byte == b',').then_some(byte == close)
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        let key = self.plain_string()?;
        self.token(b':')?;
        Some(&self.text[key])
    }

    /// A string without any escape or control character: it is put into our own JSON as it stands.
    fn plain_string(&mut self) -> Option<Range<usize>> {
        self.token(b'"')?;
        let length = string_len(&self.text[self.at..])?;
        let string = self.at..self.at + length;
        self.at = string.end;
        self.token(b'"')?;
        (!self.has_controls || !has_controls(&self.text[string.clone()])).then_some(string)
    }

    fn plain_integer(&mut self) -> Option<u64> {
        self.white_space();
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = &self.text[self.at..self.at + digits];
        // JSON has no leading zeros; eighteen digits always fit.
        if digits > 18 || (digits > 1 && text[0] == b'0') {
            return None;
        }
        self.at += digits;
        (digits > 0).then(|| text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }

    /// Steps over a value of any kind. Counts brackets, and looks into strings only for their end.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match *self.text.get(self.at)? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.at += string_len(self.text.get(self.at..)?)?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Some(());
            }
            // The character after a backslash never ends the string.
            self.at += 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn found(message: &str) -> Option<(&str, u64)> {
        find_audio(message.as_bytes()).map(|audio| (&message[audio.base64], audio.turn))
    }

    #[test]
    fn audio_is_found_in_any_layout() {
        for message in [
            r#"{"type":"audio","audio_event":{"audio_base_64":"//8=","event_id":12}}"#,
            r#"{"audio_event":{"event_id":12,"audio_base_64":"//8="},"type":"audio"}"#,
            r#" { "type" : "audio" , "audio_event" : { "audio_base_64" : "//8=" , "event_id" : 12 } } "#,
            r#"{"type":"audio","audio_event":{"alignment":{"chars":["\"","}","\\"],"char_start_times_ms":[0,1,2],"char_durations_ms":[1,1,1]},"audio_base_64":"//8=","is_final":null,"event_id":12}}"#,
        ] {
            assert_eq!(found(message), Some(("//8=", 12)), "{message}");
        }
    }

    #[test]
    fn what_is_not_certain_is_left_to_the_general_reader() {
        for message in [
            "",
            "{}",
            "[]",
            r#"{"type":"audio"}"#,
            r#"{"type":"ping","ping_event":{"event_id":1}}"#,
            r#"{"type":"ping","audio_event":{"audio_base_64":"//8=","event_id":12}}"#,
            r#"{"audio_event":{"audio_base_64":"//8=","event_id":12}}"#,
            r#"{"type":"audio","audio_event":{"audio_base_64":"\/\/8=","event_id":12}}"#,
            r#"{"type":"audio","audio_event":{"audio_base_64":"//8=","event_id":12,"event_id":13}}"#,
            "{\"type\":\"audio\",\"audio_event\":{\"audio_base_64\":\"//\t8=\",\"event_id\":12}}",
            r#"{"type":"audio","audio_event":{"audio_base_64":"//8=","event_id":-12}}"#,
            r#"{"type":"audio","audio_event":{"audio_base_64":"//8=","event_id":1.5}}"#,
            r#"{"type":"audio","audio_event":{"audio_base_64":"//8=","event_id":012}}"#,
            r#"{"type":"audio","audio_event":{"audio_base_64":"//8=","event_id":99999999999999999999}}"#,
            r#"{"type":"audio","audio_event":{"audio_base_64":"//8=","event_id":12}}{"#,
            r#"{"type":"audio","audio_event":{"audio_base_64":"//8=","event_id":12"#,
            r#"{"type":"client_tool_call","client_tool_call":{"parameters":{"type":"audio","audio_event":{"audio_base_64":"//8=","event_id":12}}}}"#,
        ] {
            assert_eq!(found(message), None, "{message}");
        }
    }

    /// Any JSON, with the words of an audio message sprinkled in.
    fn json_value() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            Just("type".to_owned()),
            Just("audio".to_owned()),
            Just("audio_event".to_owned()),
            Just("audio_base_64".to_owned()),
            Just("event_id".to_owned()),
            Just("alignment".to_owned()),
            Just("is_final".to_owned()),
            "[ -~]{0,8}",
            "[A-Za-z0-9+/]{0,16}={0,2}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (0_u64..500).prop_map(Value::from),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            let event = (word.clone(), 0_u64..500, inner.clone())
                .prop_map(|(audio, id, more)| json!({"audio_base_64": audio, "event_id": id, "alignment": more}));
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(word.clone(), inner.clone(), 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
                event.clone(),
                event.prop_map(|event| json!({"type": "audio", "audio_event": event})),
                inner.prop_map(|event| json!({"type": "audio", "audio_event": event})),
            ]
        })
    }

    fn by_tree(message: &Value) -> Option<(String, u64)> {
        let event = (message.get("type")? == "audio").then(|| message.get("audio_event"))??;
        Some((event.get("audio_base_64")?.as_str()?.to_owned(), event.get("event_id")?.as_u64()?))
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_json_parser_finds(message in json_value(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&message) } else { serde_json::to_string(&message) }.unwrap();
            if let Some((audio, turn)) = found(&text) {
                prop_assert_eq!(Some((audio.to_owned(), turn)), by_tree(&message));
            }
        }

        #[test]
        fn an_audio_message_of_any_length_and_alignment_is_found(
            audio in "[A-Za-z0-9+/]{0,400}={0,2}",
            turn in 0_u64..1_000_000,
            alignment in json_value(),
            pretty: bool,
        ) {
            let event = json!({"audio_base_64": audio, "event_id": turn, "alignment": alignment});
            let message = json!({"type": "audio", "audio_event": event});
            let text = if pretty { serde_json::to_string_pretty(&message) } else { serde_json::to_string(&message) }.unwrap();
            prop_assert_eq!(found(&text), Some((audio.as_str(), turn)));
        }

        #[test]
        fn no_bytes_make_it_panic(message in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = find_audio(&message);
        }

        #[test]
        fn no_torn_or_altered_message_makes_it_panic(
            message in json_value(),
            at in any::<proptest::sample::Index>(),
            byte in proptest::sample::select(&b"\"\\{}[],:0 x"[..]),
        ) {
            let mut text = serde_json::to_vec(&message).unwrap();
            let at = at.index(text.len());
            let _ = find_audio(&text[..at]);
            text[at] = byte;
            let _ = find_audio(&text);
        }
    }
}
