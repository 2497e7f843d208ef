//! Take a call over: an operator speaks with the caller in the agent's place, and hands the call back.
//!
//! The agent stays connected, hears the caller, is muted and told so. The call goes on when it leaves; then handing back calls it
//! again. A call that is at its agent's vendor is brought here, and handed over anew when it is handed back. One operator at a time.

use std::sync::Arc;

use crate::domain::event::Actor;
use crate::session::{Command, Play, Steer};

use super::App;
use super::listen::Listener;
use super::live_calls::LiveCall;
use super::steer_call::{ControlError, chunk, let_open, steer};

/// Commands of others that an operator's voice leaves room for in a stream's lane.
const ROOM: usize = 32;

/// An operator who has the call. Dropping it hands the call back.
#[derive(Debug)]
pub struct TakeOver {
    app: Arc<App>,
    call: Arc<LiveCall>,
    by: Actor,
    /// What the caller says, and what the caller hears.
    pub listener: Listener,
    /// Frames of the operator's that found no room in the stream's lane.
    pub dropped: u64,
}

impl App {
    pub async fn take_over(self: &Arc<Self>, call: &Arc<LiveCall>, by: Actor) -> Result<TakeOver, ControlError> {
        let (app, call) = (Arc::clone(self), Arc::clone(call));
        // In a task of its own: whoever asked may go away meanwhile, and then the call is handed back.
        let taken = self.tracker.spawn(async move { app.claim_for_operator(call, by).await });
        taken.await.unwrap_or(Err(ControlError::Stuck))
    }

    async fn claim_for_operator(self: Arc<Self>, call: Arc<LiveCall>, by: Actor) -> Result<TakeOver, ControlError> {
        let_open(&call)?;
        let turn = call.redirecting.lock().await;
        if !call.claim_operator(&by) {
            let operator = call.operator().unwrap_or(by);
            return Err(ControlError::TakenOver { operator });
        }
        let listener = self.listen(&call);
        let taken = if call.record().is_at_vendor() {
            self.bring_from_vendor(&call).await
        } else {
            steer(&call, by.clone(), Steer::TakeOver).await
        };
        if let Err(error) = taken {
            call.release_operator(&by);
            return Err(error);
        }
        drop(turn);
        Ok(TakeOver { app: self, call, by, listener, dropped: 0 })
    }
}

impl TakeOver {
    /// A piece of the operator's voice, µ-law at 8 kHz, 20 ms or a little more. Where the stream has no room for it, it is dropped.
    pub fn speak(&mut self, mulaw: &[u8]) {
        let sent = self
            .call
            .commands()
            .filter(|lane| lane.capacity() > ROOM)
            .is_some_and(|lane| lane.try_send(Box::new(Command::Play(Play::Operator(chunk(mulaw))))).is_ok());
        if !sent {
            self.dropped += 1;
        }
    }

    /// The call is the agent's again.
    pub fn hand_back(self) {
        drop(self);
    }
}

impl Drop for TakeOver {
    fn drop(&mut self) {
        let (call, by) = (Arc::clone(&self.call), self.by.clone());
        let app = Arc::clone(&self.app);
        self.app.tracker.spawn(async move {
            let _one_at_a_time = call.redirecting.lock().await;
            if !app.hands_over(&call.record().agent) || !app.hand_back_to_vendor(&call, &by).await {
                // A call that is over or whose stream is gone needs no handing back.
                let _ = steer(&call, by.clone(), Steer::HandBack).await;
            }
            call.release_operator(&by);
        });
    }
}
