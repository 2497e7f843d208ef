//! Is an `ElevenLabs` agent set up for phone calls through us? Reads its configuration (`GET /v1/convai/agents/{id}`) and says in
//! plain words what is wrong and which setting mends it.

use serde_json::{Value, json};

use crate::domain::audio::AudioFormat;

/// How much a finding hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Calls work, something about them does not, or at a cost.
    Degraded,
    /// Calls cannot work, or not as a caller expects.
    Broken,
}

/// Something about an agent's configuration that does not suit a phone call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// The setting's path in the agent's JSON.
    pub setting: &'static str,
    pub problem: String,
    pub remedy: String,
}

/// A client event, and what is missing without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeededEvent {
    pub name: &'static str,
    without: &'static str,
    severity: Severity,
}

/// The events that a call needs the agent to send. The metadata and the pings come unasked.
pub const NEEDED_EVENTS: [NeededEvent; 10] = [
    needed("audio", "nothing is heard of the agent", Severity::Broken),
    needed("interruption", "the agent goes on talking when the caller talks over it", Severity::Broken),
    needed("user_transcript", "the transcript lacks what the caller said", Severity::Degraded),
    needed("agent_response", "the transcript lacks what the agent said", Severity::Degraded),
    needed(
        "agent_response_correction",
        "the transcript keeps words of the agent that nobody heard",
        Severity::Degraded,
    ),
    needed("agent_response_complete", "the end of what the agent says can only be guessed", Severity::Degraded),
    needed("client_tool_call", "the agent's tools that we run (hang up, opt out, …) never run", Severity::Degraded),
    needed(
        "agent_tool_response",
        "we do not learn that the agent ended the call, and only its close tells",
        Severity::Degraded,
    ),
    needed("mcp_tool_call", "a tool of an MCP server that wants approval waits for it in vain", Severity::Degraded),
    needed("client_error", "a call that fails on the agent's side gives no reason", Severity::Degraded),
];

/// What the vendor sends where an agent names no events. Source: `AsyncAPI`, `ConversationConfigOverride.client_events`.
const DEFAULT_EVENTS: [&str; 5] =
    ["audio", "interruption", "agent_response", "user_transcript", "tentative_user_transcript"];

const FORMATS: [(&str, &str, &str); 2] = [
    (
        "/conversation_config/asr/user_input_audio_format",
        "conversation_config.asr.user_input_audio_format",
        "listens in",
    ),
    (
        "/conversation_config/tts/agent_output_audio_format",
        "conversation_config.tts.agent_output_audio_format",
        "speaks in",
    ),
];

const EVENTS: &str = "conversation_config.conversation.client_events";

const fn needed(name: &'static str, without: &'static str, severity: Severity) -> NeededEvent {
    NeededEvent { name, without, severity }
}

/// Everything that does not suit, the worst first.
pub fn readiness(agent: &Value) -> Vec<Finding> {
    let mut findings = formats(agent);
    findings.extend(events(agent));
    findings.extend(access(agent));
    findings.extend(conversation(agent));
    findings.extend(telephony_only(agent));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// The body of a `PATCH` that mends the agent's formats and events and leaves all else alone; `None` where nothing is to mend.
pub fn mending_patch(agent: &Value) -> Option<Value> {
    let mut config = json!({});
    for (pointer, _, _) in FORMATS {
        if format(agent, pointer) != AudioFormat::Ulaw8000.as_str() {
            let mut steps = pointer.split('/').skip(2);
            if let (Some(section), Some(key)) = (steps.next(), steps.next()) {
                config[section][key] = json!(AudioFormat::Ulaw8000.as_str());
            }
        }
    }
    let present = present_events(agent);
    let missing: Vec<_> =
        NEEDED_EVENTS.map(|event| event.name).into_iter().filter(|name| !present.contains(name)).collect();
    if !missing.is_empty() {
        // A list is replaced as a whole, so those it has are said again.
        let events: Vec<_> = present.into_iter().chain(missing).collect();
        config["conversation"]["client_events"] = json!(events);
    }
    (config != json!({})).then(|| json!({"conversation_config": config}))
}

fn format<'a>(agent: &'a Value, pointer: &str) -> &'a str {
    agent.pointer(pointer).and_then(Value::as_str).unwrap_or("pcm_16000")
}

fn present_events(agent: &Value) -> Vec<&str> {
    match agent.pointer("/conversation_config/conversation/client_events").and_then(Value::as_array) {
        Some(events) if !events.is_empty() => events.iter().filter_map(Value::as_str).collect(),
        _ => DEFAULT_EVENTS.to_vec(),
    }
}

fn formats(agent: &Value) -> Vec<Finding> {
    let known = [AudioFormat::Pcm8000, AudioFormat::Pcm16000, AudioFormat::Pcm24000].map(AudioFormat::as_str);
    let finding = |(pointer, setting, does): (&str, &'static str, &str)| {
        let format = format(agent, pointer);
        let (severity, consequence) = match format {
            "ulaw_8000" => return None,
            format if known.contains(&format) => (Severity::Degraded, "which has to be converted for the phone"),
            _ => (Severity::Broken, "which a phone call cannot carry"),
        };
        let problem = format!("the agent {does} {format}, {consequence}");
        Some(Finding { severity, setting, problem, remedy: format!("set {setting} to ulaw_8000") })
    };
    FORMATS.into_iter().filter_map(finding).collect()
}

fn events(agent: &Value) -> Vec<Finding> {
    let present = present_events(agent);
    let uses_mcp = ["mcp_server_ids", "native_mcp_server_ids"].iter().any(|key| {
        agent
            .pointer(&format!("/conversation_config/agent/prompt/{key}"))
            .and_then(Value::as_array)
            .is_some_and(|ids| !ids.is_empty())
    });
    NEEDED_EVENTS
        .into_iter()
        .filter(|event| !present.contains(&event.name) && (uses_mcp || event.name != "mcp_tool_call"))
        .map(|event| Finding {
            severity: event.severity,
            setting: EVENTS,
            problem: format!("the agent does not send `{}`: {}", event.name, event.without),
            remedy: format!("add `{}` to {EVENTS}", event.name),
        })
        .collect()
}

fn access(agent: &Value) -> Vec<Finding> {
    let is =
        |key: &str| agent.pointer(&format!("/platform_settings/auth/{key}")).and_then(Value::as_bool) == Some(true);
    let restricted = agent
        .pointer("/platform_settings/auth/allowlist")
        .and_then(Value::as_array)
        .is_some_and(|hosts| !hosts.is_empty());
    let mut findings = Vec::new();
    if !is("enable_auth") {
        findings.push(Finding {
            severity: Severity::Degraded,
            setting: "platform_settings.auth.enable_auth",
            problem: "the agent is public: whoever knows its id can talk to it at your cost".to_owned(),
            remedy:
                "switch authentication on in the agent's Security settings; with ELEVENLABS_API_KEY set, calls go on"
                    .to_owned(),
        });
    }
    if is("require_origin_header") || restricted && !is("enable_auth") {
        findings.push(Finding {
            severity: Severity::Broken,
            setting: "platform_settings.auth",
            problem: "the agent takes connections from certain web pages only, and we are none".to_owned(),
            remedy: "remove the allowlist and the demand for an Origin header, and switch authentication on instead"
                .to_owned(),
        });
    }
    findings
}

fn conversation(agent: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    if agent.pointer("/conversation_config/conversation/text_only").and_then(Value::as_bool) == Some(true) {
        findings.push(Finding {
            severity: Severity::Broken,
            setting: "conversation_config.conversation.text_only",
            problem: "the agent only writes, it does not speak".to_owned(),
            remedy: "set conversation_config.conversation.text_only to false".to_owned(),
        });
    }
    let text = |pointer: &str| agent.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let words = [text("/conversation_config/agent/prompt/prompt"), text("/conversation_config/agent/first_message")];
    // The vendor fills them for its own telephony only.
    for (theirs, ours) in [
        ("system__caller_id", "caller_number"),
        ("system__called_number", "called_number"),
        ("system__call_sid", "call_sid"),
    ] {
        if words.iter().any(|words| words.contains(theirs)) {
            findings.push(Finding {
                severity: Severity::Broken,
                setting: "conversation_config.agent",
                problem: format!(
                    "the prompt or first message uses {{{{{theirs}}}}}, which has no value in calls through us"
                ),
                remedy: format!("write {{{{{ours}}}}} instead"),
            });
        }
    }
    findings
}

/// What stands against the agent's saying the opening disclosure as its first message; none where it may.
pub fn cannot_open(agent: &Value) -> Option<Finding> {
    let is = |pointer: &str| agent.pointer(pointer).and_then(Value::as_bool) == Some(true);
    let finding = |setting, problem: &str, remedy: &str| {
        Some(Finding { severity: Severity::Degraded, setting, problem: problem.to_owned(), remedy: remedy.to_owned() })
    };
    if !is("/platform_settings/overrides/conversation_config_override/agent/first_message") {
        return finding(
            "platform_settings.overrides.conversation_config_override.agent.first_message",
            "the agent's first message may not be replaced, so it cannot say the disclosure",
            "allow the override of the first message in the agent's Security settings",
        );
    }
    if !is("/conversation_config/agent/disable_first_message_interruptions") {
        return finding(
            "conversation_config.agent.disable_first_message_interruptions",
            "people can talk over the agent's first message, so the disclosure may go unheard",
            "switch interruptions of the first message off",
        );
    }
    None
}

/// System tools that work only where the vendor itself holds the call.
fn telephony_only(agent: &Value) -> Vec<Finding> {
    let prompt = agent.pointer("/conversation_config/agent/prompt");
    let tools = prompt.and_then(|prompt| prompt["tools"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let has = |name: &str| {
        prompt.is_some_and(|prompt| prompt["built_in_tools"][name].is_object())
            || tools.iter().any(|tool| tool["type"] == "system" && tool["name"] == name)
    };
    [
        ("transfer_to_number", "transfers", "add our client tool transfer_call instead"),
        (
            "play_keypad_touch_tone",
            "key presses",
            "remove it: a media stream cannot carry key presses to the other side",
        ),
    ]
    .into_iter()
    .filter(|(name, _, _)| has(name))
    .map(|(name, what, remedy)| Finding {
        severity: Severity::Degraded,
        setting: "conversation_config.agent.prompt.built_in_tools",
        problem: format!(
            "the system tool {name} has no effect in calls through us: the agent will promise {what} that never happen"
        ),
        remedy: remedy.to_owned(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> Value {
        serde_json::from_slice(include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/elevenlabs/rest/agent.json"
        )))
        .unwrap()
    }

    fn settings(agent: &Value) -> Vec<(Severity, &'static str)> {
        readiness(agent).iter().map(|finding| (finding.severity, finding.setting)).collect()
    }

    #[test]
    fn an_agent_opens_a_call_only_if_its_first_message_is_ours_and_is_heard() {
        let agent = |replaced, deaf| {
            json!({
                "platform_settings": {"overrides": {"conversation_config_override": {"agent": {"first_message": replaced}}}},
                "conversation_config": {"agent": {"disable_first_message_interruptions": deaf}},
            })
        };
        let obstacle = |agent: Value| cannot_open(&agent).map(|finding| finding.setting);
        assert_eq!(obstacle(agent(true, true)), None);
        for refused in [agent(false, true), json!({})] {
            assert!(obstacle(refused).unwrap().ends_with("agent.first_message"));
        }
        assert!(obstacle(agent(true, false)).unwrap().ends_with("disable_first_message_interruptions"));
    }

    #[test]
    fn a_well_made_agent_has_no_findings() {
        assert_eq!(readiness(&fixture()), []);
        assert_eq!(mending_patch(&fixture()), None);
    }

    #[test]
    fn an_agent_as_the_vendor_makes_it_needs_its_formats_and_events() {
        let findings = readiness(&json!({}));
        assert!(findings.iter().all(|finding| finding.severity == Severity::Degraded));
        let problems: Vec<_> = findings.iter().map(|finding| finding.problem.as_str()).collect();
        assert_eq!(problems[0], "the agent listens in pcm_16000, which has to be converted for the phone");
        assert_eq!(problems[1], "the agent speaks in pcm_16000, which has to be converted for the phone");
        assert!(
            findings.iter().any(|finding| finding.remedy == format!("add `agent_response_correction` to {EVENTS}"))
        );
        let patch = mending_patch(&json!({})).unwrap();
        let mut mended = patch.clone();
        mended["platform_settings"] = json!({"auth": {"enable_auth": true}});
        assert_eq!(readiness(&mended), []);
        assert_eq!(mending_patch(&patch), None);
    }

    #[test]
    fn a_format_that_cannot_be_carried_comes_first() {
        let mut agent = fixture();
        agent["conversation_config"]["asr"]["user_input_audio_format"] = json!("pcm_16000");
        agent["conversation_config"]["tts"]["agent_output_audio_format"] = json!("pcm_44100");
        assert_eq!(
            settings(&agent),
            [
                (Severity::Broken, "conversation_config.tts.agent_output_audio_format"),
                (Severity::Degraded, "conversation_config.asr.user_input_audio_format"),
            ]
        );
    }

    #[test]
    fn without_interruption_nobody_can_talk_over_the_agent() {
        let mut agent = fixture();
        agent["conversation_config"]["conversation"]["client_events"] =
            json!(["audio", "vad_score", "agent_response", "user_transcript"]);
        let findings = readiness(&agent);
        assert_eq!(findings[0].severity, Severity::Broken);
        assert!(findings[0].problem.contains("`interruption`"));
        // What the agent had of its own stays in the patch.
        let patch = mending_patch(&agent).unwrap();
        let events = patch["conversation_config"]["conversation"]["client_events"].as_array().unwrap();
        assert!(events.contains(&json!("vad_score")) && events.contains(&json!("interruption")));
        assert!(patch["conversation_config"].get("asr").is_none());
    }

    #[test]
    fn approvals_matter_only_with_mcp_servers() {
        let mut agent = fixture();
        let events = NEEDED_EVENTS.iter().map(|event| event.name).filter(|name| *name != "mcp_tool_call");
        agent["conversation_config"]["conversation"]["client_events"] = events.collect();
        assert_eq!(readiness(&agent), []);
        agent["conversation_config"]["agent"]["prompt"]["mcp_server_ids"] = json!(["mcp_1"]);
        assert_eq!(settings(&agent), [(Severity::Degraded, EVENTS)]);
    }

    #[test]
    fn who_may_connect() {
        let mut agent = fixture();
        agent["platform_settings"]["auth"]["enable_auth"] = json!(false);
        assert_eq!(settings(&agent), [(Severity::Degraded, "platform_settings.auth.enable_auth")]);
        agent["platform_settings"]["auth"]["allowlist"] = json!([{"hostname": "example.com"}]);
        assert_eq!(settings(&agent)[0], (Severity::Broken, "platform_settings.auth"));
    }

    #[test]
    fn what_only_the_vendors_own_telephony_has() {
        let mut agent = fixture();
        let prompt = &mut agent["conversation_config"]["agent"]["prompt"];
        prompt["prompt"] = json!("The caller is {{system__caller_id}}.");
        prompt["built_in_tools"]["transfer_to_number"] = json!({"name": "transfer_to_number"});
        prompt["tools"] = json!([{"type": "system", "name": "play_keypad_touch_tone"}]);
        let findings = readiness(&agent);
        assert_eq!(findings.len(), 3);
        assert_eq!(findings[0].remedy, "write {{caller_number}} instead");
        agent["conversation_config"]["conversation"]["text_only"] = json!(true);
        assert_eq!(readiness(&agent).len(), 4);
    }

    #[test]
    fn anything_at_all_can_be_looked_at() {
        for agent in [json!(null), json!([]), json!("x"), json!({"conversation_config": 3, "platform_settings": []})] {
            assert!(!readiness(&agent).is_empty());
            assert!(mending_patch(&agent).is_some());
        }
    }
}
