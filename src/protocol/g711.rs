//! G.711 µ-law to and from linear samples (ITU-T G.711), a byte a sample.

use audio_codec_algorithms::{decode_ulaw, encode_ulaw};

/// One µ-law byte as a signed 16-bit sample.
pub fn decode(byte: u8) -> i16 {
    decode_ulaw(byte)
}

/// One signed 16-bit sample as its nearest µ-law byte.
pub fn encode(sample: i16) -> u8 {
    encode_ulaw(sample)
}

#[cfg(test)]
mod tests {
    use crate::domain::audio::MULAW_SILENCE;

    use super::*;

    #[test]
    fn known_points_of_the_table() {
        // G.711 table 2: silence on both sides of zero, the extremes, and one point of each sign between them.
        assert_eq!([0xFF, 0x7F, 0x00, 0x80, 0xE7, 0x67].map(decode), [0, 0, -32_124, 32_124, 260, -260]);
        assert_eq!(encode(0), MULAW_SILENCE);
        assert_eq!([encode(i16::MIN), encode(i16::MAX)], [0x00, 0x80]);
    }

    #[test]
    fn decoding_and_encoding_is_the_identity_except_for_negative_zero() {
        for byte in 0..=u8::MAX {
            let expected = if byte == 0x7F { MULAW_SILENCE } else { byte };
            assert_eq!(encode(decode(byte)), expected, "byte {byte:#04x}");
        }
    }

    #[test]
    fn no_sample_is_further_from_its_code_than_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let error = (i32::from(sample) - i32::from(decode(encode(sample)))).abs();
            // The widest step is 1,024; above the clip level of 32,635 the error grows to 643.
            let bound = if sample.unsigned_abs() > 32_635 { 644 } else { (i32::from(sample).abs() + 132) / 32 + 4 };
            assert!(error <= bound, "sample {sample} is off by {error}, more than {bound}");
        }
    }
}
