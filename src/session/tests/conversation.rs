//! Scenarios of admission and of an ordinary conversation.

use insta::assert_snapshot;

use super::language::{CONVERSING, after, tell, turn_after};
use crate::session::Turn;

#[test]
fn a_short_call() {
    assert_snapshot!(tell("0ms carrier connected
        10ms carrier start
        10ms admitted
        30ms carrier media 160
        80ms agent connected
        90ms carrier media 160
        120ms agent ready
        130ms carrier media 160
        200ms agent said 1 Hello there.
        200ms agent speaks 1 400
        260ms carrier mark t1-1
        700ms carrier mark t1-2
        900ms caller said Goodbye.
        1000ms agent ping 7
        1200ms carrier stop"), @r#"
    10ms admit MZ1?
    10ms record stream_started
    10ms dial agent, attempt 1
    80ms → agent: initiate
    120ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=110 warmed=false
    120ms → agent: audio 160 ×2
    130ms → agent: audio 160
    200ms record agent_said text="Hello there." turn=1
    200ms → carrier: media 3200
    200ms → carrier: mark t1-1
    260ms record turn_timed audio_ms=400 played_ms=60 turn=1
    300ms → carrier: mark t1-2
    700ms record turn_heard heard_ms=400 turn=1
    900ms record caller_said text="Goodbye."
    1000ms → agent: pong 7
    1200ms close agent
    1200ms record stream_ended agent_bytes=3200 caller_bytes=480 cause="carrier_stop" heard_ms=400
    1200ms close carrier, 1000
    "#);
}

#[test]
fn start_deadline() {
    assert_snapshot!(tell("0ms carrier connected
        100ms carrier media 160
        6000ms carrier start"), @"5000ms close carrier, 1008");
}

#[test]
fn a_refused_stream_records_nothing_and_reaches_no_agent() {
    assert_snapshot!(tell("0ms carrier start
        0ms refused
        10ms carrier media 160
        20ms admitted"), @"
    0ms admit MZ1?
    0ms close carrier, 1008
    ");
}

#[test]
fn an_encoding_that_is_not_mulaw_ends_the_stream() {
    assert_snapshot!(tell("0ms carrier start audio/l16
        0ms admitted"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms record stream_ended cause="carrier_fault"
    0ms close carrier, 1003
    "#);
}

#[test]
fn a_second_start_is_only_counted() {
    assert_snapshot!(after(CONVERSING, "300ms carrier start
        310ms carrier malformed
        320ms carrier unknown
        330ms agent malformed
        340ms agent other
        400ms carrier stop"), @r#"
    400ms close agent
    400ms record stream_ended cause="carrier_stop" malformed_messages=3 unknown_messages=2
    400ms close carrier, 1000
    "#);
}

#[test]
fn the_turn_goes_from_one_to_the_other() {
    let turns = [
        ("300ms agent ping 1", Some(Turn::Listening)),
        ("300ms caller said Hello.", Some(Turn::Thinking)),
        ("300ms caller said Hello.\n400ms agent speaks 1 20", Some(Turn::Speaking)),
        ("300ms agent speaks 1 20\n400ms carrier mark t1-1\n500ms carrier mark t1-2", Some(Turn::Listening)),
        ("300ms agent speaks 1 20\n310ms agent interrupted 1", Some(Turn::Listening)),
        ("300ms agent speaks 1 20\n310ms agent ends", None),
    ];
    assert_eq!(turn_after("0ms carrier start\n0ms admitted"), None);
    for (story, turn) in &turns {
        assert_eq!(turn_after(&format!("{CONVERSING}\n{story}")), *turn, "{story}");
    }
}

#[test]
fn tools_are_run_once_and_answered_once() {
    assert_snapshot!(after(CONVERSING, "300ms agent calls c1 look_up
        310ms agent calls c1 look_up
        500ms tool finished c1
        510ms tool finished c1
        520ms agent calls c1 look_up
        530ms tool finished c2"), @r#"
    300ms record tool_called arguments={} name="look_up" tool_call_id="c1"
    300ms run tool c1 look_up
    500ms record tool_answered elapsed_ms=200 is_error=false name="look_up" tool_call_id="c1"
    500ms → agent: tool result c1 done error=false
    "#);
}

#[test]
fn too_many_tools_are_refused() {
    let calls: Vec<_> = (0..33).map(|n| format!("300ms agent calls c{n} slow")).collect();
    let told = after(CONVERSING, &calls.join("\n"));
    assert_eq!(told.matches("run tool").count(), 32);
    assert!(told.ends_with("tool result c32 Too many tools run at once. Wait for one to finish. error=true"), "{told}");
}

#[test]
fn foreign_tools_are_denied_unless_listed() {
    assert_snapshot!(after(CONVERSING, "300ms agent asks any lookup
        310ms agent asks crm update
        320ms agent asks other update"), @"
    300ms → agent: approval ask_lookup true
    310ms → agent: approval ask_update true
    320ms → agent: approval ask_update false
    ");
}

#[test]
fn context_reaches_the_agent() {
    assert_snapshot!(after(CONVERSING, "300ms context The caller is in the queue."), @"300ms → agent: context The caller is in the queue.");
}
