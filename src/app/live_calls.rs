//! The registry of live calls: what the server must know of a call between two of its events, by our id and by Twilio's.
//!
//! A call enters when it is created (or found open after a restart) and leaves after its end. Its record here is the same fold
//! that the journal keeps; only the journal's writer applies events to it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::carrier::Slot;
use crate::domain::event::Actor;
use crate::domain::{AttemptId, Call, CallEvent, CallId, CallSid, CallStatus, Disposition};
use crate::relay::{Reading, Tap};
use crate::session::Command;

use super::retell_llm::LlmLine;
use super::warm_agent::WarmAgent;

/// All calls that have not ended.
#[derive(Debug, Default)]
pub struct LiveCalls {
    by_id: DashMap<CallId, Arc<LiveCall>>,
    by_sid: DashMap<CallSid, CallId>,
}

/// One call that has not ended.
#[derive(Debug)]
pub struct LiveCall {
    pub id: CallId,
    record: Mutex<Call>,
    sid: OnceLock<CallSid>,
    /// The carrier's furthest word, ahead of the record, which the journal brings up to date a little later.
    status: Mutex<Option<CallStatus>>,
    ended: Claim,
    /// Whether the journal was told that the carrier has the call; and who or what picked up.
    pub(super) accepted: Claim,
    pub(super) answered_by: Claim,
    resumes: AtomicU32,
    attempt: OnceLock<AttemptId>,
    /// The answer to the voice webhook: a replayed webhook gets the same text, never a new token.
    document: OnceLock<String>,
    /// The last delivery of the resume webhook and its answer.
    resumed: Mutex<Option<(String, String)>>,
    token: Mutex<Option<StreamToken>>,
    warm: Mutex<Option<WarmAgent>>,
    commands: Mutex<Option<mpsc::Sender<Box<Command>>>>,
    stream_closed: Notify,
    slot: Mutex<Option<Slot>>,
    next_document: Mutex<Next>,
    /// Where the call is listened in on.
    pub(super) tap: Arc<Tap>,
    /// Held while a sentence or keys of ours are handed to the stream: one at a time.
    pub(super) voice: tokio::sync::Mutex<()>,
    /// Held while the carrier is told, or asks, where the call goes.
    pub(super) redirecting: tokio::sync::Mutex<()>,
    /// Where Retell asks us for words.
    pub(super) llm: LlmLine,
    /// What the next stream's agent is to be told.
    notes: Mutex<Vec<String>>,
    utterances: AtomicU32,
    /// Whether the call's agents may say the opening disclosure.
    agent_opens: AtomicBool,
    /// What the agent is to say first, until somebody has heard an agent.
    opening: Mutex<Option<String>>,
    /// The operator who has the call.
    operator: Mutex<Option<Actor>>,
    /// Cancelled at the call's end; everything that waits on behalf of the call waits for this too.
    pub over: CancellationToken,
}

/// What the carrier is told when it asks what comes after the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Next {
    /// Nothing was planned: the stream broke, so it is taken up again.
    #[default]
    Reconnect,
    HangUp,
    /// There is no agent to talk to: a sentence of regret, then the end.
    Apologise,
    /// A sentence that closes the matter, then the end.
    Goodbye(String),
    /// A message for a machine, after its beep, then the end.
    Message(String),
}

#[derive(Debug)]
struct StreamToken {
    text: String,
    good_until: Timestamp,
}

/// Why a stream's token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the stream has no token: the <Parameter> named token is missing")]
    Missing,
    #[error("the stream's token is not the one that was given to this call, or it was used before")]
    Wrong,
    #[error("the stream's token is too old")]
    Expired,
}

impl LiveCalls {
    pub fn insert(&self, record: Call) -> Arc<LiveCall> {
        let sid = record.call_sid.clone();
        let call = Arc::new(LiveCall::new(record));
        self.by_id.insert(call.id, Arc::clone(&call));
        if let Some(sid) = sid {
            self.bind(&sid, &call);
        }
        call
    }

    pub fn by_id(&self, id: CallId) -> Option<Arc<LiveCall>> {
        self.by_id.get(&id).map(|entry| Arc::clone(entry.value()))
    }

    pub fn by_sid(&self, sid: &CallSid) -> Option<Arc<LiveCall>> {
        let id = *self.by_sid.get(sid)?.value();
        self.by_id(id)
    }

    /// The call whose agent's vendor knows it by this id.
    pub(super) fn by_conversation(&self, vendor_id: &str) -> Option<Arc<LiveCall>> {
        let is_it =
            |call: &LiveCall| lock(&call.record).conversation_id.as_ref().is_some_and(|id| id.as_str() == vendor_id);
        self.by_id.iter().find(|entry| is_it(entry.value())).map(|entry| Arc::clone(entry.value()))
    }

    /// Makes the call known under Twilio's id. The first one stays; says whether this is the call of that sid.
    pub fn bind(&self, sid: &CallSid, call: &LiveCall) -> bool {
        let owner = *self.by_sid.entry(sid.clone()).or_insert(call.id).value();
        owner == call.id && call.sid.get_or_init(|| sid.clone()) == sid
    }

    /// Forgets the call, under both ids. To be repeated when a sid was bound to a call that had left already.
    pub fn remove(&self, call: &LiveCall) {
        self.by_id.remove(&call.id);
        if let Some(sid) = call.sid() {
            self.by_sid.remove_if(sid, |_, owner| *owner == call.id);
        }
    }

    pub fn all(&self) -> Vec<Arc<LiveCall>> {
        self.by_id.iter().map(|entry| Arc::clone(entry.value())).collect()
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

impl LiveCall {
    fn new(record: Call) -> Self {
        Self {
            id: record.id,
            accepted: Claim::made_if(record.call_sid.is_some()),
            answered_by: Claim::made_if(record.answered_by.is_some()),
            status: Mutex::new(record.carrier_status),
            record: Mutex::new(record),
            sid: OnceLock::new(),
            ended: Claim::default(),
            resumes: AtomicU32::new(0),
            attempt: OnceLock::new(),
            document: OnceLock::new(),
            resumed: Mutex::new(None),
            token: Mutex::new(None),
            warm: Mutex::new(None),
            commands: Mutex::new(None),
            stream_closed: Notify::new(),
            slot: Mutex::new(None),
            next_document: Mutex::new(Next::default()),
            tap: Arc::default(),
            voice: tokio::sync::Mutex::default(),
            redirecting: tokio::sync::Mutex::default(),
            llm: LlmLine::default(),
            notes: Mutex::default(),
            utterances: AtomicU32::new(0),
            agent_opens: AtomicBool::new(false),
            opening: Mutex::default(),
            operator: Mutex::default(),
            over: CancellationToken::new(),
        }
    }

    /// The record as it stands.
    pub fn record(&self) -> Call {
        lock(&self.record).clone()
    }

    /// Twilio's id, once it is known.
    pub fn sid(&self) -> Option<&CallSid> {
        self.sid.get()
    }

    /// For the journal's writer only.
    pub(super) fn apply(&self, at: Timestamp, event: &CallEvent) {
        lock(&self.record).apply(at, event);
    }

    /// Whether this status is news: further than every one before it. Each is news to one caller only.
    pub(super) fn advance_status(&self, status: CallStatus) -> bool {
        let mut known = lock(&self.status);
        let is_news = known.is_none_or(|known| known.rank() < status.rank());
        if is_news {
            *known = Some(status);
        }
        is_news
    }

    /// True for exactly one caller: the one that may write the `Ended` event.
    pub(super) fn claim_end(&self) -> bool {
        let first = self.ended.make();
        if first {
            self.over.cancel();
        }
        first
    }

    pub fn is_over(&self) -> bool {
        self.ended.is_made()
    }

    /// How often the stream was taken up again, this time included.
    pub(super) fn count_resume(&self) -> u32 {
        self.resumes.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(super) fn set_attempt(&self, attempt: AttemptId) {
        // A call is dialled once, so a second attempt cannot come.
        let _ = self.attempt.set(attempt);
    }

    pub fn attempt(&self) -> Option<AttemptId> {
        self.attempt.get().copied()
    }

    /// The answer to the voice webhook, made by `make` on the first request and repeated on every other one.
    pub(super) fn document(&self, make: impl FnOnce() -> String) -> String {
        self.document.get_or_init(make).clone()
    }

    pub(super) fn made_document(&self) -> Option<String> {
        self.document.get().cloned()
    }

    /// The answer to the last delivery of the resume webhook, if this is it again.
    pub(super) fn resumed_with(&self, delivery: &str) -> Option<String> {
        lock(&self.resumed).as_ref().filter(|(known, _)| known == delivery).map(|(_, document)| document.clone())
    }

    pub(super) fn keep_resumed(&self, delivery: String, document: String) {
        *lock(&self.resumed) = Some((delivery, document));
    }

    /// Makes `text` the token of the call's next stream. An older one is void from now on.
    pub(super) fn grant_token(&self, text: String, good_until: Timestamp) {
        *lock(&self.token) = Some(StreamToken { text, good_until });
    }

    /// What was granted before opens no stream any more.
    pub(super) fn revoke_token(&self) {
        *lock(&self.token) = None;
    }

    /// Uses the token up. Compared in constant time; a wrong guess leaves the right token as it is.
    pub(super) fn redeem_token(&self, text: Option<&str>, now: Timestamp) -> Result<(), TokenError> {
        let text = text.ok_or(TokenError::Missing)?;
        let mut slot = lock(&self.token);
        let token = slot.as_ref().ok_or(TokenError::Wrong)?;
        if !bool::from(token.text.as_bytes().ct_eq(text.as_bytes())) {
            return Err(TokenError::Wrong);
        }
        let expired = now > token.good_until;
        *slot = None;
        if expired { Err(TokenError::Expired) } else { Ok(()) }
    }

    pub(super) fn set_warm_agent(&self, agent: WarmAgent) {
        *lock(&self.warm) = Some(agent);
    }

    pub(super) fn take_warm_agent(&self) -> Option<WarmAgent> {
        lock(&self.warm).take()
    }

    /// A stream was opened: this is the lane to it.
    pub(super) fn open_stream(&self, lane: mpsc::Sender<Box<Command>>) {
        *lock(&self.commands) = Some(lane);
    }

    /// The stream of this lane is over, and what comes next has been planned. A newer stream's lane stays.
    pub(super) fn close_stream(&self, own: &mpsc::WeakSender<Box<Command>>) {
        let mut commands = lock(&self.commands);
        // The call holds the last end of its own stream's lane; one that is gone was replaced.
        let is_own = own.upgrade().is_some_and(|own| commands.as_ref().is_some_and(|open| open.same_channel(&own)));
        if is_own {
            *commands = None;
            self.stream_closed.notify_waiters();
        }
    }

    /// Waits until no stream is open. The carrier may ask what comes next before our side has closed its books.
    pub(super) async fn stream_closed(&self) {
        loop {
            let closed = self.stream_closed.notified();
            if self.commands().is_none() {
                return;
            }
            closed.await;
        }
    }

    /// Keeps the call's place among those at once until its end.
    pub(super) fn hold_slot(&self, slot: Slot) {
        *lock(&self.slot) = Some(slot);
    }

    pub(super) fn release_slot(&self) {
        drop(lock(&self.slot).take());
    }

    /// For the agent of the call's next stream.
    pub(super) fn leave_note(&self, text: String) {
        lock(&self.notes).push(text);
    }

    /// What was left last, whoever takes it.
    pub(super) fn last_note(&self) -> Option<String> {
        lock(&self.notes).last().cloned()
    }

    pub(super) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notes))
    }

    pub(super) fn let_agent_open(&self) {
        self.agent_opens.store(true, Ordering::Relaxed);
    }

    pub(super) fn agent_may_open(&self) -> bool {
        self.agent_opens.load(Ordering::Relaxed)
    }

    pub(super) fn give_opening(&self, text: Option<String>) {
        *lock(&self.opening) = text;
    }

    pub(super) fn opening(&self) -> Option<String> {
        lock(&self.opening).clone()
    }

    /// A number for something that our own voice says.
    pub(super) fn next_utterance(&self) -> u32 {
        self.utterances.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Who has taken the call over.
    pub fn operator(&self) -> Option<Actor> {
        lock(&self.operator).clone()
    }

    /// True for one operator at a time.
    pub(super) fn claim_operator(&self, by: &Actor) -> bool {
        let mut operator = lock(&self.operator);
        let is_free = operator.is_none();
        if is_free {
            *operator = Some(by.clone());
        }
        is_free
    }

    /// The call is free for the next one. What another operator has claimed stays theirs.
    pub(super) fn release_operator(&self, by: &Actor) {
        lock(&self.operator).take_if(|operator| operator == by);
    }

    /// How loud it is on the call and how fast it is carried; see [`Tap::look`].
    pub fn look(&self) -> Option<Reading> {
        self.tap.look()
    }

    pub fn commands(&self) -> Option<mpsc::Sender<Box<Command>>> {
        lock(&self.commands).clone()
    }

    pub fn plan_next(&self, next: Next) {
        *lock(&self.next_document) = next;
    }

    pub fn next_document(&self) -> Next {
        lock(&self.next_document).clone()
    }

    /// The disposition that the call will end with, if somebody asked for its end.
    pub fn ending_as(&self) -> Option<Disposition> {
        lock(&self.record).ending_as
    }
}

/// Something that is done once for a call, by whoever comes first. The record cannot tell: the journal brings it up to date later.
#[derive(Debug, Default)]
pub(super) struct Claim(AtomicBool);

impl Claim {
    fn made_if(made: bool) -> Self {
        Self(AtomicBool::new(made))
    }

    /// Whether this is the first to claim it.
    pub(super) fn make(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// What was claimed came to nothing: the next one may.
    pub(super) fn give_back(&self) {
        self.0.store(false, Ordering::Release);
    }

    pub(super) fn is_made(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How long a token may be given for.
pub(super) fn token_deadline(now: Timestamp, lifetime: Duration) -> Timestamp {
    now.saturating_add(lifetime).unwrap_or(Timestamp::MAX)
}

/// The data behind these locks is valid after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Created, Door};
    use crate::domain::{Direction, Party};

    fn call(n: u128) -> Call {
        let created = Created {
            direction: Direction::Inbound,
            from: Party::from("+12125550113"),
            to: Party::from("+12125550100"),
            agent: "agent_1".parse().unwrap(),
            purpose: None,
            lead_id: None,
            dynamic_variables: std::collections::BTreeMap::default(),
            requested_by: Actor::new(Door::Carrier, "twilio"),
        };
        Call::new(CallId::from_uuid(uuid::Uuid::from_u128(n)), Timestamp::UNIX_EPOCH, &created)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_opens_one_stream_once_and_in_time() {
        let calls = LiveCalls::default();
        let call = calls.insert(call(1));
        assert_eq!(call.redeem_token(Some("t"), at(0)), Err(TokenError::Wrong));
        call.grant_token("t".to_owned(), at(60));
        assert_eq!(call.redeem_token(None, at(0)), Err(TokenError::Missing));
        assert_eq!(call.redeem_token(Some("x"), at(0)), Err(TokenError::Wrong));
        assert_eq!(call.redeem_token(Some("t"), at(60)), Ok(()));
        assert_eq!(call.redeem_token(Some("t"), at(60)), Err(TokenError::Wrong));
        call.grant_token("u".to_owned(), at(60));
        assert_eq!(call.redeem_token(Some("u"), at(61)), Err(TokenError::Expired));
    }

    #[test]
    fn a_replayed_webhook_gets_the_same_document() {
        let calls = LiveCalls::default();
        let call = calls.insert(call(1));
        assert_eq!(call.document(|| "first".to_owned()), "first");
        assert_eq!(call.document(|| "second".to_owned()), "first");
    }

    #[test]
    fn a_sid_belongs_to_one_call_and_leaves_with_it() {
        let calls = LiveCalls::default();
        let (one, two) = (calls.insert(call(1)), calls.insert(call(2)));
        let sid = CallSid::new("CA1");
        assert!(calls.bind(&sid, &one) && calls.bind(&sid, &one));
        assert!(!calls.bind(&sid, &two));
        assert_eq!(calls.by_sid(&sid).unwrap().id, one.id);
        calls.remove(&one);
        assert!(calls.by_sid(&sid).is_none() && calls.len() == 1);
    }

    #[test]
    fn a_status_is_news_once_and_only_forward() {
        let calls = LiveCalls::default();
        let call = calls.insert(call(1));
        let order = [CallStatus::Ringing, CallStatus::Ringing, CallStatus::Initiated, CallStatus::Completed];
        assert_eq!(order.map(|status| call.advance_status(status)), [true, false, false, true]);
    }

    #[test]
    fn a_late_stream_does_not_close_the_one_after_it() {
        let calls = LiveCalls::default();
        let call = calls.insert(call(1));
        let ((first, _inbox), (second, _other)) = (mpsc::channel(1), mpsc::channel(1));
        let (weak_first, weak_second) = (first.downgrade(), second.downgrade());
        call.open_stream(first);
        call.open_stream(second);
        call.close_stream(&weak_first);
        assert!(call.commands().is_some());
        call.close_stream(&weak_second);
        assert!(call.commands().is_none());
    }

    #[test]
    fn the_end_is_claimed_once() {
        let calls = LiveCalls::default();
        let call = calls.insert(call(1));
        assert!(call.claim_end() && !call.claim_end() && call.over.is_cancelled());
    }
}
