//! Scenarios of what the caller heard: marks, turns, barge-in.

use insta::assert_snapshot;

use super::language::{CONVERSING, SPEAKING, after};

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
    2000ms record turn_timed audio_ms=4000 turn=3
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
    2590ms record turn_timed audio_ms=100 turn=3
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
    2010ms record turn_timed audio_ms=1000 played_ms=1010 turn=1
    2500ms → carrier: clear
    2500ms record turn_timed audio_ms=2000 turn=2
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
    1200ms record turn_timed audio_ms=100 played_ms=200 turn=1
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
    2100ms record turn_timed audio_ms=300 played_ms=1100 turn=4
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
    1300ms record turn_timed audio_ms=200 played_ms=300 turn=1
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
