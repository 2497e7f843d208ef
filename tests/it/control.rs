//! Stepping into a live call: messages, mute, hold, sentences, keys, listening in and taking over.

use clearline::domain::audio::FRAME;
use clearline::emulators::Entry;
use clearline::emulators::speech::{self, Voice};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::api::Socket;
use super::carrier::{Stream, call_in, resume};
use super::server::Server;
use super::soon;
use super::vendors::Vendors;

const SID: &str = "CA00000000000000000000000000000001";

/// The key of the emulated vendor's account.
const VENDOR_KEY: (&str, &str) = ("AGENTS__ELEVENLABS__API_KEY", "emulated-api-key");

/// A server with a call whose agent echoes.
struct Live {
    vendors: Vendors,
    server: Server,
    stream: Stream,
    call: String,
}

impl Live {
    async fn start(own: &[(&str, &str)]) -> Self {
        let vendors = Vendors::start().await;
        let server = Server::start(&vendors, own).await;
        let token = call_in(&server.base, SID).await;
        let mut stream = Stream::open(&server.base).await;
        stream.start(SID, json!({"token": token})).await;
        vendors.agent_answered().await;
        let call = server.api.call_of(SID).await;
        server.api.conversing(&call, 1).await;
        Self { vendors, server, stream, call }
    }

    async fn step(&self, what: &str, body: Value) -> Value {
        let answer = self.server.api.post(&format!("/api/v1/calls/{}/{what}", self.call), &body).await;
        assert_eq!(answer.status, 202, "{what}: {}", answer.body);
        answer.body
    }

    async fn event(&self, kind: &str) -> Value {
        self.server.api.event_of(&self.call, kind).await
    }

    /// What the agent was told beside audio.
    async fn agent_was_told(&self, text: &str) {
        let is_it =
            |entry: &Entry| entry.event == "noted" && entry.text("text").is_some_and(|told| told.contains(text));
        soon(text, self.vendors.elevenlabs.log().wait_for(is_it)).await;
    }

    /// The far side hangs up. What the stream counted.
    async fn counters(&mut self) -> Value {
        self.stream.say(&json!({"event": "stop", "stop": {"accountSid": "AC1", "callSid": SID}})).await;
        self.event("stream_ended").await["counters"].clone()
    }
}

#[tokio::test]
async fn an_agent_is_told_and_asked() {
    let live = Live::start(&[]).await;
    live.step("message", json!({"text": "The caller is a customer."})).await;
    live.agent_was_told("The caller is a customer.").await;
    live.step("message", json!({"text": "When do you open?", "kind": "user_message"})).await;
    live.agent_was_told("When do you open?").await;
    let event = live.event("agent_messaged").await;
    assert_eq!((&event["kind"], &event["by"]["door"]), (&json!("context"), &json!("api")), "{event}");

    let path = format!("/api/v1/calls/{}/message", live.call);
    for (body, status) in [(json!({"text": " "}), 400), (json!({"text": "x".repeat(2_001)}), 400), (json!({}), 400)] {
        assert_eq!(live.server.api.post(&path, &body).await.status, status, "{body}");
    }
    let nobody = live.server.api.post("/api/v1/calls/CA404/mute", &json!({})).await;
    assert_eq!((nobody.status, nobody.body["type"].as_str().unwrap().ends_with("/not-live")), (404, true));
}

#[tokio::test]
async fn who_may_step_in() {
    let live = Live::start(&[]).await;
    let settings = live.server.settings();
    for (role, message, say) in [("viewer", 403, 403), ("agent", 202, 403), ("operator", 202, 202)] {
        let api = live.server.api.with_key(&settings.create_key(role).0);
        let path = |what: &str| format!("/api/v1/calls/{}/{what}", live.call);
        assert_eq!(api.post(&path("message"), &json!({"text": "Hello."})).await.status, message, "{role}");
        assert_eq!(api.post(&path("mute"), &json!({})).await.status, say, "{role}");
        let listens = api.socket(&path("listen")).await.err().unwrap_or(202);
        assert_eq!(listens, say, "{role}");
    }
}

#[tokio::test]
async fn a_muted_agent_is_not_heard() {
    let mut live = Live::start(&[]).await;
    live.stream.frame(&[0x17; FRAME]).await;
    assert_eq!(live.stream.hear(FRAME).await, [0x17; FRAME]);
    live.step("mute", json!({})).await;
    live.event("agent_muted").await;
    live.agent_was_told("You have been muted").await;
    live.step("unmute", json!({})).await;
    live.event("agent_unmuted").await;
    live.stream.frame(&[0x33; FRAME]).await;
    assert_eq!(live.stream.hear(FRAME).await, [0x33; FRAME]);
    live.step("mute", json!({})).await;
    live.agent_was_told("You have been muted").await;
    live.stream.frame(&[0x2A; FRAME]).await;
    let counters = live.counters().await;
    assert_eq!(
        (&counters["caller_bytes"], &counters["agent_bytes"]),
        (&json!(3 * FRAME), &json!(2 * FRAME)),
        "{counters}"
    );
}

#[tokio::test]
async fn a_caller_on_hold_hears_the_tone_and_the_agent_silence() {
    let mut live = Live::start(&[]).await;
    live.step("hold", json!({})).await;
    let tone = live.stream.hear(32_000).await;
    assert!(tone[..1_600].iter().any(|byte| *byte != 0xFF) && tone[5_600..].iter().all(|byte| *byte == 0xFF));
    live.agent_was_told("put on hold").await;
    live.stream.frame(&[0x2A; FRAME]).await;
    // Behind it on the same socket: when this is there, that was taken on hold.
    live.stream.press('5').await;
    live.event("dtmf_received").await;
    live.step("resume", json!({})).await;
    live.stream.wait_for("clear").await;
    live.stream.frame(&[0x17; FRAME]).await;
    // What was said on hold did not reach the agent: it would have come back. The silence in its place may.
    let heard = live.stream.hear(FRAME).await;
    let heard = if heard == [0xFF; FRAME] { live.stream.hear(FRAME).await } else { heard };
    assert_eq!(heard, [0x17; FRAME]);
    assert_eq!(live.event("resumed").await["by"]["name"], "tests");
}

#[tokio::test]
async fn a_sentence_is_spoken_in_the_agents_voice() {
    let mut live = Live::start(&[VENDOR_KEY]).await;
    let said = live.step("say", json!({"text": "Please hold the line."})).await;
    let sentence = speech::say("Please hold the line.", Voice::Agent);
    assert_eq!(live.stream.hear(sentence.len()).await, sentence);
    let mark = live.stream.wait_for("mark").await;
    live.stream.say(&mark).await;
    let event = live.event("house_spoke").await;
    assert_eq!((&event["text"], &event["utterance"]), (&json!("Please hold the line."), &said["utterance"]), "{event}");
    let heard = live.event("own_audio_heard").await;
    assert_eq!(heard["heard_ms"], sentence.len() / 8, "{heard}");
    let lines = live.server.api.get(&format!("/api/v1/calls/{}/transcript", live.call)).await.body;
    assert_eq!((&lines["lines"][0]["role"], &lines["lines"][0]["text"]), (&json!("house"), &event["text"]), "{lines}");
}

#[tokio::test]
async fn without_a_key_no_sentence_is_spoken() {
    let live = Live::start(&[]).await;
    let answer = live.server.api.post(&format!("/api/v1/calls/{}/say", live.call), &json!({"text": "Hello."})).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert!(answer.body["detail"].as_str().unwrap().contains("ELEVENLABS_API_KEY"), "{}", answer.body);
}

#[tokio::test]
async fn keys_go_out_as_tones_and_come_in_as_text() {
    let mut live = Live::start(&[]).await;
    live.step("dtmf", json!({"keys": "1w#"})).await;
    let tones = live.stream.hear(2 * 1_600 + 4_000).await;
    assert_eq!(live.event("keys_sent").await["keys"], "1w#");
    let sounds: Vec<bool> = tones.chunks(800).map(|part| part.iter().any(|byte| *byte != 0xFF)).collect();
    assert_eq!(sounds, [true, false, false, false, false, false, false, true, false]);
    let bad = live.server.api.post(&format!("/api/v1/calls/{}/dtmf", live.call), &json!({"keys": "1 2"})).await;
    assert_eq!(bad.status, 422, "{}", bad.body);

    for key in ['4', '2', '#'] {
        live.stream.press(key).await;
    }
    live.agent_was_told("The caller entered 42# on the keypad.").await;
    assert_eq!(live.event("keys_collected").await["keys"], "42#");
}

/// The next piece of audio on a listener's socket.
async fn hear(socket: &mut Socket) -> (u8, Vec<u8>) {
    loop {
        match soon("audio to listen to", socket.next()).await {
            Some(Ok(Message::Binary(bytes))) => return (bytes[0], bytes[1..].to_vec()),
            Some(Ok(_)) => {}
            other => panic!("the socket ended: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_listener_hears_both_sides() {
    let mut live = Live::start(&[]).await;
    let mut listener = live.server.api.socket(&format!("/api/v1/calls/{}/listen", live.call)).await.unwrap();
    live.stream.frame(&[0x17; FRAME]).await;
    let mut heard = vec![hear(&mut listener).await, hear(&mut listener).await];
    heard.sort();
    assert_eq!(heard, [(0, vec![0x17; FRAME]), (1, vec![0x17; FRAME])]);
}

#[tokio::test]
async fn listening_ends_with_the_call() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;
    let mut listener = server.api.socket(&format!("/api/v1/calls/{call}/listen")).await.unwrap();
    vendors.end_at_carrier(&sid).await;
    let closed = async {
        loop {
            match listener.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    };
    assert_eq!(soon("the end of listening", closed).await, Some(1000));
}

#[tokio::test]
async fn an_operator_takes_a_call_over_and_hands_it_back() {
    let mut live = Live::start(&[]).await;
    let path = format!("/api/v1/calls/{}/take-over", live.call);
    let mut operator = live.server.api.socket(&path).await.unwrap();
    live.agent_was_told("A person has taken the call over").await;
    assert_eq!(live.server.api.socket(&path).await.err(), Some(409), "one operator at a time");

    operator.send(Message::binary([&[3][..], &[0x33; FRAME]].concat())).await.unwrap();
    assert_eq!(live.stream.hear(FRAME).await, [0x33; FRAME]);
    live.stream.frame(&[0x17; FRAME]).await;
    // The operator hears their own voice go out, and the caller.
    let mut heard = vec![hear(&mut operator).await, hear(&mut operator).await];
    heard.sort();
    assert_eq!(heard, [(0, vec![0x17; FRAME]), (1, vec![0x33; FRAME])]);

    // The operator is gone without a word.
    drop(operator);
    live.event("handed_back").await;
    live.agent_was_told("handed back to you").await;
    live.stream.frame(&[0x2A; FRAME]).await;
    // The echo of what the caller said before may come late.
    let heard = live.stream.hear(FRAME).await;
    let heard = if heard == [0x17; FRAME] { live.stream.hear(FRAME).await } else { heard };
    assert_eq!(heard, [0x2A; FRAME]);
    let mut again = live.server.api.socket(&path).await.unwrap();
    again.close(None).await.unwrap();
}

#[tokio::test]
async fn of_two_operators_at_once_one_gets_the_call() {
    let live = Live::start(&[]).await;
    let path = format!("/api/v1/calls/{}/take-over", live.call);
    for _ in 0..5 {
        let api = &live.server.api;
        let (one, two, three) = tokio::join!(api.socket(&path), api.socket(&path), api.socket(&path));
        let mut won = Vec::new();
        for asked in [one, two, three] {
            match asked {
                Ok(socket) => won.push(socket),
                Err(status) => assert_eq!(status, 409),
            }
        }
        assert_eq!(won.len(), 1);
        // The next round is for whoever comes once it was handed back.
        won[0].close(None).await.unwrap();
        drop(won);
        let free = async {
            loop {
                match api.socket(&path).await {
                    Ok(mut socket) => break socket.close(None).await.unwrap(),
                    Err(status) => assert_eq!(status, 409),
                }
            }
        };
        soon("the call to be free", Box::pin(free)).await;
        let handed_back = async { while api.socket(&path).await.is_err() {} };
        soon("the call to be free again", Box::pin(handed_back)).await;
        let nobody = async { while !api.get("/console/data/live").await.body["calls"][0]["operator"].is_null() {} };
        soon("nobody to have the call", Box::pin(nobody)).await;
    }
    // The journal is written behind: a call is taken over ten times, and handed back nine times at least.
    let path = format!("/console/data/calls/{}", live.call);
    let counted = async {
        loop {
            let events = live.server.api.get(&path).await.body;
            let of = |kind: &str| {
                events["events"].as_array().unwrap().iter().filter(|entry| entry["event"]["type"] == kind).count()
            };
            if of("taken_over") >= 10 && of("taken_over") - of("handed_back") <= 1 {
                return;
            }
        }
    };
    soon("every round in the journal", Box::pin(counted)).await;
}

#[tokio::test]
async fn a_recording_begins_after_its_notice_was_heard() {
    let vendors = Vendors::start().await;
    let server =
        Server::start(&vendors, &[VENDOR_KEY, ("AGENTS__ELEVENLABS__SAY_VOICE", "emulatedVoiceAva00000")]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;
    let path = format!("/api/v1/calls/{call}/recording");
    let step = async |step: &str| server.api.post(&path, &json!({"step": step})).await;
    let started = step("start").await;
    assert_eq!(started.status, 202, "{}", started.body);
    assert_eq!(server.api.event_of(&call, "house_spoke").await["text"], "This call is recorded and transcribed.");
    let steered = server.api.event_of(&call, "recording_steered").await;
    assert_eq!((&steered["step"], &steered["announced"]), (&json!("start"), &json!(true)), "{steered}");
    assert_eq!(server.api.event_of(&call, "recording_stored").await["status"], "in-progress");
    assert_eq!(step("start").await.status, 409);
    for what in ["pause", "resume", "stop"] {
        let answer = step(what).await;
        assert_eq!(answer.status, 202, "{what}: {}", answer.body);
    }
    vendors.end_at_carrier(&sid).await;
}

#[tokio::test]
async fn a_step_whose_asker_left_is_done_and_in_the_audit_log() {
    let vendors = Vendors::start().await;
    let server =
        Server::start(&vendors, &[VENDOR_KEY, ("AGENTS__ELEVENLABS__SAY_VOICE", "emulatedVoiceAva00000")]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;
    let (key, _) = server.settings().create_key("operator");
    let body = json!({"step": "start"}).to_string();
    let request = format!(
        "POST /api/v1/calls/{call}/recording HTTP/1.1\r\nhost: clearline\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = tokio::net::TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut socket, request.as_bytes()).await.unwrap();
    // The notice is being said: the step takes as long as that.
    server.api.event_of(&call, "house_spoke").await;
    drop(socket);
    server.api.event_of(&call, "recording_steered").await;
    let noted = async {
        let is_it = |entry: &Value| entry["action"] == "/api/v1/calls/{id}/recording" && entry["outcome"] == "done";
        while !server.api.get("/console/data/audit").await.body["entries"].as_array().unwrap().iter().any(is_it) {}
    };
    soon("the entry of who left", Box::pin(noted)).await;
    vendors.end_at_carrier(&sid).await;
}

#[tokio::test]
async fn where_the_law_wants_the_notice_in_the_recording_it_is_said_once_more() {
    let vendors = Vendors::start().await;
    let server =
        Server::start(&vendors, &[VENDOR_KEY, ("AGENTS__ELEVENLABS__SAY_VOICE", "emulatedVoiceAva00000")]).await;
    let sid = vendors.ring_from("+12065550113", "silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;
    let started = server.api.post(&format!("/api/v1/calls/{call}/recording"), &json!({"step": "start"})).await;
    assert_eq!(started.status, 202, "{}", started.body);
    server.api.event_of(&call, "recording_steered").await;
    vendors.end_at_carrier(&sid).await;
    let story = server.api.story(&call).await;
    assert_eq!(story.iter().filter(|event| event["type"] == "house_spoke").count(), 2, "{story:?}");
}

#[tokio::test]
async fn a_caller_hears_of_the_recording_before_it_begins() {
    // New York: one party's consent is enough. Washington wants the notice in the recording too; Canada tells nothing.
    for (from, verbs) in [
        ("+12125550113", ["Say", "Start", "Connect"].as_slice()),
        ("+14155550113", &["Say", "Start", "Connect"]),
        ("+12065550113", &["Say", "Start", "Say", "Connect"]),
        ("+14165550113", &["Say", "Start", "Say", "Connect"]),
    ] {
        let vendors = Vendors::start().await;
        let server = Server::start(&vendors, &[("CARRIER__TWILIO__RECORD", "true")]).await;
        let sid = vendors.ring_from(from, "silent").await;
        let call = server.api.call_of(&sid).await;
        server.api.conversing(&call, 1).await;
        let seen = vendors.twilio.log().since(0);
        let verbs_done: Vec<_> =
            seen.iter().filter(|entry| entry.is("verb", &sid)).filter_map(|entry| entry.text("verb")).collect();
        assert_eq!(verbs_done, verbs, "{from}");
        let sentences: Vec<_> =
            seen.iter().filter(|entry| entry.is("said", &sid)).filter_map(|entry| entry.text("text")).collect();
        let notice = "This call is recorded and transcribed.";
        assert!(sentences.iter().all(|sentence| *sentence == notice), "{from}: {sentences:?}");
        assert_eq!(sentences.len(), verbs.len() - 2, "{from}");
        assert_eq!(server.api.event_of(&call, "recording_stored").await["status"], "in-progress");
        vendors.end_at_carrier(&sid).await;
    }
}

#[tokio::test]
async fn without_a_notice_nothing_is_recorded_where_the_law_asks_for_one() {
    for (from, status) in [("+14155550113", 409), ("+12125550113", 202)] {
        let vendors = Vendors::start().await;
        let server = Server::start(&vendors, &[]).await;
        let sid = vendors.ring_from(from, "silent").await;
        let call = server.api.call_of(&sid).await;
        server.api.conversing(&call, 1).await;
        let answer = server.api.post(&format!("/api/v1/calls/{call}/recording"), &json!({"step": "start"})).await;
        assert_eq!(answer.status, status, "{from}: {}", answer.body);
        assert_eq!(answer.body["detail"].to_string().contains("632"), status == 409, "{from}: {}", answer.body);
        vendors.end_at_carrier(&sid).await;
    }
}

#[tokio::test]
async fn an_agent_remembers_and_looks_up_and_transfers() {
    let script = "agent: Hello.\ntool: remember {\"name\": \"pet\", \"text\": \"a dog\"}\ntool: recall {}\ntool: look_up_caller {}\n\
                  tool: nonsense {}\ntool: transfer_call {\"to\": \"sales\"}";
    let vendors = Vendors::start().await;
    let agent = vendors.create_agent(script).await;
    let own = [("AGENTS__DEFAULT", agent.as_str()), ("TRANSFERS__TARGETS", "sales=+12125550140"), VENDOR_KEY];
    let server = Server::start(&vendors, &own).await;
    vendors.seat("+12125550140", "answer\nwait 1s\nhang up").await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    assert_eq!(server.api.ended(&call).await["disposition"], "transferred");
    let mut answered = Vec::new();
    server
        .api
        .event("the tools' end", |entry| {
            let event = &entry["event"];
            if event["type"] == "tool_answered" {
                answered.push((event["name"].as_str().unwrap().to_owned(), event["is_error"] == true));
            }
            event["type"] == "transfer_started"
        })
        .await;
    let expected = [("remember", false), ("recall", false), ("look_up_caller", false), ("nonsense", true)];
    assert_eq!(answered, expected.map(|(name, is_error)| (name.to_owned(), is_error)));
}

#[tokio::test]
async fn a_caller_who_comes_again_is_recognised_before_the_agent_says_a_word() {
    let script = "agent: {{party_known}}, {{lead_first_name}}, {{calls_before}}, {{last_call_disposition}}, {{remembered}}.\n\
                  caller: Hm.\ntool: remember {\"name\": \"pet\", \"text\": \"a dog\"}";
    let vendors = Vendors::start().await;
    let agent = vendors.create_agent(script).await;
    let server = Server::start(&vendors, &[("AGENTS__DEFAULT", agent.as_str())]).await;
    let greeting = async |caller: &str| {
        let sid = vendors.ring_from(caller, "wait for agent to finish\nsay Hello there.\nsilent").await;
        let call = server.api.call_of(&sid).await;
        server.api.event_of(&call, "tool_answered").await;
        vendors.end_at_carrier(&sid).await;
        server.api.ended(&call).await;
        server.api.event_of(&call, "agent_said").await["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(greeting("+12125550187").await, "false, , 0, , .");
    let lead = json!({"number": "+12125550187", "first_name": "Ada"});
    assert_eq!(server.api.post("/api/v1/leads", &lead).await.status, 201);
    assert_eq!(greeting("+12125550187").await, "true, Ada, 1, completed, pet: a dog.");
    // Somebody else is somebody else.
    assert_eq!(greeting("+12125550188").await, "false, , 0, , .");
}

#[tokio::test]
async fn mute_and_hold_outlast_a_broken_stream() {
    for (step, undo, event, over) in
        [("mute", "unmute", "agent_muted", "agent_unmuted"), ("hold", "resume", "held", "resumed")]
    {
        let mut live = Live::start(&[]).await;
        live.step(step, json!({})).await;
        live.event(event).await;
        // The connection is gone without a word.
        live.stream = Stream::open(&live.server.base).await;
        let token = resume(&live.server.base, SID).await;
        live.stream.start(SID, json!({"token": token})).await;
        let mut streams = 0;
        let begun = live.server.api.event("the step, taken again", |entry| {
            streams += usize::from(entry["event"]["type"] == "stream_started");
            streams == 2 && entry["event"]["type"] == event
        });
        assert_eq!(begun.await["event"]["by"]["name"], "tests", "{step}");
        live.server.api.conversing(&live.call, 2).await;
        live.step(undo, json!({})).await;
        live.event(over).await;
        live.counters().await;
    }
}
