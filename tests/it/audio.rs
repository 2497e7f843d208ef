//! Audio under load: fifty calls at once, every byte of every call once and in order.

use clearline::emulators::speech::{self, Voice};
use futures_util::future::join_all;

use super::server::Server;
use super::vendors::Vendors;

const CALLS: usize = 50;

/// 3 s of µ-law.
const PATTERN_BYTES: usize = 24_000;

/// Silence in µ-law.
const SILENCE: u8 = 0xFF;

const WORDS: &str = "Can you hear me?";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_at_once_lose_and_repeat_nothing() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    // The pauses are long enough for every line to be open, on a slow machine too, and for the echo's end to come back.
    let script =
        format!("wait for stream\nsilent for 5s\nsay {WORDS}\nsilent for 3s\npattern for 3s\nsilent for 3s\nhang up");
    let sids = join_all((0..CALLS).map(|_| vendors.ring(&script))).await;
    join_all(sids.iter().map(|sid| vendors.call_ended(sid))).await;

    let pattern = speech::pattern(0, PATTERN_BYTES);
    let words = speech::say(WORDS, Voice::Caller);
    for sid in &sids {
        let heard = vendors.heard(sid).await;
        let at = memchr::memmem::find(&heard, &pattern)
            .unwrap_or_else(|| panic!("{sid}: the pattern is not whole in {} bytes", heard.len()));
        let after = &heard[at + PATTERN_BYTES..];
        assert!(after.iter().all(|byte| *byte == SILENCE), "{sid}: something came after the pattern");
        // What was said while the line was not open yet is lost to everybody.
        let before = trimmed(&heard[..at]);
        assert!(!before.is_empty() && trimmed(&words).ends_with(before), "{sid}: the words did not come back as said");
    }
    server.api.all_ended(CALLS).await;
    for sid in &sids {
        let call = server.api.get(&format!("/api/v1/calls/{sid}")).await.body;
        assert_eq!(call["disposition"], "completed", "{call}");
        let dropped = call["counters"]["caller_dropped_bytes"].as_u64().unwrap();
        assert!(dropped <= 2 * 8_000, "more than some of the silence at the beginning: {call}");
    }
    assert_eq!(server.api.live().await, 0);
}

fn trimmed(audio: &[u8]) -> &[u8] {
    let is_sound = |byte: &u8| *byte != SILENCE;
    let start = audio.iter().position(is_sound).unwrap_or(audio.len());
    let end = audio.iter().rposition(is_sound).map_or(start, |last| last + 1);
    &audio[start..end]
}
