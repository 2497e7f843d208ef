//! A person's word before an agent dials (a call, or a transfer to an outside number), where the operator wants it: asked of the client's user where the client can ask, else by
//! a token that the agent passes back. The gate decides in any case; this is one guard more, never the only one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rmcp::model::{
    BooleanSchema, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    InputRequest, InputRequiredResult, PrimitiveSchemaDefinition, ProtocolVersion, RequestStateCodec, SealOptions,
};
use serde_json::{Value, json};

use crate::config::{ConfirmDials, ConfirmFallback};
use crate::domain::E164;

use super::failure::Failure;
use super::server::sha256_hex;
use super::tool::Asked;

/// How long a question, or a token, may be answered.
const LIFETIME: Duration = Duration::from_mins(5);

/// The name of the one thing that is asked.
const QUESTION: &str = "place_call";

/// What does not belong to what is confirmed.
const NOT_CONFIRMED: [&str; 3] = ["confirm_token", "idempotency_key", "dry_run"];

/// Seals questions and remembers which were answered. Its key lives as long as the process: a question that a restart interrupts is
/// asked again.
pub(super) struct Confirmations {
    codec: RequestStateCodec,
    used: Mutex<HashMap<String, Timestamp>>,
}

impl Confirmations {
    pub(super) fn new() -> Self {
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).expect("the operating system has randomness");
        let codec = RequestStateCodec::try_new(key.to_vec()).expect("32 bytes are enough");
        Self { codec, used: Mutex::default() }
    }

    fn seal(&self, about: &str) -> String {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        self.codec.seal_with(nonce.as_bytes(), &SealOptions::new().associated_data(about.as_bytes()).ttl(LIFETIME))
    }

    /// Whether this was sealed about the same thing not long ago and is used for the first time.
    fn is_good_for_once(&self, sealed: &str, about: &str, now: Timestamp) -> bool {
        let Ok(nonce) = self.codec.open_with(sealed, about.as_bytes()) else { return false };
        let nonce = String::from_utf8_lossy(&nonce).into_owned();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // Twice the lifetime, so that no answer is forgotten while its seal still opens.
        let forget = SignedDuration::try_from(LIFETIME * 2).unwrap_or(SignedDuration::MAX);
        used.retain(|_, at| now.duration_since(*at) < forget);
        used.insert(nonce, now).is_none()
    }
}

/// Whether the call may be placed as far as a person's word goes. `Some` is a question that the client has to answer first.
/// `next` is the tool to call again with a token. The word is given for this number: a lead may have another one by the time of
/// the answer.
pub(super) async fn confirm(
    asked: &Asked,
    next: &'static [&'static str],
    number: &E164,
    message: String,
) -> Result<Option<InputRequiredResult>, Failure> {
    let app = asked.app();
    if app.config.mcp.confirm_dials == ConfirmDials::Never {
        return Ok(None);
    }
    let arguments = sha256_hex(asked.args.without(&NOT_CONFIRMED).as_bytes());
    let about = format!("{}\n{number}\n{arguments}", asked.principal.name, number = number.as_str());
    let confirmations = &asked.shared.confirmations;
    if let Some(token) = asked.args.text("confirm_token") {
        if app.config.mcp.confirm_fallback == ConfirmFallback::Token
            && confirmations.is_good_for_once(token, &about, app.clock.now())
        {
            return Ok(None);
        }
        return Err(Failure::refusal(
            "confirmation_invalid",
            "This confirm_token is not valid: it is too old, was used, or was given for other arguments.",
            "No call was placed. Call again without it to get a new one.",
        ));
    }
    if let (Some(state), Some(responses)) = (&asked.request_state, &asked.input_responses) {
        if !confirmations.is_good_for_once(state, &about, app.clock.now()) {
            return Ok(Some(question(confirmations.seal(&about), message)));
        }
        let answer = responses.get(QUESTION).and_then(|answer| serde_json::from_value(answer.clone()).ok());
        return agreed(answer.as_ref()).map(|()| None);
    }
    let can_ask = asked.context.client_capabilities().is_some_and(|client| client.elicitation.is_some());
    let is_modern = asked.context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    match (can_ask, is_modern) {
        (true, true) => Ok(Some(question(confirmations.seal(&about), message))),
        (true, false) => {
            let answer =
                asked.context.peer.create_elicitation_with_timeout(form(message.clone()), Some(LIFETIME)).await;
            match answer {
                Ok(answer) => agreed(Some(&answer)).map(|()| None),
                Err(error) => {
                    tracing::debug!(%error, "a client that can ask its user did not");
                    Err(fallback(asked, &about, next, &message))
                }
            }
        }
        (false, _) => Err(fallback(asked, &about, next, &message)),
    }
}

fn agreed(answer: Option<&ElicitResult>) -> Result<(), Failure> {
    let yes = answer.is_some_and(|answer| {
        answer.action == ElicitationAction::Accept
            && answer.content.as_ref().is_some_and(|content| content[QUESTION] == true)
    });
    if yes {
        return Ok(());
    }
    Err(Failure::refusal(
        "declined",
        "The user did not agree to this call.",
        "No call was placed. Do not try again unless the user asks for it.",
    ))
}

fn fallback(asked: &Asked, about: &str, next: &'static [&'static str], message: &str) -> Failure {
    let app = asked.app();
    if app.config.mcp.confirm_fallback == ConfirmFallback::Refuse {
        return Failure::refusal(
            "confirmation_required",
            "A person must agree to this call, and this client cannot ask its user.",
            "No call was placed. Use a client that supports elicitation.",
        );
    }
    let token = asked.shared.confirmations.seal(about);
    Failure::refusal(
        "confirmation_required",
        format!("A person must agree first. Ask your user: {message}"),
        "No call was placed. Once the user has agreed, call again with the same arguments and confirm_token.",
    )
    .details(json!({ "confirm_token": token, "valid_for_secs": LIFETIME.as_secs() }))
    .next(next)
}

fn question(state: String, message: String) -> InputRequiredResult {
    let request = InputRequest::Elicitation(ElicitRequest::new(form(message)));
    InputRequiredResult::new(Some(BTreeMap::from([(QUESTION.to_owned(), request)])), Some(state))
}

fn form(message: String) -> ElicitRequestParams {
    let agree = BooleanSchema::new().title("Place the call").description("Whether the call is to be placed now");
    let properties = BTreeMap::from([(QUESTION.to_owned(), PrimitiveSchemaDefinition::Boolean(agree))]);
    let requested_schema = ElicitationSchema::new(properties).with_required(vec![QUESTION.to_owned()]);
    ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema }
}

/// Shown in the question: whom, with the number masked, and what for.
pub(super) fn call_question(to: &E164, purpose: &Value) -> String {
    format!("May the agent call {} now ({})?", to.masked(), purpose.as_str().unwrap_or("telemarketing"))
}

/// The same for a transfer to a number outside.
pub(super) fn transfer_question(to: &E164) -> String {
    format!("May the agent call {} now and transfer the live call to them?", to.masked())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_once_and_for_what_it_was_made() {
        let (confirmations, now) = (Confirmations::new(), Timestamp::UNIX_EPOCH);
        let sealed = confirmations.seal("dialer\nab");
        assert!(!confirmations.is_good_for_once(&sealed, "dialer\ncd", now), "other arguments");
        assert!(!confirmations.is_good_for_once(&sealed, "other\nab", now), "another key");
        assert!(!Confirmations::new().is_good_for_once(&sealed, "dialer\nab", now), "another server");
        assert!(confirmations.is_good_for_once(&sealed, "dialer\nab", now));
        assert!(!confirmations.is_good_for_once(&sealed, "dialer\nab", now), "twice");
        assert!(!confirmations.is_good_for_once("rs1.x.y", "dialer\nab", now));
    }
}
