//! Conversations that were held: as the REST API shows them, and as the post-call webhook tells them.

use std::collections::VecDeque;
use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::locked;

/// Conversations remembered; the oldest go first.
const REMEMBERED: usize = 1_000;

/// One conversation.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub id: String,
    pub agent_id: String,
    pub agent_name: String,
    /// `in-progress`, `processing`, `done`, `failed`.
    pub status: &'static str,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub turns: Vec<Value>,
    pub initiation: Value,
    pub termination_reason: String,
    pub error: Option<(u16, String)>,
}

impl Record {
    pub(super) fn duration_s(&self) -> i64 {
        self.ended.map_or(0, |ended| ended.duration_since(self.started).as_secs().max(0))
    }

    fn success(&self) -> &'static str {
        match (self.status, &self.error) {
            ("done", None) => "success",
            ("done" | "failed", Some(_)) => "failure",
            _ => "unknown",
        }
    }

    pub(super) fn to_summary(&self) -> Value {
        json!({
            "agent_id": self.agent_id,
            "agent_name": self.agent_name,
            "conversation_id": self.id,
            "start_time_unix_secs": self.started.as_second(),
            "call_duration_secs": self.duration_s(),
            "message_count": self.turns.len(),
            "status": self.status,
            "termination_reason": self.termination_reason,
            "call_successful": self.success(),
            "direction": null,
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let analysis = (self.status == "done").then(|| {
            json!({
                "call_successful": self.success(),
                "transcript_summary": format!("A scripted conversation of {} turns.", self.turns.len()),
                "evaluation_criteria_results": {},
                "data_collection_results": {},
            })
        });
        json!({
            "agent_id": self.agent_id,
            "agent_name": self.agent_name,
            "conversation_id": self.id,
            "status": self.status,
            "user_id": self.initiation.get("user_id"),
            "transcript": self.turns,
            "metadata": {
                "start_time_unix_secs": self.started.as_second(),
                "accepted_time_unix_secs": self.started.as_second(),
                "call_duration_secs": self.duration_s(),
                "cost": 0,
                "cost_fiat": null,
                "termination_reason": self.termination_reason,
                "error": self.error.as_ref().map(|(code, reason)| json!({"code": code, "reason": reason})),
                "warnings": [],
                "phone_call": null,
            },
            "analysis": analysis,
            "conversation_initiation_client_data": self.initiation,
            "has_audio": false,
            "has_user_audio": false,
            "has_response_audio": false,
            "has_auxiliary_audio": false,
        })
    }
}

/// All conversations, the newest first.
#[derive(Debug, Default)]
pub(super) struct Records(Mutex<VecDeque<Record>>);

impl Records {
    pub(super) fn insert(&self, record: Record) {
        let mut records = locked(&self.0);
        records.push_front(record);
        records.truncate(REMEMBERED);
    }

    /// Changes one and returns it as it is then.
    pub(super) fn update(&self, id: &str, change: impl FnOnce(&mut Record)) -> Option<Record> {
        let mut records = locked(&self.0);
        let record = records.iter_mut().find(|record| record.id == id)?;
        change(record);
        Some(record.clone())
    }

    pub(super) fn find(&self, id: &str) -> Option<Record> {
        locked(&self.0).iter().find(|record| record.id == id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Record> {
        locked(&self.0).iter().cloned().collect()
    }

    pub(super) fn remove(&self, id: &str) -> bool {
        let mut records = locked(&self.0);
        let before = records.len();
        records.retain(|record| record.id != id);
        records.len() < before
    }
}
