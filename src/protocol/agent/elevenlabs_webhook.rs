//! ElevenLabs' post-call webhooks: whether they are genuine, and what of them we use.
//!
//! `ElevenLabs-Signature: t=<unix seconds>,v0=<hex HMAC-SHA256(secret, t + "." + raw body)>`. The official SDKs refuse what is older
//! than 30 minutes and do not check the future; so do we.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::domain::{ConversationId, Secret};

/// How old a webhook may be, in seconds.
const TOLERANCE_S: i64 = 30 * 60;

/// Why a webhook is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    #[error("the request has no ElevenLabs-Signature header of the form t=…,v0=…")]
    Unsigned,
    #[error("the webhook is older than 30 minutes: is the clock of this machine right?")]
    TooOld,
    #[error("the signature does not fit: set agents.elevenlabs.webhook_secret to the secret of this webhook")]
    Mismatch,
    #[error("the body is not a post-call webhook: {0}")]
    Unreadable(String),
}

/// Checks the signature over the raw body, in constant time.
pub fn verify(secret: &Secret, header: &str, body: &[u8], now: Timestamp) -> Result<(), WebhookError> {
    let part = |name: &str| {
        header.split(',').filter_map(|part| part.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v)
    };
    let time = part("t").ok_or(WebhookError::Unsigned)?;
    let signed_at: i64 = time.parse().map_err(|_| WebhookError::Unsigned)?;
    let signature = part("v0").ok_or(WebhookError::Unsigned)?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    let expected = hex(&mac.finalize().into_bytes());
    if !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        return Err(WebhookError::Mismatch);
    }
    if now.as_second() - signed_at > TOLERANCE_S { Err(WebhookError::TooOld) } else { Ok(()) }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A webhook after a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum PostCallEvent {
    Transcription(Transcription),
    /// The whole audio, MP3 in base64; kept as it came.
    Audio { conversation_id: ConversationId },
    /// The vendor could not start a conversation, or a kind that is new to us.
    Other { kind: String, conversation_id: ConversationId },
}

/// What we use of a finished conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcription {
    pub conversation_id: ConversationId,
    pub summary: Option<String>,
    /// `success`, `failure` or `unknown`.
    pub successful: Option<String>,
    /// Our own dynamic variables, by which the conversation is joined to its call.
    pub call_id: Option<String>,
    pub call_sid: Option<String>,
}

impl PostCallEvent {
    pub fn conversation_id(&self) -> &ConversationId {
        match self {
            Self::Transcription(transcription) => &transcription.conversation_id,
            Self::Audio { conversation_id } | Self::Other { conversation_id, .. } => conversation_id,
        }
    }

    /// The vendor's name of the kind.
    pub fn kind(&self) -> &str {
        match self {
            Self::Transcription(_) => "post_call_transcription",
            Self::Audio { .. } => "post_call_audio",
            Self::Other { kind, .. } => kind,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    conversation_id: String,
    analysis: Option<Analysis>,
    conversation_initiation_client_data: Option<Initiation>,
}

#[derive(Debug, Deserialize)]
struct Analysis {
    transcript_summary: Option<String>,
    call_successful: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Initiation {
    #[serde(default)]
    dynamic_variables: serde_json::Map<String, Value>,
}

/// Reads a genuine webhook.
pub fn parse(body: &[u8]) -> Result<PostCallEvent, WebhookError> {
    let body: Body = serde_json::from_slice(body).map_err(|error| WebhookError::Unreadable(error.to_string()))?;
    let conversation_id = ConversationId::new(body.data.conversation_id);
    Ok(match body.kind.as_str() {
        "post_call_transcription" => {
            let variables = body.data.conversation_initiation_client_data.map(|data| data.dynamic_variables);
            let variable = |name: &str| Some(variables.as_ref()?.get(name)?.as_str()?.to_owned());
            let (call_id, call_sid) = (variable("call_id"), variable("call_sid"));
            let analysis = body.data.analysis;
            PostCallEvent::Transcription(Transcription {
                conversation_id,
                call_id,
                call_sid,
                summary: analysis.as_ref().and_then(|analysis| analysis.transcript_summary.clone()),
                successful: analysis.and_then(|analysis| analysis.call_successful),
            })
        }
        "post_call_audio" => PostCallEvent::Audio { conversation_id },
        _ => PostCallEvent::Other { kind: body.kind, conversation_id },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"type":"post_call_transcription","data":{}}"#;
    const SIGNATURE: &str = "6f63229c4c17b7adb882899091e036ca1b6abcd57ee5673a8e16e3fbca80764e";

    fn check(header: &str, body: &[u8], second: i64) -> Result<(), WebhookError> {
        verify(&Secret::new("wsec_test"), header, body, Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn the_published_vector_passes_in_any_order() {
        assert_eq!(check(&format!("t=1700000000,v0={SIGNATURE}"), BODY, 1_700_000_000), Ok(()));
        assert_eq!(check(&format!("v0={SIGNATURE}, t=1700000000"), BODY, 1_700_001_800), Ok(()));
    }

    #[test]
    fn what_was_changed_or_is_old_does_not() {
        let header = format!("t=1700000000,v0={SIGNATURE}");
        assert_eq!(check(&header, b"{}", 1_700_000_000), Err(WebhookError::Mismatch));
        assert_eq!(check(&header, BODY, 1_700_001_801), Err(WebhookError::TooOld));
        assert_eq!(check("v0=x", BODY, 0), Err(WebhookError::Unsigned));
        assert_eq!(check("", BODY, 0), Err(WebhookError::Unsigned));
    }

    #[test]
    fn a_transcription_names_its_call() {
        let body = br#"{"type":"post_call_transcription","event_timestamp":1,"data":{"conversation_id":"conv_1",
            "analysis":{"transcript_summary":"They agreed.","call_successful":"success"},
            "conversation_initiation_client_data":{"dynamic_variables":{"call_id":"call_1","n":3}}}}"#;
        let PostCallEvent::Transcription(said) = parse(body).unwrap() else { panic!() };
        assert_eq!(said.call_id.as_deref(), Some("call_1"));
        assert_eq!(said.summary.as_deref(), Some("They agreed."));
    }
}
