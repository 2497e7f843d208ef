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

#[tokio::test]
async fn a_call_that_the_carrier_keeps_queued_is_withdrawn_at_its_expiry_and_rings_nobody() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[ANY_HOUR, ("CARRIER__TWILIO__QUEUE_LIMIT_S", "2")]).await;
    vendors.break_twilio(json!({"hold_queued_ms": 50_000})).await;
    vendors.seat(SELLER, "silent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = server.api.ended(placed.body["call_id"].as_str().unwrap()).await;
    assert_eq!(call["disposition"], "expired", "{call}");
    let sid = call["call_sid"].as_str().unwrap();
    let withdrawn = |entry: &clearline::emulators::Entry| entry.is("call_updated", sid);
    assert_eq!(vendors.twilio_saw("the withdrawal", withdrawn).await.text("status"), Some("canceled"));
    let canceled =
        |entry: &clearline::emulators::Entry| entry.is("status", sid) && entry.text("status") == Some("canceled");
    vendors.twilio_saw("the end of the queued call", canceled).await;
    let log = vendors.twilio.log().since(0);
    assert!(!log.iter().any(|entry| entry.is("status", sid) && entry.text("status") == Some("ringing")));
    // Its number is free for the next call, which is dialled at once and outlives the limit.
    vendors.break_twilio(json!({})).await;
    vendors.seat(SELLER, "silent for 4s\nhang up").await;
    let next = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(next.status, 202, "{}", next.body);
    assert_eq!(server.api.ended(next.body["call_id"].as_str().unwrap()).await["disposition"], "completed");
    assert_eq!(server.api.live().await, 0);
}

#[tokio::test]
async fn a_machine_that_picks_up_is_hung_up_on_and_the_recording_is_noted() {
    let vendors = Vendors::start().await;
    let own = [ANY_HOUR, ("CARRIER__TWILIO__MACHINE_DETECTION", "hang_up"), ("CARRIER__TWILIO__RECORD", "true")];
    let server = Server::start(&vendors, &own).await;
    vendors.break_twilio(json!({"duplicate_callbacks": true})).await;
    vendors.seat(SELLER, "machine\nsilent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    let call = placed.body["call_id"].as_str().unwrap();
    let story = server.api.story(call).await;
    let detected: Vec<_> = story.iter().filter(|event| event["type"] == "answered_by").collect();
    assert_eq!(detected.len(), 1, "{story:?}");
    assert_eq!(detected[0]["answered_by"], "machine_start");
    assert_eq!(story.last().unwrap()["disposition"], "machine");
    // Comes after the end.
    server.api.event("the recording", |entry| entry["event"]["type"] == "recording_stored").await;
    let shown = server.api.get(&format!("/api/v1/calls/{call}")).await.body;
    assert_eq!(shown["answered_by"], "machine_start");
    assert_eq!(shown["recordings"].as_array().unwrap().len(), 1, "{shown}");
}

#[tokio::test]
async fn an_agent_that_does_not_exist_is_regretted() {
    let own = [("AGENTS__DEFAULT", "elevenlabs:agent_of_nobody")];
    caller_is_told(json!({}), &own).await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_at_any_moment_ends_the_call_once_and_leaves_nothing_open() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[("AGENTS__DEFAULT", "elevenlabs:agent_reception")]).await;
    for (moment, faults, script) in [
        ("before anything", json!({}), "hang up"),
        ("while the agent is being reached", json!({"slow_metadata_ms": 2_000}), "wait for stream\nhang up"),
        ("while the agent speaks", json!({}), "wait for agent to speak\nhang up"),
        ("in the conversation", json!({}), "wait for stream\nsilent for 500ms\nhang up"),
    ] {
        vendors.break_agents(faults).await;
        let sid = vendors.ring(script).await;
        let call = server.api.call_of(&sid).await;
        let story = server.api.story(&call).await;
        let count = |kind: &str| story.iter().filter(|event| event["type"] == kind).count();
        assert_eq!((count("stream_started"), count("ended")), (count("stream_ended"), 1), "{moment}: {story:?}");
        let disposition = story.last().unwrap()["disposition"].as_str().unwrap();
        assert!(["completed", "canceled"].contains(&disposition), "{moment}: {disposition}");
    }
    server.nothing_is_open().await;
}
