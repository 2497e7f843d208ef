//! What a stream takes before it has carried anything. A field too many in a type that is kept by the dozen is easily overlooked.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::rig::{Near, carrier_pipe};
use crate::relay::{Hooks, Looks, run};

#[tokio::test]
async fn a_streams_task_takes_little_memory() {
    let (recorder, _journal) = mpsc::channel(1);
    let (_commands, inbox) = mpsc::channel(1);
    let hooks = Hooks::<Near> {
        admit: Box::new(|_| Err(String::new())),
        recorder,
        ask: Box::new(|_| ()),
        looks: Looks::new(Handle::current()),
    };
    let stream = size_of_val(&run(carrier_pipe(1).await.1, Arc::default(), hooks, inbox));
    assert!(stream <= 256, "the stream's task takes {stream} bytes");
}
