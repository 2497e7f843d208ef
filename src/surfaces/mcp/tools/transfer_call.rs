//! `transfer_call`: hands a live call over to a person.

use serde_json::{Value, json};

use crate::app::{BRIEFING_MAX, TransferCall, TransferError, TransferTo, Transferring};
use crate::domain::access::Scope;

use super::super::args::{Kind, optional, required};
use super::super::confirm::{confirm, transfer_question};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::{placing, whom};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "transfer_call",
    title: "Transfer a call",
    description: "Hands a live call over to a person: to a colleague by name, or to a number. A number outside the house goes \
                  through the compliance gate as any call does; a block is an error and the call goes on as it was. With a \
                  briefing the person hears it first and takes the call with a key. The other person hears ringing and the \
                  voice agent leaves. Returns when the transfer has begun; follow it with wait_for_call.",
    hints: Hints::REACH_OUT,
    scopes: &[Scope::CallsControl, Scope::CallsWrite],
    fields: &[
        required("call_id", Kind::Call, "The call, by our id or Twilio's."),
        optional("colleague", Kind::Text { max: 100 }, "A colleague's name in the settings. Give this or to."),
        optional("to", Kind::Number, "A number in E.164 form. Give this or colleague."),
        optional("briefing", Kind::Text { max: BRIEFING_MAX }, "What the person hears before taking the call."),
        optional("purpose", whom::PURPOSES, "For a number outside: what it is called for. Default: as the call."),
        placing::CONFIRM_TOKEN,
    ],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object([("call_id", text("the call")), ("transferring", flag("always true: the person is being called"))], [])
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let args = &asked.args;
    let to = match (args.number("to"), args.text("colleague")) {
        (Some(number), None) => TransferTo::Number(number),
        (None, Some(name)) => TransferTo::Colleague(name.to_owned()),
        _ => return Err(Failure::invalid_argument("to", "none, or both", "either to or colleague")),
    };
    let purpose = args.word("purpose").map(|purpose| placing::claim(asked, purpose)).transpose()?;
    let call = asked.live_call("call_id").await?;
    let outside = args.number("to").filter(|to| asked.app().config.transfers.name_of(to).is_none());
    if let Some(outside) = outside
        && let Some(question) = confirm(asked, &["transfer_call"], &outside, transfer_question(&outside)).await?
    {
        return Ok(Answer::Input(question));
    }
    let request = TransferCall { to, briefing: args.text("briefing").map(str::to_owned), purpose };
    match asked.app().transfer_call(&call, asked.actor(), request).await {
        Ok(Transferring::Started) => Ok(Answer::Done(json!({ "call_id": call.id, "transferring": true }))),
        Ok(Transferring::Blocked { decision_id, decision }) => Err(blocked(placing::denied(decision_id, &decision))),
        Err(error) => Err(failure(error)),
    }
}

fn blocked(denied: Failure) -> Failure {
    Failure { hint: format!("{} The call goes on as it was.", denied.hint), ..denied }
}

fn failure(error: TransferError) -> Failure {
    let text = error.to_string();
    match error {
        TransferError::Control(error) => Failure::control(&error),
        TransferError::UnknownColleague { .. } => {
            Failure::new("unknown_colleague", text, "Nothing was done. Name one of those there are, or give a number.")
        }
        TransferError::OnItsWay => {
            Failure::new("already_transferring", text, "Nothing was done. Wait for its outcome.")
                .next(&["wait_for_call"])
        }
        TransferError::NoCarrier => Failure::no_carrier(),
        TransferError::PurposeNotAllowed(_) => {
            Failure::refusal("purpose_not_allowed", text, "Nothing was done. Claim the purpose that it really has.")
        }
        TransferError::Limit(limit) => Failure {
            hint: "The call goes on as it was. A colleague may be called at any time.".to_owned(),
            ..Failure::limit(limit)
        },
        TransferError::Journal(cause) => Failure::internal(&cause),
        TransferError::Store(cause) => cause.into(),
    }
}
