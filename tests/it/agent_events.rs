//! What ElevenLabs posts after a conversation: believed with its signature, and before that hardly listened to.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::Server;
use super::soon;
use super::vendors::Vendors;

const SECRET: &str = "wsec_of_the_tests";
const OWN: [(&str, &str); 1] = [("AGENTS__ELEVENLABS__WEBHOOK_SECRET", SECRET)];

fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().iter().fold(format!("t={at},v0="), |header, byte| format!("{header}{byte:02x}"))
}

fn now() -> i64 {
    clearline::app::WallClock::real().now().as_second()
}

async fn post(server: &Server, signature: &str, body: Vec<u8>) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/webhooks/elevenlabs", server.base)).header("elevenlabs-signature", signature);
    let answer = soon("an answer to the webhook", request.body(body).send()).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_signed_transcript_is_joined_to_its_call_once_and_nothing_else_is_believed() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &OWN).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;
    vendors.end_at_carrier(&sid).await;
    server.api.ended(&call).await;

    let body = json!({"type": "post_call_transcription", "event_timestamp": now(), "data": {
        "agent_id": "agent_echo", "conversation_id": "conv_1", "status": "done", "transcript": [],
        "metadata": {"start_time_unix_secs": now(), "call_duration_secs": 1},
        "analysis": {"transcript_summary": "They said hello.", "call_successful": "success"},
        "conversation_initiation_client_data": {"dynamic_variables": {"call_id": call}},
    }});
    let body = body.to_string().into_bytes();
    let good = signature(SECRET, now(), &body);
    for (wrong, said) in [
        (signature("another secret", now(), &body), "does not fit"),
        (signature(SECRET, now() - 3_600, &body), "minutes old"),
        ("t=1,v1=ab".to_owned(), "not of the form"),
        (String::new(), "not of the form"),
    ] {
        let (status, text) = post(&server, &wrong, body.clone()).await;
        assert!(status == 401 && text.contains(said), "{wrong}: {status} {text}");
    }
    assert_eq!(server.api.get(&format!("/api/v1/calls/{call}")).await.body["summary"], Value::Null);
    for _ in 0..2 {
        assert_eq!(post(&server, &good, body.clone()).await.0, 200);
    }
    assert_eq!(server.api.get(&format!("/api/v1/calls/{call}")).await.body["summary"], "They said hello.");
    let mut analyses = 0;
    let last = vendors.ring("hang up").await;
    let last = server.api.call_of(&last).await;
    server
        .api
        .event("the end of a later call", |entry| {
            analyses += usize::from(entry["event"]["type"] == "conversation_analysed");
            entry["call_id"] == last.as_str() && entry["event"]["type"] == "ended"
        })
        .await;
    assert_eq!(analyses, 1);
}

#[tokio::test]
async fn a_recording_is_taken_up_to_its_limit_and_nobody_else_may_send_as_much() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &OWN).await;
    let audio = "QUJD".repeat(3 * 1024 * 1024);
    let body = json!({"type": "post_call_audio", "data": {
        "agent_id": "agent_echo", "conversation_id": "conv_1", "full_audio": audio,
    }});
    let body = body.to_string().into_bytes();
    assert_eq!(post(&server, &signature(SECRET, now(), &body), body.clone()).await.0, 200);
    assert_eq!(post(&server, &signature("another secret", now(), &body), body).await.0, 401);

    // Refused by its header: the answer comes while nothing of the announced body has been sent.
    let stale = format!("t={},v0={}", now() - 3_600, "00".repeat(32));
    for header in ["nonsense", stale.as_str()] {
        let mut socket = TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap();
        let request = format!(
            "POST /webhooks/elevenlabs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50000000\r\n\
             elevenlabs-signature: {header}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        soon("the refusal", socket.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401", "{header}");
    }
}
