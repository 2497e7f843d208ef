//! Whose turn it is on Retell's custom-LLM WebSocket: what Retell says goes in, what it is told and what the chat endpoint is asked
//! comes out. No I/O and no clock; one for each call, so that it outlives a socket that breaks and is dialled again.
//!
//! Only the newest question is answered: a newer response id voids the chat's answer to the one before. Tools that were begun run to
//! their end, and the next question knows of them. Tools of an answer that the caller talks over are not begun.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::domain::agent_link::ToolCall;

use super::chat::{self, ChatPiece};
use super::retell::Line;
use super::retell_llm::{self as wire, LlmEvent, Reply, Then};

/// Answers that failed one after the other, after which the call is given up.
const FAILURES: u32 = 3;

/// Messages in a row that make no sense, after which the socket is closed.
const NONSENSE: u32 = 8;

/// How often an answer may go on after tools.
const ROUNDS: u32 = 5;

/// Lines of the conversation that the chat endpoint is told, the newest ones.
const LINES: usize = 200;

/// Tools that are remembered, the newest ones.
const TOOLS: usize = 50;

/// Notes that are remembered, the newest ones.
const NOTES: usize = 50;

/// For the chat, where Retell asks for words because nobody said any.
const REMINDER: &str =
    "(The caller has said nothing for a while. Say something short to find out whether they are still there.)";

/// What the chat is told of a tool that has not answered yet.
const STILL_RUNNING: &str = "(still running)";

/// RFC 6455: a message that is not of the kind that was agreed.
const UNSUPPORTED: u16 = 1007;

/// What the agent is and says by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Persona {
    pub model: String,
    /// The chat's first message.
    pub prompt: String,
    /// Empty: the caller speaks first.
    pub greeting: String,
    /// Instead of an answer that failed.
    pub sorry: String,
    /// Before the agent gives up and hangs up.
    pub apology: String,
    /// In the chat API's own form.
    pub tools: Vec<Value>,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<'a> {
    /// Retell opened a socket; an earlier one is gone, and the chat's answer that was on its way with it.
    Opened,
    Text(&'a [u8]),
    Binary,
    /// A piece of the answer to the question of this number.
    Chat {
        ask: u64,
        piece: ChatPiece,
    },
    /// There is no answer, or it broke off.
    ChatFailed {
        ask: u64,
        reason: String,
    },
    ToolAnswered {
        id: String,
        result: String,
        is_error: bool,
    },
    /// A message to the agent that the caller does not hear.
    Told(Message),
}

/// What somebody lets the agent know in mid-call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// It counts from the next answer on.
    Note(String),
    /// As if the caller had said it: it is answered at once.
    ForCaller(String),
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A text message to Retell.
    Send(Value),
    /// The chat endpoint is asked; an earlier question is void.
    Ask {
        ask: u64,
        body: Value,
    },
    /// The question under way is void.
    Void,
    RunTool(ToolCall),
    /// What was said so far. `asked_at`: how many lines there were when an answer was asked for, so that the caller had finished.
    Heard {
        lines: Vec<Line>,
        asked_at: usize,
    },
    /// The agent hangs up once it was heard.
    HangsUp,
    /// An answer failed; `for_good`, and the agent gives up.
    Failed {
        reason: String,
        for_good: bool,
    },
    /// Nothing sensible comes on this socket.
    Close {
        code: u16,
    },
}

/// One call's conversation.
#[derive(Debug)]
pub struct Turns {
    persona: Persona,
    has_begun: bool,
    newest: Option<u64>,
    asked_at: usize,
    /// What was said, as far as Retell has told.
    lines: Vec<Line>,
    /// With how many lines came before each.
    notes: VecDeque<(usize, Message)>,
    answer: Option<Answer>,
    /// Numbers the questions to the chat.
    asks: u64,
    answers: u64,
    tools: VecDeque<ToolUse>,
    failures: u32,
    nonsense: u32,
    outputs: VecDeque<Output>,
}

/// The answer under way.
#[derive(Debug)]
struct Answer {
    number: u64,
    reply: Reply,
    lines: Vec<Line>,
    is_reminder: bool,
    /// Whether Retell was sent any words of it.
    is_begun: bool,
    /// What the chat said since the last tools.
    words: String,
    rounds: u32,
    /// Tools that have not answered.
    open_tools: u32,
    is_talked_over: bool,
}

#[derive(Debug)]
struct ToolUse {
    answer: u64,
    /// How many lines of the conversation came before it.
    after: usize,
    /// What the agent said with it.
    words: String,
    call: ToolCall,
    result: Option<String>,
}

impl Turns {
    /// `has_begun`: something was said in this call before, so there is no greeting any more.
    pub fn new(persona: Persona, has_begun: bool) -> Self {
        Self {
            persona,
            has_begun,
            newest: None,
            asked_at: 0,
            lines: Vec::new(),
            notes: VecDeque::new(),
            answer: None,
            asks: 0,
            answers: 0,
            tools: VecDeque::new(),
            failures: 0,
            nonsense: 0,
            outputs: VecDeque::new(),
        }
    }

    pub fn handle(&mut self, input: Input<'_>) {
        match input {
            Input::Opened => self.open(),
            Input::Text(text) => {
                if let Ok(event) = wire::parse(text) {
                    // Pings come all the time, whatever comes beside them.
                    if !matches!(event, LlmEvent::Ping { .. }) {
                        self.nonsense = 0;
                    }
                    self.hear(event);
                } else {
                    self.nonsense += 1;
                    if self.nonsense == NONSENSE {
                        self.outputs.push_back(Output::Close { code: UNSUPPORTED });
                    }
                }
            }
            Input::Binary => self.outputs.push_back(Output::Close { code: UNSUPPORTED }),
            Input::Chat { ask, piece } if ask == self.asks => self.take(piece),
            Input::ChatFailed { ask, reason } if ask == self.asks => self.fail(reason),
            // The answer to a question that is void.
            Input::Chat { .. } | Input::ChatFailed { .. } => {}
            Input::ToolAnswered { id, result, is_error } => self.tool_answered(&id, result, is_error),
            Input::Told(message) => self.be_told(message),
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn open(&mut self) {
        self.nonsense = 0;
        self.send(wire::config());
        if !std::mem::replace(&mut self.has_begun, true) {
            self.send(wire::last_response(Reply::To(0), &self.persona.greeting, &Then::GoOn));
        }
        match &self.answer {
            // Its beginning was spoken, perhaps; its end is lost with the socket.
            Some(answer) if answer.is_begun && answer.open_tools == 0 => self.end_answer("", &Then::GoOn),
            Some(answer) if answer.open_tools == 0 => self.ask(),
            Some(_) | None => {}
        }
    }

    fn hear(&mut self, event: LlmEvent) {
        match event {
            LlmEvent::Ping { timestamp } => self.send(wire::pong(&timestamp)),
            LlmEvent::Heard { lines, caller_took_turn } => {
                if let Some(answer) = self.answer.as_mut().filter(|_| caller_took_turn) {
                    answer.is_talked_over = true;
                }
                self.lines.clone_from(&lines);
                self.outputs.push_back(Output::Heard { lines, asked_at: self.asked_at });
            }
            // Retell repeats nothing that it has asked before; what is older than the newest is late.
            LlmEvent::Asked { response_id, .. } if self.newest.is_some_and(|newest| response_id <= newest) => {}
            LlmEvent::Asked { response_id, lines, is_reminder } => {
                self.newest = Some(response_id);
                self.has_begun = true;
                self.asked_at = lines.len();
                self.lines.clone_from(&lines);
                self.outputs.push_back(Output::Heard { lines, asked_at: self.asked_at });
                self.begin_answer(Reply::To(response_id), is_reminder);
            }
            LlmEvent::Other => {}
        }
    }

    fn be_told(&mut self, message: Message) {
        let is_to_be_answered = matches!(message, Message::ForCaller(_));
        self.notes.push_back((self.lines.len(), message));
        if self.notes.len() > NOTES {
            self.notes.pop_front();
        }
        if is_to_be_answered {
            self.end_answer("", &Then::GoOn);
            self.has_begun = true;
            self.begin_answer(Reply::Unasked(self.answers + 1), false);
        }
    }

    /// An answer to what was said until now, in the place of one that may be under way.
    fn begin_answer(&mut self, reply: Reply, is_reminder: bool) {
        self.answers += 1;
        self.answer = Some(Answer {
            number: self.answers,
            reply,
            lines: self.lines.clone(),
            is_reminder,
            is_begun: false,
            words: String::new(),
            rounds: 0,
            open_tools: 0,
            is_talked_over: false,
        });
        self.ask();
    }

    fn ask(&mut self) {
        self.asks += 1;
        let body = chat::request(&self.persona.model, &self.messages(), &self.persona.tools);
        self.outputs.push_back(Output::Ask { ask: self.asks, body });
    }

    fn take(&mut self, piece: ChatPiece) {
        let Some(answer) = &mut self.answer else { return };
        match piece {
            ChatPiece::Text(text) => {
                let message = wire::response(answer.reply, &text);
                answer.words.push_str(&text);
                answer.is_begun = true;
                self.send(message);
            }
            ChatPiece::Done(calls) => {
                self.failures = 0;
                if calls.is_empty() || answer.is_talked_over {
                    self.end_answer("", &Then::GoOn);
                } else {
                    self.use_tools(calls);
                }
            }
        }
    }

    /// Hanging up and pressing one key are Retell's to do, after the words; all other tools are ours.
    fn use_tools(&mut self, calls: Vec<ToolCall>) {
        let then = calls.iter().find_map(|call| match call.name.as_str() {
            "hang_up" => Some(Then::HangUp),
            "send_keys" => call.arguments["keys"].as_str().and_then(key).map(Then::Press),
            _ => None,
        });
        for call in calls {
            match call.name.as_str() {
                "hang_up" => {}
                "send_keys" if matches!(then, Some(Then::Press(_))) => {}
                _ => self.run_tool(call),
            }
        }
        if let Some(then) = then {
            if then == Then::HangUp {
                self.outputs.push_back(Output::HangsUp);
            }
            self.end_answer("", &then);
        }
    }

    fn run_tool(&mut self, mut call: ToolCall) {
        let Some(answer) = &mut self.answer else { return };
        // Some servers count anew in each answer.
        if self.tools.iter().any(|used| used.call.id == call.id) {
            call.id = format!("{}_{}_{}", call.id, answer.number, self.asks);
        }
        answer.open_tools += 1;
        let (number, after, words) = (answer.number, answer.lines.len(), std::mem::take(&mut answer.words));
        self.send(wire::tool_called(&call.id, &call.name, &call.arguments));
        self.outputs.push_back(Output::RunTool(call.clone()));
        self.tools.push_back(ToolUse { answer: number, after, words, call, result: None });
        if self.tools.len() > TOOLS {
            self.tools.pop_front();
        }
    }

    fn tool_answered(&mut self, id: &str, result: String, is_error: bool) {
        let Some(used) = self.tools.iter_mut().find(|used| used.call.id == id && used.result.is_none()) else { return };
        used.result = Some(result.clone());
        let number = used.answer;
        self.send(wire::tool_answered(id, &result, !is_error));
        let Some(answer) = self.answer.as_mut().filter(|answer| answer.number == number) else { return };
        answer.open_tools -= 1;
        if answer.open_tools > 0 {
            return;
        }
        answer.rounds += 1;
        if answer.rounds > ROUNDS {
            return self.fail("the chat endpoint asked for tools over and over".to_owned());
        }
        self.ask();
    }

    fn fail(&mut self, reason: String) {
        let Some(answer) = &self.answer else { return };
        self.failures += 1;
        let for_good = self.failures >= FAILURES;
        self.outputs.push_back(Output::Failed { reason, for_good });
        if for_good {
            let apology = self.persona.apology.clone();
            self.end_answer(&apology, &Then::HangUp);
        } else if answer.is_begun {
            self.end_answer("", &Then::GoOn);
        } else {
            let sorry = self.persona.sorry.clone();
            self.end_answer(&sorry, &Then::GoOn);
        }
    }

    fn end_answer(&mut self, last_words: &str, then: &Then) {
        let Some(answer) = self.answer.take() else { return };
        self.outputs.push_back(Output::Void);
        self.send(wire::last_response(answer.reply, last_words, then));
    }

    fn send(&mut self, message: Value) {
        self.outputs.push_back(Output::Send(message));
    }

    /// The conversation as the chat endpoint knows it. Retell's transcript has what was said; the tools are ours to remember.
    fn messages(&self) -> Vec<Value> {
        let Some(answer) = &self.answer else { return Vec::new() };
        let skipped = answer.lines.len().saturating_sub(LINES);
        let mut messages = vec![json!({"role": "system", "content": self.persona.prompt})];
        let mut earlier = self.tools.iter().filter(|used| used.answer != answer.number).peekable();
        let mut notes = self.notes.iter().peekable();
        let mut before = |place: usize, messages: &mut Vec<Value>| {
            while let Some((_, note)) = notes.next_if(|(after, _)| *after <= place) {
                messages.push(note.told());
            }
            while let Some(used) = earlier.next_if(|used| used.after <= place) {
                if used.after >= skipped {
                    used.tell(messages, "");
                }
            }
        };
        for (place, line) in answer.lines.iter().enumerate().skip(skipped) {
            before(place, &mut messages);
            let role = if line.by_caller { "user" } else { "assistant" };
            messages.push(json!({"role": role, "content": line.text}));
        }
        before(usize::MAX, &mut messages);
        if answer.is_reminder {
            messages.push(json!({"role": "user", "content": REMINDER}));
        }
        for used in self.tools.iter().filter(|used| used.answer == answer.number) {
            used.tell(&mut messages, &used.words);
        }
        messages
    }
}

impl Message {
    fn told(&self) -> Value {
        match self {
            Self::Note(text) => json!({"role": "system", "content": text}),
            Self::ForCaller(text) => json!({"role": "user", "content": text}),
        }
    }
}

impl ToolUse {
    fn tell(&self, messages: &mut Vec<Value>, words: &str) {
        let ToolCall { id, name, arguments, .. } = &self.call;
        let call =
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments.to_string()}});
        let content = (!words.is_empty()).then_some(words);
        messages.push(json!({"role": "assistant", "content": content, "tool_calls": [call]}));
        let result = self.result.as_deref().unwrap_or(STILL_RUNNING);
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
    }
}

/// A key of a telephone.
fn key(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let key = chars.next().filter(|key| key.is_ascii_digit() || matches!(key, '*' | '#'))?;
    chars.next().is_none().then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> Turns {
        let text = str::to_owned;
        let (prompt, greeting) = (text("Be brief."), text("Hello."));
        let (sorry, apology) = (text("Pardon?"), text("Goodbye."));
        Turns::new(Persona { model: text("m"), prompt, greeting, sorry, apology, tools: vec![json!({})] }, false)
    }

    fn drain(turns: &mut Turns) -> Vec<Output> {
        std::iter::from_fn(|| turns.poll_output()).collect()
    }

    /// What Retell was sent, shortened to what matters.
    fn said(outputs: &[Output]) -> Vec<String> {
        let shown = |message: &Value| match message["response_type"].as_str().unwrap() {
            "response" => {
                let end = if message["content_complete"] == true { "." } else { "" };
                let then = if message["end_call"] == true { " end" } else { "" };
                let key = message["digit_to_press"].as_str().map(|key| format!(" press {key}")).unwrap_or_default();
                format!("{}: {}{end}{then}{key}", message["response_id"], message["content"].as_str().unwrap())
            }
            "agent_interrupt" => {
                let end = if message["content_complete"] == true { "." } else { "" };
                format!("unasked {}: {}{end}", message["interrupt_id"], message["content"].as_str().unwrap())
            }
            other => other.to_owned(),
        };
        outputs
            .iter()
            .filter_map(|output| if let Output::Send(message) = output { Some(shown(message)) } else { None })
            .collect()
    }

    fn asked(outputs: &[Output]) -> Option<(u64, Vec<Value>)> {
        outputs.iter().find_map(|output| match output {
            Output::Ask { ask, body } => Some((*ask, body["messages"].as_array().unwrap().clone())),
            _ => None,
        })
    }

    fn retell(turns: &mut Turns, message: Value) -> Vec<Output> {
        turns.handle(Input::Text(message.to_string().as_bytes()));
        drain(turns)
    }

    fn required(id: u64, lines: &[(&str, &str)]) -> Value {
        let transcript: Vec<_> =
            lines.iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
        json!({"interaction_type": "response_required", "response_id": id, "transcript": transcript})
    }

    fn chat(turns: &mut Turns, ask: u64, piece: ChatPiece) -> Vec<Output> {
        turns.handle(Input::Chat { ask, piece });
        drain(turns)
    }

    fn text(text: &str) -> ChatPiece {
        ChatPiece::Text(text.to_owned())
    }

    fn tool(id: &str, name: &str, arguments: Value) -> ToolCall {
        ToolCall { id: id.to_owned(), name: name.to_owned(), arguments, expects_answer: true }
    }

    fn roles(messages: &[Value]) -> Vec<&str> {
        messages.iter().map(|message| message["role"].as_str().unwrap()).collect()
    }

    const HI: &[(&str, &str)] = &[("agent", "Hello."), ("user", "Hi, when do you open?")];

    #[test]
    fn the_server_speaks_first_and_answers_the_newest_question_alone() {
        let mut turns = turns();
        turns.handle(Input::Opened);
        assert_eq!(said(&drain(&mut turns)), ["config", "0: Hello.."]);
        let (ask, messages) = asked(&retell(&mut turns, required(1, HI))).unwrap();
        assert_eq!((ask, roles(&messages)), (1, vec!["system", "assistant", "user"]));
        assert_eq!(said(&chat(&mut turns, 1, text("At "))), ["1: At "]);
        let (ask, _) = asked(&retell(&mut turns, required(2, HI))).unwrap();
        // Late words of the first answer, a late question, and one that was asked before.
        assert_eq!(said(&chat(&mut turns, 1, text("nine."))), [""; 0]);
        assert!(retell(&mut turns, required(1, HI)).is_empty() && retell(&mut turns, required(2, HI)).is_empty());
        assert_eq!(said(&chat(&mut turns, ask, text("Nine."))), ["2: Nine."]);
        assert_eq!(said(&chat(&mut turns, ask, ChatPiece::Done(vec![]))), ["2: ."]);
        assert!(chat(&mut turns, ask, text("more")).is_empty());
    }

    #[test]
    fn pings_are_answered_whatever_else_goes_on() {
        let mut turns = turns();
        retell(&mut turns, required(1, HI));
        let outputs = retell(&mut turns, json!({"interaction_type": "ping_pong", "timestamp": 7}));
        assert_eq!(outputs, [Output::Send(json!({"response_type": "ping_pong", "timestamp": 7}))]);
    }

    #[test]
    fn a_tool_runs_and_the_answer_goes_on() {
        let mut turns = turns();
        retell(&mut turns, required(1, HI));
        chat(&mut turns, 1, text("Let me see."));
        let note = tool("t1", "take_note", json!({"text": "x"}));
        let outputs = chat(&mut turns, 1, ChatPiece::Done(vec![note.clone()]));
        assert_eq!(said(&outputs), ["tool_call_invocation"]);
        assert!(outputs.contains(&Output::RunTool(note)));
        turns.handle(Input::ToolAnswered { id: "t1".to_owned(), result: "Noted.".to_owned(), is_error: false });
        let outputs = drain(&mut turns);
        let (ask, messages) = asked(&outputs).unwrap();
        assert_eq!(roles(&messages), ["system", "assistant", "user", "assistant", "tool"]);
        assert_eq!((&messages[3]["content"], &messages[4]["content"]), (&json!("Let me see."), &json!("Noted.")));
        chat(&mut turns, ask, text("Done."));
        assert_eq!(said(&chat(&mut turns, ask, ChatPiece::Done(vec![]))), ["1: ."]);
        // The next question knows of it, in its place.
        let more = [HI, &[("agent", "Let me see. Done."), ("user", "Thanks")]].concat();
        let (_, messages) = asked(&retell(&mut turns, required(2, &more))).unwrap();
        assert_eq!(roles(&messages), ["system", "assistant", "user", "assistant", "tool", "assistant", "user"]);
        assert_eq!(messages[3]["content"], Value::Null);
    }

    #[test]
    fn a_newer_question_does_not_wait_for_a_tool_and_learns_of_it_later() {
        let mut turns = turns();
        retell(&mut turns, required(1, HI));
        chat(&mut turns, 1, ChatPiece::Done(vec![tool("t1", "recall", Value::Null)]));
        let reminder = json!({"interaction_type": "reminder_required", "response_id": 2, "transcript": []});
        let (ask, messages) = asked(&retell(&mut turns, reminder)).unwrap();
        assert_eq!(roles(&messages), ["system", "assistant", "tool", "user"]);
        assert_eq!((&messages[2]["content"], &messages[3]["content"]), (&json!(STILL_RUNNING), &json!(REMINDER)));
        turns.handle(Input::ToolAnswered { id: "t1".to_owned(), result: "{}".to_owned(), is_error: false });
        assert_eq!(asked(&drain(&mut turns)), None);
        assert_eq!(said(&chat(&mut turns, ask, text("Still there?"))), ["2: Still there?"]);
    }

    #[test]
    fn a_talked_over_answer_begins_no_tool() {
        let mut turns = turns();
        retell(&mut turns, required(1, HI));
        chat(&mut turns, 1, text("I put you through"));
        let update = json!({"interaction_type": "update_only", "transcript": [], "turntaking": "user_turn"});
        assert!(matches!(retell(&mut turns, update)[..], [Output::Heard { .. }]));
        let outputs = chat(&mut turns, 1, ChatPiece::Done(vec![tool("t1", "transfer_call", Value::Null)]));
        assert!(!outputs.iter().any(|output| matches!(output, Output::RunTool(_))));
        assert_eq!(said(&outputs), ["1: ."]);
    }

    #[test]
    fn hanging_up_and_pressing_keys_are_retells_to_do() {
        for (call, then) in [
            (tool("t", "hang_up", Value::Null), "1: . end"),
            (tool("t", "send_keys", json!({"keys": "5"})), "1: . press 5"),
        ] {
            let mut turns = turns();
            retell(&mut turns, required(1, HI));
            let hangs_up = call.name == "hang_up";
            let outputs = chat(&mut turns, 1, ChatPiece::Done(vec![call]));
            assert_eq!(said(&outputs), [then]);
            assert_eq!(outputs.contains(&Output::HangsUp), hangs_up);
        }
        let mut turns = turns();
        retell(&mut turns, required(1, HI));
        let outputs = chat(&mut turns, 1, ChatPiece::Done(vec![tool("t", "send_keys", json!({"keys": "55"}))]));
        assert!(outputs.iter().any(|output| matches!(output, Output::RunTool(_))), "the tool says what is wrong");
    }

    #[test]
    fn failed_answers_are_regretted_and_the_third_in_a_row_ends_the_call() {
        let mut turns = turns();
        let fail = |turns: &mut Turns, id, words: &str| {
            let (ask, _) = asked(&retell(turns, required(id, HI))).unwrap();
            if !words.is_empty() {
                chat(turns, ask, text(words));
            }
            turns.handle(Input::ChatFailed { ask, reason: "503".to_owned() });
            said(&drain(turns))
        };
        assert_eq!(fail(&mut turns, 1, ""), ["1: Pardon?."]);
        // What was said of it stays as it is.
        assert_eq!(fail(&mut turns, 2, "At "), ["2: ."]);
        assert_eq!(fail(&mut turns, 3, ""), ["3: Goodbye.. end"]);
        let mut turns = self::turns();
        for id in [1, 2, 4, 5] {
            assert_eq!(fail(&mut turns, id, ""), [format!("{id}: Pardon?.")], "an answer in between counts them anew");
            if id == 2 {
                retell(&mut turns, required(3, HI));
                let ask = turns.asks;
                chat(&mut turns, ask, ChatPiece::Done(vec![]));
            }
        }
    }

    #[test]
    fn a_chat_that_asks_for_tools_over_and_over_fails() {
        let mut turns = turns();
        retell(&mut turns, required(1, HI));
        for round in 0..=ROUNDS {
            let (ask, id) = (turns.asks, format!("t{round}"));
            chat(&mut turns, ask, ChatPiece::Done(vec![tool(&id, "recall", Value::Null)]));
            turns.handle(Input::ToolAnswered { id, result: String::new(), is_error: false });
        }
        assert!(drain(&mut turns).iter().any(|output| matches!(output, Output::Failed { for_good: false, .. })));
    }

    #[test]
    fn a_socket_that_was_dialled_again_goes_on_without_a_second_greeting() {
        let mut turns = turns();
        turns.handle(Input::Opened);
        drain(&mut turns);
        turns.handle(Input::Opened);
        assert_eq!(said(&drain(&mut turns)), ["config"]);
        retell(&mut turns, required(1, HI));
        turns.handle(Input::Opened);
        let outputs = drain(&mut turns);
        assert_eq!((said(&outputs), asked(&outputs).unwrap().0), (vec!["config".to_owned()], 2), "it is asked again");
        chat(&mut turns, 2, text("At"));
        turns.handle(Input::Opened);
        let outputs = drain(&mut turns);
        assert_eq!((said(&outputs), asked(&outputs)), (vec!["config".to_owned(), "1: .".to_owned()], None));
        let mut later = Turns::new(Persona::default(), true);
        later.handle(Input::Opened);
        assert_eq!(said(&drain(&mut later)), ["config"]);
    }

    #[test]
    fn a_note_counts_from_the_next_answer_on_and_keeps_its_place() {
        let mut turns = turns();
        retell(&mut turns, required(1, HI));
        turns.handle(Input::Told(Message::Note("They are a gold customer.".to_owned())));
        assert_eq!(drain(&mut turns), [], "the answer under way goes on");
        let more = [HI, &[("agent", "At nine."), ("user", "Thanks")]].concat();
        let (_, messages) = asked(&retell(&mut turns, required(2, &more))).unwrap();
        assert_eq!(roles(&messages), ["system", "assistant", "user", "system", "assistant", "user"]);
        assert_eq!(messages[3]["content"], "They are a gold customer.");
    }

    #[test]
    fn what_is_said_for_the_caller_is_answered_at_once() {
        let mut turns = turns();
        retell(&mut turns, required(1, HI));
        chat(&mut turns, 1, text("At "));
        turns.handle(Input::Told(Message::ForCaller("Ask for the invoice number.".to_owned())));
        let outputs = drain(&mut turns);
        assert_eq!(said(&outputs), ["1: ."], "the answer before ends where it was");
        let (ask, messages) = asked(&outputs).unwrap();
        assert_eq!(roles(&messages), ["system", "assistant", "user", "user"]);
        assert_eq!(said(&chat(&mut turns, ask, text("Which invoice?"))), ["unasked 2: Which invoice?"]);
        // What the caller says meanwhile is what counts.
        retell(&mut turns, required(2, HI));
        assert_eq!(said(&chat(&mut turns, ask, text("late"))), [""; 0]);
    }

    #[test]
    fn nonsense_closes_the_socket_in_the_end() {
        let mut turns = turns();
        for _ in 1..NONSENSE {
            turns.handle(Input::Text(b"%%%"));
        }
        let outputs = retell(&mut turns, json!({"interaction_type": "ping_pong", "timestamp": 7}));
        assert_eq!(outputs.len(), 1);
        turns.handle(Input::Text(b"{}"));
        assert_eq!(drain(&mut turns), [Output::Close { code: 1007 }]);
        turns.handle(Input::Binary);
        assert_eq!(drain(&mut turns), [Output::Close { code: 1007 }]);
    }

    #[test]
    fn a_long_conversation_is_told_from_its_end() {
        let mut turns = turns();
        let lines: Vec<_> = (0..300).map(|n| (if n % 2 == 0 { "agent" } else { "user" }, "x")).collect();
        let (_, messages) = asked(&retell(&mut turns, required(1, &lines))).unwrap();
        assert_eq!(messages.len(), LINES + 1);
    }
}
