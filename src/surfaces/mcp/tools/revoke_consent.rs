//! `revoke_consent`: ends the permission to call a number.

use serde_json::{Value, json};

use crate::domain::access::Scope;

use super::super::args::{Kind, optional, required};
use super::super::failure::Failure;
use super::super::output::{flag, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "revoke_consent",
    title: "Withdraw consent",
    description: "Writes down that somebody withdrew the permission to be called: every consent so far ends, before the next \
                  dial. Only a newer consent counts again. If the person asked not to be called at all, use add_to_dnc, which \
                  does both.",
    hints: Hints::WITHDRAW,
    scopes: &[Scope::ComplianceWrite],
    fields: &[
        required("number", Kind::Number, "The number whose consent ends."),
        optional("words", Kind::Text { max: 1_000 }, "What the person said, word for word."),
    ],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object([("number", text("the number, masked")), ("revoked", flag("always true"))], [])
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let number = asked.args.number("number").ok_or_else(|| Failure::invalid_arguments(&[]))?;
    let words = asked.args.text("words").unwrap_or_default();
    asked.app().revoke_consent(&number, words, &asked.actor()).await?;
    Ok(Answer::Done(json!({ "number": number.masked(), "revoked": true })))
}
