//! `kill -9` in the middle of gated decisions: none that was answered is lost, no number is dialled more often than the gate allows,
//! and a slot is held for as long as a phone may be ringing, and no longer.

use std::collections::BTreeMap;

use clearline::compliance::clearance::Clearance;
use clearline::compliance::facts::Facts;
use clearline::compliance::gate::evaluate;
use clearline::compliance::profile::Profile;
use clearline::compliance::tables::RuleTables;
use clearline::domain::decision::Voice;
use clearline::domain::event::{Actor, Created, Door};
use clearline::domain::{AttemptId, CallEvent, CallId, CallSid, DecisionId, Direction, E164, Purpose, ReservationId};
use clearline::store::{AttemptState, CallFilter, GateRequest, Intent, LEASE, Settlement, Store};
use futures_util::stream::{self, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::OFFICE;
use super::api::Api;
use super::gate::e164;
use super::restart::{kill, stage};
use super::server::{Server, Settings};
use super::vendors::Vendors;

/// Florida allows three attempts in 24 hours.
const CAP: usize = 3;
const NUMBERS: usize = 12;
/// Requests under way at the same time.
const AT_ONCE: usize = 6;
const ROUNDS: usize = 4;

/// Settings under which a call to Florida is allowed at any hour, and its number is asked about at the emulated vendor.
fn settings(twilio: &str) -> Vec<(&'static str, String)> {
    vec![
        ("COMPLIANCE__RULES", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/any_hour_rules.toml").to_owned()),
        ("COMPLIANCE__CHOICES__LITIGATOR_LIST", "off".to_owned()),
        ("COMPLIANCE__SCRUB__VENDOR", "twilio_lookup".to_owned()),
        ("COMPLIANCE__SCRUB__API_URL", twilio.to_owned()),
        ("CARRIER__TWILIO__CALLS_PER_SECOND", "1000".to_owned()),
        ("CALLS__RESUME_WAIT_S", "1".to_owned()),
    ]
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(key, text)| (*key, text.as_str())).collect()
}

fn number(n: usize) -> String {
    format!("+13055550{}", 100 + n)
}

async fn permit(api: &Api, number: &str) {
    let consent = json!({"number": number, "kind": "written", "scope": ["telemarketing"],
        "given_at": "2026-01-05T18:30:00Z", "evidence": {"method": "web_form", "text": "You may call me."}});
    let recorded = api.post("/api/v1/consents", &consent).await;
    assert_eq!(recorded.status, 201, "{}", recorded.body);
}

/// A small generator of numbers at random (an LCG with Knuth's constants), so that a failure can be repeated from its seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// What the server answered to one request for a call.
struct Acknowledged {
    decision: DecisionId,
    allowed: bool,
}

/// Asks for calls, several at once, and kills the server after so many answers.
async fn ask_until_killed(
    chance: &mut Chance,
    server: &mut Server,
    kill: impl FnOnce(&mut Server),
    after: usize,
) -> Vec<Acknowledged> {
    let api = server.api.clone();
    let wanted: Vec<_> = (0..after + AT_ONCE).map(|_| number(chance.below(NUMBERS))).collect();
    let mut asked = stream::iter(wanted)
        .map(|number| {
            let api = &api;
            async move { api.try_post("/api/v1/calls", &json!({"to": number})).await }
        })
        .buffer_unordered(AT_ONCE);
    let (mut answers, mut kill) = (Vec::new(), Some(kill));
    while let Some(answer) = asked.next().await {
        answers.extend(answer);
        if answers.len() >= after
            && let Some(kill) = kill.take()
        {
            kill(server);
        }
    }
    assert!(kill.is_none(), "the server answered {} requests only", answers.len());
    answers
        .into_iter()
        .map(|answer| {
            let allowed = answer.status == 202;
            let place = if allowed { &answer.body } else { &answer.body["error"]["details"] };
            let decision = place["decision_id"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).parse().unwrap();
            Acknowledged { decision, allowed }
        })
        .collect()
}

/// The database of a server that is dead.
struct Books {
    store: Store,
    tracker: TaskTracker,
}

impl Books {
    async fn open(settings: &Settings) -> Self {
        let tracker = TaskTracker::new();
        Self { store: Store::open(&settings.store_url(), &tracker).await.unwrap(), tracker }
    }

    async fn close(self) {
        self.store.close().await;
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// The ledger is whole, and holds what was answered, as it was answered.
    async fn check_decisions(&self, acknowledged: &[Acknowledged]) {
        self.store.verify_ledger().await.unwrap();
        for Acknowledged { decision, allowed } in acknowledged {
            let recorded = self.store.decision(*decision).await.unwrap();
            let recorded = recorded.unwrap_or_else(|| panic!("{decision} was answered and is lost"));
            assert_eq!(recorded.decision.is_allowed(), *allowed, "{decision}");
        }
    }

    /// No number was tried more often than allowed; each dial that the carrier took has an attempt, and no two have the same.
    async fn check_attempts(&self, vendors: &Vendors) {
        let dials = dials_by_number(vendors);
        for n in 0..NUMBERS {
            let number = e164(&number(n));
            let mut attempts = self.store.attempts_to(&number).await.unwrap();
            attempts.retain(|attempt| !matches!(attempt.state, AttemptState::Refused | AttemptState::ReconciledAbsent));
            let dialled = dials.get(&number.masked()).copied().unwrap_or_default();
            assert!(attempts.len() <= CAP, "{number}: {attempts:?}");
            assert!(dialled <= attempts.len(), "{number}: {dialled} dials, {attempts:?}");
            let mut calls: Vec<_> = attempts.iter().filter_map(|attempt| attempt.call_sid.clone()).collect();
            calls.sort();
            calls.dedup();
            assert_eq!(calls.len(), attempts.iter().filter(|attempt| attempt.call_sid.is_some()).count());
        }
    }

    /// The slot that a number has at this instant, as the next decision about it would see it.
    async fn slot(&self, number: &E164, at: Timestamp) -> Option<ReservationId> {
        let request = GateRequest {
            number: number.clone().into(),
            purpose: Purpose::Telemarketing,
            voice: Voice::Ai,
            lead_id: None,
            call_id: None,
            actor: Actor::new(Door::System, "tests"),
            intent: Intent::Inquiry,
        };
        let (tell, told) = tokio::sync::oneshot::channel();
        let text = number.as_str().to_owned();
        let look = move |stored: &clearline::store::StoredFacts| {
            tell.send(stored.in_flight).unwrap();
            let facts = Facts::unknown(text.as_str(), Purpose::Telemarketing, Voice::Ai);
            (evaluate(&facts, &RuleTables::shipped().unwrap(), &Profile::default(), at), Value::Null)
        };
        self.store.decide(request, at, look).await.unwrap();
        told.await.unwrap()
    }

    /// Once every lease has run out, a number has a slot exactly while an attempt on it may be ringing somewhere.
    async fn check_slots_after_the_lease(&self) -> usize {
        let later = clearline::app::WallClock::real().now() + LEASE + SignedDuration::from_secs(1);
        let mut held = 0;
        for n in 0..NUMBERS {
            let number = e164(&number(n));
            let attempts = self.store.attempts_to(&number).await.unwrap();
            let ringing = attempts.iter().any(|attempt| {
                attempt.finished_at.is_none()
                    && !matches!(attempt.state, AttemptState::Refused | AttemptState::ReconciledAbsent)
            });
            assert_eq!(self.slot(&number, later).await.is_some(), ringing, "{number}: {attempts:?}");
            held += usize::from(ringing);
        }
        held
    }
}

/// How often the carrier was told to dial each number, by the number as its log shows it.
fn dials_by_number(vendors: &Vendors) -> BTreeMap<String, usize> {
    let mut dials = BTreeMap::new();
    for entry in vendors.twilio.log().since(0).into_iter().filter(|entry| entry.event == "call_created") {
        let to = entry.detail["params"]["To"].as_str().unwrap_or_else(|| panic!("{entry:?}")).to_owned();
        *dials.entry(to).or_default() += 1;
    }
    dials
}

#[tokio::test]
async fn a_kill_among_decisions_loses_none_and_books_no_number_twice() {
    let seed = std::env::var_os("CLEARLINE_TEST_SEED")
        .map_or_else(|| Uuid::new_v4().as_u64_pair().0, |text| text.to_str().unwrap().parse().unwrap());
    eprintln!("CLEARLINE_TEST_SEED={seed}");
    let mut chance = Chance(seed);
    let vendors = Vendors::start().await;
    let own = settings(&vendors.twilio.base_url());
    let (proxy, mut server) = stage(&vendors, &borrowed(&own)).await;
    for n in 0..NUMBERS {
        vendors.seat(&number(n), "busy").await;
        permit(&server.api, &number(n)).await;
    }
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let after = 2 + chance.below(20);
        eprintln!("round {round}: killed after {after} answers");
        let answers = ask_until_killed(&mut chance, &mut server, |server| kill(&proxy, server), after).await;
        acknowledged.extend(answers);
        let books = Books::open(server.settings()).await;
        books.check_decisions(&acknowledged).await;
        books.check_attempts(&vendors).await;
        if round + 1 == ROUNDS {
            eprintln!("{} slots held", books.check_slots_after_the_lease().await);
        }
        books.close().await;
        server.start_again().await;
        proxy.lead_to(Some(&server.base));
    }
    assert!(acknowledged.iter().any(|answer| answer.allowed), "calls were placed");

    // Every call comes to its end, and then no number has a slot.
    let books = Books::open(server.settings()).await;
    let calls = books.store.list_calls(CallFilter::default(), None, 10_000).await.unwrap().items.len();
    books.close().await;
    server.api.all_ended(calls).await;
    assert_eq!(server.api.live().await, 0);
    kill(&proxy, &mut server);
    let books = Books::open(server.settings()).await;
    books.check_decisions(&acknowledged).await;
    books.check_attempts(&vendors).await;
    assert_eq!(books.check_slots_after_the_lease().await, 0, "nothing rings any more");
    books.close().await;
}

/// What a server leaves behind that is killed between two lines: the attempt knows what the carrier calls the call, the journal does not.
async fn leave_an_attempt_of_which_the_journal_does_not_know(store: &Store, to: &str, sid: &str) -> CallId {
    let now = clearline::app::WallClock::real().now();
    let by = Actor::new(Door::Api, "tests");
    let (call, attempt) = (CallId::from_uuid(Uuid::new_v4()), AttemptId::from_uuid(Uuid::new_v4()));
    let created = Created {
        direction: Direction::Outbound,
        from: OFFICE.into(),
        to: to.into(),
        agent: "elevenlabs:agent_echo".parse().unwrap(),
        purpose: Some(Purpose::Emergency),
        lead_id: None,
        dynamic_variables: BTreeMap::new(),
        requested_by: by.clone(),
    };
    store.append(vec![(call, now, CallEvent::Created(created))]).await.unwrap();
    let purpose = Purpose::Emergency;
    let request = GateRequest {
        number: to.into(),
        purpose,
        voice: Voice::Ai,
        lead_id: None,
        call_id: None,
        actor: by,
        intent: Intent::Dial,
    };
    let facts = Facts::unknown(to, purpose, Voice::Ai);
    let allow = move |_: &clearline::store::StoredFacts| {
        (evaluate(&facts, &RuleTables::shipped().unwrap(), &Profile::default(), now), Value::Null)
    };
    let decided = store.decide(request, now, allow).await.unwrap();
    let clearance = Clearance::grant(&decided.decision, decided.reservation.unwrap()).unwrap();
    let order = clearance.redeem(attempt, now).unwrap();
    store.begin_attempt(&order, call, now).await.unwrap();
    store.append(vec![(call, now, CallEvent::Dialing { attempt_id: attempt })]).await.unwrap();
    store.settle_attempt(attempt, Settlement::Accepted(CallSid::new(sid)), now).await.unwrap();
    call
}

#[tokio::test]
async fn an_attempt_that_the_carrier_took_is_taken_up_though_the_journal_does_not_know() {
    let vendors = Vendors::start().await;
    let number = number(0);
    vendors.seat(&number, "answer after 50s\nhang up").await;
    let sid = vendors.dial(&number).await;
    let settings = Settings::new(&vendors, &[("CALLS__RESUME_WAIT_S", "1")]);
    let books = Books::open(&settings).await;
    let call = leave_an_attempt_of_which_the_journal_does_not_know(&books.store, &number, &sid).await;
    books.close().await;
    let mut server = Server::start_with(settings).await;
    assert_eq!(server.api.call_of(&sid).await, call.to_string());
    // The carrier does not come back for it, so it is hung up there.
    vendors.twilio_saw("the hang-up", |entry| entry.is("call_updated", &sid)).await;
    server.api.ended(&call.to_string()).await;
    server.kill();
    let books = Books::open(server.settings()).await;
    let attempts = books.store.attempts_to(&e164(&number)).await.unwrap();
    assert!(attempts.len() == 1 && attempts[0].finished_at.is_some(), "{attempts:?}");
    books.close().await;
}

#[tokio::test]
async fn a_dial_of_unknown_fate_keeps_its_number_until_the_carrier_says() {
    let vendors = Vendors::start().await;
    let own = settings(&vendors.twilio.base_url());
    let (proxy, mut server) = stage(&vendors, &borrowed(&own)).await;
    let number = number(0);
    permit(&server.api, &number).await;
    vendors.seat(&number, "answer after 50s\nhang up").await;
    // The carrier dials and its answer is lost; then the server dies; then the carrier cannot be reached.
    vendors.break_twilio(json!({"lose_create_answers": 1})).await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": number})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let sid = vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await.about.unwrap();
    kill(&proxy, &mut server);
    server.set("CARRIER__TWILIO__API_URL", "http://127.0.0.1:1");
    server.start_again().await;
    let again = server.api.post("/api/v1/calls", &json!({"to": number})).await;
    let reasons = again.body["error"]["details"]["reasons"].clone();
    assert_eq!((again.status, reasons[0]["code"].as_str()), (403, Some("IN_FLIGHT")), "{}", again.body);

    // A day later nothing has changed about that: no lease ends what may be ringing.
    kill(&proxy, &mut server);
    let books = Books::open(server.settings()).await;
    let tomorrow = clearline::app::WallClock::real().now() + SignedDuration::from_hours(24);
    assert!(books.slot(&e164(&number), tomorrow).await.is_some());
    books.close().await;

    // The carrier can be asked again: it knows the call, and its end frees the number.
    server.set("CARRIER__TWILIO__API_URL", &vendors.twilio.base_url());
    server.start_again().await;
    proxy.lead_to(Some(&server.base));
    vendors.end_at_carrier(&sid).await;
    server.api.ended(placed.body["call_id"].as_str().unwrap()).await;
    vendors.seat(&number, "busy").await;
    let third = server.api.post("/api/v1/calls", &json!({"to": number})).await;
    assert_eq!(third.status, 202, "{}", third.body);
    server.api.ended(third.body["call_id"].as_str().unwrap()).await;
    assert_eq!(vendors.dials(), 2);
}
