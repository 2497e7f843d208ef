//! What Retell tells of a call is read or refused, never a panic: as a webhook, as a resource, and line by line on the monitor socket. No
//! signature is believed that was not made with the key, and an error repeats nothing of what it is about.
#![no_main]

use clearline::domain::Secret;
use clearline::protocol::agent::retell::{RetellCall, parse_call, parse_webhook, verify};
use clearline::protocol::agent::retell_monitor::{Monitored, News};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let (header, body) = text.split_once('\n').unwrap_or(("", text));
    let key = Secret::new("the-secret-of-the-fuzz-target");
    let now = Timestamp::from_millisecond(1_700_000_000_000).expect("in range");
    assert!(verify(&key, header, body.as_bytes(), now).is_err());

    // A tree has limits (depth, range of numbers) that the codec does not need.
    let tree = serde_json::from_str::<Value>(body).ok();
    match parse_webhook(body.as_bytes()) {
        Ok(webhook) => {
            if let Some(tree) = &tree {
                assert!(!tree.is_object() || tree["event"] == webhook.event);
                let call = if tree["call"].is_null() { &tree["data"] } else { &tree["call"] };
                fits(&webhook.call, call);
            }
        }
        Err(error) => assert!(error.to_string().starts_with("not what Retell sends: wrong or missing at line ")),
    }
    if let (Ok(call), Some(tree)) = (parse_call(body.as_bytes()), &tree) {
        fits(&call, tree);
    }

    let mut monitored = Monitored::default();
    let mut lines = 0;
    for message in body.lines().take(64) {
        let Ok(news) = monitored.take(message.as_bytes()) else { continue };
        let known = monitored.lines();
        assert!(known.iter().all(|line| !line.text.is_empty()));
        if news != News::Said {
            assert_eq!(known.len(), lines, "only what was said changes what was said");
        }
        // A message that is repeated changes nothing.
        assert_eq!(monitored.take(message.as_bytes()), Ok(news));
        assert_eq!(monitored.lines(), known);
        lines = known.len();
    }
});

fn fits(call: &RetellCall, tree: &Value) {
    // A sequence is a struct to serde as well.
    if !tree.is_object() {
        return;
    }
    assert_eq!(tree["call_id"], call.call_id);
    let told = tree["transcript_object"].as_array().map_or(0, Vec::len);
    assert!(call.lines.len() <= told && call.lines.iter().all(|line| !line.text.is_empty()));
}
