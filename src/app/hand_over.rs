//! Calls that are handed over: the carrier sends the audio to the agent's vendor by SIP, and we keep the control and the record.
//!
//! What was said comes by webhook, or by asking the vendor afterwards; either way each line is written down once. The carrier's
//! `<Dial action>` says how the vendor's side ended: well, and the call is over; or not, and the next agent takes the call.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::agents::{AgentError, AgentSocket, DialledSocket};
use crate::config::{RetellMode, RetellProtocol};
use crate::domain::event::{Actor, Door, JournalEntry};
use crate::domain::{
    AccountSid, AgentRef, AgentVendor, Call, CallEvent, CallId, CallState, CallStatus, ConversationId, Disposition,
};
use crate::protocol::agent::retell::{AudioProtocol, Line, Registration, RetellCall, Webhook};
use crate::protocol::twilio::twiml::{HandOver, HangUp, render};
use crate::store::{CallFilter, StoreError, StoredConversation};

use super::answer_call::FirstRecording;
use super::live_calls::LiveCall;
use super::recognise::Variables;
use super::{App, JournalFull};

/// Where the audio passes through us its turns have numbers of their own; lines that the vendor tells of later are none of those.
const TURNS_OF_LINES: u64 = 1 << 32;

/// How far back a start looks for calls whose end may have been missed, and how many it reads at once.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
const PAGE: u32 = 100;

/// The variable that tells an agent what happened before it got the call.
const SO_FAR: &str = "so_far";

/// When the vendor is asked for what its webhooks may not have brought, seconds after the end, each after the one before.
const ASK_AFTER_S: [u64; 4] = [2, 8, 50, 240];

impl App {
    /// Whether a call for this agent is handed over to its vendor.
    pub fn hands_over(&self, agent: &AgentRef) -> bool {
        agent.vendor == AgentVendor::Retell && self.config.agents.retell.mode == RetellMode::HandOver
    }

    /// The audio WebSocket that Retell retired.
    pub(super) async fn open_retell_audio(
        &self,
        agent: &AgentRef,
        record: &Call,
    ) -> Result<AgentSocket<DialledSocket>, AgentError> {
        let protocol = match self.config.agents.retell.protocol {
            RetellProtocol::Twilio => AudioProtocol::Twilio,
            RetellProtocol::Web => AudioProtocol::Web,
        };
        let account_sid = AccountSid::new(self.config.carrier.twilio.account_sid.as_str());
        let variables = self.all_variables(record).await;
        self.retell.open_audio(&registration(record, &agent.id, &variables), protocol, &account_sid).await
    }

    /// The document that hands the call over to its agent, or to the next one that can be had.
    pub(super) async fn hand_over_document(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        disclosure: Option<String>,
        recording: Option<&FirstRecording>,
    ) -> String {
        let told = recording.map(FirstRecording::told);
        let record = call.record();
        let agents = self.agents_of(&record.agent, record.to.as_str());
        for (place, agent) in agents.iter().enumerate() {
            if place > 0
                && self.journal.record_durably(call.id, CallEvent::AgentReplaced { by: agent.clone() }).await.is_err()
            {
                break;
            }
            if !self.hands_over(agent) {
                self.warm_agent(call);
                return self.stream_document(call, disclosure);
            }
            match self.register(call, &record, &agent.id).await {
                Ok(vendor_id) => {
                    let sip_uri = format!("sip:{vendor_id}@{};transport=tcp", self.config.agents.retell.sip_domain);
                    return render(&HandOver {
                        disclosure: told.or(disclosure.as_deref()).map(|text| self.say_text(text)),
                        recording: recording.map(|recording| &recording.request),
                        recorded_notice: recording.and_then(FirstRecording::told_again).map(|text| self.say_text(text)),
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

    async fn register(self: &Arc<Self>, call: &Arc<LiveCall>, record: &Call, agent_id: &str) -> Result<String, String> {
        let mut variables = self.all_variables(record).await;
        if let Some(note) = call.last_note() {
            variables.insert(SO_FAR.to_owned(), note.into());
        }
        let registration = registration(record, agent_id, &variables);
        let vendor_id = self.retell.register(&registration).await.map_err(|error| error.to_string())?;
        if call.is_over() {
            return Err("the call ended meanwhile".to_owned());
        }
        let conversation_id = ConversationId::new(vendor_id.as_str());
        let handed_over = CallEvent::HandedOver { conversation_id: conversation_id.clone() };
        self.journal.record_durably(call.id, handed_over).await.map_err(|error| error.to_string())?;
        self.follow_at_vendor(call, conversation_id);
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
        if call.record().transfer.is_some() || call.operator().is_some() {
            // The call is on its way to somebody else: the carrier follows that document, not this one.
            return render(&HangUp);
        }
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
        let settled = told.lines.len() - usize::from(is_live && !told.lines.is_empty());
        self.write_lines(call_id, &told.call_id, told.lines, settled).await?;
        if is_live {
            return Ok(());
        }
        let _turn = self.vendor_lines.lock().await;
        let _ = self.journal.catch_up().await;
        let entries = self.store.events_of(call_id).await?;
        let is_of_it = |id: &ConversationId| id.as_str() == told.call_id;
        let analysed = entries.iter().any(|entry| {
            matches!(&entry.event, CallEvent::ConversationAnalysed { conversation_id, .. } if is_of_it(conversation_id))
        });
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

    /// Writes down the first `settled` lines of a conversation as far as the journal does not hold them. Whatever tells of them
    /// (webhook, socket, answer to a question), each is written once.
    pub(super) async fn write_lines(
        &self,
        call_id: CallId,
        vendor_id: &str,
        lines: Vec<Line>,
        settled: usize,
    ) -> Result<(), StoreError> {
        let _turn = self.vendor_lines.lock().await;
        let _ = self.journal.catch_up().await;
        let entries = self.store.events_of(call_id).await?;
        let Some((known, first_turn)) = lines_of_newest(&entries, vendor_id) else { return Ok(()) };
        for (turn, line) in (first_turn..).zip(lines).take(settled).skip(known) {
            let text = line.text;
            let said =
                if line.by_caller { CallEvent::CallerSaid { text } } else { CallEvent::AgentSaid { turn, text } };
            self.write(call_id, said).await;
        }
        Ok(())
    }

    async fn write(&self, call_id: CallId, event: CallEvent) {
        if let Err(error @ JournalFull) = self.journal.record_durably(call_id, event).await {
            tracing::error!(%call_id, %error, "what an agent's vendor told could not be written down");
        }
    }

    /// A call that was at Retell is over: asks about it until Retell knows its end and its analysis. A webhook may be lost, or none be
    /// set up.
    pub(super) fn ask_vendor_later(self: &Arc<Self>, record: &Call) {
        let Some(vendor_id) = record.conversation_id.clone().filter(|_| record.agent.vendor == AgentVendor::Retell)
        else {
            return;
        };
        let (app, call_id) = (Arc::clone(self), record.id);
        self.tracker.spawn(async move {
            for wait_s in ASK_AFTER_S {
                tokio::select! {
                    () = app.shutdown.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(wait_s)) => {}
                }
                if app.ask_vendor(call_id, &vendor_id).await {
                    return;
                }
            }
        });
    }

    /// After a restart: calls at Retell that ended within the last day, perhaps while nobody was there to take their webhooks.
    pub async fn ask_vendor_about_the_last_day(self: Arc<Self>) {
        if self.config.agents.retell.api_key.expose().is_empty() {
            return;
        }
        let since = self.clock.now().checked_sub(LOOK_BACK).ok();
        let filter = CallFilter { state: Some(CallState::Ended), since, ..CallFilter::default() };
        let mut after = None;
        loop {
            let listing = match self.store.list_calls(filter.clone(), after, PAGE).await {
                Ok(listing) => listing,
                Err(error) => return tracing::error!(%error, "the calls of the last day could not be read"),
            };
            for record in listing.items {
                let is_open = record.agent.vendor == AgentVendor::Retell && record.summary.is_none();
                let Some(vendor_id) = record.conversation_id.filter(|_| is_open) else { continue };
                tokio::select! {
                    () = self.shutdown.cancelled() => return,
                    _ = self.ask_vendor(record.id, &vendor_id) => {}
                }
            }
            after = listing.next;
            if after.is_none() {
                return;
            }
        }
    }

    /// True once there is nothing more to be asked.
    async fn ask_vendor(&self, call_id: CallId, vendor_id: &ConversationId) -> bool {
        match self.retell.fetch_call(vendor_id.as_str()).await {
            Ok((told, payload)) if told.is_over => {
                let is_analysed = told.summary.is_some();
                if let Err(error) = self.take_from_vendor(call_id, told, payload, false).await {
                    tracing::error!(%call_id, %error, "what Retell knows of a call could not be stored");
                }
                is_analysed
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%call_id, %error, "Retell could not be asked about a call");
                false
            }
        }
    }
}

fn registration<'a>(record: &'a Call, agent_id: &'a str, dynamic_variables: &'a Variables) -> Registration<'a> {
    Registration {
        agent_id,
        direction: record.direction,
        from: record.from.as_str(),
        to: record.to.as_str(),
        call_id: record.id,
        dynamic_variables,
    }
}

/// How many lines of the call's newest conversation the journal holds, and the number of its first turn; none where this one is not the newest: what is late of one that
/// went before would be taken for the newest one's.
fn lines_of_newest(entries: &[JournalEntry], vendor_id: &str) -> Option<(usize, u64)> {
    let mut newest = None;
    for entry in entries {
        match (&entry.event, &mut newest) {
            (CallEvent::HandedOver { conversation_id }, newest) => *newest = Some((conversation_id, 0, 1)),
            (CallEvent::AgentConnected { conversation_id, .. }, newest) => {
                *newest = Some((conversation_id, 0, TURNS_OF_LINES));
            }
            (CallEvent::CallerSaid { .. } | CallEvent::AgentSaid { .. }, Some((_, lines, _))) => *lines += 1,
            _ => {}
        }
    }
    newest.filter(|(id, ..)| id.as_str() == vendor_id).map(|(_, lines, first_turn)| (lines, first_turn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_conversation_of_a_call_has_its_own_count() {
        let said = || CallEvent::CallerSaid { text: "x".to_owned() };
        let begun = |id: &str| CallEvent::HandedOver { conversation_id: ConversationId::new(id) };
        let call_id = CallId::from_uuid(uuid::Uuid::from_u128(1));
        let entry = |event| JournalEntry { seq: 1, call_id, at: jiff::Timestamp::UNIX_EPOCH, event };
        let entries: Vec<_> = [begun("a"), said(), said(), begun("b"), said()].map(entry).into();
        assert_eq!(lines_of_newest(&entries, "b"), Some((1, 1)));
        assert_eq!(lines_of_newest(&entries, "a"), None);
        assert_eq!(lines_of_newest(&entries[..3], "a"), Some((2, 1)));
        assert_eq!(lines_of_newest(&[], "a"), None);
    }
}
