//! Replays audio through one stream of the data plane, for callgrind to count its instructions (`benches/instructions.sh`).
//!
//! Both sockets are pipes in memory; all else is what a call runs through: WebSocket framing and masking, codecs, session, playout
//! ledger, lanes, writers, driver. A run of more frames less a run of fewer is what the frames cost without the start.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::wire::{FRAME_BYTES, Noise, Side, Stamp, put_text};
use crate::agents::AgentSocket;
use crate::domain::CallId;
use crate::protocol::agent::Dialect;
use crate::relay::{self, Admission, Hooks, Looks};
use crate::session::Terms;
use crate::surfaces::cli::out::line;
use crate::surfaces::cli::{BenchReplayArgs, ReplayDirection};
use crate::websocket::WebSocket;

/// What a pipe holds, more than a frame and less than many.
const PIPE: usize = 16 << 10;

/// Fails when audio is lost on the way.
pub(super) async fn run(args: &BenchReplayArgs) -> anyhow::Result<()> {
    let frames = args.frames as usize;
    let passed = replay(args.direction, args.format.as_str(), frames).await?;
    line(format!("{passed} bytes came through"));
    ensure!(passed > frames * FRAME_BYTES, "most of the audio was lost on the way");
    Ok(())
}

/// Returns how many bytes came out at the other end.
async fn replay(direction: ReplayDirection, format: &str, frames: usize) -> anyhow::Result<usize> {
    let (mut carrier, carrier_side) = duplex(PIPE);
    let (mut agent, agent_side) = duplex(PIPE);
    let carrier_side = WebSocket::new(carrier_side, &[], Role::Server, WebSocketConfig::default());
    let agent_side = WebSocket::new(agent_side, &[], Role::Client, WebSocketConfig::default());
    let (recorder, mut journal) = mpsc::channel(1000);
    let (commands, inbox) = mpsc::channel(8);
    let hooks = Hooks {
        admit: Box::new(move |_| {
            Ok(Admission {
                call_id: CallId::from_uuid(uuid::Uuid::from_u128(1)),
                tap: Arc::default(),
                terms: Terms { max_duration: Duration::from_hours(1), ..Terms::default() },
                warmed: Some(
                    std::future::ready(Ok(AgentSocket { socket: agent_side, dialect: Dialect::elevenlabs() })).boxed(),
                ),
                dial: Box::new(|_| std::future::pending().boxed()),
            })
        }),
        recorder,
        ask: Box::new(|_| ()),
        looks: Looks::new(Handle::current()),
    };
    let stream = relay::run(carrier_side, Arc::default(), hooks, inbox);
    let far_ends = async {
        start(&mut carrier, &mut agent, format).await?;
        let passed = match direction {
            ReplayDirection::ToAgent => speak(&mut carrier, &mut agent, &caller_frame(), frames).await,
            ReplayDirection::ToCarrier => speak(&mut agent, &mut carrier, &agent_frame(format), frames).await,
        };
        drop((carrier, agent, commands));
        passed
    };
    let events = async { while journal.recv().await.is_some() {} };
    let (_, passed, ()) = tokio::join!(stream, far_ends, events);
    passed
}

async fn start(carrier: &mut DuplexStream, agent: &mut DuplexStream, format: &str) -> anyhow::Result<()> {
    let start = json!({
        "event": "start", "streamSid": "MZ00000000000000000000000000000001",
        "start": {
            "accountSid": "AC1", "streamSid": "MZ00000000000000000000000000000001", "callSid": "CA1", "customParameters": {},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
    });
    carrier.write_all(&frame(&start.to_string(), Side::Carrier)).await?;
    let mut bytes = [0; 4096];
    ensure!(agent.read(&mut bytes).await? > 0, "the agent was not greeted");
    let metadata = json!({
        "type": "conversation_initiation_metadata",
        "conversation_initiation_metadata_event": {
            "conversation_id": "conv_1", "user_input_audio_format": format, "agent_output_audio_format": format,
        },
    });
    agent.write_all(&frame(&metadata.to_string(), Side::Agent)).await?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(())
}

/// One frame at a time, each in a wake-up of its own, as on a quiet wire.
async fn speak(from: &mut DuplexStream, to: &mut DuplexStream, frame: &[u8], frames: usize) -> anyhow::Result<usize> {
    let (mut bytes, mut passed) = (vec![0; PIPE], 0);
    for _ in 0..frames {
        from.write_all(frame).await?;
        passed += to.read(&mut bytes).await?;
    }
    Ok(passed)
}

fn caller_frame() -> Vec<u8> {
    let mut payload = String::new();
    Noise::new().write_frame(Stamp { sent: 0, call: 1, number: 1, turn: 0 }, &mut payload);
    let text = format!(
        r#"{{"event":"media","sequenceNumber":"1042","media":{{"track":"inbound","chunk":"1041","timestamp":"20820","payload":"{payload}"}},"streamSid":"MZ00000000000000000000000000000001"}}"#
    );
    frame(&text, Side::Carrier)
}

fn agent_frame(format: &str) -> Vec<u8> {
    let (noise, mut payload) = (Noise::new(), String::new());
    match format {
        "ulaw_8000" => noise.write_frame(Stamp { sent: 0, call: 1, number: 1, turn: 7 }, &mut payload),
        _ => noise.write_pcm(1, 1, &mut payload),
    }
    frame(&format!(r#"{{"type":"audio","audio_event":{{"audio_base_64":"{payload}","event_id":7}}}}"#), Side::Agent)
}

fn frame(text: &str, side: Side) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_text(&mut bytes, side, text.as_bytes());
    bytes
}
