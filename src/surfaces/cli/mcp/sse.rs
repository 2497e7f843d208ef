//! Server-sent events, of which only the data matters here.

use bytes::{Buf as _, BytesMut};
use reqwest::Response;

/// Larger than any message of the server.
const EVENT_MAX: usize = 16 << 20;

/// The stream was broken off, or held an event beyond all measure.
#[derive(Debug)]
pub(super) struct Broken;

/// The data of a stream's events, one after the other.
pub(super) struct Events {
    response: Response,
    buffer: BytesMut,
}

impl Events {
    pub(super) fn new(response: Response) -> Self {
        Self { response, buffer: BytesMut::new() }
    }

    /// The next event that has data; none at the stream's end.
    pub(super) async fn next(&mut self) -> Result<Option<String>, Broken> {
        loop {
            while let Some(block) = take_block(&mut self.buffer) {
                if let Some(data) = data_of(&block) {
                    return Ok(Some(data));
                }
            }
            if self.buffer.len() > EVENT_MAX {
                return Err(Broken);
            }
            match self.response.chunk().await.map_err(|_| Broken)? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// The first event's lines, if all of them are there.
fn take_block(buffer: &mut BytesMut) -> Option<String> {
    let ends = [&b"\n\n"[..], b"\r\n\r\n"];
    let found = ends.into_iter().filter_map(|end| {
        let place = buffer.windows(end.len()).position(|window| window == end)?;
        Some((place, end.len()))
    });
    let (place, length) = found.min()?;
    let block = String::from_utf8_lossy(&buffer[..place]).into_owned();
    buffer.advance(place + length);
    Some(block)
}

fn data_of(block: &str) -> Option<String> {
    let lines: Vec<_> = block
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| data.strip_prefix(' ').unwrap_or(data))
        .collect();
    let data = lines.join("\n");
    (!data.is_empty()).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_and_comments_and_empty_ones_are_left_out() {
        let mut buffer = BytesMut::from(": alive\n\nid: 1\ndata: \n\nevent: message\r\ndata: {\"a\":1}\r\n\r\ndata: b");
        let blocks: Vec<_> = std::iter::from_fn(|| take_block(&mut buffer)).map(|block| data_of(&block)).collect();
        assert_eq!(blocks, [None, None, Some("{\"a\":1}".to_owned())]);
        buffer.extend_from_slice(b"c\ndata: d\n\n");
        assert_eq!(data_of(&take_block(&mut buffer).unwrap()), Some("bc\nd".to_owned()));
    }
}
