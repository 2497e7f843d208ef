//! `kill -9` in the middle of calls: what the journal holds open is taken up again or brought to its end, and nothing is dialled twice.

use serde_json::json;

use super::SELLER;
use super::proxy::Proxy;
use super::server::{Server, Settings};
use super::vendors::Vendors;

/// A server behind a proxy, which keeps its address over restarts as in the world.
pub(super) async fn stage(vendors: &Vendors, own: &[(&str, &str)]) -> (Proxy, Server) {
    let proxy = Proxy::start().await;
    let own: Vec<_> = own.iter().copied().chain([("SERVER__PUBLIC_URL", proxy.base.as_str())]).collect();
    let server = Server::start_with(Settings::new(vendors, &own)).await;
    proxy.lead_to(Some(&server.base));
    vendors.lead_to(&proxy.base).await;
    (proxy, server)
}

/// The server dies; the carrier's requests wait at the proxy.
pub(super) fn kill(proxy: &Proxy, server: &mut Server) {
    proxy.lead_to(None);
    server.kill();
}

#[tokio::test]
async fn an_inbound_call_goes_on_after_a_crash() {
    let vendors = Vendors::start().await;
    let (proxy, mut server) = stage(&vendors, &[]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;

    kill(&proxy, &mut server);
    vendors.twilio_saw("the broken stream", |entry| entry.is("stream_ended", &sid)).await;
    server.start_again().await;
    proxy.lead_to(Some(&server.base));
    server.api.conversing(&call, 2).await;
    assert_eq!(vendors.conversations(), 2);
    assert_eq!(server.api.get(&format!("/api/v1/calls/{call}")).await.body["state"], "in_progress");

    vendors.end_at_carrier(&sid).await;
    assert_eq!(server.api.ended(&call).await["disposition"], "completed");
    assert_eq!((server.api.live().await, vendors.dials()), (0, 0));
    // Both streams ended in the journal, the one that the crash cut off too.
    let story = server.api.story(&call).await;
    let of_streams = story.iter().filter(|event| event.get("stream_sid").is_some());
    let shown: Vec<_> = of_streams.map(|event| event["cause"].as_str().or(event["type"].as_str()).unwrap()).collect();
    assert_eq!(shown, ["stream_started", "server_lost", "stream_started", "carrier_stop"], "{story:?}");
}

#[tokio::test]
async fn an_outbound_call_goes_on_after_a_crash_and_is_not_dialled_again() {
    let vendors = Vendors::start().await;
    let (proxy, mut server) = stage(&vendors, &[("COMPLIANCE__PURPOSES", "emergency")]).await;
    vendors.seat(SELLER, "silent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = placed.body["call_id"].as_str().unwrap().to_owned();
    server.api.conversing(&call, 1).await;
    let dialled = vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await;
    let sid = dialled.about.unwrap();

    kill(&proxy, &mut server);
    vendors.twilio_saw("the broken stream", |entry| entry.is("stream_ended", &sid)).await;
    server.start_again().await;
    proxy.lead_to(Some(&server.base));
    server.api.conversing(&call, 2).await;

    vendors.end_at_carrier(&sid).await;
    assert_eq!(server.api.ended(&call).await["disposition"], "completed");
    assert_eq!((server.api.live().await, vendors.dials()), (0, 1));
}

#[tokio::test]
async fn a_call_to_which_the_carrier_does_not_come_back_ends() {
    let vendors = Vendors::start().await;
    let (proxy, mut server) = stage(&vendors, &[("CALLS__RESUME_WAIT_S", "1")]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;

    // The carrier's requests never get through again.
    kill(&proxy, &mut server);
    server.start_again().await;
    // Failed where the carrier still held it at the restart; where it had given up before, its own word counts.
    let disposition = server.api.ended(&call).await["disposition"].clone();
    assert!(disposition == "failed" || disposition == "completed", "{disposition}");
    vendors.call_ended(&sid).await;
    assert_eq!((server.api.live().await, vendors.dials()), (0, 0));
}

#[tokio::test]
async fn a_dial_that_the_carrier_took_and_a_crash_cut_off_goes_on_and_is_not_repeated() {
    let vendors = Vendors::start().await;
    let (proxy, mut server) = stage(&vendors, &[("COMPLIANCE__PURPOSES", "emergency")]).await;
    // The carrier makes the call a moment later, and nobody is there to hear its answer.
    vendors.break_twilio(json!({"lose_create_answers": 1})).await;
    vendors.seat(SELLER, "answer after 2s\nsilent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    let call = placed.body["call_id"].as_str().unwrap().to_owned();
    let sid = vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await.about.unwrap();
    kill(&proxy, &mut server);
    server.start_again().await;
    proxy.lead_to(Some(&server.base));
    server.api.conversing(&call, 1).await;
    vendors.end_at_carrier(&sid).await;
    assert_eq!(server.api.ended(&call).await["disposition"], "completed");
    assert_eq!((server.api.live().await, vendors.dials()), (0, 1));
    let accepted = server.api.story(&call).await.iter().filter(|event| event["type"] == "carrier_accepted").count();
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn a_dial_that_a_crash_kept_from_the_carrier_is_not_made_up_for() {
    let vendors = Vendors::start().await;
    let (proxy, mut server) = stage(&vendors, &[("COMPLIANCE__PURPOSES", "emergency")]).await;
    // The request dies with the server before the carrier has made a call of it.
    vendors.break_twilio(json!({"delay_creates_ms": 60_000})).await;
    vendors.seat(SELLER, "silent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = placed.body["call_id"].as_str().unwrap().to_owned();
    server.api.event("the attempt in the journal", |entry| entry["event"]["type"] == "dialing").await;
    kill(&proxy, &mut server);
    vendors.break_twilio(json!({})).await;
    server.start_again().await;
    proxy.lead_to(Some(&server.base));
    // The carrier is asked four times within half a minute before it is believed that it has no such call.
    let ended = server.api.ended(&call).await;
    assert_eq!((&ended["disposition"], &ended["call_sid"]), (&json!("failed"), &json!(null)), "{ended}");
    assert_eq!((server.api.live().await, vendors.dials()), (0, 0));
    // Nothing rang, so the number is free again.
    let again = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(again.status, 202, "{}", again.body);
}

#[tokio::test]
async fn a_call_that_goes_on_after_a_crash_keeps_its_place_among_those_at_once() {
    let vendors = Vendors::start().await;
    let own = [("COMPLIANCE__PURPOSES", "emergency"), ("CARRIER__TWILIO__MAX_CONCURRENT", "1")];
    let (proxy, mut server) = stage(&vendors, &own).await;
    let other = "+12125550114";
    vendors.seat(SELLER, "silent").await;
    vendors.seat(other, "hang up").await;
    let first = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    let first = first.body["call_id"].as_str().unwrap().to_owned();
    server.api.conversing(&first, 1).await;
    let sid = vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await.about.unwrap();

    kill(&proxy, &mut server);
    server.start_again().await;
    proxy.lead_to(Some(&server.base));
    let second = server.api.post("/api/v1/calls", &json!({"to": other, "purpose": "emergency"})).await;
    let second = second.body["call_id"].as_str().unwrap().to_owned();
    let queued = |entry: &serde_json::Value| entry["call_id"] == second.as_str() && entry["event"]["type"] == "queued";
    server.api.event("the second call in the queue", queued).await;
    server.api.conversing(&first, 2).await;
    assert_eq!(vendors.dials(), 1, "the first call still has the only place");

    vendors.end_at_carrier(&sid).await;
    assert_eq!(server.api.ended(&second).await["disposition"], "completed");
    assert_eq!(vendors.dials(), 2);
}
