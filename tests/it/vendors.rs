//! The emulated vendors of one test, in this process, so that tests can wait for what happens there.

use clearline::domain::Secret;
use clearline::emulators::{
    ElevenLabsEmulator, ElevenLabsEmulatorConfig, Entry, Running, TwilioEmulator, TwilioEmulatorConfig,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ACCOUNT, AUTH_TOKEN, OFFICE, VISITOR, books, soon};

pub(super) struct Vendors {
    pub twilio: Running,
    pub elevenlabs: Running,
    http: reqwest::Client,
    shutdown: CancellationToken,
}

impl Vendors {
    pub(super) async fn start() -> Self {
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let twilio = TwilioEmulatorConfig {
            account_sid: ACCOUNT.to_owned(),
            auth_token: Secret::new(AUTH_TOKEN),
            say_percent: 10,
            ..TwilioEmulatorConfig::default()
        };
        let twilio = TwilioEmulator::start(twilio, &tracker, shutdown.clone()).await.unwrap();
        let agents = ElevenLabsEmulatorConfig::default();
        let elevenlabs = ElevenLabsEmulator::start(agents, &tracker, shutdown.clone()).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { twilio, elevenlabs, http, shutdown }
    }

    /// Sends calls to our number to this server.
    pub(super) async fn lead_to(&self, server: &str) {
        let body = json!({
            "number": OFFICE,
            "voice_url": format!("{server}/webhooks/voice"),
            "status_callback": format!("{server}/webhooks/status-callback"),
        });
        self.tell_twilio("numbers", &body).await;
    }

    /// Somebody calls our number and behaves like this. Returns Twilio's id of the call.
    pub(super) async fn ring(&self, script: &str) -> String {
        self.ring_from(VISITOR, script).await
    }

    /// The same, from this number.
    pub(super) async fn ring_from(&self, number: &str, script: &str) -> String {
        let answer = self.tell_twilio("inbound", &json!({"from": number, "to": OFFICE, "script": script})).await;
        answer["call_sid"].as_str().unwrap().to_owned()
    }

    /// How somebody behaves whom we call.
    pub(super) async fn seat(&self, number: &str, script: &str) {
        self.tell_twilio("phones", &json!({"number": number, "script": script})).await;
    }

    /// What Twilio Lookup knows of a number.
    pub(super) async fn know(&self, record: Value) {
        self.tell_twilio("lookups", &record).await;
    }

    /// How often Twilio Lookup was asked.
    pub(super) fn lookups(&self) -> usize {
        self.twilio.log().since(0).iter().filter(|entry| entry.event == "lookup").count()
    }

    pub(super) async fn break_twilio(&self, faults: Value) {
        self.tell_twilio("faults", &faults).await;
    }

    pub(super) async fn break_agents(&self, faults: Value) {
        let url = format!("{}/_emulator/faults", self.elevenlabs.base_url());
        let answer = self.http.post(url).json(&faults).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// An agent with a script of its own. Returns the name by which our settings know it.
    pub(super) async fn create_agent(&self, script: &str) -> String {
        self.create_agent_with(script, &json!({}), &json!({})).await
    }

    /// The same, with settings of the agent's own and the overrides that it allows.
    pub(super) async fn create_agent_with(&self, script: &str, settings: &Value, overrides: &Value) -> String {
        let body = json!({
            "tags": [format!("script:{script}")],
            "conversation_config": {"asr": {"user_input_audio_format": "ulaw_8000"},
                "tts": {"agent_output_audio_format": "ulaw_8000"}, "agent": settings},
            "platform_settings": {"overrides": {"conversation_config_override": {"agent": overrides}}},
        });
        let url = format!("{}/v1/convai/agents/create", self.elevenlabs.base_url());
        let request = self.http.post(url).header("xi-api-key", "emulated-api-key").json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        format!("elevenlabs:{}", answer["agent_id"].as_str().unwrap_or_else(|| panic!("{answer}")))
    }

    async fn tell_twilio(&self, what: &str, body: &Value) -> Value {
        let url = format!("{}/_emulator/{what}", self.twilio.base_url());
        let answer = self.http.post(url).json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{what}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What the phone of a call heard, µ-law, without the pauses.
    pub(super) async fn heard(&self, sid: &str) -> Vec<u8> {
        let url = format!("{}/_emulator/calls/{sid}/heard", self.twilio.base_url());
        self.http.get(url).send().await.unwrap().bytes().await.unwrap().to_vec()
    }

    /// A call that some server asked the carrier for, long ago. Returns Twilio's id of it.
    pub(super) async fn dial(&self, to: &str) -> String {
        let url = format!("{}/2010-04-01/Accounts/{ACCOUNT}/Calls.json", self.twilio.base_url());
        // Its server is gone: nobody's books hold its decision any more.
        let gone = books::note_address("http://127.0.0.1:1");
        let url_of_its_server = format!("{gone}/webhooks/voice");
        let form = [("To", to), ("From", OFFICE), ("Url", url_of_its_server.as_str())];
        let request = self.http.post(url).basic_auth(ACCOUNT, Some(AUTH_TOKEN)).form(&form);
        let call: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        call["sid"].as_str().unwrap_or_else(|| panic!("{call}")).to_owned()
    }

    /// The carrier ends a call, as when the other side hangs up.
    pub(super) async fn end_at_carrier(&self, sid: &str) {
        let url = format!("{}/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json", self.twilio.base_url());
        let request = self.http.post(url).basic_auth(ACCOUNT, Some(AUTH_TOKEN)).form(&[("Status", "completed")]);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    /// Waits until this is in Twilio's log.
    pub(super) async fn twilio_saw(&self, what: &str, fits: impl Fn(&Entry) -> bool) -> Entry {
        soon(what, self.twilio.log().wait_for(fits)).await
    }

    /// Waits until the call is over at the carrier, all documents done.
    pub(super) async fn call_ended(&self, sid: &str) {
        self.twilio_saw("the call's end at the carrier", |entry| entry.is("call_ended", sid)).await;
    }

    /// Waits until the call's phone was told this text.
    pub(super) async fn said(&self, sid: &str, text: &str) {
        self.twilio_saw(text, |entry| entry.is("said", sid) && entry.text("text") == Some(text)).await;
    }

    /// Waits until an agent greeted back: a conversation is on.
    pub(super) async fn agent_answered(&self) -> Entry {
        soon("an agent's answer", self.elevenlabs.log().wait_for(is_conversation)).await
    }

    /// How many conversations got as far as the agent's answer.
    pub(super) fn conversations(&self) -> usize {
        self.elevenlabs.log().since(0).iter().filter(|entry| is_conversation(entry)).count()
    }

    /// How many calls of ours the carrier took.
    pub(super) fn dials(&self) -> usize {
        self.twilio.log().since(0).iter().filter(|entry| entry.event == "call_created").count()
    }
}

fn is_conversation(entry: &Entry) -> bool {
    entry.event == "sent" && entry.text("type") == Some("conversation_initiation_metadata")
}

impl Drop for Vendors {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
