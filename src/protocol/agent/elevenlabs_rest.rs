//! ElevenLabs' REST bodies, as far as we look into them, its error shapes, and whether an agent is set up for phone calls.
//!
//! Source: ElevenLabs OpenAPI (`/v1/convai/agents`, `/v2/voices`, `/v1/convai/conversations`).

use serde::Deserialize;
use serde_json::Value;

/// `GET /v1/convai/conversation/get-signed-url`
#[derive(Debug, Clone, Deserialize)]
pub struct SignedUrl {
    pub signed_url: String,
}

/// An error answer, whichever of the vendor's shapes it came in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ElevenLabs answered {status}: {message}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
pub struct ApiError {
    pub status: u16,
    pub code: Option<String>,
    pub message: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    detail: Value,
}

impl ApiError {
    /// Reads `{"detail": …}`: a list of field problems (422), an object of the new or the old kind, or a bare text. Anything
    /// else is kept in short.
    pub fn parse(status: u16, body: &[u8]) -> Self {
        let (code, message) = match serde_json::from_slice::<ErrorBody>(body).map(|body| body.detail) {
            Ok(Value::String(text)) => (None, text),
            Ok(Value::Object(detail)) => {
                let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
                (text("code").or_else(|| text("status")), text("message").unwrap_or_else(|| "no message".to_owned()))
            }
            Ok(Value::Array(problems)) => {
                let listed: Vec<_> = problems.iter().map(field_problem).collect();
                (Some("validation_error".to_owned()), listed.join("; "))
            }
            _ => (None, String::from_utf8_lossy(body).chars().take(200).collect()),
        };
        Self { status, code, message }
    }
}

/// `{"loc":["body","name"],"msg":"field required","type":"missing"}` as `body.name: field required`.
fn field_problem(problem: &Value) -> String {
    let place: Vec<_> = problem["loc"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .collect();
    format!("{}: {}", place.join("."), problem["msg"].as_str().unwrap_or("not valid"))
}

/// Something about an agent's settings that a phone call will stumble over, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether calls fail, rather than being worse than they could be.
    pub is_fatal: bool,
    pub message: String,
}

/// Events that a bridge needs and that an agent may have been set up without.
const WANTED_EVENTS: [(&str, &str); 5] = [
    ("audio", "the caller would hear nothing"),
    ("interruption", "the agent would talk on over the caller"),
    ("agent_response_correction", "the transcript would lack the vendor's view of what was heard"),
    ("client_tool_call", "tools hosted here (hang_up, record_opt_out) would never be called"),
    ("agent_tool_response", "the agent's end_call would only be seen when it closes the socket"),
];

/// Looks at an agent (`GET /v1/convai/agents/{id}`) with a phone call in mind.
pub fn readiness(agent: &Value) -> Vec<Finding> {
    let config = &agent["conversation_config"];
    let mut findings = Vec::new();
    for (name, value) in [
        ("conversation_config.asr.user_input_audio_format", &config["asr"]["user_input_audio_format"]),
        ("conversation_config.tts.agent_output_audio_format", &config["tts"]["agent_output_audio_format"]),
    ] {
        match value.as_str().unwrap_or("pcm_16000") {
            "ulaw_8000" => {}
            format @ ("pcm_8000" | "pcm_16000" | "pcm_24000") => findings.push(Finding {
                is_fatal: false,
                message: format!("{name} is {format}: it works, transcoded; ulaw_8000 saves the work and some delay"),
            }),
            format => findings.push(Finding {
                is_fatal: true,
                message: format!("{name} is {format}, which cannot be carried: set it to ulaw_8000"),
            }),
        }
    }
    if let Some(events) = config["conversation"]["client_events"].as_array().filter(|events| !events.is_empty()) {
        for (event, loss) in WANTED_EVENTS {
            if !events.iter().any(|known| known == event) {
                findings.push(Finding {
                    is_fatal: event == "audio",
                    message: format!("conversation_config.conversation.client_events lacks `{event}`: {loss}"),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_error_shape_is_read() {
        let error = |body: &str| {
            let error = ApiError::parse(422, body.as_bytes());
            (error.code, error.message)
        };
        assert_eq!(
            error(r#"{"detail":[{"loc":["body","name",0],"msg":"field required","type":"missing"}]}"#),
            (Some("validation_error".to_owned()), "body.name.0: field required".to_owned())
        );
        assert_eq!(
            error(r#"{"detail":{"type":"t","code":"c","message":"m","status":"s"}}"#),
            (Some("c".to_owned()), "m".to_owned())
        );
        assert_eq!(error(r#"{"detail":{"status":"s","message":"m"}}"#), (Some("s".to_owned()), "m".to_owned()));
        assert_eq!(error(r#"{"detail":"gone"}"#), (None, "gone".to_owned()));
        assert_eq!(error("<html>"), (None, "<html>".to_owned()));
    }

    #[test]
    fn an_agent_with_the_defaults_works_and_one_with_opus_rates_does_not() {
        assert!(readiness(&json!({})).iter().all(|finding| !finding.is_fatal));
        let ready = json!({"conversation_config": {
            "asr": {"user_input_audio_format": "ulaw_8000"},
            "tts": {"agent_output_audio_format": "ulaw_8000"},
        }});
        assert_eq!(readiness(&ready), []);
        let loud = json!({"conversation_config": {
            "tts": {"agent_output_audio_format": "pcm_44100"},
            "conversation": {"client_events": ["audio"]},
        }});
        let findings = readiness(&loud);
        assert_eq!(findings.iter().filter(|finding| finding.is_fatal).count(), 1);
        assert!(findings.iter().any(|finding| finding.message.contains("`interruption`")));
    }
}
