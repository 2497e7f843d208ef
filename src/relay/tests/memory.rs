//! What a stream takes before it has carried anything. A field too many in a type that is kept by the dozen is easily overlooked.

use tokio::sync::mpsc;

use super::rig::{Near, carrier_pipe};
use crate::relay::{Hooks, Request, run};
use crate::session::{Command, SessionConfig};

/// A channel of tokio's holds so many places from its beginning on.
const CHANNEL_BLOCK: usize = 32;

#[tokio::test]
async fn a_stream_and_its_channels_take_little_memory() {
    let (recorder, _journal) = mpsc::channel(1);
    let (requests, _asked) = mpsc::channel(1);
    let (_commands, inbox) = mpsc::channel(1);
    let hooks = Hooks::<Near> { admit: Box::new(|_| Err(String::new())), recorder, requests };
    let stream = size_of_val(&run(carrier_pipe(1).await.1, SessionConfig::default(), hooks, inbox));
    let channels = CHANNEL_BLOCK * (size_of::<Request>() + size_of::<Command>());
    assert!(stream <= 3 << 10, "the stream's task takes {stream} bytes");
    assert!(channels <= 4 << 10, "the stream's channels take {channels} bytes");
}
