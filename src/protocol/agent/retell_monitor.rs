//! Retell's monitor WebSocket: what is said in a call at Retell, while it is said. Retell sends, we listen.
//!
//! Retell's page on it gives the address, the key and the kinds of messages; how a message is laid out is known from programs that read
//! them. So this reads what they agree on: a snapshot replaces what is known; an update replaces the lines whose ids are known and adds
//! the others, and where lines have no ids it holds the whole conversation.

use serde::Deserialize;

use super::retell::{Line, RetellError, WireLine};

/// RFC 6455, section 7.4.1: the call ended.
const NORMAL: u16 = 1000;

/// The call is not live yet.
const NOT_YET: u16 = 4004;

/// What a message was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Said,
    CallEnded,
    Other,
}

/// What was said so far, as the monitor tells it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Monitored {
    lines: Vec<(Option<String>, Line)>,
}

impl Monitored {
    /// Takes one message in. Entries that nobody spoke (tools, nodes, keys) are left out.
    pub fn take(&mut self, text: &[u8]) -> Result<News, RetellError> {
        let message: Wire = serde_json::from_slice(text)?;
        let entries = message.transcript.unwrap_or_default();
        let said: Vec<_> = entries.into_iter().filter_map(|entry| Some((entry.id, entry.line.line()?))).collect();
        let is_whole = match message.kind.as_str() {
            "transcript_snapshot" => true,
            "transcript_updated" => said.iter().any(|(id, _)| id.is_none()),
            "call_ended" => return Ok(News::CallEnded),
            _ => return Ok(News::Other),
        };
        if is_whole {
            self.lines = said;
        } else {
            for line in said {
                self.put(line);
            }
        }
        Ok(News::Said)
    }

    pub fn lines(&self) -> Vec<Line> {
        self.lines.iter().map(|(_, line)| line.clone()).collect()
    }

    fn put(&mut self, line: (Option<String>, Line)) {
        match self.lines.iter_mut().find(|known| known.0 == line.0) {
            Some(known) => *known = line,
            None => self.lines.push(line),
        }
    }
}

/// Whether the socket may be opened again after it was closed with this code; none: it broke.
pub fn may_return(code: Option<u16>) -> bool {
    code.is_none_or(|code| code == NOT_YET || code != NORMAL && !(4000..5000).contains(&code))
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "type", alias = "event_type")]
    kind: String,
    #[serde(alias = "transcripts")]
    transcript: Option<Vec<WireEntry>>,
}

#[derive(Deserialize)]
struct WireEntry {
    id: Option<String>,
    #[serde(flatten)]
    line: WireLine,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn after(messages: &[Value]) -> Vec<String> {
        let mut monitored = Monitored::default();
        for message in messages {
            assert_eq!(monitored.take(message.to_string().as_bytes()), Ok(News::Said), "{message}");
        }
        monitored
            .lines()
            .into_iter()
            .map(|line| format!("{}{}", if line.by_caller { "< " } else { "> " }, line.text))
            .collect()
    }

    fn said(id: &str, role: &str, content: &str) -> Value {
        json!({"id": id, "role": role, "content": content, "time_sec": 1.5})
    }

    #[test]
    fn a_line_grows_and_another_is_added() {
        let snapshot = json!({"type": "transcript_snapshot", "transcript": [said("1", "agent", "Hello."),
            {"id": "2", "role": "tool_call_invocation", "name": "x"}, said("3", "user", "Hi")]});
        let update = |lines: &[Value]| json!({"type": "transcript_updated", "transcript": lines});
        let grown = update(&[said("3", "user", "Hi there.")]);
        assert_eq!(after(&[snapshot.clone(), grown.clone()]), ["> Hello.", "< Hi there."]);
        assert_eq!(
            after(&[snapshot.clone(), grown, update(&[said("4", "agent", "Yes?")])]),
            ["> Hello.", "< Hi there.", "> Yes?"]
        );
        let whole =
            update(&[json!({"role": "agent", "content": "Hello."}), json!({"role": "user", "content": "Hi you."})]);
        assert_eq!(after(&[snapshot.clone(), whole]), ["> Hello.", "< Hi you."]);
        assert_eq!(after(&[update(&[said("9", "user", "x")]), snapshot]), ["> Hello.", "< Hi"]);
    }

    #[test]
    fn the_end_and_what_is_not_known() {
        let mut monitored = Monitored::default();
        let mut take = |message: Value| monitored.take(message.to_string().as_bytes());
        assert_eq!(take(json!({"type": "call_ended"})), Ok(News::CallEnded));
        assert_eq!(take(json!({"event_type": "of_next_year", "x": 1})), Ok(News::Other));
        assert!(take(json!({"transcript": []})).is_err());
        for (code, again) in [
            (None, true),
            (Some(1000), false),
            (Some(1006), true),
            (Some(1011), true),
            (Some(4001), false),
            (Some(4004), true),
        ] {
            assert_eq!(may_return(code), again, "{code:?}");
        }
    }
}
