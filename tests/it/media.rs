//! The media socket's guards: who may open one, which stream gets in, and what it may say.

use futures_util::future::join_all;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::carrier::{Stream, call_in};
use super::server::Server;
use super::vendors::Vendors;

const SID: &str = "CA00000000000000000000000000000001";

/// WebSocket close code: policy violation.
const POLICY: u16 = 1008;

#[tokio::test]
async fn an_upgrade_that_twilio_did_not_sign_is_forbidden() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(Stream::refusal(&server.base, None).await, 403);
    assert_eq!(Stream::refusal(&server.base, Some(wrong)).await, 403);
}

#[tokio::test]
async fn a_stream_gets_in_with_its_own_token_once() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let mut of_nobody = Stream::open(&server.base).await;
    of_nobody.start(SID, json!({"token": "guess"})).await;
    assert_eq!(of_nobody.close_code().await, Some(POLICY));
    assert!(vendors.elevenlabs.log().since(0).is_empty(), "an agent was asked for a call that does not exist");

    let token = call_in(&server.base, SID).await;
    let other = call_in(&server.base, "CA00000000000000000000000000000002").await;
    assert_ne!(token, other);
    for parameters in [json!({}), json!({"token": ""}), json!({"token": "guess"}), json!({"token": other})] {
        let mut stream = Stream::open(&server.base).await;
        stream.start(SID, parameters.clone()).await;
        assert_eq!(stream.close_code().await, Some(POLICY), "{parameters}");
    }
    assert_eq!(vendors.conversations(), 0);

    let mut stream = Stream::open(&server.base).await;
    stream.start(SID, json!({"token": token})).await;
    vendors.agent_answered().await;
    let mut replay = Stream::open(&server.base).await;
    replay.start(SID, json!({"token": token})).await;
    assert_eq!(replay.close_code().await, Some(POLICY), "the token was used");
    // The first stream is none the worse for it.
    stream.frame(&[0x17; 160]).await;
    assert_eq!(stream.hear(160).await, [0x17; 160]);
    assert_eq!(vendors.conversations(), 1);
}

#[tokio::test]
async fn what_is_no_message_of_a_stream_does_no_harm_to_it() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let token = call_in(&server.base, SID).await;
    let mut stream = Stream::open(&server.base).await;
    stream.send(Message::binary(vec![0, 1, 2])).await;
    stream.start(SID, json!({"token": token})).await;
    vendors.agent_answered().await;
    stream.send(Message::binary(vec![0, 1, 2])).await;
    stream.send(Message::text("{\"event\": this is not JSON")).await;
    stream.say(&json!({"event": "something_new", "streamSid": "MZ1"})).await;
    stream.frame(&[0x2A; 160]).await;
    assert_eq!(stream.hear(160).await, [0x2A; 160]);
    stream.say(&json!({"event": "stop", "stop": {"accountSid": "AC1", "callSid": SID}})).await;
    let call = server.api.call_of(SID).await;
    let ended =
        |entry: &serde_json::Value| entry["call_id"] == call.as_str() && entry["event"]["type"] == "stream_ended";
    let ended = server.api.event("the stream's end", ended).await;
    assert_eq!(ended["event"]["cause"], "carrier_stop");
    let counters = &ended["event"]["counters"];
    assert_eq!((&counters["malformed_messages"], &counters["unknown_messages"]), (&json!(2), &json!(1)), "{counters}");
}

#[tokio::test]
async fn a_message_that_is_far_too_large_ends_the_socket_and_not_the_server() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let token = call_in(&server.base, SID).await;
    let mut stream = Stream::open(&server.base).await;
    stream.start(SID, json!({"token": token})).await;
    vendors.agent_answered().await;
    stream.send(Message::text("x".repeat(65 * 1024))).await;
    stream.close_code().await;
    let call = server.api.call_of(SID).await;
    let ended =
        |entry: &serde_json::Value| entry["call_id"] == call.as_str() && entry["event"]["type"] == "stream_ended";
    let ended = server.api.event("the stream's end", ended).await;
    assert_eq!(ended["event"]["cause"], "carrier_fault");
    assert_eq!(server.api.get("/ready").await.status, 200);
}

#[tokio::test]
async fn a_socket_that_says_no_start_is_closed() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[("MEDIA__START_DEADLINE_S", "1")]).await;
    let mut silent = Stream::open(&server.base).await;
    let mut chatty = Stream::open(&server.base).await;
    chatty.say(&json!({"event": "connected", "protocol": "Call", "version": "1.0.0"})).await;
    chatty.frame(&[0; 160]).await;
    let codes = join_all([silent.close_code(), chatty.close_code()]).await;
    assert_eq!(codes, [Some(POLICY), Some(POLICY)]);
}

#[tokio::test]
async fn a_full_server_refuses_further_sockets() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[("SERVER__MAX_MEDIA_SOCKETS", "1")]).await;
    let _place = Stream::open(&server.base).await;
    let url = format!("{}/media", server.base.replacen("http", "ws", 1));
    assert_eq!(Stream::refusal(&server.base, Some(&super::carrier::signature_of(&url))).await, 503);
}
