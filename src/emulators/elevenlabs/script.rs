//! The text format of a scripted conversation: one line a step.
//!
//! ```text
//! agent: Hello. Is now a good time?
//! caller: Yes, this is a good time.      # waits for the caller; the text is the transcript where the sound is not a shipped line
//! tool: take_note {"text": "Thursday"}   # a client tool; waits for its result
//! on tool error: I could not do that.    # said instead of the agent's next line when the tool failed
//! end                                    # the agent hangs up
//! ```
//!
//! A caller who talks over the agent interrupts it, and the script goes on with its next `caller:` line.

use std::str::FromStr;

use serde_json::Value;

/// One step of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Agent(String),
    Caller(String),
    Tool { name: String, parameters: Value, on_error: Option<String> },
    End,
}

/// A conversation, ready to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    pub steps: Vec<Step>,
}

/// A line of a script that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the agent script: {reason}")]
pub struct ScriptError {
    pub line: usize,
    pub reason: &'static str,
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let mut steps = Vec::new();
        for (number, row) in text.lines().enumerate() {
            let row = row.trim();
            if row.is_empty() || row.starts_with('#') {
                continue;
            }
            let failed = |reason| ScriptError { line: number + 1, reason };
            if row == "end" {
                steps.push(Step::End);
                continue;
            }
            let (verb, rest) =
                row.split_once(':').ok_or(failed("expected agent:, caller:, tool:, on tool error: or end"))?;
            let rest = rest.trim();
            match verb {
                "agent" => steps.push(Step::Agent(rest.to_owned())),
                "caller" => steps.push(Step::Caller(rest.to_owned())),
                "tool" => steps.push(tool(rest).ok_or(failed("expected a tool's name and a JSON object"))?),
                "on tool error" => match steps.last_mut() {
                    Some(Step::Tool { on_error, .. }) => *on_error = Some(rest.to_owned()),
                    _ => return Err(failed("`on tool error` must follow a tool")),
                },
                _ => return Err(failed("expected agent:, caller:, tool:, on tool error: or end")),
            }
        }
        Ok(Self { steps })
    }
}

fn tool(text: &str) -> Option<Step> {
    let (name, parameters) = text.split_once(' ').unwrap_or((text, "{}"));
    let parameters: Value = serde_json::from_str(parameters).ok()?;
    parameters.is_object().then(|| Step::Tool { name: name.to_owned(), parameters, on_error: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulators::speech;

    #[test]
    fn the_shipped_scripts_are_scripts_and_every_line_has_a_voice() {
        for text in super::super::config::SHIPPED.map(|(_, text)| text) {
            let script: Script = text.parse().unwrap();
            assert_eq!(script.steps.last(), Some(&Step::End));
            for step in &script.steps {
                let (spoken, voice) = match step {
                    Step::Agent(text) => (text, speech::Voice::Agent),
                    Step::Caller(text) => (text, speech::Voice::Caller),
                    Step::Tool { .. } | Step::End => continue,
                };
                let line = speech::lines().iter().find(|line| line.text == spoken && line.voice == voice);
                assert!(line.is_some(), "{spoken}");
            }
        }
    }

    #[test]
    fn a_line_that_says_nothing_is_named() {
        assert_eq!("agent: Hi\nsing".parse::<Script>().unwrap_err().line, 2);
        assert_eq!("tool: x [1]".parse::<Script>().unwrap_err().line, 1);
        assert!("on tool error: x".parse::<Script>().is_err());
    }
}
