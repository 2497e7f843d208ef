//! The text format of an agent: what it says, when it listens, which tools it calls. One line a step.
//!
//! ```text
//! agent: Hello, is this a good time?
//! on barge-in: Sorry, go on.              # said instead, when the line above was talked over
//! caller: Yes.                            # waits for the caller; the text stands in the transcript if the audio is not known
//! tool: book_appointment {"day": "Thursday"}
//! on tool error: That did not work.       # said instead of the next agent line
//! agent: Done, {{first_name}}. Goodbye.   # a dynamic variable, which the client then must send
//! end                                     # the agent ends the call
//! ```
//!
//! Also `wait 500ms`, and trouble: `go silent`, `drop socket`, `close 1011 some reason`. A script that runs out listens on.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::emulators::twilio::parse_duration;

/// One step of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Agent { text: String, on_barge_in: Option<String> },
    Caller { text: String },
    Tool { name: String, parameters: Value, on_error: Option<String> },
    Wait(Duration),
    End,
    GoSilent,
    DropSocket,
    Close { code: u16, reason: String },
}

/// What an agent does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Script {
    /// Every chunk of the caller comes back at once.
    Echo,
    /// For every chunk of the caller, as much of the test pattern.
    Pattern,
    Steps(Vec<Step>),
}

/// A line of an agent script that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "agent script, line {line}: `{text}` is not understood; lines look like `agent: Hello`, `caller: Yes`, `tool: name {{}}`, `end`"
)]
pub struct ScriptError {
    pub line: usize,
    pub text: String,
}

const SHIPPED: &[(&str, &str)] = &[
    ("follow-up", include_str!("../scripts/follow_up.txt")),
    ("reception", include_str!("../scripts/reception.txt")),
    ("opt-out", include_str!("../scripts/opt_out.txt")),
    ("silent", "go silent"),
];

impl Script {
    /// Reads a script, or the name of a shipped one.
    pub(super) fn parse(text: &str) -> Result<Self, ScriptError> {
        match text.trim() {
            "echo" => return Ok(Self::Echo),
            "pattern" => return Ok(Self::Pattern),
            _ => {}
        }
        let text = SHIPPED.iter().find(|(name, _)| *name == text.trim()).map_or(text, |(_, script)| script);
        let mut steps = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if parse_line(line, &mut steps).is_none() {
                return Err(ScriptError { line: number + 1, text: line.to_owned() });
            }
        }
        Ok(Self::Steps(steps))
    }
}

/// The dynamic variables that a client must send: those in agent lines, but for the server's own.
pub(super) fn required_variables(steps: &[Step]) -> BTreeSet<String> {
    let texts = steps.iter().flat_map(|step| match step {
        Step::Agent { text, on_barge_in } => [Some(text), on_barge_in.as_ref()],
        Step::Tool { on_error, .. } => [on_error.as_ref(), None],
        _ => [None, None],
    });
    texts.flatten().flat_map(|text| variables(text)).filter(|name| !name.starts_with("system__")).collect()
}

/// Puts values in the place of `{{name}}`.
pub(super) fn fill(text: &str, values: &Map<String, Value>) -> String {
    let mut filled = text.to_owned();
    for name in variables(text) {
        let value = match values.get(&name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => continue,
        };
        filled = filled.replace(&format!("{{{{{name}}}}}"), &value);
    }
    filled
}

/// The names between `{{` and `}}`.
fn variables(text: &str) -> Vec<String> {
    text.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.to_owned())).collect()
}

/// Adds what a line says; `None` if it says nothing.
fn parse_line(line: &str, steps: &mut Vec<Step>) -> Option<()> {
    let (head, rest) = line.split_once(':').map_or((line, ""), |(head, rest)| (head, rest.trim()));
    let text = rest.to_owned();
    match (head, steps.last_mut()) {
        ("agent", _) if !rest.is_empty() => steps.push(Step::Agent { text, on_barge_in: None }),
        ("caller", _) if line.contains(':') => steps.push(Step::Caller { text }),
        ("on barge-in", Some(Step::Agent { on_barge_in, .. })) if !rest.is_empty() => *on_barge_in = Some(text),
        ("on tool error", Some(Step::Tool { on_error, .. })) if !rest.is_empty() => *on_error = Some(text),
        ("tool", _) => {
            let (name, parameters) = rest.split_once(' ').unwrap_or((rest, "{}"));
            let parameters: Value = serde_json::from_str(parameters).ok()?;
            (parameters.is_object() && !name.is_empty()).then_some(())?;
            steps.push(Step::Tool { name: name.to_owned(), parameters, on_error: None });
        }
        _ => steps.push(parse_bare(line)?),
    }
    Some(())
}

fn parse_bare(line: &str) -> Option<Step> {
    match line {
        "end" => return Some(Step::End),
        "go silent" => return Some(Step::GoSilent),
        "drop socket" => return Some(Step::DropSocket),
        _ => {}
    }
    if let Some(rest) = line.strip_prefix("close ") {
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let code = code.parse().ok().filter(|code| (1_000..5_000).contains(code))?;
        return Some(Step::Close { code, reason: reason.to_owned() });
    }
    line.strip_prefix("wait ").and_then(parse_duration).map(Step::Wait)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_shipped_script_is_understood() {
        for name in SHIPPED.iter().map(|(name, _)| *name).chain(["echo", "pattern"]) {
            assert!(Script::parse(name).is_ok(), "{name}: {:?}", Script::parse(name));
        }
    }

    #[test]
    fn the_lines_mean_what_they_say() {
        let text = "# x\nagent: Hi {{name}}: how are you?\non barge-in: Yes?\ncaller:\ntool: look_up {\"a\": 1}\non tool error: No.\n\
                    wait 1.5s\nclose 1011 out of order\nend";
        let Ok(Script::Steps(steps)) = Script::parse(text) else { panic!("not understood") };
        assert_eq!(
            steps,
            [
                Step::Agent { text: "Hi {{name}}: how are you?".into(), on_barge_in: Some("Yes?".into()) },
                Step::Caller { text: String::new() },
                Step::Tool { name: "look_up".into(), parameters: json!({"a": 1}), on_error: Some("No.".into()) },
                Step::Wait(Duration::from_millis(1_500)),
                Step::Close { code: 1011, reason: "out of order".into() },
                Step::End,
            ]
        );
    }

    #[test]
    fn a_line_that_means_nothing_is_named() {
        for line in
            ["agent:", "agent", "on barge-in: too early", "tool: x [1]", "tool: x {", "caller", "close x", "sing"]
        {
            let error = Script::parse(&format!("caller: x\n{line}")).unwrap_err();
            assert_eq!((error.line, error.text.as_str()), (2, line));
        }
    }

    #[test]
    fn variables_are_required_and_filled() {
        let Ok(Script::Steps(steps)) = Script::parse("agent: Hi {{name}}, {{system__time_utc}}\non barge-in: {{n}}")
        else {
            panic!("not understood")
        };
        assert_eq!(required_variables(&steps).into_iter().collect::<Vec<_>>(), ["n", "name"]);
        let values = json!({"name": "Jo", "n": 3}).as_object().unwrap().clone();
        assert_eq!(fill("{{name}} has {{n}} of {{m}}", &values), "Jo has 3 of {{m}}");
    }
}
