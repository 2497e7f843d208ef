//! `add_to_dnc`: nobody calls this number again.

use serde_json::{Value, json};

use crate::domain::access::Scope;
use crate::domain::consent::OptOutChannel;

use super::super::args::{Kind, optional, required};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "add_to_dnc",
    title: "Put a number on the do-not-call list",
    description: "Puts a number on the seller's own do-not-call list and ends every consent for it, before the next dial. Use it \
                  whenever somebody asks not to be called again, in whatever words. Cannot be undone over MCP. Doing it twice is \
                  fine. A live call to the number goes on: end it with end_call.",
    hints: Hints::WITHDRAW,
    scopes: &[Scope::ComplianceWrite],
    fields: &[
        required("number", Kind::Number, "The number that is not to be called again."),
        optional("words", Kind::Text { max: 1_000 }, "What the person said, word for word."),
    ],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object([("number", text("the number, masked")), ("listed", flag("always true"))], [])
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let number = asked.args.number("number").ok_or_else(|| Failure::invalid_arguments(&[]))?;
    let words = asked.args.text("words").unwrap_or_default();
    asked.app().record_opt_out(&number, OptOutChannel::Mcp, words, None, &asked.actor()).await?;
    Ok(Answer::Done(json!({ "number": number.masked(), "listed": true })))
}
