//! The tools that an agent may call in a conversation and that we host. They run off the audio path, within a limit.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::domain::Disposition;
use crate::domain::agent_link::ToolCall;
use crate::domain::consent::OptOutChannel;
use crate::domain::event::{Actor, Door};
use crate::session::Command;

use super::App;
use super::live_calls::LiveCall;

/// What a tool answered: a text for the agent, and whether it is an error.
struct ToolAnswer {
    text: String,
    is_error: bool,
}

impl App {
    /// Runs a tool and hands its answer back to the stream.
    pub(super) async fn run_tool(self: &Arc<Self>, call: &Arc<LiveCall>, tool: ToolCall) {
        let limit = Duration::from_secs(self.config.calls.tool_limit_s);
        let answer = match tokio::time::timeout(limit, self.tool_answer(call, &tool)).await {
            Ok(answer) => answer,
            Err(_) => error(format!("the tool {} took longer than {} s", tool.name, limit.as_secs())),
        };
        if let Some(lane) = call.commands() {
            let finished = Command::ToolFinished { id: tool.id, result: answer.text, is_error: answer.is_error };
            let _ = lane.send(finished).await;
        }
    }

    async fn tool_answer(self: &Arc<Self>, call: &Arc<LiveCall>, tool: &ToolCall) -> ToolAnswer {
        let by = Actor::new(Door::Agent, call.record().agent.to_string());
        match tool.name.as_str() {
            "hang_up" => {
                self.hang_up(call, by, Disposition::Completed).await;
                ok("The call is being ended.")
            }
            "record_opt_out" => {
                let words = tool.arguments.get("words").and_then(Value::as_str).unwrap_or_default();
                match self.opt_out_in_call(call, OptOutChannel::Agent, words, by).await {
                    Ok(()) => ok("The number is on the do-not-call list. The call is being ended."),
                    Err(error) => {
                        tracing::error!(call.id = %call.id, %error, "an opt-out could not be recorded");
                        self::error("The opt-out could not be recorded. Apologise and try once more.".to_owned())
                    }
                }
            }
            // The journal holds the call of the tool with its arguments, which is the note.
            "take_note" => match tool.arguments.get("text").and_then(Value::as_str) {
                Some(text) if !text.trim().is_empty() => ok("Noted."),
                _ => error("take_note needs a `text`.".to_owned()),
            },
            other => error(format!("There is no tool named {other}. There are: hang_up, record_opt_out, take_note.")),
        }
    }
}

fn ok(text: &str) -> ToolAnswer {
    ToolAnswer { text: text.to_owned(), is_error: false }
}

fn error(text: String) -> ToolAnswer {
    ToolAnswer { text, is_error: true }
}
