//! What scripted agents and callers sound like: the shipped lines, tones for any other text, and the pattern that tests compare.

use std::sync::LazyLock;

use super::mulaw;
use crate::domain::audio::MULAW_SILENCE;

/// Who speaks. The two sound different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    Agent,
    Caller,
}

/// A shipped line: its text and the µ-law audio of it.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub id: &'static str,
    pub voice: Voice,
    pub text: &'static str,
    pub audio: &'static [u8],
}

macro_rules! files {
    ($($id:literal),* $(,)?) => { &[$(($id, include_bytes!(concat!($id, ".ulaw")))),*] };
}

const FILES: &[(&str, &[u8])] = files![
    "agent_follow_up",
    "agent_offer",
    "agent_closing",
    "agent_booked",
    "agent_not_booked",
    "agent_reception",
    "agent_hours",
    "agent_goodbye",
    "agent_opted_out",
    "caller_good_time",
    "caller_how_soon",
    "caller_thursday",
    "caller_hours",
    "caller_no_message",
    "caller_stop",
    "caller_voicemail",
];

static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| {
    include_str!("lines.tsv")
        .lines()
        .filter_map(|row| {
            let mut columns = row.splitn(3, '\t');
            let (id, voice, text) = (columns.next()?, columns.next()?, columns.next()?);
            let voice = if voice == "agent" { Voice::Agent } else { Voice::Caller };
            let audio = FILES.iter().find(|(name, _)| *name == id)?.1;
            Some(Line { id, voice, text, audio })
        })
        .collect()
});

/// Every shipped line.
pub fn lines() -> &'static [Line] {
    &LINES
}

/// The µ-law audio of a text: the shipped line where there is one (case and punctuation do not count), else [`babble`].
pub fn say(text: &str, voice: Voice) -> Vec<u8> {
    let wanted = words(text);
    match LINES.iter().find(|line| line.voice == voice && words(line.text) == wanted) {
        Some(line) => line.audio.to_vec(),
        None => babble(text, voice),
    }
}

/// The text of the shipped line that is part of this audio, if any. The bytes must have come through unchanged.
pub fn recognise(audio: &[u8]) -> Option<&'static str> {
    LINES.iter().find(|line| memchr::memmem::find(audio, fingerprint(line.audio)).is_some()).map(|line| line.text)
}

/// 32 ms from the loudest part of a line.
fn fingerprint(audio: &[u8]) -> &[u8] {
    audio.chunks_exact(256).max_by_key(|piece| mulaw::loudness(piece)).unwrap_or(audio)
}

fn words(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Tones of about the length that the text takes to say: 60 ms a letter, falling silent between words.
pub fn babble(text: &str, voice: Voice) -> Vec<u8> {
    const SAMPLES_A_LETTER: u32 = 480;
    let pitch = match voice {
        Voice::Agent => 220,
        Voice::Caller => 130,
    };
    let mut audio = Vec::new();
    for (letter, character) in text.chars().enumerate() {
        if !character.is_alphanumeric() {
            audio.extend_from_slice(&[MULAW_SILENCE; SAMPLES_A_LETTER as usize]);
            continue;
        }
        let frequency = f64::from(pitch) + f64::from(u32::from(character) % 7) * 15.0;
        for sample in 0..SAMPLES_A_LETTER {
            let position = f64::from(u32::try_from(letter).unwrap_or(0) % 1_000 * SAMPLES_A_LETTER + sample);
            let wave = (position * frequency * std::f64::consts::TAU / 8_000.0).sin() * 6_000.0;
            #[expect(clippy::cast_possible_truncation, reason = "the amplitude is 6,000")]
            audio.push(mulaw::encode(wave as i16));
        }
    }
    audio
}

/// Bytes `from .. from + len` of the test pattern: a big-endian counter of 32-bit words, so that a lost, repeated or misplaced
/// byte anywhere shows.
pub fn pattern(from: u64, len: usize) -> Vec<u8> {
    let byte = |at: u64| {
        let [.., a, b, c, d] = (at / 4).to_be_bytes();
        match at % 4 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        }
    };
    (from..).take(len).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_list_of_lines_agree() {
        assert_eq!(lines().len(), FILES.len());
        assert_eq!(include_str!("lines.tsv").lines().count(), FILES.len());
    }

    #[test]
    fn shipped_lines_are_found_by_text_and_by_sound() {
        let line = lines()[0];
        assert_eq!(say(&line.text.to_uppercase(), line.voice), line.audio);
        for line in lines() {
            let mut audio = vec![MULAW_SILENCE; 777];
            audio.extend_from_slice(line.audio);
            assert_eq!(recognise(&audio), Some(line.text));
        }
        assert_eq!(recognise(&babble("no such line", Voice::Caller)), None);
    }

    #[test]
    fn other_texts_last_as_long_as_they_are() {
        assert_eq!(say("Twelve chars", Voice::Agent).len(), 12 * 480);
    }

    #[test]
    fn pattern_is_a_counter() {
        assert_eq!(pattern(0, 9), [0, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(pattern(1_022, 4), [0, 255, 0, 0]);
        assert_eq!(pattern(0, 2_000)[1_000..], pattern(1_000, 1_000));
    }
}
