//! The stream's way to the journal: in order, never waiting while the stream lives.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::{CallEvent, CallId};

/// How long the journal may take, after the stream's end, for what it could not take before.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(10);

/// The journal cannot take a life-cycle event. It is kept; the stream must end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JournalFull;

#[derive(Debug)]
pub(super) struct Recorder {
    journal: mpsc::Sender<(CallId, CallEvent)>,
    /// Life-cycle events that found the journal full. Short: the first one ends the stream.
    kept: VecDeque<(CallId, CallEvent)>,
    pub(super) interim_dropped: u64,
}

impl Recorder {
    pub(super) fn new(journal: mpsc::Sender<(CallId, CallEvent)>) -> Self {
        Self { journal, kept: VecDeque::new(), interim_dropped: 0 }
    }

    pub(super) fn record(&mut self, call_id: CallId, event: CallEvent) -> Result<(), JournalFull> {
        if event.is_interim() {
            if !self.kept.is_empty() || self.journal.try_send((call_id, event)).is_err() {
                self.interim_dropped += 1;
            }
            return Ok(());
        }
        let entry = (call_id, event);
        let refused = if self.kept.is_empty() {
            self.journal.try_send(entry).err().map(mpsc::error::TrySendError::into_inner)
        } else {
            Some(entry)
        };
        self.kept.extend(refused);
        if self.kept.is_empty() { Ok(()) } else { Err(JournalFull) }
    }

    /// Hands over what was kept; returns how many events the journal did not take.
    pub(super) async fn finish(mut self) -> usize {
        let hand_over = async {
            while let Some(entry) = self.kept.front() {
                let Ok(place) = self.journal.reserve().await else { return };
                place.send(entry.clone());
                self.kept.pop_front();
            }
        };
        // Past the limit, what is left is counted below.
        let _ = tokio::time::timeout(LAST_WORDS_LIMIT, hand_over).await;
        self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_interim_events_are_dropped_and_the_rest_is_handed_over_at_the_end() {
        let call_id = CallId::from_uuid(Uuid::from_u128(1));
        let (journal, mut entries) = mpsc::channel(1);
        let mut recorder = Recorder::new(journal);
        let key = |digit| CallEvent::DtmfReceived { digit };
        assert_eq!(recorder.record(call_id, key('1')), Ok(()));
        assert_eq!(recorder.record(call_id, CallEvent::CallerSaying { text: String::new() }), Ok(()));
        assert_eq!(recorder.record(call_id, key('2')), Err(JournalFull));
        assert_eq!(recorder.record(call_id, key('3')), Err(JournalFull));
        assert_eq!(recorder.interim_dropped, 1);
        let read = async {
            let mut read = Vec::new();
            while let Some((_, event)) = entries.recv().await {
                read.push(event);
            }
            read
        };
        assert_eq!(tokio::join!(recorder.finish(), read), (0, vec![key('1'), key('2'), key('3')]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_never_takes_them_is_given_up() {
        let call_id = CallId::from_uuid(Uuid::from_u128(1));
        let (journal, entries) = mpsc::channel(1);
        let mut recorder = Recorder::new(journal);
        for digit in ['1', '2', '3'] {
            let _ = recorder.record(call_id, CallEvent::DtmfReceived { digit });
        }
        assert_eq!(recorder.finish().await, 2);
        drop(entries);
    }
}
