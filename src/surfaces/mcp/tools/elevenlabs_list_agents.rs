//! `elevenlabs_list_agents`: the account's voice agents.

use serde_json::{Value, json};

use crate::domain::access::Scope;
use crate::protocol::agent::elevenlabs_rest::AgentsQuery;

use super::super::args::optional;
use super::super::failure::Failure;
use super::super::output::{self, flag, list, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::elevenlabs;
use super::get_call_history::{CURSOR, LIMIT};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "elevenlabs_list_agents",
    title: "List voice agents",
    description: "Returns the ElevenLabs agents of the account in pages: give next_cursor back as cursor until has_more is false. \
                  As the agent of a call write elevenlabs:AGENT_ID.",
    hints: Hints::READ_OUTSIDE,
    scopes: &[Scope::CallsRead],
    fields: &[optional("search", elevenlabs::SHORT, "Part of the name."), LIMIT, CURSOR],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    let agent = object(
        [("agent_id", text("the vendor's id"))],
        [
            ("name", text("its name")),
            ("tags", list(json!({"type": "string"}), "its tags")),
            ("archived", flag("whether it was put away")),
            ("last_call_time_unix_secs", output::integer("when it last had a call, in seconds since 1970")),
        ],
    );
    object(
        [("agents", list(agent, "the agents")), ("has_more", flag("whether there is another page"))],
        [("next_cursor", text("pass this as cursor for the next page"))],
    )
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let query = AgentsQuery {
        page_size: Some(asked.args.integer("limit").and_then(|limit| limit.try_into().ok()).unwrap_or(20)),
        search: asked.args.text("search").map(str::to_owned),
        cursor: asked.args.text("cursor").map(str::to_owned),
    };
    let page = asked.app().agents.main().list_agents(&query).await.map_err(|error| elevenlabs::failure(&error))?;
    Ok(Answer::Done(output::compact(json!(page))))
}
