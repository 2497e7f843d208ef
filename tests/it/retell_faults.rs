//! What goes wrong at Retell, and at the chat endpoint that speaks for an agent there: each fault with how the call ends, and how long the
//! caller hears nothing.
//!
//! Where the audio passes through us (the retired audio WebSocket) the silence is told in virtual time, by `src/relay/tests/failover.rs`. Here
//! it is taken from the emulators' logs. A busy machine makes it longer, so a row says which limit must have passed, if any, and the reason
//! that the journal gives tells that it was that one.

use std::time::Duration;

use clearline::emulators::Entry;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::APOLOGY;
use super::attached::{TOKEN, start_crm};
use super::retell::World;
use super::retell_llm::{Conversation, SORRY};

const AT_ONCE: Duration = Duration::ZERO;
/// For one request to Retell.
const REGISTERING: Duration = Duration::from_secs(5);
/// In which the vendor's side is to pick up.
const RINGING: Duration = Duration::from_secs(10);
/// Of an agent that has a stand-in, on a stream.
const READY: Duration = Duration::from_secs(2);
/// `patience_ms` of the conversations here.
const PATIENCE: Duration = Duration::from_secs(1);
/// Of the attached tools here.
const TOOL_LIMIT: Duration = Duration::from_secs(1);

fn assert_waited(row: &str, from: Timestamp, until: Timestamp, limit: Duration) {
    let silence = Duration::try_from(until.duration_since(from)).unwrap_or_default();
    // Both ends are written down a little late or early.
    let least = limit.saturating_sub(Duration::from_millis(100));
    assert!(least <= silence, "{row}: {silence:?}, where {limit:?} was to be waited");
}

fn rang(world: &World, sid: &str) -> Timestamp {
    world.vendors.twilio.log().since(0).iter().find(|entry| entry.is("status", sid)).unwrap().at
}

async fn reason(world: &World, call: &str) -> String {
    let lost = world.server.api.event_of(call, "agent_lost").await;
    lost["reason"].as_str().unwrap().to_owned()
}

/// With another agent in the list the caller gets it, within the call.
async fn is_replaced(row: &str, world: World, (expected, limit): (&str, Duration)) {
    let sid = world.vendors.ring("silent").await;
    let voice = world.vendors.agent_answered().await.at;
    let call = world.server.api.call_of(&sid).await;
    assert_waited(row, rang(&world, &sid), voice, limit);
    let reason = reason(&world, &call).await;
    assert!(reason.contains(expected), "{row}: {reason}");
    world.vendors.end_at_carrier(&sid).await;
    let ended = world.server.api.ended(&call).await;
    assert_eq!(
        (&ended["disposition"], &ended["agent"]),
        (&json!("completed"), &json!("elevenlabs:agent_echo")),
        "{row}"
    );
}

/// Without one they are told that nobody can take the call.
async fn is_regretted(row: &str, world: World, (expected, limit): (&str, Duration)) {
    let sid = world.vendors.ring("silent").await;
    let is_apology = |entry: &Entry| entry.is("said", &sid) && entry.text("text") == Some(APOLOGY);
    let told = world.vendors.twilio_saw("the apology", is_apology).await.at;
    let call = world.server.api.call_of(&sid).await;
    assert_waited(row, rang(&world, &sid), told, limit);
    let reason = reason(&world, &call).await;
    assert!(reason.contains(expected), "{row}: {reason}");
    world.vendors.call_ended(&sid).await;
    let ended = world.server.api.ended(&call).await;
    assert_eq!(ended["disposition"], "agent_failed", "{row}: {ended}");
}

const FREELY: &str = "silent";

#[tokio::test]
async fn a_call_that_retell_does_not_take_goes_to_the_next_agent_or_is_regretted() {
    let refused = |status: u16| json!({"refuse_register": 100, "status": status});
    let how = |how: &str| json!({"refuse_register": 100, "how": how});
    for (row, faults, vendors_side, said, limit) in [
        ("refuses the call", refused(400), FREELY, "status 400", AT_ONCE),
        ("401", refused(401), FREELY, "status 401", AT_ONCE),
        ("no credits", refused(402), FREELY, "status 402", AT_ONCE),
        ("quota", refused(429), FREELY, "status 429", AT_ONCE),
        ("broken", refused(503), FREELY, "status 503", AT_ONCE),
        ("garbage", how("garbage"), FREELY, "not what its documentation says", AT_ONCE),
        ("silent", how("silent"), FREELY, "did not answer within 5000 ms", REGISTERING),
        ("busy", json!({}), "busy", "did not take the call: busy", AT_ONCE),
        ("SIP 503", json!({}), "fail 503", "did not take the call: failed", AT_ONCE),
        ("rings for ever", json!({}), "no answer", "did not take the call: no-answer", RINGING),
    ] {
        let start = async |agents: &str| {
            let world = World::start(agents, vendors_side).await;
            world.tell("faults", &faults).await;
            world
        };
        let (two, one) = tokio::join!(start("retell:agent_1 | elevenlabs:agent_echo"), start("retell:agent_1"));
        tokio::join!(is_replaced(row, two, (said, limit)), is_regretted(row, one, (said, limit)));
    }
}

/// Once Retell has the audio nobody else hears whether its agent speaks: its end is the call's end, and its silence lasts until the
/// caller hangs up.
#[tokio::test]
async fn what_goes_wrong_in_the_audio_at_retell_is_between_it_and_the_caller() {
    for (row, vendors_side) in
        [("closes in mid-sentence", "say Thank you for calling, let me tell you all\nhang up"), ("silent", "silent")]
    {
        let world = World::start("retell:agent_1 | elevenlabs:agent_echo", vendors_side).await;
        let sid = world.vendors.ring("silent").await;
        let bridged = world.vendors.twilio_saw("the two talking", |entry| entry.event == "bridged").await.at;
        assert_waited(row, rang(&world, &sid), bridged, AT_ONCE);
        let call = world.server.api.call_of(&sid).await;
        if row == "silent" {
            world.vendors.end_at_carrier(&sid).await;
        }
        let ended = world.server.api.ended(&call).await;
        assert_eq!((&ended["disposition"], &ended["agent"]), (&json!("completed"), &json!("retell:agent_1")), "{row}");
        assert_eq!(world.vendors.conversations(), 0, "{row}");
    }
}

#[tokio::test]
async fn an_audio_socket_at_retell_that_fails_is_replaced_or_regretted() {
    let refused = |status: u16| json!({"refuse_register": 100, "status": status});
    let how = |how: &str| json!({"refuse_register": 100, "how": how});
    for protocol in ["twilio", "web"] {
        for (row, faults, agent, said, limits) in [
            ("401", refused(401), "agent_1", "status 401", [AT_ONCE; 2]),
            ("quota", refused(429), "agent_1", "status 429", [AT_ONCE; 2]),
            ("garbage instead of a call", how("garbage"), "agent_1", "not what its documentation says", [AT_ONCE; 2]),
            // Alone it may take longer than one that has a stand-in.
            ("silent", how("silent"), "agent_1", "within", [READY, REGISTERING]),
            ("refuses the socket", json!({}), "agent_refuse", "status 403", [AT_ONCE; 2]),
            ("garbage", json!({}), "agent_garbage", "makes sense", [AT_ONCE; 2]),
            ("gone in mid-sentence", json!({}), "agent_drop", "broke", [AT_ONCE; 2]),
        ] {
            let start = async |agents: &str| {
                let own = [("AGENTS__RETELL__MODE", "audio-websocket"), ("AGENTS__RETELL__PROTOCOL", protocol)];
                let world = World::start_with(agents, "busy", &own).await;
                world.tell("faults", &faults).await;
                world
            };
            let (list, agent) = (format!("retell:{agent} | elevenlabs:agent_echo"), format!("retell:{agent}"));
            let (two, one) = tokio::join!(start(&list), start(&agent));
            let row = format!("{protocol}: {row}");
            tokio::join!(is_replaced(&row, two, (said, limits[0])), is_regretted(&row, one, (said, limits[1])));
        }
    }
}

/// The longest that Retell waited for words of an answer, and the caller with it: to the first ones, between two, to the end.
fn longest_wait(conversation: &Conversation) -> (Timestamp, Timestamp) {
    let mut waits = Vec::new();
    let mut since = None;
    for entry in conversation.world.retell.log().since(0) {
        if entry.about.as_deref() != Some(&conversation.retell_id) {
            continue;
        }
        match entry.event {
            "llm_asked" => since = Some(entry.at),
            "llm_words" => waits.extend(since.replace(entry.at).map(|since| (since, entry.at))),
            "llm_said" => waits.extend(since.take().map(|since| (since, entry.at))),
            _ => {}
        }
    }
    waits.into_iter().max_by_key(|(from, until)| until.duration_since(*from)).expect("an answer")
}

async fn asked_once_more(conversation: &Conversation, id: u64) -> String {
    conversation.act(json!({"say": "Hello?"})).await;
    conversation.said(id).await
}

#[tokio::test]
async fn a_chat_endpoint_that_fails_is_regretted_and_given_up_after_three_failures() {
    const BEGUN: &str = "You said: ";
    let mut conversation = Conversation::start().await;
    for (mode, instead, said, limit) in [
        ("unauthorised", SORRY, "status 401", AT_ONCE),
        ("quota", SORRY, "status 429", AT_ONCE),
        ("status", SORRY, "status 503", AT_ONCE),
        ("silent", SORRY, "did not answer within 1000 ms", PATIENCE),
        ("garbage", SORRY, "no chunk of a completion", AT_ONCE),
        // Closed in mid-sentence, and fallen silent there: what was said stays said.
        ("cut", BEGUN, "broke off", AT_ONCE),
        ("stall", BEGUN, "did not answer within 1000 ms", PATIENCE),
    ] {
        // Once: the conversation goes on.
        conversation.break_chat(mode, 1).await;
        assert_eq!(asked_once_more(&conversation, 1).await, instead, "{mode}");
        assert_eq!(asked_once_more(&conversation, 2).await, "You said: Hello?", "{mode}");
        let lost = reason(&conversation.world, &conversation.call).await;
        assert!(lost.contains(said), "{mode}: {lost}");
        let (from, until) = longest_wait(&conversation);
        assert_waited(mode, from, until, limit);
        assert_eq!(conversation.next_call().await, "completed", "{mode}");
        // For good: the agent gives up.
        conversation.break_chat(mode, 100).await;
        for id in [1, 2] {
            assert_eq!(asked_once_more(&conversation, id).await, instead, "{mode}");
        }
        assert!(asked_once_more(&conversation, 3).await.ends_with(APOLOGY), "{mode}");
        let (from, until) = longest_wait(&conversation);
        assert_waited(mode, from, until, limit);
        assert_eq!(conversation.next_call().await, "agent_failed", "{mode}");
    }
    conversation.caller_hangs_up().await;
}

#[tokio::test]
async fn a_chat_endpoint_that_is_not_there_is_given_up_after_three_failures() {
    let conversation = Conversation::start_with(&[("AGENTS__RETELL__LLM__BASE_URL", "http://127.0.0.1:1/v1")]).await;
    for id in [1, 2] {
        assert_eq!(asked_once_more(&conversation, id).await, SORRY);
    }
    assert_eq!(asked_once_more(&conversation, 3).await, APOLOGY);
    let (from, until) = longest_wait(&conversation);
    assert_waited("not there", from, until, AT_ONCE);
    let lost = reason(&conversation.world, &conversation.call).await;
    assert!(lost.contains("no connection"), "{lost}");
    assert_eq!(conversation.caller_hangs_up().await, "agent_failed");
}

#[tokio::test]
async fn a_slow_tool_of_an_agent_at_retell_keeps_the_caller_until_its_limit() {
    let shutdown = tokio_util::sync::CancellationToken::new();
    let crm = start_crm(&shutdown).await;
    let own = [
        ("TOOLS__MCP__CRM__URL", crm.as_str()),
        ("TOOLS__MCP__CRM__TOKEN", TOKEN),
        ("TOOLS__MCP__CRM__TOOLS", "hang"),
        ("TOOLS__MCP__CRM__TIME_LIMIT_MS", "1000"),
    ];
    let conversation = Conversation::start_with(&own).await;
    conversation.act(json!({"say": "use hang {}"})).await;
    assert!(conversation.said(1).await.starts_with("The tool said: "));
    let (from, until) = longest_wait(&conversation);
    assert_waited("slow tool", from, until, TOOL_LIMIT);
    let answered: Value = conversation.world.server.api.event_of(&conversation.call, "tool_answered").await;
    assert_eq!((&answered["name"], &answered["is_error"]), (&json!("hang"), &json!(true)), "{answered}");
    assert_eq!(conversation.caller_hangs_up().await, "completed");
    shutdown.cancel();
}
