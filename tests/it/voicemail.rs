//! Machines that pick up: the agent is held back, and the machine is hung up on or left a message that says what the law asks for.

use serde_json::{Value, json};

use super::server::{Server, Settings};
use super::vendors::Vendors;
use super::{SELLER, soon};

const PURPOSES: (&str, &str) = ("COMPLIANCE__PURPOSES", "emergency");

async fn place(server: &Server, on_machine: Value) -> String {
    let body = json!({"to": SELLER, "purpose": "emergency", "on_machine": on_machine});
    let placed = server.api.post("/api/v1/calls", &body).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    placed.body["call_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_machine_is_left_the_message_of_the_call() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[PURPOSES]).await;
    vendors.seat(SELLER, "machine\nsilent").await;
    let call = place(&server, json!({"do": "message", "text": "Your street is closed today."})).await;
    let ended = server.api.ended(&call).await;
    assert_eq!(
        (&ended["disposition"], &ended["answered_by"]),
        (&json!("machine"), &json!("machine_end_beep")),
        "{ended}"
    );
    let left = server.api.event_of(&call, "message_left").await["text"].as_str().unwrap().to_owned();
    assert!(left.starts_with("Hello, this is an AI assistant calling for Riverside Homes"), "{left}");
    assert!(left.contains("Your street is closed today."), "{left}");
    vendors.said(ended["call_sid"].as_str().unwrap(), &left).await;
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
async fn a_person_gets_the_agent_as_soon_as_it_is_known_that_they_are_one() {
    let vendors = Vendors::start().await;
    // Longer than anybody waits: only the detection lets the agent go.
    let server = Server::start(&vendors, &[PURPOSES, ("CALLS__MACHINE_WAIT_MS", "600000")]).await;
    vendors.seat(SELLER, "answer\nsilent").await;
    let call = place(&server, json!({"do": "hang_up"})).await;
    server.api.conversing(&call, 1).await;
    let sid = server.api.get(&format!("/api/v1/calls/{call}")).await.body["call_sid"].as_str().unwrap().to_owned();
    vendors.end_at_carrier(&sid).await;
    assert_eq!(server.api.ended(&call).await["disposition"], "completed");
}

#[tokio::test]
async fn a_machine_is_hung_up_on_before_the_agent_says_a_word() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[PURPOSES, ("CALLS__MACHINE_WAIT_MS", "600000")]).await;
    vendors.seat(SELLER, "machine\nsilent").await;
    let call = place(&server, json!({"do": "hang_up"})).await;
    assert_eq!(server.api.ended(&call).await["disposition"], "machine");
    assert_eq!(vendors.conversations(), 0);
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
