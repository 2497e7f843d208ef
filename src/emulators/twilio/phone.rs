//! A phone on the line: runs its script in steps of 20 ms, hearing a frame and saying one. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::hand::{Hand, OnLine};
use super::phone_script::{PhoneScript, Step};
use crate::domain::audio::{FRAME, MULAW_SILENCE};
use crate::emulators::mulaw;
use crate::emulators::speech;
use crate::emulators::vad::{self, VoiceActivity};

/// How long one step is.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// The other side has finished when it was quiet for this long.
const FINISHED_AFTER_MS: u32 = 600;

/// Key-presses are this far apart.
const BETWEEN_KEYS: Duration = Duration::from_millis(200);

/// What the phone did in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub frame: [u8; FRAME],
    pub digit: Option<char>,
    pub hung_up: bool,
}

/// A phone that was picked up.
#[derive(Debug)]
pub(super) struct Phone {
    /// Somebody holds it: there is no script.
    held: Option<OnLine>,
    steps: Vec<Step>,
    position: usize,
    /// Time spent in the current step.
    in_step: Duration,
    /// Audio to be said before the script goes on.
    saying: VecDeque<u8>,
    pattern_position: u64,
    /// A media stream is open.
    pub streaming: bool,
    heard: VoiceActivity,
    /// The other side spoke and this was not yet waited for.
    unanswered: bool,
    /// For how long the other side has spoken, with its pauses, since it last was quiet.
    agent_speech: Duration,
}

impl Phone {
    pub(super) fn new(script: &PhoneScript) -> Self {
        Self {
            held: script.hand.as_ref().map(Hand::pick_up),
            steps: script.steps.clone(),
            position: 0,
            in_step: Duration::ZERO,
            saying: VecDeque::new(),
            pattern_position: 0,
            streaming: false,
            heard: VoiceActivity::new(FINISHED_AFTER_MS),
            unanswered: false,
            agent_speech: Duration::ZERO,
        }
    }

    /// Hears one frame, says one.
    pub(super) fn tick(&mut self, heard: &[u8; FRAME]) -> Said {
        if let Some(held) = &mut self.held {
            return held.tick(heard);
        }
        self.listen(heard);
        let mut said = Said { frame: [MULAW_SILENCE; FRAME], digit: None, hung_up: false };
        // Steps that take no time follow each other within the tick; a script that only repeats itself is cut off.
        for _ in 0..=self.steps.len() {
            if !self.saying.is_empty() {
                self.speak(&mut said.frame);
                return said;
            }
            let Some(step) = self.steps.get(self.position).cloned() else { return said };
            match self.perform(step, heard, &mut said) {
                Progress::Next => self.advance(),
                Progress::Stay => break,
                Progress::NextTick => {
                    self.advance();
                    return said;
                }
            }
        }
        self.in_step += TICK;
        said
    }

    fn listen(&mut self, heard: &[u8; FRAME]) {
        self.heard.hear(heard);
        // What is heard while talking is not waited for: after a barge-in the agent still sounds for a moment.
        self.unanswered |= self.saying.is_empty() && self.heard.is_speaking() && vad::is_loud(heard);
        self.agent_speech = if self.heard.is_speaking() { self.agent_speech + TICK } else { Duration::ZERO };
    }

    fn perform(&mut self, step: Step, heard: &[u8; FRAME], said: &mut Said) -> Progress {
        match step {
            Step::Say(audio) => self.start_saying(audio),
            Step::BargeIn(after, audio) if self.agent_speech >= after => self.start_saying(audio),
            Step::Wait(how_long) => Progress::next_if(self.in_step >= how_long),
            Step::WaitForStream => Progress::next_if(self.streaming),
            Step::WaitForAgentToSpeak => Progress::next_if(self.heard.is_speaking()),
            Step::WaitForAgentToFinish => {
                let finished = self.unanswered && !self.heard.is_speaking();
                if finished {
                    self.unanswered = false;
                }
                Progress::next_if(finished)
            }
            Step::Press(_) if self.in_step < BETWEEN_KEYS => Progress::Stay,
            Step::Press(digit) => {
                said.digit = Some(digit);
                Progress::NextTick
            }
            Step::HangUp => {
                said.hung_up = true;
                Progress::Stay
            }
            Step::Echo(limit) => self.until(limit, || said.frame = *heard),
            Step::Pattern(limit) => {
                let from = self.pattern_position;
                let progress = self.until(limit, || said.frame.copy_from_slice(&speech::pattern(from, FRAME)));
                self.pattern_position += if matches!(progress, Progress::Stay) { FRAME as u64 } else { 0 };
                progress
            }
            Step::Silent(limit) => self.until(limit, || ()),
            Step::Repeat => {
                self.position = self.steps.len();
                Progress::Next
            }
            Step::BargeIn(..) => Progress::Stay,
        }
    }

    fn until(&self, limit: Option<Duration>, act: impl FnOnce()) -> Progress {
        if limit.is_some_and(|limit| self.in_step >= limit) {
            return Progress::Next;
        }
        act();
        Progress::Stay
    }

    fn start_saying(&mut self, audio: Vec<u8>) -> Progress {
        self.saying = audio.into();
        self.unanswered = false;
        Progress::Next
    }

    fn speak(&mut self, frame: &mut [u8; FRAME]) {
        let count = FRAME.min(self.saying.len());
        for (byte, said) in frame.iter_mut().zip(self.saying.drain(..count)) {
            *byte = said;
        }
    }

    fn advance(&mut self) {
        self.in_step = Duration::ZERO;
        self.position = if self.position >= self.steps.len() { 0 } else { self.position + 1 };
    }
}

/// What a step leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Done, and it took no time.
    Next,
    /// Done in this tick.
    NextTick,
    Stay,
}

impl Progress {
    fn next_if(done: bool) -> Self {
        if done { Self::Next } else { Self::Stay }
    }
}

/// Both directions of one tick in one track, for a recording.
pub(super) fn mixed(one: &[u8; FRAME], other: &[u8; FRAME]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| mulaw::mix(*one, *other)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulators::speech::Voice;

    const QUIET: [u8; FRAME] = [MULAW_SILENCE; FRAME];
    const LOUD: [u8; FRAME] = [0x90; FRAME];

    fn phone(script: &str) -> Phone {
        Phone::new(&PhoneScript::parse(script).unwrap())
    }

    /// Runs so many ticks and returns the first at which the condition held.
    fn first_tick(
        phone: &mut Phone,
        heard: impl Fn(usize) -> [u8; FRAME],
        holds: impl Fn(&Said) -> bool,
    ) -> Option<usize> {
        (0..2_000).find(|tick| holds(&phone.tick(&heard(*tick))))
    }

    #[test]
    fn speech_is_said_whole_and_then_the_script_goes_on() {
        let mut phone = phone("say Hi\nhang up");
        let mut said = Vec::new();
        while let Said { frame, hung_up: false, .. } = phone.tick(&QUIET) {
            said.extend_from_slice(&frame);
        }
        let expected = speech::say("Hi", Voice::Caller);
        assert_eq!(said[..expected.len()], expected);
    }

    #[test]
    fn it_waits_until_the_agent_has_spoken_and_stopped() {
        let mut phone = phone("wait for agent to finish\nhang up");
        let heard = |tick: usize| if (50..150).contains(&tick) { LOUD } else { QUIET };
        assert_eq!(first_tick(&mut phone, heard, |said| said.hung_up), Some(150 + 29));
    }

    #[test]
    fn a_barge_in_comes_after_so_much_agent_speech_and_the_cut_off_speech_is_not_waited_for() {
        let mut phone = phone("barge in after 800ms of agent speech: Hm\nwait for agent to finish\nhang up");
        // The agent stops 100 ms after being talked over and speaks again at tick 200.
        let heard = |tick: usize| if tick < 47 || (200..260).contains(&tick) { LOUD } else { QUIET };
        let spoke = (0..2_000).find(|tick| phone.tick(&heard(*tick)).frame != QUIET);
        assert_eq!(spoke, Some(2 + 39), "onset after three frames, the third counted");
        let rest = (42..2_000).find(|tick| phone.tick(&heard(*tick)).hung_up);
        assert_eq!(rest, Some(260 + 29));
    }

    #[test]
    fn the_pattern_begins_with_the_stream() {
        let mut phone = phone("pattern");
        assert_eq!(phone.tick(&QUIET).frame, QUIET);
        phone.streaming = true;
        assert_eq!(phone.tick(&QUIET).frame[..], speech::pattern(0, FRAME));
    }

    #[test]
    fn keys_are_pressed_one_at_a_time() {
        let mut phone = phone("press 12\nhang up");
        let keys: Vec<(usize, char)> = (0..40).filter_map(|tick| Some((tick, phone.tick(&QUIET).digit?))).collect();
        assert_eq!(keys, [(10, '1'), (21, '2')]);
    }

    #[test]
    fn echo_and_pattern_are_byte_exact() {
        let mut echo = phone("echo for 40ms\nhang up");
        assert_eq!([echo.tick(&LOUD).frame, echo.tick(&QUIET).frame], [LOUD, QUIET]);
        assert!(echo.tick(&LOUD).hung_up);
        let mut source = phone("pattern for 9s");
        let said: Vec<u8> = (0..100).flat_map(|_| source.tick(&QUIET).frame).collect();
        assert_eq!(said, speech::pattern(0, 16_000));
    }

    #[test]
    fn a_repeating_script_starts_over_and_an_empty_loop_does_no_harm() {
        let mut phone = phone("press 1\nrepeat");
        let presses = (0..50).filter(|_| phone.tick(&QUIET).digit.is_some()).count();
        assert_eq!(presses, 4);
        let mut idle = Phone::new(&PhoneScript::parse("wait 0s\nrepeat").unwrap());
        assert_eq!(idle.tick(&QUIET).frame, QUIET);
    }
}
