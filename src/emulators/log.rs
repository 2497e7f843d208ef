//! What happened in an emulator, in order: kept for `GET /_emulator/log`, and told live to whoever subscribes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::broadcast;

use super::clock::Clock;
use crate::domain::E164;

/// Entries kept; older ones are dropped.
const KEPT: usize = 20_000;

/// Entries a slow subscriber may be behind before it misses some.
const BEHIND: usize = 4_096;

/// One thing that happened. Numbers in it are masked, signatures and stream parameters left out.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Counts from 1 and never repeats, not even after a reset.
    pub n: u64,
    pub at: Timestamp,
    /// What kind of thing: `request`, `webhook`, `stream_started`, `warning`, …
    pub event: &'static str,
    /// The call (`CA…`) or conversation (`conv_…`) it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    #[serde(flatten)]
    pub detail: Map<String, Value>,
}

impl Entry {
    /// One field of the detail as text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.detail.get(field)?.as_str()
    }

    /// Whether it is of this kind and about this call or conversation.
    pub fn is(&self, event: &str, about: &str) -> bool {
        self.event == event && self.about.as_deref() == Some(about)
    }
}

/// The log of one emulator. Clones share it.
#[derive(Debug, Clone)]
pub struct EventLog {
    shared: Arc<Mutex<Shared>>,
    live: broadcast::Sender<Entry>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Shared {
    written: u64,
    kept: VecDeque<Entry>,
}

impl EventLog {
    pub fn new(clock: Clock) -> Self {
        Self { shared: Arc::default(), live: broadcast::channel(BEHIND).0, clock }
    }

    /// Adds an entry. `detail` is an object; anything else is kept under `detail`.
    pub fn record(&self, event: &'static str, about: Option<&str>, detail: Value) {
        let detail = match detail {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            other => Map::from_iter([("detail".to_owned(), other)]),
        };
        let mut shared = self.shared();
        shared.written += 1;
        let entry = Entry { n: shared.written, at: self.clock.now(), event, about: about.map(str::to_owned), detail };
        if shared.kept.len() == KEPT {
            shared.kept.pop_front();
        }
        shared.kept.push_back(entry.clone());
        // Sent under the lock, so that subscribers see the order of the log. Nobody listening is no error.
        let _ = self.live.send(entry);
    }

    /// Everything after entry `n`, oldest first.
    pub fn since(&self, n: u64) -> Vec<Entry> {
        self.shared().kept.iter().filter(|entry| entry.n > n).cloned().collect()
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Entry> {
        self.live.subscribe()
    }

    /// The first entry that fits, past or to come. Waits for ever if none comes: put a time limit around it.
    pub async fn wait_for(&self, fits: impl Fn(&Entry) -> bool) -> Entry {
        loop {
            let mut live = self.subscribe();
            if let Some(entry) = self.shared().kept.iter().find(|entry| fits(entry)) {
                return entry.clone();
            }
            // Missed entries send us back to the kept ones.
            while let Ok(entry) = live.recv().await {
                if fits(&entry) {
                    return entry;
                }
            }
        }
    }

    /// Forgets all entries. Numbering goes on.
    pub fn clear(&self) {
        self.shared().kept.clear();
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A text as the log may hold it: a telephone number is masked.
pub fn masked(text: &str) -> String {
    text.parse::<E164>().map_or_else(|_| text.to_owned(), |number| number.masked())
}

/// Parameters that hold credentials, or documents with a stream's token in them.
const HIDDEN: &[&str] = &["Twiml", "CallToken", "SipAuthPassword"];

/// Form parameters as the log may hold them.
pub fn masked_form(params: &[(String, String)]) -> Value {
    let shown = |name: &str, value: &str| {
        let text = if HIDDEN.contains(&name) { "•••".to_owned() } else { masked_url(&masked(value)) };
        (name.to_owned(), Value::from(text))
    };
    params.iter().map(|(name, value)| shown(name, value)).collect::<Map<_, _>>().into()
}

/// A URL without the user and password in it; any other text as it is.
pub fn masked_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn waiting_finds_the_past_and_the_future() {
        let log = EventLog::new(Clock::default());
        log.record("request", None, json!({"path": "/a"}));
        assert_eq!(log.wait_for(|entry| entry.event == "request").await.n, 1);
        let later = log.clone();
        let (entry, ()) = tokio::join!(log.wait_for(|entry| entry.is("webhook", "CA1")), async move {
            tokio::task::yield_now().await;
            later.record("webhook", Some("CA2"), Value::Null);
            later.record("webhook", Some("CA1"), json!({"status": 200}));
        });
        assert_eq!((entry.n, entry.detail["status"].as_u64()), (3, Some(200)));
    }

    #[test]
    fn numbers_and_credentials_are_masked() {
        let form = [
            ("To", "+12125550113"),
            ("CallSid", "CA1"),
            ("Twiml", "<Response/>"),
            ("Url", "http://u:p@a.example/x?y=@"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let shown = json!({"To": "+1212•••0113", "CallSid": "CA1", "Twiml": "•••", "Url": "http://a.example/x?y=@"});
        assert_eq!(masked_form(&form), shown);
        assert_eq!(masked_url("https://a.example"), "https://a.example");
    }
}
