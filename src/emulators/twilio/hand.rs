//! A phone in somebody's hand: it rings at the other end of a socket (in a browser, say), and says and hears what that person does.
//!
//! `GET /_emulator/phone?number=+12125550113`, a WebSocket. Binary messages are µ-law at 8 kHz, what is heard to the client and
//! what is said from it. Text messages to the client: `{"event":"ringing","from":…}`, `connected`, `ended`, and
//! `{"event":"refused","reason":…}`. From it: `answer`, `decline`, `hang_up`, `{"event":"digit","digit":"5"}`, and
//! `{"event":"call","to":…}`, which calls one of the account's numbers. While the socket is open, calls to the number ring there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::calls::Status;
use super::control::ring_in;
use super::life::Ring;
use super::phone::Said;
use super::phone_script::PhoneScript;
use super::rest::Shared;
use super::{Emulation, locked};
use crate::domain::audio::{FRAME, MULAW_SILENCE};
use crate::emulators::upgrade::{Handshake, ServerSocket};

/// Messages that may wait for a slow client; audio beyond them is dropped.
const QUEUE: usize = 250;

/// How much of what the person says may wait to be sent, in bytes: a second. The oldest goes first.
const SAYING: usize = 8_000;

/// The largest message that a client may send, in bytes.
const MESSAGE_LIMIT: usize = 16 * 1024;

/// A phone that somebody holds. Clones are the same phone.
#[derive(Debug, Clone)]
pub struct Hand(Arc<Held>);

#[derive(Debug)]
struct Held {
    client: mpsc::Sender<Message>,
    state: Mutex<HandState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct HandState {
    /// It rings, or somebody talks on it.
    busy: bool,
    /// Whether the person took the call; none while it rings.
    taken: Option<bool>,
    hung_up: bool,
    saying: VecDeque<u8>,
    digits: VecDeque<char>,
}

/// Two hands are equal when they hold the same phone.
impl PartialEq for Hand {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Hand {}

impl Hand {
    fn new(client: mpsc::Sender<Message>) -> Self {
        Self(Arc::new(Held { client, state: Mutex::default(), changed: Notify::new() }))
    }

    fn tell(&self, event: &Value) {
        // A client that reads nothing at all learns of nothing.
        let _ = self.0.client.try_send(Message::text(event.to_string()));
    }

    /// Takes the phone for one call, unless it is in use.
    fn take(&self) -> Option<InUse> {
        let mut state = locked(&self.0.state);
        if state.busy {
            return None;
        }
        *state = HandState { busy: true, ..HandState::default() };
        Some(InUse { hand: self.clone(), is_over: true })
    }

    /// Rings until the person decides, at most for `timeout`.
    pub(super) async fn ring(&self, from: &str, timeout: Duration) -> Ring {
        let Some(in_use) = self.take() else { return Ring::Unanswered(Status::Busy, 486) };
        self.tell(&json!({"event": "ringing", "from": from}));
        let decided = async {
            loop {
                let changed = self.0.changed.notified();
                if let Some(taken) = locked(&self.0.state).taken {
                    return taken;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(timeout, decided).await {
            Ok(true) => {
                in_use.hand_on();
                Ring::Answered { machine: false }
            }
            Ok(false) => Ring::Unanswered(Status::Busy, 486),
            Err(_) => Ring::Unanswered(Status::NoAnswer, 487),
        }
    }

    /// The phone on a line. In use from the ringing on, or from now on when the person calls.
    pub(super) fn pick_up(&self) -> OnLine {
        OnLine { phone: InUse { hand: self.clone(), is_over: true }, is_connected: false }
    }
}

/// Frees the phone when its call is over, however it ends.
#[derive(Debug)]
struct InUse {
    hand: Hand,
    is_over: bool,
}

impl InUse {
    /// The phone stays in use: the line of its call goes on with it and frees it.
    fn hand_on(mut self) {
        self.is_over = false;
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if self.is_over {
            locked(&self.hand.0.state).busy = false;
            self.hand.tell(&json!({"event": "ended"}));
        }
    }
}

/// A held phone in conversation.
#[derive(Debug)]
pub(super) struct OnLine {
    phone: InUse,
    is_connected: bool,
}

impl OnLine {
    /// Hears one frame, says one.
    pub(super) fn tick(&mut self, heard: &[u8; FRAME]) -> Said {
        let hand = &self.phone.hand;
        if !self.is_connected {
            self.is_connected = true;
            hand.tell(&json!({"event": "connected"}));
        }
        let _ = hand.0.client.try_send(Message::binary(heard.to_vec()));
        let mut state = locked(&hand.0.state);
        let mut frame = [MULAW_SILENCE; FRAME];
        let count = FRAME.min(state.saying.len());
        for (byte, said) in frame.iter_mut().zip(state.saying.drain(..count)) {
            *byte = said;
        }
        Said { frame, digit: state.digits.pop_front(), hung_up: state.hung_up }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct PhoneQuery {
    number: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum FromClient {
    Answer,
    Decline,
    HangUp,
    Digit { digit: char },
    Call { to: String },
}

pub(super) async fn hold(
    State(emulation): Shared,
    Query(PhoneQuery { number }): Query<PhoneQuery>,
    mut request: Request,
) -> Response {
    let handshake = match Handshake::read(&mut request) {
        Ok(handshake) => handshake,
        Err(error) => return (StatusCode::UPGRADE_REQUIRED, error.to_string()).into_response(),
    };
    let (client, messages) = mpsc::channel(QUEUE);
    let hand = Hand::new(client);
    {
        let mut hands = locked(&emulation.hands);
        if hands.contains_key(&number) {
            return (StatusCode::CONFLICT, "somebody else holds this phone\n").into_response();
        }
        hands.insert(number.clone(), hand.clone());
    }
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT));
    let (response, socket) = handshake.accept("", config);
    emulation.tracker.clone().spawn(async move {
        if let Ok(socket) = socket.await {
            serve(&emulation, &hand, &number, socket, messages).await;
        }
        locked(&emulation.hands).remove(&number);
        let mut state = locked(&hand.0.state);
        // Whoever leaves has hung up, or does not take the call.
        (state.hung_up, state.taken) = (true, state.taken.or(Some(false)));
        drop(state);
        hand.0.changed.notify_waiters();
    });
    response
}

async fn serve(
    emulation: &Arc<Emulation>,
    hand: &Hand,
    number: &str,
    socket: ServerSocket,
    mut messages: mpsc::Receiver<Message>,
) {
    let (mut sink, mut source) = socket.split();
    loop {
        tokio::select! {
            () = emulation.shutdown.cancelled() => return,
            Some(message) = messages.recv() => if sink.send(message).await.is_err() { return },
            message = source.next() => match message {
                Some(Ok(Message::Binary(audio))) => {
                    let mut state = locked(&hand.0.state);
                    state.saying.extend(audio.iter());
                    let excess = state.saying.len().saturating_sub(SAYING);
                    state.saying.drain(..excess);
                }
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(wish) => hand.obey(emulation, number, wish),
                    Err(error) => hand.tell(&json!({"event": "refused", "reason": error.to_string()})),
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            }
        }
    }
}

impl Hand {
    fn obey(&self, emulation: &Arc<Emulation>, number: &str, wish: FromClient) {
        match wish {
            FromClient::Answer => self.decide(true),
            FromClient::Decline => self.decide(false),
            FromClient::HangUp => locked(&self.0.state).hung_up = true,
            FromClient::Digit { digit } => {
                if digit.is_ascii_digit() || matches!(digit, '*' | '#') {
                    locked(&self.0.state).digits.push_back(digit);
                }
            }
            FromClient::Call { to } => {
                let Some(in_use) = self.take() else { return };
                in_use.hand_on();
                if let Err(reason) = ring_in(emulation, number, &to, PhoneScript::held_by(self.clone()), None) {
                    locked(&self.0.state).busy = false;
                    self.tell(&json!({"event": "refused", "reason": reason}));
                }
            }
        }
    }

    fn decide(&self, taken: bool) {
        locked(&self.0.state).taken.get_or_insert(taken);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand() -> (Hand, mpsc::Receiver<Message>) {
        let (client, messages) = mpsc::channel(QUEUE);
        (Hand::new(client), messages)
    }

    fn event(messages: &mut mpsc::Receiver<Message>) -> Option<String> {
        let Ok(Message::Text(text)) = messages.try_recv() else { return None };
        Some(serde_json::from_str::<Value>(&text).unwrap()["event"].as_str().unwrap().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_until_the_person_decides_and_is_busy_meanwhile() {
        let (hand, mut messages) = hand();
        let patience = Duration::from_secs(20);
        assert_eq!(hand.ring("+12125550100", patience).await, Ring::Unanswered(Status::NoAnswer, 487));
        assert_eq!([event(&mut messages), event(&mut messages)], ["ringing", "ended"].map(|e| Some(e.to_owned())));
        let second = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(hand.ring("+12125550100", patience).await, Ring::Unanswered(Status::Busy, 486));
            hand.decide(true);
        };
        let (first, ()) = tokio::join!(hand.ring("+12125550100", patience), second);
        assert_eq!(first, Ring::Answered { machine: false });
        assert_eq!(hand.ring("+12125550100", patience).await, Ring::Unanswered(Status::Busy, 486));
        drop(hand.pick_up());
        hand.decide(false);
        let (declined, ()) = tokio::join!(hand.ring("+12125550100", patience), async { hand.decide(false) });
        assert_eq!(declined, Ring::Unanswered(Status::Busy, 486));
    }

    #[tokio::test]
    async fn a_person_hears_the_line_and_says_a_frame_at_a_time() {
        let (hand, mut messages) = hand();
        let mut line = hand.pick_up();
        {
            let mut state = locked(&hand.0.state);
            state.saying.extend([0x10; FRAME + 1]);
            state.digits.push_back('5');
        }
        let said = line.tick(&[0x20; FRAME]);
        assert_eq!((said.frame, said.digit, said.hung_up), ([0x10; FRAME], Some('5'), false));
        assert_eq!(event(&mut messages).as_deref(), Some("connected"));
        assert_eq!(messages.try_recv().unwrap(), Message::binary(vec![0x20; FRAME]));
        let said = line.tick(&[0x20; FRAME]);
        assert_eq!((said.frame[..2].to_vec(), said.digit), (vec![0x10, MULAW_SILENCE], None));
        locked(&hand.0.state).hung_up = true;
        assert!(line.tick(&[0x20; FRAME]).hung_up);
    }
}
