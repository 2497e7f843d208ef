//! Retell's REST bodies and webhooks: a call is registered there, sent there by SIP, and told of afterwards.
//!
//! Sources: Retell's pages "Custom telephony, dial to SIP URI", "Register phone call", "Webhook" and "Secure the webhook", and its
//! `OpenAPI` description. Its objects are large and grow; read is what we keep, and almost nothing of it is required.

use std::collections::BTreeMap;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::domain::{CallId, Direction, Secret};

/// The header that carries a webhook's signature.
pub const SIGNATURE_HEADER: &str = "x-retell-signature";

/// How far a signature's time may be from ours, either way.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the X-Retell-Signature header is not of the form v=…,d=…")]
    Malformed,
    #[error("the signature's time is more than 5 minutes from ours: check this machine's clock")]
    OutOfTime,
    #[error(
        "the signature does not fit the body: check that RETELL_API_KEY is the key with the webhook badge in Retell's dashboard"
    )]
    Mismatch,
}

/// Checks `v=<unix ms>,d=<hex HMAC-SHA256(API key, body + ms)>` over the raw body, in constant time.
pub fn verify(key: &Secret, header: &str, body: &[u8], now: Timestamp) -> Result<(), SignatureError> {
    let (mut time, mut digest) = (None, None);
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("v", value)) => time = Some(value),
            Some(("d", value)) => digest = Some(value),
            _ => {}
        }
    }
    let (Some(time), Some(digest)) = (time, digest) else { return Err(SignatureError::Malformed) };
    let millis = time.parse().map_err(|_| SignatureError::Malformed)?;
    let signed_at = Timestamp::from_millisecond(millis).map_err(|_| SignatureError::Malformed)?;
    let age = now.duration_since(signed_at).abs();
    if age > SignedDuration::try_from(TOLERANCE).unwrap_or(SignedDuration::MAX) {
        return Err(SignatureError::OutOfTime);
    }
    let digest = from_hex(digest).ok_or(SignatureError::Malformed)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    mac.update(time.as_bytes());
    mac.verify_slice(&digest).map_err(|_| SignatureError::Mismatch)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// What a call is registered with.
#[derive(Debug)]
pub struct Registration<'a> {
    pub agent_id: &'a str,
    pub direction: Direction,
    pub from: &'a str,
    pub to: &'a str,
    /// Comes back with every webhook of the call.
    pub call_id: CallId,
    pub dynamic_variables: &'a BTreeMap<String, Value>,
}

impl Registration<'_> {
    /// The body of `POST /v2/register-phone-call`. Retell's variables are texts.
    pub fn body(&self) -> Value {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let variables: BTreeMap<&str, String> =
            self.dynamic_variables.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        let direction = match self.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        };
        json!({
            "agent_id": self.agent_id, "direction": direction, "from_number": self.from, "to_number": self.to,
            "metadata": {"clearline_call_id": self.call_id.to_string()}, "retell_llm_dynamic_variables": variables,
        })
    }
}

/// What is spoken on the audio WebSocket that Retell retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioProtocol {
    /// Twilio's Media Streams.
    Twilio,
    /// Retell's own.
    Web,
}

impl Registration<'_> {
    /// The body of the old `POST /register-call`, which went with the audio WebSocket: µ-law at 8 kHz on either protocol.
    pub fn audio_body(&self, protocol: AudioProtocol) -> Value {
        let mut body = self.body();
        body["audio_websocket_protocol"] = match protocol {
            AudioProtocol::Twilio => "twilio".into(),
            AudioProtocol::Web => "web".into(),
        };
        body["audio_encoding"] = "mulaw".into();
        body["sample_rate"] = 8000.into();
        body
    }
}

/// A call as Retell tells of it, by webhook or on being asked.
#[derive(Debug, Clone, PartialEq)]
pub struct RetellCall {
    pub call_id: String,
    /// Ours, where we registered it.
    pub ours: Option<CallId>,
    pub is_over: bool,
    pub disconnection_reason: Option<String>,
    pub lines: Vec<Line>,
    pub summary: Option<String>,
    pub successful: Option<bool>,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub by_caller: bool,
    pub text: String,
}

/// A webhook's content.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// `call_started`, `call_ended`, `call_analyzed`, `transcript_updated`, …
    pub event: String,
    pub call: RetellCall,
}

/// The JSON is none of Retell's. Does not repeat what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not what Retell sends: wrong or missing at line {line}, column {column}")]
pub struct RetellError {
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for RetellError {
    fn from(error: serde_json::Error) -> Self {
        Self { line: error.line(), column: error.column() }
    }
}

/// Reads a webhook's body, after [`verify`].
pub fn parse_webhook(body: &[u8]) -> Result<Webhook, RetellError> {
    let wire: WireWebhook = serde_json::from_slice(body)?;
    Ok(Webhook { event: wire.event, call: wire.call.into() })
}

/// Reads a call resource.
pub fn parse_call(body: &[u8]) -> Result<RetellCall, RetellError> {
    Ok(serde_json::from_slice::<WireCall>(body)?.into())
}

#[derive(Deserialize)]
struct WireWebhook {
    event: String,
    // Samples of 2024 call it `data`.
    #[serde(alias = "data")]
    call: WireCall,
}

#[derive(Deserialize)]
struct WireCall {
    call_id: String,
    call_status: Option<String>,
    disconnection_reason: Option<String>,
    metadata: Option<Value>,
    transcript_object: Option<Vec<WireLine>>,
    call_analysis: Option<WireAnalysis>,
}

#[derive(Deserialize)]
pub(super) struct WireLine {
    role: Option<String>,
    content: Option<String>,
}

impl WireLine {
    /// What one of the two said; none for other roles and for nothing.
    pub(super) fn line(self) -> Option<Line> {
        let by_caller = match self.role?.as_str() {
            "user" => true,
            "agent" => false,
            _ => return None,
        };
        Some(Line { by_caller, text: self.content.filter(|text| !text.is_empty())? })
    }
}

#[derive(Default, Deserialize)]
struct WireAnalysis {
    call_summary: Option<String>,
    call_successful: Option<bool>,
}

impl From<WireCall> for RetellCall {
    fn from(wire: WireCall) -> Self {
        let ours = wire.metadata.as_ref().and_then(|metadata| metadata["clearline_call_id"].as_str()?.parse().ok());
        let analysis = wire.call_analysis.unwrap_or_default();
        Self {
            call_id: wire.call_id,
            ours,
            is_over: matches!(wire.call_status.as_deref(), Some("ended" | "error" | "not_connected")),
            disconnection_reason: wire.disconnection_reason,
            lines: wire.transcript_object.unwrap_or_default().into_iter().filter_map(WireLine::line).collect(),
            summary: analysis.call_summary.filter(|summary| !summary.is_empty()),
            successful: analysis.call_successful,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"event":"call_started","call":{"call_id":"c1"}}"#;
    const DIGEST: &str = "bf69837085efe4ac773a8f298317644ed7202878610a05ce473627efc9dc99f1";

    /// Computed with both of the vendor's own libraries.
    #[test]
    fn the_vendors_own_signature_is_believed_and_no_other() {
        let key = Secret::new("key_test");
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let check = |header: &str, body: &[u8], now| verify(&key, header, body, at(now));
        let header = format!("v=1700000000000,d={DIGEST}");
        assert_eq!(check(&header, BODY, 1_700_000_000_000), Ok(()));
        assert_eq!(check(&format!("d={DIGEST}, v=1700000000000"), BODY, 1_700_000_299_000), Ok(()));
        assert_eq!(check(&header, b"{}", 1_700_000_000_000), Err(SignatureError::Mismatch));
        assert_eq!(check(&header, BODY, 1_700_000_301_000), Err(SignatureError::OutOfTime));
        assert_eq!(check(&header, BODY, 1_699_999_699_000), Err(SignatureError::OutOfTime));
        assert_eq!(verify(&Secret::new("k"), &header, BODY, at(1_700_000_000_000)), Err(SignatureError::Mismatch));
        for bad in ["", "v=1", "d=00", "v=x,d=00", "v=1700000000000,d=zz", "v=9223372036854775807,d=00"] {
            assert_eq!(check(bad, BODY, 1_700_000_000_000), Err(SignatureError::Malformed), "{bad}");
        }
    }

    #[test]
    fn a_webhook_tells_of_our_call() {
        let body = json!({"event": "call_analyzed", "call": {
            "call_id": "c1", "call_status": "ended", "disconnection_reason": "user_hangup",
            "metadata": {"clearline_call_id": "call_00000000000000000000000000000007"},
            "transcript_object": [{"role": "agent", "content": "Hello"}, {"role": "user", "content": "Stop calling me"},
                {"role": "transfer_target", "content": "x"}, {"role": "agent", "content": ""}],
            "call_analysis": {"call_summary": "They opted out.", "call_successful": false}, "new_field": 1,
        }});
        let webhook = parse_webhook(body.to_string().as_bytes()).unwrap();
        let line = |by_caller, text: &str| Line { by_caller, text: text.to_owned() };
        let call = RetellCall {
            call_id: "c1".to_owned(),
            ours: "call_00000000000000000000000000000007".parse().ok(),
            is_over: true,
            disconnection_reason: Some("user_hangup".to_owned()),
            lines: vec![line(false, "Hello"), line(true, "Stop calling me")],
            summary: Some("They opted out.".to_owned()),
            successful: Some(false),
        };
        assert_eq!(webhook, Webhook { event: "call_analyzed".to_owned(), call });
        assert_eq!(parse_call(br#"{"call_id":"c1","metadata":null}"#).unwrap().ours, None);
        assert!(!parse_webhook(br#"{"event":"+12125550113"}"#).unwrap_err().to_string().contains("555"));
    }

    #[test]
    fn a_registration_holds_texts_and_our_id() {
        let variables = [("n".to_owned(), json!(3)), ("name".to_owned(), json!("Jo"))].into();
        let registration = Registration {
            agent_id: "agent_1",
            direction: Direction::Inbound,
            from: "+12125550113",
            to: "+12125550100",
            call_id: "call_00000000000000000000000000000007".parse().unwrap(),
            dynamic_variables: &variables,
        };
        let body = registration.body();
        assert_eq!(body["retell_llm_dynamic_variables"], json!({"n": "3", "name": "Jo"}));
        assert_eq!(body["metadata"]["clearline_call_id"], "call_00000000000000000000000000000007");
        assert_eq!((&body["direction"], &body["from_number"]), (&json!("inbound"), &json!("+12125550113")));
    }
}
