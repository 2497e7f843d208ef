//! Our in-call tools as a chat endpoint is told of them, in the form of `OpenAI`'s API. What they do is in `run_tool`; `hang_up` and
//! `press_key` are done by whoever speaks for the agent, after its words.

use serde_json::{Value, json};

/// Name, description, and the text arguments by name: description, and whether it must be given.
type Tool = (&'static str, &'static str, &'static [(&'static str, &'static str, bool)]);

const TOOLS: [Tool; 8] = [
    ("hang_up", "End the call. Say goodbye in the same answer.", &[]),
    (
        "record_opt_out",
        "The other party does not want to be called any more: put them on the do-not-call list. The call then ends.",
        &[("words", "What they said.", true)],
    ),
    (
        "transfer_call",
        "Let the call go on with somebody else. Say so in the same answer.",
        &[
            ("to", "A colleague's name, or a number like +12125550100.", true),
            ("briefing", "What the colleague should know before they take the call.", false),
        ],
    ),
    ("press_key", "Press one key of the telephone towards the other side.", &[("key", "0 to 9, * or #.", true)]),
    ("look_up_caller", "Who the other party is: lead, earlier calls, what was remembered.", &[]),
    (
        "remember",
        "Keep something for the next call with this party.",
        &[("name", "A short name for it.", true), ("text", "What to remember.", true)],
    ),
    ("recall", "What was remembered of this party.", &[]),
    ("take_note", "Keep a note with this call.", &[("text", "The note.", true)]),
];

/// The tools that make sense where the audio does not pass through us (so there is no `send_keys`).
pub(super) fn specs() -> Vec<Value> {
    TOOLS.iter().map(spec).collect()
}

fn spec((name, description, arguments): &Tool) -> Value {
    let properties: serde_json::Map<String, Value> = arguments
        .iter()
        .map(|(name, description, _)| ((*name).to_owned(), json!({"type": "string", "description": description})))
        .collect();
    let required: Vec<_> = arguments.iter().filter(|(_, _, must)| *must).map(|(name, ..)| *name).collect();
    json!({"type": "function", "function": {"name": name, "description": description,
        "parameters": {"type": "object", "properties": properties, "required": required}}})
}
