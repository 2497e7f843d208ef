//! Let a call go on with somebody else: at once, or after a briefing that they must take with a key. If nobody takes it, the caller
//! comes back to the agent, which is told why and what was said before.
//!
//! The carrier rings them by a document of ours, which ends the media stream; the agent's conversation ends with it. Colleagues whom
//! the settings name are rung like that. Every other number is an outside number: the gate decides, and its clearance is used up.

use std::sync::Arc;
use std::time::Duration;

use crate::carrier::Callee;
use crate::compliance::clearance::Clearance;
use crate::domain::access::ClaimedPurpose;
use crate::domain::call::Transfer;
use crate::domain::decision::Voice;
use crate::domain::event::{Actor, Door, TransferFailure, TransferStarted};
use crate::domain::{
    AttemptId, CallEvent, CallSid, CallStatus, Decision, DecisionId, Disposition, E164, Party, Purpose, ReservationId,
    transcript,
};
use crate::protocol::twilio::twiml::{Briefing, HangUp, TakeCall, TransferRequest, render};
use crate::store::{Intent, Settlement, StoreError};

use super::live_calls::LiveCall;
use super::steer_call::{ControlError, checked_text, let_open};
use super::{App, GateQuestion, JournalFull, LimitReached, ids};

/// The longest briefing, in characters.
pub const BRIEFING_MAX: usize = 1_000;

/// How much of the conversation an agent is told that takes it up again, in characters.
const SUMMARY_MAX: usize = 4_000;

/// How long the end of a transfer waits for the stream before it to be closed here.
const BOOKS_CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// The shortest time that the two are given to talk.
const TALK_MIN: Duration = Duration::from_mins(1);

/// The key that takes a call after its briefing.
const TAKE: &str = "1";

/// Who is to have the call.
#[derive(Debug, Clone)]
pub struct TransferCall {
    pub to: TransferTo,
    /// What they hear before they take the call with a key. None: they are connected at once.
    pub briefing: Option<String>,
    /// What an outside number is called for; none: what the call is for, but never an emergency, else information.
    pub purpose: Option<ClaimedPurpose>,
}

#[derive(Debug, Clone)]
pub enum TransferTo {
    /// A colleague, by the name in the settings.
    Colleague(String),
    /// A number, which may be a colleague's.
    Number(E164),
}

/// What came of it at once. Whether they take the call is an event (`TransferConnected`, `TransferFailed`).
#[derive(Debug)]
pub enum Transferring {
    Started,
    /// The gate said no. The conversation goes on.
    Blocked {
        decision_id: DecisionId,
        decision: Box<Decision>,
    },
}

/// How the other leg ended, as the carrier tells it.
#[derive(Debug, Clone)]
pub struct LegEnded {
    pub status: Option<CallStatus>,
    /// Whether the two were connected.
    pub bridged: Option<bool>,
    /// None where it never came about.
    pub call_sid: Option<CallSid>,
}

/// Why a call was not sent on. It goes on as it was.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("no colleague is called `{name}`; there are: {}", known.join(", "))]
    UnknownColleague { name: String, known: Vec<String> },
    #[error("the call is on its way to somebody else already")]
    OnItsWay,
    #[error(
        "set carrier.twilio.account_sid, credentials and carrier.twilio.from: there is no carrier to transfer with"
    )]
    NoCarrier,
    #[error(
        "the purpose `{0:?}` may not be claimed here (compliance.purposes, and the purposes of single keys in limits.keys)"
    )]
    PurposeNotAllowed(Purpose),
    #[error(transparent)]
    Limit(#[from] LimitReached),
    #[error(transparent)]
    Journal(#[from] JournalFull),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An outside number's way through the gate.
enum Gated {
    Cleared { callee: Callee, decision_id: DecisionId, attempt_id: AttemptId },
    Blocked { decision_id: DecisionId, decision: Box<Decision> },
}

impl App {
    pub async fn transfer_call(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        by: Actor,
        request: TransferCall,
    ) -> Result<Transferring, TransferError> {
        let briefing = request.briefing.as_deref().map(|text| checked_text(text, BRIEFING_MAX)).transpose()?;
        let from: E164 = self.config.carrier.twilio.from.parse().map_err(|_| TransferError::NoCarrier)?;
        let (Some(_), Some(sid)) = (&self.carrier, call.sid()) else { return Err(TransferError::NoCarrier) };
        let is_on = call.commands().is_some() || call.record().at_vendor;
        if !is_on || call.is_over() {
            return Err(ControlError::NotConversing.into());
        }
        let_open(call)?;
        let _one_at_a_time = call.redirecting.lock().await;
        if call.record().transfer.is_some() {
            return Err(TransferError::OnItsWay);
        }
        let (number, name) = self.callee_of(&request.to)?;
        let mut started = TransferStarted {
            by: by.clone(),
            to: Party::from(number.as_str()),
            name: name.clone(),
            briefing,
            decision_id: None,
            attempt_id: None,
        };
        let colleague = name.as_deref().and_then(|name| self.config.transfers.named(name));
        let callee = match colleague {
            Some(house) => Callee::Colleague(house),
            None => match self.clear(call, by, &number, &request, started.briefing.is_some()).await? {
                Gated::Blocked { decision_id, decision } => return Ok(Transferring::Blocked { decision_id, decision }),
                Gated::Cleared { callee, decision_id, attempt_id } => {
                    started.decision_id = Some(decision_id);
                    started.attempt_id = Some(attempt_id);
                    callee
                }
            },
        };
        self.journal.record_durably(call.id, CallEvent::TransferStarted(started.clone())).await?;
        self.send_on(call, sid, &from, callee, &started).await?;
        Ok(Transferring::Started)
    }

    /// The number, and the name under which the settings hold it.
    fn callee_of(&self, to: &TransferTo) -> Result<(E164, Option<String>), TransferError> {
        let targets = &self.config.transfers;
        match to {
            TransferTo::Number(number) => Ok((number.clone(), targets.name_of(number).map(str::to_owned))),
            TransferTo::Colleague(name) => {
                let known = || targets.names().into_iter().map(str::to_owned).collect();
                let unknown = || TransferError::UnknownColleague { name: name.clone(), known: known() };
                let house = targets.named(name).ok_or_else(unknown)?;
                Ok((house.number().clone(), Some(name.clone())))
            }
        }
    }

    /// Asks the gate whether an outside number may be rung, and makes the attempt durable.
    async fn clear(
        &self,
        call: &LiveCall,
        by: Actor,
        number: &E164,
        request: &TransferCall,
        is_briefed: bool,
    ) -> Result<Gated, TransferError> {
        let own = call.record().purpose.filter(|purpose| *purpose != Purpose::Emergency);
        let purpose = request.purpose.map(Purpose::from).or(own).unwrap_or(Purpose::Informational);
        // An agent has no limits of its own: what it starts is charged to the key that placed the call.
        let payer = if by.door == Door::Agent { call.record().requested_by } else { Some(by.clone()) };
        if !self.may_claim(payer.as_ref().unwrap_or(&by), purpose) {
            return Err(TransferError::PurposeNotAllowed(purpose));
        }
        // Held until the attempt is in the store, where the next one's limits are counted.
        let _turn = match &payer {
            Some(payer) => self.within_limits(payer).await??,
            None => None,
        };
        // A briefing is spoken by a machine; without one they hear the caller, a person.
        let voice = if is_briefed { Voice::Ai } else { Voice::Human };
        let question =
            GateQuestion { voice, call_id: Some(call.id), ..GateQuestion::about(number.as_str(), purpose, by) };
        let decided = self.gate.decide(&self.store, &question, Intent::Dial, self.clock.now()).await?;
        let (decision_id, decision) = (decided.decision_id, decided.decision);
        let reasons: Vec<_> = decision.reasons().iter().map(|reason| reason.code).collect();
        self.metrics.decided(decision.is_allowed(), reasons.iter().copied());
        let clearance = decided.reservation.and_then(|reservation| Clearance::grant(&decision, reservation).ok());
        let order = clearance.and_then(|clearance| clearance.redeem(ids::attempt(), self.clock.now()).ok());
        let Some(order) = order else {
            self.journal.record_durably(call.id, CallEvent::TransferBlocked { decision_id, reasons }).await?;
            return Ok(Gated::Blocked { decision_id, decision: Box::new(decision) });
        };
        let attempt_id = order.attempt_id();
        let charged_to = payer.as_ref().and_then(Actor::key);
        match self.store.begin_transfer(&order, call.id, charged_to, self.clock.now()).await {
            Ok(()) => Ok(Gated::Cleared { callee: Callee::Outside(order), decision_id, attempt_id }),
            Err(StoreError::Overtaken(reservation)) => self.overtaken(call, &question, reservation).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Calls were stopped, or the number opted out, since the gate allowed it. Its answer now goes on record.
    async fn overtaken(
        &self,
        call: &LiveCall,
        question: &GateQuestion,
        reservation: ReservationId,
    ) -> Result<Gated, TransferError> {
        let now = self.clock.now();
        self.store.release(reservation, now).await?;
        let decided = self.gate.decide(&self.store, question, Intent::Inquiry, now).await?;
        if decided.decision.is_allowed() {
            // Whatever it was is gone already: they may ask again.
            return Err(StoreError::Overtaken(reservation).into());
        }
        let (decision_id, decision) = (decided.decision_id, Box::new(decided.decision));
        let reasons = decision.reasons().iter().map(|reason| reason.code).collect();
        self.journal.record_durably(call.id, CallEvent::TransferBlocked { decision_id, reasons }).await?;
        Ok(Gated::Blocked { decision_id, decision })
    }

    async fn send_on(
        self: &Arc<Self>,
        call: &LiveCall,
        sid: &CallSid,
        from: &E164,
        callee: Callee,
        started: &TransferStarted,
    ) -> Result<(), TransferError> {
        let Some(carrier) = &self.carrier else { return Err(TransferError::NoCarrier) };
        let urls = (
            self.urls.transfer(call.id),
            self.urls.transfer_answered(call.id),
            started.briefing.is_some().then(|| self.urls.briefing(call.id)),
        );
        let request = TransferRequest {
            caller_id: from,
            ring_timeout: self.config.transfers.ring_timeout(),
            time_limit: self.time_left(call).max(TALK_MIN),
            action_url: &urls.0,
            answered_url: &urls.1,
            briefing_url: urls.2.as_deref(),
            announcement: self.config.transfers.announcement().map(|text| self.say_text(text)),
        };
        let Err(error) = carrier.transfer(callee, sid, &request).await else { return Ok(()) };
        // The carrier may have taken it all the same: then its webhook finds no transfer, and the caller comes back.
        self.settle_transfer(started.attempt_id, Settlement::Uncertain).await;
        let failed = CallEvent::TransferFailed { reason: TransferFailure::Failed };
        self.journal.record_durably(call.id, failed).await?;
        Err(ControlError::Carrier(error.to_string()).into())
    }

    /// Somebody picked up. With a briefing they have not taken the call yet.
    pub async fn transfer_answered(&self, call: &LiveCall, leg: &CallSid) {
        let Some(transfer) = call.record().transfer else { return };
        self.settle_transfer(transfer.to.attempt_id, Settlement::Accepted(leg.clone())).await;
        if transfer.to.briefing.is_none() && !transfer.is_connected {
            let _ = self.journal.record_durably(call.id, CallEvent::TransferConnected).await;
        }
    }

    /// What somebody hears who picked up, before they are connected.
    pub async fn brief(&self, call: &LiveCall) -> String {
        let Some(to) = call.record().transfer.map(|transfer| transfer.to) else { return render(&HangUp) };
        let Some(briefing) = to.briefing else { return render(&TakeCall) };
        let mut text = format!("{briefing} Press {TAKE} to take the call.");
        if let Some(decision_id) = to.decision_id {
            // Somebody outside is called by a machine: they hear first who calls, and what the law asks for.
            let cleared = self.store.decision(decision_id).await.ok().flatten();
            let callback = self.config.seller.complete().map(|(_, number)| number);
            // What they are called for is what the gate cleared, which need not be what the caller is on the line for.
            let cleared_as = cleared.as_ref().map(|cleared| cleared.purpose);
            let purpose = cleared_as.or(call.record().purpose).unwrap_or(Purpose::Informational);
            let decision = cleared.map(|cleared| cleared.decision);
            let recorded = self.config.carrier.twilio.record;
            let now = self.clock.now();
            let opening = self.gate.disclosure(decision.as_ref(), purpose, callback.as_ref(), recorded, now);
            text = format!("{opening} {text}");
        }
        render(&Briefing { say: self.say_text(&text), answer_url: &self.urls.briefing_answer(call.id) })
    }

    /// They pressed a key after their briefing.
    pub async fn briefing_answered(&self, call: &LiveCall, keys: Option<&str>) -> String {
        let waits = call.record().transfer.is_some_and(|transfer| !transfer.is_connected);
        if waits
            && keys == Some(TAKE)
            && self.journal.record_durably(call.id, CallEvent::TransferConnected).await.is_ok()
        {
            return render(&TakeCall);
        }
        render(&HangUp)
    }

    /// The other leg is over, or never came about: the call ends with it, or the caller comes back to an agent. A repetition of the
    /// same `delivery` is told the same.
    pub async fn transfer_ended(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        leg: LegEnded,
        delivery: Option<String>,
    ) -> String {
        if let Some(document) = delivery.as_deref().and_then(|delivery| call.resumed_with(delivery)) {
            return document;
        }
        let document = self.document_after_transfer(call, leg).await;
        if let Some(delivery) = delivery {
            call.keep_resumed(delivery, document.clone());
        }
        document
    }

    async fn document_after_transfer(self: &Arc<Self>, call: &Arc<LiveCall>, leg: LegEnded) -> String {
        if tokio::time::timeout(BOOKS_CLOSE_LIMIT, call.stream_closed()).await.is_err() {
            tracing::warn!(call.id = %call.id, "the carrier left a stream that is still open here");
        }
        let turn = call.redirecting.lock().await;
        let record = call.record();
        let Some(transfer) = record.transfer.filter(|_| !call.is_over()) else {
            // A repeated webhook, or a transfer that the carrier had refused: whatever comes next in this call comes now.
            drop(turn);
            return self.resume(call, None).await;
        };
        let settlement = leg.call_sid.clone().map_or(Settlement::Absent, Settlement::Accepted);
        self.settle_transfer(transfer.to.attempt_id, settlement).await;
        self.finish_transfer(transfer.to.attempt_id).await;
        if self.was_taken(call, &transfer, &leg).await {
            self.request_end(call, &transfer.to.by, Disposition::Transferred);
            return render(&HangUp);
        }
        let reason = failure(leg.status);
        if self.journal.record_durably(call.id, CallEvent::TransferFailed { reason }).await.is_err() {
            return self.apology_document();
        }
        if let Some(document) = self.planned_document(&call.next_document()) {
            // The end of the call was asked for meanwhile.
            return document;
        }
        call.leave_note(format!("{} {}", told(&transfer.to, reason), self.conversation_so_far(call).await));
        self.come_back(call).await
    }

    /// A call without a status callback of its leg is known to be taken only now.
    async fn was_taken(&self, call: &LiveCall, transfer: &Transfer, leg: &LegEnded) -> bool {
        if transfer.is_connected {
            return true;
        }
        let talked = leg.status == Some(CallStatus::Completed) && leg.bridged != Some(false);
        let taken = talked && transfer.to.briefing.is_none();
        taken && self.journal.record_durably(call.id, CallEvent::TransferConnected).await.is_ok()
    }

    /// What was said in the call before, for an agent that is to go on.
    pub(super) async fn conversation_so_far(&self, call: &LiveCall) -> String {
        let _ = self.journal.catch_up().await;
        match self.store.events_of(call.id).await {
            Ok(entries) => match transcript::summary(&entries, SUMMARY_MAX).as_str() {
                "" => String::new(),
                summary => format!("The conversation so far:\n{summary}"),
            },
            Err(error) => {
                tracing::warn!(call.id = %call.id, %error, "the conversation so far could not be read");
                String::new()
            }
        }
    }

    /// The other leg is over while the call may go on: its number is free, and it counts no longer against its key.
    async fn finish_transfer(&self, attempt: Option<AttemptId>) {
        let Some(attempt) = attempt else { return };
        match self.store.finish_attempt(attempt, self.clock.now()).await {
            // It never came about.
            Ok(()) | Err(StoreError::AttemptSettled { .. }) => {}
            Err(error) => tracing::error!(%error, "the end of a transfer's leg could not be written down"),
        }
    }

    async fn settle_transfer(&self, attempt: Option<AttemptId>, settlement: Settlement) {
        let Some(attempt) = attempt else { return };
        match self.store.settle_attempt(attempt, settlement, self.clock.now()).await {
            // Settled before, by a webhook that was faster.
            Ok(()) | Err(StoreError::AttemptSettled { .. }) => {}
            Err(error) => tracing::error!(%error, "the attempt of a transfer could not be settled"),
        }
    }
}

fn failure(status: Option<CallStatus>) -> TransferFailure {
    match status {
        Some(CallStatus::Busy) => TransferFailure::Busy,
        Some(CallStatus::NoAnswer | CallStatus::Canceled) => TransferFailure::NoAnswer,
        // They picked up and did not take the call.
        Some(CallStatus::Completed | CallStatus::InProgress) => TransferFailure::Declined,
        Some(CallStatus::Queued | CallStatus::Initiated | CallStatus::Ringing | CallStatus::Failed) | None => {
            TransferFailure::Failed
        }
    }
}

/// What the agent is told who has the caller back.
fn told(to: &TransferStarted, reason: TransferFailure) -> String {
    let who = to.name.as_deref().unwrap_or("the other number");
    let why = match reason {
        TransferFailure::Busy => "the line was busy",
        TransferFailure::NoAnswer => "nobody answered",
        TransferFailure::Declined => "they did not take the call",
        TransferFailure::Failed => "the call could not be put through",
    };
    format!("The caller was to be transferred to {who}, but {why}. The caller is back with you. Say so and go on.")
}
