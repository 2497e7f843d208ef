//! Any text on a media stream is read or refused, never a panic. What is read is JSON, and audio is what serde finds in it; what we
//! say is JSON of the documented keys, whatever is in it.
#![no_main]

use bytes::{Bytes, BytesMut};
use clearline::domain::StreamSid;
use clearline::domain::carrier_stream::{CarrierCommand, CarrierEvent};
use clearline::protocol::twilio::media::{decode, encode};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let Ok(event) = decode(Bytes::copy_from_slice(text.as_bytes())) else { return };
    serde_json::from_str::<IgnoredAny>(text).expect("what is read is JSON");
    let (command, expected) = match event {
        CarrierEvent::Media(chunk) => {
            // A tree has limits (depth, range of numbers) that the codec does not need.
            let payload = serde_json::from_str::<Value>(text).map(|message| message["media"]["payload"].clone());
            if let Ok(Value::String(payload)) = payload {
                assert_eq!(chunk.base64(), payload.as_bytes());
            }
            assert!(chunk.len() <= chunk.base64().len());
            let payload = String::from_utf8(chunk.base64().to_vec()).expect("part of a text");
            let expected = json!({ "event": "media", "streamSid": "MZ\"1", "media": { "payload": payload } });
            (CarrierCommand::Media(chunk), expected)
        }
        CarrierEvent::Mark(name) => {
            let expected = json!({ "event": "mark", "streamSid": "MZ\"1", "mark": { "name": name } });
            (CarrierCommand::Mark(name), expected)
        }
        _ => return,
    };
    let mut said = BytesMut::new();
    encode(&mut said, &StreamSid::new("MZ\"1"), &command);
    assert_eq!(serde_json::from_slice::<Value>(&said).expect("our own message is JSON"), expected);
});
