//! The two ends of a call as servers and clients: an agent's end that waits for sockets, a carrier's end that opens one, and what
//! each does with what it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail, ensure};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::task::TaskTracker;

use super::load::{Line, Load};
use super::wire::{Heard, Inbox, Side, quoted};

/// The most that a head of HTTP may have here.
const HEAD_LIMIT: usize = 16 << 10;

/// A call's sid: its number, behind what tells it from any other sid.
pub(super) fn call_sid(number: usize) -> String {
    format!("CAbe4c{number:028x}")
}

/// Waits for agents' sockets, and gives away the signed URLs that lead to them. One server for all contenders.
#[derive(Debug)]
pub(super) struct AgentServer {
    pub(super) address: SocketAddr,
    load: Arc<Mutex<Option<Arc<Load>>>>,
}

impl AgentServer {
    pub(super) async fn start(tasks: &TaskTracker) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let address = listener.local_addr()?;
        let load = Arc::new(Mutex::new(None::<Arc<Load>>));
        let (current, ends) = (Arc::clone(&load), tasks.clone());
        tasks.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let load = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let Some(load) = load else { continue };
                ends.spawn(async move {
                    // What goes wrong here is missed by whoever asked.
                    if let Err(error) = answer(socket, address, load).await {
                        tracing::debug!(%error, "an agent's end");
                    }
                });
            }
        });
        Ok(Self { address, load })
    }

    /// Sockets from now on belong to these calls.
    pub(super) fn serve(&self, load: &Arc<Load>) {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(load));
    }
}

/// Answers requests for signed URLs, and becomes an agent's end at an upgrade.
async fn answer(mut socket: TcpStream, own: SocketAddr, load: Arc<Load>) -> anyhow::Result<()> {
    socket.set_nodelay(true)?;
    loop {
        let Some((head, rest)) = read_head(&mut socket).await? else { return Ok(()) };
        if head.contains("get-signed-url") {
            let body = format!(
                r#"{{"signed_url":"ws://{own}/v1/convai/conversation?agent_id=bench&conversation_signature=s"}}"#
            );
            let length = body.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
            socket.write_all(answer.as_bytes()).await?;
            continue;
        }
        let key = header(&head, "sec-websocket-key").context("an upgrade without a key")?;
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        socket.write_all(answer.as_bytes()).await?;
        return agent_end(socket, rest, &load).await;
    }
}

async fn agent_end(socket: TcpStream, rest: Vec<u8>, load: &Load) -> anyhow::Result<()> {
    let (reader, writer) = socket.into_split();
    let (mut index, mut writer) = (None, Some(writer));
    listen(reader, rest, |message| {
        let Some(index) = index else {
            index = sid_number(message).and_then(|number| load.index_of(number));
            if let Some(index) = index
                && let Some(writer) = writer.take()
            {
                let line = Line::new(writer, Side::Agent);
                line.say(&metadata(load.traffic.pcm));
                if load.calls[index].agent.set(line).is_ok() {
                    load.count_ready();
                }
            }
            return;
        };
        if let Some(audio) = message.strip_prefix(br#"{"user_audio_chunk":""#) {
            load.hear(index, Side::Agent, audio.strip_suffix(br#""}"#).unwrap_or(audio));
        } else if let Some(audio) = quoted(message, br#""payload":""#) {
            load.hear(index, Side::Agent, audio);
        }
    })
    .await
}

fn metadata(pcm: bool) -> String {
    let format = if pcm { "pcm_16000" } else { "ulaw_8000" };
    format!(
        r#"{{"type":"conversation_initiation_metadata","conversation_initiation_metadata_event":{{"conversation_id":"conv_bench","agent_output_audio_format":"{format}","user_input_audio_format":"{format}"}}}}"#
    )
}

/// The number in the first call sid of a message.
fn sid_number(message: &[u8]) -> Option<usize> {
    let at = memmem::find(message, b"CAbe4c")? + 6;
    usize::from_str_radix(std::str::from_utf8(message.get(at..at + 28)?).ok()?, 16).ok()
}

/// Opens a carrier's socket and starts its stream. `signature` goes with the upgrade.
pub(super) async fn open_carrier(
    address: SocketAddr,
    signature: Option<&str>,
    token: &str,
    index: usize,
    load: &Arc<Load>,
    tasks: &TaskTracker,
) -> anyhow::Result<()> {
    let signature = signature.map(|text| format!("x-twilio-signature: {text}\r\n")).unwrap_or_default();
    let (socket, rest) = open_socket(address, "/media", &signature).await?;
    let (reader, writer) = socket.into_split();
    let line = Line::new(writer, Side::Carrier);
    line.say(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#);
    let sid = call_sid(load.sid_number(index));
    line.say(&format!(
        r#"{{"event":"start","sequenceNumber":"1","start":{{"accountSid":"{account}","streamSid":"MZ{index:032x}","callSid":"{sid}","tracks":["inbound"],"mediaFormat":{{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}},"customParameters":{{"token":"{token}"}}}},"streamSid":"MZ{index:032x}"}}"#,
        account = super::contender::ACCOUNT,
    ));
    ensure!(load.calls[index].carrier.set(line).is_ok(), "a call has one carrier");
    let load = Arc::clone(load);
    tasks.spawn(async move {
        let end = listen(reader, rest, |message| carrier_hears(&load, index, message)).await;
        if let Err(error) = end {
            tracing::debug!(%error, "a carrier's end");
        }
    });
    Ok(())
}

/// A WebSocket to the contender, and what came right behind its answer. `headers` go with the upgrade, each with its line's end.
pub(super) async fn open_socket(
    address: SocketAddr,
    path: &str,
    headers: &str,
) -> anyhow::Result<(TcpStream, Vec<u8>)> {
    let mut socket = TcpStream::connect(address).await.context("the contender takes no connection")?;
    socket.set_nodelay(true)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    let (head, rest) = read_head(&mut socket).await?.context("the contender closed the connection")?;
    ensure!(head.starts_with("HTTP/1.1 101"), "the upgrade was refused: {}", head.lines().next().unwrap_or_default());
    Ok((socket, rest))
}

fn carrier_hears(load: &Load, index: usize, message: &[u8]) {
    let line = || load.calls[index].carrier.get();
    if let Some(audio) = quoted(message, br#""payload":""#).or_else(|| quoted(message, br#""audio_base_64":""#)) {
        load.hear(index, Side::Carrier, audio);
    } else if message.starts_with(br#"{"event":"mark""#) {
        // Audio comes at the speed at which it is played, so whatever comes before a mark has been played.
        let (Some(line), Some(name)) = (line(), quoted(message, br#""name":""#)) else { return };
        let name = String::from_utf8_lossy(name);
        line.say(&format!(
            r#"{{"event":"mark","sequenceNumber":"4","streamSid":"MZ{index:032x}","mark":{{"name":"{name}"}}}}"#
        ));
    } else if message.starts_with(br#"{"event":"clear""#) {
        load.hear_barge_in(index, true);
    } else if message.starts_with(br#"{"type":"interruption""#) {
        load.hear_barge_in(index, false);
    }
}

/// Reads messages until the other side closes.
async fn listen(mut socket: OwnedReadHalf, rest: Vec<u8>, mut hear: impl FnMut(&[u8])) -> anyhow::Result<()> {
    let mut inbox = Inbox::default();
    inbox.push(&rest);
    let mut bytes = vec![0; 4096];
    loop {
        while let Some(heard) = inbox.next() {
            match heard {
                Heard::Text(message) => hear(message),
                Heard::Close => return Ok(()),
                Heard::Other => {}
            }
        }
        // Unlike `try_read` this knows that nothing is left when it got less than there was room for.
        match socket.read(&mut bytes).await? {
            0 => return Ok(()),
            length => inbox.push(&bytes[..length]),
        }
    }
}

/// A head of HTTP and what came behind it; none where the connection ended first. The few bodies that come here are empty.
async fn read_head(socket: &mut TcpStream) -> anyhow::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if let Some(end) = memmem::find(&bytes, b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), rest)));
        }
        if bytes.len() > HEAD_LIMIT {
            bail!("a head of HTTP without end");
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
