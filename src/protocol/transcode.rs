//! Streaming conversion between the caller's µ-law at 8 kHz and an agent's PCM (signed 16-bit little-endian mono) at 8, 16 or 24 kHz.
//!
//! State lives across calls: a resampler that starts afresh on every 20 ms frame clicks fifty times a second. What comes out
//! does not depend on how the input was cut: less than a millisecond of samples, and half a sample, wait for the rest.
//!
//! The filter is a windowed sinc of 2 ms on either side, which is the whole delay that resampling adds (8 kHz PCM adds none).
//! Its half-amplitude point is at 3.68 kHz: the telephone's band of 300 to 3,400 Hz passes flat, and what would fold back below
//! 3.4 kHz is suppressed by more than 44 dB, beyond the 38 dB that µ-law itself can tell apart.

use std::mem;
use std::time::Duration;

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType, WindowFunction};

use crate::domain::audio::AudioFormat;

use super::g711;

/// How much later a sound leaves a resampling converter than it came in, to a quarter of a millisecond.
pub const RESAMPLING_DELAY: Duration = Duration::from_millis(2);

/// Samples of one millisecond at 8 kHz: the grain in which the resampler works.
const GRAIN_8K: usize = 8;

/// Half-amplitude point of the filter, relative to the 4 kHz that 8 kHz audio can hold.
const CUTOFF: f32 = 0.92;

/// An agent's PCM on its way to the caller.
#[derive(Debug)]
pub struct ToMulaw {
    rate: Option<Box<Resample>>,
    half_sample: Option<u8>,
    samples: Vec<f32>,
}

impl ToMulaw {
    /// `None` where there is nothing to convert.
    pub fn new(from: AudioFormat) -> Option<Self> {
        let rate = match from {
            AudioFormat::Ulaw8000 => return None,
            AudioFormat::Pcm8000 => None,
            AudioFormat::Pcm16000 => Some(Box::new(Resample::down(2))),
            AudioFormat::Pcm24000 => Some(Box::new(Resample::down(3))),
        };
        Some(Self { rate, half_sample: None, samples: Vec::new() })
    }

    /// Appends to `out` the µ-law of so much of the stream as is complete. `pcm` may end in the middle of a sample.
    pub fn push(&mut self, pcm: &[u8], out: &mut Vec<u8>) {
        let Self { rate, half_sample, samples } = self;
        samples.clear();
        let mut rest = pcm;
        if let Some((&high, tail)) = rest.split_first()
            && let Some(low) = half_sample.take()
        {
            samples.push(i16::from_le_bytes([low, high]).into());
            rest = tail;
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        samples.extend(pairs.iter().map(|pair| f32::from(i16::from_le_bytes(*pair))));
        if let [low] = odd {
            *half_sample = Some(*low);
        }
        let mut write = |chunk: &[f32]| out.extend(chunk.iter().map(|sample| g711::encode(to_i16(*sample))));
        match rate {
            Some(rate) => rate.push(samples, write),
            None => write(samples),
        }
    }

    /// Forgets everything heard so far: what comes next is another utterance.
    pub fn reset(&mut self) {
        self.half_sample = None;
        if let Some(rate) = &mut self.rate {
            rate.reset();
        }
    }
}

/// The caller's µ-law on its way to an agent.
#[derive(Debug)]
pub struct FromMulaw {
    rate: Option<Box<Resample>>,
    samples: Vec<f32>,
}

impl FromMulaw {
    /// `None` where there is nothing to convert.
    pub fn new(to: AudioFormat) -> Option<Self> {
        let rate = match to {
            AudioFormat::Ulaw8000 => return None,
            AudioFormat::Pcm8000 => None,
            AudioFormat::Pcm16000 => Some(Box::new(Resample::up(2))),
            AudioFormat::Pcm24000 => Some(Box::new(Resample::up(3))),
        };
        Some(Self { rate, samples: Vec::new() })
    }

    /// Appends to `out` the PCM bytes of so much of the stream as is complete.
    pub fn push(&mut self, mulaw: &[u8], out: &mut Vec<u8>) {
        let Self { rate, samples } = self;
        samples.clear();
        samples.extend(mulaw.iter().map(|byte| f32::from(g711::decode(*byte))));
        let mut write = |chunk: &[f32]| out.extend(chunk.iter().flat_map(|sample| to_i16(*sample).to_le_bytes()));
        match rate {
            Some(rate) => rate.push(samples, write),
            None => write(samples),
        }
    }
}

/// Overshoot of the filter on a loud sound is clipped, never wrapped.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float to integer cast saturates, and a half sample is rounded first"
)]
fn to_i16(sample: f32) -> i16 {
    sample.round() as i16
}

/// A resampler by a whole factor, fed in grains of one millisecond.
#[derive(Debug)]
struct Resample {
    filter: Async<f32>,
    grain: usize,
    /// Less than a grain of samples that wait for more.
    waiting: Vec<f32>,
    resampled: Vec<f32>,
}

impl Resample {
    fn down(factor: u8) -> Self {
        // A filter's length counts samples of its input: 4 ms in all.
        let grain = GRAIN_8K * usize::from(factor);
        Self::new(1.0 / f64::from(factor), grain, 1)
    }

    fn up(factor: u8) -> Self {
        Self::new(f64::from(factor), GRAIN_8K, usize::from(factor))
    }

    /// `phases` is how many positions between two input samples an output sample can have.
    fn new(ratio: f64, grain: usize, phases: usize) -> Self {
        let parameters = SincInterpolationParameters::new(4 * grain, WindowFunction::Hann)
            .f_cutoff(CUTOFF)
            .oversampling_factor(phases)
            // With a whole factor every output sample falls exactly on a computed phase.
            .interpolation(SincInterpolationType::Nearest);
        let filter = Async::new_sinc(ratio, 1.0, &parameters, grain, 1, FixedAsync::Input)
            .expect("the ratio is finite and positive, the relative ratio one, the grain not zero");
        let resampled = vec![0.0; filter.output_frames_max()];
        let mut resample = Self { filter, grain, waiting: Vec::with_capacity(grain), resampled };
        resample.prime();
        resample
    }

    /// The filter yields a little less than a grain for its first one, and exactly a grain ever after: that first one is silence.
    fn prime(&mut self) {
        self.run(&[0.0; 3 * GRAIN_8K][..self.grain]);
    }

    fn push(&mut self, mut samples: &[f32], mut write: impl FnMut(&[f32])) {
        if !self.waiting.is_empty() {
            let missing = (self.grain - self.waiting.len()).min(samples.len());
            self.waiting.extend_from_slice(&samples[..missing]);
            samples = &samples[missing..];
            if self.waiting.len() < self.grain {
                return;
            }
            let grain = mem::take(&mut self.waiting);
            write(self.run(&grain));
            self.waiting = grain;
            self.waiting.clear();
        }
        let mut grains = samples.chunks_exact(self.grain);
        for grain in &mut grains {
            write(self.run(grain));
        }
        self.waiting.extend_from_slice(grains.remainder());
    }

    /// Runs exactly one grain through the filter.
    fn run(&mut self, grain: &[f32]) -> &[f32] {
        let room = self.resampled.len();
        let input = SequentialSlice::new(grain, 1, grain.len()).expect("one channel of the slice's own length");
        let mut output =
            SequentialSlice::new_mut(&mut self.resampled, 1, room).expect("one channel of the buffer's own length");
        let (_, written) = self
            .filter
            .process_into_buffer(&input, &mut output, None)
            .expect("the input is one grain and the output has room for the most that a grain can yield");
        &self.resampled[..written]
    }

    fn reset(&mut self) {
        self.filter.reset();
        self.waiting.clear();
        self.prime();
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    const PCM: [AudioFormat; 3] = [AudioFormat::Pcm8000, AudioFormat::Pcm16000, AudioFormat::Pcm24000];

    /// A sine as PCM bytes.
    #[expect(clippy::cast_possible_truncation, reason = "the amplitude keeps it within 16 bits")]
    fn sine(hz: f64, amplitude: f64, rate: u32, samples: u32) -> Vec<u8> {
        (0..samples)
            .flat_map(|n| {
                ((amplitude * (TAU * hz * f64::from(n) / f64::from(rate)).sin()).round() as i16).to_le_bytes()
            })
            .collect()
    }

    fn samples(pcm: &[u8]) -> Vec<f64> {
        pcm.as_chunks::<2>().0.iter().map(|pair| f64::from(i16::from_le_bytes(*pair))).collect()
    }

    fn to_mulaw(format: AudioFormat, pcm: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        ToMulaw::new(format).unwrap().push(pcm, &mut out);
        out
    }

    fn from_mulaw(format: AudioFormat, mulaw: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        FromMulaw::new(format).unwrap().push(mulaw, &mut out);
        out
    }

    fn decoded(mulaw: &[u8]) -> Vec<f64> {
        mulaw.iter().map(|byte| f64::from(g711::decode(*byte))).collect()
    }

    /// How much of the signal is this tone, and what is left when it is taken away: (amplitude, signal to noise in dB).
    fn tone(signal: &[f64], hz: f64, rate: u32) -> (f64, f64) {
        let phase = |n: usize| TAU * hz * f64::from(u32::try_from(n).unwrap()) / f64::from(rate);
        let scale = 2.0 / f64::from(u32::try_from(signal.len()).unwrap());
        let sine: f64 = signal.iter().enumerate().map(|(n, s)| s * phase(n).sin()).sum::<f64>() * scale;
        let cosine: f64 = signal.iter().enumerate().map(|(n, s)| s * phase(n).cos()).sum::<f64>() * scale;
        let power = |s: f64| s * s;
        let noise: f64 = signal
            .iter()
            .enumerate()
            .map(|(n, s)| power(s - sine * phase(n).sin() - cosine * phase(n).cos()))
            .sum::<f64>();
        let kept: f64 = (0..signal.len()).map(|n| power(sine * phase(n).sin() + cosine * phase(n).cos())).sum();
        (sine.hypot(cosine), 10.0 * (kept / noise).log10())
    }

    fn loudest(signal: &[f64]) -> usize {
        signal.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap().0
    }

    #[test]
    fn mulaw_needs_no_conversion() {
        assert!(ToMulaw::new(AudioFormat::Ulaw8000).is_none());
        assert!(FromMulaw::new(AudioFormat::Ulaw8000).is_none());
    }

    #[test]
    fn a_frame_stays_a_frame_however_long_the_call() {
        for format in PCM {
            let frame = format.sample_rate() as usize / 50 * 2;
            let (mut up, mut down) = (FromMulaw::new(format).unwrap(), ToMulaw::new(format).unwrap());
            let (mut pcm, mut mulaw) = (Vec::new(), Vec::new());
            for n in 0..3_000 {
                pcm.clear();
                mulaw.clear();
                up.push(&[0xFF; 160], &mut pcm);
                assert_eq!(pcm.len(), frame, "µ-law to {format:?}, frame {n}");
                down.push(&pcm, &mut mulaw);
                assert_eq!(mulaw.len(), 160, "{format:?} to µ-law, frame {n}");
            }
        }
    }

    #[test]
    fn a_second_stays_a_second() {
        for format in PCM {
            let rate = format.sample_rate();
            let mulaw = to_mulaw(format, &sine(440.0, 8_000.0, rate, rate));
            assert_eq!(mulaw.len(), 8_000, "{format:?} to µ-law");
            assert_eq!(from_mulaw(format, &mulaw).len(), 2 * rate as usize, "µ-law to {format:?}");
        }
    }

    #[test]
    fn a_tone_of_1_khz_survives_both_ways() {
        for format in PCM {
            let rate = format.sample_rate();
            let mulaw = to_mulaw(format, &sine(1_000.0, 10_000.0, rate, rate));
            let (level, snr) = tone(&decoded(&mulaw)[400..7_600], 1_000.0, 8_000);
            assert!((9_800.0..10_200.0).contains(&level), "{format:?} to µ-law: level {level}");
            assert!(snr > 35.0, "{format:?} to µ-law: only {snr:.1} dB above the noise");

            let heard = samples(&from_mulaw(format, &mulaw));
            let skip = rate as usize / 20;
            let (level, snr) = tone(&heard[skip..heard.len() - skip], 1_000.0, rate);
            assert!((9_800.0..10_200.0).contains(&level), "µ-law to {format:?}: level {level}");
            assert!(snr > 35.0, "µ-law to {format:?}: only {snr:.1} dB above the noise");
        }
    }

    #[test]
    fn the_band_of_the_telephone_passes_flat() {
        for format in [AudioFormat::Pcm16000, AudioFormat::Pcm24000] {
            let rate = format.sample_rate();
            for hz in [300.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
                let mulaw = to_mulaw(format, &sine(hz, 10_000.0, rate, rate));
                let (level, _) = tone(&decoded(&mulaw)[400..7_600], hz, 8_000);
                let db = 20.0 * (level / 10_000.0).log10();
                assert!(db.abs() < 1.0, "{hz} Hz from {format:?} comes out at {db:.2} dB");
            }
        }
    }

    #[test]
    fn what_would_fold_back_into_the_band_is_suppressed() {
        // Tones above 4.6 kHz would be heard at 8 kHz minus their frequency, below 3.4 kHz.
        for (format, tones) in [
            (AudioFormat::Pcm16000, &[4_600.0, 5_000.0, 6_000.0, 7_500.0][..]),
            (AudioFormat::Pcm24000, &[4_600.0, 6_000.0, 9_000.0, 11_000.0][..]),
        ] {
            let rate = format.sample_rate();
            for hz in tones {
                let mulaw = to_mulaw(format, &sine(*hz, 20_000.0, rate, rate));
                let peak = decoded(&mulaw)[400..7_600].iter().fold(0.0_f64, |peak, s| peak.max(s.abs()));
                let db = 20.0 * (peak.max(1.0) / 20_000.0).log10();
                assert!(db < -44.0, "{hz} Hz from {format:?} still comes out at {db:.1} dB");
            }
        }
    }

    #[test]
    fn the_images_of_upsampling_are_suppressed() {
        for format in [AudioFormat::Pcm16000, AudioFormat::Pcm24000] {
            let rate = format.sample_rate();
            let mulaw = to_mulaw(AudioFormat::Pcm8000, &sine(2_000.0, 10_000.0, 8_000, 8_000));
            let heard = samples(&from_mulaw(format, &mulaw));
            let (image, _) = tone(&heard[rate as usize / 20..rate as usize * 19 / 20], 6_000.0, rate);
            let db = 20.0 * (image.max(1.0) / 10_000.0).log10();
            assert!(db < -44.0, "the image at 6 kHz in {format:?} is at {db:.1} dB");
        }
    }

    #[test]
    fn an_impulse_comes_out_as_late_as_documented() {
        for (format, delay) in [
            (AudioFormat::Pcm8000, Duration::ZERO),
            (AudioFormat::Pcm16000, RESAMPLING_DELAY),
            (AudioFormat::Pcm24000, RESAMPLING_DELAY),
        ] {
            let rate = format.sample_rate() as usize;
            // At 100 ms, in the middle of 200 ms of silence; three samples wide so that it survives the filter loudly.
            let mut pcm = vec![0_u8; 2 * rate / 5];
            for n in rate / 10 - 1..=rate / 10 + 1 {
                pcm[2 * n..2 * n + 2].copy_from_slice(&30_000_i16.to_le_bytes());
            }
            let at = loudest(&decoded(&to_mulaw(format, &pcm)));
            let measured = Duration::from_micros(at as u64 * 125).checked_sub(Duration::from_millis(100)).unwrap();
            assert!(measured.abs_diff(delay) <= Duration::from_micros(250), "{format:?} to µ-law: {measured:?}");

            let mut mulaw = vec![0xFF_u8; 1_600];
            mulaw[800] = g711::encode(30_000);
            let at = loudest(&samples(&from_mulaw(format, &mulaw)));
            let micros = at as u64 * 1_000_000 / rate as u64;
            let measured = Duration::from_micros(micros).checked_sub(Duration::from_millis(100)).unwrap();
            assert!(measured.abs_diff(delay) <= Duration::from_micros(250), "µ-law to {format:?}: {measured:?}");
        }
    }

    #[test]
    fn loud_input_clips_and_does_not_wrap() {
        for format in [AudioFormat::Pcm16000, AudioFormat::Pcm24000] {
            // A full-scale square wave makes any filter overshoot.
            let period = format.sample_rate() as usize / 400;
            let pcm: Vec<u8> = (0..20 * period)
                .flat_map(|n| if n % period < period / 2 { i16::MAX } else { i16::MIN }.to_le_bytes())
                .collect();
            let heard = decoded(&to_mulaw(format, &pcm));
            // Ten periods change their sign twenty times; a sample that wrapped would add two more.
            let changes = heard[100..300].windows(2).filter(|pair| pair[0] * pair[1] < 0.0).count();
            assert!((19..=21).contains(&changes), "{format:?}: {changes} changes of sign");
            assert!(heard.iter().any(|s| *s > 32_000.0) && heard.iter().any(|s| *s < -32_000.0));
        }
    }

    #[test]
    fn after_a_reset_nothing_of_the_old_utterance_is_heard() {
        for format in PCM {
            let rate = format.sample_rate();
            let mut converter = ToMulaw::new(format).unwrap();
            let (mut old, mut new, speech) = (Vec::new(), Vec::new(), sine(500.0, 9_000.0, rate, 163));
            converter.push(&speech[..speech.len() - 1], &mut old);
            converter.reset();
            converter.push(&speech, &mut new);
            assert_eq!(new, to_mulaw(format, &speech), "{format:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn how_pcm_is_cut_makes_no_difference(
            format in proptest::sample::select(&PCM[..]),
            pcm in proptest::collection::vec(any::<u8>(), 0..3_000),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(pcm.len() + 1)).collect();
            cuts.sort_unstable();
            cuts.push(pcm.len());
            let (mut converter, mut pieces, mut from) = (ToMulaw::new(format).unwrap(), Vec::new(), 0);
            for to in cuts {
                converter.push(&pcm[from..to], &mut pieces);
                from = to;
            }
            prop_assert_eq!(pieces, to_mulaw(format, &pcm));
        }

        #[test]
        fn how_mulaw_is_cut_makes_no_difference(
            format in proptest::sample::select(&PCM[..]),
            mulaw in proptest::collection::vec(any::<u8>(), 0..1_500),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(mulaw.len() + 1)).collect();
            cuts.sort_unstable();
            cuts.push(mulaw.len());
            let (mut converter, mut pieces, mut from) = (FromMulaw::new(format).unwrap(), Vec::new(), 0);
            for to in cuts {
                converter.push(&mulaw[from..to], &mut pieces);
                from = to;
            }
            prop_assert_eq!(pieces, from_mulaw(format, &mulaw));
        }

        #[test]
        fn every_whole_millisecond_comes_out_at_once(
            format in proptest::sample::select(&PCM[..]),
            pcm in proptest::collection::vec(any::<u8>(), 0..3_000),
        ) {
            let grain = format.sample_rate() as usize / 1_000;
            let whole = if format == AudioFormat::Pcm8000 { pcm.len() / 2 } else { pcm.len() / 2 / grain * GRAIN_8K };
            prop_assert_eq!(to_mulaw(format, &pcm).len(), whole);
        }
    }
}
