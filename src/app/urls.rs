//! The addresses that the carrier is told. Our own call id is in their path, so that a webhook that comes before the carrier's
//! answer to a dial still finds its call. Status-like callbacks ask for retries (Twilio's connection overrides, a URL fragment).

use crate::domain::CallId;

/// What callbacks that may not get lost ask of Twilio: three retries on server errors and time-outs.
const RETRIES: &str = "#rc=3&rp=5xx,ct,rt";

/// Builds addresses under the public URL.
#[derive(Debug, Clone)]
pub struct Urls {
    base: String,
}

impl Urls {
    /// `base` has no slash at its end.
    pub fn new(base: String) -> Self {
        Self { base }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn voice(&self, call: CallId) -> String {
        format!("{}/webhooks/voice/{call}{RETRIES}", self.base)
    }

    pub fn status_callback(&self, call: CallId) -> String {
        format!("{}/webhooks/status-callback/{call}{RETRIES}", self.base)
    }

    pub fn recording_callback(&self, call: CallId) -> String {
        format!("{}/webhooks/recording-callback/{call}{RETRIES}", self.base)
    }

    pub fn amd_callback(&self, call: CallId) -> String {
        format!("{}/webhooks/amd-callback/{call}{RETRIES}", self.base)
    }

    pub fn stream_callback(&self, call: CallId) -> String {
        format!("{}/webhooks/stream-callback/{call}", self.base)
    }

    /// Retried as often as Twilio does, to bridge a restart of ours.
    pub fn resume(&self, call: CallId) -> String {
        format!("{}/webhooks/resume/{call}#rc=5&rp=5xx,ct,rt", self.base)
    }

    /// Asked how to go on after a transfer; retried, since the caller waits.
    pub fn transfer(&self, call: CallId) -> String {
        format!("{}/webhooks/transfer/{call}#rc=5&rp=5xx,ct,rt", self.base)
    }

    pub fn transfer_answered(&self, call: CallId) -> String {
        format!("{}/webhooks/transfer-answered/{call}{RETRIES}", self.base)
    }

    pub fn briefing(&self, call: CallId) -> String {
        format!("{}/webhooks/briefing/{call}{RETRIES}", self.base)
    }

    pub fn briefing_answer(&self, call: CallId) -> String {
        format!("{}/webhooks/briefing-answer/{call}{RETRIES}", self.base)
    }

    /// The media socket: `wss` where the public URL is `https`.
    pub fn media(&self) -> String {
        format!("{}/media", self.base.replacen("http", "ws", 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_socket_follows_the_scheme() {
        assert_eq!(Urls::new("https://v.example.com".to_owned()).media(), "wss://v.example.com/media");
        assert_eq!(Urls::new("http://127.0.0.1:1".to_owned()).media(), "ws://127.0.0.1:1/media");
    }
}
