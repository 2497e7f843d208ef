//! `<Connect><Stream>`: the client's side of a media stream, paced by the line's clock.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

use super::faults::StreamFaults;
use super::interpreter::Interpreter;
use super::line::{Interrupt, Line};
use super::playback::Playback;
use super::webhook::Webhook;
use super::wire::{FromServer, Writer, parse};
use super::{Emulation, locked, new_sid, twiml};
use crate::domain::audio::FRAME;

/// Messages that may wait for a slow server, 5 s of audio; then audio is dropped with warning 31930.
const QUEUE: usize = 250;

/// How long a closing socket may take before it is cut.
const CLOSING: Duration = Duration::from_secs(2);

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why a stream is over.
#[derive(Debug)]
enum End {
    /// The call, or this document of it, is over.
    Interrupted(Interrupt),
    /// The server closed the socket, with this code.
    Closed(Option<u16>),
    /// The server broke the WebSocket protocol, or vanished.
    Broken(String),
    /// Cut by a fault that was asked for.
    Dropped,
}

impl Emulation {
    /// Connects, streams until either side is done, and tells the stream's status callback.
    pub(super) async fn run_stream(
        &self,
        line: &mut Line,
        stream: &twiml::Stream,
        interpreter: &Interpreter,
    ) -> Result<(), Interrupt> {
        let call = line.call.clone();
        let sid = new_sid("MZ");
        let callback = stream.status_callback.as_ref().and_then(|to| Some((interpreter.resolve(&to.url)?, to.get)));
        let tell = |event: &str, error: Option<(u16, &str)>| {
            let Some((url, get)) = callback.clone() else { return };
            let mut params: Vec<(String, String)> = [
                ("AccountSid", self.account_sid.as_str()),
                ("CallSid", &call.sid),
                ("StreamSid", &sid),
                ("StreamName", stream.name.as_ref().unwrap_or(&sid)),
                ("StreamEvent", event),
                ("Timestamp", &self.clock.now().to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
            params.extend(error.map(|(code, text)| ("StreamError".to_owned(), format!("{code}: {text}"))));
            self.queue_callback(&call, Webhook { purpose: "stream", url, get, params });
        };
        let fail = |code: u16, text: &str| {
            self.warning(&call.sid, code, text);
            tell("stream-error", Some((code, text)));
        };

        let faults = locked(&self.faults).take_for_stream();
        let socket =
            match line.during(self.connect_stream(&call.sid, stream, interpreter, faults.wrong_signature)).await? {
                Ok(socket) => socket,
                Err((code, text)) => {
                    fail(code, &text);
                    return Ok(());
                }
            };
        tell("stream-started", None);
        let names: Vec<&str> = stream.parameters.iter().map(|(name, _)| name.as_str()).collect();
        self.log.record("stream_started", Some(&call.sid), json!({"stream_sid": sid, "parameters": names}));
        let mut session = Session::new(self, &call.sid, &sid, faults);
        line.set_streaming(true);
        let end = session.run(line, socket, &stream.parameters).await;
        line.set_streaming(false);
        self.log.record("stream_ended", Some(&call.sid), session.summary(&end));
        match &end {
            End::Closed(code) => {
                let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
                fail(31921, &format!("the server closed the socket with {code}"));
            }
            End::Broken(why) => fail(31924, why),
            End::Interrupted(_) | End::Dropped => {}
        }
        tell("stream-stopped", None);
        match end {
            End::Interrupted(interrupt) => Err(interrupt),
            _ => Ok(()),
        }
    }
}

/// One running stream.
struct Session<'a> {
    emulation: &'a Emulation,
    call_sid: &'a str,
    stream_sid: &'a str,
    writer: Writer,
    playback: Playback,
    faults: StreamFaults,
    ticks: u64,
    warned: HashSet<u16>,
    received_bytes: u64,
    sent_frames: u64,
    dropped_frames: u64,
}

impl<'a> Session<'a> {
    fn new(emulation: &'a Emulation, call_sid: &'a str, stream_sid: &'a str, faults: StreamFaults) -> Self {
        Self {
            emulation,
            call_sid,
            stream_sid,
            writer: Writer::new(&emulation.account_sid, call_sid, stream_sid),
            playback: Playback::default(),
            faults,
            ticks: 0,
            warned: HashSet::new(),
            received_bytes: 0,
            sent_frames: 0,
            dropped_frames: 0,
        }
    }

    async fn run(&mut self, line: &mut Line, socket: Socket, parameters: &[(String, String)]) -> End {
        let (mut sink, mut source) = socket.split();
        let (out, mut queue) = mpsc::channel::<Message>(QUEUE);
        let cut = CancellationToken::new();
        let cut_writer = cut.clone();
        self.emulation.tracker.spawn(async move {
            let write = async {
                while let Some(message) = queue.recv().await {
                    sink.send(message).await?;
                }
                sink.close().await
            };
            // A failed write shows on the reading side too.
            tokio::select! {
                () = cut_writer.cancelled() => {}
                _ = write => {}
            }
        });
        self.send(&out, Writer::connected());
        let start = self.writer.start(parameters);
        self.send(&out, start);
        let end = loop {
            let reading = self.faults.stop_reading_after_ms.is_none_or(|ms| self.ticks * 20 < ms);
            tokio::select! {
                biased;
                tick = line.next_tick() => {
                    if let Err(interrupt) = tick.and_then(|()| self.tick(line, &out)) {
                        break End::Interrupted(interrupt);
                    }
                    if self.faults.drop_after_ms.is_some_and(|ms| self.ticks * 20 >= ms) {
                        break End::Dropped;
                    }
                }
                message = source.next(), if reading => match message {
                    Some(Ok(Message::Close(frame))) => break End::Closed(frame.map(|frame| frame.code.into())),
                    Some(Ok(message)) => self.receive(message, &out),
                    None | Some(Err(Error::ConnectionClosed)) => break End::Closed(None),
                    Some(Err(error)) => break End::Broken(error.to_string()),
                },
            }
        };
        if let End::Dropped = end {
            cut.cancel();
            return end;
        }
        if let End::Interrupted(_) = end {
            let stop = self.writer.stop();
            self.send(&out, stop);
        }
        // What the server still sends is read and thrown away: a socket closed with unread data resets the connection, and
        // the server might never see `stop`.
        self.emulation.tracker.spawn(async move {
            let _ = tokio::time::timeout(CLOSING, async { while let Some(Ok(_)) = source.next().await {} }).await;
            cut.cancel();
        });
        end
    }

    /// 20 ms: what is played goes to the phone, what the phone says to the server.
    fn tick(&mut self, line: &mut Line, out: &mpsc::Sender<Message>) -> Result<(), Interrupt> {
        let played = self.playback.play(FRAME);
        let said = line.exchange(&played.audio)?;
        self.echo(played.marks, "played", out);
        if self.faults.garbage_after_ms.is_some_and(|ms| self.ticks * 20 >= ms) {
            self.faults.garbage_after_ms = None;
            self.send(out, "{\"event\": this is not JSON".to_owned());
            let _ = out.try_send(Message::Binary(vec![0, 1, 2].into()));
        }
        let media = self.writer.media(&said.frame);
        if out.try_send(Message::text(media)).is_ok() {
            self.sent_frames += 1;
        } else {
            self.dropped_frames += 1;
            self.warn_once(31930, "the server reads too slowly, audio is dropped");
        }
        if let Some(digit) = said.digit {
            let dtmf = self.writer.dtmf(digit);
            self.send(out, dtmf);
        }
        self.ticks += 1;
        Ok(())
    }

    fn receive(&mut self, message: Message, out: &mpsc::Sender<Message>) {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return self.warn_once(31950, "binary messages cannot be decoded"),
            _ => return,
        };
        match parse(&text, self.stream_sid) {
            Ok(FromServer::Media(audio)) => {
                self.received_bytes += audio.len() as u64;
                if !self.playback.media(&audio) {
                    self.warn_once(31951, "more audio than can be buffered is dropped");
                }
            }
            Ok(FromServer::Mark(name)) => {
                let at_once = self.playback.mark(name);
                self.echo(at_once.into_iter().collect(), "nothing buffered", out);
            }
            Ok(FromServer::Clear) => {
                let bytes = self.playback.buffered();
                self.emulation.log.record("clear", Some(self.call_sid), json!({"discarded_bytes": bytes}));
                let marks = self.playback.clear();
                self.echo(marks, "cleared", out);
            }
            Err(problem) => self.warn_once(31951, &problem),
        }
    }

    fn echo(&mut self, marks: Vec<String>, why: &str, out: &mpsc::Sender<Message>) {
        for name in marks {
            self.emulation.log.record("mark", Some(self.call_sid), json!({"name": name, "why": why}));
            let mark = self.writer.mark(&name);
            self.send(out, mark);
        }
    }

    /// For messages that must not be lost: where they are, the server gets the blame in the log.
    fn send(&mut self, out: &mpsc::Sender<Message>, text: String) {
        if out.try_send(Message::text(text)).is_err() {
            self.warn_once(31930, "the server reads too slowly, messages are dropped");
        }
    }

    fn warn_once(&mut self, code: u16, text: &str) {
        if self.warned.insert(code) {
            self.emulation.warning(self.call_sid, code, text);
        }
    }

    fn summary(&self, end: &End) -> serde_json::Value {
        let why = match end {
            End::Interrupted(_) => "stopped",
            End::Closed(_) => "closed by the server",
            End::Broken(_) => "broken",
            End::Dropped => "dropped on demand",
        };
        json!({"stream_sid": self.stream_sid, "why": why, "received_bytes": self.received_bytes,
               "unplayed_bytes": self.playback.buffered(), "sent_frames": self.sent_frames, "dropped_frames": self.dropped_frames})
    }
}
