//! The transcript of a call as a fold over its events: what was said, and of our side only what was heard.

use jiff::Timestamp;
use serde::Serialize;

use super::CallEvent;
use super::event::JournalEntry;

/// One line of a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TranscriptLine {
    pub seq: i64,
    pub at: Timestamp,
    /// `caller`, `agent`, or `house` for a sentence of our own voice.
    pub role: &'static str,
    pub text: String,
    /// For the agent: whether only a part of it was played. What was not heard is not in `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<bool>,
}

/// What was said and heard. A line that was cut off holds only the part that was played, one of which nothing was heard is left out.
pub fn lines(entries: &[JournalEntry]) -> Vec<TranscriptLine> {
    let mut lines: Vec<(Option<u64>, TranscriptLine)> = Vec::new();
    for entry in entries {
        let line = |role, text: &str, interrupted| TranscriptLine {
            seq: entry.seq,
            at: entry.at,
            role,
            text: text.to_owned(),
            interrupted,
        };
        match &entry.event {
            CallEvent::CallerSaid { text } => lines.push((None, line("caller", text, None))),
            CallEvent::HouseSpoke { text, .. } => lines.push((None, line("house", text, None))),
            CallEvent::AgentSaid { turn, text } => lines.push((Some(*turn), line("agent", text, Some(false)))),
            CallEvent::BargeIn { turn, heard, .. } | CallEvent::TurnWithheld { turn, heard, .. } => {
                // Everything up to the interrupted turn is settled; later texts of the same turn were never heard.
                if let Some((_, said)) = lines.iter_mut().rev().find(|(of, _)| *of == Some(*turn)) {
                    said.text.clone_from(heard);
                    said.interrupted = Some(true);
                }
            }
            _ => {}
        }
    }
    lines.into_iter().map(|(_, line)| line).filter(|line| !line.text.is_empty()).collect()
}

/// The end of a conversation for somebody who is to go on with it, at most so many characters.
pub fn summary(entries: &[JournalEntry], max: usize) -> String {
    let mut kept = Vec::new();
    let mut left = max;
    for line in lines(entries).iter().rev() {
        let text = format!("{}: {}", line.role, line.text);
        let chars = text.chars().count() + 1;
        if chars > left {
            break;
        }
        left -= chars;
        kept.push(text);
    }
    kept.reverse();
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CallId;

    fn entries(events: Vec<CallEvent>) -> Vec<JournalEntry> {
        let call_id = CallId::from_uuid(uuid::Uuid::from_u128(1));
        let entry = |(seq, event)| JournalEntry { seq, call_id, at: Timestamp::UNIX_EPOCH, event };
        (1..).zip(events).map(entry).collect()
    }

    #[test]
    fn only_what_was_heard_is_in_it_and_a_summary_keeps_the_end() {
        let said = |turn, text: &str| CallEvent::AgentSaid { turn, text: text.to_owned() };
        let entries = entries(vec![
            said(1, "Hello there."),
            CallEvent::CallerSaid { text: "Hi.".to_owned() },
            said(2, "One two three."),
            CallEvent::BargeIn { turn: 2, heard_ms: 1, sent_ms: 2, heard: "One".to_owned() },
            said(3, "Unheard."),
            CallEvent::TurnWithheld { turn: 3, heard_ms: 0, heard: String::new() },
        ]);
        let texts: Vec<_> = lines(&entries).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["Hello there.", "Hi.", "One"]);
        assert_eq!(summary(&entries, 23), "caller: Hi.\nagent: One");
        assert_eq!(summary(&entries, 5), "");
    }
}
