//! One conversation on its socket: initiation, the agent's mind, pings, limits, mishaps, the record and the webhook after it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::agents::{Agent, audio_format, check_variables, merge};
use super::dialogue::{Dialogue, Input, Manner, Output};
use super::faults::{Mishap, take_one};
use super::records::Record;
use super::script::{Script, Step, fill, required_variables};
use super::wire::{ClientMessage, ServerMessage, parse};
use super::{Emulation, locked};
use crate::emulators::mulaw::{FromAgent, ToAgent};
use crate::emulators::speech;
use crate::emulators::upgrade::ServerSocket;

/// How long a client may take to read a message.
const SENDING: Duration = Duration::from_secs(10);

/// How long the close handshake may take.
const CLOSING: Duration = Duration::from_secs(2);

/// How a conversation ends.
#[derive(Debug)]
enum End {
    /// By us, with this code, error type and reason.
    Close { code: u16, error_type: Option<String>, reason: String },
    /// The client closed the socket or went away.
    Client,
    /// Cut without a close frame.
    Dropped,
}

impl End {
    fn fault(code: u16, error_type: &str, reason: &str) -> Self {
        Self::Close { code, error_type: Some(error_type.to_owned()), reason: reason.to_owned() }
    }
}

/// One conversation.
pub(super) struct Conversation {
    emulation: Arc<Emulation>,
    agent: Agent,
    id: String,
    socket: ServerSocket,
    events: Vec<String>,
    started: Instant,
    from_client: FromAgent,
    to_client: ToAgent,
    /// Nothing is sent any more, on demand.
    silent: bool,
    last_input: Instant,
    pings: u64,
    pinged: Option<Instant>,
    ping_ms: Option<u64>,
    pattern_position: u64,
}

impl Conversation {
    pub(super) fn new(emulation: Arc<Emulation>, agent: Agent, id: String, socket: ServerSocket) -> Self {
        let started = now();
        Self {
            events: agent.client_events(),
            emulation,
            agent,
            id,
            socket,
            started,
            from_client: FromAgent::default(),
            to_client: ToAgent::default(),
            silent: false,
            last_input: started,
            pings: 0,
            pinged: None,
            ping_ms: None,
            pattern_position: 0,
        }
    }

    pub(super) async fn run(mut self) {
        self.emulation.records.insert(Record {
            id: self.id.clone(),
            agent_id: self.agent.id.clone(),
            agent_name: self.agent.name.clone(),
            status: "in-progress",
            started: self.emulation.clock.now(),
            ended: None,
            turns: Vec::new(),
            initiation: json!({}),
            termination_reason: String::new(),
            error: None,
        });
        self.log("conversation_started", json!({"agent_id": self.agent.id}));
        let end = match self.begin().await {
            Ok((dialogue, first)) => self.converse(dialogue, first).await,
            Err(end) => end,
        };
        self.finish(end).await;
    }

    /// Waits for the client's initiation, checks it, and answers with the metadata.
    async fn begin(&mut self) -> Result<(Option<Dialogue>, Option<ClientMessage>), End> {
        if take_one(&mut locked(&self.emulation.faults).refuse_by_close) {
            return Err(End::fault(1008, "unauthorized", "Could not authorize the conversation"));
        }
        let shutdown = self.emulation.shutdown.clone();
        let waiting = tokio::time::timeout(self.emulation.input_limit, self.receive());
        let first = tokio::select! {
            () = shutdown.cancelled() => return Err(going_away()),
            first = waiting => first.map_err(|_| receive_timeout())??,
        };
        // Whatever a client says first begins the conversation; the initiation only says more about it.
        let (initiation, first) = match first {
            ClientMessage::Initiation(initiation) => (initiation, None),
            other => (Map::new(), Some(other)),
        };
        let wanted = initiation.get("conversation_config_override").cloned().unwrap_or_default();
        if let Some(field) = self.agent.forbidden_override(&wanted).filter(|_| wanted.is_object()) {
            let reason = format!("Override for field '{field}' is not allowed by config.");
            return Err(End::fault(1008, "override_error", &reason));
        }
        let steps = self.steps(wanted["agent"]["first_message"].as_str());
        let required = steps.as_deref().map(required_variables).unwrap_or_default();
        let mut variables =
            check_variables(&initiation, &required).map_err(|(kind, reason)| End::fault(1008, kind, &reason))?;
        variables.insert("system__conversation_id".to_owned(), self.id.clone().into());
        variables.insert("system__agent_id".to_owned(), self.agent.id.clone().into());
        variables.insert("system__time_utc".to_owned(), self.emulation.clock.now().to_string().into());
        let names: Vec<&String> = initiation.keys().collect();
        self.log("initiation", json!({"fields": names, "variables": variables.keys().collect::<Vec<_>>()}));
        let mut record = initiation.clone();
        record.remove("type");
        self.emulation.records.update(&self.id, |known| known.initiation = record.into());

        let (slow_metadata, slow_response, unknown_event, late_audio) = {
            let faults = locked(&self.emulation.faults);
            (faults.slow_metadata_ms, faults.slow_response_ms, faults.unknown_event, faults.late_audio)
        };
        tokio::time::sleep(Duration::from_millis(slow_metadata)).await;
        let (agent_output, user_input) = (self.agent.output_format().to_owned(), self.agent.input_format().to_owned());
        self.send(ServerMessage::Metadata { conversation_id: self.id.clone(), agent_output, user_input }).await?;
        if unknown_event {
            self.send_text(r#"{"type":"something_new","something_new_event":{"event_id":0}}"#.to_owned()).await?;
        }
        let manner = Manner {
            response_delay: self.emulation.response_delay + Duration::from_millis(slow_response),
            close_delay: Duration::from_millis(200),
            late_audio,
            hears_nobody_at_first: self.agent.hears_nobody_at_first(),
        };
        Ok((steps.map(|steps| mind(steps, manner, &variables)), first))
    }

    /// The agent's script, with another first line where the client or the agent's configuration has one. `None` for the agents
    /// that only mirror audio.
    fn steps(&self, first_message: Option<&str>) -> Option<Vec<Step>> {
        let Script::Steps(mut steps) = self.agent.script.clone() else { return None };
        if let (Some(message), Some(Step::Agent { text, .. })) =
            (first_message.or(self.agent.first_message()), steps.first_mut())
        {
            message.clone_into(text);
        }
        Some(steps)
    }

    async fn converse(&mut self, mut dialogue: Option<Dialogue>, first: Option<ClientMessage>) -> End {
        let mut mishaps = locked(&self.emulation.faults).take_for_conversation();
        let mut ping = tokio::time::interval(self.emulation.ping_interval);
        let limit = self.started + Duration::from_secs(self.agent.max_duration_s());
        let shutdown = self.emulation.shutdown.clone();
        let mut result = self.think(&mut dialogue, &Input::Start).await;
        if let Some(first) = first
            && result.is_ok()
        {
            result = self.handle(&mut dialogue, first).await;
        }
        while result.is_ok() {
            let wake = dialogue.as_ref().and_then(Dialogue::deadline).map(|deadline| self.started + deadline);
            let mishap = mishaps.first().map(|(after, _)| self.started + *after);
            result = tokio::select! {
                biased;
                () = shutdown.cancelled() => Err(going_away()),
                () = sleep_until(mishap.unwrap_or(limit)), if mishap.is_some() => self.go_wrong(mishaps.remove(0).1).await,
                () = sleep_until(limit) => Err(End::fault(1000, "max_duration_exceeded", "Maximum duration exceeded")),
                _ = ping.tick() => self.ping().await,
                () = sleep_until(wake.unwrap_or(limit)), if wake.is_some() => self.think(&mut dialogue, &Input::Time).await,
                message = self.receive() => match message {
                    Ok(message) => self.handle(&mut dialogue, message).await,
                    Err(end) => Err(end),
                },
            };
        }
        result.err().unwrap_or(End::Client)
    }

    async fn go_wrong(&mut self, mishap: Mishap) -> Result<(), End> {
        self.log("mishap", json!({"what": format!("{mishap:?}")}));
        match mishap {
            Mishap::Drop => Err(End::Dropped),
            Mishap::Close { code, reason } => Err(End::fault(code, "unknown", &reason)),
            Mishap::GoSilent => {
                self.silent = true;
                Ok(())
            }
            Mishap::Garbage => self.send_text("{\"type\": this is not JSON".to_owned()).await,
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if now() - self.last_input > self.emulation.input_limit {
            return Err(receive_timeout());
        }
        if self.pinged.is_some() {
            self.log("pong_missing", json!({"event_id": self.pings}));
        }
        self.pings += 1;
        self.pinged = Some(now());
        self.send(ServerMessage::Ping { event_id: self.pings, ping_ms: self.ping_ms }).await
    }

    async fn handle(&mut self, dialogue: &mut Option<Dialogue>, message: ClientMessage) -> Result<(), End> {
        if !matches!(message, ClientMessage::Pong(_)) {
            self.last_input = now();
        }
        match message {
            ClientMessage::Audio(audio) => match dialogue {
                Some(_) => {
                    let Some(format) = audio_format(self.agent.input_format()) else { return Ok(()) };
                    let audio = self.from_client.convert(&audio, format);
                    self.think(dialogue, &Input::CallerAudio(&audio)).await
                }
                None => self.mirror(audio).await,
            },
            ClientMessage::Pong(id) => {
                if id == i64::try_from(self.pings).unwrap_or(i64::MAX)
                    && let Some(pinged) = self.pinged.take()
                {
                    // Clients take 0 for "not measured".
                    self.ping_ms = u64::try_from((now() - pinged).as_millis()).ok().map(|ms| ms.max(1));
                } else {
                    self.log("pong_unexpected", json!({"event_id": id}));
                }
                Ok(())
            }
            ClientMessage::ToolResult { id, is_error } => {
                self.log("tool_result", json!({"tool_call_id": id, "is_error": is_error}));
                self.think(dialogue, &Input::ToolResult { id: &id, is_error }).await
            }
            ClientMessage::UserMessage(text) => {
                self.log("noted", json!({"type": "user_message", "text": text}));
                self.think(dialogue, &Input::CallerText(&text)).await
            }
            ClientMessage::Noted { kind, text } => {
                self.log("noted", json!({"type": kind, "text": text}));
                Ok(())
            }
            ClientMessage::Initiation(_) => {
                Err(End::fault(1008, "invalid_message", "invalid_message: a second initiation"))
            }
        }
    }

    /// Echo and pattern agents: for each chunk one back, at once.
    async fn mirror(&mut self, audio: Vec<u8>) -> Result<(), End> {
        let formats = (audio_format(self.agent.input_format()), audio_format(self.agent.output_format()));
        let (Some(input), Some(output)) = formats else { return Ok(()) };
        let audio = match (&self.agent.script, input == output) {
            (Script::Echo, true) => audio,
            (Script::Echo, false) => {
                let audio = self.from_client.convert(&audio, input);
                self.to_client.convert(&audio, output)
            }
            _ => {
                let length = self.from_client.convert(&audio, input).len();
                let pattern = speech::pattern(self.pattern_position, length);
                self.pattern_position += length as u64;
                self.to_client.convert(&pattern, output)
            }
        };
        self.send(ServerMessage::Audio { audio, event_id: 1 }).await
    }

    /// Hands something to the agent's mind, and says what comes of it.
    async fn think(&mut self, dialogue: &mut Option<Dialogue>, input: &Input<'_>) -> Result<(), End> {
        let Some(dialogue) = dialogue else { return Ok(()) };
        for output in dialogue.handle(now() - self.started, input.clone()) {
            self.say(output).await?;
        }
        Ok(())
    }

    async fn say(&mut self, output: Output) -> Result<(), End> {
        match output {
            Output::Says { event_id, text } => {
                self.turn("agent", json!({ "message": text }));
                self.send(ServerMessage::AgentResponse { text, event_id }).await
            }
            Output::Audio { event_id, audio } => {
                let Some(format) = audio_format(self.agent.output_format()) else { return Ok(()) };
                let audio = self.to_client.convert(&audio, format);
                self.send(ServerMessage::Audio { audio, event_id }).await
            }
            Output::Interrupted { event_id } => self.send(ServerMessage::Interruption { event_id }).await,
            Output::Corrected { event_id, original, corrected } => {
                let heard = corrected.clone();
                self.emulation.records.update(&self.id, |record| {
                    if let Some(turn) = record.turns.iter_mut().rev().find(|turn| turn["message"] == json!(original)) {
                        turn["original_message"] = turn["message"].take();
                        turn["message"] = heard.into();
                        turn["interrupted"] = true.into();
                    }
                });
                self.send(ServerMessage::AgentResponseCorrection { original, corrected, event_id }).await
            }
            Output::TurnComplete { event_id } => self.send(ServerMessage::AgentResponseComplete { event_id }).await,
            Output::CallerSaid { event_id, text } => {
                self.turn("user", json!({ "message": text }));
                self.send(ServerMessage::TentativeUserTranscript { text: text.clone(), event_id }).await?;
                self.send(ServerMessage::UserTranscript { text, event_id }).await
            }
            Output::ToolCall { event_id, id, name, parameters } => {
                let call = json!({"type": "client", "request_id": id, "tool_name": name,
                                  "params_as_json": parameters.to_string(), "tool_has_been_called": true});
                self.turn("agent", json!({"tool_calls": [call]}));
                let request = ServerMessage::AgentToolRequest {
                    name: name.clone(),
                    id: id.clone(),
                    tool_type: "client",
                    event_id,
                };
                self.send(request).await?;
                self.send(ServerMessage::ClientToolCall { name, id, parameters, event_id }).await
            }
            Output::ToolDone { event_id, id, name, is_error } => {
                let result = json!({"type": "client", "request_id": id, "tool_name": name, "result_value": "",
                                    "is_error": is_error, "tool_has_been_called": true});
                self.turn("agent", json!({"tool_results": [result]}));
                self.send(ServerMessage::AgentToolResponse { name, id, tool_type: "client", is_error, event_id }).await
            }
            Output::EndCall { event_id, id } => {
                let name = "end_call".to_owned();
                let response =
                    ServerMessage::AgentToolResponse { name, id, tool_type: "system", is_error: false, event_id };
                self.send(response).await
            }
            Output::Close { code: 1000, reason } => Err(End::Close { code: 1000, error_type: None, reason }),
            Output::Close { code, reason } => Err(End::fault(code, "unknown", &reason)),
            Output::DropSocket => Err(End::Dropped),
        }
    }

    /// Adds a turn to the conversation's record.
    fn turn(&self, role: &str, more: Value) {
        let mut turn = json!({"role": role, "message": null, "time_in_call_secs": (now() - self.started).as_secs(),
                              "interrupted": false, "tool_calls": [], "tool_results": []});
        merge(&mut turn, &more);
        self.emulation.records.update(&self.id, |record| record.turns.push(turn));
    }

    async fn receive(&mut self) -> Result<ClientMessage, End> {
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Binary(_))) => {
                    return Err(End::fault(1008, "invalid_message", "invalid_message: binary"));
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Client),
                Some(Ok(_)) => continue,
            };
            return parse(&text).map_err(|reason| {
                self.log("invalid_message", json!({ "reason": reason }));
                End::fault(1008, "invalid_message", &reason)
            });
        }
    }

    async fn send(&mut self, message: ServerMessage) -> Result<(), End> {
        if !message.passes(&self.events) {
            return Ok(());
        }
        match &message {
            ServerMessage::Audio { .. } | ServerMessage::Ping { .. } => {}
            other => self.log("sent", json!({"type": other.kind(), "message": other.to_json()})),
        }
        self.send_text(message.to_json().to_string()).await
    }

    async fn send_text(&mut self, text: String) -> Result<(), End> {
        if self.silent {
            return Ok(());
        }
        match tokio::time::timeout(SENDING, self.socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Client),
        }
    }

    fn log(&self, event: &'static str, detail: Value) {
        self.emulation.log.record(event, Some(&self.id), detail);
    }

    async fn finish(mut self, end: End) {
        self.log("conversation_ended", json!({"how": format!("{end:?}")}));
        let (reason, error) = match &end {
            End::Close { code: 1000, reason, .. } => (reason.clone(), None),
            End::Close { code, reason, .. } => (reason.clone(), Some((*code, reason.clone()))),
            End::Client => ("Client disconnected".to_owned(), None),
            End::Dropped => ("websocket_disconnect".to_owned(), Some((1011, "websocket_disconnect".to_owned()))),
        };
        let ended = self.emulation.clock.now();
        self.emulation.records.update(&self.id, |record| {
            record.status = "processing";
            record.ended = Some(ended);
            record.termination_reason = reason;
            record.error = error;
        });
        if let End::Close { code, error_type, reason } = end {
            self.close(code, error_type, reason).await;
        }
        let Self { emulation, id, socket, .. } = self;
        drop(socket);
        tokio::time::sleep(emulation.processing).await;
        if let Some(record) = emulation.records.update(&id, |record| record.status = "done") {
            emulation.send_post_call(&record).await;
        }
    }

    async fn close(&mut self, code: u16, error_type: Option<String>, reason: String) {
        if let Some(error_type) = error_type {
            let error = ServerMessage::Error { code, error_type, message: reason.clone() };
            // The close below says the same.
            let _ = self.send(error).await;
        }
        // A close reason has at most 123 bytes (RFC 6455, section 5.5).
        let mut end = reason.len().min(123);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason[..end].to_owned().into() };
        let goodbye = async {
            self.socket.close(Some(frame)).await?;
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<(), tokio_tungstenite::tungstenite::Error>(())
        };
        // A client that does not answer the close frame is cut off.
        let _ = tokio::time::timeout(CLOSING, goodbye).await;
    }
}

/// An agent with the client's values in its lines.
fn mind(mut steps: Vec<Step>, manner: Manner, variables: &Map<String, Value>) -> Dialogue {
    for step in &mut steps {
        let texts = match step {
            Step::Agent { text, on_barge_in } => [Some(text), on_barge_in.as_mut()],
            Step::Tool { on_error, .. } => [on_error.as_mut(), None],
            _ => [None, None],
        };
        for text in texts.into_iter().flatten() {
            *text = fill(text, variables);
        }
    }
    Dialogue::new(steps, manner)
}

fn receive_timeout() -> End {
    End::fault(1002, "transport_receive_timeout", "No user input")
}

fn going_away() -> End {
    End::Close { code: 1001, error_type: None, reason: "the emulator stops".to_owned() }
}

#[expect(clippy::disallowed_methods, reason = "an adapter that waits: pings, limits and the agent's own clock")]
fn now() -> Instant {
    Instant::now()
}
