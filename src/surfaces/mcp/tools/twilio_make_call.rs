//! `twilio_make_call`: the same as `initiate_call_with_compliance` in the carrier's terms, behind the same gate.

use crate::app::PlaceCall;
use crate::domain::access::Scope;

use super::super::args::{Kind, optional, required};
use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::{placing, whom};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "twilio_make_call",
    title: "Place a call (Twilio terms)",
    description: "Rings a real phone through Twilio and connects a voice agent, after the same compliance gate as \
                  initiate_call_with_compliance, which is the better choice when you have a lead or want a dry run. Costs \
                  money. Returns call_id at once, before the phone is answered; a blocked call is an error and no phone rang.",
    hints: Hints::REACH_OUT,
    scopes: &[Scope::CallsWrite],
    fields: &[
        required("to", Kind::Number, "Whom to call, in E.164 form like +12125550113."),
        optional("from", Kind::Number, "The caller's number: only the one that the server is set up with."),
        placing::AGENT,
        whom::PURPOSE,
        placing::VARIABLES,
        placing::ON_MACHINE,
        placing::MACHINE_MESSAGE,
        placing::IDEMPOTENCY_KEY,
        placing::CONFIRM_TOKEN,
    ],
    output: placing::schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let (to, _) = whom::number(asked, "to").await?;
    let own = &asked.app().config.carrier.twilio.from;
    if let Some(from) = asked.args.number("from").filter(|from| from.as_str() != own) {
        let own = own.parse().map_or_else(|_| "none is set".to_owned(), |own: crate::domain::E164| own.masked());
        return Err(Failure::invalid_argument("from", &from.masked(), &format!("the server's own number ({own})")));
    }
    let request = PlaceCall {
        to,
        agent: asked.args.agent("agent"),
        purpose: placing::claim(asked, whom::purpose(asked))?,
        lead_id: None,
        dynamic_variables: asked.args.variables("dynamic_variables"),
        on_machine: placing::on_machine(asked)?,
    };
    placing::place(asked, request).await
}
