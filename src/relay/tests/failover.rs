//! How long a caller waits when an agent fails: every dialect, every way to fail, in virtual time, as the carrier hears it.
//!
//! Two figures each: the longest silence, and the longest time without an agent's voice (the comfort tone is none). Connecting takes
//! 300 ms here, and a healthy agent speaks 600 ms after it has a reason to. The caller's own time to think and speak does not count.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::rig::{Near, Pipe, agent_pipe, audio_of, carrier_pipe, media, ready, say, speech, start, stop};
use crate::agents::AgentSocket;
use crate::domain::audio::{AudioFormat, MulawChunk};
use crate::domain::event::StreamEnd;
use crate::domain::{AccountSid, CallEvent, CallId, ConversationId, StreamSid};
use crate::protocol::agent::Dialect;
use crate::protocol::agent::binary::Binary;
use crate::protocol::agent::retell_web::RetellWeb;
use crate::protocol::agent::twilio_stream::TwilioStream;
use crate::relay::{Admission, DialFailure, Hooks, Looks, Request, run};
use crate::session::{Command, Terms};

const CONNECTING: Duration = Duration::from_millis(300);
const THINKING: Duration = Duration::from_millis(600);

/// A tool's own time limit.
const TOOL_LIMIT: Duration = Duration::from_secs(5);

/// What each speaker's µ-law looks like.
const TONE: u8 = 0x01;
const FIRST: u8 = 0x11;
const SECOND: u8 = 0x22;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vendor {
    ElevenLabs,
    TwilioStream,
    Binary,
    /// The audio WebSocket that Retell retired, in Retell's own protocol. (In the other one it speaks Twilio's.)
    RetellWeb,
}

const VENDORS: [Vendor; 4] = [Vendor::ElevenLabs, Vendor::TwilioStream, Vendor::Binary, Vendor::RetellWeb];

/// How the first agent of the call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nobody listens at its address.
    Refuse,
    /// The upgrade is answered with 401.
    Unauthorised,
    /// Its account is used up: ElevenLabs closes with 1008, other servers answer the upgrade with 429.
    Quota,
    /// It takes the socket and never the conversation.
    Unready,
    /// It hears the caller, and pings, and does not answer.
    Silent,
    /// Its process hangs: not even a pong.
    Hangs,
    /// It closes with 1011 while it speaks.
    MidSentence,
    /// It waits for a tool that never answers.
    SlowTool,
    Garbage,
}

/// What the caller met with.
#[derive(Debug)]
struct Met {
    silence: Duration,
    without_voice: Duration,
    end: Option<StreamEnd>,
    events: Vec<CallEvent>,
}

/// When the caller began to wait: at the stream's start, then whenever they have said something.
type Waiting = Arc<Mutex<Instant>>;

#[tokio::test(start_paused = true)]
async fn a_caller_waits_two_seconds_at_the_median() {
    let mut told = String::new();
    let mut waits = Vec::new();
    for vendor in VENDORS {
        for fault in FAULTS {
            if !vendor.can(fault) {
                continue;
            }
            let met = call(vendor, fault, 2).await;
            waits.push(met.without_voice);
            writeln!(told, "{vendor:?} {fault:?}: {}", met.row()).unwrap();
        }
    }
    waits.sort_unstable();
    let median = waits[waits.len() / 2];
    assert!(median <= Duration::from_secs(2), "{median:?}\n{told}");
    // What every call has before its agent says the first word: 0.9 s, of which 0.3 s are for connecting.
    assert_snapshot!(told, @"
    ElevenLabs Refuse: lost after 2 (cannot reach it), silence 1.2 s, voice after 1.9 s, completed
    ElevenLabs Unauthorised: lost after 1 (refused with status 401), silence 0.9 s, voice after 1.6 s, completed
    ElevenLabs Quota: lost after 1 (the agent closed the socket with 1008: This request exceeds your quota limit.), silence 1.0 s, voice after 1.7 s, completed
    ElevenLabs Unready: lost after 1 (the agent was not ready within 2 s), silence 2.6 s, voice after 3.3 s, completed
    ElevenLabs Silent: lost after 1 (the agent did not answer the caller within 6 s), silence 6.6 s, voice after 7.3 s, completed
    ElevenLabs Hangs: lost after 1 (the agent did not answer the caller within 6 s), silence 6.6 s, voice after 7.3 s, completed
    ElevenLabs MidSentence: lost after 1 (the agent closed the socket with 1011: oops), silence 0.9 s, voice after 0.9 s, completed
    ElevenLabs SlowTool: kept, silence 1.6 s, voice after 5.6 s, completed
    ElevenLabs Garbage: lost after 1 (the agent says nothing that makes sense), silence 0.9 s, voice after 1.3 s, completed
    TwilioStream Refuse: lost after 2 (cannot reach it), silence 1.2 s, voice after 1.5 s, completed
    TwilioStream Unauthorised: lost after 1 (refused with status 401), silence 0.9 s, voice after 1.2 s, completed
    TwilioStream Quota: lost after 2 (refused with status 429), silence 1.2 s, voice after 1.5 s, completed
    TwilioStream Hangs: lost after 1 (the agent said nothing for 10 s), silence 8.6 s, voice after 8.9 s, completed
    TwilioStream MidSentence: lost after 1 (the agent closed the socket with 1011: oops), silence 0.9 s, voice after 0.9 s, completed
    TwilioStream Garbage: lost after 1 (the agent says nothing that makes sense), silence 0.9 s, voice after 0.9 s, completed
    Binary Refuse: lost after 2 (cannot reach it), silence 1.2 s, voice after 1.9 s, completed
    Binary Unauthorised: lost after 1 (refused with status 401), silence 0.9 s, voice after 1.6 s, completed
    Binary Quota: lost after 2 (refused with status 429), silence 1.2 s, voice after 1.9 s, completed
    Binary Silent: lost after 1 (the agent did not answer the caller within 6 s), silence 6.6 s, voice after 7.3 s, completed
    Binary Hangs: lost after 1 (the agent did not answer the caller within 6 s), silence 6.6 s, voice after 7.3 s, completed
    Binary MidSentence: lost after 1 (the agent closed the socket with 1011: oops), silence 0.9 s, voice after 0.9 s, completed
    Binary SlowTool: kept, silence 1.6 s, voice after 5.6 s, completed
    Binary Garbage: lost after 1 (the agent says nothing that makes sense), silence 0.9 s, voice after 1.3 s, completed
    RetellWeb Refuse: lost after 2 (cannot reach it), silence 1.2 s, voice after 1.5 s, completed
    RetellWeb Unauthorised: lost after 1 (refused with status 401), silence 0.9 s, voice after 1.2 s, completed
    RetellWeb Quota: lost after 2 (refused with status 429), silence 1.2 s, voice after 1.5 s, completed
    RetellWeb Hangs: lost after 1 (the agent said nothing for 10 s), silence 8.6 s, voice after 8.9 s, completed
    RetellWeb MidSentence: lost after 1 (the agent closed the socket with 1011: oops), silence 0.9 s, voice after 0.9 s, completed
    RetellWeb Garbage: lost after 1 (the agent says nothing that makes sense), silence 0.9 s, voice after 0.9 s, completed
    ");
}

#[tokio::test(start_paused = true)]
async fn without_a_stand_in_the_caller_is_told_as_soon_as_the_agent_is_lost() {
    let mut told = String::new();
    for vendor in VENDORS {
        for fault in FAULTS {
            // An agent that merely does not answer keeps the call where nobody could do better.
            if !vendor.can(fault) || matches!(fault, Fault::Silent | Fault::SlowTool) {
                continue;
            }
            let met = call(vendor, fault, 1).await;
            assert_eq!(met.end, Some(StreamEnd::AgentFailed), "{vendor:?} {fault:?}");
            writeln!(told, "{vendor:?} {fault:?}: {}", met.row()).unwrap();
        }
    }
    assert_snapshot!(told, @"
    ElevenLabs Refuse: lost after 2 (cannot reach it), silence 0.6 s, voice after 0.6 s, agent_failed
    ElevenLabs Unauthorised: lost after 1 (refused with status 401), silence 0.3 s, voice after 0.3 s, agent_failed
    ElevenLabs Quota: lost after 1 (the agent closed the socket with 1008: This request exceeds your quota limit.), silence 0.3 s, voice after 0.3 s, agent_failed
    ElevenLabs Unready: lost after 1 (the agent was not ready within 10 s), silence 10.0 s, voice after 10.0 s, agent_failed
    ElevenLabs Hangs: lost after 1 (the agent's socket broke: it stopped reading), silence 15.3 s, voice after 15.3 s, agent_failed
    ElevenLabs MidSentence: lost after 1 (the agent closed the socket with 1011: oops), silence 0.9 s, voice after 0.9 s, agent_failed
    ElevenLabs Garbage: lost after 1 (the agent says nothing that makes sense), silence 0.9 s, voice after 0.9 s, agent_failed
    TwilioStream Refuse: lost after 2 (cannot reach it), silence 0.6 s, voice after 0.6 s, agent_failed
    TwilioStream Unauthorised: lost after 1 (refused with status 401), silence 0.3 s, voice after 0.3 s, agent_failed
    TwilioStream Quota: lost after 2 (refused with status 429), silence 0.6 s, voice after 0.6 s, agent_failed
    TwilioStream Hangs: lost after 1 (the agent's socket broke: it stopped reading), silence 13.7 s, voice after 13.7 s, agent_failed
    TwilioStream MidSentence: lost after 1 (the agent closed the socket with 1011: oops), silence 0.9 s, voice after 0.9 s, agent_failed
    TwilioStream Garbage: lost after 1 (the agent says nothing that makes sense), silence 0.9 s, voice after 0.9 s, agent_failed
    Binary Refuse: lost after 2 (cannot reach it), silence 0.6 s, voice after 0.6 s, agent_failed
    Binary Unauthorised: lost after 1 (refused with status 401), silence 0.3 s, voice after 0.3 s, agent_failed
    Binary Quota: lost after 2 (refused with status 429), silence 0.6 s, voice after 0.6 s, agent_failed
    Binary Hangs: lost after 1 (the agent's socket broke: it stopped reading), silence 17.8 s, voice after 17.8 s, agent_failed
    Binary MidSentence: lost after 1 (the agent closed the socket with 1011: oops), silence 0.9 s, voice after 0.9 s, agent_failed
    Binary Garbage: lost after 1 (the agent says nothing that makes sense), silence 0.9 s, voice after 0.9 s, agent_failed
    RetellWeb Refuse: lost after 2 (cannot reach it), silence 0.6 s, voice after 0.6 s, agent_failed
    RetellWeb Unauthorised: lost after 1 (refused with status 401), silence 0.3 s, voice after 0.3 s, agent_failed
    RetellWeb Quota: lost after 2 (refused with status 429), silence 0.6 s, voice after 0.6 s, agent_failed
    RetellWeb Hangs: lost after 1 (the agent's socket broke: it stopped reading), silence 17.8 s, voice after 17.8 s, agent_failed
    RetellWeb MidSentence: lost after 1 (the agent closed the socket with 1011: oops), silence 0.9 s, voice after 0.9 s, agent_failed
    RetellWeb Garbage: lost after 1 (the agent says nothing that makes sense), silence 0.9 s, voice after 0.9 s, agent_failed
    ");
}

const FAULTS: [Fault; 9] = [
    Fault::Refuse,
    Fault::Unauthorised,
    Fault::Quota,
    Fault::Unready,
    Fault::Silent,
    Fault::Hangs,
    Fault::MidSentence,
    Fault::SlowTool,
    Fault::Garbage,
];

impl Met {
    fn row(&self) -> String {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f32());
        let tries = self.events.iter().filter(|event| matches!(event, CallEvent::AgentLost { .. })).count();
        let reason = self.events.iter().rev().find_map(|event| match event {
            CallEvent::AgentLost { reason, will_retry: false, .. } => Some(reason.as_str()),
            _ => None,
        });
        let fate = match reason {
            Some(reason) => format!("lost after {tries} ({reason})"),
            None => "kept".to_owned(),
        };
        // A call whose far side hung up ends as completed.
        let disposition = self.end.map(|end| end.disposition().map_or("completed", |known| known.as_str()));
        let (silence, voice) = (seconds(self.silence), seconds(self.without_voice));
        format!("{fate}, silence {silence}, voice after {voice}, {}", disposition.unwrap_or_default())
    }
}

/// One call from its start to its end, whose first agent fails so.
async fn call(vendor: Vendor, fault: Fault, agents: usize) -> Met {
    let tracker = TaskTracker::new();
    let (mut carrier, relay_end) = carrier_pipe(64 << 10).await;
    let (recorder, mut journal) = mpsc::channel(1_000);
    let (requests, mut asked) = mpsc::channel(16);
    let (commands, inbox) = mpsc::channel(16);
    let waiting: Waiting = Arc::new(Mutex::new(now()));
    let (since, actors) = (Arc::clone(&waiting), tracker.clone());
    let hooks = Hooks {
        admit: Box::new(move |_| Ok(admission(vendor, fault, agents, since, actors))),
        recorder,
        ask: Box::new(move |request| requests.try_send(request).unwrap()),
        looks: Looks::new(Handle::current()),
    };
    let task = tracker.spawn(run(relay_end, Arc::default(), hooks, inbox));
    tracker.spawn(async move {
        while let Some(request) = asked.recv().await {
            let Request::RunTool { call, .. } = request else { continue };
            sleep(TOOL_LIMIT).await;
            let (id, result) = (call.id, "The tool did not answer.".to_owned());
            let _ = commands.send(Box::new(Command::ToolFinished { id, result, is_error: true })).await;
        }
    });
    say(&mut carrier, start("good")).await;
    let (silence, without_voice) = listen(&mut carrier, &waiting, fault == Fault::SlowTool).await;
    let _ = carrier.send(Message::text(stop().to_string())).await;
    drop(carrier);
    let end = task.await.unwrap().ended.map(|ended| ended.cause);
    let mut events = Vec::new();
    while let Some((_, event)) = journal.recv().await {
        events.push(event);
    }
    tracker.close();
    tracker.wait().await;
    Met { silence, without_voice, end, events }
}

fn admission(vendor: Vendor, fault: Fault, agents: usize, waiting: Waiting, actors: TaskTracker) -> Admission<Near> {
    let names = ["a1", "a2"].map(|id| id.parse().unwrap());
    let tone = audio(TONE, 500);
    let terms = Terms {
        max_duration: Duration::from_mins(5),
        agents: names[..agents].to_vec(),
        comfort: Some(MulawChunk::from_base64(base64(&tone))),
        ..Terms::default()
    };
    Admission {
        call_id: CallId::from_uuid(Uuid::from_u128(1)),
        terms,
        tap: Arc::default(),
        warmed: None,
        dial: Box::new(move |place| {
            let fault = (place == 0).then_some(fault);
            dial(vendor, fault, Arc::clone(&waiting), actors.clone())
        }),
    }
}

fn dial(
    vendor: Vendor,
    fault: Option<Fault>,
    waiting: Waiting,
    actors: TaskTracker,
) -> BoxFuture<'static, Result<AgentSocket<Near>, DialFailure>> {
    async move {
        sleep(CONNECTING).await;
        let failure = |reason: &str, retryable| Err(DialFailure { reason: reason.to_owned(), retryable });
        match fault {
            Some(Fault::Refuse) => return failure("cannot reach it", true),
            Some(Fault::Unauthorised) => return failure("refused with status 401", false),
            Some(Fault::Quota) if vendor != Vendor::ElevenLabs => return failure("refused with status 429", true),
            _ => {}
        }
        let (socket, far) = agent_pipe(64 << 10).await;
        let agent = Agent { vendor, fault, socket: far, waiting, lines: VecDeque::new() };
        actors.spawn(agent.run());
        Ok(AgentSocket { socket, dialect: vendor.dialect() })
    }
    .boxed()
}

/// The caller's ear: plays what comes, returns marks when it is played, until the agent that has the call in the end was heard.
async fn listen(carrier: &mut Pipe, waiting: &Waiting, by_first: bool) -> (Duration, Duration) {
    let mut frames = interval(Duration::from_millis(20));
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut played, mut voice_until) = (now(), now());
    let mut marks: VecDeque<(Instant, Value)> = VecDeque::new();
    let (mut silence, mut without_voice) = (Duration::ZERO, Duration::ZERO);
    loop {
        tokio::select! {
            biased;
            message = carrier.next() => {
                let since = *waiting.lock().unwrap();
                let Some(Ok(Message::Text(text))) = message else {
                    // The server gave up: from here on the carrier speaks.
                    let wait = |until: Instant| now().saturating_duration_since(until.max(since));
                    return (silence.max(wait(played)), without_voice.max(wait(voice_until)));
                };
                let message: Value = serde_json::from_str(&text).unwrap();
                if let Some(audio) = audio_of(&message) {
                    silence = silence.max(now().saturating_duration_since(played.max(since)));
                    played = played.max(now()) + Duration::from_millis(audio.len() as u64 / 8);
                    if audio[0] != TONE {
                        without_voice = without_voice.max(now().saturating_duration_since(voice_until.max(since)));
                        voice_until = played;
                    }
                    if audio[0] == SECOND || by_first && marks_answer(&audio) {
                        return (silence, without_voice);
                    }
                } else if message["event"] == "mark" {
                    marks.push_back((played, message));
                } else if message["event"] == "clear" {
                    played = now();
                }
            }
            () = sleep_until(marks.front().map_or_else(|| now() + Duration::from_mins(1), |mark| mark.0)) => {
                if let Some((_, mark)) = marks.pop_front() {
                    say(carrier, mark).await;
                }
            }
            _ = frames.tick() => say(carrier, media(&[0xFF; 160])).await,
        }
    }
}

/// The first agent's answer is shorter than its greeting.
fn marks_answer(audio: &[u8]) -> bool {
    audio.len() == 1_600
}

/// The far end of an agent's socket.
struct Agent {
    vendor: Vendor,
    /// None in the one that takes over.
    fault: Option<Fault>,
    socket: Pipe,
    waiting: Waiting,
    /// What it says next, and when.
    lines: VecDeque<(Instant, Vec<Message>)>,
}

impl Agent {
    async fn run(mut self) {
        if self.vendor == Vendor::RetellWeb {
            // It was registered, and is told nothing on the socket.
            self.begin();
        }
        loop {
            let next = self.lines.front().map_or_else(|| now() + Duration::from_mins(10), |line| line.0);
            tokio::select! {
                biased;
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.take(&serde_json::from_str(&text).unwrap()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                () = sleep_until(next) => {
                    let Some((_, messages)) = self.lines.pop_front() else { continue };
                    if messages.is_empty() {
                        // It hangs: reads nothing and keeps the socket.
                        return sleep(Duration::from_mins(2)).await;
                    }
                    for message in messages {
                        if message == caller_said(self.vendor) {
                            *self.waiting.lock().unwrap() = now();
                            if !self.vendor.tells_words() {
                                continue;
                            }
                        }
                        if self.socket.send(message).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn take(&mut self, message: &Value) {
        let kind = message["type"].as_str().or(message["event"].as_str()).unwrap_or_default();
        match kind {
            "conversation_initiation_client_data" | "start" => self.begin(),
            // Whatever it answers, it answers with a shorter sentence than its greeting.
            "user_message" if self.fault.is_none() => self.plan(THINKING, vec![self.vendor.audio(SECOND, 200)]),
            "client_tool_result" | "tool_result" => self.plan(THINKING, vec![self.vendor.audio(FIRST, 200)]),
            _ => {}
        }
    }

    fn begin(&mut self) {
        if self.fault == Some(Fault::Unready) {
            return;
        }
        if self.vendor == Vendor::ElevenLabs {
            self.plan(Duration::ZERO, vec![Message::text(ready().to_string())]);
        }
        let Some(fault) = self.fault else {
            // A bot of the Twilio dialect has what was said in its parameters, and neither it nor Retell's can be asked.
            if !self.vendor.tells_words() {
                self.plan(THINKING, vec![self.vendor.audio(SECOND, 200)]);
            }
            return;
        };
        let close = |code: u16, reason: &'static str| {
            Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
        };
        if fault == Fault::Quota {
            return self.plan(Duration::from_millis(50), vec![close(1008, "This request exceeds your quota limit.")]);
        }
        let greeting = self.vendor.audio(FIRST, 1_000);
        let said = caller_said(self.vendor);
        self.plan(THINKING, vec![greeting]);
        let after_greeting = THINKING + Duration::from_secs(2);
        match fault {
            Fault::Silent => {
                self.plan(after_greeting, vec![said]);
                (1..10).for_each(|n| self.plan(after_greeting + Duration::from_secs(n), vec![self.vendor.alive()]));
            }
            Fault::Hangs => self.plan(after_greeting, vec![said]),
            Fault::MidSentence => self.plan(THINKING + Duration::from_millis(100), vec![close(1011, "oops")]),
            Fault::SlowTool => self.plan(after_greeting, vec![said, self.vendor.tool_call()]),
            Fault::Garbage => {
                let nonsense = std::iter::repeat_n(Message::text("%%%"), 8);
                self.plan(after_greeting, std::iter::once(said).chain(nonsense).collect());
            }
            Fault::Refuse | Fault::Unauthorised | Fault::Quota | Fault::Unready => {}
        }
        if fault == Fault::Hangs {
            self.plan(after_greeting, Vec::new());
        }
    }

    fn plan(&mut self, after: Duration, messages: Vec<Message>) {
        self.lines.push_back((now() + after, messages));
    }
}

impl Vendor {
    /// Whether it says what the caller said as soon as they have. Retell's protocol tells a line when the next one has begun.
    fn tells_words(self) -> bool {
        matches!(self, Self::ElevenLabs | Self::Binary)
    }

    /// Without words nobody knows that an answer is due, nor are there tools; and only ElevenLabs' agents say themselves that they take a
    /// conversation.
    fn can(self, fault: Fault) -> bool {
        match fault {
            Fault::Unready => self == Self::ElevenLabs,
            Fault::Silent | Fault::SlowTool => self.tells_words(),
            _ => true,
        }
    }

    fn dialect(self) -> Dialect {
        match self {
            Self::ElevenLabs => Dialect::elevenlabs(),
            Self::TwilioStream => {
                Dialect::TwilioStream(TwilioStream::new(AccountSid::new("AC1"), StreamSid::new("MZ2")))
            }
            Self::Binary => Dialect::Binary(Binary::new(ConversationId::new("conv_1"), AudioFormat::Ulaw8000)),
            Self::RetellWeb => Dialect::RetellWeb(RetellWeb::new(ConversationId::new("conv_1"))),
        }
    }

    fn audio(self, value: u8, ms: usize) -> Message {
        let mulaw = audio(value, ms);
        match self {
            Self::ElevenLabs => Message::text(speech(1, &mulaw).to_string()),
            Self::TwilioStream => Message::text(media(&mulaw).to_string()),
            Self::Binary | Self::RetellWeb => Message::binary(mulaw),
        }
    }

    fn alive(self) -> Message {
        match self {
            Self::ElevenLabs => Message::text(json!({"type": "ping", "ping_event": {"event_id": 1}}).to_string()),
            Self::TwilioStream | Self::Binary | Self::RetellWeb => Message::Pong(Bytes::new()),
        }
    }

    fn tool_call(self) -> Message {
        let (id, name) = ("t1", "find_customer");
        Message::text(match self {
            Self::ElevenLabs => json!({"type": "client_tool_call", "client_tool_call": {
                "tool_name": name, "tool_call_id": id, "parameters": {}, "event_id": 1}})
            .to_string(),
            Self::TwilioStream | Self::Binary | Self::RetellWeb => {
                json!({"type": "tool_call", "id": id, "name": name, "arguments": {}}).to_string()
            }
        })
    }
}

/// The agent understood the caller. (Where the protocol has no words for that, nothing is sent.)
fn caller_said(vendor: Vendor) -> Message {
    let text = "What does it cost?";
    Message::text(match vendor {
        Vendor::ElevenLabs => json!({"type": "user_transcript", "user_transcription_event": {
            "user_transcript": text, "event_id": 1}})
        .to_string(),
        Vendor::TwilioStream | Vendor::Binary | Vendor::RetellWeb => {
            json!({"type": "caller_said", "text": text}).to_string()
        }
    })
}

fn audio(value: u8, ms: usize) -> Vec<u8> {
    vec![value; ms * 8]
}

fn base64(mulaw: &[u8]) -> Bytes {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(mulaw).into()
}

#[expect(clippy::disallowed_methods, reason = "virtual time: the test's own")]
fn now() -> Instant {
    Instant::now()
}
