//! The text format of a phone: who is at the other end of a call, and what they do. One line a step.
//!
//! ```text
//! answer after 200ms          # or: machine, busy, no answer, fail 404; each with an optional `after …`
//! wait for agent to finish
//! say Yes, this is a good time.
//! barge in after 800ms of agent speech: Sorry, how soon could you close?
//! wait 2s
//! press 5
//! hang up
//! ```
//!
//! Also `wait for stream` (what is said before a media stream is open reaches nobody), `wait for agent to speak`, `echo`, `pattern`, `silent` (each until the end, or `for 3s`) and `repeat`. A script that says
//! nothing of picking up answers at once; one that runs out stays silently on the line.

use std::time::Duration;

use super::hand::Hand;
use crate::emulators::speech::{self, Voice};

/// What happens when the phone rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pickup {
    Answer,
    /// An answering machine picks up.
    Machine,
    Busy,
    NoAnswer,
    /// The call cannot be put through, with this SIP response.
    Fail(u16),
}

/// One thing a phone does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Say(Vec<u8>),
    Wait(Duration),
    /// Until a media stream is open.
    WaitForStream,
    WaitForAgentToSpeak,
    WaitForAgentToFinish,
    /// Talk over the agent once it has spoken for so long.
    BargeIn(Duration, Vec<u8>),
    Press(char),
    HangUp,
    /// Say back what is heard.
    Echo(Option<Duration>),
    /// Say [`speech::pattern`].
    Pattern(Option<Duration>),
    Silent(Option<Duration>),
    Repeat,
}

/// A phone's behaviour, ready to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneScript {
    pub pickup: Pickup,
    /// How long it rings first. `None`: for ever, where nobody answers; else not at all.
    pub after: Option<Duration>,
    pub steps: Vec<Step>,
    /// Somebody holds this phone: pick-up and steps are that person's.
    pub hand: Option<Hand>,
}

/// A line of a phone script that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "phone script, line {line}: `{text}` is not understood; lines look like `answer after 200ms`, `say Hello`, `hang up`"
)]
pub struct PhoneScriptError {
    pub line: usize,
    pub text: String,
}

const SHIPPED: &[(&str, &str)] = &[
    ("echo", "echo"),
    ("pattern", "wait for stream\npattern"),
    ("silent", "silent"),
    ("busy", "busy after 100ms"),
    ("no-answer", "no answer"),
    ("machine", include_str!("../scripts/phones/voicemail.txt")),
    ("voicemail", include_str!("../scripts/phones/voicemail.txt")),
    ("seller", include_str!("../scripts/phones/seller.txt")),
    ("visitor", include_str!("../scripts/phones/visitor.txt")),
    ("opt-out", include_str!("../scripts/phones/opt_out.txt")),
];

impl PhoneScript {
    /// The names of the shipped scripts.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    pub(super) fn held_by(hand: Hand) -> Self {
        Self { pickup: Pickup::Answer, after: None, steps: Vec::new(), hand: Some(hand) }
    }

    /// Reads a script, or the name of a shipped one.
    pub fn parse(text: &str) -> Result<Self, PhoneScriptError> {
        let text = SHIPPED.iter().find(|(name, _)| *name == text.trim()).map_or(text, |(_, script)| script);
        let mut script = Self { pickup: Pickup::Answer, after: None, steps: Vec::new(), hand: None };
        for (number, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let understood = match (script.steps.is_empty(), parse_pickup(line)) {
                (true, Some((pickup, after))) => {
                    script.pickup = pickup;
                    script.after = after;
                    true
                }
                _ => parse_step(line, &mut script.steps),
            };
            if !understood {
                return Err(PhoneScriptError { line: number + 1, text: line.to_owned() });
            }
        }
        Ok(script)
    }
}

fn parse_pickup(line: &str) -> Option<(Pickup, Option<Duration>)> {
    let (what, after) = match line.split_once(" after ") {
        Some((what, after)) => (what, Some(parse_duration(after)?)),
        None => (line, None),
    };
    let pickup = match what {
        "answer" => Pickup::Answer,
        "machine" => Pickup::Machine,
        "busy" => Pickup::Busy,
        "no answer" | "no-answer" => Pickup::NoAnswer,
        "fail" => Pickup::Fail(404),
        _ => Pickup::Fail(what.strip_prefix("fail ")?.parse().ok()?),
    };
    Some((pickup, after))
}

/// Adds the steps of a line; false if it is not understood.
fn parse_step(line: &str, steps: &mut Vec<Step>) -> bool {
    let step = match line {
        "wait for stream" => Some(Step::WaitForStream),
        "wait for agent to speak" => Some(Step::WaitForAgentToSpeak),
        "wait for agent to finish" => Some(Step::WaitForAgentToFinish),
        "hang up" => Some(Step::HangUp),
        "repeat" if !steps.is_empty() => Some(Step::Repeat),
        "echo" => Some(Step::Echo(None)),
        "pattern" => Some(Step::Pattern(None)),
        "silent" => Some(Step::Silent(None)),
        _ => None,
    };
    if let Some(step) = step {
        steps.push(step);
        return true;
    }
    if let Some(digits) = line.strip_prefix("press ") {
        let valid = !digits.is_empty() && digits.chars().all(|digit| "0123456789*#ABCD".contains(digit));
        steps.extend(digits.chars().filter(|_| valid).map(Step::Press));
        return valid;
    }
    let step = parse_step_with_argument(line);
    let understood = step.is_some();
    steps.extend(step);
    understood
}

fn parse_step_with_argument(line: &str) -> Option<Step> {
    if let Some(text) = line.strip_prefix("say ") {
        return Some(Step::Say(speech::say(text.trim(), Voice::Caller)));
    }
    if let Some(rest) = line.strip_prefix("barge in after ").or_else(|| line.strip_prefix("barge-in after ")) {
        let (when, text) = rest.split_once(':')?;
        let when = when.trim().trim_end_matches(" of agent speech");
        return Some(Step::BargeIn(parse_duration(when)?, speech::say(text.trim(), Voice::Caller)));
    }
    if let Some((what, how_long)) = line.split_once(" for ") {
        let how_long = Some(parse_duration(how_long)?);
        return match what {
            "echo" => Some(Step::Echo(how_long)),
            "pattern" => Some(Step::Pattern(how_long)),
            "silent" => Some(Step::Silent(how_long)),
            _ => None,
        };
    }
    line.strip_prefix("wait ").and_then(parse_duration).map(Step::Wait)
}

/// `200ms`, `2s`, `1.5s`; an hour at most.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let seconds: f64 = match text.strip_suffix("ms") {
        Some(number) => number.trim().parse::<f64>().ok()? / 1_000.0,
        None => text.strip_suffix('s')?.trim().parse().ok()?,
    };
    (0.0..=3_600.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_script_is_understood() {
        for name in PhoneScript::names() {
            assert!(PhoneScript::parse(name).is_ok(), "{name}: {:?}", PhoneScript::parse(name));
        }
    }

    #[test]
    fn the_lines_mean_what_they_say() {
        let ms = Duration::from_millis;
        let script = PhoneScript::parse(
            "answer after 1.5s\nwait for agent to finish # politely\nbarge-in after 800ms of agent speech: Stop\npress 5#\nwait 2s\n\
             echo for 3s\nhang up",
        )
        .unwrap();
        assert_eq!((script.pickup, script.after), (Pickup::Answer, Some(ms(1_500))));
        let stop = speech::say("Stop", Voice::Caller);
        assert_eq!(
            script.steps,
            [
                Step::WaitForAgentToFinish,
                Step::BargeIn(ms(800), stop),
                Step::Press('5'),
                Step::Press('#'),
                Step::Wait(ms(2_000)),
                Step::Echo(Some(ms(3_000))),
                Step::HangUp
            ]
        );
        let busy = PhoneScript::parse("fail 503 after 1s").unwrap();
        assert_eq!((busy.pickup, busy.after), (Pickup::Fail(503), Some(ms(1_000))));
    }

    #[test]
    fn a_line_that_means_nothing_is_named() {
        let error = PhoneScript::parse("answer\n\nsing a song").unwrap_err();
        assert_eq!((error.line, error.text.as_str()), (3, "sing a song"));
        for line in ["press 5x", "wait for godot", "wait -1s", "barge in after 1s", "echo for ever", "repeat"] {
            assert!(PhoneScript::parse(line).is_err(), "{line}");
        }
    }
}
