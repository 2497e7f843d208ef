//! What a tool answers when it did not do what it was asked: a body that tells a model what happened and what to do next. Nothing
//! internal stands in it.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

use crate::app::{ControlError, LimitReached, PlaceCallError};
use crate::carrier::CarrierError;
use crate::store::StoreError;

use super::args::Problem;

/// Why a tool did not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    /// Stable, in lower case with underscores.
    pub code: &'static str,
    pub message: String,
    /// An object.
    pub details: Value,
    pub retryable: bool,
    pub hint: String,
    pub next_tools: &'static [&'static str],
    /// Whether we did not want to, rather than could not.
    pub is_refusal: bool,
}

impl Failure {
    /// Something that was asked for cannot be done.
    pub(super) fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: json!({}),
            retryable: false,
            hint: hint.into(),
            next_tools: &[],
            is_refusal: false,
        }
    }

    /// The asker may not have this.
    pub(super) fn refusal(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { is_refusal: true, ..Self::new(code, message, hint) }
    }

    #[must_use]
    pub(super) fn retryable(self) -> Self {
        Self { retryable: true, ..self }
    }

    #[must_use]
    pub(super) fn next(self, tools: &'static [&'static str]) -> Self {
        Self { next_tools: tools, ..self }
    }

    #[must_use]
    pub(super) fn details(self, details: Value) -> Self {
        Self { details, ..self }
    }

    pub(super) fn invalid_arguments(problems: &[Problem]) -> Self {
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        Self::new(
            "invalid_arguments",
            format!("These arguments are not valid: {}.", fields.join(", ")),
            "Nothing was done. Correct all of the problems listed and call the tool again.",
        )
        .details(json!({ "problems": problems }))
    }

    /// The same for faults that a use case found: each a field and a sentence that says what is wrong with it.
    pub(super) fn invalid_fields(faults: &[(&'static str, String)]) -> Self {
        let problem = |(field, fault): &(&str, String)| Problem {
            field: (*field).to_owned(),
            received: fault.clone(),
            expected: "one without this fault".to_owned(),
        };
        Self::invalid_arguments(&faults.iter().map(problem).collect::<Vec<_>>())
    }

    pub(super) fn invalid_argument(field: &str, received: &str, expected: &str) -> Self {
        Self::invalid_arguments(&[Problem {
            field: field.to_owned(),
            received: received.to_owned(),
            expected: expected.to_owned(),
        }])
    }

    pub(super) fn no_such_call() -> Self {
        Self::new(
            "call_not_found",
            "There is no call with this id.",
            "Use the call_id that initiate_call_with_compliance returned, or look it up.",
        )
        .next(&["list_active_calls", "get_call_history"])
    }

    pub(super) fn call_is_over() -> Self {
        Self::new("call_ended", "The call has ended.", "Nothing was done. What was said is in its transcript.")
            .next(&["get_call_transcript", "get_call_status"])
    }

    /// Something broke on our side. The cause goes to the log, never to the outside.
    pub(super) fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = cause, "a tool failed");
        Self::new(
            "internal",
            "Something broke on the server's side; its log has the cause.",
            "Try once more. If it fails again, tell the operator.",
        )
        .retryable()
    }

    /// The carrier did not do it.
    pub(super) fn carrier(error: &CarrierError) -> Self {
        match error {
            CarrierError::Refused(body) => Self::new(
                "carrier_refused",
                body.to_string(),
                "The carrier changed nothing. Read the message; trying the same again will not help unless it says so.",
            ),
            CarrierError::Uncertain(doubt) => Self::new(
                "carrier_uncertain",
                format!("Nobody knows whether the carrier did it: {doubt}."),
                "Look at the call before you try again.",
            )
            .retryable()
            .next(&["twilio_get_call", "get_call_status"]),
        }
    }

    pub(super) fn no_carrier() -> Self {
        Self::new(
            "not_configured",
            "This server has no carrier account.",
            "Tell the operator to set carrier.twilio.account_sid and its credentials.",
        )
    }

    /// A step into a conversation that was not taken.
    pub(super) fn control(error: &ControlError) -> Self {
        let text = error.to_string();
        match error {
            ControlError::NotConversing => Self::new(
                "not_conversing",
                text,
                "Nothing was done. Wait until the call is answered, or read its status.",
            )
            .retryable()
            .next(&["wait_for_call", "get_call_status"]),
            ControlError::AtVendor => Self::new("not_available", text, "Nothing was done.").next(&[
                "send_message_to_agent",
                "transfer_call",
                "end_call",
            ]),
            ControlError::Vendor(_) => Self::new("vendor_refused", text, "Nothing was done. Read the message."),
            ControlError::Stuck | ControlError::Opening => {
                Self::new("busy", text, "Nothing was done. Try again in a few seconds.").retryable()
            }
            ControlError::TextLength { .. } => Self::new("invalid_arguments", text, "Nothing was done."),
            ControlError::TakenOver { .. } => {
                Self::new("taken_over", text, "Nothing was done. A person has the call; leave it to them.")
            }
            ControlError::NoVoice(_) => Self::new("not_available", text, "Nothing was done."),
            ControlError::Carrier(_) => Self::new("carrier_refused", text, "Nothing was changed. Read the message."),
        }
    }

    /// The key has used what it may use.
    pub(super) fn limit(limit: LimitReached) -> Self {
        Self::refusal(
            "limit_reached",
            limit.to_string(),
            "No call was placed. Wait for a call to end or for the minute to pass, or ask the operator.",
        )
        .retryable()
        .next(&["list_active_calls"])
    }

    pub(super) fn place_call(error: &PlaceCallError) -> Self {
        let nothing = "No call was placed.";
        match error {
            PlaceCallError::Store(StoreError::NumberBusy) => Self::new(
                "number_busy",
                "Another call to this number is being placed or is running.",
                format!("{nothing} Wait until that call has ended."),
            )
            .retryable()
            .next(&["list_active_calls", "wait_for_call"]),
            PlaceCallError::Store(cause) => Self::internal(cause),
            PlaceCallError::Journal(cause) => Self::internal(cause),
            PlaceCallError::ShuttingDown => {
                Self::new("shutting_down", error.to_string(), format!("{nothing} Try again in a minute.")).retryable()
            }
            PlaceCallError::Limit(limit) => Self::limit(*limit),
            PlaceCallError::PurposeNotAllowed(_) => Self::refusal(
                "purpose_not_allowed",
                error.to_string(),
                format!("{nothing} Claim only the purpose that the call really has."),
            ),
            PlaceCallError::IdempotencyConflict | PlaceCallError::IdempotencyKeyWorn => Self::new(
                "idempotency_conflict",
                error.to_string(),
                format!("{nothing} Send another idempotency_key with another call."),
            ),
            PlaceCallError::NoSeller
            | PlaceCallError::NoCallerNumber
            | PlaceCallError::NoCarrier
            | PlaceCallError::NoAgent
            | PlaceCallError::NoBridge(_) => Self::new(
                "not_configured",
                error.to_string(),
                format!("{nothing} Only the operator can mend this, unless you can name another agent."),
            )
            .next(&["elevenlabs_list_agents"]),
        }
    }

    /// As a tool result: an error whose text is the body.
    pub(super) fn into_result(self) -> CallToolResult {
        let body = json!({
            "success": false,
            "error": {
                "code": self.code,
                "message": self.message,
                "details": self.details,
                "retryable": self.retryable,
                "hint": self.hint,
                "next_tools": self.next_tools,
            },
        });
        CallToolResult::error(vec![ContentBlock::text(body.to_string())])
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadCursor => {
                Self::invalid_argument("cursor", "another text", "a next_cursor that this tool returned")
            }
            other => Self::internal(&other),
        }
    }
}
