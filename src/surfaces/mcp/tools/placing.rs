//! What the two tools that ring a phone share. Both go through `app::place_call`, as every door does.

use serde_json::{Value, json};

use crate::app::{MESSAGE_MAX, PlaceCall, PlaceCallError, Placed};
use crate::domain::access::{ClaimedPurpose, MissingScope};
use crate::domain::event::OnMachine;
use crate::domain::{CallState, Decision, DecisionId, Purpose};

use super::super::args::{Field, Kind, optional};
use super::super::confirm::{call_question, confirm};
use super::super::failure::Failure;
use super::super::output::{self, flag, object, text};
use super::super::resources::transcript_link;
use super::super::tool::{Answer, Asked, find_call};

pub(super) const AGENT: Field =
    optional("agent", Kind::Agent, "The voice agent, like elevenlabs:agent_123. Default: the server's default agent.");
pub(super) const VARIABLES: Field =
    optional("dynamic_variables", Kind::Variables, "Values for the agent's prompt, by name: texts, numbers, booleans.");
pub(super) const IDEMPOTENCY_KEY: Field = optional(
    "idempotency_key",
    Kind::Text { max: 200 },
    "Calling again with the same key never dials twice, but returns the first answer. Use a new key for a new try.",
);
pub(super) const CONFIRM_TOKEN: Field = optional(
    "confirm_token",
    Kind::Text { max: 500 },
    "Only after confirmation_required: its token, once the user agreed.",
);

pub(super) const ON_MACHINE: Field = optional(
    "on_machine",
    Kind::Word(&["release", "hang_up", "message"]),
    "If a machine picks up: the agent talks to it, nobody does, or machine_message is left. Default: the server's settings.",
);
pub(super) const MACHINE_MESSAGE: Field = optional(
    "machine_message",
    Kind::Text { max: MESSAGE_MAX },
    "With on_machine message: said after the beep, with the disclosures that the law wants around it.",
);

/// What is to be done if a machine picks up; none: what the settings say.
pub(super) fn on_machine(asked: &Asked) -> Result<Option<OnMachine>, Failure> {
    match (asked.args.text("on_machine"), asked.args.text("machine_message").map(str::trim)) {
        (None, None) => Ok(None),
        (Some("release"), None) => Ok(Some(OnMachine::Release)),
        (Some("hang_up"), None) => Ok(Some(OnMachine::HangUp)),
        (Some("message"), Some(text)) if !text.is_empty() => Ok(Some(OnMachine::Message { text: text.to_owned() })),
        (Some("message"), _) => {
            Err(Failure::invalid_argument("machine_message", "nothing", "the text to leave, with on_machine message"))
        }
        (_, Some(_)) => {
            Err(Failure::invalid_argument("machine_message", "a text", "none, unless on_machine is message"))
        }
        (Some(_), None) => Err(Failure::invalid_argument("on_machine", "another word", "release, hang_up or message")),
    }
}

/// Asks for a person's word where the operator wants it, then places the call, once for its key.
pub(super) async fn place(asked: &Asked, request: PlaceCall) -> Result<Answer, Failure> {
    let purpose = json!(Purpose::from(request.purpose));
    let message = call_question(&request.to, &purpose);
    if let Some(question) = confirm(asked, &["initiate_call_with_compliance"], &request.to, message).await? {
        return Ok(Answer::Input(question));
    }
    let app = asked.app();
    let began = app.clock.now();
    let placed = match idempotency_key(asked) {
        Some(key) => app.place_call_once(request, asked.actor(), &key).await,
        None => app.place_call(request, asked.actor()).await,
    };
    let placed = placed.map_err(|error| Failure::place_call(&error))?;
    let record = find_call(app, &placed.call_id.to_string()).await?;
    let is_replay = record.as_ref().is_some_and(|call| call.created_at < began);
    if !placed.decision.is_allowed() {
        return Err(blocked(&placed, is_replay));
    }
    let state = record.map_or(CallState::Queued, |call| call.state);
    let body = json!({
        "call_id": placed.call_id,
        "decision_id": placed.decision_id,
        "state": state,
        "idempotent_replay": is_replay,
        "warnings": placed.decision.warnings,
        "next": "The phone has not been answered yet. Use wait_for_call with this call_id.",
    });
    Ok(Answer::Linked(body, transcript_link(placed.call_id)))
}

/// What the gate would say, without placing anything.
pub(super) async fn dry_run(asked: &Asked, request: &PlaceCall) -> Result<Answer, Failure> {
    let app = asked.app();
    let purpose = request.purpose.into();
    if !app.config.compliance.purposes.contains(&purpose) {
        return Err(Failure::place_call(&PlaceCallError::PurposeNotAllowed(purpose)));
    }
    let answer = app.what_if(request, asked.actor()).await?;
    Ok(Answer::Done(json!({
        "dry_run": true,
        "decision_id": answer.decision_id,
        "allowed": answer.decision.is_allowed(),
        "decision": output::decision(answer.decision_id, &answer.decision),
        "warnings": answer.decision.warnings,
        "next": "No call was placed: this was a dry run.",
    })))
}

/// An emergency lifts most rules, so a key needs more than the right to place calls.
pub(super) fn claim(asked: &Asked, purpose: Purpose) -> Result<ClaimedPurpose, Failure> {
    asked.principal.claim(purpose).map_err(|MissingScope(scope)| {
        Failure::refusal(
            "missing_scope",
            format!("This key may not claim the purpose emergency: it lacks the scope {scope}."),
            "No call was placed. Claim the purpose that the call really has.",
        )
        .details(json!({ "scopes": [scope] }))
    })
}

/// The one given, else the id that the client gave to the model's use of this tool: a model that asks again means another call, a
/// client that sends again means the same.
fn idempotency_key(asked: &Asked) -> Option<String> {
    let given = asked.args.text("idempotency_key").map(str::to_owned);
    given.or_else(|| {
        let id = asked.context.meta.get("claudecode/toolUseId").and_then(Value::as_str)?;
        (1..=150).contains(&id.len()).then(|| format!("tool-use {id}"))
    })
}

/// A denial, with every reason and when it may be tried again. `call_id` is the call that came to nothing.
fn blocked(placed: &Placed, is_replay: bool) -> Failure {
    let mut failure = denied(placed.decision_id, &placed.decision);
    failure.details["call_id"] = placed.call_id.to_string().into();
    failure.details["idempotent_replay"] = is_replay.into();
    failure
}

pub(super) fn denied(decision_id: DecisionId, decision: &Decision) -> Failure {
    let reasons: Vec<_> = decision
        .reasons()
        .iter()
        .map(|r| json!({"code": r.code, "rule": r.rule, "citation": r.citation, "message": r.message}))
        .collect();
    let next = decision.next_permissible_at();
    let first = decision.reasons().first();
    let message = first.map_or_else(|| "The gate said no.".to_owned(), |reason| reason.message.clone());
    let hint = match next {
        Some(at) => format!("No call was placed. It may be tried again at {at}, with a new idempotency_key."),
        None => "No call was placed. Waiting does not help: read the reasons.".to_owned(),
    };
    let details = output::compact(json!({
        "reasons": reasons,
        "next_permissible_at": next,
        "decision_id": decision_id,
    }));
    Failure::refusal("compliance_blocked", message, hint).details(details).next(&[
        "check_tcpa_compliance",
        "verify_consent",
        "check_dnc_status",
    ])
}

pub(super) fn schema() -> Value {
    object(
        [("decision_id", text("the compliance decision"))],
        [
            ("call_id", text("the call; valid as long as its record is kept. Missing in a dry run")),
            ("state", text("queued or dialing: the phone has not been answered yet")),
            ("idempotent_replay", flag("whether this is the answer of an earlier request with the same key")),
            ("dry_run", flag("true when nothing was placed")),
            ("allowed", flag("in a dry run: whether the call would be placed")),
            ("decision", output::decision_schema()),
            ("warnings", output::list(json!({"type": "string"}), "what a person should know")),
            ("next", text("what to do next")),
        ],
    )
}
