//! The REST API of calls that exist: fetch, list with filters and pages, end, redirect, delete.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::Json;
use http::{HeaderMap, StatusCode};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::calls::{CallRecord, Command, Source, Status};
use super::faults::take_one;
use super::form::Form;
use super::locked;
use super::resource::{ApiError, page};
use super::rest::{Shared, json_name, read_form, read_request};

/// How long the answer to "end this call" waits for the end.
const ENDING: Duration = Duration::from_secs(2);

pub(super) async fn fetch(
    State(emulation): Shared,
    Path((account, call)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let sid = json_name(&call)?;
    let call = emulation.calls.find(sid).ok_or_else(|| ApiError::not_found(&format!("/Calls/{sid}.json")))?;
    Ok(Json(emulation.call_json(&call.record())))
}

pub(super) async fn list(
    State(emulation): Shared,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let query = query.unwrap_or_default();
    let form = read_form(query.as_bytes())?;
    let filter = Filter::read(&form)?;
    let calls = emulation.calls.all().into_iter().map(|call| call.record()).filter(|call| filter.admits(call));
    let items = calls.map(|call| emulation.call_json(&call)).collect();
    let (number, size, filters) = paging(&form, &query);
    Ok(Json(page("calls", items, &format!("{}/Calls.json", emulation.account_uri()), &filters, number, size)))
}

pub(super) async fn update(
    State(emulation): Shared,
    Path((account, call)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let sid = json_name(&call)?;
    let form = read_form(&body)?;
    let call = emulation.calls.find(sid).ok_or_else(|| ApiError::not_found(&format!("/Calls/{sid}.json")))?;
    emulation.log.record("call_updated", Some(sid), json!({"status": form.value("Status")}));
    if take_one(&mut locked(&emulation.faults).refuse_updates) {
        return Err(ApiError::bad(20001, "this update is refused on demand"));
    }
    let not_in_progress = || ApiError::bad(21220, "Call is not in-progress. Cannot redirect.");
    match form.value("Status") {
        None => {
            let source = match (read_request(&form, "Url", "Method")?, form.value("Twiml")) {
                (Some(_), Some(_)) => return Err(ApiError::bad(21218, "Url and Twiml exclude each other")),
                (Some(request), None) => Source::Fetch(request),
                (None, Some(twiml)) => Source::Inline(twiml.to_owned()),
                (None, None) => return Err(ApiError::bad(21218, "nothing to update: give Status, Url or Twiml")),
            };
            if !emulation.redirect(sid, source).await {
                return Err(not_in_progress());
            }
        }
        Some("completed" | "canceled") if call.status().is_over() => return Err(not_in_progress()),
        // A call that is talked on is not cancelled, and that is no error.
        Some("canceled") if call.status() == Status::InProgress => {}
        Some("completed" | "canceled") => {
            let (done, ended) = oneshot::channel();
            let sent = call.commands.send(Command::Hangup(done)).await;
            sent.map_err(|_| not_in_progress())?;
            // The sender is dropped at the end, never used; without an end in time the answer shows the call as it is.
            let _ = tokio::time::timeout(ENDING, ended).await;
        }
        Some(other) => return Err(ApiError::bad(20001, format!("Status must be completed or canceled, not {other}"))),
    }
    Ok(Json(emulation.call_json(&call.record())))
}

pub(super) async fn delete(
    State(emulation): Shared,
    Path((account, call)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let sid = json_name(&call)?;
    let call = emulation.calls.find(sid).ok_or_else(|| ApiError::not_found(&format!("/Calls/{sid}.json")))?;
    if !call.status().is_over() {
        return Err(ApiError::bad(20009, "a call in progress cannot be deleted"));
    }
    emulation.calls.remove(sid);
    Ok(StatusCode::NO_CONTENT)
}

/// Page number, page size and the query without them.
pub(super) fn paging(form: &Form, query: &str) -> (usize, usize, String) {
    let number = |name: &str| form.value(name).and_then(|text| text.parse::<usize>().ok());
    let filters: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("Page")).collect();
    (number("Page").unwrap_or(0), number("PageSize").unwrap_or(50).clamp(1, 1_000), filters.join("&"))
}

/// Which calls a list shows.
#[derive(Debug, Default)]
struct Filter {
    to: Option<String>,
    from: Option<String>,
    parent: Option<String>,
    status: Option<String>,
    started: Range,
    ended: Range,
}

/// From the first moment up to before the second.
#[derive(Debug, Default)]
struct Range {
    from: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Filter {
    fn read(form: &Form) -> Result<Self, ApiError> {
        let text = |name: &str| form.value(name).map(str::to_owned);
        Ok(Self {
            to: text("To"),
            from: text("From"),
            parent: text("ParentCallSid"),
            status: text("Status"),
            started: Range::read(form, "StartTime")?,
            ended: Range::read(form, "EndTime")?,
        })
    }

    fn admits(&self, call: &CallRecord) -> bool {
        let same = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        same(&self.to, &call.to)
            && same(&self.from, &call.from)
            && same(&self.status, call.status.in_rest())
            && (self.parent.is_none() || self.parent == call.parent_sid)
            // A call that has not rung yet has no start; its creation stands in, so that reconciling finds it.
            && self.started.admits(Some(call.started.unwrap_or(call.created)))
            && self.ended.admits(call.ended)
    }
}

impl Range {
    /// `Name`, `Name<` and `Name>`, each with a date (the whole day, UTC) or a moment.
    fn read(form: &Form, name: &str) -> Result<Self, ApiError> {
        let moment =
            |suffix: &str| form.value(&format!("{name}{suffix}")).map(|text| read_moment(text, name)).transpose();
        let mut range = Self { from: moment(">")?.map(|day| day.0), before: moment("<")?.map(|day| day.1) };
        if let Some((start, end)) = moment("")? {
            range = Self { from: Some(start), before: Some(end) };
        }
        Ok(range)
    }

    fn admits(&self, at: Option<Timestamp>) -> bool {
        let Some(at) = at else { return self.from.is_none() && self.before.is_none() };
        self.from.is_none_or(|from| at >= from) && self.before.is_none_or(|before| at < before)
    }
}

/// The first moment meant, and the first one after it.
fn read_moment(text: &str, name: &str) -> Result<(Timestamp, Timestamp), ApiError> {
    let bad = || ApiError::bad(20001, format!("{name} is neither YYYY-MM-DD nor a time like 2026-01-31T12:00:00Z"));
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok((moment, moment + 1.second()));
    }
    let day: Date = text.parse().map_err(|_| bad())?;
    let start = day.to_zoned(TimeZone::UTC).map_err(|_| bad())?;
    let end = start.checked_add(1.day()).map_err(|_| bad())?;
    Ok((start.timestamp(), end.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: Status, started: &str) -> CallRecord {
        let at: Timestamp = started.parse().unwrap();
        CallRecord {
            sid: "CA1".into(),
            parent_sid: None,
            from: "+12125550100".into(),
            to: "+12125550113".into(),
            direction: "outbound-api",
            status,
            answered_by: None,
            created: at,
            updated: at,
            started: Some(at),
            answered: None,
            ended: None,
        }
    }

    #[test]
    fn lists_are_filtered_by_what_the_query_names() {
        let call = record(Status::Initiated, "2026-11-20T12:00:00Z");
        for (query, shown) in [
            ("", true),
            ("To=%2B12125550113&Status=queued", true),
            ("To=%2B12125550114", false),
            ("Status=completed", false),
            ("StartTime=2026-11-20", true),
            ("StartTime=2026-11-21", false),
            ("StartTime%3E=2026-11-20T12%3A00%3A00Z", true),
            ("StartTime%3E=2026-11-20T12%3A00%3A01Z", false),
            ("StartTime%3C=2026-11-20", true),
            ("StartTime%3C=2026-11-19", false),
            ("EndTime%3E=2026-11-19", false),
        ] {
            let form = Form::parse(query.as_bytes()).unwrap();
            assert_eq!(Filter::read(&form).unwrap().admits(&call), shown, "{query}");
        }
        assert!(Filter::read(&Form::parse(b"StartTime=soon").unwrap()).is_err());
    }

    #[test]
    fn paging_keeps_the_filters() {
        let query = "Status=completed&PageSize=5000&Page=2&PageToken=x";
        let form = Form::parse(query.as_bytes()).unwrap();
        assert_eq!(paging(&form, query), (2, 1_000, "Status=completed".to_owned()));
    }
}
