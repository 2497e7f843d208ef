//! Lookup v2: `GET /v2/PhoneNumbers/{number}` with the packages `reassigned_number` and `line_type_intelligence`. At Twilio it has a
//! host of its own; here it is served beside the 2010 API.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Json, Response};
use http::{HeaderMap, StatusCode};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::resource::ApiError;
use super::rest::Shared;
use super::{Emulation, locked};
use crate::domain::E164;

/// How long a lost answer takes to be given up.
const LOST_ANSWER: Duration = Duration::from_mins(1);

/// What is known of a number. The default is a mobile that never changed hands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LookupRecord {
    /// The day on which the number was last disconnected. "Yes" to every question about that day or an earlier one.
    pub disconnected_on: Option<Date>,
    /// There is no data on this number.
    pub no_data: bool,
    /// `mobile` unless it says otherwise: `landline`, `fixedVoip`, …
    pub line_type: Option<String>,
}

/// What goes wrong with every lookup while it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupFault {
    /// 500 with an error document.
    ServerError,
    /// 429 with error 20429.
    RateLimit,
    /// No answer for a minute.
    Silence,
    /// 200 with something that is not the documented object.
    Garbage,
    /// The package `reassigned_number` says 60606: the account is not enabled for it.
    NotEnabled,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Question {
    #[serde(default)]
    fields: String,
    last_verified_date: Option<String>,
}

pub(super) async fn lookup(
    State(emulation): Shared,
    Path(number): Path<String>,
    Query(question): Query<Question>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    emulation.authorise(&headers, &emulation.account_sid, false)?;
    let path = "/v2/PhoneNumbers/…";
    let number: E164 = number.parse().map_err(|_| ApiError::not_found(path))?;
    let fault = locked(&emulation.faults).lookups;
    let asked = json!({"number": number.masked(), "fields": question.fields, "since": question.last_verified_date});
    emulation.log.record("lookup", None, asked);
    match fault {
        Some(LookupFault::ServerError) => {
            let message = "Internal Server Error".to_owned();
            return Err(ApiError { http: StatusCode::INTERNAL_SERVER_ERROR, code: 20500, message });
        }
        Some(LookupFault::RateLimit) => {
            let message = "Too many requests".to_owned();
            return Err(ApiError { http: StatusCode::TOO_MANY_REQUESTS, code: 20429, message });
        }
        Some(LookupFault::Silence) => {
            tokio::select! {
                () = emulation.shutdown.cancelled() => {}
                () = tokio::time::sleep(LOST_ANSWER) => {}
            }
            return Ok(StatusCode::GATEWAY_TIMEOUT.into_response());
        }
        Some(LookupFault::Garbage) => return Ok("<html>It works!</html>".into_response()),
        Some(LookupFault::NotEnabled) | None => {}
    }
    let record = locked(&emulation.lookups).get(number.as_str()).cloned().unwrap_or_default();
    Ok(Json(emulation.lookup_json(&number, &question, &record, fault.is_some())).into_response())
}

impl Emulation {
    fn lookup_json(&self, number: &E164, question: &Question, record: &LookupRecord, not_enabled: bool) -> Value {
        let asks = |package: &str| question.fields.split(',').any(|field| field.trim() == package);
        let reassigned = asks("reassigned_number").then(|| {
            let since = question.last_verified_date.as_deref().and_then(|text| Date::strptime("%Y%m%d", text).ok());
            let (word, error_code) = match since {
                _ if not_enabled => (None, Some(60606)),
                // Error 60617, "Lookup not enough request parameters".
                None => (None, Some(60617)),
                Some(_) if record.no_data => (Some("no_data_available"), None),
                Some(since) if record.disconnected_on.is_some_and(|day| since <= day) => (Some("yes"), None),
                Some(_) => (Some("no"), None),
            };
            let last_verified = since.map(|day| day.to_string());
            json!({"last_verified_date": last_verified, "is_number_reassigned": word, "error_code": error_code})
        });
        let line = asks("line_type_intelligence").then(|| {
            let kind = record.line_type.as_deref().unwrap_or("mobile");
            json!({"mobile_country_code": null, "mobile_network_code": null, "carrier_name": "Emulated Carrier",
                "type": kind, "error_code": null})
        });
        json!({
            "calling_country_code": "1", "country_code": "US", "phone_number": number.as_str(), "national_format": null,
            "valid": true, "validation_errors": [], "caller_name": null, "sim_swap": null, "call_forwarding": null,
            "line_status": null, "line_type_intelligence": line, "identity_match": null, "reassigned_number": reassigned,
            "sms_pumping_risk": null, "phone_number_quality_score": null, "pre_fill": null,
            "url": format!("{}/v2/PhoneNumbers/{}", self.base_url, number.as_str()),
        })
    }
}
