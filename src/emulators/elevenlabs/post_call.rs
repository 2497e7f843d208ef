//! The post-call webhook: what was said, told once, signed.

use std::time::Duration;

use serde_json::json;

use super::records::Record;
use super::{Emulation, locked};
use crate::emulators::log::masked_url;
use crate::emulators::signature;

impl Emulation {
    /// Tells the post-call webhook, where there is one.
    pub(super) async fn send_post_call(&self, record: &Record) {
        let Some(webhook) = locked(&self.webhook).clone() else { return };
        let now = self.clock.now().as_second();
        let body =
            json!({"type": "post_call_transcription", "event_timestamp": now, "data": record.to_json()}).to_string();
        let request = self
            .client
            .post(&webhook.url)
            .timeout(Duration::from_secs(10))
            .header("content-type", "application/json")
            .header("elevenlabs-signature", signature::elevenlabs(webhook.secret.expose(), now, &body))
            .body(body);
        let result = tokio::select! {
            () = self.shutdown.cancelled() => return,
            result = request.send() => result,
        };
        let status = result.map_or(0, |response| response.status().as_u16());
        self.log.record("webhook", Some(&record.id), json!({"url": masked_url(&webhook.url), "status": status}));
    }
}
