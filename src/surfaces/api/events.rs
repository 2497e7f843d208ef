//! `GET /api/v1/events`: the journal as it grows, as server-sent events. A client that reconnects with `Last-Event-ID` misses
//! nothing; one that has been away for longer than the journal reaches gets a `reset` and should read the lists again.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use http::HeaderMap;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::domain::CallId;
use crate::domain::access::Scope;
use crate::domain::event::JournalEntry;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::Problem;

use super::views::{self, Numbers};

/// How many missed events are read from the store at once.
const PAGE: u32 = 500;

#[derive(Debug, Deserialize)]
pub(super) struct EventsQuery {
    /// Only this call.
    call_id: Option<String>,
    /// Like `Last-Event-ID`, for clients that cannot set headers.
    after_seq: Option<i64>,
    /// Without what is only shown live: for whoever watches many calls at once.
    #[serde(default)]
    settled: bool,
}

pub(super) async fn stream(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsRead)?;
    let only = query
        .call_id
        .as_deref()
        .map(str::parse::<CallId>)
        .transpose()
        .map_err(|error| Problem::bad_request(format!("`call_id`: {error}.")))?;
    let last_seen = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .or(query.after_seq);
    let numbers = caller.numbers();
    let watch = Arc::clone(&app);
    let events = follow(app, last_seen)
        .take_until(async move { caller.loses_access(&watch).await })
        .filter(move |item| {
            let wanted = match item {
                Followed::Entry(entry) => {
                    only.is_none_or(|only| entry.call_id == only) && !(query.settled && entry.event.is_interim())
                }
                Followed::Reset => true,
            };
            std::future::ready(wanted)
        })
        .map(move |item| Ok::<_, Infallible>(to_sse(&item, numbers)));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

fn to_sse(item: &Followed, numbers: Numbers) -> Event {
    match item {
        Followed::Reset => Event::default().event("reset").data("{}"),
        Followed::Entry(entry) => {
            let event = Event::default().event("call_event").data(views::entry(entry, numbers).to_string());
            // Interim events have no place in the journal, so they must not move the client's bookmark.
            if entry.seq > 0 { event.id(entry.seq.to_string()) } else { event }
        }
    }
}

enum Followed {
    Entry(Arc<JournalEntry>),
    /// Events between what the client saw and the oldest that is kept are gone.
    Reset,
}

struct Follower {
    app: Arc<App>,
    live: Receiver<Arc<JournalEntry>>,
    /// The last seq that went out; `None` when the client only wants what comes.
    seen: Option<i64>,
    /// Read from the store, not yet sent, newest last.
    backlog: std::collections::VecDeque<Followed>,
    /// Whether the store must be read before the live lane goes on.
    behind: bool,
}

/// Everything after `last_seen`, first from the store, then live, in order and without gaps.
fn follow(app: Arc<App>, last_seen: Option<i64>) -> impl Stream<Item = Followed> {
    let live = app.journal.listen();
    let over = app.shutdown.clone();
    let follower = Follower {
        app,
        live,
        seen: last_seen,
        backlog: std::collections::VecDeque::new(),
        behind: last_seen.is_some(),
    };
    stream::unfold(follower, |mut follower| async move {
        let item = follower.next().await?;
        Some((item, follower))
    })
    .take_until(over.cancelled_owned())
}

impl Follower {
    async fn next(&mut self) -> Option<Followed> {
        loop {
            if let Some(item) = self.backlog.pop_front() {
                if let Followed::Entry(entry) = &item {
                    self.seen = Some(entry.seq);
                }
                return Some(item);
            }
            if self.behind {
                self.read_store().await?;
                continue;
            }
            match self.live.recv().await {
                Ok(entry) if entry.seq == 0 => return Some(Followed::Entry(entry)),
                // Already sent from the store.
                Ok(entry) if self.seen.is_some_and(|seen| entry.seq <= seen) => {}
                Ok(entry) => {
                    self.seen = Some(entry.seq);
                    return Some(Followed::Entry(entry));
                }
                Err(RecvError::Lagged(_)) if self.seen.is_some() => self.behind = true,
                Err(RecvError::Lagged(_)) => return Some(Followed::Reset),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn read_store(&mut self) -> Option<()> {
        let after = self.seen.unwrap_or_default();
        let page = match self.app.store.events_after(after, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "missed events could not be read");
                return None;
            }
        };
        if after > 0 && !page.continues(after) {
            self.backlog.push_back(Followed::Reset);
            // A client that claims a later place has seen another journal: what comes now must not count as seen.
            self.seen = Some(after.min(page.newest_seq));
        }
        self.behind = page.entries.len() == PAGE as usize;
        self.backlog.extend(page.entries.into_iter().map(|entry| Followed::Entry(Arc::new(entry))));
        Some(())
    }
}
