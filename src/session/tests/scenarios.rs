//! Scenarios by name: what goes in, and all that comes out.

use insta::assert_snapshot;

use super::language::{after, tell, turn_after};
use crate::session::Turn;

/// A stream whose agent has been ready since 200 ms.
const CONVERSING: &str = "0ms carrier start
    0ms admitted
    100ms agent connected
    200ms agent ready";

/// The same, and the agent has begun to speak at 1 s: 2 s of speech, of which the carrier has played the first.
const SPEAKING: &str = "0ms carrier start
    0ms admitted
    100ms agent connected
    200ms agent ready
    1000ms agent said 1 one two three four
    1000ms agent speaks 1 1000
    1000ms agent speaks 1 1000
    2050ms carrier mark t1-1";

/// All but what went to the agent, where much does and none of it matters.
fn without_agent_audio(told: &str) -> String {
    told.lines().filter(|line| !line.contains("→ agent")).collect::<Vec<_>>().join("\n")
}

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
fn barge_in_clears_first() {
    assert_snapshot!(after(SPEAKING, "2550ms agent interrupted 1"), @r#"
    2550ms → carrier: clear
    2550ms record barge_in heard="one two three" heard_ms=1500 sent_ms=2000 turn=1
    "#);
}

#[test]
fn barge_in_before_any_echo_counts_by_the_clock() {
    assert_snapshot!(after(CONVERSING, "1000ms agent said 3 one two three four
        1000ms agent speaks 3 4000
        2000ms agent interrupted 3"), @r#"
    1000ms record agent_said text="one two three four" turn=3
    1000ms → carrier: media 32000
    1000ms → carrier: mark t3-1
    1100ms → carrier: mark t3-2
    2000ms → carrier: clear
    2000ms record barge_in heard="one" heard_ms=1000 sent_ms=4000 turn=3
    "#);
}

#[test]
fn late_audio_of_interrupted_turn_is_void() {
    assert_snapshot!(after(SPEAKING, "2550ms agent interrupted 2
        2560ms agent speaks 1 100
        2570ms agent speaks 2 100
        2580ms agent speaks 3 100
        2590ms carrier stop"), @r#"
    2550ms → carrier: clear
    2550ms record barge_in heard="one two three" heard_ms=1500 sent_ms=2000 turn=1
    2580ms → carrier: media 800
    2580ms → carrier: mark t3-4
    2590ms close agent
    2590ms record stream_ended agent_bytes=16800 agent_void_bytes=1600 barge_ins=1 cause="carrier_stop" heard_ms=1510
    2590ms close carrier, 1000
    "#);
}

#[test]
fn an_older_interruption_does_not_bring_turns_back() {
    assert_snapshot!(after(SPEAKING, "2500ms agent interrupted 5
        2510ms agent interrupted 2
        2520ms agent speaks 4 100
        2530ms agent speaks 6 100"), @r#"
    2500ms → carrier: clear
    2500ms record barge_in heard="one two three" heard_ms=1450 sent_ms=2000 turn=1
    2530ms → carrier: media 800
    2530ms → carrier: mark t6-4
    "#);
}

#[test]
fn mark_echo_after_clear_is_not_heard() {
    assert_snapshot!(after(SPEAKING, "2550ms agent interrupted 1
        2600ms carrier mark t1-2
        2600ms carrier mark t1-3
        2700ms carrier stop"), @r#"
    2550ms → carrier: clear
    2550ms record barge_in heard="one two three" heard_ms=1500 sent_ms=2000 turn=1
    2700ms close agent
    2700ms record stream_ended agent_bytes=16000 barge_ins=1 cause="carrier_stop" heard_ms=1500
    2700ms close carrier, 1000
    "#);
}

#[test]
fn a_turn_played_out_before_the_interruption_was_heard() {
    assert_snapshot!(after(CONVERSING, "1000ms agent said 1 First.
        1000ms agent speaks 1 1000
        1000ms agent said 2 one two three four
        1000ms agent speaks 2 1000
        2010ms carrier mark t1-1
        2500ms agent interrupted 2"), @r#"
    1000ms record agent_said text="First." turn=1
    1000ms → carrier: media 8000
    1000ms → carrier: mark t1-1
    1000ms record agent_said text="one two three four" turn=2
    1000ms → carrier: media 8000
    1000ms → carrier: mark t2-2
    1100ms → carrier: mark t2-3
    2500ms → carrier: clear
    2500ms record turn_heard heard_ms=1000 turn=1
    2500ms record barge_in heard="one two" heard_ms=490 sent_ms=1000 turn=2
    "#);
}

#[test]
fn an_interruption_of_silence_is_no_barge_in() {
    assert_snapshot!(after(CONVERSING, "1000ms agent speaks 1 100
        1200ms carrier mark t1-1
        1200ms carrier mark t1-2
        1300ms agent interrupted 1
        1400ms agent interrupted 1"), @"
    1000ms → carrier: media 800
    1000ms → carrier: mark t1-1
    1100ms → carrier: mark t1-2
    1200ms record turn_heard heard_ms=100 turn=1
    1300ms → carrier: clear
    ");
}

#[test]
fn a_turn_with_several_ids_is_one_turn() {
    assert_snapshot!(after(CONVERSING, "1000ms agent said 4 one two
        1000ms agent speaks 5 300
        1000ms agent speaks 6 300
        1010ms agent speaks 7 400
        1010ms agent complete 7
        2100ms carrier mark t4-1
        2100ms carrier mark t4-2
        2100ms carrier mark t4-3"), @r#"
    1000ms record agent_said text="one two" turn=4
    1000ms → carrier: media 2400
    1000ms → carrier: mark t4-1
    1000ms → carrier: media 2400
    1010ms → carrier: media 3200
    1010ms → carrier: mark t4-2
    1010ms → carrier: mark t4-3
    2100ms record turn_heard heard_ms=1000 turn=4
    "#);
}

#[test]
fn a_turn_that_goes_on_after_a_pause_is_counted_on() {
    assert_snapshot!(after(CONVERSING, "1000ms agent speaks 1 200
        1300ms carrier mark t1-1
        1300ms carrier mark t1-2
        1500ms agent speaks 1 200
        1800ms carrier mark t1-3"), @"
    1000ms → carrier: media 1600
    1000ms → carrier: mark t1-1
    1100ms → carrier: mark t1-2
    1300ms record turn_heard heard_ms=200 turn=1
    1500ms → carrier: media 1600
    1600ms → carrier: mark t1-3
    1800ms record turn_heard heard_ms=400 turn=1
    ");
}

#[test]
fn a_foreign_mark_changes_nothing() {
    assert_snapshot!(after(SPEAKING, "2060ms carrier mark x
        2070ms carrier mark t1-99x
        2500ms agent interrupted 1"), @r#"
    2500ms → carrier: clear
    2500ms record barge_in heard="one two three" heard_ms=1450 sent_ms=2000 turn=1
    "#);
}

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
    let media = (1..50).map(|second| format!("{second}000ms carrier media 160\n")).collect::<String>();
    assert_snapshot!(without_agent_audio(&after(CONVERSING, &media)), @r#"
    30200ms record agent_lost reason="the agent said nothing for 30 s" will_retry=false
    30200ms close agent
    30200ms record stream_ended caller_bytes=4800 cause="agent_failed"
    30200ms close carrier, 1011
    "#);
}

#[test]
fn an_agent_that_pings_is_not_silent() {
    let calm = (1..60).map(|second| format!("{second}000ms carrier media 160\n{second}000ms agent ping 1\n"));
    assert!(!after(CONVERSING, &calm.collect::<String>()).contains("agent_lost"));
}

#[test]
fn carrier_silent() {
    assert_snapshot!(after(CONVERSING, "4000ms carrier media 160
        18999ms agent ping 1
        19000ms"), @r#"
    4000ms → agent: audio 160
    18999ms → agent: pong 1
    19000ms close agent
    19000ms record stream_ended caller_bytes=160 cause="silence"
    19000ms close carrier, 1000
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
fn caller_audio_before_ready_is_buffered_and_bounded() {
    let media = (0..160).map(|frame| format!("{}ms carrier media 160\n", frame * 20)).collect::<String>();
    let story = format!("{media}3200ms agent connected\n3300ms agent ready\n3400ms carrier stop");
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
    30ms → agent: activity
    30ms → agent: context The caller pressed 5.
    40ms record dtmf_received digit="*"
    40ms → agent: activity
    40ms → agent: context The caller pressed *.
    "#);
}

#[test]
fn goodbye_waits_for_the_mark() {
    assert_snapshot!(after(SPEAKING, "2100ms agent ends
        2110ms agent closes 1000
        2600ms carrier mark t1-2
        3100ms carrier mark t1-3
        3200ms carrier stop"), @r#"
    3100ms record turn_heard heard_ms=2000 turn=1
    3100ms record hang_up_requested by={"door":"agent","name":"agent"} disposition="completed"
    3100ms hang up, completed
    3200ms record stream_ended agent_bytes=16000 cause="agent_ended" heard_ms=2000
    3200ms close carrier, 1000
    "#);
}

#[test]
fn agent_closing_normally_is_its_goodbye() {
    assert_snapshot!(after(SPEAKING, "2110ms agent closes 1000
        3100ms carrier mark t1-3
        3200ms carrier stop"), @r#"
    3100ms record turn_heard heard_ms=2000 turn=1
    3100ms record hang_up_requested by={"door":"agent","name":"agent"} disposition="completed"
    3100ms hang up, completed
    3200ms record stream_ended agent_bytes=16000 cause="agent_ended" heard_ms=2000
    3200ms close carrier, 1000
    "#);
}

#[test]
fn goodbye_cap() {
    assert_snapshot!(after(SPEAKING, "2110ms agent closes 1000
        20000ms"), @r#"
    5050ms record hang_up_requested by={"door":"agent","name":"agent"} disposition="completed"
    5050ms hang up, completed
    10050ms record stream_ended agent_bytes=16000 cause="agent_ended" heard_ms=2000
    10050ms close carrier, 1000
    "#);
}

#[test]
fn goodbye_cap_has_a_limit_of_its_own() {
    let media = (1..40).map(|second| format!("{second}000ms carrier media 160\n")).collect::<String>();
    let story = format!("250ms agent speaks 1 60000\n260ms agent closes 1000\n{media}");
    assert_snapshot!(after(CONVERSING, &story), @r#"
    250ms → carrier: media 480000
    250ms → carrier: mark t1-1
    260ms → carrier: mark t1-2
    15260ms record hang_up_requested by={"door":"agent","name":"agent"} disposition="completed"
    15260ms hang up, completed
    20260ms record stream_ended agent_bytes=480000 caller_bytes=3200 cause="agent_ended" heard_ms=20010
    20260ms close carrier, 1000
    "#);
}

#[test]
fn words_after_the_end_of_the_call_was_announced_are_played() {
    assert_snapshot!(after(CONVERSING, "1000ms agent ends
        1500ms agent speaks 1 500
        1600ms agent closes 1000
        2050ms carrier mark t1-1
        2060ms carrier mark t1-2"), @r#"
    1500ms → carrier: media 4000
    1500ms → carrier: mark t1-1
    1600ms → carrier: mark t1-2
    2060ms record turn_heard heard_ms=500 turn=1
    2060ms record hang_up_requested by={"door":"agent","name":"agent"} disposition="completed"
    2060ms hang up, completed
    "#);
}

#[test]
fn an_agent_that_announces_the_end_and_stays_is_hung_up_on() {
    assert_snapshot!(after(CONVERSING, "1000ms agent ends
        3000ms carrier stop"), @r#"
    2000ms record hang_up_requested by={"door":"agent","name":"agent"} disposition="completed"
    2000ms hang up, completed
    2000ms close agent
    3000ms record stream_ended cause="agent_ended"
    3000ms close carrier, 1000
    "#);
}

#[test]
fn barge_in_cancels_the_goodbye_of_an_agent_that_is_still_there() {
    assert_snapshot!(after(SPEAKING, "2100ms agent ends
        2550ms agent interrupted 1
        3000ms carrier media 160
        8000ms agent speaks 2 100"), @r#"
    2550ms → carrier: clear
    2550ms record barge_in heard="one two three" heard_ms=1500 sent_ms=2000 turn=1
    3000ms → agent: audio 160
    8000ms → carrier: media 800
    8000ms → carrier: mark t2-4
    "#);
}

#[test]
fn caller_hangs_up_in_every_state() {
    let states = [
        ("awaiting start", ""),
        ("awaiting admission", "0ms carrier start"),
        ("dialling", "0ms carrier start\n0ms admitted"),
        ("connected", "0ms carrier start\n0ms admitted\n10ms agent connected"),
        ("conversing", CONVERSING),
        ("speaking", SPEAKING),
        ("draining", &format!("{SPEAKING}\n2060ms agent ends")),
        ("draining alone", &format!("{SPEAKING}\n2060ms agent closes 1000")),
        ("hanging up", &format!("{SPEAKING}\n2060ms operator hangs up")),
        ("ended", &format!("{SPEAKING}\n2060ms carrier stop")),
    ];
    let told = states.map(|(state, before)| {
        let [stop, closed] = ["stop", "closed"].map(|how| after(before, &format!("3000ms carrier {how}")));
        format!("{state}\n{stop}\n{closed}\n")
    });
    assert_snapshot!(told.join("\n"), @r#"
    awaiting start
    3000ms close carrier, 1000
    3000ms close carrier, 1000

    awaiting admission
    3000ms close carrier, 1000
    3000ms close carrier, 1000

    dialling
    3000ms close agent
    3000ms record stream_ended cause="carrier_stop"
    3000ms close carrier, 1000
    3000ms close agent
    3000ms record stream_ended cause="carrier_closed"
    3000ms close carrier, 1000

    connected
    3000ms close agent
    3000ms record stream_ended cause="carrier_stop"
    3000ms close carrier, 1000
    3000ms close agent
    3000ms record stream_ended cause="carrier_closed"
    3000ms close carrier, 1000

    conversing
    3000ms close agent
    3000ms record stream_ended cause="carrier_stop"
    3000ms close carrier, 1000
    3000ms close agent
    3000ms record stream_ended cause="carrier_closed"
    3000ms close carrier, 1000

    speaking
    3000ms close agent
    3000ms record stream_ended agent_bytes=16000 cause="carrier_stop" heard_ms=1950
    3000ms close carrier, 1000
    3000ms close agent
    3000ms record stream_ended agent_bytes=16000 cause="carrier_closed" heard_ms=1950
    3000ms close carrier, 1000

    draining
    3000ms close agent
    3000ms record stream_ended agent_bytes=16000 cause="carrier_stop" heard_ms=1950
    3000ms close carrier, 1000
    3000ms close agent
    3000ms record stream_ended agent_bytes=16000 cause="carrier_closed" heard_ms=1950
    3000ms close carrier, 1000

    draining alone
    3000ms record stream_ended agent_bytes=16000 cause="carrier_stop" heard_ms=1950
    3000ms close carrier, 1000
    3000ms record stream_ended agent_bytes=16000 cause="carrier_closed" heard_ms=1950
    3000ms close carrier, 1000

    hanging up
    3000ms record stream_ended agent_bytes=16000 cause="hung_up" heard_ms=1950
    3000ms close carrier, 1000
    3000ms record stream_ended agent_bytes=16000 cause="hung_up" heard_ms=1950
    3000ms close carrier, 1000

    ended
    "#);
}

#[test]
fn operator_hangs_up_at_once() {
    assert_snapshot!(after(SPEAKING, "2100ms operator hangs up
        2110ms carrier media 160
        2120ms agent speaks 1 100
        2130ms operator hangs up
        2400ms carrier stop"), @r#"
    2100ms record hang_up_requested by={"door":"console","name":"kim"} disposition="completed"
    2100ms hang up, completed
    2100ms close agent
    2400ms record stream_ended agent_bytes=16000 caller_bytes=160 cause="hung_up" heard_ms=1350
    2400ms close carrier, 1000
    "#);
}

#[test]
fn a_carrier_that_does_not_stop_is_closed() {
    assert_snapshot!(after(SPEAKING, "2100ms operator hangs up
        9000ms"), @r#"
    2100ms record hang_up_requested by={"door":"console","name":"kim"} disposition="completed"
    2100ms hang up, completed
    2100ms close agent
    7100ms record stream_ended agent_bytes=16000 cause="hung_up" heard_ms=2000
    7100ms close carrier, 1000
    "#);
}

#[test]
fn operator_hangs_up_before_admission() {
    assert_snapshot!(tell("0ms operator hangs up
        10ms carrier start"), @"0ms close carrier, 1000");
}

#[test]
fn the_agents_own_hang_up_tool_lets_it_say_goodbye() {
    assert_snapshot!(after(SPEAKING, "2100ms agent calls c1 hang_up
        2110ms tool finished c1
        2110ms tool hangs up
        2120ms agent speaks 1 100
        3200ms carrier mark t1-4
        4200ms
        4300ms carrier stop"), @r#"
    2100ms record tool_called arguments={} name="hang_up" tool_call_id="c1"
    2100ms run tool c1 hang_up
    2110ms record tool_answered elapsed_ms=10 is_error=false name="hang_up" tool_call_id="c1"
    2110ms → agent: tool result c1 done error=false
    2110ms record hang_up_requested by={"door":"agent","name":"hang_up"} disposition="opted_out"
    2120ms → carrier: media 800
    2220ms → carrier: mark t1-4
    3200ms record turn_heard heard_ms=2100 turn=1
    4200ms hang up, opted_out
    4200ms close agent
    4300ms record stream_ended agent_bytes=16800 cause="hung_up" heard_ms=2100
    4300ms close carrier, 1000
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
fn an_opt_out_wins_over_the_agents_own_goodbye() {
    assert_snapshot!(after(SPEAKING, "2100ms agent ends
        2110ms tool hangs up
        2120ms agent closes 1000
        3200ms carrier mark t1-3
        3300ms carrier stop"), @r#"
    2110ms record hang_up_requested by={"door":"agent","name":"hang_up"} disposition="opted_out"
    3200ms record turn_heard heard_ms=2000 turn=1
    3200ms hang up, opted_out
    3300ms record stream_ended agent_bytes=16000 cause="hung_up" heard_ms=2000
    3300ms close carrier, 1000
    "#);
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
    let calls = (0..33).map(|n| format!("300ms agent calls c{n} slow\n")).collect::<String>();
    let told = after(CONVERSING, &calls);
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
fn max_duration() {
    let media = (1..70).map(|second| format!("{second}000ms carrier media 160\n{second}000ms agent ping 1\n"));
    let end = without_agent_audio(&after(CONVERSING, &media.collect::<String>()));
    assert_snapshot!(end, @r#"
    60000ms record hang_up_requested by={"door":"system","name":"max_duration"} disposition="completed"
    60000ms hang up, completed
    60000ms close agent
    65000ms record stream_ended caller_bytes=10240 cause="max_duration"
    65000ms close carrier, 1000
    "#);
}

#[test]
fn journal_full() {
    assert_snapshot!(after(SPEAKING, "2100ms journal full
        2110ms carrier stop"), @r#"
    2100ms record hang_up_requested by={"door":"system","name":"journal_full"} disposition="failed"
    2100ms hang up, failed
    2100ms close agent
    2100ms record stream_ended agent_bytes=16000 cause="journal_full" heard_ms=1050
    2100ms close carrier, 1011
    "#);
}

#[test]
fn carrier_faulted() {
    assert_snapshot!(after(SPEAKING, "2100ms carrier faulted"), @r#"
    2100ms close agent
    2100ms record stream_ended agent_bytes=16000 cause="carrier_fault" heard_ms=1050
    2100ms close carrier, 1000
    "#);
}

#[test]
fn context_reaches_the_agent() {
    assert_snapshot!(after(CONVERSING, "300ms context The caller is in the queue."), @"300ms → agent: context The caller is in the queue.");
}
