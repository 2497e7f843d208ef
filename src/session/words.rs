//! What goes into a session and what comes out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::domain::agent_link::{AgentCommand, AgentEvent, Initiation, ToolCall};
use crate::domain::audio::MulawChunk;
use crate::domain::carrier_stream::{CarrierCommand, CarrierEvent, StreamStart};
use crate::domain::event::{Actor, MessageKind};
use crate::domain::{AgentRef, CallEvent, Disposition};

/// What holds for one call, known once its token has passed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    pub initiation: Initiation,
    /// The most that this stream may last.
    pub max_duration: Duration,
    /// So long before the end of that time the agent is told. Zero: never.
    pub warn_before_end: Duration,
    /// The agent is connected and not yet spoken to, at most for so long, until [`Steer::Release`]: it is not known yet who
    /// picked up. None: it is spoken to at once.
    pub hold_back: Option<Duration>,
    /// The agent's first message waits for [`Command::Recognised`], at most for so long. None: nobody is being looked up.
    pub recognition: Option<Duration>,
    /// The stream begins as this operator's, without an agent. None: with the agent.
    pub operator: Option<Actor>,
    /// What the agent is told right after it is ready: what happened in the call before this stream.
    pub notes: Vec<String>,
    /// The call's agent and its stand-ins, in the order in which they are tried. Empty: one agent, whose name nobody needs.
    pub agents: Vec<AgentRef>,
    /// What the caller hears when an agent was lost and the next one is not there at once.
    pub comfort: Option<MulawChunk>,
    /// MCP tools of the agent's own that may run unasked, as `tool` or `service/tool`. Every other one is denied.
    pub approved_tools: BTreeSet<String>,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Carrier(CarrierEvent),
    /// Something came from the carrier that is not a message of its protocol.
    CarrierMalformed,
    /// The carrier's socket closed or broke.
    CarrierClosed,
    /// The carrier stopped reading, or broke the WebSocket protocol itself.
    CarrierFaulted,
    /// The answer to [`Output::Admit`]: the token passed. `warmed` says that the first dial hands over a socket opened before.
    Admitted {
        terms: Box<Terms>,
        warmed: bool,
    },
    /// The answer to [`Output::Admit`]: this stream is not ours.
    Refused,
    /// The answer to [`Output::DialAgent`]: the socket is open, nothing was said on it.
    AgentConnected {
        warmed: bool,
    },
    /// The answer to [`Output::DialAgent`]: no socket. `retryable` says whether another attempt could go better.
    AgentDialFailed {
        reason: String,
        retryable: bool,
    },
    Agent(AgentEvent),
    AgentMalformed,
    /// The agent speaks an audio format that we cannot carry. The text says what to change.
    AgentUnsupported(String),
    /// The agent's socket closed; without a code it broke.
    AgentClosed {
        code: Option<u16>,
        reason: String,
    },
    /// The answer to [`Output::AskWritten`]: the carrier's socket has taken all that there was for it.
    Written,
    /// So many bytes of the caller's audio (the oldest) were dropped on the way to an agent that does not read.
    CallerAudioDropped {
        bytes: u64,
    },
    Command(Command),
    /// The journal could not take a life-cycle event.
    JournalFull,
    /// The time of `poll_timeout` has come.
    Timeout,
}

/// What the rest of the house asks of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// End the call. Asked for by the agent's own tool (`Door::Agent`), its last words are played first; else at once.
    HangUp { by: Actor, disposition: Disposition },
    /// Tell the agent something without making it speak.
    Context { text: String },
    /// Have the agent answer this as if the caller had said it.
    UserMessage { text: String },
    /// A tool of [`Output::RunTool`] came to its end.
    ToolFinished { id: String, result: String, is_error: bool },
    /// Somebody steps into the conversation. It is written down under their name if it changes anything.
    Steer { by: Actor, what: Steer },
    /// Audio of ours for the caller.
    Play(Play),
    /// What is known of the other party, as more of [`Initiation::dynamic_variables`]. Said once, also when nothing is known.
    Recognised { variables: BTreeMap<String, Value> },
}

/// A step into the conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Steer {
    /// Tell the agent something.
    Message {
        kind: MessageKind,
        text: String,
    },
    /// The caller hears nothing of the agent; what it says meanwhile is lost.
    Mute,
    /// The caller hears again what the agent says from now on.
    Unmute,
    /// The caller hears the tone over and over, the agent silence.
    Hold {
        tone: MulawChunk,
    },
    Resume,
    /// Somebody speaks in the agent's place ([`Play::Operator`]).
    TakeOver,
    HandBack,
    /// An agent that was held back ([`Terms::hold_back`]) is spoken to.
    Release,
}

/// Audio of ours. An utterance is begun, handed over in pieces and ended; the agent's audio waits meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub enum Play {
    /// `utterance` is a number that the call has not used before.
    Begin {
        utterance: u32,
        by: Actor,
        sound: Sound,
    },
    Audio {
        utterance: u32,
        chunk: MulawChunk,
    },
    End {
        utterance: u32,
    },
    /// What the operator says who took the call over.
    Operator(MulawChunk),
}

/// What an utterance of ours is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    Speech(String),
    Keys(String),
}

/// Something must be done. Boxes keep the outputs of the hot path (audio) small.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Ask whether this stream is ours; answer with `Admitted` or `Refused`.
    Admit(Box<StreamStart>),
    /// Open a socket to this one of [`Terms::agents`]. The first attempt of a warmed call takes the warm socket.
    DialAgent {
        attempt: u32,
        agent: usize,
    },
    ToCarrier(CarrierCommand),
    /// Say when nothing waits for the carrier's socket any more; answer with [`Input::Written`].
    AskWritten,
    ToAgent(AgentCommand),
    /// Close the agent's socket normally, or give up dialling.
    CloseAgent,
    /// Write this down.
    Record(Box<CallEvent>),
    /// Run a tool of ours for the agent; answer with [`Command::ToolFinished`].
    RunTool(Box<ToolCall>),
    /// Ask the carrier to end the call.
    HangUp(Disposition),
    /// Close the carrier's socket with this code; always the last output. The carrier goes on with the document it holds.
    CloseCarrier {
        code: u16,
    },
}
