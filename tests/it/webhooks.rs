//! Twilio's webhooks: forged ones are refused, repeated and disordered ones change nothing.

use futures_util::future::join_all;
use serde_json::json;

use super::carrier::{Stream, inbound, post, post_as, post_signed};
use super::proxy::Proxy;
use super::server::{Server, Settings};
use super::vendors::Vendors;
use super::{ACCOUNT, AUTH_TOKEN};

const SID: &str = "CA00000000000000000000000000000001";

#[tokio::test]
async fn a_wrong_signature_is_refused_with_the_url_it_was_checked_for_and_no_secret() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let routes = [
        "voice",
        "voice/call_1",
        "resume",
        "resume/call_1",
        "status-callback",
        "recording-callback",
        "amd-callback",
        "stream-callback",
        "conversation-relay",
    ];
    for route in routes {
        let path = format!("/webhooks/{route}");
        let (status, text) = post_signed("another token", &server.base, &path, &inbound(SID)).await;
        assert_eq!(status, 403, "{route}: {text}");
        assert!(text.contains(&format!("{}{path}", server.base)), "{route}: {text}");
        assert!(!text.contains(AUTH_TOKEN), "{route}: {text}");
    }
    assert_eq!(server.api.get("/api/v1/calls").await.body["calls"], json!([]));
    assert!(vendors.elevenlabs.log().since(0).is_empty());
}

#[tokio::test]
async fn a_repeated_voice_webhook_gets_the_very_same_document_and_makes_one_call() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let form = inbound(SID);
    // Two at once, and one more later.
    let (first, second) =
        tokio::join!(post(&server.base, "/webhooks/voice", &form), post(&server.base, "/webhooks/voice", &form));
    let third = post(&server.base, "/webhooks/voice", &form).await;
    assert!(first.0 == 200 && first.1.contains("<Stream"), "{first:?}");
    assert_eq!(first, second);
    assert_eq!(first, third);
    server.api.call_of(SID).await;
    let calls = server.api.get("/api/v1/calls").await.body;
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1, "{calls}");
}

#[tokio::test]
async fn a_replay_by_the_carrier_reaches_one_call_with_one_conversation() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    vendors.break_twilio(json!({"replay_voice_webhooks": 1})).await;
    let sid = vendors.ring("silent").await;
    let replayed = vendors.twilio_saw("the replay", |entry| entry.is("voice_webhook_replayed", &sid)).await;
    assert_eq!(replayed.detail["same_document"], true);
    vendors.agent_answered().await;
    vendors.end_at_carrier(&sid).await;
    let call = server.api.call_of(&sid).await;
    assert_eq!(server.api.ended(&call).await["disposition"], "completed");
    assert_eq!(vendors.conversations(), 1);
}

#[tokio::test]
async fn repeated_and_disordered_status_callbacks_give_one_end() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[("COMPLIANCE__PURPOSES", "emergency")]).await;
    vendors.break_twilio(json!({"duplicate_callbacks": true, "reorder_callbacks": true})).await;
    vendors.seat(super::SELLER, "silent for 1s\nhang up").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": super::SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = placed.body["call_id"].as_str().unwrap();
    assert_eq!(server.api.ended(call).await["disposition"], "completed");
    // By hand: late ones, after the end and with the oldest status.
    let sid = server.api.get(&format!("/api/v1/calls/{call}")).await.body["call_sid"].as_str().unwrap().to_owned();
    for status in ["completed", "ringing", "in-progress", "completed", "failed"] {
        let form = [("AccountSid", ACCOUNT), ("CallSid", sid.as_str()), ("CallStatus", status)];
        let (code, text) = post(&server.base, &format!("/webhooks/status-callback/{call}"), &form).await;
        assert_eq!(code, 204, "{status}: {text}");
    }
    // A second call behind it: what the journal holds up to its end is complete.
    let other = vendors.ring("hang up").await;
    let other = server.api.call_of(&other).await;
    let (mut ends, mut statuses) = (0, Vec::new());
    server
        .api
        .event("the end of the second call", |entry| {
            let of_first = entry["call_id"] == call;
            ends += usize::from(of_first && entry["event"]["type"] == "ended");
            if of_first && entry["event"]["type"] == "carrier_status" {
                statuses.push(entry["event"]["status"].as_str().unwrap().to_owned());
            }
            entry["call_id"] == other.as_str() && entry["event"]["type"] == "ended"
        })
        .await;
    assert_eq!(ends, 1);
    let known = ["initiated", "ringing", "in-progress", "completed"];
    let ranks: Vec<_> = statuses.iter().map(|status| known.iter().position(|word| word == status).unwrap()).collect();
    assert!(ranks.is_sorted_by(|one, next| one < next), "the record only moves forward: {statuses:?}");
    assert_eq!(vendors.dials(), 1);
}

#[tokio::test]
async fn a_call_that_nobody_knows_is_hung_up() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    for path in ["/webhooks/voice/call_00000000000000000000000000000001", "/webhooks/voice/x", "/webhooks/resume/x"] {
        let (status, document) = post(&server.base, path, &inbound(SID)).await;
        assert_eq!(status, 200, "{path}");
        assert!(document.contains("<Hangup/>") && !document.contains("<Stream"), "{path}: {document}");
    }
    let form = [("AccountSid", ACCOUNT), ("CallSid", SID), ("CallStatus", "completed")];
    assert_eq!(post(&server.base, "/webhooks/status-callback", &form).await, (204, String::new()));
}

#[tokio::test]
async fn a_call_that_nobody_takes_is_rejected_once_however_often_its_webhook_comes() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[("AGENTS__DEFAULT", "")]).await;
    let form = inbound(SID);
    let mut answers = join_all((0..6).map(|_| post(&server.base, "/webhooks/voice", &form))).await;
    answers.push(post(&server.base, "/webhooks/voice", &form).await);
    for (status, document) in &answers {
        assert!(*status == 200 && document.contains("<Reject"), "{status} {document}");
    }
    let calls = server.api.get("/api/v1/calls").await.body;
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1, "{calls}");
    assert_eq!(calls["calls"][0]["disposition"], "rejected");
}

#[tokio::test]
async fn what_callbacks_say_is_written_down_once_however_often_they_come() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    let form =
        [("AccountSid", ACCOUNT), ("CallSid", &sid), ("AnsweredBy", "human"), ("MachineDetectionDuration", "900")];
    let status = [("AccountSid", ACCOUNT), ("CallSid", &sid), ("CallStatus", "in-progress")];
    // At once, without tokens.
    let (detections, statuses) = tokio::join!(
        join_all((0..8).map(|_| post(&server.base, "/webhooks/amd-callback", &form))),
        join_all((0..8).map(|_| post(&server.base, "/webhooks/status-callback", &status))),
    );
    assert!(detections.iter().chain(&statuses).all(|answer| answer.0 == 204));
    vendors.end_at_carrier(&sid).await;
    let story = server.api.story(&call).await;
    let count = |kind: &str| story.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((count("answered_by"), count("carrier_accepted")), (1, 1), "{story:?}");
    let in_progress = story.iter().filter(|event| event["status"] == "in-progress").count();
    assert_eq!(in_progress, 1, "{story:?}");
}

/// What the server logs of a delivery that it has done with.
const AGAIN: &str = "a callback came again that was done with";

#[tokio::test]
async fn a_delivery_that_was_done_with_is_not_looked_at_again_and_one_that_failed_is() {
    let vendors = Vendors::start().await;
    let proxy = Proxy::start().await;
    let own = [("LOG__LEVEL", "debug"), ("SERVER__PUBLIC_URL", proxy.base.as_str())];
    let mut server = Server::start_with(Settings::new(&vendors, &own)).await;
    proxy.lead_to(Some(&server.base));
    let form = [("AccountSid", ACCOUNT), ("CallSid", SID), ("CallStatus", "completed")];
    let deliver = async |delivery, form: &[(&str, &str)]| {
        post_as(delivery, &proxy.base, "/webhooks/status-callback", form).await.0
    };
    assert_eq!(deliver("delivery-1", &form).await, 204);
    // The token counts only with what it came with.
    let other = [("AccountSid", ACCOUNT), ("CallSid", SID), ("CallStatus", "busy")];
    assert_eq!((deliver("delivery-1", &other).await, deliver("delivery-2", &form).await), (204, 204));
    assert!(!server.log().contains(AGAIN));
    assert_eq!(deliver("delivery-1", &form).await, 204);
    server.logged(AGAIN).await;
    // One that fails fails again: it is not taken for done.
    let broken = [("AccountSid", ACCOUNT)];
    assert_eq!((deliver("delivery-3", &broken).await, deliver("delivery-3", &broken).await), (400, 400));

    server.kill();
    server.start_again().await;
    proxy.lead_to(Some(&server.base));
    assert!(!server.log().contains(AGAIN));
    assert_eq!(deliver("delivery-1", &form).await, 204);
    server.logged(AGAIN).await;
}

#[tokio::test]
async fn a_repeated_delivery_of_the_resume_webhook_gets_the_very_same_document() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let token = super::carrier::call_in(&server.base, SID).await;
    let mut stream = Stream::open(&server.base).await;
    stream.start(SID, json!({"token": token})).await;
    vendors.agent_answered().await;
    drop(stream);
    let form = inbound(SID);
    let first = post_as("delivery-1", &server.base, "/webhooks/resume", &form).await;
    assert!(first.0 == 200 && first.1.contains("<Stream"), "{first:?}");
    // More often than a broken stream is taken up again.
    for _ in 0..5 {
        assert_eq!(post_as("delivery-1", &server.base, "/webhooks/resume", &form).await, first);
    }
    let second = post_as("delivery-2", &server.base, "/webhooks/resume", &form).await;
    assert!(second.0 == 200 && second.1.contains("<Stream") && second.1 != first.1, "{second:?}");
}
