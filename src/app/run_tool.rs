//! The tools that an agent may call in a conversation and that we host. They run off the audio path, within a limit.
//!
//! | tool | arguments | does |
//! |---|---|---|
//! | `hang_up` | | ends the call after the agent's last words |
//! | `record_opt_out` | `words` | puts the other party on the do-not-call list and ends the call |
//! | `transfer_call` | `to` (a colleague's name or a number), `briefing` | lets the call go on with somebody else |
//! | `send_keys` | `keys` | presses keys towards the other side |
//! | `look_up_caller` | | who they are: lead, earlier calls, what was remembered |
//! | `remember`, `recall` | `name`, `text` | keeps texts for the next call with them |
//! | `take_note` | `text` | keeps a note in this call's journal |
//!
//! What an agent calls by another name is a tool of an attached MCP server, if the settings allow it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::domain::agent_link::{ToolCall, ToolDefinition};
use crate::domain::consent::OptOutChannel;
use crate::domain::event::{Actor, Door};
use crate::domain::{CallEvent, Disposition, Keys};
use crate::session::Command;
use crate::tools::hosted;

use super::agent_tools::{NAME_MAX, TEXT_MAX};
use super::live_calls::LiveCall;
use super::{App, TransferCall, TransferTo, Transferring};

/// What a tool answered: a text for the agent, or why it could not do it.
type ToolAnswer = Result<String, String>;

impl App {
    /// Runs a tool and hands its answer back to the stream.
    pub(super) async fn run_tool(self: &Arc<Self>, call: &Arc<LiveCall>, tool: ToolCall) {
        let answer = self.tool_answer_in_time(call, &tool).await;
        if let Some(lane) = call.commands() {
            let is_error = answer.is_err();
            let (Ok(result) | Err(result)) = answer;
            let _ = lane.send(Box::new(Command::ToolFinished { id: tool.id, result, is_error })).await;
        }
    }

    pub(super) async fn tool_answer_in_time(self: &Arc<Self>, call: &Arc<LiveCall>, tool: &ToolCall) -> ToolAnswer {
        let limit = Duration::from_secs(self.config.calls.tool_limit_s);
        match tokio::time::timeout(limit, self.tool_answer(call, tool)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("the tool {} took longer than {} s", tool.name, limit.as_secs())),
        }
    }

    async fn tool_answer(self: &Arc<Self>, call: &Arc<LiveCall>, tool: &ToolCall) -> ToolAnswer {
        let by = Actor::new(Door::Agent, call.record().agent.to_string());
        match tool.name.as_str() {
            "hang_up" => {
                self.hang_up(call, by, Disposition::Completed).await;
                Ok("The call is being ended.".to_owned())
            }
            "record_opt_out" => {
                let words = tool.arguments.get("words").and_then(Value::as_str).unwrap_or_default();
                match self.opt_out_in_call(call, OptOutChannel::Agent, words, by).await {
                    Ok(()) => Ok("The number is on the do-not-call list. The call is being ended.".to_owned()),
                    Err(error) => {
                        tracing::error!(call.id = %call.id, %error, "an opt-out could not be recorded");
                        Err("The opt-out could not be recorded. Apologise and try once more.".to_owned())
                    }
                }
            }
            "transfer_call" => self.transfer_for_agent(call, by, tool).await,
            "send_keys" => {
                let keys: Keys = text(tool, "keys", 32)?.parse().map_err(|error| format!("`keys`: {error}."))?;
                self.send_keys(call, by, &keys).await.map_err(|error| error.to_string())?;
                Ok("The keys are being pressed.".to_owned())
            }
            "look_up_caller" => Ok(known(call, self.look_up_caller(&call.record()).await)?.to_string()),
            "remember" => {
                let (name, text) = (text(tool, "name", NAME_MAX)?, text(tool, "text", TEXT_MAX)?);
                let kept = known(call, self.remember(&call.record(), name, text).await)?;
                let nobody = "This caller has no number to be remembered by.";
                kept.then(|| "Remembered.".to_owned()).ok_or_else(|| nobody.to_owned())
            }
            "recall" => Ok(known(call, self.recall(&call.record()).await)?.to_string()),
            // The journal holds the call of the tool with its arguments, which is the note.
            "take_note" => text(tool, "text", usize::MAX).map(|_| "Noted.".to_owned()),
            _ => self.attached_answer(call, tool).await,
        }
    }

    /// Of a tool that is none of ours.
    async fn attached_answer(&self, call: &LiveCall, tool: &ToolCall) -> ToolAnswer {
        let Some(attached) = self.attached_tools.find(&tool.name) else {
            let mut names: Vec<&str> = hosted::names().collect();
            names.extend(self.attached_tools.names());
            return Err(format!("There is no tool named {}. There are: {}.", tool.name, names.join(", ")));
        };
        let sent = CallEvent::ToolSent {
            tool_call_id: tool.id.clone(),
            server: attached.server().to_owned(),
            tool: attached.tool().to_owned(),
        };
        // What leaves the house is written down first.
        if self.journal.record(call.id, sent).is_err() {
            return Err("That is not possible at the moment.".to_owned());
        }
        attached.call(&tool.arguments).await.map_err(|failure| failure.to_string())
    }

    /// What models are told of the tools that their agents may call.
    pub fn tool_definitions(&self) -> Arc<[ToolDefinition]> {
        self.attached_tools.definitions()
    }

    /// Keeps up with the attached servers until the server stops.
    pub async fn keep_up_with_tools(self: Arc<Self>) {
        self.attached_tools.keep_up(self.shutdown.clone()).await;
    }

    async fn transfer_for_agent(self: &Arc<Self>, call: &Arc<LiveCall>, by: Actor, tool: &ToolCall) -> ToolAnswer {
        let to = text(tool, "to", 100)?;
        let to = to.parse().map_or_else(|_| TransferTo::Colleague(to.to_owned()), TransferTo::Number);
        let briefing = tool.arguments.get("briefing").and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let request = TransferCall { to, briefing: briefing.map(str::to_owned), purpose: None };
        match self.transfer_call(call, by, request).await {
            Ok(Transferring::Started) => Ok("The call is being transferred.".to_owned()),
            Ok(Transferring::Blocked { decision, .. }) => {
                let why: Vec<_> = decision.reasons().iter().map(|reason| reason.message.as_str()).collect();
                Err(format!("That number may not be called: {}", why.join(" ")))
            }
            Err(error) => Err(format!("The call could not be transferred: {error}.")),
        }
    }
}

/// An argument that must be a text with something in it.
fn text<'a>(tool: &'a ToolCall, name: &str, max: usize) -> Result<&'a str, String> {
    let text = tool.arguments.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    match text.chars().count() {
        0 => Err(format!("{} needs a `{name}`.", tool.name)),
        chars if chars > max => Err(format!("`{name}` has at most {max} characters.")),
        _ => Ok(text),
    }
}

fn known<T>(call: &LiveCall, answer: Result<T, crate::store::StoreError>) -> Result<T, String> {
    answer.map_err(|error| {
        tracing::error!(call.id = %call.id, %error, "a tool could not read or write what it needed");
        "That is not possible at the moment.".to_owned()
    })
}
