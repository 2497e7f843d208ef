//! `tail`: what happens, as it happens, or one call to its end.

use std::process::ExitCode;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use serde_json::Value;

use super::TailArgs;
use super::client::ApiClient;
use super::out::{Paint, line};

pub async fn tail(client: &ApiClient, args: &TailArgs, paint: Paint) -> anyhow::Result<ExitCode> {
    let path = match &args.call {
        Some(call) => format!("/api/v1/events?call_id={call}&after_seq=0"),
        None => "/api/v1/events".to_owned(),
    };
    let response = client.stream(&path).await?;
    let mut chunks = response.bytes_stream();
    // Bytes, because a chunk may end in the middle of a character.
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.context("the server closed the stream")?;
        bytes.extend_from_slice(&chunk);
        while let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = bytes.drain(..end + 2).collect();
            let Some(entry) = data_of(&String::from_utf8_lossy(&block)) else { continue };
            if args.json {
                line(&entry);
            } else if let Some(shown) = describe(&entry, paint) {
                line(shown);
            }
            if args.call.is_some() && entry["event"]["type"] == "ended" {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn data_of(block: &str) -> Option<Value> {
    let data = block.lines().find_map(|line| line.strip_prefix("data:"))?;
    serde_json::from_str(data.trim()).ok().filter(|entry: &Value| entry.get("event").is_some())
}

/// One event as a line for a person.
pub fn describe(entry: &Value, paint: Paint) -> Option<String> {
    let event = &entry["event"];
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let number = |key: &str| event[key].as_i64().unwrap_or_default();
    let what = match text("type") {
        "created" => format!("{} call {} → {}", text("direction"), text("from"), text("to")),
        "decided" if event["allowed"] == true => paint.green("the gate allowed it"),
        "decided" => paint.red(format!("the gate denied it: {}", event["reasons"])),
        "queued" => "waiting for a slot".to_owned(),
        "dialing" => "dialling".to_owned(),
        "carrier_accepted" => "the carrier took it".to_owned(),
        "carrier_refused" => paint.red(format!("the carrier refused: {}", text("message"))),
        "carrier_uncertain" => paint.yellow(format!("unknown whether it left: {}", text("message"))),
        "carrier_status" => format!("carrier: {}", text("status")),
        "answered_by" => format!("answered by {}", text("answered_by")),
        "stream_started" => "audio connected".to_owned(),
        "agent_connected" => format!("agent ready after {} ms", number("ready_ms")),
        "agent_lost" => paint.red(format!("agent lost: {}", text("reason"))),
        "agent_replaced" => paint.yellow(format!("{} takes over", text("by"))),
        "caller_said" => format!("{} {}", paint.cyan("caller:"), text("text")),
        "agent_said" => format!("{} {}", paint.bold("agent: "), text("text")),
        "barge_in" => {
            let (heard, sent) = (number("heard_ms"), number("sent_ms"));
            paint.yellow(format!(
                "the caller talked over the agent: {heard} of {sent} ms were heard: “{}”",
                text("heard")
            ))
        }
        // Details that the lines around them tell already.
        "caller_saying" | "agent_corrected" | "turn_timed" | "turn_heard" | "dtmf_received" | "own_audio_heard" => {
            return None;
        }
        "keys_collected" => format!("the caller pressed {}", text("keys")),
        "keys_sent" => format!("keys sent: {}", text("keys")),
        "house_spoke" => format!("{} {}", paint.bold("house: "), text("text")),
        "agent_messaged" => format!("the agent was told: {}", text("text")),
        "turn_withheld" => format!("not heard by the caller beyond: “{}”", text("heard")),
        "transfer_started" => paint.yellow(format!("transferring to {}", text("to"))),
        "transfer_failed" => paint.yellow(format!("transfer failed: {}", text("reason"))),
        "message_left" => format!("message left: {}", text("text")),
        "message_withheld" => paint.red(format!("no message left: {}", text("reason"))),
        "recording_steered" => format!("recording: {}", text("step")),
        "tool_called" => format!("tool {} called", text("name")),
        "tool_sent" => format!("tool {} asked of {}", text("tool"), text("server")),
        "tool_answered" => format!("tool {} answered in {} ms", text("name"), number("elapsed_ms")),
        "opted_out" => paint.yellow("opted out"),
        "recording_stored" => "recording stored".to_owned(),
        "conversation_analysed" => format!("summary: {}", text("summary")),
        "stream_ended" => format!("audio ended: {}", text("cause")),
        "resume_awaited" => "waiting for the carrier to come back".to_owned(),
        "hang_up_requested" => format!("end requested: {}", text("disposition")),
        "ended" => paint.bold(format!("ended: {}", text("disposition"))),
        other => other.to_owned(),
    };
    let at = entry["at"].as_str().and_then(|at| at.get(11..23)).unwrap_or_default();
    let call = entry["call_id"].as_str().map(|id| &id[id.len().saturating_sub(6)..]).unwrap_or_default();
    Some(format!("{}  {what}", paint.dim(format!("{at} …{call}"))))
}
