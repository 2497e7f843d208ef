//! Recognises the other party when a call begins: what is known of them becomes dynamic variables of the agent.
//!
//! | variable | what it is |
//! |---|---|
//! | `party_known` | whether there is a lead or an earlier call |
//! | `lead_first_name`, `lead_last_name`, `lead_state`, `lead_status` | of the lead |
//! | `lead_tags`, `lead_custom` | the same: tags separated by commas, the operator's own fields as JSON |
//! | `calls_before` | how many earlier calls are known, 5 at most |
//! | `last_call_at`, `last_call_disposition`, `last_call_summary` | of the last of them |
//! | `remembered` | what agents remembered of them, a line each |
//!
//! All of them are always sent, empty where nothing is known: at `ElevenLabs` a prompt that names a variable that is not sent ends the
//! conversation (1008, `missing_dynamic_variable`). What the request for a call gave under one of these names stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::domain::{Call, Disposition};
use crate::session::Command;
use crate::store::StoreError;

use super::App;
use super::agent_tools::Known;
use super::live_calls::LiveCall;

/// How long an agent's first message may wait for this. A caller does not notice it.
pub(super) const RECOGNITION_LIMIT: Duration = Duration::from_millis(150);

/// The longest that is told of a summary, and of all that is remembered, in characters.
const SUMMARY_MAX: usize = 500;
const REMEMBERED_MAX: usize = 2_000;

pub(super) type Variables = BTreeMap<String, Value>;

impl App {
    /// Looks the other party of a call up, off the stream's path, and tells the stream.
    pub(super) fn recognise(self: &Arc<Self>, call: &Arc<LiveCall>, stream: mpsc::Sender<Box<Command>>) {
        let (app, call) = (Arc::clone(self), Arc::clone(call));
        let recognising = async move {
            let variables = app.known_variables(&call.record()).await.unwrap_or_default();
            let _ = stream.send(Box::new(Command::Recognised { variables })).await;
        };
        self.tracker.spawn_on(recognising, &self.main_runtime);
    }

    /// What is known of the other party; none where that was not found out in time.
    pub(super) async fn known_variables(&self, record: &Call) -> Option<Variables> {
        let known = in_time(self.known_of(record)).await;
        let known =
            known.inspect_err(|reason| tracing::warn!(call.id = %record.id, reason, "a caller was not recognised"));
        Some(unless_given(variables(&known.ok()?), record))
    }

    /// The call's variables and what is known of the other party, for an agent that is told all at once.
    pub(super) async fn all_variables(&self, record: &Call) -> Variables {
        let mut variables = unknown_variables(record);
        variables.extend(self.known_variables(record).await.unwrap_or_default());
        variables.extend(record.dynamic_variables.clone());
        variables
    }
}

/// All names, as they are while nothing is known.
pub(super) fn unknown_variables(record: &Call) -> Variables {
    unless_given(variables(&Known::default()), record)
}

async fn in_time(looking: impl Future<Output = Result<Known, StoreError>>) -> Result<Known, String> {
    match tokio::time::timeout(RECOGNITION_LIMIT, looking).await {
        Ok(known) => known.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it took longer than {} ms", RECOGNITION_LIMIT.as_millis())),
    }
}

fn unless_given(mut variables: Variables, record: &Call) -> Variables {
    variables.retain(|name, _| !record.dynamic_variables.contains_key(name));
    variables
}

fn variables(known: &Known) -> Variables {
    let lead = known.lead.as_ref();
    let of_lead = |text: Option<&str>| Value::from(text.unwrap_or_default());
    let last = known.calls.first();
    let summary = last.and_then(|call| call.summary.as_deref()).unwrap_or_default();
    let remembered: Vec<_> = known.memories.iter().map(|memory| format!("{}: {}", memory.name, memory.text)).collect();
    let status = lead.map(|lead| serde_json::to_value(lead.status).expect("a status is a word"));
    let custom = lead.filter(|lead| !lead.custom.is_empty());
    let custom = custom.map(|lead| serde_json::to_string(&lead.custom).expect("JSON is JSON"));
    let pairs = [
        ("party_known", known.is_anybody().into()),
        ("lead_first_name", of_lead(lead.map(|lead| &*lead.first_name))),
        ("lead_last_name", of_lead(lead.map(|lead| &*lead.last_name))),
        ("lead_state", of_lead(lead.and_then(|lead| lead.state.as_deref()))),
        ("lead_status", status.unwrap_or_else(|| "".into())),
        ("lead_tags", lead.map(|lead| lead.tags.join(", ")).unwrap_or_default().into()),
        ("lead_custom", custom.unwrap_or_default().into()),
        ("calls_before", known.calls.len().into()),
        ("last_call_at", last.map(|call| call.created_at.to_string()).unwrap_or_default().into()),
        ("last_call_disposition", of_lead(last.and_then(|call| call.disposition).map(Disposition::as_str))),
        ("last_call_summary", cut(summary, SUMMARY_MAX).into()),
        ("remembered", cut(&remembered.join("\n"), REMEMBERED_MAX).into()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

fn cut(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::domain::event::{Actor, Created, Door};
    use crate::domain::lead::{LeadStatus, ProtectedLine};
    use crate::domain::{AgentRef, CallId, Direction, Lead, LeadId, Party};
    use crate::store::Memory;

    fn call(number: u128) -> Call {
        let created = Created {
            direction: Direction::Inbound,
            from: Party::Number("+12125550187".parse().unwrap()),
            to: Party::Number("+12125550100".parse().unwrap()),
            agent: "a1".parse::<AgentRef>().unwrap(),
            purpose: None,
            lead_id: None,
            dynamic_variables: Variables::from([("lead_tags".to_owned(), "given".into())]),
            requested_by: Actor::new(Door::Carrier, "twilio"),
        };
        Call::new(CallId::from_uuid(Uuid::from_u128(number)), Timestamp::UNIX_EPOCH, &created)
    }

    fn known() -> Known {
        let mut before = call(1);
        before.disposition = Some(Disposition::Completed);
        before.summary = Some("ä".repeat(SUMMARY_MAX + 1));
        let lead = Lead {
            id: LeadId::from_uuid(Uuid::from_u128(2)),
            number: "+12125550187".parse().unwrap(),
            first_name: "Jo".to_owned(),
            last_name: "Doe".to_owned(),
            email: None,
            state: Some("NY".to_owned()),
            time_zone: None,
            source: None,
            status: LeadStatus::Qualified,
            tags: vec!["warm".to_owned(), "house".to_owned()],
            custom: Variables::from([("beds".to_owned(), 3.into())]),
            protected_line: ProtectedLine::None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        let memory =
            |name: &str, text: &str| Memory { name: name.to_owned(), text: text.to_owned(), at: Timestamp::UNIX_EPOCH };
        let memories = vec![memory("dog", "Rex"), memory("visit", "on Thursday")];
        Known { lead: Some(lead), calls: vec![before], memories }
    }

    #[test]
    fn what_is_known_has_names_and_nobody_has_the_same_ones() {
        let told = variables(&known());
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        assert_eq!((&told["party_known"], &told["calls_before"]), (&true.into(), &1.into()));
        assert_eq!(["lead_first_name", "lead_last_name", "lead_state"].map(text), ["Jo", "Doe", "NY"]);
        assert_eq!(["lead_status", "lead_tags", "lead_custom"].map(text), ["qualified", "warm, house", "{\"beds\":3}"]);
        assert_eq!(["last_call_at", "last_call_disposition"].map(text), ["1970-01-01T00:00:00Z", "completed"]);
        assert_eq!(
            (text("last_call_summary").chars().count(), text("remembered")),
            (500, "dog: Rex\nvisit: on Thursday".to_owned())
        );
        let nobody = variables(&Known::default());
        assert!(nobody.keys().eq(told.keys()));
        assert!(nobody.values().all(|value| *value == "" || *value == false || *value == 0), "{nobody:?}");
        // What came with the request stands.
        assert!(!unknown_variables(&call(3)).contains_key("lead_tags"));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_limit() {
        let slow = async |ms| {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(known())
        };
        assert_eq!(in_time(slow(149)).await, Ok(known()));
        assert_eq!(in_time(slow(151)).await, Err("it took longer than 150 ms".to_owned()));
        assert!(in_time(std::future::pending()).await.is_err());
    }
}
