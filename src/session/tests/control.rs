//! Scenarios of stepping in: messages, mute, hold, take-over, utterances of ours, keys, the end's warning.

use insta::assert_snapshot;

use super::language::{CONVERSING, SPEAKING, after, tell};

#[test]
fn a_message_reaches_the_agent_and_the_journal() {
    assert_snapshot!(after(CONVERSING, "300ms operator tells The caller is a customer.
        310ms operator asks What are your hours?"), @r#"
    300ms record agent_messaged by={"door":"console","name":"kim"} kind="context" text="The caller is a customer."
    300ms → agent: context The caller is a customer.
    310ms record agent_messaged by={"door":"console","name":"kim"} kind="user_message" text="What are your hours?"
    310ms → agent: user message What are your hours?
    "#);
}

#[test]
fn a_muted_agent_is_cut_off_and_heard_again_when_it_is_not() {
    assert_snapshot!(after(SPEAKING, "2500ms operator mutes
        2510ms operator mutes
        2600ms agent speaks 1 1000
        3000ms agent said 2 nobody hears this
        3000ms agent speaks 2 1000
        3500ms agent interrupted 2
        4000ms agent speaks 3 1000
        4100ms operator unmutes
        4200ms agent speaks 3 200
        5000ms agent said 4 five
        5000ms agent speaks 4 100
        5200ms carrier mark t4-5
        6000ms carrier stop"), @r#"
    2500ms → carrier: clear
    2500ms record agent_muted by={"door":"console","name":"kim"}
    2500ms record turn_withheld heard="one two three" heard_ms=1450 turn=1
    2500ms → agent: context You have been muted. The caller cannot hear you until you are told otherwise.
    3000ms record agent_said text="nobody hears this" turn=2
    3000ms record turn_withheld heard="" heard_ms=0 turn=2
    4100ms record agent_unmuted by={"door":"console","name":"kim"}
    4100ms → agent: context You are no longer muted. The caller can hear you again.
    4200ms → carrier: media 1600
    4200ms → carrier: mark t3-4
    4300ms → carrier: mark t3-5
    5000ms record agent_said text="five" turn=4
    5000ms → carrier: media 800
    5000ms → carrier: mark t4-6
    5100ms → carrier: mark t4-7
    5200ms record turn_timed audio_ms=200 played_ms=1000 turn=3
    5200ms record turn_heard heard_ms=200 turn=3
    6000ms close agent
    6000ms record turn_timed audio_ms=100 turn=4
    6000ms record stream_ended agent_bytes=18400 agent_withheld_bytes=24000 cause="carrier_stop" heard_ms=1750
    6000ms close carrier, 1000
    "#);
}

#[test]
fn a_sentence_of_ours_is_whole_and_the_agent_waits_behind_it() {
    assert_snapshot!(after(CONVERSING, "300ms house begins 7 This call is recorded.
        310ms house plays 7 1000
        320ms agent said 1 Hello.
        320ms agent speaks 1 400
        330ms house plays 7 500
        340ms house ends 7
        1350ms carrier mark t0-1
        1900ms carrier mark t0-3
        2300ms carrier mark t1-5"), @r#"
    300ms → agent: context The caller is being told, not by you: "This call is recorded."
    300ms record house_spoke by={"door":"console","name":"kim"} text="This call is recorded." utterance=7
    310ms → carrier: media 8000
    310ms → carrier: mark t0-1
    320ms record agent_said text="Hello." turn=1
    330ms → carrier: media 4000
    330ms → carrier: mark t0-2
    340ms → carrier: mark t0-3
    340ms → carrier: media 3200
    340ms → carrier: mark t1-4
    440ms → carrier: mark t1-5
    1900ms record own_audio_heard heard_ms=1500 sent_ms=1500 utterance=7
    2300ms record turn_timed audio_ms=1870 played_ms=1980 turn=1
    2300ms record turn_heard heard_ms=400 turn=1
    "#);
}

#[test]
fn a_sentence_that_breaks_off_ends_by_itself() {
    assert_snapshot!(after(CONVERSING, "300ms house begins 7 This call
        310ms house plays 7 100
        320ms agent speaks 1 400
        9000ms house plays 7 100"), @r#"
    300ms → agent: context The caller is being told, not by you: "This call"
    300ms record house_spoke by={"door":"console","name":"kim"} text="This call" utterance=7
    310ms → carrier: media 800
    310ms → carrier: mark t0-1
    410ms → carrier: mark t0-2
    5310ms → carrier: media 3200
    5310ms → carrier: mark t1-3
    5410ms → carrier: mark t1-4
    "#);
}

#[test]
fn talking_over_a_sentence_of_ours_cuts_it_off() {
    assert_snapshot!(after(SPEAKING, "2100ms house begins 7 One more thing.
        2110ms house plays 7 1000
        2120ms house ends 7
        3500ms agent interrupted 1"), @r#"
    2100ms → agent: context The caller is being told, not by you: "One more thing."
    2100ms record house_spoke by={"door":"console","name":"kim"} text="One more thing." utterance=7
    2110ms → carrier: media 8000
    2110ms → carrier: mark t0-4
    2120ms → carrier: mark t0-5
    3500ms → carrier: clear
    3500ms record turn_heard heard_ms=2000 turn=1
    3500ms record own_audio_heard heard_ms=450 sent_ms=1000 utterance=7
    "#);
}

#[test]
fn on_hold_the_caller_hears_the_tone_and_the_agent_silence() {
    assert_snapshot!(after(SPEAKING, "2500ms operator holds 2000
        2600ms carrier media 160
        2700ms agent said 2 Are you there?
        2700ms agent speaks 2 400
        4600ms operator resumes
        4700ms carrier media 160
        5000ms agent speaks 3 100"), @r#"
    2500ms → carrier: clear
    2500ms record held by={"door":"console","name":"kim"}
    2500ms record turn_withheld heard="one two three" heard_ms=1450 turn=1
    2500ms → agent: context The caller has been put on hold and cannot hear you. Wait until you are told otherwise.
    2500ms → carrier: media 16000
    2500ms → carrier: mark t0-4
    2500ms → agent: activity
    2600ms → carrier: mark t0-5
    2600ms → agent: audio 160
    2700ms record agent_said text="Are you there?" turn=2
    2700ms record turn_withheld heard="" heard_ms=0 turn=2
    4500ms → carrier: media 16000
    4500ms → carrier: mark t0-6
    4500ms → agent: activity
    4600ms → carrier: mark t0-7
    4600ms → carrier: clear
    4600ms record resumed by={"door":"console","name":"kim"}
    4600ms → agent: context The caller is off hold and can hear you again.
    4700ms → agent: audio 160
    5000ms → carrier: media 800
    5000ms → carrier: mark t2-8
    "#);
}

#[test]
fn a_call_on_hold_outlives_its_agent() {
    assert_snapshot!(after(CONVERSING, "300ms operator holds 60000
        400ms agent ends
        500ms agent closes 1000
        900ms operator resumes
        1000ms agent connected
        1100ms agent ready"), @r#"
    300ms record held by={"door":"console","name":"kim"}
    300ms → agent: context The caller has been put on hold and cannot hear you. Wait until you are told otherwise.
    300ms → carrier: media 480000
    300ms → carrier: mark t0-1
    300ms → agent: activity
    400ms → carrier: mark t0-2
    500ms record agent_lost reason="the agent closed the socket with 1000" will_retry=false
    900ms → carrier: clear
    900ms record resumed by={"door":"console","name":"kim"}
    900ms dial agent, attempt 2
    1000ms → agent: initiate
    1100ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=1100 warmed=false
    1100ms → agent: context The caller is off hold and can hear you again.
    "#);
}

#[test]
fn an_operator_speaks_in_the_agents_place() {
    assert_snapshot!(after(SPEAKING, "2500ms operator takes over
        2600ms operator speaks 20
        2610ms agent speaks 1 400
        2620ms carrier media 160
        2630ms operator speaks 800
        2640ms operator speaks 20
        2650ms agent interrupted 9
        4000ms operator hands back
        4100ms operator speaks 20
        4200ms agent speaks 10 100"), @r#"
    2500ms → carrier: clear
    2500ms record taken_over by={"door":"console","name":"kim"}
    2500ms record turn_withheld heard="one two three" heard_ms=1450 turn=1
    2500ms → agent: context A person has taken the call over and speaks with the caller. Stay silent until you are told otherwise.
    2600ms → carrier: media 160
    2600ms → carrier: mark t0-4
    2620ms → agent: audio 160
    2630ms → carrier: media 6400
    2630ms → carrier: mark t0-5
    2730ms → carrier: mark t0-6
    4000ms record handed_back by={"door":"console","name":"kim"}
    4000ms → agent: context The call has been handed back to you. A person spoke with the caller meanwhile. Go on.
    4200ms → carrier: media 800
    4200ms → carrier: mark t10-7
    "#);
}

#[test]
fn a_stream_may_begin_as_an_operators_without_any_agent() {
    assert_snapshot!(tell("0ms carrier start
        10ms admitted for an operator
        20ms carrier media 160
        30ms operator speaks 20
        100ms carrier stop"), @r#"
    0ms admit MZ1?
    10ms record stream_started
    10ms record taken_over by={"door":"console","name":"kim"}
    30ms → carrier: media 160
    30ms → carrier: mark t0-1
    100ms record stream_ended caller_bytes=160 cause="carrier_stop" heard_ms=20 own_bytes=160
    100ms close carrier, 1000
    "#);
}

#[test]
fn an_operator_keeps_a_call_whose_agent_leaves() {
    assert_snapshot!(after(SPEAKING, "2500ms agent ends
        2600ms operator takes over
        2700ms agent closes 1000
        2800ms operator speaks 20
        3000ms carrier mark t0-4
        9000ms operator hands back
        9100ms agent connected
        9200ms agent ready
        9300ms agent speaks 1 200
        9550ms carrier mark t3-6"), @r#"
    2600ms → carrier: clear
    2600ms record taken_over by={"door":"console","name":"kim"}
    2600ms record turn_withheld heard="one two three" heard_ms=1550 turn=1
    2600ms → agent: context A person has taken the call over and speaks with the caller. Stay silent until you are told otherwise.
    2700ms record agent_lost reason="the agent closed the socket with 1000" will_retry=false
    2800ms → carrier: media 160
    2800ms → carrier: mark t0-4
    2900ms → carrier: mark t0-5
    9000ms record handed_back by={"door":"console","name":"kim"}
    9000ms dial agent, attempt 2
    9100ms → agent: initiate
    9200ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=9200 warmed=false
    9200ms → agent: context The call has been handed back to you. A person spoke with the caller meanwhile. Go on.
    9300ms → carrier: media 1600
    9300ms → carrier: mark t3-6
    9400ms → carrier: mark t3-7
    9550ms record turn_timed audio_ms=200 played_ms=250 turn=3
    9550ms record turn_heard heard_ms=200 turn=3
    "#);
}

#[test]
fn keys_are_told_together() {
    assert_snapshot!(after(CONVERSING, "300ms carrier dtmf 1
        1000ms carrier dtmf 2
        5000ms carrier dtmf 3
        5100ms carrier dtmf #
        6000ms carrier dtmf 9
        6100ms carrier stop"), @r##"
    300ms record dtmf_received digit="1"
    300ms → agent: key 1
    1000ms record dtmf_received digit="2"
    1000ms → agent: key 2
    3000ms record keys_collected keys="12"
    3000ms → agent: context The caller entered 12 on the keypad.
    5000ms record dtmf_received digit="3"
    5000ms → agent: key 3
    5100ms record dtmf_received digit="#"
    5100ms → agent: key #
    5100ms record keys_collected keys="3#"
    5100ms → agent: context The caller entered 3# on the keypad.
    6000ms record dtmf_received digit="9"
    6000ms → agent: key 9
    6100ms record keys_collected keys="9"
    6100ms → agent: context The caller pressed 9.
    6100ms close agent
    6100ms record stream_ended cause="carrier_stop"
    6100ms close carrier, 1000
    "##);
}

#[test]
fn an_agent_that_is_held_back_is_spoken_to_when_it_is_let_go() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted held back
        100ms agent connected
        200ms carrier media 160
        900ms house releases
        1000ms agent ready"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    900ms → agent: initiate
    1000ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=1000 warmed=false
    1000ms → agent: audio 160
    "#);
    assert_snapshot!(tell("0ms carrier start
        0ms admitted held back
        100ms agent connected
        2100ms agent ready"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    2000ms → agent: initiate
    2100ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=2100 warmed=false
    "#);
}

#[test]
fn the_agent_is_warned_before_the_end_and_told_what_was_before() {
    assert_snapshot!(tell("0ms carrier start
        0ms admitted warned
        100ms agent connected
        200ms agent ready
        14000ms carrier media 160
        25000ms agent ping 1
        28000ms carrier media 160
        39000ms carrier media 160
        41000ms agent ping 2"), @r#"
    0ms admit MZ1?
    0ms record stream_started
    0ms dial agent, attempt 1
    100ms → agent: initiate
    200ms record agent_connected agent_audio="ulaw_8000" caller_audio="ulaw_8000" conversation_id="conv_1" ready_ms=200 warmed=false
    200ms → agent: context A note.
    14000ms → agent: audio 160
    15200ms → agent: probe
    25000ms → agent: pong 1
    28000ms → agent: audio 160
    39000ms → agent: audio 160
    40000ms → agent: probe
    40000ms record end_warned remaining_s=20
    40000ms → agent: context This call must end in 20 seconds. Bring it to a close.
    41000ms → agent: pong 2
    "#);
}
