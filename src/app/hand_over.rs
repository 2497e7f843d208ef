//! Calls that are handed over: the carrier sends the audio to the agent's vendor by SIP, and we keep the control and the record.
//!
//! What was said comes by webhook, or by asking the vendor afterwards; either way each line is written down once. The carrier's
//! `<Dial action>` says how the vendor's side ended: well, and the call is over; or not, and the next agent takes the call.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::{Actor, Door};
use crate::domain::{AgentVendor, Call, CallEvent, CallId, CallStatus, ConversationId, Disposition};
use crate::protocol::agent::retell::{Registration, RetellCall, Webhook};
use crate::protocol::twilio::rest::RecordingRequest;
use crate::protocol::twilio::twiml::{HandOver, HangUp, Say, render};
use crate::store::{StoreError, StoredConversation};

use super::live_calls::LiveCall;
use super::recognise;
use super::{App, JournalFull};

/// When the vendor is asked for what its webhooks may not have brought, seconds after the end, each after the one before.
const ASK_AFTER_S: [u64; 4] = [2, 8, 50, 240];

impl App {
    /// The document that hands the call over to its agent, or to the next one that can be had.
    pub(super) async fn hand_over_document(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        disclosure: Option<String>,
        recording: Option<&RecordingRequest>,
    ) -> String {
        let record = call.record();
        let agents = self.agents_of(&record.agent, record.to.as_str());
        for (place, agent) in agents.iter().enumerate() {
            if place > 0
                && self.journal.record_durably(call.id, CallEvent::AgentReplaced { by: agent.clone() }).await.is_err()
            {
                break;
            }
            if agent.vendor != AgentVendor::Retell {
                self.warm_agent(call);
                return self.stream_document(call, disclosure);
            }
            match self.register(call, &record, &agent.id).await {
                Ok(vendor_id) => {
                    let sip_uri = format!("sip:{vendor_id}@{};transport=tcp", self.config.agents.retell.sip_domain);
                    return render(&HandOver {
                        disclosure: disclosure.as_deref().map(Say::plainly),
                        recording,
                        action_url: &self.urls.hand_over(call.id),
                        time_limit: self.time_left(call),
                        sip_uri: &sip_uri,
                    });
                }
                Err(reason) => {
                    let lost = CallEvent::AgentLost { agent: Some(agent.clone()), reason, will_retry: false };
                    let _ = self.journal.record(call.id, lost);
                }
            }
        }
        self.request_end(call, &Actor::new(Door::System, "agent watchdog"), Disposition::AgentFailed);
        self.apology_document()
    }

    async fn register(&self, call: &LiveCall, record: &Call, agent_id: &str) -> Result<String, String> {
        let mut variables = recognise::unknown_variables(record);
        variables.extend(self.known_variables(record).await.unwrap_or_default());
        variables.extend(record.dynamic_variables.clone());
        let registration = Registration {
            agent_id,
            direction: record.direction,
            from: record.from.as_str(),
            to: record.to.as_str(),
            call_id: call.id,
            dynamic_variables: &variables,
        };
        let vendor_id = self.retell.register(&registration).await.map_err(|error| error.to_string())?;
        let conversation_id = ConversationId::new(vendor_id.as_str());
        let handed_over = CallEvent::HandedOver { conversation_id };
        self.journal.record_durably(call.id, handed_over).await.map_err(|error| error.to_string())?;
        Ok(vendor_id)
    }

    /// The vendor's side of a handed-over call ended, or never came about. A repetition of the same `delivery` is told the same.
    pub async fn hand_over_ended(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        status: Option<CallStatus>,
        delivery: Option<String>,
    ) -> String {
        if let Some(document) = delivery.as_deref().and_then(|delivery| call.resumed_with(delivery)) {
            return document;
        }
        let document = self.document_after_hand_over(call, status).await;
        if let Some(delivery) = delivery {
            call.keep_resumed(delivery, document.clone());
        }
        document
    }

    async fn document_after_hand_over(self: &Arc<Self>, call: &Arc<LiveCall>, status: Option<CallStatus>) -> String {
        if call.is_over() {
            return render(&HangUp);
        }
        if let Some(document) = self.planned_document(&call.next_document()) {
            return document;
        }
        self.ask_vendor_later(call);
        if status == Some(CallStatus::Completed) {
            self.request_end(call, &Actor::new(Door::Agent, call.record().agent.to_string()), Disposition::Completed);
            return render(&HangUp);
        }
        let record = call.record();
        let word = status.map_or("failed", |status| match status {
            CallStatus::Busy => "busy",
            CallStatus::NoAnswer => "no-answer",
            _ => "failed",
        });
        let reason = format!("the agent's SIP address did not take the call: {word}");
        let lost = CallEvent::AgentLost { agent: Some(record.agent.clone()), reason, will_retry: false };
        let _ = self.journal.record(call.id, lost);
        // The one that failed is not tried again within this call.
        let agents = self.config.agents_with(&record.agent, record.to.as_str());
        let next = agents.into_iter().skip_while(|agent| *agent != record.agent).nth(1);
        if let Some(by) = next
            && self.journal.record_durably(call.id, CallEvent::AgentReplaced { by }).await.is_ok()
        {
            call.leave_note(self.conversation_so_far(call).await);
            return self.plan_document(call, None).await;
        }
        self.request_end(call, &Actor::new(Door::System, "agent watchdog"), Disposition::AgentFailed);
        self.apology_document()
    }

    /// A webhook of the vendor's. In any order and any number of times.
    pub async fn retell_told(self: &Arc<Self>, webhook: Webhook, body: &[u8]) -> Result<(), StoreError> {
        let Some(call_id) = webhook.call.ours else {
            tracing::debug!(event = webhook.event, "a webhook of a Retell call that is not ours");
            return Ok(());
        };
        if self.store.call(call_id).await?.is_none() {
            return Ok(());
        }
        let payload = serde_json::from_slice(body).unwrap_or_default();
        let is_live = webhook.event == "transcript_updated" && !webhook.call.is_over;
        self.take_from_vendor(call_id, webhook.call, payload, is_live).await
    }

    /// Writes down what the vendor tells and the journal does not hold. While the call is on the last line may still grow.
    async fn take_from_vendor(
        &self,
        call_id: CallId,
        told: RetellCall,
        payload: serde_json::Value,
        is_live: bool,
    ) -> Result<(), StoreError> {
        let _turn = self.vendor_lines.lock().await;
        let _ = self.journal.catch_up().await;
        let entries = self.store.events_of(call_id).await?;
        let was_said = |event: &CallEvent| matches!(event, CallEvent::CallerSaid { .. } | CallEvent::AgentSaid { .. });
        let known = entries.iter().filter(|entry| was_said(&entry.event)).count();
        let analysed = entries.iter().any(|entry| matches!(entry.event, CallEvent::ConversationAnalysed { .. }));
        let settled = told.lines.len() - usize::from(is_live && !told.lines.is_empty());
        for (turn, line) in (1..).zip(told.lines).take(settled).skip(known) {
            let text = line.text;
            let said =
                if line.by_caller { CallEvent::CallerSaid { text } } else { CallEvent::AgentSaid { turn, text } };
            self.write(call_id, said).await;
        }
        if is_live {
            return Ok(());
        }
        let conversation_id = ConversationId::new(told.call_id);
        if let (false, Some(summary)) = (analysed, told.summary) {
            let successful =
                told.successful.map(|successful| if successful { "success" } else { "failure" }.to_owned());
            let (conversation_id, summary) = (conversation_id.clone(), Some(summary));
            self.write(call_id, CallEvent::ConversationAnalysed { conversation_id, summary, successful }).await;
        }
        let received_at = self.clock.now();
        self.store
            .store_conversation(StoredConversation {
                id: conversation_id,
                call_id: Some(call_id),
                payload,
                received_at,
            })
            .await
    }

    async fn write(&self, call_id: CallId, event: CallEvent) {
        if let Err(error @ JournalFull) = self.journal.record_durably(call_id, event).await {
            tracing::error!(%call_id, %error, "what an agent's vendor told could not be written down");
        }
    }

    /// Asks the vendor about the call until it knows its end: a webhook may be lost, or none be set up.
    fn ask_vendor_later(self: &Arc<Self>, call: &LiveCall) {
        let Some(vendor_id) = call.record().conversation_id else { return };
        let (app, call_id) = (Arc::clone(self), call.id);
        self.tracker.spawn(async move {
            for wait_s in ASK_AFTER_S {
                tokio::select! {
                    () = app.shutdown.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(wait_s)) => {}
                }
                match app.retell.fetch_call(vendor_id.as_str()).await {
                    Ok(told) if told.is_over => {
                        let is_analysed = told.summary.is_some();
                        if let Err(error) = app.take_from_vendor(call_id, told, serde_json::Value::Null, false).await {
                            tracing::error!(%call_id, %error, "what Retell knows of a call could not be stored");
                        }
                        if is_analysed {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%call_id, %error, "Retell could not be asked about a call"),
                }
            }
        });
    }
}
