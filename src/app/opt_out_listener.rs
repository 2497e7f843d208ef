//! Listens to every conversation for an opt-out: what the other party says (a curated phrase table) and the key that opts out.
//!
//! It follows the journal, off the audio path. What the caller said is acted on when it is final; a listener that fell behind reads
//! what it missed from the store, so that no opt-out is lost to a busy moment.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;

use crate::domain::consent::OptOutChannel;
use crate::domain::event::{Actor, Door, JournalEntry};
use crate::domain::{CallEvent, Direction};

use super::App;

/// How many missed events are read from the store at once.
const PAGE: u32 = 500;

impl App {
    /// Runs until the server stops.
    pub async fn listen_for_opt_outs(self: Arc<Self>) {
        let mut events = self.journal.listen();
        // From here on: what was said before this start has been heard, or belongs to another server.
        let mut seen = match self.store.events_after(i64::MAX, 1).await {
            Ok(slice) => slice.newest_seq,
            Err(error) => {
                tracing::error!(%error, "the journal's end could not be read");
                0
            }
        };
        loop {
            let received = tokio::select! {
                received = events.recv() => received,
                () = self.shutdown.cancelled() => return,
            };
            match received {
                // Heard already, from the store.
                Ok(entry) if entry.seq <= seen => {}
                Ok(entry) => {
                    seen = entry.seq;
                    self.hear(&entry).await;
                }
                Err(RecvError::Lagged(_)) => seen = self.catch_up(seen).await,
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Hears what was missed; returns the last place heard.
    async fn catch_up(self: &Arc<Self>, mut seen: i64) -> i64 {
        loop {
            let entries = match self.store.events_after(seen, PAGE).await {
                Ok(slice) => slice.entries,
                Err(error) => {
                    tracing::error!(%error, "missed events could not be read: opt-outs in them are not heard");
                    return seen;
                }
            };
            let Some(last) = entries.last() else { return seen };
            seen = last.seq;
            for entry in &entries {
                self.hear(entry).await;
            }
        }
    }

    async fn hear(self: &Arc<Self>, entry: &JournalEntry) {
        let (channel, words) = match &entry.event {
            CallEvent::CallerSaid { text } => match self.gate.hears_opt_out(text) {
                Some(phrase) => {
                    tracing::info!(call.id = %entry.call_id, phrase, "an opt-out was heard");
                    (OptOutChannel::Speech, text.clone())
                }
                None => return,
            },
            CallEvent::DtmfReceived { digit } if self.config.compliance.opt_out_key == digit.to_string() => {
                (OptOutChannel::KeyPress, digit.to_string())
            }
            _ => return,
        };
        let live = self.live.by_id(entry.call_id).filter(|call| !call.is_over());
        let record = match &live {
            Some(call) => Ok(Some(call.record())),
            None => self.store.call(entry.call_id).await,
        };
        let by = Actor::new(Door::System, "opt-out listener");
        let result = match record {
            Ok(None) => return,
            // On inbound calls keys are for the caller's own purposes; words mean what they say.
            Ok(Some(record)) if record.direction == Direction::Inbound && channel == OptOutChannel::KeyPress => return,
            Ok(Some(record)) => match &live {
                Some(call) => self.opt_out_in_call(call, channel, &words, by).await,
                // Many say it and hang up: it binds all the same.
                None => self.record_opt_out_of(&record, channel, &words, &by).await,
            },
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::error!(call.id = %entry.call_id, %error, "an opt-out could not be recorded");
        }
    }
}
