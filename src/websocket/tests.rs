//! Beside tungstenite's own socket: the same bytes must mean the same, however they come.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::task::TaskTracker;

use super::*;

const MESSAGE_MAX: usize = 1000;
const FRAME_MAX: usize = 800;

fn limits() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(FRAME_MAX))
}

fn on_a_runtime<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(task)
}

/// What came of a socket: what it said to its end, and what it answered, without masks.
#[derive(Debug, PartialEq)]
struct Outcome {
    said: Vec<String>,
    answered: Vec<(u8, Vec<u8>)>,
}

async fn outcome<S>(open: impl AsyncFnOnce(DuplexStream) -> S, pieces: Vec<Vec<u8>>) -> Outcome
where
    S: Stream<Item = Result<Message, Error>> + Unpin,
{
    let (near, far) = duplex(64 << 10);
    let (mut from_near, mut to_near) = tokio::io::split(far);
    let writing = async {
        for piece in pieces {
            if to_near.write_all(&piece).await.is_err() {
                return;
            }
            // The reader has its turn: pieces are read as they come.
            tokio::task::yield_now().await;
        }
        // A reader that has gone already hears of no end.
        let _ = to_near.shutdown().await;
    };
    let reading = async {
        let mut socket = open(near).await;
        let mut said = Vec::new();
        while let Some(message) = socket.next().await {
            said.push(format!("{message:?}"));
        }
        said
    };
    let answers = async {
        let mut bytes = Vec::new();
        from_near.read_to_end(&mut bytes).await.unwrap();
        frames(&bytes)
    };
    let (said, (), answered) = tokio::join!(reading, writing, answers);
    Outcome { said, answered }
}

fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(head) = Head::read(bytes) {
        frames.push((bytes[0], unmasked(head.payload(bytes).unwrap(), head.mask())));
        bytes = &bytes[head.total()..];
    }
    assert!(bytes.is_empty(), "half a frame was written");
    frames
}

/// Any frame, most of them such as are said.
fn any_frame(is_masked: bool) -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => Just(TEXT), 2 => Just(BINARY), 2 => Just(0x89), 1 => Just(0x8a), 1 => Just(0x01), 1 => Just(0x00), 1 => Just(0x80),
        1 => Just(0x88), 1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        6 => "[a-zé]{0,200}".prop_map(String::into_bytes), 1 => prop::collection::vec(any::<u8>(), 0..130),
        1 => Just(vec![b'x'; FRAME_MAX]), 1 => Just(vec![b'x'; FRAME_MAX + 1]), 1 => Just(b"\x03\xe8bye".to_vec()),
    ];
    (first, payload, any::<[u8; 4]>(), prop::bool::weighted(0.97)).prop_map(
        move |(first, payload, mask, as_it_should)| {
            let mut bytes = Vec::new();
            put_frame(&mut bytes, first, (is_masked == as_it_should).then_some(mask), &payload);
            bytes
        },
    )
}

/// Frames for this role, and where they are cut.
fn cut_frames(role: Role) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let frames = prop::collection::vec(any_frame(role == Role::Server), 0..8);
    (frames, prop::collection::vec(1_usize..400, 1..12), 0_usize..8).prop_map(|(frames, cuts, cut_off)| {
        let mut bytes = frames.concat();
        bytes.truncate(bytes.len() - cut_off.saturating_sub(4).min(bytes.len()));
        let mut pieces = Vec::new();
        for cut in cuts.into_iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let rest = bytes.split_off(cut.min(bytes.len()));
            pieces.push(std::mem::replace(&mut bytes, rest));
        }
        pieces
    })
}

fn compare(role: Role, pieces: &[Vec<u8>]) {
    on_a_runtime(async {
        let ours = outcome(async |stream| WebSocket::new(stream, &[], role, limits()), pieces.to_vec()).await;
        let theirs = outcome(
            async |stream| WebSocketStream::from_raw_socket(stream, role, Some(limits())).await,
            pieces.to_vec(),
        )
        .await;
        assert_eq!(ours.said, theirs.said);
        assert_eq!(ours.answered, theirs.answered);
        // What came with the handshake is worth the same.
        let (early, later) = pieces.split_first().map_or((&[][..], &[][..]), |(early, later)| (&**early, later));
        let begun = outcome(async |stream| WebSocket::new(stream, early, role, limits()), later.to_vec()).await;
        assert_eq!(begun.said, theirs.said);
    });
}

proptest! {
    #[test]
    fn a_server_understands_what_tungstenite_understands(pieces in cut_frames(Role::Server)) {
        compare(Role::Server, &pieces);
    }

    #[test]
    fn a_client_understands_what_tungstenite_understands(pieces in cut_frames(Role::Client)) {
        compare(Role::Client, &pieces);
    }

    #[test]
    fn tungstenite_understands_what_we_say(
        texts in prop::collection::vec("[a-zé]{0,300}", 1..10), long in prop_oneof![Just(0_usize), Just(70_000)],
        pipe in prop_oneof![Just(1_usize), Just(100), Just(1 << 20)], is_server in any::<bool>(),
    ) {
        let messages: Vec<Message> = texts
            .into_iter()
            .enumerate()
            .map(|(number, text)| match number % 3 {
                0 => Message::text(text),
                1 => Message::binary(text.into_bytes()),
                _ => Message::Ping(text.as_bytes()[..text.len().min(125)].to_vec().into()),
            })
            .chain([Message::binary(vec![7; long.min(pipe * 1_000)]), Message::Close(Some(CloseFrame { code: 1000.into(), reason: "bye".into() }))])
            .collect();
        let (ours, theirs) = if is_server { (Role::Server, Role::Client) } else { (Role::Client, Role::Server) };
        let heard = on_a_runtime(async {
            let (near, far) = duplex(pipe);
            let mut near = WebSocket::new(near, &[], ours, WebSocketConfig::default());
            let mut far = WebSocketStream::from_raw_socket(far, theirs, None).await;
            let saying = async {
                for message in &messages {
                    near.send(message.clone()).await.unwrap();
                }
                while near.next().await.is_some_and(|answer| answer.is_ok()) {}
                // A client waits until the server hangs up.
                drop(near);
            };
            let hearing = async {
                let mut heard = Vec::new();
                while let Some(message) = far.next().await {
                    heard.push(message.unwrap());
                }
                drop(far);
                heard
            };
            tokio::join!(saying, hearing).1
        });
        prop_assert_eq!(heard, messages);
    }
}

#[tokio::test]
async fn a_ping_is_answered_while_nobody_writes() {
    let (near, far) = duplex(4096);
    let mut near = WebSocket::new(near, &[], Role::Server, limits());
    let tasks = TaskTracker::new();
    tasks.spawn(async move { while near.next().await.is_some_and(|message| message.is_ok()) {} });
    let mut far = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    far.send(Message::Ping("how is it".into())).await.unwrap();
    assert_eq!(far.next().await.unwrap().unwrap(), Message::Pong("how is it".into()));
}

/// Takes what it is given and passes it on when it is flushed, which it does not manage at once: as TLS before a socket that is full.
struct Holding {
    stream: DuplexStream,
    held: Vec<u8>,
    has_refused: bool,
}

impl AsyncRead for Holding {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Holding {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.has_refused, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let held = std::mem::take(&mut self.held);
        Pin::new(&mut self.stream).poll_write(cx, &held).map_ok(|written| assert_eq!(written, held.len()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_stream_holds_back_is_flushed_by_reading_on() {
    let (near, far) = duplex(4096);
    let near = Holding { stream: near, held: Vec::new(), has_refused: false };
    let mut near = WebSocket::new(near, &[], Role::Server, limits());
    let tasks = TaskTracker::new();
    tasks.spawn(async move { while near.next().await.is_some_and(|message| message.is_ok()) {} });
    let mut far = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    far.send(Message::Ping("how is it".into())).await.unwrap();
    // Time goes on once nobody has anything to do.
    let answer =
        tokio::time::timeout(Duration::from_secs(1), far.next()).await.expect("the answer stayed where it was");
    assert_eq!(answer.unwrap().unwrap(), Message::Pong("how is it".into()));
}

#[tokio::test(start_paused = true)]
async fn answers_to_a_peer_that_reads_nothing_do_not_pile_up() {
    let (near, mut far) = duplex(1 << 10);
    let mut near = WebSocket::new(near, &[], Role::Server, limits());
    let mut ping = Vec::new();
    put_frame(&mut ping, 0x89, Some([1; 4]), &[7; 125]);
    let flood = async { while far.write_all(&ping).await.is_ok() {} };
    let reading = async { while near.next().await.is_some_and(|message| message.is_ok()) {} };
    // Time goes on once neither can.
    let both = tokio::time::timeout(Duration::from_secs(1), async { tokio::join!(flood, reading) });
    assert!(both.await.is_err());
    assert!((UNWRITTEN_MAX..UNWRITTEN_MAX + 200).contains(&near.unwritten.len()), "{}", near.unwritten.len());
}

#[tokio::test]
async fn what_is_said_after_goodbye_is_refused() {
    let (near, _far) = duplex(4096);
    let mut near = WebSocket::new(near, &[], Role::Client, limits());
    near.close().await.unwrap();
    let refused = near.send(Message::text("one more thing")).await.unwrap_err();
    assert!(matches!(refused, Error::Protocol(_)), "{refused}");
}

#[tokio::test]
async fn a_socket_at_rest_holds_no_buffers() {
    let (near, far) = duplex(1 << 20);
    let mut near = WebSocket::new(near, &[], Role::Server, WebSocketConfig::default());
    let mut far = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    far.send(Message::binary(vec![7; 300_000])).await.unwrap();
    assert_eq!(near.next().await.unwrap().unwrap().len(), 300_000);
    near.send(Message::text("x".repeat(300_000))).await.unwrap();
    assert_eq!((near.unread.capacity(), near.unwritten.capacity()), (0, 0));
}

#[tokio::test]
async fn a_handshake_leaves_what_came_behind_it() {
    for (answer, read, left) in [
        ("HTTP/1.1 101 Switching\r\na: b\r\n\r\n\u{1}\u{2}", "HTTP/1.1 101 Switching\r\na: b\r\n\r\n", "\u{1}\u{2}"),
        ("HTTP/1.1 404 Not Found\r\n\r\nno such agent", "HTTP/1.1 404 Not Found\r\n\r\nno such agent", ""),
        ("HTTP/1.1 10", "HTTP/1.1 10", ""),
        ("\r\n\r\nHTTP/1.1 101 Go\na: b\n\n\u{1}\r\n\r\n", "\r\n\r\nHTTP/1.1 101 Go\na: b\n\n", "\u{1}\r\n\r\n"),
    ] {
        let (near, mut far) = duplex(4096);
        let mut near = HeadFirst::new(near);
        for byte in answer.as_bytes() {
            far.write_all(&[*byte]).await.unwrap();
        }
        far.shutdown().await.unwrap();
        let mut bytes = vec![0; read.len()];
        near.read_exact(&mut bytes).await.unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), read);
        let (mut stream, mut unread) = near.into_parts();
        stream.read_buf(&mut unread).await.unwrap();
        assert_eq!(unread, left.as_bytes());
    }
}
