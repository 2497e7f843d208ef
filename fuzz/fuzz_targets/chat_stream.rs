//! Any stream of a chat endpoint is read or refused, never a panic; and how the network cuts it into parts changes nothing. The first
//! byte of the input says how long the parts are.
#![no_main]

use clearline::protocol::agent::chat::{ChatFault, ChatPiece, ChatReader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((length, stream)) = data.split_first() else { return };
    let whole = read(stream, stream.len());
    assert_eq!(read(stream, usize::from(*length)), whole);
    let Ok(pieces) = whole else { return };
    let (mut length, mut ends) = (0, 0);
    for piece in &pieces {
        match piece {
            ChatPiece::Text(text) => {
                assert!(!text.is_empty());
                length += text.len();
            }
            ChatPiece::Done(calls) => {
                assert!(calls.len() <= 8 && calls.iter().all(|call| !call.id.is_empty() && !call.name.is_empty()));
                ends += 1;
            }
        }
    }
    assert!(ends == 1 && matches!(pieces.last(), Some(ChatPiece::Done(_))), "an answer ends once, and last");
    assert!(length <= 16 << 10);
});

fn read(stream: &[u8], part: usize) -> Result<Vec<ChatPiece>, ChatFault> {
    let mut reader = ChatReader::default();
    let mut pieces = Vec::new();
    for part in stream.chunks(part.max(1)) {
        pieces.extend(reader.push(part)?);
    }
    pieces.extend(reader.finish()?);
    Ok(pieces)
}
