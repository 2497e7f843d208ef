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

impl App {
    /// What is known of the other party. Numbers and e-mail addresses are not in it: the agent has no use for them.
    pub(super) async fn look_up_caller(&self, record: &Call) -> Result<Value, StoreError> {
        let Some(number) = other_party(record) else { return Ok(json!({"known": false})) };
        let lead = match record.lead_id {
            Some(id) => self.store.lead(id).await?,
            None => self.lead_of(number).await?,
        };
        let filter = CallFilter { number: Some(number.clone()), ..CallFilter::default() };
        let calls = self.store.list_calls(filter, None, CALLS + 1).await?.items;
        let before: Vec<_> = calls.iter().filter(|call| call.id != record.id).take(CALLS as usize).map(brief).collect();
        let remembered = memories(&self.store.memories(number).await?);
        Ok(json!({
            "known": lead.is_some() || !before.is_empty(),
            "lead": lead.map(|lead| json!({
                "first_name": lead.first_name,
                "last_name": lead.last_name,
                "state": lead.state,
                "status": lead.status,
                "tags": lead.tags,
                "custom": lead.custom,
            })),
            "calls_before": before,
            "remembered": remembered,
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
