//! Strings of JSON that is written plainly, for the two scanners that see every frame of audio.

use memchr::memchr2;

/// All strings but the audio are a few bytes, for which a search that is made for long ones takes long to begin.
const SHORT: usize = 16;

/// Up to the first quote or escape of what follows a string's opening quote.
pub(in crate::protocol) fn string_len(text: &[u8]) -> Option<usize> {
    let (short, long) = text.split_at(text.len().min(SHORT));
    let end = short.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    end.or_else(|| Some(short.len() + memchr2(b'"', b'\\', long)?))
}

/// Whether a control character is in the text: between the parts it may be white space, in a string it may not be.
pub(in crate::protocol) fn has_controls(text: &[u8]) -> bool {
    // The least of all bytes, so that the compiler can take many of them at a time.
    text.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < 0x20
}
