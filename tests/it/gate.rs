//! Every door that can ring a phone leads through the gate, and every dial at the carrier has its decision in the ledger.

use std::path::PathBuf;

use clearline::app::WallClock;
use clearline::boot;
use clearline::config::{Effective, Layer};
use clearline::domain::access::Role;
use clearline::domain::event::{Actor, Created, Door};
use clearline::domain::{CallEvent, CallId, CallSid, Direction, E164, Party, Purpose};
use clearline::store::{AttemptState, DecisionFilter, Intent, ReassignedAnswer, Reassignment, Store};
use jiff::civil::date;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::api::Api;
use super::server::{Server, Settings};
use super::vendors::Vendors;
use super::{ACCOUNT, AUTH_TOKEN, OFFICE, SELLER, books};

/// The gate's exit code for a denial.
const DENIED: Option<i32> = Some(3);

pub(super) fn codes(reasons: &Value) -> Vec<&str> {
    reasons.as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_call_without_permission_is_blocked_at_every_door() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let rest = server.api.post("/api/v1/calls", &json!({"to": SELLER})).await;
    assert_eq!((rest.status, rest.content_type.as_str()), (403, "application/problem+json"));
    assert!(rest.body["type"].as_str().unwrap().ends_with("/compliance-blocked"), "{}", rest.body);
    let reasons = &rest.body["error"]["details"]["reasons"];
    assert!(codes(reasons).contains(&"CONSENT_MISSING"), "{reasons}");
    assert!(
        reasons[0]["citation"].as_str().is_some_and(|citation| citation.contains("CFR") || citation.contains("USC"))
    );
    let call = server.api.ended(rest.body["call_id"].as_str().unwrap()).await;
    assert_eq!((&call["disposition"], &call["call_sid"]), (&json!("blocked"), &Value::Null));

    let dry = server.api.post("/api/v1/calls", &json!({"to": SELLER, "dry_run": true})).await;
    assert_eq!((dry.status, dry.body["decision"].as_str()), (200, Some("deny")), "{}", dry.body);
    assert!(codes(&dry.body["reasons"]).contains(&"CONSENT_MISSING"));
    let asked = server.api.post("/api/v1/check", &json!({"number": SELLER})).await;
    assert_eq!((asked.status, asked.body["decision"].as_str()), (200, Some("deny")), "{}", asked.body);
    let calls = server.api.get("/api/v1/calls").await.body;
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1, "asking makes no call: {calls}");

    let checked = server.settings().run(&["check", SELLER, "--json"]);
    assert_eq!(checked.status.code(), DENIED);
    let answer: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert!(codes(&answer["reasons"]).contains(&"CONSENT_MISSING"), "{answer}");
    let (key, _) = server.settings().create_key("agent");
    for more in [[].as_slice(), &["--dry-run"], &["--dry-run", "--json"], &["--json"]] {
        let mut command = server.settings().command();
        command.env("CLEARLINE_API_KEY", &key).args(["call", SELLER, "--server", &server.base]).args(more);
        let placed = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert_eq!(placed.status.code(), DENIED, "{more:?} {}", String::from_utf8_lossy(&placed.stderr));
        assert!(String::from_utf8_lossy(&placed.stdout).contains("CONSENT_MISSING"), "{more:?}");
    }

    let unknown = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(unknown.status, 403, "a purpose that the operator does not allow: {}", unknown.body);
    assert_eq!(vendors.dials(), 0);
    let verified = server.settings().run(&["ledger", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

/// A server in this process whose clock shows a Wednesday morning in New York, so that calls are allowed at any hour.
/// Its books are looked at when it goes.
pub(super) struct Morning {
    pub vendors: Vendors,
    pub server: boot::Server,
    pub clock: WallClock,
    pub api: Api,
    folder: PathBuf,
}

impl Drop for Morning {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // A copy: the server is still there, and what it was about to write when the test ended holds a lock.
            let copy = self.folder.join("books.sqlite3");
            for side in ["", "-wal"] {
                let name = format!("store.sqlite3{side}");
                let _ = std::fs::copy(self.folder.join(name), format!("{}{side}", copy.display()));
            }
            let own = [format!("http://{}", self.server.address)];
            books::check_at_the_end(&format!("sqlite://{}", copy.display()), &own, self.vendors.twilio.log());
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Morning {
    async fn start() -> Self {
        Self::start_with("", 100.0).await
    }

    /// With an account that may start so many calls a second.
    pub(super) async fn start_paced(calls_per_second: f64) -> Self {
        Self::start_with("", calls_per_second).await
    }

    /// `own` are settings of the test's own; TWILIO in them stands for the emulated Twilio's address.
    pub(super) async fn start_with(own: &str, calls_per_second: f64) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("it-{}", Uuid::new_v4().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        let store_url = format!("sqlite://{}", folder.join("store.sqlite3").display());
        let vendors = Vendors::start().await;
        let clock = WallClock::starting_at("2026-10-14T15:00:00Z".parse().unwrap());
        let (twilio, agents) = (vendors.twilio.base_url(), vendors.elevenlabs.base_url());
        let text = format!(
            r#"
            [server]
            listen = "127.0.0.1:0"
            [store]
            url = "{store_url}"
            [seller]
            name = "Riverside Homes"
            callback_number = "{OFFICE}"
            [carrier.twilio]
            api_url = "{twilio}"
            account_sid = "{ACCOUNT}"
            auth_token = "{AUTH_TOKEN}"
            from = "{OFFICE}"
            calls_per_second = {calls_per_second}
            [agents]
            default = "elevenlabs:agent_echo"
            [agents.elevenlabs]
            api_url = "{agents}"
            {own}
            "#,
            own = own.replace("TWILIO", &twilio),
        );
        let config = Effective::from_layers(vec![Layer::from_file("tests", &text).unwrap()]).unwrap().config;
        let server = boot::Server::start(config, clock).await.unwrap();
        let base = format!("http://{}", server.address);
        vendors.lead_to(&books::note_address(&base)).await;
        let (_, key) = clearline::app::create_key(&server.app.store, clock, "tests", Role::Admin).await.unwrap();
        let as_of = date(2026, 10, 1);
        let listed = vec!["+12125550166".parse().unwrap()];
        server.app.store.import_litigators("tests", as_of, listed, clock.now()).await.unwrap();
        Self { api: Api::new(&base, key.expose()), vendors, server, clock, folder }
    }

    /// The binary on the same database.
    pub(super) fn settings(&self) -> Settings {
        Settings::in_folder(&self.folder, &self.vendors, &[])
    }

    /// Somebody gave written permission.
    pub(super) async fn consent(&self, number: &str) {
        let consent = json!({"number": number, "kind": "written", "scope": ["telemarketing"],
            "given_at": "2026-09-21T18:30:00Z", "evidence": {"method": "web_form", "text": "You may call me."}});
        let recorded = self.api.post("/api/v1/consents", &consent).await;
        assert_eq!(recorded.status, 201, "{}", recorded.body);
        self.vendors.seat(number, "silent for 200ms\nhang up").await;
    }

    /// Somebody gave written permission, and the number still is theirs.
    pub(super) async fn permit(&self, number: &str) {
        self.consent(number).await;
        let answer = ReassignedAnswer {
            consent_date: date(2026, 9, 21),
            answer: Reassignment::No,
            asked_at: self.clock.now(),
            source: "tests".to_owned(),
        };
        self.server.app.store.record_reassigned_answer(&e164(number), answer).await.unwrap();
    }

    /// The books: every dial that the carrier took has one attempt, whose decision said yes; and no attempt is without a dial.
    pub(super) async fn check_books(&self, numbers: &[&str]) {
        let store = &self.server.app.store;
        let log = self.vendors.twilio.log().since(0);
        let dialled: Vec<_> = log.iter().filter(|entry| entry.event == "call_created").collect();
        let mut attempts = Vec::new();
        for number in numbers {
            attempts.extend(store.attempts_to(&e164(number)).await.unwrap());
        }
        assert_eq!(attempts.len(), dialled.len(), "{attempts:?}");
        for dial in dialled {
            let sid = CallSid::new(dial.about.clone().unwrap());
            let of_dial: Vec<_> = attempts.iter().filter(|attempt| attempt.call_sid.as_ref() == Some(&sid)).collect();
            let [attempt] = of_dial.as_slice() else { panic!("attempts of one dial: {of_dial:?}") };
            assert_eq!(attempt.state, AttemptState::Accepted);
            let decision = store.decision(attempt.decision_id).await.unwrap().unwrap();
            assert!(decision.decision.is_allowed() && decision.intent == Intent::Dial, "{decision:?}");
            assert_eq!(decision.subject.unwrap().number.as_str(), attempt.number.as_str());
        }
        let decisions = store.list_decisions(DecisionFilter::default(), None, 1_000).await.unwrap().items;
        let allowed = decisions.iter().filter(|d| d.intent == Intent::Dial && d.decision.is_allowed()).count();
        assert_eq!(allowed, attempts.len());
        store.verify_ledger().await.unwrap();
    }
}

pub(super) fn e164(number: &str) -> E164 {
    number.parse().unwrap()
}

#[tokio::test]
async fn a_permitted_call_is_placed_and_the_books_show_it() {
    let stage = Morning::start().await;
    let before = stage.api.post("/api/v1/calls", &json!({"to": SELLER})).await;
    assert_eq!(before.status, 403);
    stage.permit(SELLER).await;
    let dry = stage.api.post("/api/v1/calls", &json!({"to": SELLER, "dry_run": true})).await;
    assert_eq!(dry.body["decision"], "allow", "{}", dry.body);
    assert_eq!(stage.vendors.dials(), 0);
    let placed = stage.api.post("/api/v1/calls", &json!({"to": SELLER})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = stage.api.ended(placed.body["call_id"].as_str().unwrap()).await;
    assert_eq!((&call["disposition"], &call["decision_id"]), (&json!("completed"), &placed.body["decision_id"]));

    // A refusal binds at once, over whatever was permitted.
    let refused = "+12125550114";
    stage.permit(refused).await;
    assert_eq!(stage.api.post("/api/v1/dnc", &json!({"number": refused})).await.status, 201);
    let blocked = stage.api.post("/api/v1/calls", &json!({"to": refused})).await;
    assert_eq!(blocked.status, 403);
    let reasons = codes(&blocked.body["error"]["details"]["reasons"]);
    assert!(reasons.contains(&"INTERNAL_DNC"), "{reasons:?}");
    stage.check_books(&[SELLER, refused]).await;
}

#[tokio::test]
async fn the_agent_says_the_disclosure_where_it_may_and_else_the_carrier() {
    let own = "api_key = \"emulated-api-key\"\n[calls]\nagent_opening = \"{disclosure} How are you?\"\n";
    let stage = Morning::start_with(own, 100.0).await;
    let (replaced, deaf) = (json!({"first_message": true}), json!({"disable_first_message_interruptions": true}));
    let script = "agent: Hello.";
    let opens = stage.vendors.create_agent_with(script, &deaf, &replaced).await;
    let fixed = stage.vendors.create_agent_with(script, &deaf, &json!({})).await;
    let talked_over = stage.vendors.create_agent_with(script, &json!({}), &replaced).await;
    for (number, agent, by_agent) in [
        (SELLER, &opens, true),
        ("+12125550114", &fixed, false),
        ("+12125550115", &talked_over, false),
        ("+12125550116", &"elevenlabs:agent_nobody_knows".to_owned(), false),
    ] {
        stage.permit(number).await;
        stage.vendors.seat(number, "answer\nsay Who is this?\nwait 60s").await;
        let placed = stage.api.post("/api/v1/calls", &json!({"to": number, "agent": agent})).await;
        assert_eq!(placed.status, 202, "{}", placed.body);
        let call = placed.body["call_id"].as_str().unwrap();
        let sid = stage.api.event_of(call, "carrier_accepted").await["call_sid"].as_str().unwrap().to_owned();
        if by_agent {
            stage.api.event_of(call, "agent_connected").await;
            for (step, body) in [
                ("mute", json!({})),
                ("hold", json!({})),
                ("say", json!({"text": "Hold on."})),
                ("dtmf", json!({"keys": "1"})),
                ("transfer", json!({"to": "+12125550140"})),
            ] {
                let refused = stage.api.post(&format!("/api/v1/calls/{call}/{step}"), &body).await;
                assert_eq!(refused.status, 409, "{step}: {}", refused.body);
                assert!(
                    refused.body["detail"].as_str().unwrap().contains("the law wants said first"),
                    "{}",
                    refused.body
                );
            }
            assert_eq!(stage.api.socket(&format!("/api/v1/calls/{call}/take-over")).await.err(), Some(409));
            let words = stage.api.event_of(call, "agent_said").await["text"].as_str().unwrap().to_owned();
            assert!(
                words.starts_with("Hello") && words.contains("Riverside Homes") && words.ends_with("How are you?"),
                "{words}"
            );
            stage.api.event_of(call, "turn_heard").await;
            assert_eq!(stage.api.post(&format!("/api/v1/calls/{call}/mute"), &json!({})).await.status, 202);
        } else {
            let spoken = stage.vendors.twilio_saw("the carrier's words", |entry| entry.is("said", &sid)).await;
            assert!(spoken.text("text").unwrap().contains("Riverside Homes"), "{agent}");
        }
        stage.vendors.end_at_carrier(&sid).await;
        stage.api.ended(call).await;
        let seen = stage.vendors.twilio.log().since(0);
        assert_eq!(seen.iter().any(|entry| entry.is("said", &sid)), !by_agent, "said once, by one of them");
    }
}

#[tokio::test]
async fn where_a_leads_number_lives_binds_calls_that_name_no_lead() {
    let stage = Morning::start().await;
    stage.permit(SELLER).await;
    let lead = |external: &str, state: &str, zone: &str| json!({"number": SELLER, "external_id": external, "state": state, "time_zone": zone});
    let at_home = stage.api.post("/api/v1/leads", &lead("1", "NY", "America/New_York")).await;
    assert_eq!(at_home.status, 201, "{}", at_home.body);
    let fine = stage.api.post("/api/v1/calls", &json!({"to": SELLER, "dry_run": true})).await;
    assert_eq!(fine.body["decision"], "allow", "{}", fine.body);

    // Eleven in New York, eight in California, where an artificial voice may sell from nine on (Pub. Util. Code 2872).
    assert_eq!(stage.api.post("/api/v1/leads", &lead("2", "CA", "America/Los_Angeles")).await.status, 201);
    for request in [json!({"to": SELLER}), json!({"to": SELLER, "lead_id": at_home.body["id"]})] {
        let blocked = stage.api.post("/api/v1/calls", &request).await;
        assert_eq!(blocked.status, 403, "{request} {}", blocked.body);
        let details = &blocked.body["error"]["details"];
        assert_eq!(codes(&details["reasons"]), ["OUTSIDE_HOURS_STATE_AUTOMATED"], "{details}");
    }
    let asked = stage.api.post("/api/v1/check", &json!({"number": SELLER})).await.body;
    assert_eq!(asked["decision"], "deny", "{asked}");
    assert_eq!(stage.vendors.dials(), 0);
    stage.check_books(&[SELLER]).await;
}

#[tokio::test]
async fn two_requests_for_one_number_at_once_ring_it_once() {
    let stage = Morning::start().await;
    stage.permit(SELLER).await;
    let body = json!({"to": SELLER});
    let answers = futures_util::future::join_all((0..8).map(|_| stage.api.post("/api/v1/calls", &body))).await;
    let (placed, blocked): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
    assert_eq!((placed.len(), blocked.len()), (1, 7));
    assert!(blocked.iter().all(|answer| answer.status == 403));
    stage.api.ended(placed[0].body["call_id"].as_str().unwrap()).await;
    assert_eq!(stage.vendors.dials(), 1);
    stage.check_books(&[SELLER]).await;
}

#[tokio::test]
async fn a_repeated_idempotency_key_is_the_same_call() {
    let stage = Morning::start().await;
    stage.permit(SELLER).await;
    let body = json!({"to": SELLER});
    let (one, two) = tokio::join!(stage.api.place_once(&body, "order-1"), stage.api.place_once(&body, "order-1"));
    assert_eq!((one.status, two.status), (202, 202), "{} {}", one.body, two.body);
    assert_eq!(one.body["call_id"], two.body["call_id"]);
    let other = stage.api.place_once(&json!({"to": "+12125550114"}), "order-1").await;
    assert_eq!(other.status, 409, "{}", other.body);
    stage.api.ended(one.body["call_id"].as_str().unwrap()).await;
    let late = stage.api.place_once(&body, "order-1").await;
    assert_eq!((late.status, &late.body["call_id"]), (202, &one.body["call_id"]));
    assert_eq!(stage.vendors.dials(), 1);
    stage.check_books(&[SELLER, "+12125550114"]).await;
}

#[tokio::test]
async fn a_repeated_idempotency_key_tells_the_decision_that_counted() {
    // So slow that a clearance has grown old when the second call's turn comes, and the gate is asked again.
    let stage = Morning::start_paced(0.08).await;
    let second = "+12125550114";
    stage.permit(SELLER).await;
    stage.permit(second).await;
    assert_eq!(stage.api.post("/api/v1/calls", &json!({"to": SELLER})).await.status, 202);
    let body = json!({"to": second});
    let placed = stage.api.place_once(&body, "order-1").await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let waiting = stage.api.place_once(&body, "order-1").await;
    assert_eq!((waiting.status, &waiting.body), (202, &placed.body), "it waits for its turn");

    assert_eq!(stage.api.post("/api/v1/dnc", &json!({"number": second})).await.status, 201);
    let call = stage.api.ended(placed.body["call_id"].as_str().unwrap()).await;
    assert_eq!(call["disposition"], "blocked");
    assert_ne!(call["decision_id"], placed.body["decision_id"]);
    let late = stage.api.place_once(&body, "order-1").await;
    assert_eq!((late.status, &late.body["call_id"]), (403, &placed.body["call_id"]), "{}", late.body);
    let details = &late.body["error"]["details"];
    assert_eq!(details["decision_id"], call["decision_id"]);
    assert!(codes(&details["reasons"]).contains(&"INTERNAL_DNC"), "{details}");
    assert_eq!(stage.vendors.dials(), 1);
}

#[tokio::test]
async fn an_idempotency_key_is_good_again_where_its_request_was_cut_short_before_the_gate_answered() {
    let vendors = Vendors::start().await;
    let body = json!({"to": SELLER});
    // The first call of this key and actor has the same id on every server.
    let elsewhere = Server::start(&vendors, &[]).await.api.place_once(&body, "order-1").await;
    let first: CallId = elsewhere.body["call_id"].as_str().unwrap().parse().unwrap();

    // What a crash leaves that comes between the call and the gate's answer: a call of which nothing more is known.
    let settings = Settings::new(&vendors, &[]);
    let tasks = TaskTracker::new();
    let store = Store::open(&settings.store_url(), &tasks).await.unwrap();
    let created = CallEvent::Created(Created {
        direction: Direction::Outbound,
        from: Party::from(OFFICE),
        to: Party::from(SELLER),
        agent: "elevenlabs:agent_echo".parse().unwrap(),
        purpose: Some(Purpose::Telemarketing),
        lead_id: None,
        dynamic_variables: std::collections::BTreeMap::default(),
        requested_by: Actor::new(Door::Api, "tests"),
    });
    store.append(vec![(first, WallClock::real().now(), created)]).await.unwrap();
    store.close().await;
    let server = Server::start_with(settings).await;

    let again = server.api.place_once(&body, "order-1").await;
    assert_eq!(again.status, 403, "the gate answered: {}", again.body);
    assert_ne!(again.body["call_id"], elsewhere.body["call_id"]);
    let repeated = server.api.place_once(&body, "order-1").await;
    assert_eq!((repeated.status, repeated.body), (403, again.body.clone()));
    for other in [json!({"to": "+12125550114"}), json!({"to": SELLER, "agent": "elevenlabs:agent_reception"})] {
        let other = server.api.place_once(&other, "order-1").await;
        assert_eq!(other.status, 409, "{}", other.body);
        assert!(other.body["detail"].as_str().unwrap().contains("used for a different call"), "{}", other.body);
    }
    let abandoned = server.api.ended(&first.to_string()).await;
    assert_eq!((&abandoned["disposition"], &abandoned["decision_id"]), (&json!("canceled"), &Value::Null));
    assert_eq!(server.api.get("/api/v1/calls").await.body["calls"].as_array().unwrap().len(), 2);
    assert_eq!(vendors.dials(), 0);
}

#[tokio::test]
async fn a_number_that_is_being_called_is_told_so() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[("COMPLIANCE__PURPOSES", "emergency")]).await;
    vendors.seat(SELLER, "silent").await;
    // An emergency passes every rule about calls, and still no phone is rung twice at once.
    let body = json!({"to": SELLER, "purpose": "emergency"});
    let first = server.api.post("/api/v1/calls", &body).await;
    assert_eq!(first.status, 202, "{}", first.body);
    let second = server.api.post("/api/v1/calls", &body).await;
    assert_eq!((second.status, second.content_type.as_str()), (409, "application/problem+json"), "{}", second.body);
    assert!(second.body["type"].as_str().unwrap().ends_with("/number-busy"), "{}", second.body);
    vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await;
    assert_eq!(vendors.dials(), 1);
}
