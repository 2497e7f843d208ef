//! Callbacks of one call: a queue that sends them in order, or in disorder, late and twice when told to.

use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use super::calls::{Call, CallRecord, Status};
use super::webhook::Webhook;
use super::{Emulation, locked, rfc2822};

/// Callbacks that may wait for a slow server; further ones are lost and logged, as Twilio's are best effort.
pub(super) const QUEUE: usize = 64;

impl Emulation {
    /// Moves a call on and tells whoever asked.
    pub(super) fn set_status(&self, call: &Call, status: Status, sip_response: Option<u16>) {
        let now = self.clock.now();
        let record = {
            let mut record = locked(&call.record);
            record.status = status;
            record.updated = now;
            match status {
                Status::Ringing => record.started = Some(now),
                Status::InProgress => record.answered = Some(now),
                _ if status.is_over() => record.ended = Some(now),
                _ => {}
            }
            record.clone()
        };
        let detail = json!({"status": status.as_str(), "direction": record.direction, "to": record.to});
        self.log.record("status", Some(&call.sid), detail);
        let Some(plan) =
            call.status_plan.as_ref().filter(|plan| plan.events.iter().any(|event| event == status.event()))
        else {
            return;
        };
        let sequence = {
            let mut callbacks = locked(&call.callbacks);
            callbacks.1 += 1;
            callbacks.1 - 1
        };
        let params = self.status_params(&record, sequence, sip_response);
        self.queue_callback(call, Webhook { purpose: "status", url: plan.url.clone(), get: plan.get, params });
    }

    /// Puts a callback into the call's queue.
    pub(super) fn queue_callback(&self, call: &Call, hook: Webhook) {
        let purpose = hook.purpose;
        let sent = locked(&call.callbacks).0.as_ref().is_some_and(|queue| queue.try_send(hook).is_ok());
        if !sent {
            self.log.record("callback_lost", Some(&call.sid), json!({ "purpose": purpose }));
        }
    }

    /// The standard parameters of every voice request.
    pub(super) fn voice_params(&self, record: &CallRecord) -> Vec<(String, String)> {
        let mut params: Vec<(String, String)> = [
            ("AccountSid", self.account_sid.as_str()),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", &record.sid),
            ("CallStatus", record.status.as_str()),
            ("Called", &record.to),
            ("Caller", &record.from),
            ("Direction", record.direction),
            ("From", &record.from),
            ("To", &record.to),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if let Some(parent) = &record.parent_sid {
            params.push(("ParentCallSid".to_owned(), parent.clone()));
        }
        params
    }

    fn status_params(&self, record: &CallRecord, sequence: u64, sip_response: Option<u16>) -> Vec<(String, String)> {
        let mut params = self.voice_params(record);
        let mut add = |name: &str, value: String| params.push((name.to_owned(), value));
        add("Timestamp", rfc2822(record.updated));
        add("CallbackSource", "call-progress-events".to_owned());
        add("SequenceNumber", sequence.to_string());
        if record.status.is_over() {
            add("CallDuration", record.duration_s().to_string());
            if record.status == Status::Completed {
                add("Duration", (record.duration_s() + 59).div_euclid(60).to_string());
            }
        }
        if let Some(code) = sip_response {
            add("SipResponseCode", code.to_string());
        }
        params
    }

    /// Sends what is queued until the queue is closed and empty.
    pub(super) async fn run_callbacks(&self, call_sid: &str, mut queue: mpsc::Receiver<Webhook>) {
        let mut held: Option<Webhook> = None;
        loop {
            let next = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return,
                next = queue.recv() => next,
            };
            let Some(hook) = next else { break };
            if hook.purpose != "status" {
                self.send_callback(call_sid, &hook).await;
                continue;
            }
            let faults = locked(&self.faults).clone();
            if faults.reorder_callbacks && held.is_none() {
                held = Some(hook);
                continue;
            }
            for hook in [Some(hook), held.take()].into_iter().flatten() {
                if faults.delay_callbacks_ms > 0 {
                    tokio::time::sleep(Duration::from_millis(faults.delay_callbacks_ms)).await;
                }
                self.send_callback(call_sid, &hook).await;
                if faults.duplicate_callbacks {
                    self.send_callback(call_sid, &hook).await;
                }
            }
        }
        if let Some(hook) = held {
            self.send_callback(call_sid, &hook).await;
        }
    }

    /// The result is in the log; Twilio does nothing more with it either.
    async fn send_callback(&self, call_sid: &str, hook: &Webhook) {
        match self.webhooks.send(call_sid, hook).await {
            Ok(answer) if answer.status >= 400 => {
                self.warning(call_sid, 11200, &format!("{} callback answered {}", hook.purpose, answer.status));
            }
            Ok(_) => {}
            Err(error) => self.warning(call_sid, error.code, &format!("{} callback: {}", hook.purpose, error.message)),
        }
    }
}
