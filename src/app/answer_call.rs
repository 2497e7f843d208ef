//! The voice webhook: an inbound call is taken, a call of ours was picked up. Both get the document that connects them to an
//! agent, and a replay of the webhook gets the very same document.

use std::sync::Arc;
use std::time::Duration;

use crate::compliance::disclosure::RecordingNotice;
use crate::domain::event::{Actor, Created, Door};
use crate::domain::{
    AgentRef, AgentVendor, Call, CallEvent, CallId, CallSid, CallStatus, Direction, Disposition, Party, Purpose,
};
use crate::protocol::twilio::rest::{RecordingChannels, RecordingRequest};
use crate::protocol::twilio::twiml::{
    Apology, ConnectStream, Goodbye, HangUp, Reject, RejectReason, Say, Voicemail, render,
};

use super::live_calls::{LiveCall, Next, token_deadline};
use super::{App, JournalFull, ids};

/// What a call gets that nobody takes.
const REJECT: Reject = Reject { reason: RejectReason::Rejected };

/// What a webhook of an inbound call is about.
enum Inbound {
    New(Arc<LiveCall>),
    /// A call that another delivery of the webhook has made.
    Live(Arc<LiveCall>),
    /// A call that is over, and the document for it.
    Over(String),
}

/// A recording that the call's first document begins, and what the caller is told of it.
pub(super) struct FirstRecording {
    pub(super) request: RecordingRequest,
    notice: RecordingNotice,
}

impl FirstRecording {
    /// What is said before it begins.
    pub(super) fn told(&self) -> &str {
        &self.notice.text
    }

    /// What is said once it runs.
    pub(super) fn told_again(&self) -> Option<&str> {
        self.notice.is_said_again.then_some(self.told())
    }
}

/// How often a broken stream is taken up again within one call.
const RESUME_LIMIT: u32 = 3;

/// How long the resume webhook waits for the stream before it to be closed here.
const BOOKS_CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// What the voice webhook of an inbound call says.
#[derive(Debug, Clone)]
pub struct AnswerOrder {
    pub call_sid: CallSid,
    pub from: Party,
    pub to: Party,
    /// An agent named by the webhook's own URL.
    pub agent: Option<AgentRef>,
}

impl App {
    /// Takes an inbound call. Returns the document for the carrier.
    pub async fn answer_inbound(self: &Arc<Self>, order: AnswerOrder) -> Result<String, JournalFull> {
        if let Some(call) = self.live.by_sid(&order.call_sid) {
            return Ok(self.connect_document(&call).await);
        }
        if let Some(document) = self.document_of_known(&order.call_sid).await {
            return Ok(document);
        }
        if self.drain.is_cancelled() {
            return Ok(self.apology_document());
        }
        let agent = order.agent.or_else(|| self.choose_agent(self.config.agents_for(order.to.as_str())));
        let Some(agent) = agent else {
            tracing::warn!(call.sid = %order.call_sid, "no agent answers this number: set agents.default or agents.routes");
            return self.reject(order.call_sid, order.from, order.to).await;
        };
        match self.create_inbound(&order.call_sid, order.from, order.to, agent, None).await? {
            Inbound::New(call) => {
                self.warm_agent(&call);
                Ok(self.connect_document(&call).await)
            }
            Inbound::Live(call) => Ok(self.connect_document(&call).await),
            Inbound::Over(document) => Ok(document),
        }
    }

    /// What a replay gets for a call that is over: no new life, and no new token.
    async fn document_of_known(&self, call_sid: &CallSid) -> Option<String> {
        match self.store.call_by_sid(call_sid).await {
            Ok(Some(known)) if known.disposition == Some(Disposition::Rejected) => Some(render(&REJECT)),
            Ok(Some(_)) => Some(render(&HangUp)),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(call.sid = %call_sid, %error, "a call could not be looked up");
                None
            }
        }
    }

    /// One of our own calls was picked up. `None` when we know no such call.
    pub async fn answer_outbound(self: &Arc<Self>, call_id: CallId, sid: &CallSid) -> Option<String> {
        let call = self.live.by_id(call_id).filter(|call| !call.is_over())?;
        if !self.live.bind(sid, &call) {
            return None;
        }
        self.adopt_attempt(&call, sid).await;
        // Its end may have been asked for while it rang.
        match self.planned_document(&call.next_document()) {
            Some(document) => Some(document),
            None => Some(self.connect_document(&call).await),
        }
    }

    /// What was planned to come next; none where the call is to go on.
    pub(super) fn planned_document(&self, next: &Next) -> Option<String> {
        match next {
            Next::Reconnect => None,
            Next::HangUp => Some(render(&HangUp)),
            Next::Apologise => Some(self.apology_document()),
            Next::Goodbye(text) => Some(render(&Goodbye { say: self.say_text(text) })),
            Next::Message(text) => Some(render(&Voicemail { say: self.say_text(text) })),
        }
    }

    /// The carrier's id of a call is known, from the answer to our request or from a webhook that was faster.
    pub(super) fn adopt(&self, call: &LiveCall, call_sid: &CallSid) {
        if call.is_over() || !call.accepted.make() {
            return;
        }
        if self.journal.record(call.id, CallEvent::CarrierAccepted { call_sid: call_sid.clone() }).is_err() {
            call.accepted.give_back();
        }
    }

    /// The stream of a call ended and the carrier asks what comes now. A repetition of the same `delivery` is told the same.
    pub async fn resume(self: &Arc<Self>, call: &Arc<LiveCall>, delivery: Option<String>) -> String {
        if let Some(document) = delivery.as_deref().and_then(|delivery| call.resumed_with(delivery)) {
            return document;
        }
        let document = self.document_after_stream(call).await;
        if let Some(delivery) = delivery {
            call.keep_resumed(delivery, document.clone());
        }
        document
    }

    async fn document_after_stream(self: &Arc<Self>, call: &Arc<LiveCall>) -> String {
        if tokio::time::timeout(BOOKS_CLOSE_LIMIT, call.stream_closed()).await.is_err() {
            tracing::warn!(call.id = %call.id, "the carrier left a stream that is still open here");
        }
        if call.is_over() {
            return render(&HangUp);
        }
        if let Some(document) = self.planned_document(&call.next_document()) {
            return document;
        }
        if call.count_resume() > RESUME_LIMIT {
            self.request_end(call, &Actor::new(Door::System, "resume limit"), Disposition::Failed);
            return self.apology_document();
        }
        tracing::info!(call.id = %call.id, "the stream broke, taking it up again");
        let so_far = self.conversation_so_far(call).await;
        if !so_far.is_empty() {
            call.leave_note(format!("The line broke and is back. Go on where you were. {so_far}"));
        }
        self.come_back(call).await
    }

    /// The document that connects the call with an agent once more.
    pub(super) async fn come_back(self: &Arc<Self>, call: &Arc<LiveCall>) -> String {
        self.warm_agent(call);
        let disclosure = self.disclosure_unsaid(call).await;
        self.plan_document(call, disclosure).await
    }

    /// A text in the carrier's voice.
    pub(super) fn say_text<'a>(&self, text: &'a str) -> Say<'a> {
        Say { language: self.config.seller.language.tag(), ..Say::plainly(text) }
    }

    pub fn apology_document(&self) -> String {
        render(&Apology { say: self.say_text(&self.config.calls.apology) })
    }

    async fn create_inbound(
        self: &Arc<Self>,
        call_sid: &CallSid,
        from: Party,
        to: Party,
        agent: AgentRef,
        document: Option<String>,
    ) -> Result<Inbound, JournalFull> {
        let now = self.clock.now();
        let created = Created {
            direction: Direction::Inbound,
            from,
            to,
            agent,
            purpose: None,
            lead_id: None,
            dynamic_variables: std::collections::BTreeMap::new(),
            requested_by: Actor::new(Door::Carrier, "twilio"),
        };
        let call = self.live.insert(Call::new(ids::call(now), now, &created));
        if let Some(document) = document {
            call.document(|| document);
        }
        if !self.live.bind(call_sid, &call) {
            // Two deliveries of the same webhook at once: the other one is the call.
            self.live.remove(&call);
            return self.live.by_sid(call_sid).map(Inbound::Live).ok_or(JournalFull);
        }
        // The other one may also have come to its end since we looked. It stood in the store before it left the live calls, so
        // now that the id is ours the store tells for certain.
        if let Some(document) = self.document_of_known(call_sid).await {
            self.live.remove(&call);
            return Ok(Inbound::Over(document));
        }
        self.metrics.call_started(Direction::Inbound);
        if let Err(error) = self.write_inbound(&call, created, call_sid).await {
            self.finish_call(&call, Disposition::Failed, &error.to_string()).await;
            return Err(error);
        }
        Ok(Inbound::New(call))
    }

    async fn write_inbound(&self, call: &LiveCall, created: Created, call_sid: &CallSid) -> Result<(), JournalFull> {
        self.journal.record_durably(call.id, CallEvent::Created(created)).await?;
        self.adopt(call, call_sid);
        call.advance_status(CallStatus::Ringing);
        let (sequence, sip_code, duration_s) = (None, None, None);
        let ringing = CallEvent::CarrierStatus { status: CallStatus::Ringing, sequence, sip_code, duration_s };
        self.journal.record(call.id, ringing)
    }

    /// An inbound call that nobody takes is written down too.
    async fn reject(self: &Arc<Self>, call_sid: CallSid, from: Party, to: Party) -> Result<String, JournalFull> {
        let nobody = AgentRef { vendor: AgentVendor::ElevenLabs, id: "none".to_owned() };
        let document = render(&REJECT);
        match self.create_inbound(&call_sid, from, to, nobody, Some(document.clone())).await? {
            Inbound::New(call) => {
                self.finish_call(&call, Disposition::Rejected, "no agent answers this number").await;
                Ok(document)
            }
            Inbound::Live(call) => Ok(self.connect_document(&call).await),
            Inbound::Over(document) => Ok(document),
        }
    }

    /// The call's first document: made once, repeated on a replay.
    async fn connect_document(self: &Arc<Self>, call: &Arc<LiveCall>) -> String {
        let _turn = call.redirecting.lock().await;
        if let Some(document) = call.made_document() {
            return document;
        }
        let disclosure = self.leave_to_agent(call, self.disclosure(call).await);
        let document = self.plan_document(call, disclosure).await;
        call.document(|| document)
    }

    /// The document for the call's agent: our media stream, or the way to the agent's vendor.
    pub(super) async fn plan_document(self: &Arc<Self>, call: &Arc<LiveCall>, disclosure: Option<String>) -> String {
        if self.hands_over(&call.record().agent) && call.operator().is_none() {
            let recording = self.first_recording(call);
            return self.hand_over_document(call, disclosure, recording.as_ref()).await;
        }
        self.stream_document(call, disclosure)
    }

    /// Outbound calls are recorded from their dial on; inbound ones from their first stream on, over all that follow, and the
    /// caller is told first.
    fn first_recording(&self, call: &LiveCall) -> Option<FirstRecording> {
        let record = call.record();
        let is_new = record.streams == 0 && record.conversation_id.is_none() && record.recordings.is_empty();
        let is_first = record.direction == Direction::Inbound && is_new;
        (self.config.carrier.twilio.record && is_first).then(|| {
            let callback = self.config.seller.complete().map(|(_, number)| number);
            FirstRecording {
                request: RecordingRequest {
                    channels: RecordingChannels::Dual,
                    status_callback: self.urls.recording_callback(call.id),
                },
                notice: self.gate.recording_notice(&record.from, callback.as_ref(), self.clock.now()),
            }
        })
    }

    pub(super) fn stream_document(&self, call: &LiveCall, disclosure: Option<String>) -> String {
        let token = ids::secret_text();
        let lifetime = Duration::from_secs(self.config.media.token_lifetime_s);
        call.grant_token(token.clone(), token_deadline(self.clock.now(), lifetime));
        let recording = self.first_recording(call);
        let told = recording.as_ref().map(FirstRecording::told);
        render(&ConnectStream {
            disclosure: told.or(disclosure.as_deref()).map(|text| self.say_text(text)),
            recording: recording.as_ref().map(|recording| &recording.request),
            recorded_notice: recording.as_ref().and_then(FirstRecording::told_again).map(|text| self.say_text(text)),
            stream_url: &self.urls.media(),
            stream_status_callback: &self.urls.stream_callback(call.id),
            parameters: &[("token", &token)],
            resume_url: &self.urls.resume(call.id),
        })
    }

    /// What the carrier says before the agent does, on calls that we placed. Composed from the recorded decision, so that a
    /// restart between dial and answer leaves nothing out.
    pub(super) async fn disclosure(&self, call: &LiveCall) -> Option<String> {
        let record = call.record();
        if record.direction != Direction::Outbound {
            return None;
        }
        let decision = match record.decision_id {
            Some(id) => self.store.decision(id).await.unwrap_or_else(|error| {
                tracing::error!(call.id = %call.id, %error, "a decision could not be read, what any state asks for is said");
                None
            }),
            None => None,
        };
        let callback = self.config.seller.complete().map(|(_, number)| number);
        let purpose = record.purpose.unwrap_or(Purpose::Telemarketing);
        let decision = decision.map(|recorded| recorded.decision);
        let recorded = self.config.carrier.twilio.record;
        Some(self.gate.disclosure(decision.as_ref(), purpose, callback.as_ref(), recorded, self.clock.now()))
    }
}
