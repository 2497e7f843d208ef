//! Whole streams through the relay.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::json;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::rig::{Dial, Pipe, Plan, Rig, audio_of, hear, interruption, media, say, speech, start, stop};
use crate::domain::audio::AudioFormat;
use crate::domain::event::{Actor, Door, StreamEnd};
use crate::domain::{CallEvent, ConversationId, Disposition, TurnTimed};
use crate::protocol::agent::Dialect;
use crate::protocol::agent::binary::Binary;
use crate::relay::{Request, clock};
use crate::session::Command;

const FRAME_TIME: Duration = Duration::from_millis(20);

/// A frame unlike any other.
fn frame(number: usize) -> Vec<u8> {
    let number = u32::try_from(number).unwrap();
    number.to_be_bytes().repeat(40)
}

/// Reads audio until there are so many bytes.
async fn hear_audio(pipe: &mut Pipe, bytes: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < bytes {
        heard.extend(audio_of(&hear(pipe).await.unwrap()).unwrap_or_default());
    }
    heard
}

/// Reads until the relay closes; the code it gave.
async fn hear_close(pipe: &mut Pipe) -> Option<u16> {
    loop {
        if let Err(code) = hear(pipe).await {
            return code;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn audio_goes_both_ways_byte_exact_and_in_order() {
    let (mut rig, mut agent) = Rig::conversing(Plan::default()).await;
    let said: Vec<u8> = (0..500).flat_map(frame).collect();
    let (answered, heard) = tokio::join!(
        async {
            for chunk in said.chunks(160) {
                say(&mut rig.carrier, media(chunk)).await;
            }
            hear_audio(&mut rig.carrier, said.len()).await
        },
        async {
            let heard = hear_audio(&mut agent, said.len()).await;
            // The agent answers with the same in chunks of its own.
            for chunk in heard.chunks(1_337) {
                say(&mut agent, speech(1, chunk)).await;
            }
            heard
        }
    );
    assert!(heard == said, "what the agent heard is what was said");
    assert!(answered == said, "what the caller heard is what was answered");
    say(&mut rig.carrier, stop()).await;
    assert_eq!(hear_close(&mut agent).await, Some(1000));
    let (_, summary) = rig.end_by(StreamEnd::CarrierStop).await;
    let counters = summary.ended.unwrap().counters;
    assert_eq!([counters.caller_bytes, counters.agent_bytes], [80_000, 80_000]);
    assert_eq!([counters.caller_dropped_bytes, counters.agent_void_bytes], [0, 0]);
}

/// A plan of agents that greet as soon as they are connected, while the conversation waits for who the caller is.
fn greeting_at_once() -> Plan {
    let dialect = || Dialect::Binary(Binary::new(ConversationId::new("conv_1"), AudioFormat::Ulaw8000));
    Plan { dialect, recognition: Some(Duration::from_mins(1)), ..Plan::default() }
}

fn recognised() -> Command {
    Command::Recognised { variables: BTreeMap::new() }
}

#[tokio::test(start_paused = true)]
async fn a_greeting_before_the_conversation_is_heard_when_it_begins() {
    let mut rig = Rig::admitted(greeting_at_once()).await;
    let mut agent = rig.agents.recv().await.unwrap();
    let greeting: Vec<u8> = (0..100).flat_map(frame).collect();
    for chunk in greeting.chunks(160) {
        agent.send(Message::binary(chunk.to_vec())).await.unwrap();
    }
    agent.send(Message::text(json!({"type": "mark", "name": "greeted"}).to_string())).await.unwrap();
    let early = timeout(Duration::from_secs(5), hear(&mut rig.carrier)).await;
    assert!(early.is_err(), "before the conversation: {early:?}");
    rig.command(recognised()).await;
    assert!(hear_audio(&mut rig.carrier, greeting.len()).await == greeting);
    assert_eq!(hear(&mut rig.carrier).await.unwrap()["event"], "mark");
    say(&mut rig.carrier, stop()).await;
    let (_, summary) = rig.end_by(StreamEnd::CarrierStop).await;
    assert_eq!(summary.ended.unwrap().counters.agent_void_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_lost_before_the_conversation_is_replaced() {
    let plan = Plan { dials: vec![Dial::Dies, Dial::Connects], ..greeting_at_once() };
    let mut rig = Rig::admitted(plan).await;
    let mut agent = rig.agents.recv().await.unwrap();
    rig.command(recognised()).await;
    agent.send(Message::binary(vec![0x55; 160])).await.unwrap();
    assert_eq!(hear_audio(&mut rig.carrier, 160).await, [0x55; 160]);
    say(&mut rig.carrier, stop()).await;
    rig.end_by(StreamEnd::CarrierStop).await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_timed_by_what_the_carrier_takes_and_reports() {
    let (mut rig, mut agent) = Rig::conversing(Plan { pipe_bytes: 1 << 10, ..Plan::default() }).await;
    let said =
        json!({"type": "user_transcript", "user_transcription_event": {"user_transcript": "Hello?", "event_id": 1}});
    say(&mut agent, said).await;
    sleep(Duration::from_millis(700)).await;
    say(&mut agent, speech(2, &[0x55; 1_600])).await;
    // The piece is more than the pipe holds, and the carrier does not read.
    sleep(Duration::from_millis(30)).await;
    assert_eq!(audio_of(&hear(&mut rig.carrier).await.unwrap()).unwrap().len(), 1_600);
    let mark = hear(&mut rig.carrier).await.unwrap();
    sleep(Duration::from_millis(250)).await;
    say(&mut rig.carrier, json!({"event": "mark", "sequenceNumber": "4", "streamSid": "MZ1", "mark": mark["mark"]}))
        .await;
    say(&mut rig.carrier, stop()).await;
    let (events, _) = rig.end_by(StreamEnd::CarrierStop).await;
    let timed: Vec<_> = events.iter().filter(|event| matches!(event, CallEvent::TurnTimed(_))).collect();
    let wanted = CallEvent::TurnTimed(TurnTimed {
        turn: 2,
        agent_ms: Some(700),
        relay_us: Some(30_000),
        played_ms: Some(250),
        audio_ms: 200,
    });
    assert_eq!(timed, [&wanted]);
}

#[tokio::test(start_paused = true)]
async fn barge_in_overtakes_what_the_carrier_has_not_read() {
    let (mut rig, mut agent) = Rig::conversing(Plan { pipe_bytes: 4 << 10, ..Plan::default() }).await;
    for number in 0..400 {
        say(&mut agent, speech(1, &frame(number))).await;
    }
    say(&mut agent, interruption(1)).await;
    say(&mut agent, speech(1, &frame(400))).await;
    say(&mut agent, speech(2, &frame(401))).await;
    // The agent has read nothing since, so its answer tells that all of the above was taken in.
    say(&mut agent, json!({"type": "ping", "ping_event": {"event_id": 5}})).await;
    assert_eq!(hear(&mut agent).await.unwrap()["type"], "pong");

    let mut before_clear = 0;
    loop {
        let message = hear(&mut rig.carrier).await.unwrap();
        if message["event"] == "clear" {
            break;
        }
        before_clear += usize::from(message["event"] == "media");
    }
    assert!(before_clear < 100, "{before_clear} frames were in the socket, the rest was overtaken");
    assert_eq!(audio_of(&hear(&mut rig.carrier).await.unwrap()).unwrap(), frame(401));
    say(&mut rig.carrier, stop()).await;
    let (events, summary) = rig.end_by(StreamEnd::CarrierStop).await;
    assert_eq!(summary.ended.unwrap().counters.agent_void_bytes, 160);
    assert!(events.iter().any(|event| matches!(event, CallEvent::BargeIn { turn: 1, sent_ms: 8_000, .. })));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_reads_nothing_for_a_while_misses_the_oldest_audio() {
    let (mut rig, mut agent) = Rig::conversing(Plan { pipe_bytes: 1 << 10, ..Plan::default() }).await;
    for number in 0..400 {
        say(&mut rig.carrier, media(&frame(number))).await;
        sleep(FRAME_TIME).await;
    }
    let reading = async {
        let mut heard = Vec::new();
        while let Ok(message) = hear(&mut agent).await {
            heard.extend(audio_of(&message));
        }
        heard
    };
    let hanging_up = async {
        sleep(FRAME_TIME).await;
        say(&mut rig.carrier, media(&frame(400))).await;
        sleep(FRAME_TIME).await;
        say(&mut rig.carrier, stop()).await;
    };
    let (heard, ()) = tokio::join!(reading, hanging_up);
    let (_, summary) = rig.end_by(StreamEnd::CarrierStop).await;
    let counters = summary.ended.unwrap().counters;
    assert!(counters.caller_dropped_bytes > 0);
    assert_eq!(heard.len() as u64 * 160 + counters.caller_dropped_bytes, counters.caller_bytes);
    let newest: Vec<_> = (251..=400).map(frame).collect();
    assert!(heard.ends_with(&newest), "the newest 3 s are there");
    assert!(heard.is_sorted(), "and nothing is out of order");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_never_reads_again_is_lost() {
    let (mut rig, mut agent) = Rig::conversing(Plan { pipe_bytes: 1 << 10, ..Plan::default() }).await;
    say(&mut agent, speech(1, &frame(0))).await;
    // It still talks, so it is not idle.
    for number in 0..600 {
        if rig.carrier.send(Message::text(media(&frame(number)).to_string())).await.is_err() {
            break;
        }
        sleep(FRAME_TIME).await;
    }
    let (events, _) = rig.end_by(StreamEnd::AgentFailed).await;
    let lost = CallEvent::AgentLost {
        agent: None,
        reason: "the agent's socket broke: it stopped reading".to_owned(),
        will_retry: false,
    };
    assert!(events.contains(&lost), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_stops_reading_ends_the_stream() {
    let (mut rig, mut agent) = Rig::conversing(Plan { pipe_bytes: 1 << 10, ..Plan::default() }).await;
    for number in 0..100 {
        say(&mut agent, speech(1, &frame(number))).await;
    }
    // It still sends.
    for number in 0..600 {
        if rig.carrier.send(Message::text(media(&frame(number)).to_string())).await.is_err() {
            break;
        }
        let _ = timeout(FRAME_TIME, hear(&mut agent)).await;
    }
    rig.end_by(StreamEnd::CarrierFault).await;
}

#[tokio::test(start_paused = true)]
async fn more_agent_audio_than_a_lane_holds_ends_the_stream() {
    let (rig, mut agent) = Rig::conversing(Plan { pipe_bytes: 1 << 10, ..Plan::default() }).await;
    let minute = vec![0; 480_000];
    for _ in 0..5 {
        if agent.send(Message::text(speech(1, &minute).to_string())).await.is_err() {
            break;
        }
    }
    rig.end_by(StreamEnd::CarrierFault).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_agent_ends_the_stream() {
    let plan = Plan { dials: vec![Dial::Fails { retryable: false }], ..Plan::default() };
    let mut rig = Rig::admitted(plan).await;
    assert_eq!(hear(&mut rig.carrier).await, Err(Some(1011)));
    let (events, _) = rig.end_by(StreamEnd::AgentFailed).await;
    assert!(
        matches!(&events[1], CallEvent::AgentLost { reason, will_retry: false, .. } if reason == "refused with 403")
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_dial_is_tried_once_more() {
    let plan = Plan { dials: vec![Dial::Fails { retryable: true }, Dial::Connects], ..Plan::default() };
    let (mut rig, _agent) = Rig::conversing(plan).await;
    say(&mut rig.carrier, stop()).await;
    let (events, _) = rig.end_by(StreamEnd::CarrierStop).await;
    assert!(matches!(events[1], CallEvent::AgentLost { will_retry: true, .. }));
    assert!(matches!(events[2], CallEvent::AgentConnected { warmed: false, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_warm_socket_is_taken() {
    let plan = Plan { warmed: Some(Dial::Connects), dials: vec![], ..Plan::default() };
    let (mut rig, _agent) = Rig::conversing(plan).await;
    say(&mut rig.carrier, stop()).await;
    let (events, _) = rig.end_by(StreamEnd::CarrierStop).await;
    assert!(matches!(events[1], CallEvent::AgentConnected { warmed: true, .. }), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_warm_socket_that_died_is_replaced_silently() {
    for dead in [Dial::Dies, Dial::Fails { retryable: false }] {
        let (mut rig, _agent) = Rig::conversing(Plan { warmed: Some(dead), ..Plan::default() }).await;
        say(&mut rig.carrier, stop()).await;
        let (events, _) = rig.end_by(StreamEnd::CarrierStop).await;
        assert!(matches!(events[1], CallEvent::AgentConnected { warmed: false, .. }), "{dead:?}: {events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_carrier_lets_the_agent_go() {
    let (mut rig, mut agent) = Rig::conversing(Plan::default()).await;
    rig.lose_carrier().await;
    assert_eq!(hear(&mut agent).await, Err(Some(1000)));
    rig.end_by(StreamEnd::CarrierClosed).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_agent_ends_the_stream_once_it_was_heard() {
    let (mut rig, mut agent) = Rig::conversing(Plan::default()).await;
    say(&mut agent, speech(1, &frame(1))).await;
    hear_audio(&mut rig.carrier, 160).await;
    drop(agent);
    assert_eq!(hear_close(&mut rig.carrier).await, Some(1011));
    rig.end_by(StreamEnd::AgentFailed).await;
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_played_before_the_hang_up() {
    let (mut rig, mut agent) = Rig::conversing(Plan::default()).await;
    say(&mut agent, speech(1, &frame(1))).await;
    agent.close(None).await.unwrap();
    let mut marks = Vec::new();
    while marks.len() < 2 {
        let message = hear(&mut rig.carrier).await.unwrap();
        marks.extend(message["mark"]["name"].as_str().map(ToOwned::to_owned));
    }
    assert!(rig.requests.try_recv().is_err(), "not yet");
    for name in marks {
        say(&mut rig.carrier, json!({"event": "mark", "streamSid": "MZ1", "mark": {"name": name}})).await;
    }
    assert!(matches!(rig.requests.recv().await, Some(Request::HangUp { disposition: Disposition::Completed, .. })));
    say(&mut rig.carrier, stop()).await;
    rig.end_by(StreamEnd::AgentEnded).await;
}

#[tokio::test(start_paused = true)]
async fn commands_reach_the_stream() {
    let (mut rig, mut agent) = Rig::conversing(Plan::default()).await;
    rig.command(Command::Context { text: "a".to_owned() }).await;
    rig.command(Command::UserMessage { text: "b".to_owned() }).await;
    assert_eq!(hear(&mut agent).await.unwrap(), json!({"type": "contextual_update", "text": "a"}));
    assert_eq!(hear(&mut agent).await.unwrap(), json!({"type": "user_message", "text": "b"}));
    let by = Actor::new(Door::Api, "key_1");
    rig.command(Command::HangUp { by, disposition: Disposition::Completed }).await;
    // The agent is let go at once, before the carrier has done anything.
    assert_eq!(timeout(FRAME_TIME, hear(&mut agent)).await, Ok(Err(Some(1000))));
    assert!(matches!(rig.requests.recv().await, Some(Request::HangUp { .. })));
    say(&mut rig.carrier, stop()).await;
    rig.end_by(StreamEnd::HungUp).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_can_command_is_hung_up() {
    let (mut rig, _agent) = Rig::conversing(Plan::default()).await;
    rig.commands = None;
    assert!(matches!(rig.requests.recv().await, Some(Request::HangUp { disposition: Disposition::Failed, .. })));
    say(&mut rig.carrier, stop()).await;
    rig.end_by(StreamEnd::HungUp).await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_runs_beside_the_audio() {
    let (mut rig, mut agent) = Rig::conversing(Plan::default()).await;
    let call = json!({"tool_name": "look_up", "tool_call_id": "c1", "parameters": {"n": 1}, "event_id": 1,
        "expects_response": true});
    say(&mut agent, json!({"type": "client_tool_call", "client_tool_call": call})).await;
    let Some(Request::RunTool { call, .. }) = rig.requests.recv().await else { panic!("no tool") };
    assert_eq!((call.name.as_str(), &call.arguments), ("look_up", &json!({"n": 1})));
    say(&mut rig.carrier, media(&frame(7))).await;
    assert_eq!(hear_audio(&mut agent, 160).await, frame(7));
    rig.command(Command::ToolFinished { id: call.id, result: "yes".to_owned(), is_error: false }).await;
    let answer = hear(&mut agent).await.unwrap();
    assert_eq!((&answer["tool_call_id"], &answer["result"]), (&json!("c1"), &json!("yes")));
    say(&mut rig.carrier, stop()).await;
    rig.end_by(StreamEnd::CarrierStop).await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_is_turned_away() {
    let mut rig = Rig::open(Plan::default()).await;
    say(&mut rig.carrier, start("bad")).await;
    assert_eq!(hear(&mut rig.carrier).await, Err(Some(1008)));
    let (events, summary) = rig.end().await;
    assert_eq!((events, summary.call_id, summary.ended), (vec![], None, None));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_says_nothing_is_turned_away() {
    let mut rig = Rig::open(Plan::default()).await;
    let opened = clock();
    assert_eq!(hear(&mut rig.carrier).await, Err(Some(1008)));
    // Where nothing comes, a deadline is met a second late at most.
    let waited = clock().duration_since(opened);
    assert!(waited >= Duration::from_secs(5) && waited <= Duration::from_secs(6), "{waited:?}");
    assert_eq!(rig.end().await.1.call_id, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_no_timer_on_its_own_thread() {
    // Nothing drives this one, so nobody looks at the stream.
    let other = Builder::new_current_thread().enable_time().build().unwrap();
    let plan = Plan { timers: Some(other.handle().clone()), ..Plan::default() };
    let (mut rig, _agent) = Rig::conversing(plan).await;
    assert!(timeout(Duration::from_hours(1), hear(&mut rig.carrier)).await.is_err(), "something woke the stream");
    say(&mut rig.carrier, media(&frame(0))).await;
    rig.end_by(StreamEnd::Silence).await;
    other.shutdown_background();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_met_by_the_callers_next_frame() {
    let (mut rig, mut agent) = Rig::conversing(Plan::default()).await;
    say(&mut agent, speech(1, &frame(1))).await;
    let mut heard = Vec::new();
    let spoke = clock();
    while heard.iter().filter(|kind| *kind == "mark").count() < 2 {
        say(&mut rig.carrier, media(&frame(0))).await;
        while let Ok(said) = timeout(FRAME_TIME, hear(&mut rig.carrier)).await {
            heard.push(said.unwrap()["event"].as_str().unwrap().to_owned());
        }
    }
    // One mark goes with the audio, the other one follows a pause of 100 ms.
    assert_eq!(heard, ["media", "mark", "mark"]);
    let waited = clock().duration_since(spoke);
    assert!(waited >= Duration::from_millis(100) && waited <= Duration::from_millis(140), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_is_counted() {
    let (mut rig, mut agent) = Rig::conversing(Plan::default()).await;
    rig.carrier.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    rig.carrier.send(Message::text("{")).await.unwrap();
    agent.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    agent.send(Message::text("{")).await.unwrap();
    // Answered only after the ones before were read.
    say(&mut agent, json!({"type": "ping", "ping_event": {"event_id": 1}})).await;
    hear(&mut agent).await.unwrap();
    say(&mut rig.carrier, stop()).await;
    let (_, summary) = rig.end_by(StreamEnd::CarrierStop).await;
    assert_eq!(summary.ended.unwrap().counters.malformed_messages, 4);
}

#[tokio::test(start_paused = true)]
async fn a_full_journal_ends_the_call_and_loses_nothing() {
    let (mut rig, mut agent) = Rig::conversing(Plan { journal_size: 3, ..Plan::default() }).await;
    // The start and the connection are in the journal; the first of these two still fits, and nobody reads.
    for digit in ["1", "2"] {
        say(&mut rig.carrier, json!({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": digit}})).await;
    }
    assert_eq!(hear_close(&mut agent).await, Some(1000));
    assert_eq!(hear_close(&mut rig.carrier).await, Some(1011));
    assert!(matches!(rig.requests.recv().await, Some(Request::HangUp { disposition: Disposition::Failed, .. })));
    let mut events = Vec::new();
    while let Some((_, event)) = rig.journal.recv().await {
        events.push(event);
    }
    assert!(
        matches!(
            events[2..],
            [
                CallEvent::DtmfReceived { digit: '1' },
                CallEvent::DtmfReceived { digit: '2' },
                CallEvent::HangUpRequested { .. },
                CallEvent::KeysCollected { .. },
                CallEvent::StreamEnded { cause: StreamEnd::JournalFull, .. }
            ]
        ),
        "{events:?}"
    );
}
