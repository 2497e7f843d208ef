//! Agents of the operator's own: bots that speak Twilio's protocol or raw audio, met through the binary.

use std::net::{Ipv4Addr, SocketAddr};

use clearline::emulators::{BotEmulator, Running};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::server::Server;
use super::soon;
use super::vendors::Vendors;

const DIALECTS: [&str; 2] = ["twilio-stream", "binary"];

/// A bot, the vendors, and a server whose calls go to it; then, where there is one, to another agent.
struct World {
    bot: Running,
    vendors: Vendors,
    server: Server,
    shutdown: CancellationToken,
}

impl World {
    async fn start(dialect: &str, behaviour: &str, stand_in: Option<&str>) -> Self {
        let shutdown = CancellationToken::new();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let bot = BotEmulator::start(any, &TaskTracker::new(), shutdown.clone()).await.unwrap();
        let vendors = Vendors::start().await;
        let url = format!("ws://{}/{dialect}/{behaviour}", bot.addr);
        let stand_in = match stand_in {
            Some(script) => format!(" | {}", vendors.create_agent(script).await),
            None => String::new(),
        };
        let agents = format!("{dialect}:own{stand_in}");
        let settings = [
            ("AGENTS__DEFAULT", agents.as_str()),
            ("AGENTS__OWN__DIALECT", dialect),
            ("AGENTS__OWN__URL", &url),
            ("AGENTS__OWN__API_KEY", "key-of-the-bot"),
        ];
        let server = Server::start(&vendors, &settings).await;
        Self { bot, vendors, server, shutdown }
    }

    async fn bot_saw(&self, what: &str, fits: impl Fn(&clearline::emulators::Entry) -> bool) {
        soon(what, self.bot.log().wait_for(fits)).await;
    }

    /// Waits until the bot was told that its mark was played.
    async fn mark_came_back(&self, name: &str) {
        let is_it = |message: &Value| message["mark"]["name"] == name || message["name"] == name;
        let fits = |entry: &clearline::emulators::Entry| {
            entry.text("name") == Some("mark") && entry.detail.get("message").is_some_and(is_it)
        };
        self.bot_saw("a mark of the bot's", fits).await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

#[tokio::test]
async fn a_bot_and_a_caller_talk_and_marks_come_back() {
    for dialect in DIALECTS {
        let world = World::start(dialect, "talk", None).await;
        let sid = world.vendors.ring("wait for agent to finish\nsay How does this work?\nsilent").await;
        world.mark_came_back("said-1").await;
        world.mark_came_back("said-2").await;
        let call = world.server.api.call_of(&sid).await;
        world.vendors.end_at_carrier(&sid).await;
        let ended = world.server.api.ended(&call).await;
        assert_eq!((&ended["disposition"], &ended["counters"]["malformed_messages"]), (&"completed".into(), &0.into()));
        let turns = world.server.api.story(&call).await;
        let turns: Vec<_> =
            turns.iter().filter(|event| event["type"] == "turn_heard").map(|event| &event["turn"]).collect();
        assert_eq!(turns, [1, 2], "{dialect}");
        world.bot_saw("the end", |entry| entry.event == "closed").await;
    }
}

#[tokio::test]
async fn a_caller_who_talks_over_a_bot_silences_it() {
    for dialect in DIALECTS {
        let world = World::start(dialect, "talk", None).await;
        let sid = world.vendors.ring("barge in after 200ms of agent speech: Wait a moment please.\nsilent").await;
        world.bot_saw("the interruption", |entry| entry.event == "interrupted").await;
        world.mark_came_back("said-1").await;
        let call = world.server.api.call_of(&sid).await;
        let barge_in = world.server.api.event_of(&call, "barge_in").await;
        assert!(barge_in["heard_ms"].as_u64() < barge_in["sent_ms"].as_u64(), "{dialect}: {barge_in}");
        world.vendors.twilio_saw("the clear", |entry| entry.is("clear", &sid)).await;
        world.vendors.end_at_carrier(&sid).await;
        world.server.api.ended(&call).await;
    }
}

#[tokio::test]
async fn a_bot_that_closes_after_its_last_words_ends_the_call() {
    for dialect in DIALECTS {
        let world = World::start(dialect, "hang-up", None).await;
        let sid = world.vendors.ring("silent").await;
        world.vendors.call_ended(&sid).await;
        let call = world.server.api.ended(&world.server.api.call_of(&sid).await).await;
        assert_eq!(call["disposition"], "completed", "{dialect}: {call}");
    }
}

#[tokio::test]
async fn a_bot_that_fails_is_replaced() {
    for (dialect, behaviour, said) in [
        ("twilio-stream", "refuse", "401"),
        ("twilio-stream", "garbage", "makes sense"),
        ("twilio-stream", "drop", "broke"),
        ("binary", "refuse", "401"),
        ("binary", "drop", "broke"),
    ] {
        let world = World::start(dialect, behaviour, Some("agent: Hello, this is another one.")).await;
        let sid = world.vendors.ring("silent").await;
        let call = world.server.api.call_of(&sid).await;
        let lost = world.server.api.event_of(&call, "agent_replaced").await;
        assert!(lost["by"].as_str().unwrap().starts_with("elevenlabs:"), "{lost}");
        world.server.api.event("the other agent's words", |entry| entry["event"]["type"] == "agent_said").await;
        world.vendors.end_at_carrier(&sid).await;
        world.server.api.ended(&call).await;
        let story = world.server.api.story(&call).await;
        let reason = story.iter().rfind(|event| event["type"] == "agent_lost").unwrap()["reason"].as_str().unwrap();
        assert!(reason.contains(said), "{dialect} {behaviour}: {reason}");
    }
}
