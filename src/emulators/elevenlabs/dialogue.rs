//! The mind of a scripted agent: speaks, listens, is talked over, calls tools. Pure: audio is µ-law, `now` is handed in.

use std::time::Duration;

use serde_json::Value;

use super::script::Step;
use crate::domain::audio::mulaw_duration;
use crate::emulators::speech::{self, Voice};
use crate::emulators::vad::{Activity, VoiceActivity};

/// Audio goes out in such pieces, 200 ms each …
const PIECE: usize = 1_600;

/// … so far apart: ten times faster than it plays, as the real agents' bursts.
const BETWEEN_PIECES: Duration = Duration::from_millis(20);

/// Quiet that ends what the caller says.
const END_OF_SPEECH_MS: u32 = 500;

/// Caller audio kept for recognition: 20 s of speech, and 0.5 s from before it was noticed.
const UTTERANCE: usize = 160_000;
const BEFORE_SPEECH: usize = 4_000;

/// What a client tool may take (the vendor's default).
const TOOL_LIMIT: Duration = Duration::from_secs(20);

/// What happens to an agent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input<'a> {
    /// The conversation begins.
    Start,
    CallerAudio(&'a [u8]),
    /// A text that counts as said by the caller.
    CallerText(&'a str),
    ToolResult {
        id: &'a str,
        is_error: bool,
    },
    /// A deadline has passed.
    Time,
}

/// What an agent does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    Says { event_id: u64, text: String },
    Audio { event_id: u64, audio: Vec<u8> },
    Interrupted { event_id: u64 },
    Corrected { event_id: u64, original: String, corrected: String },
    TurnComplete { event_id: u64 },
    CallerSaid { event_id: u64, text: String },
    ToolCall { event_id: u64, id: String, name: String, parameters: Value },
    ToolDone { event_id: u64, id: String, name: String, is_error: bool },
    EndCall { event_id: u64, id: String },
    Close { code: u16, reason: String },
    DropSocket,
}

/// What the first line has for an id, if nobody spoke before it.
const FIRST_EVENT: u64 = 1;

/// How an agent behaves beside its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// Thinking time before each line but the first.
    pub response_delay: Duration,
    /// From `end` to the close of the socket.
    pub close_delay: Duration,
    /// One more piece of a turn's audio comes after its interruption.
    pub late_audio: bool,
    /// Nobody can talk over the first line.
    pub hears_nobody_at_first: bool,
}

#[derive(Debug)]
enum State {
    /// Will say this.
    Thinking {
        until: Duration,
        line: Line,
    },
    Speaking(Speaking),
    /// `wait`.
    Pausing {
        until: Duration,
    },
    Listening,
    /// The caller speaks.
    Hearing(Then),
    AwaitingTool(AwaitedTool),
    Closing {
        at: Duration,
    },
    /// Nothing more comes of this agent.
    Silent,
}

#[derive(Debug, Clone)]
struct Line {
    text: String,
    on_barge_in: Option<String>,
}

#[derive(Debug)]
struct AwaitedTool {
    id: String,
    name: String,
    event_id: u64,
    until: Duration,
    on_error: Option<String>,
}

#[derive(Debug)]
struct Speaking {
    event_id: u64,
    line: Line,
    unsent: Vec<u8>,
    next_piece: Duration,
    since: Duration,
    until: Duration,
}

/// What follows when the caller has finished.
#[derive(Debug)]
enum Then {
    /// It was the answer that the script waited for.
    GoOn,
    /// It came in between: a thought is thought again.
    Resume(Option<Line>),
    /// The agent was talked over.
    AfterBargeIn(Option<String>),
}

/// One agent in one conversation.
#[derive(Debug)]
pub(super) struct Dialogue {
    steps: Vec<Step>,
    position: usize,
    state: State,
    manner: Manner,
    vad: VoiceActivity,
    utterance: Vec<u8>,
    events: u64,
}

impl Dialogue {
    /// `steps` with their variables already filled in.
    pub(super) fn new(steps: Vec<Step>, manner: Manner) -> Self {
        Self {
            steps,
            position: 0,
            state: State::Listening,
            manner,
            vad: VoiceActivity::new(END_OF_SPEECH_MS),
            utterance: Vec::new(),
            events: 0,
        }
    }

    /// When [`Input::Time`] is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::Thinking { until, .. } | State::Pausing { until } => Some(*until),
            State::AwaitingTool(tool) => Some(tool.until),
            State::Speaking(speaking) if speaking.unsent.is_empty() => Some(speaking.until),
            State::Speaking(speaking) => Some(speaking.next_piece),
            State::Closing { at } => Some(*at),
            State::Listening | State::Hearing(_) | State::Silent => None,
        }
    }

    pub(super) fn handle(&mut self, now: Duration, input: Input<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Start => self.start(now, &mut out),
            Input::CallerAudio(audio) => self.hear(now, audio, &mut out),
            Input::CallerText(text) => {
                self.caller_started(now, &mut out);
                self.caller_finished(now, Some(text.to_owned()), &mut out);
            }
            Input::ToolResult { id, is_error } => {
                if matches!(&self.state, State::AwaitingTool(waiting) if waiting.id == id) {
                    self.tool_finished(now, is_error, &mut out);
                }
            }
            Input::Time => {}
        }
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.pass_time(now, &mut out);
        }
        out
    }

    fn start(&mut self, now: Duration, out: &mut Vec<Output>) {
        if let Some(Step::Agent { text, on_barge_in }) = self.steps.first().cloned() {
            self.position = 1;
            self.speak(now, Line { text, on_barge_in }, out);
        } else {
            self.go_on(now, out);
        }
    }

    /// Does what the state's deadline was for.
    fn pass_time(&mut self, now: Duration, out: &mut Vec<Output>) {
        match std::mem::replace(&mut self.state, State::Silent) {
            State::Thinking { line, .. } => self.speak(now, line, out),
            State::Pausing { .. } => self.go_on(now, out),
            State::Speaking(speaking) if speaking.unsent.is_empty() => {
                out.push(Output::TurnComplete { event_id: speaking.event_id });
                self.go_on(now, out);
            }
            State::Speaking(mut speaking) => {
                out.extend(speaking.piece(now));
                self.state = State::Speaking(speaking);
            }
            waiting @ State::AwaitingTool(_) => {
                self.state = waiting;
                self.tool_finished(now, true, out);
            }
            State::Closing { .. } => out.push(Output::Close { code: 1000, reason: "Call ended by agent".to_owned() }),
            same @ (State::Listening | State::Hearing(_) | State::Silent) => self.state = same,
        }
    }

    /// Takes the next step of the script.
    fn go_on(&mut self, now: Duration, out: &mut Vec<Output>) {
        let Some(step) = self.steps.get(self.position).cloned() else {
            self.state = State::Listening;
            return;
        };
        if let Step::Caller { .. } = step {
            // It stays the current step until the caller has spoken.
            self.state = State::Listening;
            return;
        }
        self.position += 1;
        self.state = match step {
            Step::Agent { text, on_barge_in } => self.think(now, Line { text, on_barge_in }),
            Step::Tool { name, parameters, on_error } => {
                let event_id = self.next_event();
                let id = format!("call_{event_id}");
                out.push(Output::ToolCall { event_id, id: id.clone(), name: name.clone(), parameters });
                State::AwaitingTool(AwaitedTool { id, name, event_id, until: now + TOOL_LIMIT, on_error })
            }
            Step::Wait(how_long) => State::Pausing { until: now + how_long },
            Step::End => {
                let event_id = self.next_event();
                out.push(Output::EndCall { event_id, id: format!("call_{event_id}") });
                State::Closing { at: now + self.manner.close_delay }
            }
            Step::Close { code, reason } => {
                out.push(Output::Close { code, reason });
                State::Silent
            }
            Step::DropSocket => {
                out.push(Output::DropSocket);
                State::Silent
            }
            Step::GoSilent | Step::Caller { .. } => State::Silent,
        };
    }

    fn think(&self, now: Duration, line: Line) -> State {
        State::Thinking { until: now + self.manner.response_delay, line }
    }

    fn speak(&mut self, now: Duration, line: Line, out: &mut Vec<Output>) {
        let event_id = self.next_event();
        out.push(Output::Says { event_id, text: line.text.clone() });
        let unsent = speech::say(&line.text, Voice::Agent);
        let until = now + mulaw_duration(unsent.len() as u64);
        let mut speaking = Speaking { event_id, line, unsent, next_piece: now, since: now, until };
        out.extend(speaking.piece(now));
        self.state = State::Speaking(speaking);
    }

    fn tool_finished(&mut self, now: Duration, is_error: bool, out: &mut Vec<Output>) {
        let State::AwaitingTool(tool) = std::mem::replace(&mut self.state, State::Silent) else { return };
        out.push(Output::ToolDone { event_id: tool.event_id, id: tool.id, name: tool.name, is_error });
        match tool.on_error.filter(|_| is_error) {
            None => self.go_on(now, out),
            Some(text) => {
                if let Some(Step::Agent { .. }) = self.steps.get(self.position) {
                    self.position += 1;
                }
                self.state = self.think(now, Line { text, on_barge_in: None });
            }
        }
    }

    fn hear(&mut self, now: Duration, audio: &[u8], out: &mut Vec<Output>) {
        self.utterance.extend_from_slice(audio);
        let keep = if self.vad.is_speaking() { UTTERANCE } else { BEFORE_SPEECH };
        let surplus = self.utterance.len().saturating_sub(keep);
        self.utterance.drain(..surplus);
        for activity in self.vad.hear(audio) {
            match activity {
                Activity::Started => self.caller_started(now, out),
                Activity::Ended => {
                    let said = speech::recognise(&self.utterance).map(str::to_owned);
                    self.utterance.clear();
                    self.caller_finished(now, said, out);
                }
            }
        }
    }

    fn caller_started(&mut self, now: Duration, out: &mut Vec<Output>) {
        self.state = match std::mem::replace(&mut self.state, State::Silent) {
            State::Speaking(speaking) if self.manner.hears_nobody_at_first && speaking.event_id == FIRST_EVENT => {
                State::Speaking(speaking)
            }
            State::Speaking(speaking) => State::Hearing(self.interrupted(now, speaking, out)),
            State::Listening => State::Hearing(Then::GoOn),
            State::Thinking { line, .. } => State::Hearing(Then::Resume(Some(line))),
            State::Pausing { .. } => State::Hearing(Then::Resume(None)),
            same => same,
        };
    }

    fn interrupted(&self, now: Duration, mut speaking: Speaking, out: &mut Vec<Output>) -> Then {
        let event_id = speaking.event_id;
        out.push(Output::Interrupted { event_id });
        if self.manner.late_audio {
            let late =
                speaking.piece(now).unwrap_or(Output::Audio { event_id, audio: speech::babble("late", Voice::Agent) });
            out.push(late);
        }
        let corrected = speaking.heard_words(now);
        out.push(Output::Corrected { event_id, original: speaking.line.text, corrected });
        Then::AfterBargeIn(speaking.line.on_barge_in)
    }

    /// The caller has finished. What was said is known by its sound, or else stands in the script.
    fn caller_finished(&mut self, now: Duration, said: Option<String>, out: &mut Vec<Output>) {
        let awaited = match self.steps.get(self.position) {
            Some(Step::Caller { text }) => Some(text.clone()),
            _ => None,
        };
        let scripted = awaited.clone().filter(|text| !text.is_empty());
        let text = said.or(scripted).unwrap_or_else(|| "...".to_owned());
        out.push(Output::CallerSaid { event_id: self.next_event(), text });
        let then = match std::mem::replace(&mut self.state, State::Silent) {
            State::Hearing(then) => then,
            same => {
                self.state = same;
                return;
            }
        };
        match then {
            Then::Resume(Some(line)) => self.state = self.think(now, line),
            Then::Resume(None) => self.go_on(now, out),
            Then::AfterBargeIn(Some(text)) => self.state = self.think(now, Line { text, on_barge_in: None }),
            Then::GoOn | Then::AfterBargeIn(None) => {
                self.position += usize::from(awaited.is_some());
                self.go_on(now, out);
            }
        }
    }

    fn next_event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}

impl Speaking {
    /// The next piece of the burst.
    fn piece(&mut self, now: Duration) -> Option<Output> {
        if self.unsent.is_empty() {
            return None;
        }
        let audio: Vec<u8> = self.unsent.drain(..PIECE.min(self.unsent.len())).collect();
        self.next_piece = now + BETWEEN_PIECES;
        Some(Output::Audio { event_id: self.event_id, audio })
    }

    /// By our own clock: what share of the words was played, were it heard as fast as it can be.
    fn heard_words(&self, now: Duration) -> String {
        let words: Vec<&str> = self.line.text.split_whitespace().collect();
        let (played, whole) =
            (now.saturating_sub(self.since).as_millis(), self.until.saturating_sub(self.since).as_millis().max(1));
        let heard = usize::try_from(words.len() as u128 * played / whole).unwrap_or(usize::MAX).min(words.len());
        words[..heard].join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::Script;
    use super::*;
    use crate::domain::audio::{FRAME, MULAW_SILENCE};

    struct Talk {
        dialogue: Dialogue,
        now: Duration,
        out: Vec<Output>,
    }

    impl Talk {
        fn new(script: &str) -> Self {
            Self::with(script, false)
        }

        fn with(script: &str, late_audio: bool) -> Self {
            let Ok(Script::Steps(steps)) = Script::parse(script) else { panic!("bad script") };
            let manner = Manner {
                response_delay: Duration::from_millis(100),
                close_delay: Duration::from_millis(200),
                late_audio,
                hears_nobody_at_first: false,
            };
            let mut talk = Self { dialogue: Dialogue::new(steps, manner), now: Duration::ZERO, out: Vec::new() };
            talk.input(Input::Start);
            talk
        }

        fn input(&mut self, input: Input<'_>) {
            let out = self.dialogue.handle(self.now, input);
            self.out.extend(out);
        }

        /// The caller's audio in real time, frame by frame, deadlines met in between.
        fn hear(&mut self, audio: &[u8]) {
            for frame in audio.chunks(FRAME) {
                let next = self.now + Duration::from_millis(20);
                while let Some(deadline) = self.dialogue.deadline().filter(|deadline| *deadline <= next) {
                    self.now = deadline;
                    self.input(Input::Time);
                }
                self.now = next;
                self.input(Input::CallerAudio(frame));
            }
        }

        fn silence(&mut self, ms: usize) {
            self.hear(&vec![MULAW_SILENCE; ms * 8]);
        }

        fn say(&mut self, text: &str) {
            self.hear(&speech::say(text, Voice::Caller));
            self.silence(600);
        }

        /// Everything but audio, in short.
        fn story(&mut self) -> Vec<String> {
            std::mem::take(&mut self.out)
                .into_iter()
                .filter_map(|output| match output {
                    Output::Audio { .. } | Output::TurnComplete { .. } => None,
                    Output::Says { event_id, text } => Some(format!("{event_id} agent {text}")),
                    Output::CallerSaid { text, .. } => Some(format!("caller {text}")),
                    Output::Interrupted { event_id } => Some(format!("interrupted {event_id}")),
                    Output::Corrected { corrected, .. } => Some(format!("heard {corrected}")),
                    Output::ToolCall { name, id, .. } => Some(format!("tool {name} {id}")),
                    Output::ToolDone { is_error, .. } => Some(format!("tool done, error {is_error}")),
                    Output::EndCall { .. } => Some("end".to_owned()),
                    Output::Close { code, .. } => Some(format!("close {code}")),
                    Output::DropSocket => Some("drop".to_owned()),
                })
                .collect()
        }
    }

    #[test]
    fn a_conversation_from_greeting_to_end() {
        let mut talk = Talk::new("agent: Hi there\ncaller: Hm\ntool: book {}\nagent: Bye\nend");
        talk.silence(1_000);
        talk.say("Please stop calling me.");
        assert_eq!(talk.story(), ["1 agent Hi there", "caller Please stop calling me.", "tool book call_3"]);
        talk.input(Input::ToolResult { id: "call_9", is_error: false });
        talk.input(Input::ToolResult { id: "call_3", is_error: false });
        talk.silence(1_000);
        assert_eq!(talk.story(), ["tool done, error false", "4 agent Bye", "end", "close 1000"]);
        assert_eq!(talk.dialogue.deadline(), None);
    }

    #[test]
    fn what_is_not_recognised_stands_in_the_script() {
        let mut talk = Talk::new("agent: Hi\ncaller: Hm, yes");
        talk.silence(500);
        talk.say("some words that are no shipped line");
        assert_eq!(talk.story(), ["1 agent Hi", "caller Hm, yes"]);
    }

    #[test]
    fn a_turn_comes_faster_than_it_plays_and_whole() {
        let mut talk =
            Talk::new("agent: We can close in fourteen days. Shall I book a visit for Thursday at ten?\nend");
        let expected =
            speech::say("We can close in fourteen days. Shall I book a visit for Thursday at ten?", Voice::Agent);
        talk.silence(500);
        let audio: Vec<u8> = talk
            .out
            .iter()
            .flat_map(|output| if let Output::Audio { audio, .. } = output { audio.clone() } else { vec![] })
            .collect();
        assert_eq!(audio, expected);
        assert!(!talk.story().contains(&"end".to_owned()), "it is still speaking by its own clock");
    }

    #[test]
    fn talking_over_the_agent_stops_the_turn_and_gets_the_other_answer() {
        let script =
            "agent: one two three four five six seven eight\non barge-in: Sorry?\ncaller: x\nagent: Right\nend";
        let mut talk = Talk::new(script);
        talk.silence(1_000);
        talk.say("Please stop calling me.");
        talk.silence(1_000);
        let story = talk.story();
        assert_eq!(story[..2], ["1 agent one two three four five six seven eight", "interrupted 1"]);
        assert_eq!(story[2], "heard one two three", "1.1 of 2.6 seconds");
        assert_eq!(story[3..], ["caller Please stop calling me.", "3 agent Sorry?"]);
        talk.say("Yes, this is a good time.");
        assert_eq!(talk.story()[..2], ["caller Yes, this is a good time.", "5 agent Right"]);
    }

    #[test]
    fn without_another_answer_the_barge_in_is_the_answer() {
        let mut talk = Talk::new("agent: one two three four five\ncaller: x\nagent: Right\nend");
        talk.silence(500);
        talk.say("Please stop calling me.");
        talk.silence(300);
        let story = talk.story();
        assert_eq!(story[3..], ["caller Please stop calling me.", "3 agent Right"]);
    }

    #[test]
    fn no_audio_of_an_interrupted_turn_follows_unless_asked_for() {
        for late_audio in [false, true] {
            let long = "word ".repeat(50);
            let mut talk = Talk::with(&format!("agent: {long}\ncaller: x"), late_audio);
            talk.silence(100);
            talk.say("Please stop calling me.");
            let interruption = talk.out.iter().position(|output| matches!(output, Output::Interrupted { .. })).unwrap();
            let late = talk.out[interruption..].iter().filter(|output| matches!(output, Output::Audio { .. })).count();
            assert_eq!(late, usize::from(late_audio));
        }
    }

    #[test]
    fn a_tool_that_fails_or_never_answers_gets_the_other_line() {
        let script = "tool: book {}\non tool error: Sorry\nagent: Done\nend";
        let mut failed = Talk::new(script);
        failed.input(Input::ToolResult { id: "call_1", is_error: true });
        failed.silence(200);
        assert_eq!(failed.story(), ["tool book call_1", "tool done, error true", "2 agent Sorry"]);
        let mut unanswered = Talk::new(script);
        unanswered.silence(19_000);
        assert_eq!(unanswered.story(), ["tool book call_1"]);
        unanswered.silence(1_200);
        assert_eq!(unanswered.story(), ["tool done, error true", "2 agent Sorry"]);
    }

    #[test]
    fn a_text_is_a_turn_too() {
        let mut talk = Talk::new("agent: Hi\ncaller: x\nagent: Right");
        talk.input(Input::CallerText("Wait"));
        talk.silence(200);
        assert_eq!(talk.story(), ["1 agent Hi", "interrupted 1", "heard ", "caller Wait", "3 agent Right"]);
    }
}
