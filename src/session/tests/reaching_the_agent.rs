//! Scenarios of reaching an agent and losing it.

use std::time::Duration;

use insta::assert_snapshot;

use super::language::{CONVERSING, SPEAKING, after, every, tell, without_agent_audio};

#[test]
fn ping_is_answered_in_every_state_of_the_agent() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted
        10ms agent connected
        20ms agent ping 1
        30ms agent ready
        40ms agent ping 2
        50ms agent ends
        60ms agent ping 3"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    10ms → agent: initiate
    20ms → agent: pong 1
    30ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=30 warmed=false
    40ms → agent: pong 2
    60ms → agent: pong 3
    "#);
}

#[test]
fn warmed_socket_is_used() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted warm
        0ms agent connected warm
        90ms agent ready"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    0ms → agent: initiate
    90ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=90 warmed=true
    "#);
}

#[test]
fn warmed_socket_dead_redials_silently() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted warm
        0ms agent connected warm
        5ms agent breaks
        90ms agent connected
        190ms agent ready"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    0ms → agent: initiate
    5ms dial agent, attempt 2
    90ms → agent: initiate
    190ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=190 warmed=false
    "#);
}

#[test]
fn warmed_dial_failed_redials_silently_and_may_still_retry() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted warm
        0ms agent refused final
        20ms agent refused retryable
        40ms agent refused retryable
        50ms"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    0ms dial agent, attempt 2
    20ms record agent_lost reason="no answer" will_retry=true
    20ms dial agent, attempt 3
    40ms record agent_lost reason="no answer" will_retry=false
    40ms record stream_ended cause="agent_failed"
    40ms close carrier, 1011
    "#);
}

#[test]
fn agent_lost_before_its_first_audio_is_dialled_once_more() {
    assert_snapshot!(after(CONVERSING, "300ms agent interrupted 9
        1000ms agent closes 1011
        1020ms carrier media 160
        1100ms agent connected
        1200ms agent ready
        1300ms agent speaks 1 100
        1400ms agent closes 1011"), @r#"
    300ms → carrier: clear
    1000ms record agent_lost reason="the agent closed the socket with 1011" will_retry=true
    1000ms dial agent, attempt 2
    1100ms → agent: initiate
    1200ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=1200 warmed=false
    1200ms → agent: audio 160
    1300ms → carrier: media 800
    1300ms → carrier: mark t1-1
    1400ms → carrier: mark t1-2
    1400ms record agent_lost reason="the agent closed the socket with 1011" will_retry=false
    1400ms record turn_timed audio_ms=100 turn=1
    1400ms record stream_ended agent_bytes=800 caller_bytes=160 cause="agent_failed" heard_ms=100
    1400ms close carrier, 1011
    "#);
}

#[test]
fn agent_lost_after_its_first_audio_ends_the_stream() {
    assert_snapshot!(after(SPEAKING, "2100ms agent fails llm_error out of words
        2100ms agent breaks
        2200ms agent ready"), @r#"
    2100ms record agent_lost reason="llm_error: out of words" will_retry=false
    2100ms record stream_ended agent_bytes=16000 cause="agent_failed" heard_ms=1050
    2100ms close carrier, 1011
    "#);
}

#[test]
fn agent_refused() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted
        50ms agent refused final"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    50ms record agent_lost reason="no answer" will_retry=false
    50ms record stream_ended cause="agent_failed"
    50ms close carrier, 1011
    "#);
}

#[test]
fn agent_refuses_after_the_initiation() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted
        50ms agent connected
        80ms agent fails override_error first_message may not be overridden
        80ms agent closes 1008"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    50ms → agent: initiate
    80ms record agent_lost reason="override_error: first_message may not be overridden" will_retry=false
    80ms record stream_ended cause="agent_failed"
    80ms close carrier, 1011
    "#);
}

#[test]
fn agent_speaks_an_unknown_format() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted
        50ms agent connected
        80ms agent unsupported"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    50ms → agent: initiate
    80ms record agent_lost reason="set ulaw_8000" will_retry=false
    80ms close agent
    80ms record stream_ended cause="agent_failed"
    80ms close carrier, 1011
    "#);
}

#[test]
fn agent_never_ready() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted
        50ms agent connected
        5000ms carrier media 160
        20000ms"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    50ms → agent: initiate
    10000ms record agent_lost reason="the agent was not ready within 10 s" will_retry=false
    10000ms close agent
    10000ms record stream_ended caller_bytes=160 cause="agent_failed"
    10000ms close carrier, 1011
    "#);
}

#[test]
fn agent_silent() {
    let media = every(Duration::from_secs(1), 50, "carrier media 160");
    assert_snapshot!(without_agent_audio(&after(CONVERSING, &media)), @r#"
    30200ms record agent_lost reason="the agent said nothing for 30 s" will_retry=false
    30200ms close agent
    30200ms record stream_ended caller_bytes=4800 cause="agent_failed"
    30200ms close carrier, 1011
    "#);
}

#[test]
fn an_agent_that_pings_is_not_silent() {
    let calm = every(Duration::from_secs(1), 60, "carrier media 160\nagent ping 1");
    assert!(!after(CONVERSING, &calm).contains("agent_lost"));
}

#[test]
fn caller_audio_before_ready_is_buffered_and_bounded() {
    let media = every(Duration::from_millis(20), 160, "carrier media 160");
    let story = format!("{media}\n3200ms agent connected\n3300ms agent ready\n3400ms carrier stop");
    assert_snapshot!(after("0ms carrier start\n0ms admitted", &story), @r#"
    3200ms → agent: initiate
    3300ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=3300 warmed=false
    3300ms → agent: audio 160 ×150
    3400ms close agent
    3400ms record stream_ended caller_bytes=25600 caller_dropped_bytes=1600 cause="carrier_stop"
    3400ms close carrier, 1000
    "#);
}

#[test]
fn keys_pressed_before_ready_reach_the_agent() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted
        10ms carrier dtmf 5
        20ms agent connected
        30ms agent ready
        40ms carrier dtmf *"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    10ms record dtmf_received digit="5"
    20ms → agent: initiate
    30ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=30 warmed=false
    30ms → agent: key 5
    40ms record dtmf_received digit="*"
    40ms → agent: key *
    "#);
}

#[test]
fn the_agents_first_message_waits_for_who_the_caller_is() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted while looked up
        10ms agent connected
        40ms recognised Jo
        90ms agent ready"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    40ms → agent: initiate for "Jo"
    90ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=90 warmed=false
    "#);
}

#[test]
fn an_agent_that_connects_later_than_the_caller_is_recognised_does_not_wait() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted while looked up
        10ms recognised Jo
        90ms agent connected"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    90ms → agent: initiate for "Jo"
    "#);
}

#[test]
fn nobody_waits_longer_than_150_ms_and_a_second_attempt_knows_what_came_later() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted while looked up
        10ms agent connected
        200ms recognised Jo
        300ms agent breaks
        400ms agent connected"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    150ms → agent: initiate
    300ms record agent_lost reason="the agent's socket broke" will_retry=true
    300ms dial agent, attempt 2
    400ms → agent: initiate for "Jo"
    "#);
}

#[test]
fn one_that_dies_while_it_waits_is_dialled_again_and_waits_too() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted while looked up
        10ms agent connected
        20ms agent breaks
        30ms agent connected
        60ms recognised Jo"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    20ms record agent_lost reason="the agent's socket broke" will_retry=true
    20ms dial agent, attempt 2
    60ms → agent: initiate for "Jo"
    "#);
}

#[test]
fn a_greeting_before_the_conversation_is_heard_when_it_begins() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted while looked up
        10ms agent connected
        20ms agent speaks 1 500
        20ms agent marks greeted
        40ms recognised Jo
        40ms agent ready
        1000ms carrier stop"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    40ms → agent: initiate for "Jo"
    40ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=40 warmed=false
    40ms → carrier: media 4000
    40ms → carrier: mark t1-1
    40ms → carrier: mark t1-2
    140ms → carrier: mark t1-3
    1000ms close agent
    1000ms record turn_timed audio_ms=500 turn=1
    1000ms record stream_ended agent_bytes=4000 cause="carrier_stop" heard_ms=500
    1000ms close carrier, 1000
    "#);
}

#[test]
fn one_that_greets_and_leaves_before_the_conversation_is_dialled_again_and_its_greeting_is_void() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted while looked up
        10ms agent connected
        20ms agent speaks 1 500
        30ms agent breaks
        35ms agent connected
        40ms recognised Jo
        40ms agent ready
        1000ms carrier stop"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    30ms record agent_lost reason="the agent's socket broke" will_retry=true
    30ms dial agent, attempt 2
    40ms → agent: initiate for "Jo"
    40ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=40 warmed=false
    1000ms close agent
    1000ms record stream_ended agent_void_bytes=4000 cause="carrier_stop"
    1000ms close carrier, 1000
    "#);
}

#[test]
fn one_that_hangs_up_after_its_greeting_is_heard_first() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted held back
        10ms agent connected
        20ms agent speaks 1 500
        20ms agent ends
        30ms house releases
        40ms agent ready
        600ms carrier mark t1-2
        3000ms"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    30ms → agent: initiate
    40ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=40 warmed=false
    40ms → carrier: media 4000
    40ms → carrier: mark t1-1
    40ms → carrier: mark t1-2
    600ms record turn_timed audio_ms=500 played_ms=560 turn=1
    600ms record turn_heard heard_ms=500 turn=1
    1600ms record hang_up_requested by={"door":"agent","name":"agent"} disposition="completed"
    1600ms hang up, completed
    1600ms close agent
    "#);
}

#[test]
fn one_that_begins_before_it_is_told_who_calls_is_dialled_again() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted while looked up
        10ms agent connected
        20ms agent ready
        30ms agent connected
        40ms recognised Jo"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    20ms close agent
    20ms record agent_lost reason="the agent began before it was told who calls" will_retry=true
    20ms dial agent, attempt 2
    40ms → agent: initiate for "Jo"
    "#);
}

#[test]
fn no_more_is_kept_of_an_early_agent_than_its_audio_may_wait() {
    assert_snapshot!(without_agent_audio(&tell("0ms carrier start
        0ms admitted while looked up
        10ms agent connected
        20ms agent speaks 1 10000
        21ms agent speaks 1 10000
        22ms agent speaks 1 10000
        23ms agent speaks 1 10000
        40ms recognised Jo
        40ms agent ready
        50ms carrier stop")), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    40ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=40 warmed=false
    40ms → carrier: media 80000
    40ms → carrier: mark t1-1
    40ms → carrier: media 80000
    40ms → carrier: mark t1-2
    40ms → carrier: media 80000
    40ms → carrier: mark t1-3
    50ms close agent
    50ms record turn_timed audio_ms=10000 turn=1
    50ms record stream_ended agent_bytes=240000 agent_void_bytes=80000 cause="carrier_stop" heard_ms=10
    50ms close carrier, 1000
    "#);
}

#[test]
fn what_was_talked_over_before_the_conversation_is_not_heard() {
    assert_snapshot!(without_agent_audio(&tell("0ms carrier start
        0ms admitted while looked up
        10ms agent connected
        20ms agent speaks 1 500
        22ms agent interrupted 1
        23ms agent speaks 1 100
        24ms agent speaks 2 200
        40ms recognised Jo
        40ms agent ready
        50ms carrier stop")), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    40ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=40 warmed=false
    40ms → carrier: media 1600
    40ms → carrier: mark t2-1
    50ms close agent
    50ms record turn_timed audio_ms=200 turn=2
    50ms record stream_ended agent_bytes=1600 agent_void_bytes=4800 cause="carrier_stop" heard_ms=10
    50ms close carrier, 1000
    "#);
}
