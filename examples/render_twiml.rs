//! Prints every document of `twiml/` that the library renders, as JSON with the values that went in, for the comparison with the
//! official builder in `tests/interop/test_twiml.py`.

use std::time::Duration;

use clearline::protocol::twilio::rest::{RecordingChannels, RecordingRequest};
use clearline::protocol::twilio::twiml::{
    Apology, Briefing, ConnectStream, Goodbye, HandOver, HangUp, Reject, RejectReason, Say, TakeCall, Voicemail, render,
};
use serde_json::json;

/// Everything that XML gives a meaning to, and what is not ASCII.
const ODD: &str = "\"5 < 6\" & 'so' > on ]]> José &amp; 東京 🎉";

#[expect(clippy::print_stdout, reason = "printing is all that it does")]
fn main() {
    let say = Say { text: ODD, voice: Some("Polly.Joanna-Neural"), language: Some("en-US") };
    let plain = Say::plainly(ODD);
    let recording = RecordingRequest {
        channels: RecordingChannels::Dual,
        status_callback: "https://voice.example.com/webhooks/recording-callback?a=1&b=2".to_owned(),
    };
    let full = ConnectStream {
        disclosure: Some(say),
        recording: Some(&recording),
        recorded_notice: None,
        stream_url: "wss://voice.example.com/media",
        stream_status_callback: "https://voice.example.com/webhooks/stream-callback#rc=3&rp=5xx,ct,rt",
        parameters: &[("token", "tok_1"), ("odd", ODD)],
        resume_url: "https://voice.example.com/webhooks/resume/att_1?a=1&b=2",
    };
    let bare = ConnectStream { disclosure: None, recording: None, parameters: &[], ..full };
    let handed = HandOver {
        disclosure: Some(say),
        recording: Some(&recording),
        recorded_notice: Some(say),
        action_url: "https://voice.example.com/webhooks/hand-over/1#rc=5&rp=5xx,ct,rt",
        time_limit: Duration::from_mins(30),
        sip_uri: "sip:call_1@sip.example.com;transport=tcp",
    };
    let handed_bare = HandOver { disclosure: None, recording: None, recorded_notice: None, ..handed };
    let told_again = ConnectStream { recorded_notice: Some(say), ..full };
    let answer_url = "https://voice.example.com/webhooks/briefing/1?a=1&b=2";
    let documents = json!([
        { "file": "connect_stream.xml", "case": "full", "xml": render(&full) },
        { "file": "connect_stream.xml", "case": "bare", "xml": render(&bare) },
        { "file": "connect_stream.xml", "case": "told again", "xml": render(&told_again) },
        { "file": "hand_over.xml", "case": "full", "xml": render(&handed) },
        { "file": "hand_over.xml", "case": "bare", "xml": render(&handed_bare) },
        { "file": "briefing.xml", "case": "voice", "xml": render(&Briefing { say, answer_url }) },
        { "file": "briefing.xml", "case": "plain", "xml": render(&Briefing { say: plain, answer_url }) },
        { "file": "take_call.xml", "case": "", "xml": render(&TakeCall) },
        { "file": "reject.xml", "case": "busy", "xml": render(&Reject { reason: RejectReason::Busy }) },
        { "file": "reject.xml", "case": "rejected", "xml": render(&Reject { reason: RejectReason::Rejected }) },
        { "file": "hang_up.xml", "case": "", "xml": render(&HangUp) },
        { "file": "apology.xml", "case": "voice", "xml": render(&Apology { say }) },
        { "file": "apology.xml", "case": "plain", "xml": render(&Apology { say: plain }) },
        { "file": "goodbye.xml", "case": "voice", "xml": render(&Goodbye { say }) },
        { "file": "goodbye.xml", "case": "plain", "xml": render(&Goodbye { say: plain }) },
        { "file": "voicemail.xml", "case": "voice", "xml": render(&Voicemail { say }) },
        { "file": "voicemail.xml", "case": "plain", "xml": render(&Voicemail { say: plain }) },
    ]);
    let values = json!({
        "text": ODD,
        "voice": say.voice,
        "language": say.language,
        "recording_status_callback": recording.status_callback,
        "stream_url": full.stream_url,
        "stream_status_callback": full.stream_status_callback,
        "parameters": full.parameters,
        "resume_url": full.resume_url,
        "hand_over_url": handed.action_url,
        "time_limit": handed.time_limit.as_secs(),
        "sip_uri": handed.sip_uri,
        "answer_url": answer_url,
    });
    println!("{}", json!({ "values": values, "documents": documents }));
}
