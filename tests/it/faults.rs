//! What goes wrong at the vendors: agents that refuse or say nothing, sockets that vanish, answers that get lost.

use serde_json::json;

use super::server::Server;
use super::vendors::Vendors;
use super::{APOLOGY, SELLER};

/// Calls may be placed at any hour for this purpose.
const ANY_HOUR: (&str, &str) = ("COMPLIANCE__PURPOSES", "emergency");

/// A caller meets an agent that does this: the caller is told, and the call ends as the agent's failure.
async fn caller_is_told(faults: serde_json::Value, own: &[(&str, &str)]) {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, own).await;
    vendors.break_agents(faults).await;
    let sid = vendors.ring("silent").await;
    vendors.said(&sid, APOLOGY).await;
    vendors.call_ended(&sid).await;
    let call = server.api.ended(&server.api.call_of(&sid).await).await;
    assert_eq!(call["disposition"], "agent_failed", "{call}");
    assert_eq!(server.api.live().await, 0);
}

#[tokio::test]
async fn an_agent_that_refuses_is_regretted() {
    caller_is_told(json!({"refuse_by_close": 100}), &[]).await;
}

#[tokio::test]
async fn an_agent_that_is_unavailable_for_good_is_regretted() {
    caller_is_told(json!({"refuse_upgrades": 100}), &[]).await;
}

#[tokio::test]
async fn an_agent_that_never_answers_is_regretted() {
    caller_is_told(json!({"slow_metadata_ms": 60_000}), &[("CALLS__AGENT_READY_S", "1")]).await;
}

#[tokio::test]
async fn an_agent_that_vanishes_in_mid_conversation_is_regretted() {
    caller_is_told(json!({"drop_after_ms": 500}), &[]).await;
}

#[tokio::test]
async fn an_agent_that_falls_silent_in_mid_conversation_is_regretted_and_the_journal_says_so() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[("CALLS__AGENT_SILENCE_S", "2")]).await;
    // No audio, no text, not even a ping; the socket stays open.
    vendors.break_agents(json!({"go_silent_after_ms": 1_000})).await;
    let sid = vendors.ring("silent").await;
    vendors.said(&sid, APOLOGY).await;
    vendors.call_ended(&sid).await;
    let call = server.api.call_of(&sid).await;
    let story = server.api.story(&call).await;
    let ended = story.iter().find(|event| event["type"] == "stream_ended").unwrap();
    assert_eq!(ended["cause"], "agent_failed", "{story:?}");
    let order: Vec<_> = story.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let place = |kind| order.iter().position(|of| *of == kind);
    assert!(place("agent_connected") < place("agent_lost") && place("agent_lost") < place("stream_ended"), "{order:?}");
    assert!(story.iter().any(|event| event["type"] == "hang_up_requested" && event["disposition"] == "agent_failed"));
    assert_eq!(story.last().unwrap()["disposition"], "agent_failed");
    assert_eq!(server.api.live().await, 0);
}

#[tokio::test]
async fn an_agent_that_is_unavailable_for_a_moment_is_tried_again() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    vendors.break_agents(json!({"refuse_upgrades": 1})).await;
    let sid = vendors.ring("silent").await;
    vendors.agent_answered().await;
    vendors.end_at_carrier(&sid).await;
    assert_eq!(server.api.ended(&server.api.call_of(&sid).await).await["disposition"], "completed");
}

#[tokio::test]
async fn a_stream_that_vanishes_without_a_word_is_taken_up_again() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    vendors.break_twilio(json!({"drop_media_after_ms": 500})).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 2).await;
    vendors.end_at_carrier(&sid).await;
    assert_eq!(server.api.ended(&call).await["disposition"], "completed");
    assert_eq!((vendors.conversations(), server.api.live().await), (2, 0));
}

#[tokio::test]
async fn a_dial_whose_answer_is_lost_goes_on_and_is_not_repeated() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[ANY_HOUR]).await;
    vendors.break_twilio(json!({"lose_create_answers": 1})).await;
    vendors.seat(SELLER, "silent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = placed.body["call_id"].as_str().unwrap();
    server.api.conversing(call, 1).await;
    // The call is on; only now does our own request to dial give up.
    let doubt = |entry: &serde_json::Value| entry["event"]["type"] == "carrier_uncertain";
    server.api.event("the doubt about the dial", doubt).await;
    assert_eq!(server.api.get(&format!("/api/v1/calls/{call}")).await.body["state"], "in_progress");

    let sid = vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await.about.unwrap();
    vendors.end_at_carrier(&sid).await;
    let ended = server.api.ended(call).await;
    assert_eq!((&ended["disposition"], &ended["call_sid"]), (&json!("completed"), &json!(sid)), "{ended}");
    assert_eq!((vendors.dials(), server.api.live().await), (1, 0));
}

#[tokio::test]
async fn a_dial_of_which_nothing_is_heard_is_found_at_the_carrier_and_ended_as_asked() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[ANY_HOUR]).await;
    // No answer to the request, and no word of the call while it rings.
    vendors.break_twilio(json!({"lose_create_answers": 1, "delay_callbacks_ms": 50_000})).await;
    vendors.seat(SELLER, "answer after 45s\nsilent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = placed.body["call_id"].as_str().unwrap();
    let sid = vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await.about.unwrap();
    // The carrier cannot be told yet: we do not know what it calls the call.
    assert_eq!(server.api.post(&format!("/api/v1/calls/{call}/end"), &json!({})).await.status, 202);
    let mut order = Vec::new();
    server
        .api
        .event("the call found at the carrier", |entry| {
            let kind = entry["event"]["type"].as_str().unwrap();
            if ["hang_up_requested", "carrier_uncertain", "carrier_accepted"].contains(&kind) {
                order.push(kind.to_owned());
            }
            kind == "carrier_accepted"
        })
        .await;
    assert_eq!(order, ["hang_up_requested", "carrier_uncertain", "carrier_accepted"]);
    let hung_up = |entry: &clearline::emulators::Entry| entry.is("call_updated", &sid);
    vendors.twilio_saw("the end of the call that was found", hung_up).await;
    assert_eq!((vendors.dials(), vendors.conversations()), (1, 0));
}

#[tokio::test]
async fn a_call_that_was_to_end_before_anything_was_heard_of_it_meets_no_agent() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[ANY_HOUR]).await;
    vendors.break_twilio(json!({"lose_create_answers": 1, "delay_callbacks_ms": 50_000})).await;
    vendors.seat(SELLER, "answer after 5s\nsilent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = placed.body["call_id"].as_str().unwrap();
    let sid = vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await.about.unwrap();
    assert_eq!(server.api.post(&format!("/api/v1/calls/{call}/end"), &json!({})).await.status, 202);
    vendors.call_ended(&sid).await;
    assert_eq!((vendors.dials(), vendors.conversations()), (1, 0));
}
