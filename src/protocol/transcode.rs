//! Between G.711 µ-law at 8 kHz and an agent's PCM (signed 16-bit little-endian mono at 8, 16 or 24 kHz), with state kept across
//! frames, so that a stream may be cut anywhere.
//!
//! G.711 is a crate's table; resampling is rubato's synchronous FFT resampler with blocks of 10 ms towards the carrier and 20 ms
//! towards the agent. Its delay is half a block plus what waits for a block to fill: at most 15 ms and 30 ms.

use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use crate::domain::audio::AudioFormat;

/// Blocks towards the carrier in a second: 10 ms each.
const TO_CARRIER_BLOCKS: u32 = 100;

/// Blocks towards the agent in a second: 20 ms each, one carrier frame.
const TO_AGENT_BLOCKS: u32 = 50;

const CARRIER_RATE: u32 = 8_000;

/// An agent's PCM to µ-law.
pub struct ToMulaw {
    /// The first half of a sample whose second half has not come.
    odd: Option<u8>,
    resampler: Option<Resampler>,
    samples: Vec<f32>,
}

/// µ-law to an agent's PCM.
pub struct FromMulaw {
    resampler: Option<Resampler>,
    samples: Vec<f32>,
}

impl ToMulaw {
    pub fn new(from: AudioFormat) -> Self {
        Self {
            odd: None,
            resampler: Resampler::between(from.sample_rate(), CARRIER_RATE, TO_CARRIER_BLOCKS),
            samples: Vec::new(),
        }
    }

    /// Appends the µ-law of these bytes, or of as many as make whole blocks together with what came before.
    pub fn push(&mut self, pcm: &[u8], out: &mut Vec<u8>) {
        self.samples.clear();
        let mut bytes = self.odd.take().into_iter().chain(pcm.iter().copied());
        while let Some(low) = bytes.next() {
            match bytes.next() {
                Some(high) => self.samples.push(f32::from(i16::from_le_bytes([low, high]))),
                None => self.odd = Some(low),
            }
        }
        let mut encode = |sample: f32| out.push(encode_ulaw(to_i16(sample)));
        match &mut self.resampler {
            Some(resampler) => resampler.push(&self.samples, &mut encode),
            None => self.samples.iter().copied().for_each(encode),
        }
    }

    /// Forgets what has not come out yet: a new turn is not a continuation of an interrupted one.
    pub fn reset(&mut self) {
        self.odd = None;
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
    }
}

impl FromMulaw {
    pub fn new(to: AudioFormat) -> Self {
        Self { resampler: Resampler::between(CARRIER_RATE, to.sample_rate(), TO_AGENT_BLOCKS), samples: Vec::new() }
    }

    /// Appends the PCM of these bytes, or of as many as make whole blocks together with what came before.
    pub fn push(&mut self, mulaw: &[u8], out: &mut Vec<u8>) {
        self.samples.clear();
        self.samples.extend(mulaw.iter().map(|byte| f32::from(decode_ulaw(*byte))));
        let mut write = |sample: f32| out.extend_from_slice(&to_i16(sample).to_le_bytes());
        match &mut self.resampler {
            Some(resampler) => resampler.push(&self.samples, &mut write),
            None => self.samples.iter().copied().for_each(write),
        }
    }
}

impl std::fmt::Debug for ToMulaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToMulaw").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for FromMulaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromMulaw").finish_non_exhaustive()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, which is what clipping is")]
fn to_i16(sample: f32) -> i16 {
    sample.round() as i16
}

struct Resampler {
    fft: Fft<f32>,
    /// Input that does not fill a block yet.
    pending: Vec<f32>,
    output: Vec<f32>,
}

impl Resampler {
    /// None where the rates are equal.
    fn between(from: u32, to: u32, blocks_per_second: u32) -> Option<Self> {
        if from == to {
            return None;
        }
        let block = (from / blocks_per_second) as usize;
        let fft = Fft::new(from as usize, to as usize, block, 1, FixedSync::Both)
            .expect("the rates are multiples of 8 kHz and the block is a multiple of their ratio");
        let output = vec![0.0; fft.output_frames_max()];
        Some(Self { fft, pending: Vec::with_capacity(block), output })
    }

    fn push(&mut self, samples: &[f32], sink: &mut impl FnMut(f32)) {
        for sample in samples {
            self.pending.push(*sample);
            let block = self.fft.input_frames_next();
            if self.pending.len() < block {
                continue;
            }
            let room = self.output.len();
            let input = InterleavedSlice::new(&self.pending, 1, block).expect("the block is full");
            let mut output = InterleavedSlice::new_mut(&mut self.output, 1, room).expect("the buffer has its length");
            let (_, produced) =
                self.fft.process_into_buffer(&input, &mut output, None).expect("both buffers have the size asked for");
            self.output[..produced].iter().copied().for_each(&mut *sink);
            self.pending.clear();
        }
    }

    fn reset(&mut self) {
        self.pending.clear();
        self.fft.reset();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A second of a tone at half of full scale, as PCM bytes.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test tone")]
    fn tone(rate: u32, hertz: f32) -> Vec<u8> {
        (0..rate)
            .map(|n| (16_000.0 * (std::f32::consts::TAU * hertz * n as f32 / rate as f32).sin()) as i16)
            .flat_map(i16::to_le_bytes)
            .collect()
    }

    fn level(samples: &[f32]) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "a test's count")]
        let count = samples.len() as f32;
        (samples.iter().map(|s| s * s).sum::<f32>() / count).sqrt()
    }

    fn to_mulaw(format: AudioFormat, pcm: &[u8]) -> Vec<f32> {
        let mut out = Vec::new();
        ToMulaw::new(format).push(pcm, &mut out);
        out.into_iter().map(|byte| f32::from(decode_ulaw(byte))).collect()
    }

    #[test]
    fn a_tone_within_the_band_keeps_its_level() {
        for format in [AudioFormat::Pcm8000, AudioFormat::Pcm16000, AudioFormat::Pcm24000] {
            let heard = to_mulaw(format, &tone(format.sample_rate(), 1_000.0));
            assert_eq!(heard.len(), 8_000, "{format:?}");
            let level = level(&heard[800..]);
            assert!((level / 11_314.0 - 1.0).abs() < 0.03, "{format:?}: {level}");
        }
    }

    #[test]
    fn a_tone_above_the_band_is_taken_out() {
        for format in [AudioFormat::Pcm16000, AudioFormat::Pcm24000] {
            let level = level(&to_mulaw(format, &tone(format.sample_rate(), 6_000.0))[800..]);
            assert!(level < 11_314.0 * 0.01, "{format:?}: {level}");
        }
    }

    #[test]
    fn the_callers_tone_reaches_the_agent() {
        let mut mulaw = Vec::new();
        ToMulaw::new(AudioFormat::Pcm8000).push(&tone(8_000, 1_000.0), &mut mulaw);
        for format in [AudioFormat::Pcm8000, AudioFormat::Pcm16000, AudioFormat::Pcm24000] {
            let mut pcm = Vec::new();
            FromMulaw::new(format).push(&mulaw, &mut pcm);
            let samples: Vec<f32> = pcm.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]]))).collect();
            assert_eq!(samples.len(), format.sample_rate() as usize);
            let level = level(&samples[samples.len() / 10..]);
            assert!((level / 11_314.0 - 1.0).abs() < 0.03, "{format:?}: {level}");
        }
    }

    #[test]
    fn an_impulse_comes_out_within_fifteen_milliseconds() {
        let mut pcm = vec![0_u8; 16_000 * 2];
        pcm[8_000 * 2..8_000 * 2 + 2].copy_from_slice(&30_000_i16.to_le_bytes());
        let heard = to_mulaw(AudioFormat::Pcm16000, &pcm);
        let peak = heard.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap().0;
        let delay_samples = peak - 4_000;
        assert!(delay_samples <= 15 * 8, "{delay_samples} samples");
    }

    proptest! {
        #[test]
        fn where_a_stream_is_cut_does_not_matter(cuts in prop::collection::vec(1_usize..700, 1..40), format in 0..3) {
            let format = [AudioFormat::Pcm8000, AudioFormat::Pcm16000, AudioFormat::Pcm24000][format as usize];
            let pcm = tone(format.sample_rate(), 440.0);
            let mut whole = Vec::new();
            ToMulaw::new(format).push(&pcm, &mut whole);
            let (mut pieces, mut transcoder, mut rest) = (Vec::new(), ToMulaw::new(format), &pcm[..]);
            for cut in cuts.into_iter().cycle() {
                let (piece, left) = rest.split_at(cut.min(rest.len()));
                transcoder.push(piece, &mut pieces);
                rest = left;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(whole, pieces);
        }
    }
}
