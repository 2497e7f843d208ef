//! What the load's ends say and hear: WebSocket frames (RFC 6455 section 5) and stamped audio, with as little work as can be, so
//! that the load does not become what is measured.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A frame of audio, µ-law: 20 ms.
pub(super) const FRAME_BYTES: usize = 160;

/// The same 20 ms as 16 kHz PCM.
pub(super) const PCM_FRAME_BYTES: usize = 640;

/// What a stamp takes of a frame; noise fills the rest.
const STAMP_BYTES: usize = 20;

/// Who writes: only a client masks its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Carrier,
    Agent,
}

/// The load's own masking key. Any will do; a fixed one keeps the load cheap.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;

/// Appends one text frame.
pub(super) fn put_text(out: &mut Vec<u8>, side: Side, text: &[u8]) {
    put_frame(out, side, TEXT, text);
}

/// Appends a close with code 1000.
pub(super) fn put_close(out: &mut Vec<u8>, side: Side) {
    put_frame(out, side, CLOSE, &1000_u16.to_be_bytes());
}

fn put_frame(out: &mut Vec<u8>, side: Side, first: u8, payload: &[u8]) {
    let mask_bit = if side == Side::Carrier { 0x80 } else { 0 };
    out.push(first);
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => out.push(mask_bit | u8::try_from(length).expect("at most 125")),
        Ok(length) => {
            out.push(mask_bit | 0x7e);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(mask_bit | 0x7f);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    if side == Side::Agent {
        out.extend_from_slice(payload);
        return;
    }
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[start..], MASK);
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let (blocks, rest) = payload.as_chunks_mut::<4>();
    for block in blocks {
        *block = (u32::from_ne_bytes(*block) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}

/// What came on a socket and is not a whole frame yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    read: usize,
}

/// One message. Fragments are nobody's habit here: their audio would count as lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    Text(&'a [u8]),
    Close,
    /// Ping, pong, binary: of no interest.
    Other,
}

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.read == self.bytes.len() {
            self.bytes.clear();
            self.read = 0;
        } else if self.read > 64 << 10 {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub(super) fn next(&mut self) -> Option<Heard<'_>> {
        let head = &self.bytes[self.read..];
        let (&first, &second) = (head.first()?, head.get(1)?);
        let (length, at) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(head.get(2..10)?.try_into().ok()?)).ok()?, 10),
            short => (usize::from(short), 2),
        };
        let is_masked = second & 0x80 != 0;
        let start = self.read + at + if is_masked { 4 } else { 0 };
        let end = start + length;
        if self.bytes.len() < end {
            return None;
        }
        if is_masked {
            let mask: [u8; 4] = self.bytes[start - 4..start].try_into().ok()?;
            unmask(&mut self.bytes[start..end], mask);
        }
        self.read = end;
        Some(match first {
            TEXT => Heard::Text(&self.bytes[start..end]),
            CLOSE => Heard::Close,
            _ => Heard::Other,
        })
    }
}

/// What a frame of audio carries, so that its receiver knows it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Nanoseconds since the measurement's epoch.
    pub(super) sent: u64,
    pub(super) call: u32,
    /// Counts up from 0 in each direction of a call.
    pub(super) number: u32,
    /// The agent's turn; [`VOID`] in frames that must not arrive.
    pub(super) turn: u32,
}

/// The turn of audio that the agent sends after it was interrupted, for the turn that is void.
pub(super) const VOID: u32 = u32::MAX;

/// Bytes that look like anything.
#[derive(Debug)]
pub(super) struct Noise(Vec<u8>);

impl Noise {
    pub(super) fn new() -> Self {
        // A linear congruential generator (Knuth's MMIX constants): reproducible, and never all silence.
        let mut state = 0x5eed_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        Self((0..4096 + PCM_FRAME_BYTES).map(|_| next()).collect())
    }

    /// The filling of a frame, other for every call and number.
    fn of(&self, call: u32, number: u32, length: usize) -> &[u8] {
        let start = (call.wrapping_mul(97).wrapping_add(number.wrapping_mul(31)) % 4096) as usize;
        &self.0[start..start + length]
    }

    /// The base64 text of a stamped µ-law frame.
    pub(super) fn write_frame(&self, stamp: Stamp, out: &mut String) {
        let mut frame = [0; FRAME_BYTES];
        frame[..8].copy_from_slice(&stamp.sent.to_be_bytes());
        frame[8..12].copy_from_slice(&stamp.call.to_be_bytes());
        frame[12..16].copy_from_slice(&stamp.number.to_be_bytes());
        frame[16..20].copy_from_slice(&stamp.turn.to_be_bytes());
        frame[STAMP_BYTES..].copy_from_slice(self.of(stamp.call, stamp.number, FRAME_BYTES - STAMP_BYTES));
        BASE64.encode_string(frame, out);
    }

    /// The base64 text of 20 ms of PCM noise, quiet enough to pass a filter without clipping.
    pub(super) fn write_pcm(&self, call: u32, number: u32, out: &mut String) {
        let mut frame = [0; PCM_FRAME_BYTES];
        let noise = self.of(call, number, PCM_FRAME_BYTES);
        for (sample, byte) in frame.as_chunks_mut::<2>().0.iter_mut().zip(noise) {
            *sample = (i16::from(*byte) * 32 - 4096).to_le_bytes();
        }
        BASE64.encode_string(frame, out);
    }

    /// Reads a frame back: none where so much as one byte is not as it was sent.
    pub(super) fn read_frame(&self, base64: &[u8]) -> Option<Stamp> {
        let mut frame = [0; FRAME_BYTES + 2];
        let length = BASE64.decode_slice(base64, &mut frame).ok()?;
        let word = |at: usize| Some(u32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?));
        let stamp = Stamp {
            sent: u64::from_be_bytes(frame[..8].try_into().ok()?),
            call: word(8)?,
            number: word(12)?,
            turn: word(16)?,
        };
        let filling = self.of(stamp.call, stamp.number, FRAME_BYTES - STAMP_BYTES);
        (length == FRAME_BYTES && &frame[STAMP_BYTES..FRAME_BYTES] == filling).then_some(stamp)
    }
}

/// The text between `before` and the next quote.
pub(super) fn quoted<'a>(message: &'a [u8], before: &[u8]) -> Option<&'a [u8]> {
    let start = memchr::memmem::find(message, before)? + before.len();
    let rest = &message[start..];
    Some(&rest[..memchr::memchr(b'"', rest)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_come_back_masked_or_not_and_in_pieces() {
        for side in [Side::Carrier, Side::Agent] {
            for length in [0, 1, 3, 125, 126, 300, 65_535, 65_536] {
                let text: Vec<u8> = (0..length).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
                let mut wire = Vec::new();
                put_text(&mut wire, side, &text);
                put_close(&mut wire, side);
                let mut inbox = Inbox::default();
                for byte in &wire[..wire.len() - 1] {
                    inbox.push(std::slice::from_ref(byte));
                }
                assert_eq!(inbox.next(), Some(Heard::Text(&text)));
                assert_eq!(inbox.next(), None);
                inbox.push(&wire[wire.len() - 1..]);
                assert_eq!(inbox.next(), Some(Heard::Close));
            }
        }
    }

    #[test]
    fn a_frame_is_known_again_and_one_wrong_byte_is_noticed() {
        let noise = Noise::new();
        let stamp = Stamp { sent: 123_456_789, call: 7, number: 42, turn: 3 };
        let mut text = String::new();
        noise.write_frame(stamp, &mut text);
        assert_eq!(noise.read_frame(text.as_bytes()), Some(stamp));
        let mut wrong = text.clone().into_bytes();
        wrong[100] = if wrong[100] == b'A' { b'B' } else { b'A' };
        assert_eq!(noise.read_frame(&wrong), None);
        assert_eq!(noise.read_frame(&text.as_bytes()[..200]), None);
    }
}
