//! The tools that we host, as a model is told of them. What they do is in `app::run_tool`.

use serde_json::{Value, json};

use crate::domain::agent_link::ToolDefinition;

/// Every hosted tool: its name, what it does, and its arguments, each with what it is for. All of them are texts.
const TOOLS: [(&str, &str, &[Argument]); 8] = [
    ("hang_up", "Ends the call after your last words. Say goodbye first.", &[]),
    (
        "record_opt_out",
        "The caller does not want to be called again: puts them on the do-not-call list and ends the call.",
        &[Argument { name: "words", is_needed: false, about: "What the caller said, word for word." }],
    ),
    (
        "transfer_call",
        "Lets the call go on with a person. If nobody takes it the caller comes back to you.",
        &[
            Argument { name: "to", is_needed: true, about: "A colleague's name, or a number like +12125550140." },
            Argument { name: "briefing", is_needed: false, about: "What the person should know before they take it." },
        ],
    ),
    (
        "send_keys",
        "Presses keys towards the other side, as in a menu.",
        &[Argument { name: "keys", is_needed: true, about: "0 to 9, * and #; w is a pause of half a second." }],
    ),
    ("look_up_caller", "Who the caller is: the lead, earlier calls, what was remembered.", &[]),
    (
        "remember",
        "Keeps a text for the next call with this caller.",
        &[
            Argument { name: "name", is_needed: true, about: "What it is about, in a word or two." },
            Argument { name: "text", is_needed: true, about: "What to remember." },
        ],
    ),
    ("recall", "What was remembered of this caller.", &[]),
    (
        "take_note",
        "Keeps a note in the record of this call.",
        &[Argument { name: "text", is_needed: true, about: "The note." }],
    ),
];

struct Argument {
    name: &'static str,
    is_needed: bool,
    about: &'static str,
}

/// What a model is told of them.
pub fn definitions() -> impl Iterator<Item = ToolDefinition> {
    TOOLS.iter().map(|(name, description, arguments)| ToolDefinition {
        name: (*name).to_owned(),
        description: (*description).to_owned(),
        parameters: schema(arguments),
    })
}

pub fn names() -> impl Iterator<Item = &'static str> {
    TOOLS.iter().map(|(name, ..)| *name)
}

fn schema(arguments: &[Argument]) -> Value {
    let described =
        |argument: &Argument| (argument.name.to_owned(), json!({"type": "string", "description": argument.about}));
    let properties: serde_json::Map<String, Value> = arguments.iter().map(described).collect();
    let required: Vec<_> =
        arguments.iter().filter(|argument| argument.is_needed).map(|argument| argument.name).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    // Some servers refuse an empty list.
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}
