//! `elevenlabs_list_voices`: voices to choose from.

use serde_json::{Value, json};

use crate::domain::access::Scope;
use crate::protocol::agent::elevenlabs_rest::VoicesQuery;

use super::super::args::{Kind, optional};
use super::super::failure::Failure;
use super::super::output::{self, flag, list, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::elevenlabs;
use super::get_call_history::{CURSOR, LIMIT};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "elevenlabs_list_voices",
    title: "List voices",
    description: "Returns the ElevenLabs voices that agents can speak with, in pages: give next_cursor back as cursor until \
                  has_more is false. Search looks at names, descriptions and labels.",
    hints: Hints::READ_OUTSIDE,
    scopes: &[Scope::CallsRead],
    fields: &[
        optional("search", elevenlabs::SHORT, "Words to look for."),
        optional(
            "category",
            Kind::Word(&["premade", "cloned", "generated", "professional"]),
            "Only voices of this kind.",
        ),
        optional("language", elevenlabs::SHORT, "Only voices of this language, like en."),
        LIMIT,
        CURSOR,
    ],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object(
        [
            ("voices", list(elevenlabs::voice_schema(), "the voices")),
            ("has_more", flag("whether there is another page")),
        ],
        [("next_cursor", text("pass this as cursor for the next page"))],
    )
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let text = |name: &str| asked.args.text(name).map(str::to_owned);
    let query = VoicesQuery {
        page_size: Some(asked.args.integer("limit").and_then(|limit| limit.try_into().ok()).unwrap_or(20)),
        search: text("search"),
        category: text("category"),
        language: text("language"),
        next_page_token: text("cursor"),
    };
    let page = asked.app().agents.main().list_voices(&query).await.map_err(|error| elevenlabs::failure(&error))?;
    let voices: Vec<_> = page.voices.iter().map(elevenlabs::voice).collect();
    let body = json!({ "voices": voices, "has_more": page.has_more, "next_cursor": page.next_page_token });
    Ok(Answer::Done(output::compact(body)))
}
