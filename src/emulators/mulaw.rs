//! G.711 µ-law (ITU-T G.711) as the emulators need it: samples, loudness, and the plain up- and down-sampling of PCM agents.
//!
//! Written from the recommendation and not shared with the product's codec, so that the two cannot be wrong together.

use crate::domain::audio::{AudioFormat, MULAW_SILENCE};

const BIAS: i32 = 0x84;
const CLIP: i32 = 32_635;

/// One µ-law byte as a 16-bit sample.
pub(super) fn decode(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = u32::from(byte >> 4 & 0x07);
    let magnitude = (((i32::from(byte & 0x0F) << 3) + BIAS) << exponent) - BIAS;
    let sample = if byte & 0x80 == 0 { magnitude } else { -magnitude };
    i16::try_from(sample).expect("µ-law reaches ±32124")
}

/// One 16-bit sample as a µ-law byte.
pub(super) fn encode(sample: i16) -> u8 {
    let sample = i32::from(sample);
    let sign: u8 = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.abs().min(CLIP) + BIAS;
    let exponent = (31 - magnitude.leading_zeros()).saturating_sub(7);
    let mantissa = u8::try_from(magnitude >> (exponent + 3) & 0x0F).expect("four bits");
    !(sign | u8::try_from(exponent).expect("at most 7") << 4 | mantissa)
}

/// The mean distance from zero, 0 (silence) to 32,124.
pub(super) fn loudness(audio: &[u8]) -> u32 {
    let sum: u64 = audio.iter().map(|byte| u64::from(decode(*byte).unsigned_abs())).sum();
    u32::try_from(sum / audio.len().max(1) as u64).unwrap_or(u32::MAX)
}

/// Two voices on one line.
pub(super) fn mix(one: u8, other: u8) -> u8 {
    match (one, other) {
        (MULAW_SILENCE, byte) | (byte, MULAW_SILENCE) => byte,
        _ => encode(decode(one).saturating_add(decode(other))),
    }
}

/// Turns µ-law into an agent's own format, keeping the last sample across calls so that chunks join without clicks.
#[derive(Debug, Default)]
pub(super) struct ToAgent {
    last: i16,
}

impl ToAgent {
    pub(super) fn convert(&mut self, audio: &[u8], format: AudioFormat) -> Vec<u8> {
        let factor = match format {
            AudioFormat::Ulaw8000 => return audio.to_vec(),
            AudioFormat::Pcm8000 => 1,
            AudioFormat::Pcm16000 => 2,
            AudioFormat::Pcm24000 => 3,
        };
        let mut out = Vec::with_capacity(audio.len() * 2 * 3);
        for byte in audio {
            let (from, to) = (i32::from(self.last), i32::from(decode(*byte)));
            for step in 1..=factor {
                let sample = i16::try_from(from + (to - from) * step / factor).expect("between two samples");
                out.extend_from_slice(&sample.to_le_bytes());
            }
            self.last = i16::try_from(to).expect("a sample");
        }
        out
    }
}

/// Turns an agent's format into µ-law. Bytes that do not make up a whole sample yet are kept for the next call.
#[derive(Debug, Default)]
pub(super) struct FromAgent {
    partial: Vec<u8>,
}

impl FromAgent {
    pub(super) fn convert(&mut self, audio: &[u8], format: AudioFormat) -> Vec<u8> {
        let factor = match format {
            AudioFormat::Ulaw8000 => return audio.to_vec(),
            AudioFormat::Pcm8000 => 1,
            AudioFormat::Pcm16000 => 2,
            AudioFormat::Pcm24000 => 3,
        };
        self.partial.extend_from_slice(audio);
        let group = 2 * factor;
        let whole = self.partial.len() / group * group;
        let bytes: Vec<u8> = self.partial.drain(..whole).collect();
        let mean = |group: &[u8]| {
            let sum: i32 = group.chunks_exact(2).map(|pair| i32::from(i16::from_le_bytes([pair[0], pair[1]]))).sum();
            i16::try_from(sum / i32::try_from(factor).expect("1 to 3")).expect("a mean of samples")
        };
        bytes.chunks_exact(group).map(|group| encode(mean(group))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_agrees_with_the_table_of_g711() {
        let known = [(0x00, -32_124), (0x80, 32_124), (0xFF, 0), (0x7F, 0), (0x0F, -16_764), (0xF0, 120)];
        for (byte, sample) in known {
            assert_eq!(decode(byte), sample, "{byte:#x}");
        }
    }

    #[test]
    fn encoding_undoes_decoding_but_for_the_second_zero() {
        for byte in 0..=u8::MAX {
            let expected = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(encode(decode(byte)), expected, "{byte:#x}");
        }
    }

    #[test]
    fn pcm_there_and_back_is_the_same_length_whatever_the_chunks() {
        let audio: Vec<u8> = (0..160).map(|i| encode(i16::try_from(i * 50).unwrap())).collect();
        for format in [AudioFormat::Ulaw8000, AudioFormat::Pcm8000, AudioFormat::Pcm16000, AudioFormat::Pcm24000] {
            let pcm = ToAgent::default().convert(&audio, format);
            let mut back = FromAgent::default();
            let out: Vec<u8> = pcm.chunks(7).flat_map(|piece| back.convert(piece, format)).collect();
            assert_eq!(out.len(), audio.len(), "{format:?}");
        }
    }

    #[test]
    fn silence_is_quiet_and_zero_bytes_are_not() {
        assert_eq!(loudness(&[MULAW_SILENCE; 160]), 0);
        assert!(loudness(&[0x00; 160]) > 30_000);
    }
}
