//! Retell's custom-LLM WebSocket: Retell has the audio and asks us what to say. We ask the operator's chat endpoint, run our tools, and
//! listen to what the caller says as on every other call.
//!
//! One task owns the socket and never waits for anything but it: the chat endpoint, the tools and the journal have tasks of their
//! own, so that Retell's pings are answered at once. A call has one socket; the newest one wins, and goes on where the last one was.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::agents::AgentError;
use crate::agents::chat::ChatClient;
use crate::domain::agent_link::ToolCall;
use crate::domain::event::{Actor, Door};
use crate::domain::{CallEvent, ConversationId, Disposition};
use crate::protocol::agent::chat::{self, ChatPiece};
use crate::protocol::agent::retell::Line;
use crate::protocol::agent::retell_turns::{self, Input, Output, Persona, Turns};
use crate::relay::Socket;

use super::App;
use super::live_calls::LiveCall;

/// Retell pings every 2 seconds. One that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(20);

/// How long Retell may take to read one message.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Pieces of an answer that may wait; the chat endpoint waits behind them.
const PIECES: usize = 64;

/// Answers of tools that may wait for a socket that was lost. Many more than an answer may ask for.
const TOOL_ANSWERS: usize = 64;

/// Messages to the agent that may wait for a socket that was lost.
const MESSAGES: usize = 16;

/// RFC 6455, section 7.4.1.
const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;

/// What a call's sockets have in common.
#[derive(Debug, Default)]
pub(super) struct LlmLine {
    conversation: tokio::sync::Mutex<Option<Box<Conversation>>>,
    newest: Mutex<CancellationToken>,
    /// Where messages to the agent go, with the id that the vendor knows the conversation by.
    told: Mutex<Option<(Option<ConversationId>, mpsc::Sender<retell_turns::Message>)>>,
}

#[derive(Debug)]
struct Conversation {
    /// A call that comes back to Retell from somebody else is another one there.
    vendor_id: Option<ConversationId>,
    turns: Turns,
    answers: mpsc::Sender<ToolAnswer>,
    answered: mpsc::Receiver<ToolAnswer>,
    told: mpsc::Receiver<retell_turns::Message>,
}

type ToolAnswer = (String, Result<String, String>);
type Piece = (u64, Result<ChatPiece, String>);

/// What was said so far, and how many lines there were when an answer was asked for.
type Heard = (Vec<Line>, usize);

/// What one socket works with.
struct Desk<'a> {
    app: &'a Arc<App>,
    call: &'a Arc<LiveCall>,
    chat: ChatClient,
    pieces: mpsc::Sender<Piece>,
    answers: mpsc::Sender<ToolAnswer>,
    heard: watch::Sender<Heard>,
    /// Ends the question under way when it goes.
    asking: Option<DropGuard>,
}

impl LlmLine {
    /// Ends an earlier socket. The token is cancelled when a later one comes.
    fn take_over(&self) -> CancellationToken {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.cancel();
        *newest = CancellationToken::new();
        newest.clone()
    }

    /// Tells the agent something, where its words in this conversation are ours. Else the message comes back.
    pub(super) fn tell(
        &self,
        vendor_id: &ConversationId,
        message: retell_turns::Message,
    ) -> Result<(), retell_turns::Message> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match told.as_ref().filter(|(known, _)| known.as_ref() == Some(vendor_id)) {
            Some((_, lane)) => lane.try_send(message).map_err(TrySendError::into_inner),
            None => Err(message),
        }
    }
}

impl App {
    /// The call that Retell knows by this id, while it is on and Retell has it.
    pub fn call_at_retell(&self, vendor_id: &str) -> Option<Arc<LiveCall>> {
        self.live.by_conversation(vendor_id).filter(|call| !call.is_over())
    }

    /// Speaks for the agent on one socket, until it closes or the call is over.
    pub async fn run_llm_socket<S: Socket>(self: &Arc<Self>, call: &Arc<LiveCall>, chat: ChatClient, mut socket: S) {
        let replaced = call.llm.take_over();
        let mut conversation = call.llm.conversation.lock().await;
        let vendor_id = call.record().conversation_id;
        if conversation.as_ref().is_none_or(|known| known.vendor_id != vendor_id) {
            let (answers, answered) = mpsc::channel(TOOL_ANSWERS);
            let (lane, told) = mpsc::channel(MESSAGES);
            *call.llm.told.lock().unwrap_or_else(PoisonError::into_inner) = Some((vendor_id.clone(), lane));
            let turns = self.begin_turns(call).await;
            *conversation = Some(Box::new(Conversation { vendor_id, turns, answers, answered, told }));
        }
        let Some(Conversation { turns, answers, answered, told, .. }) = conversation.as_deref_mut() else { return };
        let (heard, listening) = watch::channel(Heard::default());
        let (app, listened) = (Arc::clone(self), Arc::clone(call));
        self.tracker.spawn(async move { app.write_what_retell_hears(&listened, listening).await });
        let (pieces, mut from_chat) = mpsc::channel(PIECES);
        let answers = answers.clone();
        let mut desk = Desk { app: self, call, chat, pieces, answers, heard, asking: None };
        turns.handle(Input::Opened);
        let mut silence = Box::pin(tokio::time::sleep(SILENCE));
        let code = loop {
            if let Err(code) = desk.serve(turns, &mut socket).await {
                break code;
            }
            tokio::select! {
                biased;
                () = call.over.cancelled() => break Some(NORMAL),
                () = replaced.cancelled() => break Some(GOING_AWAY),
                () = self.shutdown.cancelled() => break Some(GOING_AWAY),
                message = socket.next() => {
                    silence.as_mut().set(tokio::time::sleep(SILENCE));
                    match message {
                        Some(Ok(Message::Text(text))) => turns.handle(Input::Text(text.as_bytes())),
                        Some(Ok(Message::Binary(_))) => turns.handle(Input::Binary),
                        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                        Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
                    }
                }
                Some((ask, piece)) = from_chat.recv() => turns.handle(match piece {
                    Ok(piece) => Input::Chat { ask, piece },
                    Err(reason) => Input::ChatFailed { ask, reason },
                }),
                Some((id, answer)) = answered.recv() => {
                    let is_error = answer.is_err();
                    let (Ok(result) | Err(result)) = answer;
                    turns.handle(Input::ToolAnswered { id, result, is_error });
                }
                Some(message) = told.recv() => turns.handle(Input::Told(message)),
                () = &mut silence => break Some(GOING_AWAY),
            }
        };
        tracing::info!(call.id = %call.id, code, "Retell's LLM socket ended");
        if let Some(code) = code {
            close(socket, code).await;
        }
    }

    async fn begin_turns(&self, call: &LiveCall) -> Turns {
        let settings = &self.config.agents.retell.llm;
        let variables = self.all_variables(&call.record()).await;
        let mut prompt = vec![fill(&settings.prompt, &variables)];
        prompt.extend(call.take_notes());
        let _ = self.journal.catch_up().await;
        let entries = self.store.events_of(call.id).await.unwrap_or_default();
        // After a restart of ours, or where another agent spoke before, the conversation is under way.
        let has_begun = entries.iter().any(|entry| matches!(entry.event, CallEvent::AgentSaid { .. }));
        let persona = Persona {
            model: settings.model.clone(),
            prompt: prompt.join("\n\n"),
            greeting: fill(&settings.greeting, &variables),
            sorry: settings.sorry.clone(),
            apology: self.config.calls.apology.clone(),
            tools: self.tool_definitions().iter().map(chat::tool).collect(),
        };
        Turns::new(persona, has_begun)
    }

    /// Keeps the journal up with what Retell hears, off the socket's path. What comes faster than it can be written is taken together.
    async fn write_what_retell_hears(&self, call: &LiveCall, mut listening: watch::Receiver<Heard>) {
        let mut written = 0;
        while listening.changed().await.is_ok() {
            let (lines, asked_at) = listening.borrow_and_update().clone();
            let Some((last, before)) = lines.split_last() else { continue };
            // The last line may still grow. But somebody who asks not to be called has been heard when they have finished.
            let has_finished = last.by_caller && asked_at == lines.len();
            let settled =
                if has_finished && self.gate.hears_opt_out(&last.text).is_some() { lines.len() } else { before.len() };
            if last.by_caller {
                let _ = self.journal.record(call.id, CallEvent::CallerSaying { text: last.text.clone() });
            }
            let Some(vendor_id) = call.record().conversation_id.filter(|_| settled > written) else { continue };
            match self.write_lines(call.id, vendor_id.as_str(), lines, settled).await {
                Ok(()) => written = settled,
                Err(error) => tracing::error!(call.id = %call.id, %error, "what was said could not be written down"),
            }
        }
    }

    /// Runs a tool for an agent whose audio does not pass through us.
    async fn run_tool_for_llm(self: &Arc<Self>, call: &Arc<LiveCall>, tool: ToolCall) -> Result<String, String> {
        let ToolCall { id, name, arguments, .. } = tool.clone();
        let (tool_call_id, started) = (id, self.clock.now());
        let called = CallEvent::ToolCalled { tool_call_id: tool_call_id.clone(), name: name.clone(), arguments };
        let _ = self.journal.record(call.id, called);
        let answer = match tool.name.as_str() {
            "send_keys" => Err("Press one key, 0 to 9, * or #, and wait what comes of it.".to_owned()),
            _ => self.tool_answer_in_time(call, &tool).await,
        };
        let elapsed_ms = u32::try_from(self.clock.now().duration_since(started).as_millis()).unwrap_or_default();
        let is_error = answer.is_err();
        let _ = self.journal.record(call.id, CallEvent::ToolAnswered { tool_call_id, name, is_error, elapsed_ms });
        answer
    }
}

impl Desk<'_> {
    /// Does what the conversation asks for. An error is the end of the socket, with the code to close it with if it is still open.
    async fn serve<S: Socket>(&mut self, turns: &mut Turns, socket: &mut S) -> Result<(), Option<u16>> {
        while let Some(output) = turns.poll_output() {
            match output {
                Output::Send(message) => send(socket, &message).await?,
                Output::Ask { ask, body } => self.ask(ask, body),
                Output::Void => self.asking = None,
                Output::RunTool(tool) => self.run_tool(tool),
                Output::Heard { lines, asked_at } => {
                    self.heard.send_replace((lines, asked_at));
                }
                Output::HangsUp => {
                    let agent = Actor::new(Door::Agent, self.call.record().agent.to_string());
                    self.app.request_end(self.call, &agent, Disposition::Completed);
                }
                Output::Failed { reason, for_good } => self.failed(reason, for_good),
                Output::Close { code } => return Err(Some(code)),
            }
        }
        Ok(())
    }

    fn ask(&mut self, ask: u64, body: Value) {
        let (chat, pieces, stop) = (self.chat.clone(), self.pieces.clone(), CancellationToken::new());
        self.asking = Some(stop.clone().drop_guard());
        self.app.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = answer(&chat, ask, &body, &pieces) => {}
            }
        });
    }

    fn run_tool(&self, tool: ToolCall) {
        let (app, call, answers) = (Arc::clone(self.app), Arc::clone(self.call), self.answers.clone());
        self.app.tracker.spawn(async move {
            let id = tool.id.clone();
            let answer = app.run_tool_for_llm(&call, tool).await;
            // With nobody there to take it the call is over.
            let _ = answers.try_send((id, answer));
        });
    }

    fn failed(&self, reason: String, for_good: bool) {
        tracing::warn!(call.id = %self.call.id, reason, "the chat endpoint gave no answer");
        let agent = Some(self.call.record().agent);
        let lost = CallEvent::AgentLost { agent, reason, will_retry: !for_good };
        let _ = self.app.journal.record(self.call.id, lost);
        if for_good {
            let watchdog = Actor::new(Door::System, "agent watchdog");
            self.app.request_end(self.call, &watchdog, Disposition::AgentFailed);
        }
    }
}

/// One answer of the chat endpoint, piece by piece.
async fn answer(chat: &ChatClient, ask: u64, body: &Value, pieces: &mpsc::Sender<Piece>) {
    let told = async {
        let mut answer = chat.ask(body).await?;
        loop {
            let piece = answer.next().await?;
            let is_last = matches!(piece, ChatPiece::Done(_));
            if pieces.send((ask, Ok(piece))).await.is_err() || is_last {
                return Ok::<_, AgentError>(());
            }
        }
    };
    if let Err(error) = told.await {
        let _ = pieces.send((ask, Err(error.to_string()))).await;
    }
}

async fn send<S: Socket>(socket: &mut S, message: &Value) -> Result<(), Option<u16>> {
    match tokio::time::timeout(WRITE_LIMIT, socket.send(Message::text(message.to_string()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}

async fn close<S: Socket>(mut socket: S, code: u16) {
    let frame = CloseFrame { code: code.into(), reason: "".into() };
    let handshake = async {
        // A vendor that was faster is as good.
        let _ = socket.send(Message::Close(Some(frame))).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = tokio::time::timeout(WRITE_LIMIT, handshake).await;
}

/// Puts the call's variables in the place of their names, `{{first_name}}`. A name that the call does not have stays.
fn fill(text: &str, variables: &std::collections::BTreeMap<String, Value>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let named = after.split_once("}}").and_then(|(name, after)| Some((variables.get(name.trim())?, after)));
        if let Some((value, after)) = named {
            filled.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            rest = after;
        } else {
            filled.push_str("{{");
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_take_the_place_of_their_names() {
        let variables = [("name".to_owned(), "Jo".into()), ("n".to_owned(), 3.into())].into();
        for (text, filled) in [
            ("Hello {{name}}, {{ n }} times.", "Hello Jo, 3 times."),
            ("{{unknown}} {{name}}", "{{unknown}} Jo"),
            ("{{name", "{{name"),
            ("", ""),
        ] {
            assert_eq!(fill(text, &variables), filled);
        }
    }
}
