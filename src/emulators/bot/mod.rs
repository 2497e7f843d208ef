//! A local bot of the kind that operators run themselves: a WebSocket server that speaks Twilio Media Streams at
//! `/twilio-stream/BEHAVIOUR` and raw µ-law at `/binary/BEHAVIOUR`.
//!
//! | behaviour | does |
//! |---|---|
//! | `talk` | greets, answers whenever the caller has finished, gives way when the caller talks over it |
//! | `echo` | sends the caller's audio back |
//! | `silent` | listens and never says a word |
//! | `garbage` | says nothing that makes sense |
//! | `hang-up` | greets, waits until that was heard, closes with 1000 |
//! | `drop` | greets and is gone in mid-sentence, without a close |
//! | `refuse` | answers the upgrade with 401 |
//! | `call-NAME` | calls the tool NAME at once (`binary` only), and answers when it has the result |

pub(super) mod wire;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::wire::{Heard, Personality};
use super::clock::Clock;
use super::log::EventLog;
use super::server::{self, EmulatorError, Running};
use super::speech::{self, Voice};
use super::upgrade::{Handshake, ServerSocket};
use super::vad::{Activity, VoiceActivity};

/// Long, so that a caller on a busy machine still comes in time to speak over it.
const GREETING: &str =
    "Hello, this is your own bot. Tell me what I can do for you, and take your time: I am here to listen.";
const ANSWER: &str = "I see. Go on.";

/// What a bot that tells of words heard: it listens and does not understand.
const CALLERS_WORDS: &str = "(something the caller said)";

/// The caller has finished after this pause.
const FINISHED_AFTER_MS: u32 = 600;

/// Messages of nonsense.
const GARBAGE: usize = 20;

/// The bot emulator.
#[derive(Debug)]
pub struct BotEmulator;

#[derive(Debug)]
struct Emulation {
    log: EventLog,
    tracker: TaskTracker,
}

impl BotEmulator {
    /// Listens and serves until `shutdown`.
    pub async fn start(
        listen: std::net::SocketAddr,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Running, EmulatorError> {
        let (listener, addr) = server::bind(listen).await?;
        let log = EventLog::new(Clock::default());
        let emulation = Arc::new(Emulation { log: log.clone(), tracker: tracker.clone() });
        let app = Router::new().route("/{personality}/{behaviour}", get(converse)).with_state(emulation);
        Ok(server::serve(listener, app, (addr, log), tracker, shutdown))
    }
}

async fn converse(
    State(emulation): State<Arc<Emulation>>,
    Path((personality, behaviour)): Path<(String, String)>,
    mut request: Request,
) -> Response {
    let personality = match personality.as_str() {
        "twilio-stream" => Personality::TwilioStream,
        "binary" => Personality::Binary,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if behaviour == "refuse" {
        emulation.log.record("refused", None, Value::Null);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let handshake = match Handshake::read(&mut request) {
        Ok(handshake) => handshake,
        Err(error) => return (StatusCode::UPGRADE_REQUIRED, error.to_string()).into_response(),
    };
    let (response, socket) = handshake.accept("audio.twilio.com", WebSocketConfig::default());
    let log = emulation.log.clone();
    emulation.tracker.spawn(async move {
        match socket.await {
            Ok(socket) => {
                Bot::new(personality, behaviour, log, socket).run().await;
            }
            Err(error) => tracing::debug!(%error, "an upgrade was not completed"),
        }
    });
    response
}

/// One conversation.
pub(super) struct Bot {
    personality: Personality,
    behaviour: String,
    log: EventLog,
    socket: ServerSocket,
    stream_sid: String,
    marks: u32,
    /// Marks that have not come back: something of ours still plays.
    unheard: u32,
    /// Where there are no marks: audio of ours that cannot have been played yet, by the caller's, which never stops.
    unplayed: usize,
    /// What was said, by the caller or not.
    lines: Vec<(bool, String)>,
}

impl Bot {
    pub(super) fn new(personality: Personality, behaviour: String, log: EventLog, socket: ServerSocket) -> Self {
        let (stream_sid, lines) = (String::new(), Vec::new());
        Self { personality, behaviour, log, socket, stream_sid, marks: 0, unheard: 0, unplayed: 0, lines }
    }

    pub(super) async fn run(mut self) {
        let mut caller = VoiceActivity::new(FINISHED_AFTER_MS);
        if self.personality == Personality::RetellWeb && self.begin().await.is_none() {
            return self.log.record("closed", None, Value::Null);
        }
        while let Some(Ok(message)) = self.socket.next().await {
            if matches!(message, Message::Close(_)) {
                break;
            }
            if matches!(message, Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) {
                continue;
            }
            let goes_on = match self.personality.hear(&message) {
                Heard::Audio(audio) => self.hear(&mut caller, &audio).await,
                Heard::Word(name, message) => self.take(&name, &message).await,
                Heard::Nonsense => {
                    self.log.record("nonsense", Some(&self.stream_sid), Value::Null);
                    Some(())
                }
            };
            if goes_on.is_none() {
                break;
            }
        }
        self.log.record("closed", Some(&self.stream_sid), Value::Null);
    }

    async fn take(&mut self, name: &str, message: &Value) -> Option<()> {
        self.log.record("word", Some(&self.stream_sid), json!({"name": name, "message": message}));
        match name {
            "tool_result" => self.say(ANSWER).await,
            "start" => {
                self.stream_sid = message["streamSid"].as_str().unwrap_or_default().to_owned();
                self.begin().await
            }
            "mark" => {
                self.unheard = self.unheard.saturating_sub(1);
                if self.behaviour == "hang-up" {
                    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                    self.socket.send(Message::Close(Some(frame))).await.ok()?;
                }
                Some(())
            }
            _ => Some(()),
        }
    }

    async fn begin(&mut self) -> Option<()> {
        match self.behaviour.as_str() {
            "talk" | "hang-up" => self.say(GREETING).await,
            "drop" => {
                self.say(GREETING).await?;
                None
            }
            "garbage" => {
                for _ in 0..GARBAGE {
                    self.socket.send(Message::text("%%%")).await.ok()?;
                }
                Some(())
            }
            behaviour => match behaviour.strip_prefix("call-") {
                Some(tool) if self.personality == Personality::Binary => {
                    let call = json!({"type": "tool_call", "id": "call_1", "name": tool, "arguments": {"name": "Jo"}});
                    self.socket.send(Message::text(call.to_string())).await.ok()
                }
                _ => Some(()),
            },
        }
    }

    async fn hear(&mut self, caller: &mut VoiceActivity, audio: &[u8]) -> Option<()> {
        if self.behaviour == "echo" {
            let message = self.personality.audio(&self.stream_sid, audio);
            return self.socket.send(message).await.ok();
        }
        if self.behaviour != "talk" {
            return Some(());
        }
        self.unplayed = self.unplayed.saturating_sub(audio.len());
        for activity in caller.hear(audio) {
            match activity {
                Activity::Started if self.unheard > 0 || self.unplayed > 0 => {
                    self.unplayed = 0;
                    self.log.record("interrupted", Some(&self.stream_sid), Value::Null);
                    let message = self.personality.clear(&self.stream_sid);
                    self.socket.send(message).await.ok()?;
                }
                Activity::Started => {}
                Activity::Ended => {
                    self.lines.push((true, CALLERS_WORDS.to_owned()));
                    self.say(ANSWER).await?;
                }
            }
        }
        Some(())
    }

    /// Says a sentence at once, as bots do, and a mark after it.
    async fn say(&mut self, text: &str) -> Option<()> {
        self.lines.push((false, text.to_owned()));
        if let Some(words) = self.personality.words(&self.lines) {
            self.socket.feed(words).await.ok()?;
        }
        let speech = speech::say(text, Voice::Agent);
        if self.personality == Personality::RetellWeb {
            self.unplayed += speech.len();
        }
        for piece in speech.chunks(1_600) {
            let message = self.personality.audio(&self.stream_sid, piece);
            self.socket.feed(message).await.ok()?;
        }
        self.marks += 1;
        if let Some(mark) = self.personality.mark(&self.stream_sid, &format!("said-{}", self.marks)) {
            self.unheard += 1;
            self.socket.feed(mark).await.ok()?;
        }
        self.socket.flush().await.ok()
    }
}
