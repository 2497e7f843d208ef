//! Calls that are handed over to Retell: by SIP through the carrier, the record by its webhooks.

use clearline::emulators::{Entry, RetellEmulator, RetellEmulatorConfig, Running};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::proxy::Proxy;
use super::restart;
use super::server::Server;
use super::vendors::Vendors;
use super::{APOLOGY, soon};

const KEY: &str = "emulated-retell-key";

pub(super) struct World {
    pub retell: Running,
    pub vendors: Vendors,
    pub server: Server,
    pub http: reqwest::Client,
    pub shutdown: CancellationToken,
}

impl World {
    /// The vendor's side behaves like this when it is called by SIP.
    pub(super) async fn start(agents: &str, vendors_side: &str) -> Self {
        Self::start_with(agents, vendors_side, &[]).await
    }

    /// The same with settings of one's own.
    pub(super) async fn start_with(agents: &str, vendors_side: &str, own: &[(&str, &str)]) -> Self {
        let shutdown = CancellationToken::new();
        let retell = RetellEmulatorConfig::default();
        let retell = RetellEmulator::start(retell, &TaskTracker::new(), shutdown.clone()).await.unwrap();
        let vendors = Vendors::start().await;
        vendors.seat("sip:sip.retellai.com", vendors_side).await;
        let url = retell.base_url();
        let common = [("AGENTS__DEFAULT", agents), ("AGENTS__RETELL__API_URL", &url), ("AGENTS__RETELL__API_KEY", KEY)];
        let settings = [&common, own].concat();
        let server = Server::start(&vendors, &settings).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let world = Self { retell, vendors, server, http, shutdown };
        world.tell("webhook", &json!({"url": format!("{}/webhooks/retell", world.server.base)})).await;
        world
    }

    pub(super) async fn tell(&self, what: &str, body: &Value) {
        let url = format!("{}/_emulator/{what}", self.retell.base_url());
        let answer = self.http.post(url).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{what}: {}", answer.status());
    }

    /// The texts of a call's transcript.
    async fn lines(&self, call: &str) -> Vec<String> {
        let transcript = self.server.api.get(&format!("/api/v1/calls/{call}/transcript")).await.body;
        transcript["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
    }

    /// How many events of this kind the journal holds of a call by now, which a call after it marks.
    async fn events(&self, call: &str, kind: &str) -> usize {
        let sid = self.vendors.ring("silent").await;
        let now = self.server.api.call_of(&sid).await;
        let mut count = 0;
        let until_now = |entry: &Value| {
            count += usize::from(entry["call_id"] == call && entry["event"]["type"] == kind);
            entry["call_id"] == now.as_str()
        };
        self.server.api.event("the call after it", until_now).await;
        self.vendors.end_at_carrier(&sid).await;
        self.server.api.ended(&now).await;
        count
    }

    /// Retell's id of the call that was registered.
    pub(super) async fn registered(&self) -> String {
        let registered = self.retell.log().wait_for(|entry| entry.event == "registered");
        soon("a registration", registered).await.about.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

#[tokio::test]
async fn a_call_is_handed_over_and_told_by_webhooks_in_any_order() {
    let world = World::start("retell:agent_1", "say Hello from the vendor.\nsilent for 1s\nhang up").await;
    let sid = world.vendors.ring("silent").await;
    let retell_id = world.registered().await;
    let call = world.server.api.call_of(&sid).await;
    world.vendors.twilio_saw("the two talking", |entry| entry.event == "bridged").await;
    let transcript = json!([["agent", "Hello."], ["user", "Hi."], ["agent", "Good"]]);
    world
        .tell(&format!("calls/{retell_id}/tell"), &json!({"events": ["transcript_updated"], "transcript": transcript}))
        .await;
    world.vendors.call_ended(&sid).await;
    let ended = world.server.api.ended(&call).await;
    assert_eq!((&ended["disposition"], &ended["agent"]), (&json!("completed"), &json!("retell:agent_1")), "{ended}");
    // Out of order, twice, and after the end.
    let events = json!(["call_analyzed", "call_ended", "call_started", "call_analyzed"]);
    let transcript = json!([["agent", "Hello."], ["user", "Hi."], ["agent", "Goodbye."]]);
    world.tell(&format!("calls/{retell_id}/tell"), &json!({"events": events, "transcript": transcript})).await;
    for entry in world.retell.log().since(0).iter().filter(|entry| entry.event == "webhook") {
        assert_eq!(entry.detail["status"], 204, "{entry:?}");
    }
    let transcript = world.server.api.get(&format!("/api/v1/calls/{call}/transcript")).await.body;
    let texts: Vec<_> = transcript["lines"]
        .as_array()
        .unwrap_or_else(|| transcript.as_array().unwrap())
        .iter()
        .map(|line| line["text"].clone())
        .collect();
    assert_eq!(texts, ["Hello.", "Hi.", "Goodbye."], "{transcript}");
    let analysed = world.server.api.event_of(&call, "conversation_analysed").await;
    assert_eq!(analysed["conversation_id"], retell_id);
    assert_eq!(world.server.api.event_of(&call, "handed_over").await["conversation_id"], retell_id);
}

#[tokio::test]
async fn what_the_caller_says_to_retell_opts_them_out() {
    let world = World::start("retell:agent_1", "silent").await;
    let sid = world.vendors.ring("silent").await;
    let retell_id = world.registered().await;
    world.vendors.twilio_saw("the two talking", |entry| entry.event == "bridged").await;
    let transcript = json!([["user", "Please stop calling me."], ["agent", "Of"]]);
    world
        .tell(&format!("calls/{retell_id}/tell"), &json!({"events": ["transcript_updated"], "transcript": transcript}))
        .await;
    world.vendors.call_ended(&sid).await;
    let ended = world.server.api.ended(&world.server.api.call_of(&sid).await).await;
    assert_eq!(ended["disposition"], "opted_out", "{ended}");
}

#[tokio::test]
async fn a_vendor_that_refuses_or_does_not_pick_up_is_replaced_or_regretted() {
    for (vendors_side, refuse) in [("busy", 0), ("silent", 1)] {
        let world = World::start("retell:agent_1 | elevenlabs:agent_echo", vendors_side).await;
        world.tell("faults", &json!({"refuse_register": refuse})).await;
        let sid = world.vendors.ring("silent").await;
        world.vendors.agent_answered().await;
        let call = world.server.api.call_of(&sid).await;
        world.vendors.end_at_carrier(&sid).await;
        let ended = world.server.api.ended(&call).await;
        assert_eq!((&ended["disposition"], &ended["agent"]), (&json!("completed"), &json!("elevenlabs:agent_echo")));
    }
    let world = World::start("retell:agent_1", "busy").await;
    let sid = world.vendors.ring("silent").await;
    world.vendors.said(&sid, APOLOGY).await;
    world.vendors.call_ended(&sid).await;
    let ended = world.server.api.ended(&world.server.api.call_of(&sid).await).await;
    assert_eq!(ended["disposition"], "agent_failed", "{ended}");
}

#[tokio::test]
async fn an_agent_at_retell_is_told_things_and_what_needs_the_audio_is_refused() {
    let own = [("TRANSFERS__TARGETS", "sales=+12125550140")];
    let world = World::start_with("retell:agent_1", "silent", &own).await;
    let sid = world.vendors.ring("silent").await;
    let retell_id = world.registered().await;
    world.vendors.twilio_saw("the two talking", |entry| entry.event == "bridged").await;
    let api = &world.server.api;
    let call = api.call_of(&sid).await;
    assert_eq!(api.get(&format!("/api/v1/calls/{call}")).await.body["at_vendor"], true);
    for (kind, is_answered) in [("context", false), ("user_message", true)] {
        let message = json!({"text": "They are a gold customer.", "kind": kind});
        let answer = api.post(&format!("/api/v1/calls/{call}/message"), &message).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let control = json!({"additional_context": "They are a gold customer.", "trigger_response": is_answered});
        let is_it = |entry: &Entry| entry.is("updated", &retell_id) && entry.detail["call_control"] == control;
        soon("the message at Retell", world.retell.log().wait_for(is_it)).await;
        api.event("the message in the journal", |entry| {
            entry["event"]["type"] == "agent_messaged" && entry["event"]["kind"] == kind
        })
        .await;
    }
    for step in ["mute", "hold"] {
        let answer = api.post(&format!("/api/v1/calls/{call}/{step}"), &json!({})).await;
        assert_eq!(
            (answer.status, answer.body["type"].as_str()),
            (409, Some("https://clearline.invalid/problems/at-vendor"))
        );
    }
    // A transfer that the carrier refuses leaves the call where it is.
    world.vendors.break_twilio(json!({"refuse_updates": 1})).await;
    let refused = api.post(&format!("/api/v1/calls/{call}/transfer"), &json!({"to": "sales"})).await;
    assert_eq!(refused.status, 502, "{}", refused.body);
    assert_eq!(api.get(&format!("/api/v1/calls/{call}")).await.body["at_vendor"], true);
    // The vendor lost the call: whoever tells the agent something learns that it was not told.
    world.tell(&format!("calls/{retell_id}/tell"), &json!({"events": ["call_ended"], "silently": true})).await;
    let answer = api.post(&format!("/api/v1/calls/{call}/message"), &json!({"text": "Too late."})).await;
    assert_eq!(answer.status, 502, "{}", answer.body);
    // A carrier that does not end the call sees the other leg go.
    world.vendors.break_twilio(json!({"refuse_updates": 1})).await;
    assert_eq!(api.post(&format!("/api/v1/calls/{call}/end"), &json!({})).await.status, 202);
    soon("the end at Retell", world.retell.log().wait_for(|entry| entry.is("stopped", &retell_id))).await;
    world.vendors.end_at_carrier(&sid).await;
    assert_eq!(api.ended(&call).await["at_vendor"], false);
}

#[tokio::test]
async fn what_is_said_at_retell_is_followed_without_webhooks() {
    let world = World::start("retell:agent_1", "silent").await;
    world.tell("webhook", &json!({"url": null})).await;
    let sid = world.vendors.ring("silent").await;
    let retell_id = world.registered().await;
    let api = &world.server.api;
    let call = api.call_of(&sid).await;
    let path = format!("calls/{retell_id}/tell");
    // Until the call is live there, the socket is closed and opened again.
    let is_early = |entry: &Entry| entry.event == "monitored" && entry.detail["status"] == "registered";
    soon("a look too early", world.retell.log().wait_for(is_early)).await;
    let news = |lines: &Value| json!({"events": ["transcript_updated"], "transcript": lines});
    world.tell(&path, &news(&json!([["agent", "Hello."]]))).await;
    let is_live = |entry: &Entry| entry.event == "monitored" && entry.detail["status"] == "ongoing";
    soon("the socket", world.retell.log().wait_for(is_live)).await;
    world.tell(&path, &news(&json!([["agent", "Hello."], ["user", "Please"]]))).await;
    assert_eq!(api.event_of(&call, "agent_said").await["text"], "Hello.");
    world.tell(&path, &news(&json!([["agent", "Hello."], ["user", "Please stop calling me."], ["agent", "Of"]]))).await;
    world.vendors.call_ended(&sid).await;
    assert_eq!(api.ended(&call).await["disposition"], "opted_out");
    assert_eq!(world.lines(&call).await, ["Hello.", "Please stop calling me."]);
}

#[tokio::test]
async fn an_operator_brings_a_call_from_retell_and_hands_it_back() {
    let world = World::start("retell:agent_1", "silent").await;
    let sid = world.vendors.ring("wait for stream\necho").await;
    let retell_id = world.registered().await;
    world.vendors.twilio_saw("the two talking", |entry| entry.event == "bridged").await;
    let api = &world.server.api;
    let call = api.call_of(&sid).await;
    world
        .tell(
            &format!("calls/{retell_id}/tell"),
            &json!({"events": ["transcript_updated"],
        "transcript": [["agent", "Hello."], ["user", "A person, please."], ["agent", "One"]]}),
        )
        .await;
    for round in 1..=2 {
        let mut operator = api.socket(&format!("/api/v1/calls/{call}/take-over")).await.unwrap();
        let mut taken = 0;
        let is_it = |entry: &Value| {
            taken += usize::from(entry["event"]["type"] == "taken_over");
            taken == round
        };
        api.event("the take-over", is_it).await;
        assert!(api.socket(&format!("/api/v1/calls/{call}/take-over")).await.is_err(), "one at a time");
        let both_ways = async {
            let voice = [&[3_u8][..], &[0x2A; 160]].concat();
            loop {
                operator.send(Message::binary(voice.clone())).await.unwrap();
                let heard = operator.next().await.unwrap().unwrap().into_data();
                if heard.first() == Some(&0) && heard[1..].contains(&0x2A) {
                    return;
                }
            }
        };
        soon("the operator's voice back from the caller", both_ways).await;
        assert_eq!(api.get(&format!("/api/v1/calls/{call}")).await.body["at_vendor"], false);
        operator.close(None).await.unwrap();
        let times = std::cell::Cell::new(0);
        let is_it = |entry: &Entry| entry.event == "registered" && times.replace(times.get() + 1) == round;
        let again = soon("the call at Retell again", world.retell.log().wait_for(is_it)).await.about.unwrap();
        let bridged = std::cell::Cell::new(0);
        let is_it = |entry: &Entry| entry.event == "bridged" && bridged.replace(bridged.get() + 1) == round;
        world.vendors.twilio_saw("the two talking again", is_it).await;
        let known = format!("{}/v2/get-call/{again}", world.retell.base_url());
        let known: Value = world.http.get(known).bearer_auth(KEY).send().await.unwrap().json().await.unwrap();
        let so_far = known["retell_llm_dynamic_variables"]["so_far"].as_str().unwrap();
        assert!(so_far.contains("handed the call back") && so_far.contains("A person, please."), "{so_far}");
        assert_eq!(api.get(&format!("/api/v1/calls/{call}")).await.body["at_vendor"], true);
    }
    world.vendors.end_at_carrier(&sid).await;
    assert_eq!(api.ended(&call).await["disposition"], "completed");
}

#[tokio::test]
async fn an_unsigned_webhook_is_refused() {
    let world = World::start("retell:agent_1", "silent").await;
    let body = r#"{"event":"call_ended","call":{"call_id":"c1"}}"#;
    for signature in
        ["", "v=1,d=00", "v=1700000000000,d=bf69837085efe4ac773a8f298317644ed7202878610a05ce473627efc9dc99f1"]
    {
        let url = format!("{}/webhooks/retell", world.server.base);
        let request = world.http.post(url).header("x-retell-signature", signature).body(body);
        assert_eq!(request.send().await.unwrap().status(), 401, "{signature}");
    }
}

#[tokio::test]
async fn what_no_webhook_told_is_asked_for_after_the_call_and_written_once() {
    let world = World::start("retell:agent_1", "say Hello from the vendor.\nsilent for 1s\nhang up").await;
    let sid = world.vendors.ring("silent").await;
    let retell_id = world.registered().await;
    let call = world.server.api.call_of(&sid).await;
    world.vendors.call_ended(&sid).await;
    let told = json!({"events": ["call_ended", "call_analyzed"], "transcript": [["agent", "Hello."], ["user", "Hi."]], "silently": true});
    world.tell(&format!("calls/{retell_id}/tell"), &told).await;
    world.server.api.ended(&call).await;
    let analysed = world.server.api.event_of(&call, "conversation_analysed").await;
    assert_eq!(analysed["conversation_id"], retell_id);
    // The webhooks come after all.
    let late = json!({"events": ["call_ended", "call_analyzed"], "transcript": [["agent", "Hello."], ["user", "Hi."]]});
    world.tell(&format!("calls/{retell_id}/tell"), &late).await;
    assert_eq!(world.lines(&call).await, ["Hello.", "Hi."]);
    let count = world.events(&call, "conversation_analysed").await;
    assert_eq!(count, 1);
}

#[tokio::test]
async fn what_happened_while_the_server_was_down_is_asked_for_at_its_start() {
    let mut world = World::start("retell:agent_1", "say Hello from the vendor.\nsilent for 1s\nhang up").await;
    let sid = world.vendors.ring("silent").await;
    let retell_id = world.registered().await;
    let call = world.server.api.call_of(&sid).await;
    world.vendors.call_ended(&sid).await;
    world.server.api.ended(&call).await;
    world.server.kill();
    let told = json!({"events": ["call_ended", "call_analyzed"], "transcript": [["agent", "Hello."], ["user", "Please stop calling me."]], "silently": true});
    world.tell(&format!("calls/{retell_id}/tell"), &told).await;
    world.server.start_again().await;
    world.server.api.event_of(&call, "conversation_analysed").await;
    assert_eq!(world.lines(&call).await, ["Hello.", "Please stop calling me."]);
}

#[tokio::test]
async fn a_call_at_retell_outlasts_a_restart() {
    let proxy = Proxy::start().await;
    let own = [("CALLS__RESUME_WAIT_S", "1"), ("SERVER__PUBLIC_URL", proxy.base.as_str())];
    let mut world = World::start_with("retell:agent_1", "silent", &own).await;
    proxy.lead_to(Some(&world.server.base));
    world.vendors.lead_to(&proxy.base).await;
    let sid = world.vendors.ring("silent").await;
    world.registered().await;
    let call = world.server.api.call_of(&sid).await;
    world.vendors.twilio_saw("the two talking", |entry| entry.event == "bridged").await;
    restart::kill(&proxy, &mut world.server);
    world.server.start_again().await;
    proxy.lead_to(Some(&world.server.base));
    // The carrier has no reason to come back: nobody waits for it, and the call is messaged and ended as before.
    let message = json!({"text": "They are a gold customer."});
    assert_eq!(world.server.api.post(&format!("/api/v1/calls/{call}/message"), &message).await.status, 202);
    world.vendors.end_at_carrier(&sid).await;
    let story = world.server.api.story(&call).await;
    assert!(!story.iter().any(|event| event["type"] == "resume_awaited"), "{story:?}");
    assert_eq!(story.last().unwrap()["disposition"], "completed");
}

#[tokio::test]
async fn the_retired_audio_socket_carries_a_call_in_both_of_its_protocols() {
    for protocol in ["twilio", "web"] {
        let own = [("AGENTS__RETELL__MODE", "audio-websocket"), ("AGENTS__RETELL__PROTOCOL", protocol)];
        let world = World::start_with("retell:agent_1", "busy", &own).await;
        let sid = world.vendors.ring("barge in after 200ms of agent speech: Wait a moment please.\nsilent").await;
        let retell_id = world.registered().await;
        let call = world.server.api.call_of(&sid).await;
        soon("the interruption", world.retell.log().wait_for(|entry| entry.event == "interrupted")).await;
        let connected = world.server.api.event_of(&call, "agent_connected").await;
        assert_eq!(connected["conversation_id"], retell_id, "{protocol}");
        world.server.api.event_of(&call, "barge_in").await;
        world.server.api.event_of(&call, "turn_heard").await;
        world.vendors.end_at_carrier(&sid).await;
        let ended = world.server.api.ended(&call).await;
        assert_eq!((&ended["disposition"], &ended["counters"]["malformed_messages"]), (&json!("completed"), &json!(0)));
        soon("the end at Retell", world.retell.log().wait_for(|entry| entry.event == "closed")).await;
        if protocol == "web" {
            assert_eq!(world.events(&call, "agent_said").await, 1, "the words so far were told");
        }
    }
}

#[tokio::test]
async fn a_retired_audio_socket_that_fails_is_replaced() {
    for (protocol, agent) in
        [("twilio", "agent_refuse"), ("web", "agent_refuse"), ("web", "agent_garbage"), ("web", "agent_drop")]
    {
        let own = [("AGENTS__RETELL__MODE", "audio-websocket"), ("AGENTS__RETELL__PROTOCOL", protocol)];
        let world = World::start_with(&format!("retell:{agent} | elevenlabs:agent_echo"), "busy", &own).await;
        let sid = world.vendors.ring("silent").await;
        world.vendors.agent_answered().await;
        let call = world.server.api.call_of(&sid).await;
        world.vendors.end_at_carrier(&sid).await;
        let ended = world.server.api.ended(&call).await;
        assert_eq!(
            (&ended["disposition"], &ended["agent"]),
            (&json!("completed"), &json!("elevenlabs:agent_echo")),
            "{agent}"
        );
    }
}
