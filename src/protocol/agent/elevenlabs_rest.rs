//! The bodies of the `ElevenLabs` REST API that we read and write, without the requests around them.
//!
//! An agent is an open-ended object of the vendor's and stays JSON; typed is what we look into. Source: the vendor's `OpenAPI`
//! (September 2026).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::Secret;

use super::elevenlabs_readiness::NEEDED_EVENTS;

/// `GET /v1/convai/conversation/get-signed-url`. The URL is a credential: whoever has it can talk to the agent for 15 minutes.
#[derive(Debug, Clone, Deserialize)]
pub struct SignedUrl {
    pub signed_url: Secret,
}

/// `POST /v1/convai/agents/create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedAgent {
    pub agent_id: String,
}

/// Which agents to list. Of a page of up to 100 (30 where not said).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AgentsQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `GET /v1/convai/agents`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentPage {
    pub agents: Vec<AgentSummary>,
    pub next_cursor: Option<String>,
    #[serde(default)]
    pub has_more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSummary {
    pub agent_id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub tags: Vec<String>,
    pub last_call_time_unix_secs: Option<i64>,
    #[serde(default)]
    pub archived: bool,
}

/// Which voices to list. Of a page of up to 100 (10 where not said).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VoicesQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// `GET /v2/voices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoicePage {
    pub voices: Vec<Voice>,
    #[serde(default)]
    pub has_more: bool,
    pub next_page_token: Option<String>,
}

/// One voice, also `GET /v1/voices/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voice {
    pub voice_id: String,
    pub name: Option<String>,
    pub category: Option<String>,
    pub description: Option<String>,
    pub preview_url: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub labels: BTreeMap<String, Value>,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(field: D) -> Result<BTreeMap<String, Value>, D::Error> {
    Option::deserialize(field).map(Option::unwrap_or_default)
}

/// An agent to be made for phone calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewAgent {
    pub name: String,
    pub prompt: String,
    /// What it says first; empty where the caller is to speak first.
    pub first_message: String,
    /// ISO 639-1, `en` where not said.
    pub language: Option<String>,
    pub voice_id: Option<String>,
    /// The vendor's name of the language model.
    pub llm: Option<String>,
}

impl NewAgent {
    /// The body that creates it, ready for the phone: µ-law both ways, every event that a call needs, able to hang up, and only
    /// to be talked to with a signed URL.
    pub fn body(&self) -> Value {
        let end_call = json!({"type": "system", "name": "end_call", "params": {"system_tool_type": "end_call"}});
        let mut body = json!({
            "name": self.name,
            "conversation_config": {
                "agent": {
                    "first_message": self.first_message,
                    "language": self.language.as_deref().unwrap_or("en"),
                    "prompt": {"prompt": self.prompt, "built_in_tools": {"end_call": end_call}},
                },
                "asr": {"user_input_audio_format": "ulaw_8000"},
                "tts": {"agent_output_audio_format": "ulaw_8000"},
                "conversation": {"client_events": NEEDED_EVENTS.map(|event| event.name)},
            },
            "platform_settings": {"auth": {"enable_auth": true}},
        });
        let config = &mut body["conversation_config"];
        if let Some(voice_id) = &self.voice_id {
            config["tts"]["voice_id"] = json!(voice_id);
        }
        if let Some(llm) = &self.llm {
            config["agent"]["prompt"]["llm"] = json!(llm);
        }
        body
    }
}

/// Why the vendor refused a request: its four shapes of error body as one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    /// The vendor's own word, such as `invalid_api_key`, `quota_exceeded`, `too_many_concurrent_requests`.
    pub code: Option<String>,
    pub message: String,
    /// The fields that were wrong, where it says so.
    pub fields: Vec<FieldProblem>,
    /// For a question to the vendor's support.
    pub request_id: Option<String>,
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Its place, such as `conversation_config.tts.voice_id`.
    pub field: String,
    pub problem: String,
}

impl ErrorBody {
    /// Reads any body. What is none of the known shapes is quoted, shortened.
    pub fn parse(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(mut json) => match json.get_mut("detail").map(Value::take) {
                Some(Value::Array(problems)) => Self::of_fields(&problems),
                Some(Value::String(message)) => Self { message, ..Self::default() },
                Some(detail @ Value::Object(_)) => Self::of_detail(&detail),
                _ => Self::quoted(body),
            },
            Err(_) => Self::quoted(body),
        }
    }

    /// 422: `{"detail":[{"loc":["body","name"],"msg":"…","type":"…"}]}`.
    fn of_fields(problems: &[Value]) -> Self {
        let fields = problems.iter().map(|problem| {
            let place = problem["loc"].as_array().map(Vec::as_slice).unwrap_or_default();
            let place: Vec<_> = place
                .iter()
                .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
                // Which part of the request it is goes without saying.
                .skip_while(|step| ["body", "query", "path"].contains(&step.as_str()))
                .collect();
            FieldProblem {
                field: place.join("."),
                problem: problem["msg"].as_str().unwrap_or("is not valid").to_owned(),
            }
        });
        Self {
            code: Some("validation_error".to_owned()),
            message: "some fields are not valid".to_owned(),
            fields: fields.collect(),
            request_id: None,
        }
    }

    /// New: `{"detail":{"type","code","message","status","request_id","param"}}`; older: `{"detail":{"status","message"}}`.
    fn of_detail(detail: &Value) -> Self {
        let text = |key: &str| detail[key].as_str().map(str::to_owned);
        let message = text("message").unwrap_or_else(|| "no reason given".to_owned());
        let fields = text("param").map(|field| FieldProblem { field, problem: message.clone() });
        Self {
            code: text("code").or_else(|| text("status")).or_else(|| text("type")),
            message,
            fields: fields.into_iter().collect(),
            request_id: text("request_id"),
        }
    }

    fn quoted(body: &[u8]) -> Self {
        let message = excerpt(body);
        let message = if message.is_empty() { "no reason given".to_owned() } else { message };
        Self { message, ..Self::default() }
    }
}

/// The beginning of a body that nobody expected, on one line.
pub fn excerpt(body: &[u8]) -> String {
    const LENGTH: usize = 200;
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * LENGTH)]);
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LENGTH) {
        words.truncate(end);
        words.push('…');
    }
    words
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        self.fields.iter().try_for_each(|FieldProblem { field, problem }| match field.as_str() {
            "" => write!(f, "; {problem}"),
            field => write!(f, "; {field}: {problem}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/elevenlabs/rest/", $name, ".json"))
        };
    }

    fn problem(field: &str, problem: &str) -> FieldProblem {
        FieldProblem { field: field.to_owned(), problem: problem.to_owned() }
    }

    #[test]
    fn all_shapes_of_errors_are_read() {
        let validation = ErrorBody::parse(fixture!("error_422"));
        assert_eq!(
            validation.fields,
            [
                problem("conversation_config.tts.stability", "Input should be less than or equal to 1"),
                problem("tags.0", "Input should be a valid string"),
            ]
        );
        assert_eq!(
            validation.to_string(),
            "some fields are not valid (validation_error); conversation_config.tts.stability: Input should be less than or \
             equal to 1; tags.0: Input should be a valid string"
        );
        assert_eq!(
            ErrorBody::parse(br#"{"detail":[{}]}"#).to_string(),
            "some fields are not valid (validation_error); is not valid"
        );
        assert_eq!(
            ErrorBody::parse(fixture!("error_new")),
            ErrorBody {
                code: Some("invalid_api_key".to_owned()),
                message: "Invalid API key.".to_owned(),
                fields: vec![],
                request_id: Some("req_fixture".to_owned()),
            }
        );
        assert_eq!(ErrorBody::parse(fixture!("error_param")).fields, [problem("agent_id", "No such agent.")]);
        assert_eq!(
            ErrorBody::parse(fixture!("error_old")).to_string(),
            "This request exceeds your quota. (quota_exceeded)"
        );
        assert_eq!(ErrorBody::parse(fixture!("error_string")).to_string(), "Not Found");
    }

    #[test]
    fn what_is_no_known_error_is_quoted_shortened() {
        assert_eq!(ErrorBody::parse(b"").message, "no reason given");
        assert_eq!(ErrorBody::parse(b"<html>\n  <h1>502</h1>").message, "<html> <h1>502</h1>");
        assert_eq!(ErrorBody::parse(br#"{"error":"x"}"#).message, r#"{"error":"x"}"#);
        assert_eq!(ErrorBody::parse(&[b'x'; 10_000]).message.chars().count(), 201);
        assert_eq!(ErrorBody::parse("é".repeat(5_000).as_bytes()).message.chars().count(), 201);
        assert_eq!(ErrorBody::parse(b"\xff\xfe").message, "\u{fffd}\u{fffd}");
    }

    #[test]
    fn pages_and_voices_are_read() {
        let page: AgentPage = serde_json::from_slice(fixture!("agents")).unwrap();
        assert_eq!((page.agents.len(), page.has_more, page.next_cursor.as_deref()), (2, true, Some("cur_2")));
        assert_eq!(page.agents[0].name, "Ada");
        let page: VoicePage = serde_json::from_slice(fixture!("voices")).unwrap();
        assert_eq!((page.voices.len(), page.has_more, page.next_page_token), (2, false, None));
        let voice: Voice = serde_json::from_slice(fixture!("voice")).unwrap();
        assert_eq!(voice, page.voices[0]);
        assert_eq!(voice.labels["accent"], "american");
        let bare: Voice = serde_json::from_str(r#"{"voice_id":"voice_3","labels":null}"#).unwrap();
        assert_eq!((bare.voice_id.as_str(), bare.labels.len()), ("voice_3", 0));
    }

    #[test]
    fn a_signed_url_cannot_be_printed() {
        let signed: SignedUrl = serde_json::from_slice(fixture!("signed_url")).unwrap();
        assert!(signed.signed_url.expose().contains("conversation_signature="));
        assert!(!format!("{signed:?}").contains("signature="));
    }

    #[test]
    fn queries_leave_out_what_is_not_asked() {
        let query = AgentsQuery { search: Some("a b".to_owned()), ..AgentsQuery::default() };
        assert_eq!(serde_urlencoded::to_string(query).unwrap(), "search=a+b");
        assert_eq!(serde_urlencoded::to_string(VoicesQuery::default()).unwrap(), "");
    }

    #[test]
    fn a_new_agent_is_ready_for_the_phone() {
        let agent = NewAgent {
            name: "Ada".to_owned(),
            prompt: "Be kind.".to_owned(),
            first_message: "Hello".to_owned(),
            voice_id: Some("voice_1".to_owned()),
            ..NewAgent::default()
        };
        let expected: Value = serde_json::from_slice(fixture!("create_agent")).unwrap();
        assert_eq!(agent.body(), expected);
        assert_eq!(super::super::elevenlabs_readiness::readiness(&agent.body()), []);
    }
}
