//! The line of one call: its 20 ms clock, the phone at its end, and what can interrupt whatever is being done on it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::calls::{Call, Command, Source, Status};
use super::phone::{Phone, Said, TICK};
use super::phone_script::PhoneScript;
use super::{Emulation, locked};
use crate::domain::audio::{FRAME, MULAW_SILENCE};

/// Why the current verb is over before its time.
#[derive(Debug)]
pub(super) enum Interrupt {
    PhoneHungUp,
    /// The REST API ended the call.
    HungUp,
    /// The REST API sent the call to another document.
    Redirected(Source),
    TimeLimit,
    ShutDown,
}

/// The line of a call that has a phone on it.
#[derive(Debug)]
pub(super) struct Line {
    pub call: Arc<Call>,
    pub commands: mpsc::Receiver<Command>,
    /// Dropped with the line, which tells the REST API that the call is over.
    pub done: Vec<oneshot::Sender<()>>,
    phone: Phone,
    ticker: Interval,
    /// Ticks since the answer.
    ticks: u64,
    answered: bool,
    limit: Option<u64>,
    shutdown: CancellationToken,
}

impl Line {
    pub(super) fn new(
        call: Arc<Call>,
        phone: &PhoneScript,
        commands: mpsc::Receiver<Command>,
        time_limit: Option<Duration>,
        shutdown: CancellationToken,
    ) -> Self {
        let mut ticker = tokio::time::interval(TICK);
        // A late tick is made up for: a second has fifty of them.
        ticker.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let limit = time_limit.map(|limit| u64::try_from(limit.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX));
        let phone = Phone::new(phone);
        Self { call, commands, done: Vec::new(), phone, ticker, ticks: 0, answered: false, limit, shutdown }
    }

    /// The call is answered from now on; a second time does nothing.
    pub(super) fn answer(&mut self, emulation: &Emulation) {
        if !self.answered {
            self.answered = true;
            self.ticker.reset();
            emulation.set_status(&self.call, Status::InProgress, None);
        }
    }

    /// Tells the phone that a media stream is open, or not any more.
    pub(super) fn set_streaming(&mut self, streaming: bool) {
        self.phone.streaming = streaming;
    }

    /// Waits for the next tick. Safe to be dropped half-way.
    pub(super) async fn next_tick(&mut self) -> Result<(), Interrupt> {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(Interrupt::ShutDown),
            Some(command) = self.commands.recv() => match command {
                Command::Hangup(done) => {
                    self.done.push(done);
                    Err(Interrupt::HungUp)
                }
                Command::Redirect(source) => Err(Interrupt::Redirected(source)),
            },
            _ = self.ticker.tick() => Ok(()),
        }
    }

    /// Exchanges one frame with the phone: at most 160 bytes to it, silence after them; 160 back.
    pub(super) fn exchange(&mut self, audio: &[u8]) -> Result<Said, Interrupt> {
        let mut heard = [MULAW_SILENCE; FRAME];
        if !self.answered {
            return Ok(Said { frame: heard, digit: None, hung_up: false });
        }
        heard[..audio.len()].copy_from_slice(audio);
        locked(&self.call.heard).push(self.ticks, audio);
        let said = self.phone.tick(&heard);
        self.call.capture(&heard, &said.frame);
        self.ticks += 1;
        if said.hung_up {
            return Err(Interrupt::PhoneHungUp);
        }
        if self.limit.is_some_and(|limit| self.ticks >= limit) {
            return Err(Interrupt::TimeLimit);
        }
        Ok(said)
    }

    /// Plays audio to the phone, stopping at a key-press, which is returned.
    pub(super) async fn play(&mut self, audio: &[u8], stop_at_key: bool) -> Result<Option<char>, Interrupt> {
        for frame in audio.chunks(FRAME) {
            self.next_tick().await?;
            let said = self.exchange(frame)?;
            if stop_at_key && said.digit.is_some() {
                return Ok(said.digit);
            }
        }
        Ok(None)
    }

    /// Does something else while the line goes on in silence.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Interrupt> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                result = &mut work => return Ok(result),
                tick = self.next_tick() => {
                    tick?;
                    self.exchange(&[])?;
                }
            }
        }
    }
}
