//! The agents of the emulator: their configuration as the REST API shows and merges it, and what a conversation needs of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::config::AgentConfig;
use super::script::{Script, ScriptError};
use crate::domain::audio::AudioFormat;

/// The voice that new agents have (the vendor's default).
pub(super) const DEFAULT_VOICE: &str = "cjVigY5qzO86Huf0OWal";

/// What a phone bridge may want to be told.
const CLIENT_EVENTS: &[&str] = &[
    "conversation_initiation_metadata",
    "ping",
    "audio",
    "interruption",
    "user_transcript",
    "tentative_user_transcript",
    "agent_response",
    "agent_response_correction",
    "agent_response_complete",
    "client_tool_call",
    "agent_tool_request",
    "agent_tool_response",
    "client_error",
];

/// One agent.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub id: String,
    pub name: String,
    pub tags: Vec<String>,
    pub conversation_config: Value,
    pub platform_settings: Value,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub script: Script,
}

impl Agent {
    /// An agent as a request to create one describes it, on top of the vendor's defaults. A tag `script:NAME` picks a script.
    pub(super) fn create(id: String, body: &Value, now: Timestamp) -> Result<Self, ScriptError> {
        let mut agent = Self {
            name: "Unnamed agent".to_owned(),
            tags: Vec::new(),
            conversation_config: default_conversation_config(),
            platform_settings: json!({"auth": {"enable_auth": false}}),
            created: now,
            updated: now,
            script: Script::parse("follow-up")?,
            id,
        };
        agent.update(body, now)?;
        Ok(agent)
    }

    /// An agent of the emulator's own configuration.
    pub(super) fn configured(config: &AgentConfig, now: Timestamp) -> Result<Self, ScriptError> {
        let mut body = json!({
            "name": config.name,
            "conversation_config": {
                "asr": {"user_input_audio_format": config.user_input_audio_format},
                "tts": {"agent_output_audio_format": config.agent_output_audio_format},
            },
            "platform_settings": {
                "auth": {"enable_auth": config.private},
                "overrides": {"conversation_config_override": {
                    "agent": {"first_message": config.allow_first_message_override},
                }},
            },
        });
        if !config.client_events.is_empty() {
            body["conversation_config"]["conversation"] = json!({"client_events": config.client_events});
        }
        let mut agent = Self::create(config.agent_id.clone(), &body, now)?;
        agent.script = Script::parse(&config.script)?;
        Ok(agent)
    }

    /// Merges a request to create or change an agent.
    pub(super) fn update(&mut self, body: &Value, now: Timestamp) -> Result<(), ScriptError> {
        if let Some(name) = body.get("name").and_then(Value::as_str) {
            name.clone_into(&mut self.name);
        }
        if let Some(tags) = body.get("tags").and_then(Value::as_array) {
            self.tags = tags.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        if let Some(config) = body.get("conversation_config") {
            merge(&mut self.conversation_config, config);
        }
        if let Some(settings) = body.get("platform_settings") {
            merge(&mut self.platform_settings, settings);
        }
        if let Some(name) = self.tags.iter().find_map(|tag| tag.strip_prefix("script:")) {
            self.script = Script::parse(name)?;
        }
        self.updated = now;
        Ok(())
    }

    pub(super) fn is_private(&self) -> bool {
        self.platform_settings["auth"]["enable_auth"] == json!(true)
    }

    pub(super) fn input_format(&self) -> &str {
        self.conversation_config["asr"]["user_input_audio_format"].as_str().unwrap_or("pcm_16000")
    }

    pub(super) fn output_format(&self) -> &str {
        self.conversation_config["tts"]["agent_output_audio_format"].as_str().unwrap_or("pcm_16000")
    }

    pub(super) fn client_events(&self) -> Vec<String> {
        let events = self.conversation_config["conversation"]["client_events"].as_array();
        events.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// What new agents say first, where it was configured over the API.
    pub(super) fn first_message(&self) -> Option<&str> {
        self.conversation_config["agent"]["first_message"].as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn hears_nobody_at_first(&self) -> bool {
        self.conversation_config["agent"]["disable_first_message_interruptions"] == json!(true)
    }

    pub(super) fn max_duration_s(&self) -> u64 {
        self.conversation_config["conversation"]["max_duration_seconds"].as_u64().unwrap_or(600)
    }

    /// The first field of an override that this agent's settings do not permit.
    pub(super) fn forbidden_override(&self, wanted: &Value) -> Option<String> {
        forbidden(wanted, &self.platform_settings["overrides"]["conversation_config_override"], "")
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "agent_id": self.id,
            "name": self.name,
            "conversation_config": self.conversation_config,
            "metadata": {"created_at_unix_secs": self.created.as_second(), "updated_at_unix_secs": self.updated.as_second()},
            "platform_settings": self.platform_settings,
            "phone_numbers": [],
            "tags": self.tags,
        })
    }

    pub(super) fn to_summary(&self) -> Value {
        json!({
            "agent_id": self.id,
            "name": self.name,
            "voice_id": self.conversation_config["tts"]["voice_id"],
            "tags": self.tags,
            "created_at_unix_secs": self.created.as_second(),
            "access_info": {"is_creator": true, "creator_name": "Clearline emulator", "creator_email": "emulator@example.com",
                            "role": "admin"},
            "last_call_time_unix_secs": null,
            "archived": false,
        })
    }
}

/// The audio formats that the emulator can produce and understand.
pub(super) fn audio_format(name: &str) -> Option<AudioFormat> {
    [AudioFormat::Ulaw8000, AudioFormat::Pcm8000, AudioFormat::Pcm16000, AudioFormat::Pcm24000]
        .into_iter()
        .find(|format| format.as_str() == name)
}

/// The vendor's defaults, as far as a phone bridge sees them: PCM at 16 kHz both ways.
fn default_conversation_config() -> Value {
    json!({
        "agent": {"first_message": "", "language": "en", "prompt": {"prompt": "", "llm": "gemini-2.5-flash"}},
        "asr": {"quality": "high", "provider": "scribe_realtime", "user_input_audio_format": "pcm_16000", "keywords": []},
        "tts": {"model_id": "eleven_flash_v2", "voice_id": DEFAULT_VOICE, "agent_output_audio_format": "pcm_16000",
                "stability": 0.5, "speed": 1.0, "similarity_boost": 0.8},
        "turn": {"turn_timeout": 7.0, "silence_end_call_timeout": -1.0},
        "conversation": {"text_only": false, "max_duration_seconds": 600, "client_events": CLIENT_EVENTS},
    })
}

/// Objects are merged field by field, everything else is replaced.
pub(super) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn forbidden(wanted: &Value, permitted: &Value, path: &str) -> Option<String> {
    if *permitted == Value::Bool(true) {
        return None;
    }
    match wanted {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            let permitted = permitted.get(key).unwrap_or(&Value::Null);
            forbidden(value, permitted, &format!("{path}{}{key}", if path.is_empty() { "" } else { "." }))
        }),
        _ => Some(path.to_owned()),
    }
}

/// What a client sent as dynamic variables, checked: plain values, none of the server's names, none missing. The error is its
/// type and its reason.
pub(super) fn check_variables(
    initiation: &Map<String, Value>,
    required: &BTreeSet<String>,
) -> Result<Map<String, Value>, (&'static str, String)> {
    let sent = initiation.get("dynamic_variables").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in &sent {
        if name.starts_with("system__") {
            return Err(("value_error", format!("dynamic variable {name} is reserved")));
        }
        if !(value.is_string() || value.is_number() || value.is_boolean()) {
            return Err(("value_error", format!("dynamic variable {name} is no text, number or boolean")));
        }
    }
    match required.iter().find(|name| !sent.contains_key(*name)) {
        Some(missing) => Err(("missing_dynamic_variable", format!("Missing required dynamic variables: {missing}"))),
        None => Ok(sent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(body: &Value) -> Agent {
        Agent::create("agent_1".to_owned(), body, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_patch_changes_what_it_names_only() {
        let mut agent = agent(&json!({"name": "A", "conversation_config": {"tts": {"voice_id": "v1"}}}));
        assert_eq!((agent.input_format(), agent.output_format()), ("pcm_16000", "pcm_16000"));
        let patch = json!({"conversation_config": {"asr": {"user_input_audio_format": "ulaw_8000"}}});
        agent.update(&patch, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((agent.input_format(), agent.output_format()), ("ulaw_8000", "pcm_16000"));
        assert_eq!(agent.to_summary()["voice_id"], json!("v1"));
    }

    #[test]
    fn overrides_are_off_field_by_field() {
        let body = json!({"platform_settings": {"overrides": {"conversation_config_override": {"agent": {"first_message": true}}}}});
        let agent = agent(&body);
        assert_eq!(agent.forbidden_override(&json!({"agent": {"first_message": "Hi"}})), None);
        let prompt = json!({"agent": {"first_message": "Hi", "prompt": {"prompt": "x"}}});
        assert_eq!(agent.forbidden_override(&prompt), Some("agent.prompt.prompt".to_owned()));
        assert_eq!(agent.forbidden_override(&json!({})), None);
    }

    #[test]
    fn variables_are_checked() {
        let required = BTreeSet::from(["name".to_owned()]);
        let check = |variables: Value| {
            let initiation = json!({"dynamic_variables": variables}).as_object().unwrap().clone();
            check_variables(&initiation, &required).map_err(|(kind, _)| kind)
        };
        assert!(check(json!({"name": "Jo", "other": 1})).is_ok());
        assert_eq!(check(json!({})), Err("missing_dynamic_variable"));
        assert_eq!(check(json!({"name": "Jo", "system__time_utc": "x"})), Err("value_error"));
        assert_eq!(check(json!({"name": {}})), Err("value_error"));
    }
}
