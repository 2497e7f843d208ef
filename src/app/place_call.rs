//! Place an outbound call: the one use case behind every door that can ring a phone.
//!
//! The call is written down, the gate is asked and its answer recorded; a denial ends the call, `blocked`, before anything left.
//! An allowed call then waits for its slot of the account's calls per second. When the slot comes and the clearance has grown
//! old, the gate is asked again. The attempt is durable before the request to the carrier; one whose fate is unknown is
//! reconciled and never repeated.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::carrier::DialError;
use crate::compliance::clearance::{Clearance, ClearanceError, DialOrder};
use crate::domain::access::ClaimedPurpose;
use crate::domain::event::{Actor, Created, OnMachine};
use crate::domain::{
    AgentRef, AgentVendor, AttemptId, Call, CallEvent, CallId, Decision, DecisionId, Direction, Disposition, E164,
    LeadId, Party, Purpose,
};
use crate::protocol::twilio::rest::{DialRequest, MachineDetection, RecordingChannels, RecordingRequest};
use crate::store::{Intent, Settlement, StoreError};

use super::live_calls::{LiveCall, Next};
use super::{App, GateQuestion, JournalFull, LimitReached, ids};

/// How many calls one idempotency key may come to: as many as were cut short before the gate had answered, and one more.
const TRIES_OF_A_KEY: u32 = 8;

/// What a caller of this use case wants.
#[derive(Debug, Clone)]
pub struct PlaceCall {
    pub to: E164,
    pub agent: Option<AgentRef>,
    pub purpose: ClaimedPurpose,
    pub lead_id: Option<LeadId>,
    pub dynamic_variables: BTreeMap<String, serde_json::Value>,
    /// What is done if a machine picks up; none: what the settings say.
    pub on_machine: Option<OnMachine>,
}

/// A call that was let through, or one that was not.
#[derive(Debug)]
pub struct Placed {
    pub call_id: CallId,
    pub decision_id: DecisionId,
    pub decision: Decision,
}

/// Why there was no answer of the gate at all. A denial is an answer, not an error.
#[derive(Debug, thiserror::Error)]
pub enum PlaceCallError {
    #[error("set seller.name and seller.callback_number: the law asks every call to say who calls (47 CFR 64.1200(b))")]
    NoSeller,
    #[error("set carrier.twilio.from to one of your Twilio numbers, like +12125550100")]
    NoCallerNumber,
    #[error("set carrier.twilio.account_sid and credentials: there is no carrier to place calls with")]
    NoCarrier,
    #[error("name an agent, or set agents.default")]
    NoAgent,
    #[error("this version has no bridge to the agent {0}: use an ElevenLabs agent")]
    NoBridge(AgentRef),
    #[error(
        "the purpose `{0:?}` may not be claimed here (compliance.purposes, and the purposes of single keys in limits.keys)"
    )]
    PurposeNotAllowed(Purpose),
    #[error(transparent)]
    Limit(#[from] LimitReached),
    #[error("the server is shutting down and places no new calls")]
    ShuttingDown,
    #[error("this Idempotency-Key was used for a different call: send a new key with a new call")]
    IdempotencyConflict,
    #[error("requests under this Idempotency-Key were cut short too often: send a new key")]
    IdempotencyKeyWorn,
    #[error(transparent)]
    Journal(#[from] JournalFull),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Asks the gate and, if it allows, sets the dialling going. Returns as soon as the gate has answered.
    pub async fn place_call(self: &Arc<Self>, request: PlaceCall, actor: Actor) -> Result<Placed, PlaceCallError> {
        let app = Arc::clone(self);
        self.to_its_end(async move {
            let call_id = ids::call(app.clock.now());
            app.place(request, actor, call_id).await
        })
        .await
    }

    /// The same, once for each key of an actor: a repetition gets the answer of the first request, also after a restart.
    pub async fn place_call_once(
        self: &Arc<Self>,
        request: PlaceCall,
        actor: Actor,
        key: &str,
    ) -> Result<Placed, PlaceCallError> {
        let app = Arc::clone(self);
        let key = key.to_owned();
        self.to_its_end(async move {
            let _turn = app.idempotent.lock().await;
            for number in 0..TRIES_OF_A_KEY {
                let call_id = ids::call_of_key(&actor, &key, number);
                let known = match app.live.by_id(call_id) {
                    Some(call) => Some(call.record()),
                    None => app.store.call(call_id).await?,
                };
                let Some(record) = known else { return app.place(request, actor, call_id).await };
                if !app.asks_for(&request, &record) {
                    return Err(PlaceCallError::IdempotencyConflict);
                }
                // Whoever has the turn decides, so one without a decision was cut short (by a crash, a journal that broke), and
                // nothing of it has left: the key is good for another try.
                let Some(decision_id) = record.decision_id else { continue };
                let recorded = app.store.decision(decision_id).await?.ok_or(StoreError::NoSuchDecision(decision_id))?;
                return Ok(Placed { call_id, decision_id, decision: recorded.decision });
            }
            Err(PlaceCallError::IdempotencyKeyWorn)
        })
        .await
    }

    /// Runs the work in a task of its own: whoever asked may go away meanwhile (a dropped request), and a call that was created
    /// must come to its decision.
    async fn to_its_end(
        &self,
        work: impl Future<Output = Result<Placed, PlaceCallError>> + Send + 'static,
    ) -> Result<Placed, PlaceCallError> {
        match self.tracker.spawn(work).await {
            Ok(result) => result,
            Err(broken) => match broken.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(PlaceCallError::ShuttingDown),
            },
        }
    }

    /// Whether this is the request that a call was made for. Another one under the same key is a mistake of the caller's.
    fn asks_for(&self, request: &PlaceCall, record: &Call) -> bool {
        let named = request.agent.clone().map_or_else(|| self.config.agents.default_list(), |agent| Some(vec![agent]));
        record.to.number() == Some(&request.to)
            && record.purpose == Some(request.purpose.into())
            && record.lead_id == request.lead_id
            && record.dynamic_variables == request.dynamic_variables
            && record.on_machine == request.on_machine
            // Another agent may have taken the call over.
            && named.is_some_and(|named| {
                let stand_ins = named.iter().flat_map(|agent| self.config.agents_with(agent, record.to.as_str()));
                stand_ins.into_iter().any(|agent| agent == record.agent)
            })
    }

    async fn place(
        self: &Arc<Self>,
        request: PlaceCall,
        actor: Actor,
        call_id: CallId,
    ) -> Result<Placed, PlaceCallError> {
        let (from, agent) = self.check_prerequisites(&request, &actor)?;
        // Held until the call is in the store, where the next one's limits are counted.
        let _turn = self.within_limits(&actor).await??;
        let created = Created {
            direction: Direction::Outbound,
            from: Party::from(from.clone()),
            to: Party::from(request.to.clone()),
            agent,
            purpose: Some(request.purpose.into()),
            lead_id: request.lead_id,
            dynamic_variables: request.dynamic_variables,
            requested_by: actor.clone(),
        };
        let call = self.live.insert(Call::new(call_id, self.clock.now(), &created));
        self.metrics.call_started(Direction::Outbound);
        let question = GateQuestion {
            lead_id: request.lead_id,
            call_id: Some(call_id),
            ..GateQuestion::about(request.to.as_str(), request.purpose.into(), actor)
        };
        let asked = async {
            self.journal.record_durably(call_id, CallEvent::Created(created)).await?;
            if let Some(plan) = request.on_machine {
                self.journal.record_durably(call_id, CallEvent::MachinePlanned { plan }).await?;
            }
            self.ask_gate(&call, &question).await
        };
        let (decision_id, decision, clearance) = match asked.await {
            Ok(answer) => answer,
            Err(error) => {
                self.finish_call(&call, Disposition::Failed, &error.to_string()).await;
                return Err(error);
            }
        };
        match clearance {
            Some(clearance) => self.start_dialling(call, question, from, clearance),
            None => self.finish_call(&call, Disposition::Blocked, "the gate said no; nothing was dialled").await,
        }
        Ok(Placed { call_id, decision_id, decision })
    }

    fn check_prerequisites(&self, request: &PlaceCall, actor: &Actor) -> Result<(E164, AgentRef), PlaceCallError> {
        if self.drain.is_cancelled() {
            return Err(PlaceCallError::ShuttingDown);
        }
        if self.config.seller.complete().is_none() {
            return Err(PlaceCallError::NoSeller);
        }
        let purpose = request.purpose.into();
        if !self.may_claim(actor, purpose) {
            return Err(PlaceCallError::PurposeNotAllowed(purpose));
        }
        if self.carrier.is_none() {
            return Err(PlaceCallError::NoCarrier);
        }
        let from = self.config.carrier.twilio.from.parse().map_err(|_| PlaceCallError::NoCallerNumber)?;
        let chosen = || self.choose_agent(self.config.agents.default_list().unwrap_or_default());
        let agent = request.agent.clone().or_else(chosen).ok_or(PlaceCallError::NoAgent)?;
        if agent.vendor == AgentVendor::Retell && self.config.agents.retell.api_key.expose().is_empty() {
            // Found out here, and not when somebody has picked up.
            return Err(PlaceCallError::NoBridge(agent));
        }
        Ok((from, agent))
    }

    /// Asks, records the answer, and joins decision and reservation to a clearance.
    async fn ask_gate(
        &self,
        call: &LiveCall,
        question: &GateQuestion,
    ) -> Result<(DecisionId, Decision, Option<Clearance>), PlaceCallError> {
        let decided = self.gate.decide(&self.store, question, Intent::Dial, self.clock.now()).await?;
        let reasons: Vec<_> = decided.decision.reasons().iter().map(|reason| reason.code).collect();
        self.metrics.decided(decided.decision.is_allowed(), reasons.iter().copied());
        let event =
            CallEvent::Decided { decision_id: decided.decision_id, allowed: decided.decision.is_allowed(), reasons };
        self.journal.record_durably(call.id, event).await?;
        let clearance =
            decided.reservation.and_then(|reservation| Clearance::grant(&decided.decision, reservation).ok());
        Ok((decided.decision_id, decided.decision, clearance))
    }

    fn start_dialling(self: &Arc<Self>, call: Arc<LiveCall>, question: GateQuestion, from: E164, clearance: Clearance) {
        let app = Arc::clone(self);
        self.tracker.spawn(async move {
            app.learn_who_opens(&call).await;
            if let Err(error) = app.dial_in_turn(&call, &question, from, clearance).await {
                tracing::error!(call.id = %call.id, %error, "the call could not be dialled");
                app.finish_call(&call, Disposition::Failed, &error.to_string()).await;
            }
        });
    }

    /// Waits for the slot, then dials.
    async fn dial_in_turn(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        question: &GateQuestion,
        from: E164,
        clearance: Clearance,
    ) -> Result<(), PlaceCallError> {
        let limit = Duration::from_secs(self.config.carrier.twilio.queue_limit_s);
        let mut turn = pin!(self.pacer.acquire());
        let slot = 'slot: {
            if let Some(slot) = turn.as_mut().now_or_never() {
                break 'slot slot;
            }
            let expires_at = self.clock.now().saturating_add(limit).unwrap_or(jiff::Timestamp::MAX);
            let _ = self.journal.record(call.id, CallEvent::Queued { expires_at });
            let (disposition, why) = tokio::select! {
                slot = turn => break 'slot slot,
                () = tokio::time::sleep(limit) => (Disposition::Expired, "no slot came free in time"),
                () = self.drain.cancelled() => (Disposition::Canceled, "the server is shutting down"),
                () = call.over.cancelled() => (Disposition::Canceled, "ended while it waited"),
            };
            self.store.release(clearance.reservation_id(), self.clock.now()).await?;
            self.finish_call(call, disposition, why).await;
            return Ok(());
        };
        if call.is_over() {
            self.store.release(clearance.reservation_id(), self.clock.now()).await?;
            return Ok(());
        }
        let Some(order) = self.redeem_or_ask_again(call, question, clearance).await? else {
            return Ok(());
        };
        let Some(order) = self.begin_attempt(call, question, order).await? else {
            return Ok(());
        };
        call.hold_slot(slot);
        self.dial(call, from, order).await
    }

    /// Makes the attempt durable. If calls were stopped or the number opted out since the gate allowed it, the gate is asked again.
    async fn begin_attempt(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        question: &GateQuestion,
        order: DialOrder,
    ) -> Result<Option<DialOrder>, PlaceCallError> {
        match self.store.begin_attempt(&order, call.id, self.clock.now()).await {
            Ok(()) => return Ok(Some(order)),
            Err(StoreError::Overtaken(reservation)) => self.store.release(reservation, self.clock.now()).await?,
            Err(error) => return Err(error.into()),
        }
        let Some(order) = self.ask_again(call, question).await? else { return Ok(None) };
        self.store.begin_attempt(&order, call.id, self.clock.now()).await?;
        Ok(Some(order))
    }

    /// The order to dial; none when the gate, asked again because the clearance had grown old, now says no.
    async fn redeem_or_ask_again(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        question: &GateQuestion,
        clearance: Clearance,
    ) -> Result<Option<DialOrder>, PlaceCallError> {
        let reservation = clearance.reservation_id();
        match clearance.redeem(ids::attempt(), self.clock.now()) {
            Ok(order) => return Ok(Some(order)),
            Err(ClearanceError::Expired | ClearanceError::Denied) => {
                self.store.release(reservation, self.clock.now()).await?;
            }
        }
        self.ask_again(call, question).await
    }

    async fn ask_again(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        question: &GateQuestion,
    ) -> Result<Option<DialOrder>, PlaceCallError> {
        let (_, _, clearance) = self.ask_gate(call, question).await?;
        let fresh = clearance.and_then(|clearance| clearance.redeem(ids::attempt(), self.clock.now()).ok());
        if fresh.is_none() {
            self.finish_call(call, Disposition::Blocked, "the gate said no when the slot came; nothing was dialled")
                .await;
        }
        Ok(fresh)
    }

    async fn dial(self: &Arc<Self>, call: &Arc<LiveCall>, from: E164, order: DialOrder) -> Result<(), PlaceCallError> {
        let Some(carrier) = &self.carrier else { return Err(PlaceCallError::NoCarrier) };
        let attempt_id = order.attempt_id();
        let to = order.number().clone();
        call.set_attempt(attempt_id);
        self.journal.record_durably(call.id, CallEvent::Dialing { attempt_id }).await?;
        if call.is_over() {
            // Ended while the attempt was written down: nothing leaves.
            self.store.settle_attempt(attempt_id, Settlement::Absent, self.clock.now()).await?;
            return Ok(());
        }
        self.warm_agent(call);
        let began = self.clock.now();
        match carrier.dial(order, &self.dial_request(&call.record(), from.clone())).await {
            Ok(resource) => self.carrier_accepted(call, attempt_id, resource.sid).await?,
            Err(DialError::Refused(refusal)) => {
                self.store.settle_attempt(attempt_id, Settlement::Refused, self.clock.now()).await?;
                let _ = self.journal.record(
                    call.id,
                    CallEvent::CarrierRefused { code: refusal.code, message: refusal.message.clone() },
                );
                self.finish_call(call, Disposition::Failed, &refusal.message).await;
            }
            Err(DialError::Uncertain(why)) => {
                let _ = self.journal.record(call.id, CallEvent::CarrierUncertain { message: why.to_string() });
                match self.store.settle_attempt(attempt_id, Settlement::Uncertain, self.clock.now()).await {
                    // Already settled: a webhook with our call id was faster.
                    Ok(()) | Err(StoreError::AttemptSettled { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                self.reconcile(call, attempt_id, &to, &from, began).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn carrier_accepted(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        attempt_id: AttemptId,
        call_sid: crate::domain::CallSid,
    ) -> Result<(), PlaceCallError> {
        self.live.bind(&call_sid, call);
        self.store.settle_attempt(attempt_id, Settlement::Accepted(call_sid.clone()), self.clock.now()).await?;
        self.adopt(call, &call_sid);
        if call.is_over() || call.next_document() == Next::HangUp {
            // Its end was asked for while the request was under way, when there was nothing yet to end.
            self.end_at_carrier(call).await;
        }
        if call.is_over() {
            self.live.remove(call);
        } else {
            self.withdraw_if_queued(call);
        }
        Ok(())
    }

    fn dial_request(&self, record: &Call, from: E164) -> DialRequest {
        let call_id = record.id;
        let settings = &self.config.carrier.twilio;
        DialRequest {
            from,
            voice_url: self.urls.voice(call_id),
            fallback_url: None,
            status_callback: self.urls.status_callback(call_id),
            ring_timeout: Duration::from_secs(settings.ring_timeout_s.into()),
            time_limit: Some(self.config.calls.max_duration()),
            recording: settings.record.then(|| RecordingRequest {
                channels: RecordingChannels::Dual,
                status_callback: self.urls.recording_callback(call_id),
            }),
            machine_detection: self.detection_mode(record).map(|mode| MachineDetection {
                mode,
                callback: self.urls.amd_callback(call_id),
                timeout: None,
            }),
        }
    }
}
