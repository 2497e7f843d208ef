//! What the `elevenlabs_…` tools share: how agents and voices are shown, and the vendor's refusals.

use serde_json::{Value, json};

use crate::agents::AgentError;
use crate::protocol::agent::elevenlabs_readiness::{Severity, readiness};
use crate::protocol::agent::elevenlabs_rest::Voice;

use super::super::args::{Field, Kind, optional};
use super::super::failure::Failure;
use super::super::output::{self, list, object, open_object, text};

pub(super) const AGENT_ID: Kind = Kind::Text { max: 100 };
pub(super) const PROMPT: Kind = Kind::Text { max: 60_000 };
pub(super) const SPOKEN: Kind = Kind::Text { max: 2_000 };
pub(super) const SHORT: Kind = Kind::Text { max: 100 };

pub(super) const FIRST_MESSAGE: Field = optional("first_message", SPOKEN, "What the agent says first.");
pub(super) const LANGUAGE: Field = optional("language", SHORT, "ISO 639-1 code of its language, like en.");
pub(super) const VOICE_ID: Field = optional("voice_id", SHORT, "A voice from elevenlabs_list_voices.");
pub(super) const LLM: Field = optional("llm", SHORT, "The vendor's name of the language model.");

pub(super) fn failure(error: &AgentError) -> Failure {
    let failed = |code, hint: &str| Failure::new(code, error.to_string(), hint);
    match error {
        AgentError::NoKey
        | AgentError::KeyText
        | AgentError::ApiUrl(_)
        | AgentError::NotConfigured(_)
        | AgentError::NoRetellKey => failed("not_configured", "Nothing was done. Only the operator can mend this."),
        AgentError::Unreachable { .. } | AgentError::Timeout { .. } => {
            failed("agent_vendor_unreachable", "Try again in a minute.").retryable()
        }
        AgentError::Api { status: 404, .. } => failed("not_found", "Nothing was done. List what there is.")
            .next(&["elevenlabs_list_agents", "elevenlabs_list_voices"]),
        AgentError::Api { status: 429 | 500.., .. } => {
            failed("agent_vendor_busy", "Try again in a minute.").retryable()
        }
        AgentError::Api { body, .. } => {
            let fields = json!({ "vendor_code": body.code, "fields": body.fields, "request_id": body.request_id });
            failed("agent_vendor_refused", "Nothing was done. Read the message.").details(output::compact(fields))
        }
        AgentError::Retell { .. }
        | AgentError::Chat { .. }
        | AgentError::ChatStream(_)
        | AgentError::Refused { .. }
        | AgentError::SignedUrl { .. }
        | AgentError::ForeignHost { .. }
        | AgentError::UnexpectedAnswer { .. } => failed("agent_vendor_refused", "Nothing was done. Tell the operator."),
    }
}

/// An agent as tools show it: what can be set here, and what about it does not suit telephone calls. The rest of the vendor's object
/// (secrets of its tools among it) stays out.
pub(super) fn agent(agent: &Value) -> Value {
    let config = &agent["conversation_config"];
    let findings: Vec<_> = readiness(agent)
        .into_iter()
        .map(|finding| {
            let severity = if finding.severity == Severity::Broken { "broken" } else { "degraded" };
            json!({"severity": severity, "setting": finding.setting, "problem": finding.problem, "remedy": finding.remedy})
        })
        .collect();
    output::compact(json!({
        "agent_id": agent["agent_id"],
        "name": agent["name"],
        "language": config["agent"]["language"],
        "first_message": config["agent"]["first_message"],
        "prompt": config["agent"]["prompt"]["prompt"],
        "llm": config["agent"]["prompt"]["llm"],
        "voice_id": config["tts"]["voice_id"],
        "tags": agent["tags"],
        "ready_for_calls": findings.iter().all(|finding| finding["severity"] != "broken"),
        "findings": findings,
    }))
}

pub(super) fn agent_schema() -> Value {
    object(
        [
            ("agent_id", text("the vendor's id; as the agent of a call write elevenlabs:ID")),
            ("ready_for_calls", output::flag("whether calls can work with it as it is")),
            (
                "findings",
                list(open_object("severity, setting, problem and remedy"), "what does not suit telephone calls"),
            ),
        ],
        [
            ("name", text("its name")),
            ("language", text("its language")),
            ("first_message", text("what it says first")),
            ("prompt", text("its instructions")),
            ("llm", text("its language model")),
            ("voice_id", text("its voice")),
            ("tags", list(json!({"type": "string"}), "its tags")),
        ],
    )
}

pub(super) fn voice(voice: &Voice) -> Value {
    output::compact(json!(voice))
}

pub(super) fn voice_schema() -> Value {
    object(
        [("voice_id", text("the vendor's id"))],
        [
            ("name", text("its name")),
            ("category", text("premade, cloned, generated or professional")),
            ("description", text("what it sounds like")),
            ("preview_url", text("where to hear it")),
            ("labels", open_object("accent, age, gender and so on")),
        ],
    )
}
