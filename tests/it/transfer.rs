//! Transfers: to a colleague and to an outside number, at once and after a briefing, and every way back to the agent.

use serde_json::{Value, json};

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
