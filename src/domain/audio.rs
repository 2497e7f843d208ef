//! Audio as it crosses the house: base64 text of G.711 µ-law at 8 kHz, carried without being decoded, and the formats agents speak.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Bytes of µ-law audio a second: 8,000 samples of one byte.
pub const MULAW_BYTES_PER_SECOND: u64 = 8_000;

/// One carrier frame, 20 ms of µ-law. The usual size, never a promise: codecs take any length.
pub const FRAME: usize = 160;

/// The µ-law byte for silence.
pub const MULAW_SILENCE: u8 = 0xFF;

/// A run of µ-law audio, still in the base64 text in which it came off one wire and goes onto the other.
///
/// Cloning shares the buffer. The text is not inspected on the hot path but for its loudness, and for that only while somebody looks
/// at it; a peer that sends broken base64 harms only itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MulawChunk(Bytes);

impl MulawChunk {
    /// Takes base64 text as it stands, without checking it.
    pub fn from_base64(text: Bytes) -> Self {
        Self(text)
    }

    /// Takes text that was unescaped on its way here: none where it could not go into a JSON string as it stands.
    pub fn from_unescaped(text: String) -> Option<Self> {
        let is_plain = text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\');
        is_plain.then(|| Self(text.into()))
    }

    /// So many bytes of silence.
    pub fn silence(bytes: usize) -> Self {
        // Three bytes of 0xFF are `////`.
        let tail = ["", "/w==", "//8="][bytes % 3];
        Self(Bytes::from(format!("{}{tail}", "/".repeat(bytes / 3 * 4))))
    }

    pub fn base64(&self) -> &[u8] {
        &self.0
    }

    pub fn into_base64(self) -> Bytes {
        self.0
    }

    /// How many bytes of µ-law the text stands for, which is also the number of samples. Read off the length and padding alone.
    pub fn len(&self) -> usize {
        let padding = self.0.iter().rev().take(2).take_while(|b| **b == b'=').count();
        (self.0.len() / 4 * 3 + self.0.len() % 4 * 3 / 4).saturating_sub(padding)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn duration(&self) -> Duration {
        mulaw_duration(self.len() as u64)
    }

    /// How loud it is at most, 0 (silence) to 127, in µ-law's own steps, which are close to how ears hear. One sample in fifteen is
    /// looked at, which is enough for a voice.
    pub fn loudness(&self) -> u8 {
        let first_sample = |group: &[u8]| {
            let [first, second, ..] = group else { return None };
            Some(sextet(*first)? << 2 | sextet(*second)? >> 4)
        };
        self.0.chunks(20).filter_map(first_sample).map(|byte| !byte & 0x7F).max().unwrap_or(0)
    }
}

/// The six bits that a character of base64 stands for.
fn sextet(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// How long so many bytes of µ-law play.
pub fn mulaw_duration(bytes: u64) -> Duration {
    Duration::from_micros(bytes * 1_000_000 / MULAW_BYTES_PER_SECOND)
}

/// How many bytes of µ-law play in this time.
pub fn mulaw_bytes(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 8_000) * MULAW_BYTES_PER_SECOND / 1_000_000
}

/// How an agent encodes the audio of one direction. PCM is signed 16-bit little-endian mono.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioFormat {
    #[serde(rename = "ulaw_8000")]
    Ulaw8000,
    #[serde(rename = "pcm_8000")]
    Pcm8000,
    #[serde(rename = "pcm_16000")]
    Pcm16000,
    #[serde(rename = "pcm_24000")]
    Pcm24000,
}

impl AudioFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ulaw8000 => "ulaw_8000",
            Self::Pcm8000 => "pcm_8000",
            Self::Pcm16000 => "pcm_16000",
            Self::Pcm24000 => "pcm_24000",
        }
    }

    pub fn sample_rate(self) -> u32 {
        match self {
            Self::Ulaw8000 | Self::Pcm8000 => 8_000,
            Self::Pcm16000 => 16_000,
            Self::Pcm24000 => 24_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_base64_is_known_without_decoding() {
        let len = |text: &'static str| MulawChunk::from_base64(Bytes::from_static(text.as_bytes())).len();
        assert_eq!([len(""), len("/w=="), len("//8="), len("////"), len("/////w==")], [0, 1, 2, 3, 4]);
        assert_eq!([len("/w"), len("//8")], [1, 2]);
    }

    #[test]
    fn silence_is_as_long_as_it_should_be() {
        for bytes in [0, 1, 2, 3, 160, 161] {
            assert_eq!(MulawChunk::silence(bytes).len(), bytes);
        }
        assert_eq!(MulawChunk::silence(4).base64(), b"/////w==");
    }

    #[test]
    fn loudness_is_that_of_the_samples() {
        let loudness = |text: String| MulawChunk::from_base64(text.into()).loudness();
        assert_eq!(MulawChunk::silence(FRAME).loudness(), 0);
        // 0x80 and 0x00 are the loudest samples, 0xD5 (~ 0x2A) one in between.
        assert_eq!(["gICA", "AAAA", "1dXV"].map(|group| loudness(group.repeat(50))), [127, 127, 42]);
        assert_eq!(["", "A", "=%=%"].map(|text| loudness(text.to_owned())), [0; 3]);
    }

    #[test]
    fn time_and_bytes_agree() {
        assert_eq!(mulaw_duration(FRAME as u64), Duration::from_millis(20));
        assert_eq!(mulaw_bytes(Duration::from_millis(20)), FRAME as u64);
    }
}
