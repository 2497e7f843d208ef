//! Any body is a form of some kind, never a panic; and the reader of pairs agrees with the writer of pairs.
#![no_main]

use clearline::protocol::twilio::forms::{
    AmdForm, DialActionForm, RecordingForm, StatusForm, StreamForm, VoiceForm, form_pairs,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let pairs = form_pairs(body);
    let written = serde_urlencoded::to_string(&pairs).expect("pairs can be written");
    assert_eq!(form_pairs(written.as_bytes()), pairs);
    // A call is named if and only if there is something that names it.
    let named = pairs.iter().any(|(name, value)| name == "CallSid" && !value.trim().is_empty());
    assert_eq!(VoiceForm::parse(body).is_ok(), named);
    assert_eq!(StatusForm::parse(body).is_ok(), named);
    assert_eq!(AmdForm::parse(body).is_ok(), named);
    assert_eq!(StreamForm::parse(body).is_ok(), named);
    assert_eq!(DialActionForm::parse(body).is_ok(), named);
    let recorded = pairs.iter().any(|(name, value)| name == "RecordingSid" && !value.trim().is_empty());
    assert_eq!(RecordingForm::parse(body).is_ok(), named && recorded);
});
