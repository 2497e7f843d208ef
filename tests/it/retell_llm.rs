//! Retell's custom-LLM socket through the binary: the emulated Retell dials it, an emulated chat endpoint answers on it.

use std::net::{Ipv4Addr, SocketAddr};

use clearline::domain::Secret;
use clearline::emulators::{ChatEmulator, Entry, Running};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::TaskTracker;

use super::retell::World;
use super::soon;

pub(super) const SECRET: &str = "a-secret-of-the-tests-0123456789";
pub(super) const SORRY: &str = "Pardon me?";

/// A call at Retell, whose agent asks us for words.
pub(super) struct Conversation {
    pub world: World,
    pub chat: Running,
    sid: String,
    pub call: String,
    pub retell_id: String,
}

impl Conversation {
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(super) async fn start_with(own: &[(&str, &str)]) -> Self {
        let conversation = Self::before_the_socket(own).await;
        conversation.dial(SECRET, &conversation.retell_id).await.expect("the socket opens");
        conversation.said(0).await;
        conversation
    }

    /// Retell has the call and has not dialled us.
    async fn before_the_socket(own: &[(&str, &str)]) -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let shutdown = tokio_util::sync::CancellationToken::new();
        let chat = ChatEmulator::start(listen, Secret::new("chat-key"), &TaskTracker::new(), shutdown).await.unwrap();
        let base_url = format!("{}/v1", chat.base_url());
        let common = [
            ("AGENTS__RETELL__LLM__SECRET", SECRET),
            ("AGENTS__RETELL__LLM__BASE_URL", base_url.as_str()),
            ("AGENTS__RETELL__LLM__API_KEY", "chat-key"),
            ("AGENTS__RETELL__LLM__MODEL", "small"),
            ("AGENTS__RETELL__LLM__PROMPT", "Be brief, {{unknown}}."),
            ("AGENTS__RETELL__LLM__GREETING", "Hello, this is Riverside Homes."),
            ("AGENTS__RETELL__LLM__SORRY", SORRY),
            ("AGENTS__RETELL__LLM__PATIENCE_MS", "1000"),
        ];
        let world = World::start_with("retell:agent_1", "silent", &[&common, own].concat()).await;
        let sid = world.vendors.ring("silent").await;
        let retell_id = world.registered().await;
        world.vendors.twilio_saw("the two talking", |entry| entry.event == "bridged").await;
        let call = world.server.api.call_of(&sid).await;
        Self { world, chat, sid, call, retell_id }
    }

    /// The call ends and the next caller comes. Returns how the first one ended.
    pub(super) async fn next_call(&mut self) -> Value {
        let disposition = self.caller_hangs_up().await;
        self.sid = self.world.vendors.ring("silent").await;
        self.call = self.world.server.api.call_of(&self.sid).await;
        let ours = json!({"clearline_call_id": self.call});
        let is_it = |entry: &Entry| entry.event == "registered" && entry.detail["metadata"] == ours;
        self.retell_id = self.retell_saw("the next registration", is_it).await.about.unwrap();
        let handed_over = self.world.server.api.event_of(&self.call, "handed_over").await;
        assert_eq!(handed_over["conversation_id"], self.retell_id.as_str());
        self.dial(SECRET, &self.retell_id).await.expect("the socket opens");
        let greeted = |entry: &Entry| entry.is("llm_said", &self.retell_id);
        self.retell_saw("the greeting", greeted).await;
        disposition
    }

    /// Retell opens the socket; else the status of the refusal.
    async fn dial(&self, secret: &str, retell_id: &str) -> Result<(), u64> {
        let base = self.world.server.base.replacen("http", "ws", 1);
        let body = json!({"url": format!("{base}/agents/retell/llm/{secret}")});
        let url = format!("{}/_emulator/calls/{retell_id}/llm", self.world.retell.base_url());
        let answer = self.world.http.post(url).json(&body).send().await.unwrap();
        if answer.status() == 204 {
            return Ok(());
        }
        Err(answer.json::<Value>().await.unwrap()["status"].as_u64().unwrap())
    }

    pub(super) async fn act(&self, act: Value) {
        self.world.tell(&format!("calls/{}/llm/act", self.retell_id), &act).await;
    }

    pub(super) async fn break_chat(&self, mode: &str, count: u32) {
        let url = format!("{}/_emulator/faults", self.chat.base_url());
        let answer = self.world.http.post(url).json(&json!({"mode": mode, "count": count})).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    pub(super) async fn retell_saw(&self, what: &str, fits: impl Fn(&Entry) -> bool) -> Entry {
        soon(what, self.world.retell.log().wait_for(fits)).await
    }

    /// What the agent said as its whole answer to this question.
    pub(super) async fn said(&self, id: u64) -> String {
        let is_it = |entry: &Entry| entry.is("llm_said", &self.retell_id) && entry.detail["response_id"] == id;
        self.retell_saw("an answer", is_it).await.text("text").unwrap().to_owned()
    }

    /// What the chat was asked in its `n`th question.
    async fn asked(&self, n: usize) -> Value {
        let times = std::cell::Cell::new(0);
        let is_it = |entry: &Entry| entry.event == "asked" && times.replace(times.get() + 1) + 1 == n;
        Value::Object(soon("a question", self.chat.log().wait_for(is_it)).await.detail)
    }

    async fn disposition(&self) -> Value {
        self.world.server.api.ended(&self.call).await["disposition"].clone()
    }

    pub(super) async fn caller_hangs_up(&self) -> Value {
        self.world.vendors.end_at_carrier(&self.sid).await;
        self.disposition().await
    }
}

#[tokio::test]
async fn a_conversation_is_answered_by_the_chat_endpoint_and_written_down_once() {
    let conversation = Conversation::start().await;
    assert_eq!(conversation.said(0).await, "Hello, this is Riverside Homes.");
    let config = conversation.retell_saw("the config", |entry| entry.event == "llm_config").await;
    assert_eq!(config.detail["auto_reconnect"], true);
    conversation.act(json!({"say": "When do you open?"})).await;
    assert_eq!(conversation.said(1).await, "You said: When do you open?");
    conversation.act(json!({"remind": null})).await;
    assert!(conversation.said(2).await.contains("has said nothing"));
    let asked = conversation.asked(1).await;
    assert_eq!(
        (&asked["model"], &asked["messages"][0]["content"]),
        (&json!("small"), &json!("Be brief, {{unknown}}."))
    );
    assert_eq!(asked["messages"][1]["content"], "Hello, this is Riverside Homes.");
    // Retell's webhook tells the same, and what came last.
    let lines = json!([
        ["agent", "Hello, this is Riverside Homes."],
        ["user", "When do you open?"],
        ["agent", "You said: When do you open?"],
        ["user", "Thanks."]
    ]);
    let told = json!({"events": ["call_ended"], "transcript": lines});
    conversation.world.tell(&format!("calls/{}/tell", conversation.retell_id), &told).await;
    assert_eq!(conversation.caller_hangs_up().await, "completed");
    let path = format!("/api/v1/calls/{}/transcript", conversation.call);
    let transcript = conversation.world.server.api.get(&path).await.body;
    let texts: Vec<_> =
        transcript["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    let said = ["Hello, this is Riverside Homes.", "When do you open?", "You said: When do you open?", "Thanks."];
    assert_eq!(texts, said, "{transcript}");
    conversation.retell_saw("the close", |entry| entry.event == "llm_closed" && entry.detail["code"] == 1000).await;
}

#[tokio::test]
async fn the_newest_question_wins_and_pings_are_answered_meanwhile() {
    let conversation = Conversation::start().await;
    conversation.break_chat("silent", 1).await;
    conversation.act(json!({"say": "Please count"})).await;
    conversation.asked(1).await;
    let pong = conversation.world.retell.log().since(0).iter().filter(|entry| entry.event == "llm_pong").count();
    let times = std::cell::Cell::new(0);
    let another = |entry: &Entry| entry.event == "llm_pong" && times.replace(times.get() + 1) == pong;
    conversation.retell_saw("a pong while the chat is silent", another).await;
    conversation.act(json!({"say": "Please count"})).await;
    conversation.asked(2).await;
    conversation.act(json!({"interrupt": "Wait, when do you open?"})).await;
    assert_eq!(conversation.said(3).await, "You said: Wait, when do you open?");
    // Nobody counts on.
    soon("the end of a void answer", conversation.chat.log().wait_for(|entry| entry.event == "given_up")).await;
    assert_eq!(conversation.caller_hangs_up().await, "completed");
}

#[tokio::test]
async fn what_an_operator_tells_the_agent_reaches_its_chat() {
    let conversation = Conversation::start().await;
    let path = format!("/api/v1/calls/{}/message", conversation.call);
    let tell = async |message: Value| {
        let answer = conversation.world.server.api.post(&path, &message).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    };
    tell(json!({"text": "They are a gold customer.", "kind": "context"})).await;
    tell(json!({"text": "Do you have my invoice?", "kind": "user_message"})).await;
    let unasked = |entry: &Entry| entry.event == "llm_said" && entry.detail["interrupt_id"] == 1;
    let said = conversation.retell_saw("an answer that Retell had not asked for", unasked).await;
    assert_eq!(said.text("text"), Some("You said: Do you have my invoice?"));
    let messages = conversation.asked(1).await["messages"].clone();
    let contents: Vec<_> = messages.as_array().unwrap()[1..].iter().map(|message| &message["content"]).collect();
    assert_eq!(contents, ["They are a gold customer.", "Do you have my invoice?"]);
    assert_eq!(conversation.caller_hangs_up().await, "completed");
}

#[tokio::test]
async fn tools_are_run_and_written_down() {
    let conversation = Conversation::start().await;
    conversation.act(json!({"say": r#"use remember {"name":"dog","text":"is called Rex"}"#})).await;
    assert_eq!(conversation.said(1).await, "The tool said: Remembered.");
    conversation.act(json!({"say": "use recall {}"})).await;
    assert_eq!(conversation.said(2).await, r#"The tool said: {"dog":"is called Rex"}"#);
    let roles: Vec<_> = conversation.asked(4).await["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].clone())
        .collect();
    assert_eq!(roles, ["system", "assistant", "user", "assistant", "tool", "assistant", "user", "assistant", "tool"]);
    conversation.act(json!({"say": r#"use send_keys {"keys":"5"}"#})).await;
    let pressed = |entry: &Entry| entry.event == "llm_said" && entry.detail["digit"] == "5";
    conversation.retell_saw("a key", pressed).await;
    conversation.act(json!({"say": "use hang_up {}"})).await;
    conversation.retell_saw("the end", |entry| entry.event == "llm_said" && entry.detail["end_call"] == true).await;
    assert_eq!(conversation.caller_hangs_up().await, "completed");
    let story = conversation.world.server.api.story(&conversation.call).await;
    let tools: Vec<_> =
        story.iter().filter(|event| event["type"] == "tool_answered").map(|event| &event["name"]).collect();
    assert_eq!(tools, ["remember", "recall"]);
    assert!(
        story.iter().any(|event| event["type"] == "hang_up_requested" && event["by"]["door"] == "agent"),
        "{story:?}"
    );
}

#[tokio::test]
async fn an_opt_out_is_heard_when_it_is_said() {
    let conversation = Conversation::start().await;
    conversation.act(json!({"say": "Please stop calling me."})).await;
    conversation.world.vendors.call_ended(&conversation.sid).await;
    assert_eq!(conversation.disposition().await, "opted_out");
}

#[tokio::test]
async fn a_broken_chat_endpoint_is_regretted_and_then_ends_the_call() {
    let conversation = Conversation::start().await;
    for (id, mode, reason) in
        [(1, "status", "503"), (3, "silent", "did not answer"), (5, "garbage", "no chunk"), (7, "whole", "no chunk")]
    {
        conversation.break_chat(mode, 1).await;
        conversation.act(json!({"say": "Hello?"})).await;
        assert_eq!(conversation.said(id).await, SORRY, "{mode}");
        let is_it = |entry: &Value| {
            entry["event"]["type"] == "agent_lost" && entry["event"]["reason"].as_str().unwrap().contains(reason)
        };
        let lost = conversation.world.server.api.event(reason, is_it).await;
        assert_eq!(lost["event"]["will_retry"], true, "{lost}");
        conversation.act(json!({"say": "Hello?"})).await;
        assert_eq!(conversation.said(id + 1).await, "You said: Hello?");
    }
    // What was said of an answer that breaks off stays.
    for (id, mode) in [(9, "cut"), (10, "stall")] {
        conversation.break_chat(mode, 1).await;
        conversation.act(json!({"say": "Hello?"})).await;
        assert_eq!(conversation.said(id).await, "You said: ", "{mode}");
    }
    conversation.break_chat("status", 1).await;
    conversation.act(json!({"say": "Hello?"})).await;
    assert_eq!(conversation.said(11).await, super::APOLOGY);
    let is_end = |entry: &Entry| entry.event == "llm_said" && entry.detail["end_call"] == true;
    conversation.retell_saw("the end", is_end).await;
    assert_eq!(conversation.caller_hangs_up().await, "agent_failed");
}

#[tokio::test]
async fn a_wrong_key_is_told_without_the_key() {
    let conversation = Conversation::start_with(&[("AGENTS__RETELL__LLM__API_KEY", "another-key")]).await;
    conversation.act(json!({"say": "Hello?"})).await;
    assert_eq!(conversation.said(1).await, SORRY);
    let lost = conversation.world.server.api.event_of(&conversation.call, "agent_lost").await;
    let reason = lost["reason"].as_str().unwrap();
    assert!(reason.contains("401") && !reason.contains("another-key"), "{reason}");
    conversation.caller_hangs_up().await;
    assert!(!conversation.world.server.log().contains("another-key"));
}

#[tokio::test]
async fn a_socket_that_breaks_is_dialled_again_and_goes_on() {
    let conversation = Conversation::start().await;
    conversation.break_chat("silent", 1).await;
    conversation.act(json!({"say": "When do you open?"})).await;
    conversation.asked(1).await;
    conversation.act(json!({"drop": null})).await;
    // Asked again, without being asked again, and without a second greeting.
    assert_eq!(conversation.said(1).await, "You said: When do you open?");
    let greetings = conversation
        .world
        .retell
        .log()
        .since(0)
        .iter()
        .filter(|entry| entry.text("text").is_some_and(|text| text.contains("Riverside")))
        .count();
    assert_eq!(greetings, 1);
    // A second socket while the first one is open takes its place.
    conversation.dial(SECRET, &conversation.retell_id).await.unwrap();
    conversation
        .retell_saw("the older one's close", |entry| entry.event == "llm_closed" && entry.detail["code"] == 1001)
        .await;
    assert_eq!(conversation.caller_hangs_up().await, "completed");
}

#[tokio::test]
async fn strangers_and_nonsense_are_turned_away() {
    let conversation = Conversation::before_the_socket(&[]).await;
    assert_eq!(conversation.dial("a-wrong-secret", &conversation.retell_id).await, Err(404));
    assert_eq!(conversation.dial(SECRET, "call_of_nobody").await, Err(404));
    assert!(!conversation.world.server.log().contains("a-wrong-secret"));
    conversation.dial(SECRET, &conversation.retell_id).await.unwrap();
    conversation.act(json!({"send": r#"{"interaction_type":"of_next_year"}"#})).await;
    for _ in 0..8 {
        conversation.act(json!({"send": "%%%"})).await;
    }
    conversation.retell_saw("the close", |entry| entry.event == "llm_closed" && entry.detail["code"] == 1007).await;
    conversation.dial(SECRET, &conversation.retell_id).await.unwrap();
    conversation.act(json!({"binary": null})).await;
    let times = std::cell::Cell::new(0);
    let second = |entry: &Entry| entry.event == "llm_closed" && times.replace(times.get() + 1) == 1;
    assert_eq!(conversation.retell_saw("the close", second).await.detail["code"], 1007);
    assert_eq!(conversation.caller_hangs_up().await, "completed");
    assert_eq!(conversation.dial(SECRET, &conversation.retell_id).await, Err(404), "the call is over");
    // Without a secret in the settings the address is closed.
    let closed = Conversation::before_the_socket(&[("AGENTS__RETELL__LLM__SECRET", "")]).await;
    for secret in ["", "x", SECRET] {
        assert_eq!(closed.dial(secret, &closed.retell_id).await, Err(404), "{secret}");
    }
    closed.caller_hangs_up().await;
}

#[tokio::test]
async fn words_that_come_with_the_handshake_are_heard() {
    let conversation = Conversation::before_the_socket(&[]).await;
    let host = conversation.world.server.base.strip_prefix("http://").unwrap().to_owned();
    let path = format!("/agents/retell/llm/{SECRET}/{}", conversation.retell_id);
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    // Eight masked text frames `?`, with a mask of zeros.
    let frames = [0x81, 0x81, 0, 0, 0, 0, b'?'].repeat(8);
    let mut socket = tokio::net::TcpStream::connect(&host).await.unwrap();
    socket.write_all(&[head.as_bytes(), &frames].concat()).await.unwrap();
    let mut answer = Vec::new();
    let closed = async {
        while !answer.ends_with(&[0x88, 0x02, 0x03, 0xEF]) {
            assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
        }
    };
    soon("the close, 1007", closed).await;
    conversation.caller_hangs_up().await;
}

#[tokio::test]
async fn a_call_at_retell_goes_on_with_a_colleague_or_comes_back() {
    const COLLEAGUE: &str = "+12125550140";
    for (phone, disposition) in
        [("answer after 200ms\nsay Hello.\nwait 1s\nhang up", "transferred"), ("busy", "completed")]
    {
        let conversation = Conversation::start_with(&[("TRANSFERS__TARGETS", "sales=+12125550140")]).await;
        conversation.world.vendors.seat(COLLEAGUE, phone).await;
        conversation.act(json!({"say": r#"use transfer_call {"to":"sales"}"#})).await;
        conversation.world.server.api.event_of(&conversation.call, "transfer_started").await;
        if phone == "busy" {
            conversation.world.server.api.event_of(&conversation.call, "transfer_failed").await;
            // Back at Retell the call is another one, whose questions are counted anew.
            let again =
                |entry: &Entry| entry.event == "registered" && entry.about.as_ref() != Some(&conversation.retell_id);
            let again = conversation.retell_saw("the call's return", again).await.about.unwrap();
            let back = Conversation { retell_id: again, ..conversation };
            let is_it = |entry: &Value| entry["event"]["conversation_id"] == back.retell_id.as_str();
            back.world.server.api.event("the call's return in the journal", is_it).await;
            back.dial(SECRET, &back.retell_id).await.unwrap();
            back.act(json!({"say": "Hello again"})).await;
            let is_it = |entry: &Entry| entry.is("llm_said", &back.retell_id) && entry.detail["response_id"] == 1;
            assert_eq!(back.retell_saw("an answer", is_it).await.text("text"), Some("You said: Hello again"));
            assert_eq!(back.caller_hangs_up().await, disposition);
        } else {
            assert_eq!(conversation.disposition().await, disposition);
        }
    }
}
