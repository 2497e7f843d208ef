//! The emulators run against each other over real sockets, with a minimal product between them.

mod product;

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::product::{Answering, Product};
use super::elevenlabs::{AgentConfig, WebhookConfig};
use super::speech;
use super::{ElevenLabsEmulator, ElevenLabsEmulatorConfig, Entry, Running, TwilioEmulator, TwilioEmulatorConfig};
use crate::domain::Secret;

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const FROM: &str = "+12125550100";
const TO: &str = "+12125550113";

/// Far beyond what any of this takes: reached only when something hangs.
const LIMIT: Duration = Duration::from_mins(1);

struct World {
    twilio: Running,
    product: Product,
    http: reqwest::Client,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl World {
    async fn new(answering: Answering) -> Self {
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let twilio = TwilioEmulator::start(TwilioEmulatorConfig::default(), &tracker, shutdown.clone()).await.unwrap();
        let product = Product::start(answering, &tracker, shutdown.clone()).await;
        Self { twilio, product, http: reqwest::Client::new(), tracker, shutdown }
    }

    fn calls(&self, rest: &str) -> String {
        format!("{}/2010-04-01/Accounts/{ACCOUNT}/Calls{rest}.json", self.twilio.base_url())
    }

    async fn post(&self, url: String, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.http.post(url).basic_auth(ACCOUNT, Some("emulated-auth-token")).form(form);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    /// Places a call and returns its SID.
    async fn call(&self, more: &[(&str, &str)]) -> String {
        let voice = self.product.url("/voice");
        let status = self.product.url("/status");
        let mut form = vec![("To", TO), ("From", FROM), ("Url", &voice), ("StatusCallback", &status)];
        form.extend(["initiated", "ringing", "answered", "completed"].map(|event| ("StatusCallbackEvent", event)));
        form.extend(more);
        let (code, call) = self.post(self.calls(""), &form).await;
        assert_eq!((code, call["status"].as_str()), (201, Some("queued")), "{call}");
        call["sid"].as_str().unwrap().to_owned()
    }

    async fn phone(&self, script: &str) {
        self.control("phones", &json!({"number": TO, "script": script})).await;
    }

    async fn control(&self, what: &str, body: &Value) -> Value {
        let url = format!("{}/_emulator/{what}", self.twilio.base_url());
        let response = self.http.post(url).json(body).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
        response.json().await.unwrap_or_default()
    }

    async fn entry(&self, fits: impl Fn(&Entry) -> bool) -> Entry {
        let waited = tokio::time::timeout(LIMIT, self.twilio.log().wait_for(fits)).await;
        waited.unwrap_or_else(|_| panic!("it never happened; the log: {:#?}", self.twilio.log().since(0)))
    }

    /// The call's last status callback was delivered.
    async fn over(&self, sid: &str) -> Entry {
        self.entry(|entry| {
            let over = ["completed", "busy", "no-answer", "failed", "canceled"];
            entry.is("webhook", sid)
                && entry.text("purpose") == Some("status")
                && over.contains(&entry.detail["params"]["CallStatus"].as_str().unwrap_or_default())
        })
        .await
    }

    async fn heard(&self, sid: &str) -> Vec<u8> {
        let url = format!("{}/_emulator/calls/{sid}/heard", self.twilio.base_url());
        self.http.get(url).send().await.unwrap().bytes().await.unwrap().to_vec()
    }

    /// Everything ends when it is told to.
    async fn end(self) {
        self.shutdown.cancel();
        self.tracker.close();
        tokio::time::timeout(LIMIT, self.tracker.wait()).await.expect("a task is left");
    }
}

fn warnings(world: &World, sid: &str) -> Vec<u64> {
    let log = world.twilio.log().since(0);
    log.iter().filter(|entry| entry.is("warning", sid)).filter_map(|entry| entry.detail["code"].as_u64()).collect()
}

#[tokio::test]
async fn an_outbound_call_is_echoed_byte_for_byte_and_hung_up_by_rest() {
    let world = World::new(Answering::Echo).await;
    world.phone("answer after 20ms\nwait for stream\npattern").await;
    let recordings = world.product.url("/recording");
    let sid = world.call(&[("Record", "true"), ("RecordingStatusCallback", &recordings)]).await;
    world.entry(|entry| entry.is("mark", &sid) && entry.text("name") == Some("frame-30")).await;
    let (code, call) = world.post(world.calls(&format!("/{sid}")), &[("Status", "completed")]).await;
    assert_eq!(
        (code, call["status"].as_str(), call["direction"].as_str()),
        (200, Some("completed"), Some("outbound-api"))
    );
    world.over(&sid).await;

    let heard = world.heard(&sid).await;
    assert!(heard.len() >= 30 * 160, "{} bytes", heard.len());
    assert_eq!(heard, speech::pattern(0, heard.len()));
    let statuses: Vec<(String, String)> = world.product.forms("/status", "CallStatus", "SequenceNumber");
    let expected = [("initiated", "0"), ("ringing", "1"), ("in-progress", "2"), ("completed", "3")];
    assert_eq!(statuses, expected.map(|(status, number)| (status.to_owned(), number.to_owned())));
    let recorded = world.product.forms("/recording", "RecordingStatus", "RecordingSource");
    assert_eq!(recorded, [("completed".to_owned(), "OutboundAPI".to_owned())]);
    let media = world.product.media();
    assert_eq!(media.first().map(String::as_str), Some("connected"));
    assert_eq!(media.last().map(String::as_str), Some("stop"), "the socket was closed by the book");
    assert_eq!(world.product.bad_signatures(), 0);
    let streams = world.product.forms("/stream", "StreamEvent", "CallSid");
    assert_eq!(streams, [("stream-started".to_owned(), sid.clone()), ("stream-stopped".to_owned(), sid.clone())]);
    assert_eq!(warnings(&world, &sid), [] as [u64; 0]);
    let (code, error) = world.post(world.calls(&format!("/{sid}")), &[("Status", "completed")]).await;
    assert_eq!((code, error["code"].as_u64()), (400, Some(21220)));
    world.end().await;
}

#[tokio::test]
async fn an_inbound_call_presses_keys_and_hangs_up() {
    let world = World::new(Answering::Echo).await;
    let (voice, status) = (world.product.url("/voice"), world.product.url("/status"));
    world.control("numbers", &json!({"number": FROM, "voice_url": voice, "status_callback": status})).await;
    let answer = world
        .control(
            "inbound",
            &json!({"from": TO, "to": FROM, "script": "wait for stream\npress 5#\nwait 100ms\nhang up"}),
        )
        .await;
    let sid = answer["call_sid"].as_str().unwrap().to_owned();
    world.over(&sid).await;
    assert_eq!(
        world.product.forms("/voice", "CallStatus", "Direction"),
        [("ringing".to_owned(), "inbound".to_owned())]
    );
    assert_eq!(
        world.product.forms("/status", "CallStatus", "SequenceNumber"),
        [("completed".to_owned(), "0".to_owned())]
    );
    let keys: Vec<String> = world.product.media().into_iter().filter(|event| event.starts_with("dtmf")).collect();
    assert_eq!(keys, ["dtmf 5", "dtmf #"]);
    world.end().await;
}

#[tokio::test]
async fn a_closed_socket_falls_through_to_the_next_verb() {
    let world = World::new(Answering::CloseAtOnce).await;
    world.phone("silent").await;
    let sid = world.call(&[]).await;
    world.over(&sid).await;
    assert_eq!(warnings(&world, &sid), [31921]);
    let verbs: Vec<String> = (world.twilio.log().since(0).iter())
        .filter(|entry| entry.is("verb", &sid))
        .filter_map(|entry| entry.text("verb").map(str::to_owned))
        .collect();
    assert_eq!(verbs, ["Connect", "Say"]);
    let streams = world.product.forms("/stream", "StreamEvent", "CallSid");
    let events: Vec<&str> = streams.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, ["stream-started", "stream-error", "stream-stopped"]);
    world.end().await;
}

#[tokio::test]
async fn misuse_of_the_stream_is_a_warning_once() {
    let world = World::new(Answering::Misuse).await;
    world.phone("wait for stream\nwait 300ms\nhang up").await;
    let sid = world.call(&[]).await;
    world.over(&sid).await;
    let mut codes = warnings(&world, &sid);
    codes.sort_unstable();
    assert_eq!(codes, [31950, 31951]);
    world.end().await;
}

#[tokio::test]
async fn unanswered_calls_end_as_the_phone_says() {
    let world = World::new(Answering::Echo).await;
    for (script, status) in [("busy", "busy"), ("no answer after 20ms", "no-answer"), ("fail 503", "failed")] {
        world.phone(script).await;
        let sid = world.call(&[]).await;
        assert_eq!(world.over(&sid).await.detail["params"]["CallStatus"], json!(status));
    }
    world.phone("answer after 3600s").await;
    let sid = world.call(&[]).await;
    world.entry(|entry| entry.is("status", &sid) && entry.text("status") == Some("ringing")).await;
    let (_, call) = world.post(world.calls(&format!("/{sid}")), &[("Status", "canceled")]).await;
    assert_eq!(call["status"], json!("canceled"));
    world.end().await;
}

#[tokio::test]
async fn a_machine_is_told_beside_the_call() {
    let world = World::new(Answering::Echo).await;
    world.phone("machine\nsay You have reached my voicemail. Please leave a message after the tone.\nhang up").await;
    let callback = world.product.url("/amd");
    let detection =
        [("MachineDetection", "Enable"), ("AsyncAmd", "true"), ("AsyncAmdStatusCallback", callback.as_str())];
    let sid = world.call(&detection).await;
    world.over(&sid).await;
    assert_eq!(world.product.forms("/amd", "AnsweredBy", "CallSid"), [("machine_start".to_owned(), sid.clone())]);
    world.end().await;
}

#[tokio::test]
async fn faults_come_when_they_are_asked_for() {
    let world = World::new(Answering::Echo).await;
    world.phone("silent").await;
    let faults = json!({"duplicate_callbacks": true, "reorder_callbacks": true, "rate_limit_creates": 1, "fail_creates": 1,
                        "replay_voice_webhooks": 1, "drop_media_after_ms": 200, "wrong_stream_signatures": 0});
    world.control("faults", &faults).await;
    let form = [("To", TO), ("From", FROM), ("Url", "http://127.0.0.1:9/")];
    let (code, error) = world.post(world.calls(""), &form).await;
    assert_eq!((code, error["code"].as_u64(), error["status"].as_u64()), (429, Some(20429), Some(429)));
    assert_eq!(world.post(world.calls(""), &form).await.0, 503);
    let sid = world.call(&[]).await;
    world.entry(|entry| entry.is("stream_ended", &sid) && entry.text("why") == Some("dropped on demand")).await;
    world.over(&sid).await;
    world.entry(|entry| entry.is("webhook", &sid) && entry.detail["params"]["SequenceNumber"] == json!("2")).await;
    let statuses: Vec<String> =
        world.product.forms("/status", "CallStatus", "CallSid").into_iter().map(|form| form.0).collect();
    let first_six = ["ringing", "ringing", "initiated", "initiated", "completed", "completed"];
    assert_eq!(statuses[..6], first_six);
    assert_eq!(world.product.forms("/voice", "CallSid", "CallSid").len(), 2);
    assert!(!world.product.media().contains(&"stop".to_owned()));
    world.end().await;
}

#[tokio::test]
async fn wrong_requests_get_twilios_own_errors() {
    let world = World::new(Answering::Echo).await;
    let voice = world.product.url("/voice");
    for (form, code) in [
        (vec![("From", FROM), ("Url", voice.as_str())], 21201),
        (vec![("To", TO), ("Url", voice.as_str())], 21213),
        (vec![("To", "12125550113"), ("From", FROM), ("Url", voice.as_str())], 21211),
        (vec![("To", TO), ("From", "x"), ("Url", voice.as_str())], 21212),
        (vec![("To", TO), ("From", FROM)], 21205),
        (vec![("To", TO), ("From", FROM), ("Url", "nowhere")], 21205),
    ] {
        let (http, error) = world.post(world.calls(""), &form).await;
        assert_eq!((http, error["code"].as_u64()), (400, Some(code)), "{error}");
    }
    let (http, error) = world.post(world.calls("/CA1"), &[("Status", "completed")]).await;
    assert_eq!((http, error["code"].as_u64()), (404, Some(20404)));
    let response = world.http.get(world.calls("")).basic_auth(ACCOUNT, Some("wrong")).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], json!(20003));
    world.end().await;
}

#[tokio::test]
async fn answers_can_be_lost_and_streams_can_go_wrong() {
    let world = World::new(Answering::Echo).await;
    world.phone("wait for stream\nwait 700ms\nhang up").await;
    let faults =
        json!({"lose_create_answers": 1, "wrong_signatures": 1, "garbage_after_ms": 100, "stop_reading_after_ms": 200});
    world.control("faults", &faults).await;
    let voice = world.product.url("/voice");
    let status = world.product.url("/status");
    let form = [("To", TO), ("From", FROM), ("Url", voice.as_str()), ("StatusCallback", status.as_str())];
    let request = world.http.post(world.calls("")).basic_auth(ACCOUNT, Some("emulated-auth-token")).form(&form);
    let lost = request.timeout(Duration::from_secs(2)).send().await;
    assert!(lost.is_err_and(|error| error.is_timeout()));
    let request = world.http.get(world.calls("")).basic_auth(ACCOUNT, Some("emulated-auth-token")).query(&[("To", TO)]);
    let made: Value = request.send().await.unwrap().json().await.unwrap();
    let sid = made["calls"][0]["sid"].as_str().expect("the call was made all the same").to_owned();
    world.over(&sid).await;
    assert_eq!(world.product.bad_signatures(), 1);
    assert!(world.product.media().contains(&"garbage".to_owned()));
    let ended = world.entry(|entry| entry.is("stream_ended", &sid)).await;
    let (received, sent) =
        (ended.detail["received_bytes"].as_u64().unwrap(), ended.detail["sent_frames"].as_u64().unwrap());
    assert!(received < 4_000 && sent >= 34, "{received} bytes read, {sent} frames sent");
    world.end().await;
}

#[tokio::test]
async fn documents_gather_keys_and_dial_on() {
    let world = World::new(Answering::Echo).await;
    world.phone("wait for agent to speak\npress 42\nwait for agent to finish\nwait 20s\nhang up").await;
    let other = json!({"number": "+12125550114", "script": "say Hello there\nwait 100ms\nhang up"});
    world.control("phones", &other).await;
    let (gathered, dialled, status) =
        (world.product.url("/twiml-keys"), world.product.url("/twiml-dial"), world.product.url("/status"));
    let place = async |twiml: String| {
        let form = [("To", TO), ("From", FROM), ("Twiml", twiml.as_str()), ("StatusCallback", status.as_str())];
        let (code, call) = world.post(world.calls(""), &form).await;
        assert_eq!(code, 201, "{call}");
        let sid = call["sid"].as_str().unwrap().to_owned();
        world.over(&sid).await;
        sid
    };
    let keys = format!(
        r#"<Response><Gather numDigits="2" action="{gathered}"><Say>Press some keys now</Say></Gather></Response>"#
    );
    place(keys).await;
    assert_eq!(
        world.product.forms("/twiml-keys", "Digits", "CallStatus"),
        [("42".to_owned(), "in-progress".to_owned())]
    );
    let dial = format!(r#"<Response><Dial action="{dialled}"><Number>+12125550114</Number></Dial></Response>"#);
    let sid = place(dial).await;
    let leg = world.product.forms("/twiml-dial", "DialCallStatus", "DialCallSid");
    assert_eq!(leg[0].0, "completed");
    assert_eq!(world.heard(&sid).await[160..][..4_000], speech::say("Hello there", speech::Voice::Caller)[..4_000]);
    let request = world.http.get(world.calls("")).basic_auth(ACCOUNT, Some("emulated-auth-token"));
    let list: Value = request.query(&[("ParentCallSid", &sid)]).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (list["calls"][0]["sid"].as_str(), list["calls"].as_array().map(Vec::len)),
        (Some(leg[0].1.as_str()), Some(1))
    );
    world.end().await;
}

async fn elevenlabs(world: &World, agents: Vec<AgentConfig>) -> Running {
    let webhook = WebhookConfig { url: world.product.url("/elevenlabs"), secret: Secret::new("wsec_test") };
    let config = ElevenLabsEmulatorConfig { agents, webhook: Some(webhook), ..ElevenLabsEmulatorConfig::default() };
    ElevenLabsEmulator::start(config, &world.tracker, world.shutdown.clone()).await.unwrap()
}

#[tokio::test]
async fn a_caller_talks_over_an_agent_that_then_calls_a_tool_and_ends_the_call() {
    let world = World::new(Answering::Agent).await;
    let script = "agent: one two three four five six seven eight nine ten\non barge-in: Right.\ncaller: Yes, this is a good time.\n\
                  tool: book {\"day\": \"Thursday\"}\nagent: Bye.\nend";
    let agent = AgentConfig {
        agent_id: "agent_1".to_owned(),
        script: script.to_owned(),
        private: true,
        ..AgentConfig::default()
    };
    let agents = elevenlabs(&world, vec![agent]).await;
    world.product.use_agents(&agents.base_url());
    world
        .phone(
            "barge in after 400ms of agent speech: Please stop calling me.\nwait for agent to finish\n\
             say Yes, this is a good time.\nwait for agent to finish\nwait 20s\nhang up",
        )
        .await;
    let sid = world.call(&[]).await;
    world.over(&sid).await;
    let ended = tokio::time::timeout(LIMIT, agents.log().wait_for(|entry| entry.event == "webhook")).await.unwrap();
    assert_eq!(ended.detail["status"], json!(200), "the post-call webhook was delivered and its signature right");

    let story: Vec<String> = (agents.log().since(0).iter())
        .filter(|entry| entry.event == "sent")
        .filter_map(|entry| entry.text("type").map(str::to_owned))
        .filter(|kind| kind != "tentative_user_transcript" && kind != "agent_response_complete")
        .collect();
    assert_eq!(
        story,
        [
            "conversation_initiation_metadata",
            "agent_response",
            "interruption",
            "agent_response_correction",
            "user_transcript",
            "agent_response",
            "user_transcript",
            "agent_tool_request",
            "client_tool_call",
            "agent_tool_response",
            "agent_response",
            "agent_tool_response",
        ]
    );
    let transcripts: Vec<String> = (agents.log().since(0).iter())
        .filter(|entry| entry.text("type") == Some("user_transcript"))
        .filter_map(|entry| {
            let text = &entry.detail["message"]["user_transcription_event"]["user_transcript"];
            text.as_str().map(str::to_owned)
        })
        .collect();
    assert_eq!(transcripts, ["Please stop calling me.", "Yes, this is a good time."], "recognised by their sound");
    let cleared = world.entry(|entry| entry.is("clear", &sid)).await;
    assert!(cleared.detail["discarded_bytes"].as_u64().unwrap() > 8_000, "most of the turn was not played");
    let conversation = world.product.forms("/elevenlabs", "type", "status");
    assert_eq!(conversation, [("post_call_transcription".to_owned(), "done".to_owned())]);
    assert_eq!(warnings(&world, &sid), [31921], "this product ends the call by closing the socket");
    world.end().await;
}

#[tokio::test]
async fn an_echo_agent_returns_what_it_hears_through_both_emulators() {
    let world = World::new(Answering::Agent).await;
    let agent = AgentConfig { agent_id: "agent_1".to_owned(), script: "echo".to_owned(), ..AgentConfig::default() };
    let agents = elevenlabs(&world, vec![agent]).await;
    world.product.use_agents(&agents.base_url());
    world.phone("wait for stream\npattern for 1s\nwait 300ms\nhang up").await;
    let sid = world.call(&[]).await;
    world.over(&sid).await;
    let heard = world.heard(&sid).await;
    assert_eq!(heard[..8_000], speech::pattern(0, 8_000));
    world.end().await;
}

#[tokio::test]
async fn a_private_agent_wants_a_signed_url_and_misuse_closes_the_socket() {
    let world = World::new(Answering::Echo).await;
    let agent = AgentConfig { agent_id: "agent_1".to_owned(), private: true, ..AgentConfig::default() };
    let agents = elevenlabs(&world, vec![agent]).await;
    let http = agents.base_url();
    let socket = http.replacen("http", "ws", 1) + "/v1/convai/conversation?agent_id=agent_1";
    let refused = tokio_tungstenite::connect_async(&socket).await.unwrap_err();
    assert!(matches!(refused, tokio_tungstenite::tungstenite::Error::Http(response) if response.status() == 403));

    let signed = format!("{http}/v1/convai/conversation/get-signed-url?agent_id=agent_1");
    assert_eq!(world.http.get(&signed).send().await.unwrap().status(), 401);
    let answer: Value =
        world.http.get(&signed).header("xi-api-key", "emulated-api-key").send().await.unwrap().json().await.unwrap();
    for (message, code, reason) in [
        (
            json!({"type": "conversation_initiation_client_data", "conversation_config_override": {"agent": {"language": "de"}}}),
            1008,
            "Override",
        ),
        (
            json!({"type": "conversation_initiation_client_data", "dynamic_variables": {"system__x": "y"}}),
            1008,
            "dynamic variable",
        ),
        (json!({"type": "nonsense"}), 1008, "invalid_message"),
    ] {
        let closed = product::talk_once(answer["signed_url"].as_str().unwrap(), &message).await;
        assert_eq!(closed.0, code, "{message}");
        assert!(closed.1.starts_with(reason), "{closed:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn an_agent_goes_wrong_when_it_is_told_to() {
    let world = World::new(Answering::Echo).await;
    let agent = AgentConfig { agent_id: "agent_1".to_owned(), ..AgentConfig::default() };
    let agents = elevenlabs(&world, vec![agent]).await;
    let set = async |faults: Value| {
        let url = format!("{}/_emulator/faults", agents.base_url());
        assert_eq!(world.http.post(url).json(&faults).send().await.unwrap().status(), 200, "{faults}");
    };
    let socket = agents.base_url().replacen("http", "ws", 1) + "/v1/convai/conversation?agent_id=agent_1";
    let hello = json!({"type": "conversation_initiation_client_data"});
    set(json!({"close_after_ms": 50, "close_code": 1002, "close_reason": "llm_timeout"})).await;
    assert_eq!(product::talk_once(&socket, &hello).await, (1002, "llm_timeout".to_owned()));
    set(json!({"drop_after_ms": 50})).await;
    assert_eq!(product::talk_once(&socket, &hello).await, (0, String::new()));
    set(json!({"refuse_by_close": 1})).await;
    assert_eq!(product::talk_once(&socket, &hello).await.0, 1008);
    set(json!({"refuse_upgrades": 1, "rate_limit_requests": 1})).await;
    let refused = tokio_tungstenite::connect_async(&socket).await.unwrap_err();
    assert!(matches!(refused, tokio_tungstenite::tungstenite::Error::Http(response) if response.status() == 503));
    let voices = world.http.get(format!("{}/v2/voices", agents.base_url())).header("xi-api-key", "emulated-api-key");
    assert_eq!(voices.send().await.unwrap().status(), 429);
    world.end().await;
}
