//! One conversation as a pure machine: audio and messages in, messages out, the time handed in.
//!
//! Like the vendor's, the agent's audio leaves faster than it is heard; by its own clock the agent is "speaking" until it would
//! have been played. A caller who starts to speak in that time interrupts it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::script::{Script, Step};
use crate::domain::audio::{AudioFormat, mulaw_duration};
use crate::emulators::mulaw::{FromAgent, ToAgent};
use crate::emulators::speech::{self, Voice};
use crate::emulators::vad::{Activity, VoiceActivity};

/// Audio of one message: 250 ms, as large as the vendor's usual ones.
const PIECE: usize = 2_000;

/// Quiet that ends what the caller says.
const HANGOVER_MS: u32 = 400;

/// From the caller's last word to the agent's first.
const THINKING: Duration = Duration::from_millis(250);

/// Between two pings.
const PING_EVERY: Duration = Duration::from_secs(2);

/// A caller who says nothing for so long makes the agent go on.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a client tool may take.
const TOOL_LIMIT: Duration = Duration::from_secs(20);

/// What the server does for the conversation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Deed {
    Send(Value),
    Close { code: u16, reason: &'static str },
}

/// A line of the transcript, for the post-call webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub by_agent: bool,
    pub text: String,
}

#[derive(Debug)]
enum Waiting {
    /// For the caller to say something.
    ForCaller,
    /// To say or do the next step at this time.
    Until(Instant),
    ForTool {
        id: String,
        limit: Instant,
    },
    Nothing,
}

/// A conversation that follows a script.
#[derive(Debug)]
pub(super) struct Talk {
    steps: VecDeque<Step>,
    format: AudioFormat,
    to_agent: FromAgent,
    from_agent: ToAgent,
    vad: VoiceActivity,
    heard: Vec<u8>,
    event_id: u64,
    speaking: Option<(String, Instant, Instant)>,
    waiting: Waiting,
    next_ping: Instant,
    last_voice: Instant,
    tool_failed: Option<String>,
    deeds: VecDeque<Deed>,
    pub transcript: Vec<Said>,
}

impl Talk {
    pub(super) fn new(script: Script, format: AudioFormat, now: Instant) -> Self {
        Self {
            steps: script.steps.into(),
            format,
            to_agent: FromAgent::default(),
            from_agent: ToAgent::default(),
            vad: VoiceActivity::new(HANGOVER_MS),
            heard: Vec::new(),
            event_id: 0,
            speaking: None,
            waiting: Waiting::Until(now),
            next_ping: now + PING_EVERY,
            last_voice: now,
            tool_failed: None,
            deeds: VecDeque::new(),
            transcript: Vec::new(),
        }
    }

    pub(super) fn poll_deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// When [`Talk::handle_time`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Instant {
        let mut at = self.next_ping;
        if let Some((_, _, until)) = &self.speaking {
            at = at.min(*until);
        }
        match &self.waiting {
            Waiting::Until(time) | Waiting::ForTool { limit: time, .. } => at.min(*time),
            Waiting::ForCaller => at.min(self.last_voice + PATIENCE),
            Waiting::Nothing => at,
        }
    }

    /// The caller's audio in the agent's format.
    pub(super) fn hear(&mut self, audio: &[u8], now: Instant) {
        let audio = self.to_agent.convert(audio, self.format);
        self.heard.extend_from_slice(&audio);
        for activity in self.vad.hear(&audio) {
            self.last_voice = now;
            match activity {
                Activity::Started => self.caller_starts(now),
                Activity::Ended => self.caller_ends(now),
            }
        }
        if !self.vad.is_speaking() && self.heard.len() > 16_000 {
            self.heard.drain(..self.heard.len() - 8_000);
        }
    }

    /// Something typed instead of said.
    pub(super) fn user_message(&mut self, text: &str, now: Instant) {
        self.caller_said(text.to_owned(), now);
    }

    pub(super) fn tool_result(&mut self, id: &str, is_error: bool, now: Instant) {
        let Waiting::ForTool { id: wanted, .. } = &self.waiting else { return };
        if wanted == id {
            self.after_tool(is_error, now);
        }
    }

    pub(super) fn handle_time(&mut self, now: Instant) {
        if now >= self.next_ping {
            self.event_id += 1;
            self.send(json!({"type": "ping", "ping_event": {"event_id": self.event_id, "ping_ms": null}}));
            self.next_ping = now + PING_EVERY;
        }
        if self.speaking.as_ref().is_some_and(|(_, _, until)| now >= *until) {
            self.speaking = None;
            self.last_voice = now;
        }
        match &self.waiting {
            Waiting::Until(at) if now >= *at => self.next_step(now),
            Waiting::ForTool { limit, .. } if now >= *limit => self.after_tool(true, now),
            Waiting::ForCaller if self.speaking.is_none() && now >= self.last_voice + PATIENCE => {
                self.steps.pop_front();
                self.next_step(now);
            }
            Waiting::Until(_) | Waiting::ForTool { .. } | Waiting::ForCaller | Waiting::Nothing => {}
        }
    }

    fn next_step(&mut self, now: Instant) {
        match self.steps.front() {
            Some(Step::Caller(_)) => self.waiting = Waiting::ForCaller,
            Some(_) => match self.steps.pop_front() {
                Some(Step::Agent(text)) => {
                    let text = self.tool_failed.take().unwrap_or(text);
                    self.say(&text, now);
                }
                Some(Step::Tool { name, parameters, on_error }) => self.call_tool(name, parameters, on_error, now),
                Some(Step::End) => self.end(now),
                Some(Step::Caller(_)) | None => {}
            },
            None => self.waiting = Waiting::Nothing,
        }
    }

    fn say(&mut self, text: &str, now: Instant) {
        self.event_id += 1;
        let turn = self.event_id;
        self.transcript.push(Said { by_agent: true, text: text.to_owned() });
        self.send(
            json!({"type": "agent_response", "agent_response_event": {"agent_response": text, "event_id": turn}}),
        );
        let audio = speech::say(text, Voice::Agent);
        let length = mulaw_duration(audio.len() as u64);
        for piece in audio.chunks(PIECE) {
            let piece = self.from_agent.convert(piece, self.format);
            self.send(audio_message(&piece, turn));
        }
        self.send(json!({"type": "agent_response_complete", "agent_response_complete_event": {"event_id": turn}}));
        self.speaking = Some((text.to_owned(), now, now + length));
        // A caller's line is waited for at once, so that talking over is noticed; everything else comes after the last word.
        self.waiting = match self.steps.front() {
            Some(Step::Caller(_)) => Waiting::ForCaller,
            _ => Waiting::Until(now + length),
        };
        self.last_voice = now + length;
    }

    fn caller_starts(&mut self, now: Instant) {
        let Some((text, since, until)) = self.speaking.take() else { return };
        let turn = self.event_id;
        self.send(json!({"type": "interruption", "interruption_event": {"event_id": turn}}));
        let share = (now - since).as_secs_f64() / (until - since).as_secs_f64().max(0.001);
        let heard = first_words(&text, share);
        if let Some(said) = self.transcript.last_mut() {
            said.text.clone_from(&heard);
        }
        self.send(json!({"type": "agent_response_correction", "agent_response_correction_event":
            {"original_agent_response": text, "corrected_agent_response": heard, "event_id": turn}}));
        self.waiting = Waiting::ForCaller;
    }

    fn caller_ends(&mut self, now: Instant) {
        let heard = std::mem::take(&mut self.heard);
        let scripted = match self.steps.front() {
            Some(Step::Caller(text)) => Some(text.clone()),
            _ => None,
        };
        let text = speech::recognise(&heard).map(str::to_owned).or(scripted);
        self.caller_said(text.unwrap_or_else(|| "(something)".to_owned()), now);
    }

    fn caller_said(&mut self, text: String, now: Instant) {
        self.event_id += 1;
        self.send(json!({"type": "user_transcript", "user_transcription_event":
            {"user_transcript": text, "event_id": self.event_id}}));
        self.transcript.push(Said { by_agent: false, text });
        if matches!(self.steps.front(), Some(Step::Caller(_))) && matches!(self.waiting, Waiting::ForCaller) {
            self.steps.pop_front();
            self.waiting = Waiting::Until(now + THINKING);
        }
    }

    fn call_tool(&mut self, name: String, parameters: Value, on_error: Option<String>, now: Instant) {
        self.event_id += 1;
        let id = format!("tool_{}", self.event_id);
        self.send(json!({"type": "client_tool_call", "client_tool_call": {"tool_name": name, "tool_call_id": id,
            "parameters": parameters, "event_id": self.event_id}}));
        self.tool_failed = on_error;
        self.waiting = Waiting::ForTool { id, limit: now + TOOL_LIMIT };
    }

    /// What is said on failure is only kept where the tool failed.
    fn after_tool(&mut self, is_error: bool, now: Instant) {
        if !is_error {
            self.tool_failed = None;
        }
        self.waiting = Waiting::Until(now);
    }

    fn end(&mut self, now: Instant) {
        self.event_id += 1;
        self.send(json!({"type": "agent_tool_response", "agent_tool_response": {"tool_name": "end_call",
            "tool_call_id": format!("tool_{}", self.event_id), "tool_type": "system", "is_error": false, "is_called": true,
            "event_id": self.event_id}}));
        self.deeds.push_back(Deed::Close { code: 1000, reason: "call ended by the agent" });
        self.waiting = Waiting::Nothing;
        self.last_voice = now;
    }

    fn send(&mut self, message: Value) {
        self.deeds.push_back(Deed::Send(message));
    }
}

/// An `audio` message.
pub(super) fn audio_message(audio: &[u8], event_id: u64) -> Value {
    json!({"type": "audio", "audio_event": {"audio_base_64": BASE64.encode(audio), "event_id": event_id}})
}

/// The first part of a text, whole words only.
fn first_words(text: &str, share: f64) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a few words"
    )]
    let count = (words.len() as f64 * share.clamp(0.0, 1.0)) as usize;
    words[..count].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audio::MULAW_SILENCE;

    struct Stage {
        talk: Talk,
        now: Instant,
    }

    impl Stage {
        #[expect(clippy::disallowed_methods, reason = "a starting point; the test's time is virtual from here on")]
        fn new(script: &str) -> Self {
            let now = Instant::now();
            Self { talk: Talk::new(script.parse().unwrap(), AudioFormat::Ulaw8000, now), now }
        }

        /// Lets time pass in frames of 20 ms, the caller sounding like `audio` and then silent; gives the kinds of messages.
        fn pass(&mut self, audio: &[u8], frames: usize) -> Vec<String> {
            let mut kinds = Vec::new();
            for frame in 0..frames {
                let piece = audio.chunks(160).nth(frame).map_or_else(|| vec![MULAW_SILENCE; 160], <[u8]>::to_vec);
                self.talk.hear(&piece, self.now);
                self.now += Duration::from_millis(20);
                self.talk.handle_time(self.now);
                while let Some(deed) = self.talk.poll_deed() {
                    let kind = match deed {
                        Deed::Send(message) => message["type"].as_str().unwrap().to_owned(),
                        Deed::Close { code, .. } => format!("close {code}"),
                    };
                    if kind != "ping" && kinds.last() != Some(&kind) {
                        kinds.push(kind);
                    }
                }
            }
            kinds
        }
    }

    #[test]
    fn a_conversation_takes_turns_and_ends() {
        let mut stage = Stage::new("agent: Hi.\ncaller: Yes.\nagent: Bye.\nend");
        assert_eq!(stage.pass(&[], 20), ["agent_response", "audio", "agent_response_complete"]);
        let caller = speech::say("Yes, this is a good time.", Voice::Caller);
        let rest = stage.pass(&caller, 200);
        assert_eq!(
            rest,
            [
                "user_transcript",
                "agent_response",
                "audio",
                "agent_response_complete",
                "agent_tool_response",
                "close 1000"
            ]
        );
        assert_eq!(stage.talk.transcript[1].text, "Yes, this is a good time.");
    }

    #[test]
    fn talking_over_the_agent_interrupts_it() {
        let text = "agent: one two three four five six seven eight nine ten\ncaller: Stop.\nend";
        let mut stage = Stage::new(text);
        stage.pass(&[], 50);
        let caller = speech::say("Please stop calling me.", Voice::Caller);
        let kinds = stage.pass(&caller, 20);
        assert_eq!(kinds, ["interruption", "agent_response_correction"]);
        let heard = &stage.talk.transcript[0].text;
        assert!(heard.starts_with("one two") && heard.len() < 30, "{heard}");
    }

    #[test]
    fn a_failed_tool_changes_the_next_line() {
        let text = "tool: x {}\non tool error: Sorry.\nagent: Done.\nend";
        for (is_error, said) in [(true, "Sorry."), (false, "Done.")] {
            let mut stage = Stage::new(text);
            assert_eq!(stage.pass(&[], 2), ["client_tool_call"]);
            stage.talk.tool_result("tool_1", is_error, stage.now);
            stage.pass(&[], 2);
            assert_eq!(stage.talk.transcript[0].text, said);
        }
    }
}
