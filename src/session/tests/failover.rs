//! Scenarios of an agent that is lost and the next one that takes its place within the same stream.

use std::time::Duration;

use insta::assert_snapshot;

use super::language::{CONVERSING_WITH_STAND_INS, after, every, tell, without_agent_audio};

#[test]
fn an_agent_that_refuses_is_replaced_at_once() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted with stand-ins
        50ms agent refused final
        60ms carrier media 160
        150ms agent connected
        250ms agent ready"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    50ms record agent_lost agent="elevenlabs:a1" reason="no answer" will_retry=false
    50ms record agent_replaced by="elevenlabs:a2"
    50ms dial stand-in 1, attempt 2
    150ms → agent: initiate
    250ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=200 warmed=false
    250ms → agent: audio 160
    "#);
}

#[test]
fn what_must_be_said_first_is_said_until_it_was_heard_to_its_end() {
    const SAID: &str = "0ms carrier start
        0ms admitted to open
        100ms agent connected
        200ms agent ready
        300ms agent said 1 this is a machine";
    let opening = |story: &str| tell(&format!("{SAID}\n300ms agent speaks 1 1000\n{story}"));
    let initiations = |story: &str| {
        let told = opening(story);
        told.lines().filter(|line| line.contains("initiate")).map(str::to_owned).collect::<Vec<_>>()
    };
    let cut_off = initiations("700ms agent breaks\n800ms agent connected");
    assert_eq!(cut_off.len(), 2, "{cut_off:?}");
    assert!(cut_off.iter().all(|line| line.ends_with("to say \"This is a machine.\"")), "{cut_off:?}");
    let lost_and_played =
        initiations("700ms agent breaks\n1300ms carrier mark t1-1\n1300ms carrier mark t1-2\n1400ms agent connected");
    assert!(lost_and_played[1].ends_with("to say \"This is a machine.\""), "{lost_and_played:?}");
    let in_pieces = |story: &str| tell(&format!("{SAID}\n{story}"));
    let faltering = in_pieces(
        "300ms agent speaks 1 300
        400ms carrier mark t1-1
        700ms carrier mark t1-2
        900ms agent breaks
        1000ms agent connected",
    );
    assert!(faltering.contains("1000ms → agent: initiate, to say") && !faltering.contains("turn_heard"), "{faltering}");
    let in_two_pieces = in_pieces(
        "300ms agent speaks 1 400
        400ms carrier mark t1-1
        800ms carrier mark t1-2
        900ms agent speaks 2 400
        1000ms carrier mark t2-3
        1400ms carrier mark t2-4
        1500ms agent breaks
        1600ms agent connected",
    );
    assert!(in_two_pieces.contains("1600ms → agent: initiate after"), "{in_two_pieces}");
    let talked_over = initiations("700ms agent interrupted 1\n750ms agent breaks\n800ms agent connected");
    assert!(talked_over[1].ends_with("to say \"This is a machine.\""), "{talked_over:?}");
    let told = opening("700ms agent interrupted 1\n1300ms carrier mark t1-1\n1300ms carrier mark t1-2");
    assert!(!told.contains("clear") && told.contains("turn_heard heard_ms=1000"), "nobody talks over it: {told}");
    let heard =
        initiations("1300ms carrier mark t1-1\n1300ms carrier mark t1-2\n2500ms agent breaks\n2600ms agent connected");
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard[1].contains("initiate after"), "{heard:?}");
}

#[test]
fn only_before_its_first_audio_is_the_same_agent_tried_again() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted with stand-ins
        50ms agent refused retryable
        100ms agent refused retryable
        200ms agent connected
        300ms agent ready
        400ms agent said 1 hello there
        400ms agent speaks 1 1000
        900ms agent breaks
        1000ms agent connected"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    50ms record agent_lost agent="elevenlabs:a1" reason="no answer" will_retry=true
    50ms dial agent, attempt 2
    100ms record agent_lost agent="elevenlabs:a1" reason="no answer" will_retry=false
    100ms record agent_replaced by="elevenlabs:a2"
    100ms dial stand-in 1, attempt 3
    200ms → agent: initiate
    300ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=200 warmed=false
    400ms record agent_said text="hello there" turn=2
    400ms → carrier: media 8000
    400ms → carrier: mark t2-1
    500ms → carrier: mark t2-2
    900ms record agent_lost agent="elevenlabs:a2" reason="the agent's socket broke" will_retry=false
    900ms record agent_replaced by="elevenlabs:a3"
    900ms dial stand-in 2, attempt 4
    1000ms → agent: initiate after "You: hello there"
    "#);
}

#[test]
fn an_agent_lost_in_mid_sentence_is_played_to_its_end_and_the_next_one_knows_what_was_said() {
    assert_snapshot!(after(CONVERSING_WITH_STAND_INS, "300ms agent said 1 How can I help?
        300ms agent speaks 1 1000
        1300ms carrier mark t1-1
        1500ms carrier mark t1-2
        2000ms caller said What does it cost?
        2500ms agent said 2 It costs ten
        2500ms agent speaks 2 1000
        2700ms agent closes 1011
        2800ms agent connected
        3000ms agent ready
        3200ms agent said 1 Ten dollars.
        3200ms agent speaks 1 500
        3600ms carrier mark t2-4
        4200ms carrier mark t4-6"), @r#"
    300ms record agent_said text="How can I help?" turn=1
    300ms → carrier: media 8000
    300ms → carrier: mark t1-1
    400ms → carrier: mark t1-2
    1300ms record turn_timed audio_ms=1000 played_ms=1000 turn=1
    1500ms record turn_heard heard_ms=1000 turn=1
    2000ms record caller_said text="What does it cost?"
    2500ms record agent_said text="It costs ten" turn=2
    2500ms → carrier: media 8000
    2500ms → carrier: mark t2-3
    2600ms → carrier: mark t2-4
    2700ms record agent_lost agent="elevenlabs:a1" reason="the agent closed the socket with 1011" will_retry=false
    2700ms record agent_replaced by="elevenlabs:a2"
    2700ms dial stand-in 1, attempt 2
    2800ms → agent: initiate after "You: How can I help?\nCaller: What does it cost?\nYou: It costs ten"
    3000ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=300 warmed=false
    3000ms → agent: context You take over a phone call that is under way. Do not greet the caller again and do not mention a change: go on from here. The last sentence may have been cut off. What was said so far:
    You: How can I help?
    Caller: What does it cost?
    You: It costs ten
    3200ms record agent_said text="Ten dollars." turn=4
    3200ms → carrier: media 4000
    3200ms → carrier: mark t4-5
    3300ms → carrier: mark t4-6
    3600ms record turn_timed agent_ms=500 audio_ms=1000 played_ms=1100 turn=2
    3600ms record turn_heard heard_ms=1000 turn=2
    4200ms record turn_timed audio_ms=800 played_ms=1000 turn=4
    4200ms record turn_heard heard_ms=500 turn=4
    "#);
}

#[test]
fn the_caller_hears_a_tone_while_the_next_agent_takes_its_time() {
    assert_snapshot!(without_agent_audio(&after(CONVERSING_WITH_STAND_INS, "1000ms caller said Hello?
        1100ms agent breaks
        1200ms agent refused final
        6000ms agent connected
        6100ms agent ready")), @r#"
    1000ms record caller_said text="Hello?"
    1100ms record agent_lost agent="elevenlabs:a1" reason="the agent's socket broke" will_retry=true
    1100ms dial agent, attempt 2
    1200ms record agent_lost agent="elevenlabs:a1" reason="no answer" will_retry=false
    1200ms record agent_replaced by="elevenlabs:a2"
    1200ms dial stand-in 1, attempt 3
    1800ms → carrier: media 4000
    1800ms → carrier: mark t0-1
    1900ms → carrier: mark t0-2
    3200ms record agent_lost agent="elevenlabs:a2" reason="the agent was not ready within 2 s" will_retry=false
    3200ms close agent
    3200ms record agent_replaced by="elevenlabs:a3"
    3200ms dial stand-in 2, attempt 4
    3800ms → carrier: media 4000
    3800ms → carrier: mark t0-3
    3900ms → carrier: mark t0-4
    5800ms → carrier: media 4000
    5800ms → carrier: mark t0-5
    5900ms → carrier: mark t0-6
    6100ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=2900 warmed=false
    Caller: Hello?
    "#);
}

#[test]
fn an_agent_that_takes_over_and_waits_is_told_what_to_answer() {
    assert_snapshot!(after(CONVERSING_WITH_STAND_INS, "300ms agent speaks 1 100
        1000ms caller said What does it cost?
        1100ms agent breaks
        1200ms agent connected
        1300ms agent ready
        5000ms"), @r#"
    300ms → carrier: media 800
    300ms → carrier: mark t1-1
    400ms → carrier: mark t1-2
    1000ms record caller_said text="What does it cost?"
    1100ms record agent_lost agent="elevenlabs:a1" reason="the agent's socket broke" will_retry=false
    1100ms record agent_replaced by="elevenlabs:a2"
    1100ms dial stand-in 1, attempt 2
    1200ms → agent: initiate after "Caller: What does it cost?"
    1300ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=200 warmed=false
    1300ms → agent: context You take over a phone call that is under way. Do not greet the caller again and do not mention a change: go on from here. The last sentence may have been cut off. What was said so far:
    Caller: What does it cost?
    1700ms → carrier: media 4000
    1700ms → carrier: mark t0-3
    1700ms → agent: user message What does it cost?
    1800ms → carrier: mark t0-4
    3700ms → carrier: media 4000
    3700ms → carrier: mark t0-5
    3800ms → carrier: mark t0-6
    "#);
}

#[test]
fn an_agent_that_does_not_answer_the_caller_is_replaced() {
    let told = after(
        CONVERSING_WITH_STAND_INS,
        "300ms agent speaks 1 100
        1000ms caller said What does it cost?
        3000ms agent ping 1
        6000ms agent ping 2
        8000ms agent connected",
    );
    assert_snapshot!(told, @r#"
    300ms → carrier: media 800
    300ms → carrier: mark t1-1
    400ms → carrier: mark t1-2
    1000ms record caller_said text="What does it cost?"
    3000ms → agent: pong 1
    6000ms → agent: pong 2
    7000ms record agent_lost agent="elevenlabs:a1" reason="the agent did not answer the caller within 6 s" will_retry=false
    7000ms close agent
    7000ms record agent_replaced by="elevenlabs:a2"
    7000ms dial stand-in 1, attempt 2
    7600ms → carrier: media 4000
    7600ms → carrier: mark t0-3
    7700ms → carrier: mark t0-4
    8000ms → agent: initiate after "Caller: What does it cost?"
    "#);
}

#[test]
fn one_that_is_at_work_or_speaks_keeps_the_call() {
    for sign in ["agent works", "agent calls t lookup", "agent speaks 1 100"] {
        let pings = every(Duration::from_secs(1), 15, "carrier media 160\nagent ping 1");
        let story = format!("300ms caller said Hi\n900ms {sign}\n{pings}");
        assert!(!after(CONVERSING_WITH_STAND_INS, &story).contains("agent_lost"), "{sign}");
    }
}

#[test]
fn one_that_says_nothing_at_all_is_replaced_sooner_than_a_lone_one() {
    let media = every(Duration::from_secs(1), 12, "carrier media 160");
    assert_snapshot!(without_agent_audio(&after(CONVERSING_WITH_STAND_INS, &media)), @r#"
    10200ms record agent_lost agent="elevenlabs:a1" reason="the agent said nothing for 10 s" will_retry=false
    10200ms close agent
    10200ms record agent_replaced by="elevenlabs:a2"
    10200ms dial stand-in 1, attempt 2
    10800ms → carrier: media 4000
    10800ms → carrier: mark t0-1
    10900ms → carrier: mark t0-2
    "#);
}

#[test]
fn one_that_is_never_ready_or_talks_nonsense_is_replaced() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted with stand-ins
        50ms agent connected
        2100ms agent connected
        2200ms agent ready
        2300ms agent malformed
        2300ms agent malformed
        2300ms agent malformed
        2300ms agent malformed
        2300ms agent malformed
        2300ms agent malformed
        2300ms agent malformed
        2300ms agent malformed"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    50ms → agent: initiate
    2000ms record agent_lost agent="elevenlabs:a1" reason="the agent was not ready within 2 s" will_retry=false
    2000ms close agent
    2000ms record agent_replaced by="elevenlabs:a2"
    2000ms dial stand-in 1, attempt 2
    2100ms → agent: initiate
    2200ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=200 warmed=false
    2300ms record agent_lost agent="elevenlabs:a2" reason="the agent says nothing that makes sense" will_retry=false
    2300ms close agent
    2300ms record agent_replaced by="elevenlabs:a3"
    2300ms dial stand-in 2, attempt 3
    "#);
}

#[test]
fn after_the_last_one_the_stream_ends() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted with stand-ins
        10ms agent refused final
        20ms agent refused final
        30ms agent refused final"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    10ms record agent_lost agent="elevenlabs:a1" reason="no answer" will_retry=false
    10ms record agent_replaced by="elevenlabs:a2"
    10ms dial stand-in 1, attempt 2
    20ms record agent_lost agent="elevenlabs:a2" reason="no answer" will_retry=false
    20ms record agent_replaced by="elevenlabs:a3"
    20ms dial stand-in 2, attempt 3
    30ms record agent_lost agent="elevenlabs:a3" reason="no answer" will_retry=false
    30ms record stream_ended cause="agent_failed"
    30ms close carrier, 1011
    "#);
}

#[test]
fn the_answer_of_a_tool_is_not_told_to_another_agent() {
    assert_snapshot!(after(CONVERSING_WITH_STAND_INS, "300ms agent speaks 1 100
        400ms agent calls t1 lookup
        500ms agent breaks
        600ms agent connected
        700ms agent ready
        800ms tool finished t1"), @r#"
    300ms → carrier: media 800
    300ms → carrier: mark t1-1
    400ms → carrier: mark t1-2
    400ms record tool_called arguments={} name="lookup" tool_call_id="t1"
    400ms run tool t1 lookup
    500ms record agent_lost agent="elevenlabs:a1" reason="the agent's socket broke" will_retry=false
    500ms record agent_replaced by="elevenlabs:a2"
    500ms dial stand-in 1, attempt 2
    600ms → agent: initiate
    700ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=200 warmed=false
    800ms record tool_answered elapsed_ms=400 is_error=false name="lookup" tool_call_id="t1"
    "#);
}

#[test]
fn the_caller_hears_a_tone_while_the_agent_waits_for_a_slow_tool() {
    assert_snapshot!(after(CONVERSING_WITH_STAND_INS, "300ms agent speaks 1 1000
        400ms agent calls t1 lookup
        2000ms agent ping 1
        5000ms agent ping 2
        5100ms tool finished t1
        9000ms agent ping 3"), @r#"
    300ms → carrier: media 8000
    300ms → carrier: mark t1-1
    400ms → carrier: mark t1-2
    400ms record tool_called arguments={} name="lookup" tool_call_id="t1"
    400ms run tool t1 lookup
    2000ms → agent: pong 1
    2800ms → carrier: media 4000
    2800ms → carrier: mark t0-3
    2900ms → carrier: mark t0-4
    4800ms → carrier: media 4000
    4800ms → carrier: mark t0-5
    4900ms → carrier: mark t0-6
    5000ms → agent: pong 2
    5100ms record tool_answered elapsed_ms=4700 is_error=false name="lookup" tool_call_id="t1"
    5100ms → agent: tool result t1 done error=false
    9000ms → agent: pong 3
    "#);
}

#[test]
fn a_quick_tool_or_an_agent_that_is_muted_brings_no_tone() {
    for story in [
        "300ms agent calls t1 lookup\n1500ms tool finished t1\n4000ms agent ping 1",
        "300ms operator mutes\n400ms agent calls t1 lookup\n4000ms agent ping 1",
    ] {
        assert!(!after(CONVERSING_WITH_STAND_INS, story).contains("carrier: media"), "{story}");
    }
}

#[test]
fn a_goodbye_is_no_loss() {
    assert_snapshot!(after(CONVERSING_WITH_STAND_INS, "300ms agent speaks 1 100
        400ms agent closes 1000
        600ms carrier mark t1-2"), @r#"
    300ms → carrier: media 800
    300ms → carrier: mark t1-1
    400ms → carrier: mark t1-2
    600ms record turn_timed audio_ms=100 played_ms=300 turn=1
    600ms record turn_heard heard_ms=100 turn=1
    600ms record hang_up_requested by={"door":"agent","name":"agent"} disposition="completed"
    600ms hang up, completed
    "#);
}

#[test]
fn an_agents_own_marks_come_back_when_the_caller_heard_what_was_before_them() {
    assert_snapshot!(after(CONVERSING_WITH_STAND_INS, "300ms agent marks nothing
        400ms agent speaks 1 1000
        400ms agent marks one
        400ms agent speaks 1 1000
        400ms agent marks two
        1500ms carrier mark t1-2
        1600ms agent interrupted 1
        1700ms carrier mark t1-4"), @r#"
    300ms → agent: mark played nothing
    400ms → carrier: media 8000
    400ms → carrier: mark t1-1
    400ms → carrier: mark t1-2
    400ms → carrier: media 8000
    400ms → carrier: mark t1-3
    400ms → carrier: mark t1-4
    500ms → carrier: mark t1-5
    1500ms record turn_timed audio_ms=1000 played_ms=1100 turn=1
    1500ms → agent: mark played one
    1600ms → carrier: clear
    1600ms → agent: mark played two
    1600ms record barge_in heard="" heard_ms=1100 sent_ms=2000 turn=1
    "#);
}

#[test]
fn a_silent_listener_is_asked_whether_it_is_there() {
    let media = every(Duration::from_secs(1), 21, "carrier media 160");
    let story = format!("{media}\n5300ms agent alive");
    let alive = (0..4).map(|n| format!("{}ms agent alive", 5_300 + n * 5_000)).collect::<Vec<_>>().join("\n");
    assert!(!after(CONVERSING_WITH_STAND_INS, &alive).contains("agent_lost"));
    assert!(after(CONVERSING_WITH_STAND_INS, &alive).contains("5200ms → agent: probe"));
    assert!(after(CONVERSING_WITH_STAND_INS, &story.replace("5300ms agent alive", "")).contains("agent_lost"));
}
