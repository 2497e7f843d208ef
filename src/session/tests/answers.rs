//! Scenarios of how long a turn of the agent's took, on each side.

use insta::assert_snapshot;

use super::language::{CONVERSING, after, without_agent_audio};

#[test]
fn an_answer_is_timed_from_the_callers_words_to_the_carriers_report() {
    assert_snapshot!(after(CONVERSING, "1000ms caller said What are your hours?
        1700ms agent speaks 5 200
        1702ms carrier takes it
        1710ms agent said 4 Nine to five.
        1750ms agent speaks 6 400
        1760ms carrier takes it
        1950ms carrier mark t5-1
        2400ms carrier mark t4-2"), @r#"
    1000ms record caller_said text="What are your hours?"
    1700ms → carrier: media 1600
    1700ms → carrier: mark t5-1
    1710ms record agent_said text="Nine to five." turn=4
    1750ms → carrier: media 3200
    1850ms → carrier: mark t4-2
    1950ms record turn_timed agent_ms=700 audio_ms=200 played_ms=248 relay_us=2000 turn=4
    2400ms record turn_heard heard_ms=600 turn=4
    "#);
}

#[test]
fn words_that_nobody_asked_for_have_no_agents_part() {
    assert_snapshot!(after(CONVERSING, "300ms agent speaks 1 200
        300ms carrier takes it
        400ms caller said Hello?
        550ms carrier mark t1-1
        900ms agent speaks 2 200
        1150ms carrier mark t2-3"), @r#"
    300ms → carrier: media 1600
    300ms → carrier: mark t1-1
    400ms → carrier: mark t1-2
    400ms record caller_said text="Hello?"
    550ms record turn_timed audio_ms=200 played_ms=250 relay_us=0 turn=1
    900ms → carrier: media 1600
    900ms → carrier: mark t2-3
    1000ms → carrier: mark t2-4
    1150ms record turn_timed audio_ms=200 played_ms=250 turn=2
    1150ms record turn_heard heard_ms=200 turn=1
    1150ms record turn_heard heard_ms=200 turn=2
    "#);
}

#[test]
fn what_was_still_to_be_played_is_no_delay_of_the_carriers() {
    assert_snapshot!(after(CONVERSING, "1000ms agent said 1 First.
        1000ms agent speaks 1 1000
        1000ms carrier takes it
        1000ms agent said 2 Second.
        1400ms agent speaks 2 500
        1400ms carrier takes it
        2040ms carrier mark t1-1
        2540ms carrier mark t2-3"), @r#"
    1000ms record agent_said text="First." turn=1
    1000ms → carrier: media 8000
    1000ms → carrier: mark t1-1
    1000ms record agent_said text="Second." turn=2
    1100ms → carrier: mark t1-2
    1400ms → carrier: media 4000
    1400ms → carrier: mark t2-3
    1500ms → carrier: mark t2-4
    2040ms record turn_timed audio_ms=1000 played_ms=1040 relay_us=0 turn=1
    2540ms record turn_timed audio_ms=1100 played_ms=1140 relay_us=0 turn=2
    2540ms record turn_heard heard_ms=1000 turn=1
    2540ms record turn_heard heard_ms=500 turn=2
    "#);
}

#[test]
fn a_turn_that_is_cut_off_before_the_report_is_timed_as_far_as_it_came() {
    assert_snapshot!(after(CONVERSING, "1000ms caller said What are your hours?
        1700ms agent said 1 Nine to five.
        1700ms agent speaks 1 2000
        1701ms carrier takes it
        2200ms agent interrupted 1
        2300ms carrier mark t1-1"), @r#"
    1000ms record caller_said text="What are your hours?"
    1700ms record agent_said text="Nine to five." turn=1
    1700ms → carrier: media 16000
    1700ms → carrier: mark t1-1
    1800ms → carrier: mark t1-2
    2200ms → carrier: clear
    2200ms record turn_timed agent_ms=700 audio_ms=2000 relay_us=1000 turn=1
    2200ms record barge_in heard="" heard_ms=500 sent_ms=2000 turn=1
    "#);
}

#[test]
fn a_turn_that_the_end_takes_is_timed_before_it() {
    assert_snapshot!(after(CONVERSING, "1000ms agent speaks 1 2000
        1500ms carrier stop"), @r#"
    1000ms → carrier: media 16000
    1000ms → carrier: mark t1-1
    1100ms → carrier: mark t1-2
    1500ms close agent
    1500ms record turn_timed audio_ms=2000 turn=1
    1500ms record stream_ended agent_bytes=16000 cause="carrier_stop" heard_ms=500
    1500ms close carrier, 1000
    "#);
}

#[test]
fn waiting_behind_a_sentence_of_ours_counts_as_ours() {
    assert_snapshot!(without_agent_audio(&after(CONVERSING, "300ms house begins 7 This call is recorded.
        310ms house plays 7 1000
        320ms caller said Fine.
        620ms agent speaks 1 400
        1000ms house ends 7
        1001ms carrier takes it
        1320ms carrier mark t0-1
        1720ms carrier mark t1-2
        1730ms carrier mark t1-3")), @r#"
    300ms record house_spoke by={"door":"console","name":"kim"} text="This call is recorded." utterance=7
    310ms → carrier: media 8000
    310ms → carrier: mark t0-1
    320ms record caller_said text="Fine."
    410ms → carrier: mark t0-2
    1000ms → carrier: media 3200
    1000ms → carrier: mark t1-3
    1100ms → carrier: mark t1-4
    1320ms record own_audio_heard heard_ms=1000 sent_ms=1000 utterance=7
    1730ms record turn_timed agent_ms=300 audio_ms=710 played_ms=729 relay_us=381000 turn=1
    "#);
}

#[test]
fn what_was_said_to_a_muted_agent_is_answered_by_nobody() {
    assert_snapshot!(without_agent_audio(&after(CONVERSING, "300ms caller said Hello?
        400ms operator mutes
        500ms caller said Is anybody there?
        900ms operator unmutes
        5000ms agent speaks 1 400
        5450ms carrier mark t1-1")), @r#"
    300ms record caller_said text="Hello?"
    400ms record agent_muted by={"door":"console","name":"kim"}
    500ms record caller_said text="Is anybody there?"
    900ms record agent_unmuted by={"door":"console","name":"kim"}
    5000ms → carrier: media 3200
    5000ms → carrier: mark t1-1
    5100ms → carrier: mark t1-2
    5450ms record turn_timed audio_ms=400 played_ms=450 turn=1
    "#);
}
