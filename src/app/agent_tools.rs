//! What an agent may look up and keep about the other party of its call: the lead, the calls before, what was remembered.

use serde_json::{Value, json};

use crate::domain::{Call, Direction, E164, Lead};
use crate::store::{CallFilter, LeadFilter, Memory, StoreError};

use super::App;

/// How many earlier calls are told.
const CALLS: u32 = 5;

/// The longest name and text of something remembered, in characters.
pub(super) const NAME_MAX: usize = 60;
pub(super) const TEXT_MAX: usize = 500;

/// What is known of somebody.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Known {
    pub(super) lead: Option<Lead>,
    /// Earlier calls, the last one first.
    pub(super) calls: Vec<Call>,
    pub(super) memories: Vec<Memory>,
}

impl Known {
    pub(super) fn is_anybody(&self) -> bool {
        self.lead.is_some() || !self.calls.is_empty()
    }
}

impl App {
    /// What is known of the other party.
    pub(super) async fn known_of(&self, record: &Call) -> Result<Known, StoreError> {
        let Some(number) = other_party(record) else { return Ok(Known::default()) };
        let lead = async {
            match record.lead_id {
                Some(id) => self.store.lead(id).await,
                None => self.lead_of(number).await,
            }
        };
        let filter = CallFilter { number: Some(number.clone()), ..CallFilter::default() };
        let calls = self.store.list_calls(filter, None, CALLS + 1);
        let (lead, calls, memories) = tokio::try_join!(lead, calls, self.store.memories(number))?;
        let before = calls.items.into_iter().filter(|call| call.id != record.id).take(CALLS as usize);
        Ok(Known { lead, calls: before.collect(), memories })
    }

    /// The same for the agent. Numbers and e-mail addresses are not in it: the agent has no use for them.
    pub(super) async fn look_up_caller(&self, record: &Call) -> Result<Value, StoreError> {
        if other_party(record).is_none() {
            return Ok(json!({"known": false}));
        }
        let known = self.known_of(record).await?;
        Ok(json!({
            "known": known.is_anybody(),
            "lead": known.lead.map(|lead| json!({
                "first_name": lead.first_name,
                "last_name": lead.last_name,
                "state": lead.state,
                "status": lead.status,
                "tags": lead.tags,
                "custom": lead.custom,
            })),
            "calls_before": known.calls.iter().map(brief).collect::<Vec<_>>(),
            "remembered": memories(&known.memories),
        }))
    }

    /// Keeps a text for the next call with this party. False where the party has no number to be known by.
    pub(super) async fn remember(&self, record: &Call, name: &str, text: &str) -> Result<bool, StoreError> {
        let Some(number) = other_party(record) else { return Ok(false) };
        self.store.remember(number, name, text, record.id, self.clock.now()).await?;
        Ok(true)
    }

    pub(super) async fn recall(&self, record: &Call) -> Result<Value, StoreError> {
        match other_party(record) {
            Some(number) => Ok(memories(&self.store.memories(number).await?)),
            None => Ok(json!({})),
        }
    }

    async fn lead_of(&self, number: &E164) -> Result<Option<Lead>, StoreError> {
        let filter = LeadFilter { number: Some(number.clone()), ..LeadFilter::default() };
        Ok(self.store.list_leads(filter, None, 1).await?.items.pop())
    }
}

/// Whom the agent talks with.
fn other_party(record: &Call) -> Option<&E164> {
    let party = if record.direction == Direction::Outbound { &record.to } else { &record.from };
    party.number()
}

fn brief(call: &Call) -> Value {
    json!({
        "at": call.created_at,
        "direction": call.direction,
        "disposition": call.disposition,
        "summary": call.summary,
    })
}

fn memories(memories: &[Memory]) -> Value {
    memories.iter().map(|memory| (memory.name.clone(), Value::from(memory.text.as_str()))).collect()
}
