//! Transfers: to a colleague and to an outside number, at once and after a briefing, and every way back to the agent.

use clearline::store::Store;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::SELLER;
use super::server::Server;
use super::soon;
use super::vendors::Vendors;

const COLLEAGUE: &str = "+12125550140";
const OUTSIDE: &str = "+12125550141";
const TARGETS: (&str, &str) = ("TRANSFERS__TARGETS", "sales=+12125550140");
const ANY_HOUR: (&str, &str) = ("COMPLIANCE__PURPOSES", "emergency");

/// A caller in conversation with the agent.
struct Caller {
    vendors: Vendors,
    server: Server,
    sid: String,
    call: String,
}

impl Caller {
    async fn start(own: &[(&str, &str)]) -> Self {
        let vendors = Vendors::start().await;
        let server = Server::start(&vendors, own).await;
        let sid = vendors.ring("silent").await;
        let call = server.api.call_of(&sid).await;
        server.api.conversing(&call, 1).await;
        Self { vendors, server, sid, call }
    }

    async fn transfer(&self, body: &Value) -> (u16, Value) {
        let answer = self.server.api.post(&format!("/api/v1/calls/{}/transfer", self.call), body).await;
        (answer.status, answer.body)
    }

    async fn event(&self, kind: &str) -> Value {
        self.server.api.event_of(&self.call, kind).await
    }

    async fn now(&self) -> Value {
        self.server.api.get(&format!("/api/v1/calls/{}", self.call)).await.body
    }

    /// The agent has the caller back and was told why.
    async fn is_back(&self, why: &str) {
        self.server.api.conversing(&self.call, 2).await;
        let told = self
            .vendors
            .elevenlabs
            .log()
            .wait_for(|entry| entry.event == "noted" && entry.text("text").is_some_and(|text| text.contains(why)));
        soon(why, told).await;
        assert_eq!(self.now().await["transfer"], Value::Null);
        self.vendors.end_at_carrier(&self.sid).await;
        assert_eq!(self.server.api.ended(&self.call).await["disposition"], "completed");
    }
}

#[tokio::test]
async fn a_colleague_gets_the_call_and_it_ends_as_transferred() {
    let caller = Caller::start(&[TARGETS]).await;
    caller.vendors.seat(COLLEAGUE, "answer after 200ms\nsay Hello.\nwait 2s\nhang up").await;
    let (status, body) = caller.transfer(&json!({"to": "sales"})).await;
    assert_eq!(status, 202, "{body}");
    assert_eq!(caller.event("transfer_started").await["name"], "sales");
    caller.event("transfer_connected").await;
    let (again, _) = caller.transfer(&json!({"to": "sales"})).await;
    assert_eq!(again, 409, "a call that is elsewhere is not transferred again");
    let ended = caller.server.api.ended(&caller.call).await;
    assert_eq!((&ended["disposition"], &ended["transfer"]["is_connected"]), (&json!("transferred"), &json!(true)));
    assert_eq!((caller.vendors.dials(), caller.vendors.conversations()), (0, 1));
}

#[tokio::test]
async fn a_colleague_is_briefed_and_takes_the_call() {
    let caller = Caller::start(&[TARGETS]).await;
    caller.vendors.seat(COLLEAGUE, "answer\nwait for agent to finish\npress 1\nsay Hello.\nwait 2s\nhang up").await;
    let briefing = "A customer asks for a quote.";
    let (status, body) = caller.transfer(&json!({"to": COLLEAGUE, "briefing": briefing})).await;
    assert_eq!(status, 202, "{body}");
    let said = format!("{briefing} Press 1 to take the call.");
    caller.vendors.twilio_saw(&said, |entry| entry.event == "said" && entry.text("text") == Some(&said)).await;
    caller.event("transfer_connected").await;
    assert_eq!(caller.server.api.ended(&caller.call).await["disposition"], "transferred");
}

#[tokio::test]
async fn whoever_does_not_take_the_call_gives_the_caller_back() {
    let briefed = json!({"to": "sales", "briefing": "A customer."});
    for (script, body, reason, why) in [
        ("busy after 100ms", json!({"to": "sales"}), "busy", "the line was busy"),
        ("fail 404", json!({"to": "sales"}), "failed", "could not be put through"),
        ("answer\nwait for agent to finish\npress 2\nsilent", briefed.clone(), "declined", "did not take the call"),
        ("answer\nwait 200ms\nhang up", briefed, "declined", "did not take the call"),
    ] {
        let caller = Caller::start(&[TARGETS]).await;
        caller.vendors.seat(COLLEAGUE, script).await;
        let (status, answer) = caller.transfer(&body).await;
        assert_eq!(status, 202, "{script}: {answer}");
        assert_eq!(caller.event("transfer_failed").await["reason"], reason, "{script}");
        caller.is_back(why).await;
    }
}

#[tokio::test]
async fn a_colleague_who_does_not_answer_gives_the_caller_back() {
    let caller = Caller::start(&[TARGETS, ("TRANSFERS__RING_TIMEOUT_S", "1")]).await;
    caller.vendors.seat(COLLEAGUE, "no answer").await;
    caller.transfer(&json!({"to": "sales"})).await;
    assert_eq!(caller.event("transfer_failed").await["reason"], "no_answer");
    caller.is_back("nobody answered").await;
}

#[tokio::test]
async fn an_outside_number_needs_the_gates_clearance() {
    let caller = Caller::start(&[TARGETS]).await;
    let (status, body) =
        caller.transfer(&json!({"to": OUTSIDE, "purpose": "telemarketing", "briefing": "A lead."})).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("compliance_blocked")), "{body}");
    assert!(!caller.event("transfer_blocked").await["reasons"].as_array().unwrap().is_empty());
    assert_eq!(
        (caller.now().await["state"].clone(), caller.now().await["transfer"].clone()),
        (json!("in_progress"), Value::Null)
    );
    assert_eq!(caller.transfer(&json!({"to": "support"})).await.0, 400);
    assert_eq!(caller.transfer(&json!({"to": "+1"})).await.0, 422);
}

#[tokio::test]
async fn an_outside_number_that_may_be_called_is_an_attempt_on_record() {
    let caller = Caller::start(&[ANY_HOUR]).await;
    caller.vendors.seat(OUTSIDE, "answer\nwait 1s\nhang up").await;
    let (status, body) = caller.transfer(&json!({"to": OUTSIDE, "purpose": "emergency"})).await;
    assert_eq!(status, 202, "{body}");
    let started = caller.event("transfer_started").await;
    assert!(started["decision_id"].is_string() && started["attempt_id"].is_string(), "{started}");
    assert_eq!(caller.server.api.ended(&caller.call).await["disposition"], "transferred");
}

#[tokio::test]
async fn a_transfer_outlives_a_restart() {
    let mut caller = Caller::start(&[TARGETS]).await;
    caller.vendors.seat(COLLEAGUE, "answer\nwait 4s\nhang up").await;
    caller.transfer(&json!({"to": "sales"})).await;
    caller.event("transfer_connected").await;
    caller.server.kill();
    caller.vendors.end_at_carrier(&caller.sid).await;
    caller.server.start_again().await;
    assert_eq!(caller.server.api.ended(&caller.call).await["disposition"], "transferred");
}

#[tokio::test]
async fn an_outside_number_counts_against_the_keys_limits() {
    let caller = Caller::start(&[TARGETS, ANY_HOUR, ("LIMITS__DIALS_PER_MINUTE", "1")]).await;
    caller.vendors.seat(OUTSIDE, "busy after 100ms").await;
    caller.vendors.seat(COLLEAGUE, "busy after 100ms").await;
    let outside = json!({"to": OUTSIDE, "purpose": "emergency"});
    assert_eq!(caller.transfer(&outside).await.0, 202);
    caller.event("transfer_failed").await;
    caller.server.api.conversing(&caller.call, 2).await;
    let store = Store::open(&caller.server.settings().store_url(), &TaskTracker::new()).await.unwrap();
    let leg = store.attempts_of(caller.call.parse().unwrap()).await.unwrap().remove(0);
    assert!(leg.finished_at.is_some(), "the leg is over while the call goes on: {leg:?}");
    let usage = store.usage_of_key("tests", leg.started_at).await.unwrap();
    assert_eq!((usage.last_minute, usage.live), (1, 0));

    let (status, body) = caller.transfer(&outside).await;
    assert_eq!(status, 429, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("limits.dials_per_minute"), "{body}");
    let call = json!({"to": SELLER, "purpose": "emergency"});
    assert_eq!(caller.server.api.post("/api/v1/calls", &call).await.status, 429, "one limit for both");
    assert_eq!(caller.now().await["state"], "in_progress");
    assert_eq!(caller.transfer(&json!({"to": "sales"})).await.0, 202, "a colleague is no dial");
    caller.server.api.conversing(&caller.call, 3).await;
    caller.vendors.end_at_carrier(&caller.sid).await;
}

#[tokio::test]
async fn a_transfer_that_an_agent_begins_is_charged_to_the_key_that_placed_the_call() {
    let vendors = Vendors::start().await;
    let script = format!("agent: Hello.\ntool: transfer_call {{\"to\": \"{OUTSIDE}\"}}");
    let agent = vendors.create_agent(&script).await;
    let own = [
        ("COMPLIANCE__PURPOSES", "informational,emergency"),
        ("AGENTS__DEFAULT", agent.as_str()),
        ("AGENTS__ELEVENLABS__API_KEY", "emulated-api-key"),
        ("LIMITS__CONCURRENT_CALLS", "1"),
    ];
    let server = Server::start(&vendors, &own).await;
    vendors.seat(SELLER, "answer\nsilent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = placed.body["call_id"].as_str().unwrap();
    let answered = server.api.event_of(call, "tool_answered").await;
    assert_eq!(answered["is_error"], true, "{answered}");
    let sid = server.api.get(&format!("/api/v1/calls/{call}")).await.body["call_sid"].as_str().unwrap().to_owned();
    vendors.end_at_carrier(&sid).await;
    let story = server.api.story(call).await;
    let asked = ["transfer_blocked", "transfer_started"];
    assert!(
        !story.iter().any(|event| asked.iter().any(|kind| event["type"] == *kind)),
        "the gate was not asked: {story:?}"
    );
    assert_eq!(vendors.dials(), 1);
}
