//! A relay between a carrier and agents that a test plays, over in-memory pipes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::agents::AgentSocket;
use crate::domain::event::StreamEnd;
use crate::domain::{CallEvent, CallId};
use crate::protocol::agent::Dialect;
use crate::relay::{Admission, DialFailure, Hooks, Looks, Request, StreamSummary, run};
use crate::session::{Command, Terms};
use crate::websocket::WebSocket;

/// The far end of a socket, which a test plays.
pub(super) type Pipe = WebSocketStream<DuplexStream>;

/// The relay's own end.
pub(super) type Near = WebSocket<DuplexStream>;

/// What becomes of one attempt to reach the agent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dial {
    Connects,
    /// The socket opens and is dead at once.
    Dies,
    Fails {
        retryable: bool,
    },
}

/// How the far ends behave.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) warmed: Option<Dial>,
    pub(super) dials: Vec<Dial>,
    pub(super) journal_size: usize,
    /// Bytes that a pipe holds each way.
    pub(super) pipe_bytes: usize,
    /// Whose timers look at the stream; none: those of the runtime that it is on.
    pub(super) timers: Option<Handle>,
    /// What the agents speak.
    pub(super) dialect: fn() -> Dialect,
    /// For how long the conversation waits for who the caller is.
    pub(super) recognition: Option<Duration>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            warmed: None,
            dials: vec![Dial::Connects],
            journal_size: 1_000,
            pipe_bytes: 64 << 10,
            timers: None,
            dialect: Dialect::elevenlabs,
            recognition: None,
        }
    }
}

pub(super) struct Rig {
    pub(super) carrier: Pipe,
    pub(super) agents: mpsc::Receiver<Pipe>,
    pub(super) journal: mpsc::Receiver<(CallId, CallEvent)>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) commands: Option<mpsc::Sender<Box<Command>>>,
    tracker: TaskTracker,
    task: JoinHandle<StreamSummary>,
}

impl Rig {
    /// The carrier's socket is open, nothing was said.
    pub(super) async fn open(plan: Plan) -> Self {
        let (carrier, relay_end) = carrier_pipe(plan.pipe_bytes).await;
        let (agents_in, agents) = mpsc::channel(4);
        let (recorder, journal) = mpsc::channel(plan.journal_size);
        let (requests_in, requests) = mpsc::channel(16);
        let (commands, commands_out) = mpsc::channel(16);
        let timers = plan.timers.clone().unwrap_or_else(Handle::current);
        let hooks = Hooks {
            admit: Box::new(move |start| match start.parameters.get("token") {
                Some(token) if token == "good" => Ok(admission(plan, agents_in)),
                _ => Err("no such token".to_owned()),
            }),
            recorder,
            ask: Box::new(move |request| requests_in.try_send(request).unwrap()),
            looks: Looks::new(timers),
        };
        let tracker = TaskTracker::new();
        let task = tracker.spawn(run(relay_end, Arc::default(), hooks, commands_out));
        Self { carrier, agents, journal, requests, commands: Some(commands), tracker, task }
    }

    /// The stream is admitted.
    pub(super) async fn admitted(plan: Plan) -> Self {
        let mut rig = Self::open(plan).await;
        say(&mut rig.carrier, start("good")).await;
        rig
    }

    /// The agent took the conversation.
    pub(super) async fn conversing(plan: Plan) -> (Self, Pipe) {
        let mut rig = Self::admitted(plan).await;
        let agent = rig.ready_agent().await;
        (rig, agent)
    }

    /// Plays the next agent that is dialled up to its first message.
    pub(super) async fn ready_agent(&mut self) -> Pipe {
        let mut agent = self.agents.recv().await.unwrap();
        assert_eq!(hear(&mut agent).await.unwrap()["type"], "conversation_initiation_client_data");
        say(&mut agent, ready()).await;
        agent
    }

    /// The carrier is gone without a word.
    pub(super) async fn lose_carrier(&mut self) {
        self.carrier = carrier_pipe(1).await.0;
    }

    pub(super) async fn command(&self, command: Command) {
        self.commands.as_ref().unwrap().send(Box::new(command)).await.unwrap();
    }

    /// Waits for the end; the events, and what is left of the stream. Nothing of it may stay behind.
    pub(super) async fn end(mut self) -> (Vec<CallEvent>, StreamSummary) {
        let summary = self.task.await.unwrap();
        self.tracker.close();
        self.tracker.wait().await;
        let mut events = Vec::new();
        while let Some((_, event)) = self.journal.recv().await {
            events.push(event);
        }
        let ends = events.iter().filter(|event| matches!(event, CallEvent::StreamEnded { .. })).count();
        assert_eq!(ends, usize::from(summary.call_id.is_some()), "one end for an admitted stream: {events:?}");
        (events, summary)
    }

    /// The same, of a stream that ends for this reason.
    pub(super) async fn end_by(self, cause: StreamEnd) -> (Vec<CallEvent>, StreamSummary) {
        let (events, summary) = self.end().await;
        assert_eq!(summary.ended.map(|ended| ended.cause), Some(cause), "{events:?}");
        (events, summary)
    }
}

fn admission(plan: Plan, agents: mpsc::Sender<Pipe>) -> Admission<Near> {
    let mut dials = VecDeque::from(plan.dials);
    let (bytes, dialect) = (plan.pipe_bytes, plan.dialect);
    Admission {
        call_id: CallId::from_uuid(Uuid::from_u128(1)),
        terms: Terms { max_duration: Duration::from_mins(10), recognition: plan.recognition, ..Terms::default() },
        tap: Arc::default(),
        warmed: plan.warmed.map(|dial| dialing(dial, dialect, bytes, agents.clone())),
        dial: Box::new(move |_| dialing(dials.pop_front().unwrap(), dialect, bytes, agents.clone())),
    }
}

fn dialing(
    dial: Dial,
    dialect: fn() -> Dialect,
    pipe_bytes: usize,
    agents: mpsc::Sender<Pipe>,
) -> BoxFuture<'static, Result<AgentSocket<Near>, DialFailure>> {
    Box::pin(async move {
        let (relay_end, agent) = agent_pipe(pipe_bytes).await;
        match dial {
            Dial::Connects => agents.send(agent).await.unwrap(),
            Dial::Dies => {}
            Dial::Fails { retryable } => return Err(DialFailure { reason: "refused with 403".to_owned(), retryable }),
        }
        Ok(AgentSocket { socket: relay_end, dialect: dialect() })
    })
}

/// A carrier's WebSocket in memory.
pub(super) async fn carrier_pipe(bytes: usize) -> (Pipe, Near) {
    let (far, near) = tokio::io::duplex(bytes);
    let near = WebSocket::new(near, &[], Role::Server, WebSocketConfig::default());
    (WebSocketStream::from_raw_socket(far, Role::Client, None).await, near)
}

/// An agent's WebSocket in memory.
pub(super) async fn agent_pipe(bytes: usize) -> (Near, Pipe) {
    let (near, far) = tokio::io::duplex(bytes);
    let near = WebSocket::new(near, &[], Role::Client, WebSocketConfig::default());
    (near, WebSocketStream::from_raw_socket(far, Role::Server, None).await)
}

pub(super) async fn say(pipe: &mut Pipe, message: Value) {
    pipe.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message; `Err` with the code when the other end closed, without one when it is gone.
pub(super) async fn hear(pipe: &mut Pipe) -> Result<Value, Option<u16>> {
    loop {
        match pipe.next().await {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(None),
        }
    }
}

pub(super) fn start(token: &str) -> Value {
    json!({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
        "accountSid": "AC1", "streamSid": "MZ1", "callSid": "CA1", "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": token}}})
}

pub(super) fn stop() -> Value {
    json!({"event": "stop", "sequenceNumber": "9", "streamSid": "MZ1", "stop": {"accountSid": "AC1", "callSid": "CA1"}})
}

pub(super) fn media(audio: &[u8]) -> Value {
    json!({"event": "media", "sequenceNumber": "3", "streamSid": "MZ1",
        "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": STANDARD.encode(audio)}})
}

pub(super) fn ready() -> Value {
    json!({"type": "conversation_initiation_metadata", "conversation_initiation_metadata_event": {
        "conversation_id": "conv_1", "agent_output_audio_format": "ulaw_8000", "user_input_audio_format": "ulaw_8000"}})
}

pub(super) fn speech(turn: u64, audio: &[u8]) -> Value {
    json!({"type": "audio", "audio_event": {"audio_base_64": STANDARD.encode(audio), "event_id": turn}})
}

pub(super) fn interruption(turn: u64) -> Value {
    json!({"type": "interruption", "interruption_event": {"event_id": turn}})
}

/// The audio of a message to either far end, if it has any.
pub(super) fn audio_of(message: &Value) -> Option<Vec<u8>> {
    let text = message["media"]["payload"].as_str().or(message["user_audio_chunk"].as_str())?;
    Some(STANDARD.decode(text).unwrap())
}
