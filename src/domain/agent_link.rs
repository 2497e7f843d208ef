//! The neutral words of the socket between us and a voice agent. Dialects translate them, sessions think in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::audio::{AudioFormat, MulawChunk};
use super::ids::ConversationId;

/// What an agent says.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// The agent took the conversation and told its formats. Always first.
    Ready { conversation_id: ConversationId, caller_audio: AudioFormat, agent_audio: AudioFormat },
    /// Speech, already µ-law. `turn` never goes down within a conversation; several chunks share one.
    Audio { chunk: MulawChunk, turn: u64 },
    /// The caller talked over the agent: everything of turns up to this one is void.
    Interrupted { turn: u64 },
    /// Must be answered at once with [`AgentCommand::Pong`].
    Ping { id: u64 },
    /// What the caller said, final.
    CallerSaid { text: String },
    /// What the caller may be saying, to be replaced by the next one or by `CallerSaid`.
    CallerSaying { text: String },
    /// What the agent says in this turn, in full, about when its first audio comes.
    AgentSaid { turn: u64, text: String },
    /// After an interruption: what the vendor believes was heard.
    AgentCorrected { turn: u64, text: String },
    /// The agent has nothing more to say in this turn.
    TurnComplete { turn: u64 },
    /// The agent wants a tool of ours run. Answer with [`AgentCommand::ToolResult`] where `expects_answer`.
    ToolCall(ToolCall),
    /// An MCP tool of the agent's own awaits approval.
    ApprovalWanted { tool_call_id: String, service: String, tool: String },
    /// The agent wants to know when everything that it said before was played. Answer with [`AgentCommand::MarkPlayed`].
    Mark { name: String },
    /// A sign of life and nothing else.
    Alive,
    /// The agent is at work (a tool of its own runs, or it chose to say nothing): it has not lost the caller's words.
    Working,
    /// The agent decided to end the call. Its last words may still be on the way to the caller's ear.
    EndCall,
    /// The agent reports trouble; a close usually follows.
    Failed { code: String, message: String },
    /// A message of a kind that this version does not know, or does not need. Counted, never an error.
    Other,
}

/// A tool call, as an agent asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: serde_json::Value,
    pub expects_answer: bool,
}

/// A tool that an agent may call, as its model is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDefinition {
    pub name: String,
    pub description: String,
    /// A JSON Schema of an object.
    pub parameters: serde_json::Value,
}

/// What we say to an agent.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentCommand {
    /// The first message: who calls whom and what the agent should know.
    Initiate(Box<Initiation>),
    /// The caller's audio, µ-law.
    Audio(MulawChunk),
    Pong {
        id: u64,
    },
    ToolResult {
        id: String,
        result: String,
        is_error: bool,
    },
    Approval {
        id: String,
        approved: bool,
    },
    /// Something the agent should know, without making it speak.
    Context {
        text: String,
    },
    /// A text that the agent answers as if the caller had said it.
    UserMessage {
        text: String,
    },
    /// The caller is active: the agent should hold back for a moment.
    Activity,
    /// The caller pressed a key. The agent should hold back for a moment: more may come.
    Key {
        key: char,
    },
    /// Everything that came before the agent's mark was played, or thrown away because the agent was interrupted.
    MarkPlayed {
        name: String,
    },
    /// Nothing was heard of the agent for a while: is it there?
    Probe,
}

/// What an agent is told at the start of a conversation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Initiation {
    /// Strings, numbers or booleans by name. Ours are `caller_number`, `called_number`, `call_sid`, `call_id`.
    pub dynamic_variables: BTreeMap<String, serde_json::Value>,
    /// Only where the operator enabled the override on the agent: sending it elsewhere ends the session.
    pub first_message: Option<String>,
    /// What was said before, where the agent takes a conversation over from another one. It is told the same as context once it is
    /// ready; this is for dialects that have no word for context.
    pub so_far: Option<String>,
    /// What the agent may call, for dialects whose agents are told; the others have it in their own settings.
    pub tools: Arc<[ToolDefinition]>,
}
