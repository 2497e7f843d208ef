//! Tones of our own as µ-law: the keys of a telephone (ITU-T Q.23) and the tone of a call on hold.

use std::f64::consts::TAU;
use std::time::Duration;

use super::g711;
use crate::domain::Keys;
use crate::domain::audio::{MULAW_BYTES_PER_SECOND, MULAW_SILENCE, mulaw_bytes};

/// The four low and the four high frequencies of the keypad, by row and column, in Hz (ITU-T Q.23).
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYPAD: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// A key sounds so long, and so long is the silence after it. Receivers must take 40 ms of each (ITU-T Q.24); slow ones take 100.
const KEY: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(100);

/// `w`.
const WAIT: Duration = Duration::from_millis(500);

/// Amplitudes at -8 and -6 dBm0: a full-scale sine is 3.17 dBm0 (G.711). The high tone is the louder one, since lines take more of it.
const LOW: f64 = 32_124.0 * 0.276_4;
const HIGH: f64 = 32_124.0 * 0.348_0;

/// Rising and falling over 2 ms, so that nothing clicks.
const EDGE: f64 = 16.0;

/// The tones of the keys one after the other, µ-law at 8 kHz.
pub fn keys(keys: &Keys) -> Vec<u8> {
    let mut audio = Vec::new();
    for key in keys.as_str().chars() {
        match place(key) {
            Some((row, column)) => {
                sound(&mut audio, KEY, &[(ROWS[row], LOW), (COLUMNS[column], HIGH)]);
                silence(&mut audio, PAUSE);
            }
            None => silence(&mut audio, WAIT),
        }
    }
    audio
}

/// What a caller on hold hears, to be repeated: two soft beeps and a pause, 4 s in all.
pub fn hold() -> Vec<u8> {
    let mut audio = Vec::new();
    let soft = [(425.0, 32_124.0 * 0.05)];
    for pause in [200, 3_400] {
        sound(&mut audio, Duration::from_millis(200), &soft);
        silence(&mut audio, Duration::from_millis(pause));
    }
    audio
}

fn place(key: char) -> Option<(usize, usize)> {
    KEYPAD.iter().enumerate().find_map(|(row, keys)| Some((row, keys.iter().position(|of| *of == key)?)))
}

fn sound(audio: &mut Vec<u8>, duration: Duration, parts: &[(f64, f64)]) {
    let samples = u32::try_from(mulaw_bytes(duration)).unwrap_or(u32::MAX);
    let rate = f64::from(u32::try_from(MULAW_BYTES_PER_SECOND).unwrap_or(u32::MAX));
    for n in 0..samples {
        let (since, left) = (f64::from(n), f64::from(samples - 1 - n));
        let edge = (since.min(left) / EDGE).min(1.0);
        let sum: f64 = parts.iter().map(|(hertz, amplitude)| amplitude * (TAU * hertz * since / rate).sin()).sum();
        #[expect(clippy::cast_possible_truncation, reason = "the amplitudes add up to less than 20,100")]
        audio.push(g711::encode((sum * edge) as i16));
    }
}

fn silence(audio: &mut Vec<u8>, duration: Duration) {
    audio.extend((0..mulaw_bytes(duration)).map(|_| MULAW_SILENCE));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of a frequency is in the audio, as the amplitude of its sine (Goertzel's algorithm).
    fn amplitude(audio: &[u8], hertz: f64) -> f64 {
        let coefficient = 2.0 * (TAU * hertz / 8_000.0).cos();
        let (mut last, mut before) = (0.0, 0.0);
        for byte in audio {
            let next = f64::from(g711::decode(*byte)) + coefficient * last - before;
            (before, last) = (last, next);
        }
        let power: f64 = last * last + before * before - coefficient * last * before;
        let samples = f64::from(u32::try_from(audio.len()).unwrap());
        2.0 * power.max(0.0).sqrt() / samples
    }

    fn dbm0(amplitude: f64) -> f64 {
        20.0 * (amplitude / 32_124.0).log10() + 3.17
    }

    #[test]
    fn every_key_sounds_with_its_two_frequencies_and_no_other() {
        for (row, keys_of_row) in KEYPAD.iter().enumerate() {
            for (column, key) in keys_of_row.iter().enumerate() {
                let audio = keys(&key.to_string().parse().unwrap());
                assert_eq!(audio.len(), 1_600);
                let (tone, rest) = audio.split_at(800);
                assert!(rest.iter().all(|byte| *byte == MULAW_SILENCE));
                // The middle 80 ms, without the edges.
                let tone = &tone[80..720];
                for (n, hertz) in ROWS.iter().chain(&COLUMNS).enumerate() {
                    let level = dbm0(amplitude(tone, *hertz));
                    let wanted = n == row || n == 4 + column;
                    let expected = if n < 4 { -8.0 } else { -6.0 };
                    let fits = if wanted { (level - expected).abs() < 0.3 } else { level < -28.0 };
                    assert!(fits, "key {key}: {hertz} Hz at {level:.1} dBm0");
                }
            }
        }
    }

    #[test]
    fn a_wait_is_half_a_second_of_silence() {
        let audio = keys(&"1w2".parse().unwrap());
        assert_eq!(audio.len(), 1_600 + 4_000 + 1_600);
        assert!(audio[800..5_600].iter().all(|byte| *byte == MULAW_SILENCE));
    }

    #[test]
    fn the_hold_tone_is_soft_and_four_seconds_long() {
        let audio = hold();
        assert_eq!(audio.len(), 32_000);
        let level = dbm0(amplitude(&audio[80..1_520], 425.0));
        assert!((-24.0..-21.0).contains(&level), "{level:.1} dBm0");
    }
}
