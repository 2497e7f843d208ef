//! Random orders of input, and what must hold in every one of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::language::{any_instant, start, terms, with_stand_ins};
use crate::domain::agent_link::{AgentCommand, AgentEvent, ToolCall};
use crate::domain::audio::{AudioFormat, MulawChunk};
use crate::domain::carrier_stream::{CarrierCommand, CarrierEvent};
use crate::domain::event::{Actor, Door, MessageKind};
use crate::domain::{CallEvent, ConversationId, Disposition};
use crate::session::{Command, Input, Output, Play, Session, Sound, Steer};

/// The most that one input may bring forth: the caller's buffer in the smallest chunks used here, the notes, and some change.
const MAX_OUTPUTS: usize = 3 * 8_000 / SMALLEST + 16 + 20;

/// Bytes in the smallest chunk used here.
const SMALLEST: usize = 30;

/// A chunk of `bytes` (a multiple of 3) that says who it is: `number` in its first eight characters.
fn chunk(number: u64, bytes: usize) -> MulawChunk {
    let mut text = format!("{number:08}");
    text.extend(std::iter::repeat_n('A', bytes / 3 * 4 - 8));
    MulawChunk::from_base64(Bytes::from(text))
}

fn number_of(chunk: &MulawChunk) -> u64 {
    std::str::from_utf8(&chunk.base64()[..8]).unwrap().parse().unwrap()
}

/// An input before its audio has got a number.
#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Other(Input),
    CallerAudio(usize),
    AgentAudio {
        turn: u64,
        bytes: usize,
    },
    /// The oldest mark that is out comes back, if one is.
    Echo,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = prop_oneof![Just(SMALLEST), Just(162), Just(8_001)];
    let step = prop_oneof![
        4 => prop_oneof![0..30_u64, 90..110_u64, 1_000..20_000_u64].prop_map(Step::Wait),
        5 => bytes.clone().prop_map(Step::CallerAudio),
        8 => (0..8_u64, bytes).prop_map(|(turn, bytes)| Step::AgentAudio { turn, bytes }),
        4 => Just(Step::Echo),
        6 => carrier_input().prop_map(Step::Other),
        10 => agent_input().prop_map(Step::Other),
    ];
    // Most of what is interesting happens in a conversation, so most orders begin with one.
    let opening = prop_oneof![1 => Just(0), 1 => Just(1), 1 => Just(2), 4 => Just(4)];
    let opening = (opening, any::<bool>()).prop_map(|(length, alone)| {
        let opening = [
            Input::Carrier(CarrierEvent::Start(start())),
            Input::Admitted { terms: Box::new(if alone { terms() } else { with_stand_ins() }), warmed: false },
            Input::AgentConnected { warmed: false },
            ready(),
        ];
        opening[..length].iter().cloned().map(Step::Other).collect::<Vec<_>>()
    });
    (opening, prop::collection::vec(step, 0..80)).prop_map(|(opening, rest)| [opening, rest].concat())
}

fn ready() -> Input {
    Input::Agent(AgentEvent::Ready {
        conversation_id: ConversationId::new("conv_1"),
        caller_audio: AudioFormat::Ulaw8000,
        agent_audio: AudioFormat::Ulaw8000,
    })
}

fn carrier_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        1 => Just(Input::Carrier(CarrierEvent::Connected)),
        4 => Just(Input::Carrier(CarrierEvent::Start(start()))),
        1 => Just(Input::Carrier(CarrierEvent::Mark("t1-1".to_owned()))),
        1 => Just(Input::Carrier(CarrierEvent::Dtmf('5'))),
        1 => Just(Input::Carrier(CarrierEvent::Stop)),
        1 => Just(Input::Carrier(CarrierEvent::Unknown)),
        1 => Just(Input::CarrierMalformed),
        1 => Just(Input::CarrierClosed),
        1 => Just(Input::CarrierFaulted),
        8 => any::<bool>().prop_map(|warmed| Input::Admitted { terms: Box::new(terms()), warmed }),
        1 => Just(Input::Refused),
        1 => Just(Input::JournalFull),
        2 => Just(Input::Timeout),
        1 => Just(Input::CallerAudioDropped { bytes: 0 }),
        2 => Just(Input::Written),
    ]
}

fn agent_input() -> impl Strategy<Value = Input> {
    let text = || "one two three".to_owned();
    prop_oneof![
        4 => any::<bool>().prop_map(|warmed| Input::AgentConnected { warmed }),
        1 => any::<bool>().prop_map(|retryable| Input::AgentDialFailed { reason: String::new(), retryable }),
        4 => Just(ready()),
        4 => (0..8_u64).prop_map(|turn| Input::Agent(AgentEvent::Interrupted { turn })),
        2 => (0..8_u64).prop_map(move |turn| Input::Agent(AgentEvent::AgentSaid { turn, text: text() })),
        1 => (0..8_u64).prop_map(|turn| Input::Agent(AgentEvent::TurnComplete { turn })),
        1 => (0..8_u64).prop_map(|id| Input::Agent(AgentEvent::Ping { id })),
        1 => Just(Input::Agent(AgentEvent::CallerSaid { text: text() })),
        1 => Just(Input::Agent(AgentEvent::EndCall)),
        1 => Just(Input::Agent(AgentEvent::Other)),
        1 => (0..3_u8).prop_map(|id| Input::Agent(AgentEvent::ToolCall(ToolCall {
            id: id.to_string(),
            name: "tool".to_owned(),
            arguments: serde_json::Value::Null,
            expects_answer: true,
        }))),
        1 => (0..3_u8).prop_map(|id| Input::Command(Command::ToolFinished {
            id: id.to_string(),
            result: String::new(),
            is_error: false
        })),
        1 => Just(Input::AgentMalformed),
        1 => Just(Input::AgentUnsupported(String::new())),
        1 => prop_oneof![Just(None), Just(Some(1000)), Just(Some(1008)), Just(Some(1011))]
            .prop_map(|code| Input::AgentClosed { code, reason: String::new() }),
        1 => prop_oneof![Just(Door::Agent), Just(Door::Console)].prop_map(|door| {
            Input::Command(Command::HangUp { by: Actor::new(door, ""), disposition: Disposition::Completed })
        }),
        1 => Just(Input::Command(Command::Context { text: text() })),
        6 => steering().prop_map(|what| Input::Command(Command::Steer { by: Actor::new(Door::Console, ""), what })),
        6 => playing().prop_map(|what| Input::Command(Command::Play(what))),
    ]
}

fn steering() -> impl Strategy<Value = Steer> {
    prop_oneof![
        Just(Steer::Message { kind: MessageKind::UserMessage, text: String::new() }),
        Just(Steer::Mute),
        Just(Steer::Unmute),
        Just(Steer::Hold { tone: MulawChunk::silence(4_000) }),
        Just(Steer::Resume),
        Just(Steer::TakeOver),
        Just(Steer::HandBack),
        Just(Steer::Release),
    ]
}

/// Audio of ours is silence, by which it can be told from the agent's.
fn playing() -> impl Strategy<Value = Play> {
    let audio = || MulawChunk::silence(1_600);
    prop_oneof![
        (0..3_u32).prop_map(|utterance| Play::Begin {
            utterance,
            by: Actor::new(Door::Api, ""),
            sound: Sound::Speech(String::new())
        }),
        (0..3_u32).prop_map(move |utterance| Play::Audio { utterance, chunk: audio() }),
        (0..3_u32).prop_map(|utterance| Play::End { utterance }),
        Just(Play::Operator(audio())),
    ]
}

/// Drives a session and watches what it does.
struct Watch {
    session: Session,
    now: Instant,
    /// Numbers for audio; those of agent audio carry the turn in their last digit.
    next_number: u64,
    admitted: bool,
    /// Whether the session believes that an agent is there.
    agent_is_there: bool,
    started: u32,
    ended: u32,
    closed: bool,
    /// Turns that began, and those that were timed.
    begun: u32,
    timed: u32,
    marks_out: Vec<String>,
    marks_seen: BTreeSet<String>,
    last_caller_number: u64,
    last_agent_number: u64,
    void_through: Option<u64>,
    caller_bytes_forwarded: u64,
    agent_bytes_forwarded: u64,
    own_bytes: u64,
}

impl Watch {
    fn new() -> Self {
        let now = any_instant();
        Self {
            session: Session::new(Arc::default(), now),
            now,
            next_number: 1,
            admitted: false,
            agent_is_there: false,
            started: 0,
            ended: 0,
            closed: false,
            begun: 0,
            timed: 0,
            marks_out: Vec::new(),
            marks_seen: BTreeSet::new(),
            last_caller_number: 0,
            last_agent_number: 0,
            void_through: None,
            caller_bytes_forwarded: 0,
            agent_bytes_forwarded: 0,
            own_bytes: 0,
        }
    }

    fn take(&mut self, step: Step) {
        self.next_number += 10;
        let input = match step {
            Step::Wait(ms) => {
                self.now += Duration::from_millis(ms);
                Input::Timeout
            }
            Step::Other(input) => input,
            Step::CallerAudio(bytes) => Input::Carrier(CarrierEvent::Media(chunk(self.next_number, bytes))),
            Step::AgentAudio { turn, bytes } => {
                Input::Agent(AgentEvent::Audio { chunk: chunk(self.next_number + turn, bytes), turn })
            }
            Step::Echo if self.marks_out.is_empty() => return,
            Step::Echo => Input::Carrier(CarrierEvent::Mark(self.marks_out.remove(0))),
        };
        self.admitted |= matches!(input, Input::Admitted { .. });
        let was_timeout = input == Input::Timeout;
        let interrupted = match input {
            Input::Agent(AgentEvent::Interrupted { turn }) => Some(turn),
            _ => None,
        };
        self.session.handle_input(self.now, input);
        let mut outputs = 0;
        while let Some(output) = self.session.poll_output() {
            outputs += 1;
            assert!(outputs <= MAX_OUTPUTS, "too much comes out");
            assert!(!self.closed, "after the end: {output:?}");
            if output == Output::ToCarrier(CarrierCommand::Clear) {
                assert_eq!(outputs, 1, "clear comes first");
                self.void_through = self.void_through.max(interrupted);
            }
            self.watch(&output);
        }
        if was_timeout {
            assert!(self.session.poll_timeout().is_none_or(|at| at > self.now), "a deadline is left in the past");
        }
        assert_eq!(self.session.is_ended(), self.closed, "the end is announced by closing the carrier's socket");
        assert!(!self.closed || self.session.poll_timeout().is_none(), "an ended session waits for nothing");
    }

    fn watch(&mut self, output: &Output) {
        match output {
            Output::Admit(_) => assert!(!self.agent_is_there),
            Output::DialAgent { .. } => {
                assert!(self.admitted, "no agent before admission");
                self.agent_is_there = true;
                self.void_through = None;
            }
            Output::CloseAgent => self.agent_is_there = false,
            Output::ToAgent(command) => {
                assert!(self.agent_is_there, "{command:?} to nobody");
                if let AgentCommand::Audio(chunk) = command
                    // On hold the agent hears silence.
                    && !chunk.base64().starts_with(b"/")
                {
                    assert!(number_of(chunk) > self.last_caller_number, "caller audio out of order");
                    self.last_caller_number = number_of(chunk);
                    self.caller_bytes_forwarded += chunk.len() as u64;
                }
            }
            Output::ToCarrier(CarrierCommand::Media(chunk)) if chunk.base64().starts_with(b"/") => {
                self.own_bytes += chunk.len() as u64;
            }
            Output::ToCarrier(CarrierCommand::Media(chunk)) => {
                let (number, turn) = (number_of(chunk), number_of(chunk) % 10 - 1);
                assert!(number > self.last_agent_number, "agent audio out of order");
                assert!(self.void_through.is_none_or(|void| turn > void), "audio of an interrupted turn");
                self.last_agent_number = number;
                self.agent_bytes_forwarded += chunk.len() as u64;
            }
            Output::ToCarrier(CarrierCommand::Mark(name)) => {
                assert!(self.marks_seen.insert(name.clone()), "mark {name} was used before");
                self.marks_out.push(name.clone());
            }
            Output::AskWritten => self.begun += 1,
            Output::ToCarrier(CarrierCommand::Clear) | Output::RunTool(_) | Output::HangUp(_) => {
                assert!(self.admitted);
            }
            Output::Record(event) => self.watch_record(event),
            Output::CloseCarrier { .. } => self.closed = true,
        }
    }

    fn watch_record(&mut self, event: &CallEvent) {
        match event {
            CallEvent::StreamStarted { .. } => self.started += 1,
            CallEvent::StreamEnded { counters, .. } => {
                self.ended += 1;
                assert_eq!(self.timed, self.begun, "every turn is timed once");
                assert_eq!(counters.agent_bytes, self.agent_bytes_forwarded);
                assert_eq!(counters.own_bytes, self.own_bytes);
                let sent = counters.agent_bytes + counters.own_bytes;
                assert!(counters.heard_ms <= sent / 8, "heard more than was sent");
                assert!(self.caller_bytes_forwarded + counters.caller_dropped_bytes <= counters.caller_bytes);
            }
            CallEvent::TurnTimed(_) => self.timed += 1,
            CallEvent::BargeIn { heard_ms, sent_ms, .. } | CallEvent::OwnAudioHeard { heard_ms, sent_ms, .. } => {
                assert!(heard_ms <= sent_ms);
            }
            _ => {}
        }
        assert_eq!(self.started, 1, "{event:?} outside of the stream");
        let is_end = matches!(event, CallEvent::StreamEnded { .. });
        assert_eq!(self.ended, u32::from(is_end), "{event:?} after the end");
    }

    /// Lets time pass with nobody saying anything.
    fn wait_for_the_end(&mut self) {
        // A hold tone of half a second goes on until the carrier has been silent for too long.
        for _ in 0..100 {
            let Some(at) = self.session.poll_timeout() else { break };
            self.now = self.now.max(at);
            self.take(Step::Other(Input::Timeout));
        }
        assert!(self.closed, "a session that nobody talks to comes to its end");
        assert_eq!(self.started, self.ended, "one end for one start");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_always_holds(steps in steps()) {
        let mut watch = Watch::new();
        for step in steps {
            watch.take(step);
        }
        watch.wait_for_the_end();
    }
}
