//! Machines that pick up: the agent is held back, and the machine is hung up on or left a message that says what the law asks for.

use serde_json::{Value, json};

use super::server::{Server, Settings};
use super::vendors::Vendors;
use super::{SELLER, soon};

const PURPOSES: (&str, &str) = ("COMPLIANCE__PURPOSES", "emergency");

/// The detection takes so much longer in the rows about a late one. The agent is held back for less.
const LATE_MS: u64 = 3_000;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The agent talks to whoever it is, until they hang up.
    Agent,
    /// Hung up on, and the agent said nothing.
    HungUpOn,
    /// Left the message, and the agent said nothing.
    Message,
    /// The agent talked until it was known what it talked to.
    AgentThenHungUpOn,
    AgentThenMessage,
}

async fn place(server: &Server, on_machine: Value) -> String {
    place_to(server, SELLER, on_machine).await
}

async fn place_to(server: &Server, to: &str, on_machine: Value) -> String {
    let body = json!({"to": to, "purpose": "emergency", "on_machine": on_machine});
    let placed = server.api.post("/api/v1/calls", &body).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    placed.body["call_id"].as_str().unwrap().to_owned()
}

/// Who picked up according to the carrier, and what then becomes of a call that was placed to release, to hang up, or to leave a message.
const TABLE: [(&str, [Fate; 3]); 7] = [
    ("human", [Fate::Agent, Fate::Agent, Fate::Agent]),
    // Better a few words to a machine than silence to a person.
    ("unknown", [Fate::Agent, Fate::Agent, Fate::Agent]),
    ("machine_start", [Fate::Agent, Fate::HungUpOn, Fate::Message]),
    ("machine_end_beep", [Fate::Agent, Fate::HungUpOn, Fate::Message]),
    ("machine_end_silence", [Fate::Agent, Fate::HungUpOn, Fate::Message]),
    ("machine_end_other", [Fate::Agent, Fate::HungUpOn, Fate::Message]),
    // It does not listen.
    ("fax", [Fate::Agent, Fate::HungUpOn, Fate::HungUpOn]),
];

const PLANS: [&str; 3] = ["release", "hang_up", "message"];

fn plan(name: &str) -> Value {
    match name {
        "message" => json!({"do": name, "text": "Your street is closed today."}),
        _ => json!({"do": name}),
    }
}

/// Nobody is called twice.
fn numbers() -> impl Iterator<Item = String> {
    (20..80).map(|n| format!("+121255501{n}"))
}

#[tokio::test]
async fn each_answer_of_the_detection_has_its_consequence_under_each_plan() {
    let vendors = Vendors::start().await;
    // Longer than anybody waits: only the detection lets the agent go.
    let server = Server::start(&vendors, &[PURPOSES, ("CALLS__MACHINE_WAIT_MS", "600000")]).await;
    let mut numbers = numbers();
    for (answered_by, fates) in TABLE {
        vendors.break_twilio(json!({"answered_by": answered_by})).await;
        for (name, fate) in PLANS.into_iter().zip(fates) {
            let to = numbers.next().unwrap();
            assert_eq!(fate_of((&vendors, &server), &to, name, fate).await, fate, "{answered_by}, {name}");
        }
    }
    server.nothing_is_open().await;
}

#[tokio::test]
async fn an_answer_that_comes_late_finds_the_agent_talking() {
    use Fate::{Agent, AgentThenHungUpOn, AgentThenMessage};
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[PURPOSES, ("CALLS__MACHINE_WAIT_MS", "300")]).await;
    let mut numbers = numbers();
    for (answered_by, fates) in [
        ("human", [Agent, Agent, Agent]),
        ("machine_start", [Agent, AgentThenHungUpOn, AgentThenMessage]),
        ("fax", [Agent, AgentThenHungUpOn, AgentThenHungUpOn]),
    ] {
        vendors.break_twilio(json!({"answered_by": answered_by, "delay_detection_ms": LATE_MS})).await;
        for (name, fate) in PLANS.into_iter().zip(fates) {
            let to = numbers.next().unwrap();
            assert_eq!(fate_of((&vendors, &server), &to, name, fate).await, fate, "{answered_by}, {name}");
        }
    }
}

/// Places a call and sees what becomes of it. Where the agent is to talk to its end, the other side hangs up.
async fn fate_of((vendors, server): (&Vendors, &Server), to: &str, name: &str, expected: Fate) -> Fate {
    vendors.seat(to, "answer\nsilent").await;
    let call = place_to(server, to, plan(name)).await;
    let answered_by = server.api.event_of(&call, "answered_by").await["answered_by"].clone();
    let path = format!("/api/v1/calls/{call}");
    if expected == Fate::Agent {
        server.api.conversing(&call, 1).await;
        let sid = server.api.get(&path).await.body["call_sid"].as_str().unwrap().to_owned();
        vendors.end_at_carrier(&sid).await;
    }
    let story = server.api.story(&call).await;
    let ended = server.api.get(&path).await.body;
    let of = |kind: &str| story.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    let (talked, left) = (!of("agent_connected").is_empty(), of("message_left"));
    assert!(left.len() <= 1 && of("message_withheld").is_empty(), "{answered_by}, {name}: {story:?}");
    if let [left] = left.as_slice() {
        let text = left["text"].as_str().unwrap();
        // Who calls comes first; and the machine hears all of it.
        assert!(text.starts_with("Hello, this is an AI assistant calling for Riverside Homes"), "{text}");
        assert!(text.contains("Your street is closed today."), "{text}");
        vendors.said(ended["call_sid"].as_str().unwrap(), text).await;
    }
    match (ended["disposition"].as_str().unwrap(), talked, left.is_empty()) {
        ("completed", true, true) => Fate::Agent,
        ("machine", false, true) => Fate::HungUpOn,
        ("machine", false, false) => Fate::Message,
        ("machine", true, true) => Fate::AgentThenHungUpOn,
        ("machine", true, false) => Fate::AgentThenMessage,
        other => panic!("{answered_by}, {name}: {other:?}, {story:?}"),
    }
}

#[tokio::test]
async fn the_number_that_takes_opt_outs_stands_at_the_end_of_the_message() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[PURPOSES, ("SELLER__OPT_OUT_NUMBER", "+18005550113")]).await;
    vendors.seat(SELLER, "machine\nsilent").await;
    let call = place(&server, plan("message")).await;
    let left = server.api.event_of(&call, "message_left").await["text"].as_str().unwrap().to_owned();
    assert!(left.ends_with("To stop these calls, call us free of charge at 8 0 0, 5 5 5, 0 1 1 3."), "{left}");
    assert_eq!(server.api.ended(&call).await["disposition"], "machine");
}

#[tokio::test]
async fn a_message_that_is_not_set_is_found_at_the_start() {
    let vendors = Vendors::start().await;
    let settings = Settings::new(&vendors, &[("CARRIER__TWILIO__MACHINE_DETECTION", "message")]);
    let refused = settings.run(&["config"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("carrier.twilio.voicemail"), "{said}");
}

#[tokio::test]
async fn the_agent_of_a_silent_line_is_let_go_at_the_limit() {
    let vendors = Vendors::start().await;
    vendors.break_twilio(json!({"delay_callbacks_ms": 50_000})).await;
    let server = Server::start(&vendors, &[PURPOSES, ("CALLS__MACHINE_WAIT_MS", "300")]).await;
    vendors.seat(SELLER, "answer\nsilent").await;
    let call = place(&server, json!({"do": "hang_up"})).await;
    soon("the agent", server.api.conversing(&call, 1)).await;
}
