//! The language of the scenarios: a line an input (`20ms carrier media 160`), a line an output. The one place that touches the API.
//!
//! Timers fire by themselves, at their own time. A line with only a time waits until then. Outputs that repeat are counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::domain::agent_link::{AgentCommand, AgentEvent, Initiation, ToolCall};
use crate::domain::audio::{AudioFormat, MulawChunk};
use crate::domain::carrier_stream::{CarrierCommand, CarrierEvent, StreamStart};
use crate::domain::event::{Actor, Door, MessageKind};
use crate::domain::{AccountSid, CallEvent, CallSid, ConversationId, Disposition, StreamSid};
use crate::session::{Command, Input, Output, Play, Session, Sound, Steer, Terms, Turn};

/// A stream whose agent has been ready since 200 ms.
pub(super) const CONVERSING: &str = "0ms carrier start
    0ms admitted
    100ms agent connected
    200ms agent ready";

/// The same, and the agent has begun to speak at 1 s: 2 s of speech, of which the carrier has played the first.
pub(super) const SPEAKING: &str = "0ms carrier start
    0ms admitted
    100ms agent connected
    200ms agent ready
    1000ms agent said 1 one two three four
    1000ms agent speaks 1 1000
    1000ms agent speaks 1 1000
    2050ms carrier mark t1-1";

#[expect(clippy::disallowed_methods, reason = "the tests need some instant to count from")]
pub(super) fn any_instant() -> Instant {
    Instant::now()
}

pub(super) fn silence(bytes: usize) -> MulawChunk {
    MulawChunk::from_base64(Bytes::from(base64::engine::general_purpose::STANDARD.encode(vec![0xFF; bytes])))
}

pub(super) fn start() -> StreamStart {
    StreamStart {
        account_sid: AccountSid::new("AC1"),
        call_sid: CallSid::new("CA1"),
        stream_sid: StreamSid::new("MZ1"),
        encoding: "audio/x-mulaw".to_owned(),
        sample_rate: 8_000,
        parameters: BTreeMap::from([("token".to_owned(), "t".to_owned())]),
    }
}

pub(super) fn terms() -> Terms {
    Terms {
        initiation: Initiation::default(),
        max_duration: Duration::from_mins(1),
        approved_tools: ["lookup".to_owned(), "crm/update".to_owned()].into(),
        ..Terms::default()
    }
}

/// The same, with two more agents and a comfort tone of half a second.
pub(super) fn with_stand_ins() -> Terms {
    let agents = ["a1", "a2", "a3"].map(|id| id.parse().unwrap()).to_vec();
    Terms { agents, comfort: Some(silence(4_000)), ..terms() }
}

/// A stream with two stand-ins whose agent has been ready since 200 ms.
pub(super) const CONVERSING_WITH_STAND_INS: &str = "0ms carrier start
    0ms admitted with stand-ins
    100ms agent connected
    200ms agent ready";

/// What a session makes of `story`.
pub(super) fn tell(story: &str) -> String {
    after("", story)
}

/// What a session that has been through `before` makes of `story`.
pub(super) fn after(before: &str, story: &str) -> String {
    let begin = any_instant();
    let mut session = Session::new(Arc::default(), begin);
    let mut heard = Vec::new();
    play(&mut session, begin, before, &mut Vec::new());
    play(&mut session, begin, story, &mut heard);
    count_repeats(&heard)
}

/// The lines of `what`, said so many times, first after one `step`.
pub(super) fn every(step: Duration, times: u32, what: &str) -> String {
    let lines = (1..=times).flat_map(|n| what.lines().map(move |line| format!("{}ms {line}", (step * n).as_millis())));
    lines.collect::<Vec<_>>().join("\n")
}

/// All but what went to the agent, where much does and none of it matters.
pub(super) fn without_agent_audio(told: &str) -> String {
    told.lines().filter(|line| !line.contains("→ agent")).collect::<Vec<_>>().join("\n")
}

/// Whose turn it is after `story`.
pub(super) fn turn_after(story: &str) -> Option<Turn> {
    let begin = any_instant();
    let mut session = Session::new(Arc::default(), begin);
    play(&mut session, begin, story, &mut Vec::new());
    session.turn()
}

fn play(session: &mut Session, begin: Instant, story: &str, said: &mut Vec<String>) {
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (time, what) = line.split_once(' ').unwrap_or((line, ""));
        let at = begin + Duration::from_millis(time.strip_suffix("ms").unwrap().parse().unwrap());
        while let Some(due) = session.poll_timeout().filter(|due| *due <= at) {
            step(session, begin, due, Input::Timeout, said);
        }
        if !what.is_empty() {
            step(session, begin, at, parse(what), said);
        }
    }
}

fn step(session: &mut Session, begin: Instant, now: Instant, input: Input, said: &mut Vec<String>) {
    session.handle_input(now, input);
    while let Some(output) = session.poll_output() {
        // Comes with every turn; its answer is a line of the story where it matters.
        if output == Output::AskWritten {
            continue;
        }
        said.push(format!("{}ms {}", (now - begin).as_millis(), describe(&output)));
    }
}

fn count_repeats(lines: &[String]) -> String {
    lines
        .chunk_by(|a, b| a == b)
        .map(|same| if same.len() == 1 { same[0].clone() } else { format!("{} ×{}", same[0], same.len()) })
        .collect::<Vec<_>>()
        .join("\n")
}

fn parse(what: &str) -> Input {
    let words: Vec<&str> = what.split(' ').collect();
    match words[..] {
        ["carrier", ref rest @ ..] => parse_carrier(rest),
        ["agent", ref rest @ ..] => parse_agent(rest),
        ["caller", "said", ref text @ ..] => Input::Agent(AgentEvent::CallerSaid { text: text.join(" ") }),
        ["admitted"] => Input::Admitted { terms: Box::new(terms()), warmed: false },
        ["admitted", "held", "back"] => {
            let terms = Terms { hold_back: Some(Duration::from_secs(2)), ..terms() };
            Input::Admitted { terms: Box::new(terms), warmed: false }
        }
        ["admitted", "warned"] => {
            let terms =
                Terms { warn_before_end: Duration::from_secs(20), notes: vec!["A note.".to_owned()], ..terms() };
            Input::Admitted { terms: Box::new(terms), warmed: false }
        }
        ["admitted", "with", "stand-ins"] => Input::Admitted { terms: Box::new(with_stand_ins()), warmed: false },
        ["admitted", "to", "open"] => {
            let mut terms = with_stand_ins();
            terms.initiation.first_message = Some("This is a machine.".to_owned());
            Input::Admitted { terms: Box::new(terms), warmed: false }
        }
        ["admitted", "for", "an", "operator"] => {
            let by = Actor::new(Door::Console, "kim");
            Input::Admitted { terms: Box::new(Terms { operator: Some(by), ..terms() }), warmed: false }
        }
        ["admitted", "while", "looked", "up"] => {
            let terms = Terms { recognition: Some(Duration::from_millis(150)), ..terms() };
            Input::Admitted { terms: Box::new(terms), warmed: false }
        }
        ["recognised", name] => {
            let variables = BTreeMap::from([("lead_first_name".to_owned(), json!(name))]);
            Input::Command(Command::Recognised { variables })
        }
        ["admitted", "warm"] => Input::Admitted { terms: Box::new(terms()), warmed: true },
        ["refused"] => Input::Refused,
        ["journal", "full"] => Input::JournalFull,
        ["operator", "hangs", "up"] => Input::Command(Command::HangUp {
            by: Actor::new(Door::Console, "kim"),
            disposition: Disposition::Completed,
        }),
        ["tool", "hangs", "up"] => Input::Command(Command::HangUp {
            by: Actor::new(Door::Agent, "hang_up"),
            disposition: Disposition::OptedOut,
        }),
        ["tool", "finished", id] => {
            Input::Command(Command::ToolFinished { id: id.to_owned(), result: "done".to_owned(), is_error: false })
        }
        ["context", ref text @ ..] => Input::Command(Command::Context { text: text.join(" ") }),
        ["operator", ref rest @ ..] => parse_operator(rest),
        ["house", ref rest @ ..] => parse_house(rest),
        _ => panic!("no such input: {what}"),
    }
}

fn parse_operator(words: &[&str]) -> Input {
    let by = Actor::new(Door::Console, "kim");
    let message = |kind, text: &[&str]| Steer::Message { kind, text: text.join(" ") };
    let what = match *words {
        ["tells", ref text @ ..] => message(MessageKind::Context, text),
        ["asks", ref text @ ..] => message(MessageKind::UserMessage, text),
        ["mutes"] => Steer::Mute,
        ["unmutes"] => Steer::Unmute,
        // A tone of so many milliseconds.
        ["holds", ms] => Steer::Hold { tone: silence(ms.parse::<usize>().unwrap() * 8) },
        ["resumes"] => Steer::Resume,
        ["takes", "over"] => Steer::TakeOver,
        ["hands", "back"] => Steer::HandBack,
        ["speaks", ms] => {
            return Input::Command(Command::Play(Play::Operator(silence(ms.parse::<usize>().unwrap() * 8))));
        }
        _ => panic!("no such step: {words:?}"),
    };
    Input::Command(Command::Steer { by, what })
}

fn parse_house(words: &[&str]) -> Input {
    let by = Actor::new(Door::Console, "kim");
    let number = |text: &str| text.parse().unwrap();
    let what = match *words {
        ["begins", utterance, ref text @ ..] => {
            Play::Begin { utterance: number(utterance), by, sound: Sound::Speech(text.join(" ")) }
        }
        ["keys", utterance, keys] => {
            Play::Begin { utterance: number(utterance), by, sound: Sound::Keys(keys.to_owned()) }
        }
        ["plays", utterance, ms] => {
            Play::Audio { utterance: number(utterance), chunk: silence(ms.parse::<usize>().unwrap() * 8) }
        }
        ["ends", utterance] => Play::End { utterance: number(utterance) },
        ["releases"] => return Input::Command(Command::Steer { by, what: Steer::Release }),
        _ => panic!("no such audio: {words:?}"),
    };
    Input::Command(Command::Play(what))
}

fn parse_carrier(words: &[&str]) -> Input {
    Input::Carrier(match *words {
        ["connected"] => CarrierEvent::Connected,
        ["start"] => CarrierEvent::Start(start()),
        ["start", encoding] => CarrierEvent::Start(StreamStart { encoding: encoding.to_owned(), ..start() }),
        ["media", bytes] => CarrierEvent::Media(silence(bytes.parse().unwrap())),
        ["mark", name] => CarrierEvent::Mark(name.to_owned()),
        ["dtmf", digit] => CarrierEvent::Dtmf(digit.parse().unwrap()),
        ["takes", "it"] => return Input::Written,
        ["stop"] => CarrierEvent::Stop,
        ["unknown"] => CarrierEvent::Unknown,
        ["malformed"] => return Input::CarrierMalformed,
        ["closed"] => return Input::CarrierClosed,
        ["faulted"] => return Input::CarrierFaulted,
        _ => panic!("no such carrier event: {words:?}"),
    })
}

fn parse_agent(words: &[&str]) -> Input {
    let number = |text: &str| text.parse().unwrap();
    Input::Agent(match *words {
        ["connected"] => return Input::AgentConnected { warmed: false },
        ["connected", "warm"] => return Input::AgentConnected { warmed: true },
        ["refused", kind] => {
            return Input::AgentDialFailed { reason: "no answer".to_owned(), retryable: kind == "retryable" };
        }
        ["ready"] => AgentEvent::Ready {
            conversation_id: ConversationId::new("conv_1"),
            caller_audio: AudioFormat::Ulaw8000,
            agent_audio: AudioFormat::Ulaw8000,
        },
        // So many milliseconds of speech in one chunk.
        ["speaks", turn, ms] => {
            AgentEvent::Audio { chunk: silence(ms.parse::<usize>().unwrap() * 8), turn: number(turn) }
        }
        ["said", turn, ref text @ ..] => AgentEvent::AgentSaid { turn: number(turn), text: text.join(" ") },
        ["interrupted", turn] => AgentEvent::Interrupted { turn: number(turn) },
        ["complete", turn] => AgentEvent::TurnComplete { turn: number(turn) },
        ["ping", id] => AgentEvent::Ping { id: number(id) },
        ["ends"] => AgentEvent::EndCall,
        ["fails", code, ref text @ ..] => AgentEvent::Failed { code: code.to_owned(), message: text.join(" ") },
        ["asks", service, tool] => AgentEvent::ApprovalWanted {
            tool_call_id: format!("ask_{tool}"),
            service: service.to_owned(),
            tool: tool.to_owned(),
        },
        ["calls", id, name] => AgentEvent::ToolCall(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: json!({}),
            expects_answer: true,
        }),
        ["marks", name] => AgentEvent::Mark { name: name.to_owned() },
        ["alive"] => AgentEvent::Alive,
        ["works"] => AgentEvent::Working,
        ["other"] => AgentEvent::Other,
        ["malformed"] => return Input::AgentMalformed,
        ["unsupported"] => return Input::AgentUnsupported("set ulaw_8000".to_owned()),
        ["breaks"] => return Input::AgentClosed { code: None, reason: String::new() },
        ["closes", code] => return Input::AgentClosed { code: code.parse().ok(), reason: String::new() },
        _ => panic!("no such agent event: {words:?}"),
    })
}

fn describe(output: &Output) -> String {
    match output {
        Output::Admit(start) => format!("admit {}?", start.stream_sid),
        Output::DialAgent { attempt, agent: 0 } => format!("dial agent, attempt {attempt}"),
        Output::DialAgent { attempt, agent } => format!("dial stand-in {agent}, attempt {attempt}"),
        Output::ToCarrier(CarrierCommand::Media(chunk)) => format!("→ carrier: media {}", chunk.len()),
        Output::ToCarrier(CarrierCommand::Mark(name)) => format!("→ carrier: mark {name}"),
        Output::ToCarrier(CarrierCommand::Clear) => "→ carrier: clear".to_owned(),
        Output::AskWritten => "ask when written".to_owned(),
        Output::ToAgent(command) => format!("→ agent: {}", describe_agent_command(command)),
        Output::CloseAgent => "close agent".to_owned(),
        Output::Record(event) => format!("record {}", describe_event(event)),
        Output::RunTool(call) => format!("run tool {} {}", call.id, call.name),
        Output::HangUp(disposition) => format!("hang up, {}", disposition.as_str()),
        Output::CloseCarrier { code } => format!("close carrier, {code}"),
    }
}

fn describe_initiation(initiation: &Initiation) -> String {
    match initiation {
        Initiation { first_message: Some(text), .. } => format!("initiate, to say {text:?}"),
        Initiation { so_far: Some(so_far), .. } => format!("initiate after {so_far:?}"),
        Initiation { dynamic_variables, .. } => match dynamic_variables.get("lead_first_name") {
            Some(name) => format!("initiate for {name}"),
            None => "initiate".to_owned(),
        },
    }
}

fn describe_agent_command(command: &AgentCommand) -> String {
    match command {
        AgentCommand::Initiate(initiation) => describe_initiation(initiation),
        AgentCommand::Audio(chunk) => format!("audio {}", chunk.len()),
        AgentCommand::Pong { id } => format!("pong {id}"),
        AgentCommand::ToolResult { id, result, is_error } => format!("tool result {id} {result} error={is_error}"),
        AgentCommand::Approval { id, approved } => format!("approval {id} {approved}"),
        AgentCommand::Context { text } => format!("context {text}"),
        AgentCommand::UserMessage { text } => format!("user message {text}"),
        AgentCommand::Activity => "activity".to_owned(),
        AgentCommand::Key { key } => format!("key {key}"),
        AgentCommand::MarkPlayed { name } => format!("mark played {name}"),
        AgentCommand::Probe => "probe".to_owned(),
    }
}

/// The event's type and what in it is neither empty nor zero.
fn describe_event(event: &CallEvent) -> String {
    let Value::Object(mut fields) = serde_json::to_value(event).unwrap() else { panic!("an event is an object") };
    let kind = fields.remove("type").unwrap();
    if let Some(Value::Object(counters)) = fields.remove("counters") {
        fields.extend(counters.into_iter().filter(|(_, value)| *value != 0));
    }
    let fields: Map<String, Value> = fields.into_iter().filter(|(key, _)| !key.ends_with("_sid")).collect();
    let words = std::iter::once(kind.as_str().unwrap().to_owned());
    words.chain(fields.iter().map(|(key, value)| format!("{key}={value}"))).collect::<Vec<_>>().join(" ")
}
