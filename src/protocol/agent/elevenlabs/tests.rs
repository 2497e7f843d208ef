//! Tests of the ElevenLabs dialect against messages as the vendor documents them.

use proptest::prelude::*;

use super::*;

fn ready(caller: &str, agent: &str) -> (ElevenLabs, Result<AgentEvent, DialectError>) {
    let mut codec = ElevenLabs::default();
    let text = format!(
        r#"{{"type":"conversation_initiation_metadata","conversation_initiation_metadata_event":{{"conversation_id":"conv_1","agent_output_audio_format":"{agent}","user_input_audio_format":"{caller}"}}}}"#
    );
    let event = codec.decode(text.into());
    (codec, event)
}

fn decode(text: &str) -> Result<AgentEvent, DialectError> {
    ElevenLabs::default().decode(text.to_owned().into())
}

fn encode(command: &AgentCommand) -> String {
    let mut out = BytesMut::new();
    ElevenLabs::default().encode(command, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn the_first_message_tells_the_formats() {
    let (_, event) = ready("ulaw_8000", "pcm_16000");
    let Ok(AgentEvent::Ready { conversation_id, caller_audio, agent_audio }) = event else { panic!("{event:?}") };
    assert_eq!(conversation_id.as_str(), "conv_1");
    assert_eq!((caller_audio, agent_audio), (AudioFormat::Ulaw8000, AudioFormat::Pcm16000));
}

#[test]
fn a_format_that_cannot_be_carried_names_the_two_settings() {
    let (_, event) = ready("ulaw_8000", "pcm_44100");
    let Err(DialectError::UnsupportedFormat(text)) = event else { panic!("{event:?}") };
    assert!(text.contains("user_input_audio_format") && text.contains("agent_output_audio_format"));
}

#[test]
fn mulaw_passes_through_untouched() {
    let (mut codec, _) = ready("ulaw_8000", "ulaw_8000");
    let text = r#"{"type":"audio","audio_event":{"audio_base_64":"//9/fw==","event_id":7}}"#;
    let Ok(AgentEvent::Audio { chunk, turn }) = codec.decode(text.into()) else { panic!() };
    assert_eq!((chunk.base64(), turn), (&b"//9/fw=="[..], 7));
    let mut out = BytesMut::new();
    codec.encode(&AgentCommand::Audio(chunk), &mut out);
    assert_eq!(&out[..], br#"{"user_audio_chunk":"//9/fw=="}"#);
}

#[test]
fn an_alignment_does_not_slow_audio_down() {
    let text = r#"{"audio_event":{"event_id":3,"alignment":{"chars":["H","i"],"char_start_times_ms":[0,40]},"audio_base_64":"/w=="},"type":"audio"}"#;
    assert!(find_audio(text.as_bytes()).is_some());
    assert!(matches!(decode(text), Ok(AgentEvent::Audio { turn: 3, .. })));
}

#[test]
fn pcm_is_transcoded_in_both_directions() {
    let (mut codec, _) = ready("pcm_16000", "pcm_16000");
    let pcm = BASE64.encode(vec![0_u8; 640]);
    let text = format!(r#"{{"type":"audio","audio_event":{{"audio_base_64":"{pcm}","event_id":1}}}}"#);
    let Ok(AgentEvent::Audio { chunk, .. }) = codec.decode(text.into()) else { panic!() };
    assert_eq!(chunk.len(), 160);
    let mut out = BytesMut::new();
    codec.encode(&AgentCommand::Audio(chunk), &mut out);
    let sent: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(BASE64.decode(sent["user_audio_chunk"].as_str().unwrap()).unwrap().len(), 640);
}

#[test]
fn every_event_is_read() {
    let said = |text: &str| text.to_owned();
    let table = [
        (r#"{"type":"ping","ping_event":{"event_id":7,"ping_ms":null}}"#, AgentEvent::Ping { id: 7 }),
        (
            r#"{"type":"interruption","interruption_event":{"event_id":4,"reason":"user"}}"#,
            AgentEvent::Interrupted { turn: 4 },
        ),
        (
            r#"{"type":"user_transcript","user_transcription_event":{"user_transcript":"Yes.","event_id":2}}"#,
            AgentEvent::CallerSaid { text: said("Yes.") },
        ),
        (
            r#"{"type":"tentative_user_transcript","tentative_user_transcription_event":{"user_transcript":"Ye","event_id":2}}"#,
            AgentEvent::CallerSaying { text: said("Ye") },
        ),
        (
            r#"{"type":"agent_response","agent_response_event":{"agent_response":"Hello","event_id":1}}"#,
            AgentEvent::AgentSaid { turn: 1, text: said("Hello") },
        ),
        (
            r#"{"type":"agent_response_correction","agent_response_correction_event":{"original_agent_response":"Hello there","corrected_agent_response":"Hello","event_id":1}}"#,
            AgentEvent::AgentCorrected { turn: 1, text: said("Hello") },
        ),
        (
            r#"{"type":"agent_response_complete","agent_response_complete_event":{"event_id":1}}"#,
            AgentEvent::TurnComplete { turn: 1 },
        ),
        (
            r#"{"type":"agent_tool_response","agent_tool_response":{"tool_name":"end_call","tool_call_id":"t","tool_type":"system","is_error":false,"is_called":true,"event_id":9}}"#,
            AgentEvent::EndCall,
        ),
        (
            r#"{"type":"agent_tool_response","agent_tool_response":{"tool_name":"end_call","tool_call_id":"t","tool_type":"system","is_error":false,"is_called":false,"event_id":9}}"#,
            AgentEvent::Other,
        ),
        (
            r#"{"type":"mcp_tool_call","mcp_tool_call":{"service_id":"s","tool_call_id":"t","tool_name":"pay","parameters":{},"timestamp":"x","state":"awaiting_approval","approval_timeout_secs":300}}"#,
            AgentEvent::ApprovalWanted { tool_call_id: said("t"), service: said("s"), tool: said("pay") },
        ),
        (
            r#"{"type":"error","error_event":{"code":1008,"error_type":"override_error","message":"no"}}"#,
            AgentEvent::Failed { code: said("override_error"), message: said("no") },
        ),
        (r#"{"type":"vad_score","vad_score_event":{"vad_score":0.9}}"#, AgentEvent::Other),
        (r#"{"type":"something_new"}"#, AgentEvent::Other),
    ];
    for (text, event) in table {
        assert_eq!(decode(text), Ok(event), "{text}");
    }
}

#[test]
fn a_tool_call_is_read_with_its_arguments() {
    let text = r#"{"type":"client_tool_call","client_tool_call":{"tool_name":"book","tool_call_id":"c1","parameters":{"day":"Thursday"},"event_id":3}}"#;
    let Ok(AgentEvent::ToolCall(call)) = decode(text) else { panic!() };
    assert_eq!((call.id.as_str(), call.name.as_str(), call.expects_answer), ("c1", "book", true));
    assert_eq!(call.arguments["day"], "Thursday");
}

#[test]
fn what_is_no_message_is_malformed() {
    for text in ["", "[]", "{}", "{\"type\":7}", "{\"type\":\"audio\"}", "{\"type\":\"ping\",\"ping_event\":{}}", "\u{0}"] {
        assert!(matches!(decode(text), Err(DialectError::Malformed(_))), "{text}");
    }
}

#[test]
fn commands_are_written_as_documented() {
    let mut initiation = Initiation::default();
    initiation.dynamic_variables.insert("name".to_owned(), "Jo".into());
    initiation.dynamic_variables.insert("system__time".to_owned(), "no".into());
    let text = encode(&AgentCommand::Initiate(initiation));
    assert_eq!(text, r#"{"dynamic_variables":{"name":"Jo"},"type":"conversation_initiation_client_data"}"#);
    assert_eq!(encode(&AgentCommand::Pong { id: 3 }), r#"{"event_id":3,"type":"pong"}"#);
    assert_eq!(encode(&AgentCommand::Activity), r#"{"type":"user_activity"}"#);
    let result = AgentCommand::ToolResult { id: "c1".to_owned(), result: "ok".to_owned(), is_error: false };
    assert_eq!(
        encode(&result),
        r#"{"is_error":false,"result":"ok","tool_call_id":"c1","type":"client_tool_result"}"#
    );
}

proptest! {
    #[test]
    fn the_fast_way_and_serde_agree(payload in "[A-Za-z0-9+/]{0,40}", turn in 0_u64..1_000_000, spaces in " {0,2}") {
        let text = format!(r#"{{{spaces}"type": "audio",{spaces}"audio_event":{{"audio_base_64":"{payload}","event_id":{turn}}}}}"#);
        let (range, found) = find_audio(text.as_bytes()).unwrap();
        let Ok(Incoming::Audio { base64, turn: parsed }) = messages::parse(text.as_bytes()) else { panic!() };
        prop_assert_eq!((&text[range], found), (base64.as_str(), parsed));
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<Vec<u8>>()) {
        let _ = ElevenLabs::default().decode(text.into());
    }
}
