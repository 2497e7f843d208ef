//! JSON of the 2010 API: calls, recordings, the account, lists with pages, errors.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::calls::CallRecord;
use super::recording::Recording;
use super::{Emulation, rfc2822};

/// An error of the API (docs: api/errors).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub http: StatusCode,
    pub code: u16,
    pub message: String,
}

impl ApiError {
    pub(super) fn bad(code: u16, message: impl Into<String>) -> Self {
        Self { http: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    pub(super) fn not_found(path: &str) -> Self {
        let message = format!("The requested resource {path} was not found");
        Self { http: StatusCode::NOT_FOUND, code: 20404, message }
    }

    pub(super) fn unauthorized() -> Self {
        Self { http: StatusCode::UNAUTHORIZED, code: 20003, message: "Authenticate".to_owned() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.http.as_u16(),
        });
        let mut response = (self.http, Json(body)).into_response();
        if self.http == StatusCode::UNAUTHORIZED {
            let realm = "Basic realm=\"Twilio API\"".parse().expect("a fixed header");
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, realm);
        }
        response
    }
}

impl Emulation {
    pub(super) fn account_uri(&self) -> String {
        format!("/2010-04-01/Accounts/{}", self.account_sid)
    }

    pub(super) fn call_json(&self, call: &CallRecord) -> Value {
        let uri = format!("{}/Calls/{}", self.account_uri(), call.sid);
        let date = |at: Option<jiff::Timestamp>| at.map(rfc2822);
        json!({
            "sid": call.sid,
            "parent_call_sid": call.parent_sid,
            "account_sid": self.account_sid,
            "to": call.to,
            "to_formatted": call.to,
            "from": call.from,
            "from_formatted": call.from,
            "phone_number_sid": null,
            "status": call.status.in_rest(),
            "start_time": date(call.answered.or(call.started)),
            "end_time": date(call.ended),
            "duration": call.ended.map(|_| call.duration_s().to_string()),
            "price": null,
            "price_unit": "USD",
            "direction": call.direction,
            "answered_by": call.answered_by,
            "api_version": "2010-04-01",
            "forwarded_from": null,
            "group_sid": null,
            "caller_name": null,
            "queue_time": "0",
            "trunk_sid": null,
            "date_created": rfc2822(call.created),
            "date_updated": rfc2822(call.updated),
            "uri": format!("{uri}.json"),
            "subresource_uris": {
                "notifications": format!("{uri}/Notifications.json"),
                "recordings": format!("{uri}/Recordings.json"),
                "payments": format!("{uri}/Payments.json"),
                "events": format!("{uri}/Events.json"),
                "siprec": format!("{uri}/Siprec.json"),
                "streams": format!("{uri}/Streams.json"),
                "transcriptions": format!("{uri}/Transcriptions.json"),
                "user_defined_messages": format!("{uri}/UserDefinedMessages.json"),
                "user_defined_message_subscriptions": format!("{uri}/UserDefinedMessageSubscriptions.json"),
            },
        })
    }

    pub(super) fn recording_json(&self, call_sid: &str, recording: &Recording) -> Value {
        let over = matches!(recording.status, "completed" | "stopped");
        let uri = format!("{}/Recordings/{}", self.account_uri(), recording.sid);
        json!({
            "sid": recording.sid,
            "account_sid": self.account_sid,
            "call_sid": call_sid,
            "conference_sid": null,
            "api_version": "2010-04-01",
            "date_created": rfc2822(recording.started),
            "date_updated": rfc2822(recording.started),
            "start_time": rfc2822(recording.started),
            "duration": over.then(|| recording.duration_s().to_string()),
            "price": null,
            "price_unit": "USD",
            "status": recording.status,
            "channels": if recording.wish.dual { 2 } else { 1 },
            "source": recording.wish.source,
            "track": recording.wish.track,
            "error_code": null,
            "encryption_details": null,
            "uri": format!("{uri}.json"),
        })
    }

    pub(super) fn account_json(&self) -> Value {
        let started = "Thu, 01 Jan 2026 00:00:00 +0000";
        json!({
            "sid": self.account_sid,
            "owner_account_sid": self.account_sid,
            "friendly_name": "Clearline emulator",
            "status": "active",
            "type": "Full",
            "auth_token": null,
            "date_created": started,
            "date_updated": started,
            "uri": format!("{}.json", self.account_uri()),
            "subresource_uris": {
                "calls": format!("{}/Calls.json", self.account_uri()),
                "recordings": format!("{}/Recordings.json", self.account_uri()),
            },
        })
    }
}

/// One page of a list. `path` is without its query, `query` the filters in it.
pub(super) fn page(name: &str, items: Vec<Value>, path: &str, query: &str, page: usize, size: usize) -> Value {
    let total = items.len();
    let start = page.saturating_mul(size);
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let end = start + shown.len();
    let filters = if query.is_empty() { String::new() } else { format!("{query}&") };
    let uri = |page: usize| format!("{path}?{filters}PageSize={size}&Page={page}");
    json!({
        name: shown,
        "page": page,
        "page_size": size,
        "start": start,
        "end": end.saturating_sub(1),
        "uri": uri(page),
        "first_page_uri": uri(0),
        "next_page_uri": (end < total).then(|| uri(page + 1)),
        "previous_page_uri": (page > 0).then(|| uri(page - 1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_lead_to_each_other() {
        let items = || (0..5).map(Value::from).collect();
        let first = page("calls", items(), "/Calls.json", "Status=completed", 0, 2);
        assert_eq!(first["calls"], json!([0, 1]));
        assert_eq!(first["next_page_uri"], json!("/Calls.json?Status=completed&PageSize=2&Page=1"));
        assert_eq!(first["previous_page_uri"], Value::Null);
        let last = page("calls", items(), "/Calls.json", "", 2, 2);
        assert_eq!(
            (&last["calls"], &last["next_page_uri"], &last["start"], &last["end"]),
            (&json!([4]), &Value::Null, &json!(4), &json!(4))
        );
    }
}
