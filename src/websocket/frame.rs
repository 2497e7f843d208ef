//! Frames of RFC 6455 (section 5.2), as far as whole messages need them.

/// Final frames of these kinds.
pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;

const FINAL: u8 = 0x80;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;

/// Length bytes that say that the length comes behind them, in two bytes or eight.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// What stands before a frame's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// FIN, the reserved bits and the opcode.
    first: u8,
    mask: Option<[u8; 4]>,
    /// Of the payload, bytes.
    length: u64,
    /// Of the head itself, bytes.
    own_length: usize,
}

impl Head {
    /// `None` while not all of it has come.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let (length, length_bytes) = match second & !MASKED {
            LENGTH_16 => (u16::from_be_bytes(*rest.first_chunk()?).into(), 2),
            LENGTH_64 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
            short => (short.into(), 0),
        };
        let (mask, mask_bytes) = match second & MASKED {
            0 => (None, 0),
            _ => (Some(*rest.get(length_bytes..)?.first_chunk()?), 4),
        };
        Some(Self { first: *first, mask, length, own_length: 2 + length_bytes + mask_bytes })
    }

    pub(super) fn mask(&self) -> Option<[u8; 4]> {
        self.mask
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Head and payload. To be asked where the frame is at hand.
    pub(super) fn total(&self) -> usize {
        usize::try_from(self.total_u64()).unwrap_or(usize::MAX)
    }

    pub(super) fn total_u64(&self) -> u64 {
        self.length.saturating_add(self.own_length as u64)
    }

    /// The payload of the frame at the beginning of these bytes, once all of it has come.
    pub(super) fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.get(self.own_length..self.total())
    }

    pub(super) fn is_control(&self) -> bool {
        self.first & CONTROL != 0
    }

    pub(super) fn is_final(&self) -> bool {
        self.first & FINAL != 0
    }

    pub(super) fn is_text(&self) -> bool {
        self.first == TEXT
    }

    /// Text or data that is not in fragments, without reserved bits.
    pub(super) fn is_whole_message(&self) -> bool {
        matches!(self.first, TEXT | BINARY)
    }
}

/// Appends a frame; `first` is [`TEXT`] or [`BINARY`].
pub(super) fn put_frame(out: &mut Vec<u8>, first: u8, mask: Option<[u8; 4]>, payload: &[u8]) {
    let masked = if mask.is_some() { MASKED } else { 0 };
    out.reserve(14 + payload.len());
    out.push(first);
    let length = payload.len();
    if let Ok(short) = u8::try_from(length)
        && short < LENGTH_16
    {
        out.push(masked | short);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(masked | LENGTH_16);
        out.extend(length.to_be_bytes());
    } else {
        out.push(masked | LENGTH_64);
        out.extend((length as u64).to_be_bytes());
    }
    if let Some(mask) = mask {
        out.extend(mask);
    }
    let begins = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply(mask, &mut out[begins..]);
    }
}

/// A copy of a payload, without its mask.
pub(super) fn unmasked(payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    if let Some(mask) = mask {
        apply(mask, &mut bytes);
    }
    bytes
}

/// Masks, or takes the mask away (RFC 6455, section 5.3): sixteen bytes at a time, which compilers make vectors of.
fn apply(mask: [u8; 4], bytes: &mut [u8]) {
    let wide = u128::from_ne_bytes(std::array::from_fn(|at| mask[at % 4]));
    let (chunks, rest) = bytes.as_chunks_mut();
    for chunk in chunks {
        *chunk = (u128::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;

    use super::*;

    proptest! {
        /// tungstenite reads the same from whatever comes, where it reads anything.
        #[test]
        fn a_head_is_read_as_tungstenite_reads_it(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
            let ours = Head::read(&bytes);
            let mut cursor = Cursor::new(&bytes);
            match FrameHeader::parse(&mut cursor) {
                Ok(Some((header, length))) => {
                    let ours = ours.unwrap();
                    prop_assert_eq!(ours.length(), length);
                    prop_assert_eq!(ours.mask(), header.mask);
                    prop_assert_eq!(ours.is_final(), header.is_final);
                    prop_assert_eq!(ours.own_length as u64, cursor.position());
                }
                Ok(None) => prop_assert!(ours.is_none() || bytes[0] & 7 > 2),
                // An opcode that there is not.
                Err(_) => prop_assert!(bytes[0] & 7 > 2),
            }
        }

        #[test]
        fn what_is_put_is_read_again(
            payload in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                Just(vec![7; 125]), Just(vec![7; 126]), Just(vec![7; 65_535]), Just(vec![7; 65_536]),
            ],
            mask in any::<Option<[u8; 4]>>(),
            behind in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut bytes = Vec::new();
            put_frame(&mut bytes, BINARY, mask, &payload);
            let whole = bytes.len();
            bytes.extend(&behind);
            let head = Head::read(&bytes).unwrap();
            prop_assert_eq!(head.mask(), mask);
            prop_assert_eq!(head.total(), whole);
            prop_assert_eq!(unmasked(head.payload(&bytes).unwrap(), mask), payload);
            prop_assert!(head.payload(&bytes[..whole - 1]).is_none() || whole == head.own_length);
        }
    }
}
