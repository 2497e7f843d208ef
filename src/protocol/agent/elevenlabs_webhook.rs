//! What `ElevenLabs` posts after a call: the proof that it was them, and what it says.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use crate::domain::Secret;
use crate::domain::ids::ConversationId;

use super::elevenlabs_conversation::{ConversationError, ConversationRecord};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "elevenlabs-signature";

/// How old a signed body may be. The vendor's own libraries allow as much, and do not look at times in the future.
pub const TOLERANCE: Duration = Duration::from_mins(30);

/// Why a webhook is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the ElevenLabs-Signature header is not of the form t=…,v0=…")]
    Malformed,
    #[error("the signature is {} minutes old, more than {} are not accepted: check this machine's clock", age.as_secs() / 60, TOLERANCE.as_secs() / 60)]
    TooOld { age: Duration },
    #[error("the signature does not fit the body: check that ELEVENLABS_WEBHOOK_SECRET is the secret of this webhook")]
    Mismatch,
}

/// Checks a signature while its body is still coming: `t=<unix seconds>,v0=<hex HMAC-SHA256(secret, t + "." + body)>`, parts in
/// any order, compared in constant time.
#[derive(Debug, Clone)]
pub struct Verifier {
    mac: Hmac<Sha256>,
    /// More than one while a secret is being rotated.
    signatures: Vec<[u8; 32]>,
}

impl Verifier {
    /// Refuses a header of another form, and one that is too old, before anything of the body was read.
    pub fn new(secret: &Secret, header: &str, now: Timestamp) -> Result<Self, SignatureError> {
        let (mut time, mut signatures) = (None, Vec::new());
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("t", value)) => time = Some(value),
                Some(("v0", value)) => signatures.push(from_hex(value).ok_or(SignatureError::Malformed)?),
                _ => {}
            }
        }
        let time = time.filter(|_| !signatures.is_empty()).ok_or(SignatureError::Malformed)?;
        let seconds = time.parse().map_err(|_| SignatureError::Malformed)?;
        let signed_at = Timestamp::from_second(seconds).map_err(|_| SignatureError::Malformed)?;
        match Duration::try_from(now.duration_since(signed_at).max(SignedDuration::ZERO)) {
            Ok(age) if age > TOLERANCE => return Err(SignatureError::TooOld { age }),
            _ => {}
        }
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length");
        mac.update(time.as_bytes());
        mac.update(b".");
        Ok(Self { mac, signatures })
    }

    /// The next part of the body.
    pub fn update(&mut self, part: &[u8]) {
        self.mac.update(part);
    }

    /// The body is at its end. Each signature is compared to its end.
    pub fn finish(self) -> Result<(), SignatureError> {
        let fits = |signature: &[u8; 32]| self.mac.clone().verify_slice(signature).is_ok();
        let genuine = self.signatures.iter().fold(false, |genuine, signature| fits(signature) | genuine);
        if genuine { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

/// The same for a body that is there.
pub fn verify(secret: &Secret, header: &str, body: &[u8], now: Timestamp) -> Result<(), SignatureError> {
    let mut verifier = Verifier::new(secret, header, now)?;
    verifier.update(body);
    verifier.finish()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// A genuine webhook's content.
#[derive(Debug, Clone, PartialEq)]
pub enum Webhook {
    /// The conversation is over and analysed.
    Transcription(Box<ConversationRecord>),
    /// Its recording, as MP3. Several megabytes.
    Audio { conversation_id: ConversationId, agent_id: String, mp3: Vec<u8> },
    /// A call that the vendor itself was to place came to nothing: `busy`, `no-answer`, `unknown`.
    InitiationFailure { conversation_id: ConversationId, agent_id: String, reason: String },
    /// A kind that this version does not know. To be answered with 200 all the same: the vendor disables a webhook that fails often.
    Other { kind: String },
}

/// The body of a webhook that cannot be read. Does not repeat what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    #[error("the webhook's body is not a JSON object with type and data")]
    Malformed,
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    #[error("the recording in the webhook is not base64")]
    Audio,
}

/// Reads a webhook's body, after [`verify`].
pub fn parse(body: &[u8]) -> Result<Webhook, WebhookError> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        data: Value,
    }
    #[derive(Deserialize)]
    struct Audio {
        conversation_id: String,
        agent_id: String,
        #[serde(rename = "full_audio")]
        base64: String,
    }
    #[derive(Deserialize)]
    struct Failure {
        conversation_id: String,
        agent_id: String,
        #[serde(rename = "failure_reason")]
        reason: Option<String>,
    }

    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| WebhookError::Malformed)?;
    Ok(match envelope.kind.as_str() {
        "post_call_transcription" => Webhook::Transcription(Box::new(ConversationRecord::from_value(envelope.data)?)),
        "post_call_audio" => {
            let audio: Audio = serde_json::from_value(envelope.data).map_err(|_| WebhookError::Malformed)?;
            Webhook::Audio {
                conversation_id: ConversationId::new(audio.conversation_id),
                agent_id: audio.agent_id,
                mp3: STANDARD.decode(audio.base64).map_err(|_| WebhookError::Audio)?,
            }
        }
        "call_initiation_failure" => {
            let failure: Failure = serde_json::from_value(envelope.data).map_err(|_| WebhookError::Malformed)?;
            Webhook::InitiationFailure {
                conversation_id: ConversationId::new(failure.conversation_id),
                agent_id: failure.agent_id,
                reason: failure.reason.unwrap_or_else(|| "unknown".to_owned()),
            }
        }
        _ => Webhook::Other { kind: envelope.kind },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/elevenlabs/webhooks/", $name, ".json"))
        };
    }

    const BODY: &[u8] = br#"{"type":"post_call_transcription","data":{}}"#;
    const SIGNATURE: &str = "6f63229c4c17b7adb882899091e036ca1b6abcd57ee5673a8e16e3fbca80764e";

    fn verified(header: &str, now: i64) -> Result<(), SignatureError> {
        verify(&Secret::new("wsec_test"), header, BODY, Timestamp::from_second(now).unwrap())
    }

    #[test]
    fn the_vendors_vector_is_believed_in_any_order() {
        let at = 1_700_000_000;
        for header in [
            format!("t={at},v0={SIGNATURE}"),
            format!("v0={SIGNATURE},t={at}"),
            format!(" t={at} , v0={SIGNATURE} , v1=later"),
            format!("t={at},v0={},v0={SIGNATURE}", "00".repeat(32)),
            format!("t={at},v0={}", SIGNATURE.to_uppercase()),
        ] {
            assert_eq!(verified(&header, at), Ok(()), "{header}");
        }
    }

    #[test]
    fn a_wrong_secret_time_body_or_signature_is_not_believed() {
        let header = format!("t=1700000000,v0={SIGNATURE}");
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let check = |secret: &str, header: &str, body: &[u8]| verify(&Secret::new(secret), header, body, now);
        assert_eq!(check("wsec_test", &header, BODY), Ok(()));
        assert_eq!(check("wsec_tesu", &header, BODY), Err(SignatureError::Mismatch));
        assert_eq!(check("wsec_test", &header, &BODY[1..]), Err(SignatureError::Mismatch));
        assert_eq!(
            check("wsec_test", &header.replace("t=1700000000", "t=1700000001"), BODY),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(check("wsec_test", &header.replace("6f", "6e"), BODY), Err(SignatureError::Mismatch));
    }

    #[test]
    fn thirty_minutes_are_tolerated_and_the_future_is_not_judged() {
        let header = format!("t=1700000000,v0={SIGNATURE}");
        assert_eq!(verified(&header, 1_700_000_000 + 1_800), Ok(()));
        let age = Duration::from_secs(1_801);
        assert_eq!(verified(&header, 1_700_000_000 + 1_801), Err(SignatureError::TooOld { age }));
        assert_eq!(verified(&header, 1_700_000_000 - 86_400), Ok(()));
    }

    #[test]
    fn a_header_of_another_form_is_named_so() {
        for header in ["", "t=1700000000", "v0=00", "t=,v0=", "t=x,v0=00", "t=1700000000,v0=abc", "t=1700000000;v0=00"]
        {
            assert_eq!(verified(header, 1_700_000_000), Err(SignatureError::Malformed), "{header}");
        }
        let header = format!("t=99999999999999999,v0={SIGNATURE}");
        assert_eq!(verified(&header, 1_700_000_000), Err(SignatureError::Malformed));
    }

    #[test]
    fn a_transcription_finds_its_call() {
        let Webhook::Transcription(record) = parse(fixture!("post_call_transcription")).unwrap() else { panic!() };
        assert_eq!(record.call_id(), Some("call_00000000000000000000000000000007".parse().unwrap()));
        assert_eq!(record.transcript.len(), 2);
        assert_eq!(record.call_successful.as_deref(), Some("failure"));
    }

    #[test]
    fn the_other_kinds_are_read() {
        assert_eq!(
            parse(fixture!("post_call_audio")),
            Ok(Webhook::Audio {
                conversation_id: ConversationId::new("conv_fixture_1"),
                agent_id: "agent_fixture".to_owned(),
                mp3: b"ID3\x04 not really".to_vec(),
            })
        );
        assert_eq!(
            parse(fixture!("call_initiation_failure")),
            Ok(Webhook::InitiationFailure {
                conversation_id: ConversationId::new("conv_fixture_2"),
                agent_id: "agent_fixture".to_owned(),
                reason: "no-answer".to_owned(),
            })
        );
        let later = Webhook::Other { kind: "answering_machine_detection".to_owned() };
        assert_eq!(parse(br#"{"type":"answering_machine_detection","data":{"x":1}}"#), Ok(later));
    }

    #[test]
    fn broken_bodies_are_refused() {
        for body in [&b""[..], b"[]", b"{}", br#"{"type":3}"#, br#"{"type":"post_call_audio"}"#] {
            assert_eq!(parse(body), Err(WebhookError::Malformed));
        }
        assert!(matches!(parse(BODY), Err(WebhookError::Conversation(_))));
        let bad = br#"{"type":"post_call_audio","data":{"conversation_id":"c","agent_id":"a","full_audio":"?"}}"#;
        assert_eq!(parse(bad), Err(WebhookError::Audio));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(header in ".{0,80}", body in proptest::collection::vec(any::<u8>(), 0..200), now in 0_i64..4_000_000_000) {
            prop_assert!(verify(&Secret::new("s"), &header, &body, Timestamp::from_second(now).unwrap()).is_err());
            let _ = parse(&body);
        }
    }
}
