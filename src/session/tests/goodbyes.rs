//! Scenarios of how a stream ends.

use std::time::Duration;

use insta::assert_snapshot;

use super::language::{CONVERSING, SPEAKING, after, every, tell, without_agent_audio};

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
    let media = every(Duration::from_secs(1), 40, "carrier media 160");
    let story = format!("250ms agent speaks 1 60000\n260ms agent closes 1000\n{media}");
    assert_snapshot!(after(CONVERSING, &story), @r#"
    250ms → carrier: media 480000
    250ms → carrier: mark t1-1
    260ms → carrier: mark t1-2
    15260ms record hang_up_requested by={"door":"agent","name":"agent"} disposition="completed"
    15260ms hang up, completed
    20260ms record turn_timed audio_ms=60000 turn=1
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
    2050ms record turn_timed audio_ms=500 played_ms=550 turn=1
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
fn max_duration() {
    let media = every(Duration::from_secs(1), 70, "carrier media 160\nagent ping 1");
    let end = without_agent_audio(&after(CONVERSING, &media));
    assert_snapshot!(end, @r#"
    60000ms record hang_up_requested by={"door":"system","name":"max_duration"} disposition="completed"
    60000ms hang up, completed
    60000ms close agent
    65000ms record stream_ended caller_bytes=10240 cause="max_duration"
    65000ms close carrier, 1000
    "#);
}

#[test]
fn carrier_silent() {
    assert_snapshot!(after(CONVERSING, "4000ms carrier media 160
        18999ms agent ping 1
        19000ms"), @r#"
    4000ms → agent: audio 160
    15200ms → agent: probe
    18999ms → agent: pong 1
    19000ms close agent
    19000ms record stream_ended caller_bytes=160 cause="silence"
    19000ms close carrier, 1000
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
