//! The emulator as a client sees it.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::domain::Secret;

async fn running(config: ElevenLabsEmulatorConfig) -> Running {
    ElevenLabsEmulator::start(config, &TaskTracker::new(), CancellationToken::new()).await.unwrap()
}

/// Opens a socket, sends the first message, and gives the kinds of what comes until `count` messages came or it closed.
async fn kinds(url: &str, first: Value, count: usize) -> Vec<String> {
    let (mut socket, _) = connect_async(url).await.unwrap();
    socket.send(Message::text(first.to_string())).await.unwrap();
    let mut kinds = Vec::new();
    while kinds.len() < count {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(text.as_str()).unwrap();
                kinds.push(message["type"].as_str().unwrap().to_owned());
            }
            Some(Ok(Message::Close(Some(frame)))) => kinds.push(format!("close {}", u16::from(frame.code))),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break,
        }
    }
    kinds
}

fn initiation() -> Value {
    json!({"type": "conversation_initiation_client_data"})
}

#[tokio::test]
async fn a_public_agent_greets() {
    let running = running(ElevenLabsEmulatorConfig::default()).await;
    let url = format!("ws://{}/v1/convai/conversation?agent_id=agent_reception", running.addr);
    let kinds = kinds(&url, initiation(), 3).await;
    assert_eq!(kinds, ["conversation_initiation_metadata", "agent_response", "audio"]);
}

#[tokio::test]
async fn a_private_agent_wants_a_signed_url_and_takes_it_once() {
    let config = ElevenLabsEmulatorConfig { api_key: Some(Secret::new("k")), ..ElevenLabsEmulatorConfig::default() };
    let running = running(config).await;
    let plain = format!("ws://{}/v1/convai/conversation?agent_id=agent_private", running.addr);
    assert!(connect_async(&plain).await.is_err());
    let ask = format!("{}/v1/convai/conversation/get-signed-url?agent_id=agent_private", running.base_url());
    let http = reqwest::Client::new();
    assert_eq!(http.get(&ask).send().await.unwrap().status(), 401);
    let answer: Value = http.get(&ask).header("xi-api-key", "k").send().await.unwrap().json().await.unwrap();
    let url = answer["signed_url"].as_str().unwrap();
    assert_eq!(kinds(url, initiation(), 1).await, ["conversation_initiation_metadata"]);
    assert!(connect_async(url).await.is_err());
}

#[tokio::test]
async fn wrong_messages_end_the_conversation_as_the_vendor_does() {
    let running = running(ElevenLabsEmulatorConfig::default()).await;
    let url = format!("ws://{}/v1/convai/conversation?agent_id=agent_echo", running.addr);
    assert_eq!(kinds(&url, json!({"type": "hello"}), 9).await, ["error", "close 1008"]);
    let reserved = json!({"type": "conversation_initiation_client_data", "dynamic_variables": {"system__x": 1}});
    assert_eq!(kinds(&url, reserved, 9).await, ["error", "close 1008"]);
}

#[tokio::test]
async fn faults_are_shown_on_demand() {
    let running = running(ElevenLabsEmulatorConfig::default()).await;
    let http = reqwest::Client::new();
    let faults = format!("{}/_emulator/faults", running.base_url());
    http.post(&faults).body(r#"{"refuse_upgrades":1,"refuse_status":401}"#).send().await.unwrap();
    let url = format!("ws://{}/v1/convai/conversation?agent_id=agent_echo", running.addr);
    assert!(connect_async(&url).await.is_err());
    assert_eq!(kinds(&url, initiation(), 1).await, ["conversation_initiation_metadata"]);
    let wrong = http.post(&faults).body(r#"{"no_such":1}"#).send().await.unwrap();
    assert_eq!(wrong.status(), 400);
}

#[tokio::test]
async fn agents_are_made_changed_and_found() {
    let running = running(ElevenLabsEmulatorConfig::default()).await;
    let http = reqwest::Client::new();
    let base = format!("{}/v1/convai/agents", running.base_url());
    let made = http.post(format!("{base}/create")).json(&json!({"conversation_config": {}, "name": "Zoe"}));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let one = format!("{base}/{}", made["agent_id"].as_str().unwrap());
    let change = json!({"conversation_config": {"tts": {"voice_id": "v"}}});
    http.patch(&one).json(&change).send().await.unwrap();
    let agent: Value = http.get(&one).send().await.unwrap().json().await.unwrap();
    assert_eq!((&agent["name"], &agent["conversation_config"]["tts"]["voice_id"]), (&json!("Zoe"), &json!("v")));
    let found: Value = http.get(format!("{base}?search=zoe")).send().await.unwrap().json().await.unwrap();
    assert_eq!(found["agents"].as_array().unwrap().len(), 1);
    assert_eq!(http.post(format!("{base}/create")).body("{}").send().await.unwrap().status(), 422);
}
