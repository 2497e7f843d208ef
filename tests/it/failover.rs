//! Agents that fail in the middle of a call, each in its own way, and the next one that takes the call over.

use serde_json::Value;

use super::server::Server;
use super::vendors::Vendors;

const SECOND: &str = "Go on, I am listening.";

/// A caller whose first agent does this. Returns what the journal tells of the call.
async fn story_with(first: &str) -> Vec<Value> {
    let vendors = Vendors::start().await;
    let first = if first.starts_with("elevenlabs:") { first.to_owned() } else { vendors.create_agent(first).await };
    let second = vendors.create_agent(&format!("agent: {SECOND}")).await;
    let agents = format!("{first} | {second}");
    let server = Server::start(&vendors, &[("AGENTS__DEFAULT", &agents), ("AGENTS__ANSWER_LIMIT_S", "1")]).await;
    let sid = vendors.ring("wait for agent to finish\nsay What does it cost?\nsilent").await;
    let call = server.api.call_of(&sid).await;
    let is_heard = |entry: &Value| entry["event"]["type"] == "turn_heard" && entry["call_id"] == call.as_str();
    server.api.event("the second agent's words", |entry| entry["event"]["text"] == SECOND).await;
    server.api.event("their end", is_heard).await;
    vendors.end_at_carrier(&sid).await;
    let ended = server.api.ended(&call).await;
    assert_eq!((&ended["disposition"], &ended["agent"]), (&Value::from("completed"), &Value::from(second)), "{ended}");
    assert_eq!(ended["open_streams"].as_u64().unwrap_or_default(), 0);
    server.nothing_is_open().await;
    server.api.story(&call).await
}

/// The reason for which the first agent was given up; no stream ended meanwhile.
fn reason(story: &[Value]) -> String {
    let kinds: Vec<_> = story.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let place = |kind: &str| kinds.iter().rposition(|of| *of == kind).unwrap_or_else(|| panic!("no {kind}: {kinds:?}"));
    assert!(place("agent_lost") < place("agent_replaced") && place("agent_replaced") < place("agent_connected"));
    assert_eq!(kinds.iter().filter(|kind| **kind == "stream_started").count(), 1, "{kinds:?}");
    story[place("agent_lost")]["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_way_to_fail_leads_to_the_next_agent_within_the_call() {
    for (fault, first, said) in [
        ("refuses", "elevenlabs:nobody", "404"),
        ("wants a key that we lack", "elevenlabs:agent_follow_up", "403"),
        ("is out of credits", "close 1008 This request exceeds your quota limit.", "quota"),
        ("breaks off at once", "drop socket", "broke"),
        (
            "closes in mid-sentence",
            "agent: Thank you for calling, let me tell you all\nwait 100ms\nclose 1011 oops",
            "oops",
        ),
        (
            "vanishes in mid-sentence",
            "agent: Thank you for calling, let me tell you all\nwait 100ms\ndrop socket",
            "broke",
        ),
        ("does not answer", "agent: What can I do for you?\ncaller: Hm.\nwait 60s", "did not answer"),
    ] {
        let reason = reason(&story_with(first).await);
        assert!(reason.contains(said), "{fault}: {reason}");
    }
}

#[tokio::test]
async fn an_agent_that_is_never_ready_is_given_up() {
    let vendors = Vendors::start().await;
    let first = vendors.create_agent("agent: Hello.").await;
    let agents = format!("{first} | {first}x");
    // The stand-in does not exist: the caller is told, and the call ends as the agents' failure.
    let server = Server::start(&vendors, &[("AGENTS__DEFAULT", &agents)]).await;
    vendors.break_agents(serde_json::json!({"slow_metadata_ms": 60_000})).await;
    let sid = vendors.ring("silent").await;
    vendors.said(&sid, super::APOLOGY).await;
    vendors.call_ended(&sid).await;
    let call = server.api.ended(&server.api.call_of(&sid).await).await;
    assert_eq!(call["disposition"], "agent_failed", "{call}");
}

#[tokio::test]
async fn new_calls_skip_an_agent_that_is_sick() {
    let vendors = Vendors::start().await;
    let second = vendors.create_agent(&format!("agent: {SECOND}")).await;
    let server = Server::start(&vendors, &[("AGENTS__DEFAULT", &format!("elevenlabs:nobody | {second}"))]).await;
    for first in ["elevenlabs:nobody", "elevenlabs:nobody", "elevenlabs:nobody", &*second] {
        let sid = vendors.ring("silent").await;
        let call = server.api.call_of(&sid).await;
        let heard = |entry: &Value| entry["event"]["text"] == SECOND && entry["call_id"] == call.as_str();
        server.api.event("the second agent's words", heard).await;
        vendors.end_at_carrier(&sid).await;
        server.api.ended(&call).await;
        assert_eq!(server.api.story(&call).await[0]["agent"], first);
    }
}
