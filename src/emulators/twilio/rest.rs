//! The REST API: who may ask, and `POST Calls.json`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request as HttpRequest, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::calls::{Source, StatusPlan};
use super::faults::take_one;
use super::form::Form;
use super::interpreter::{self, Request};
use super::life::{Detection, OutboundPlan};
use super::recording::Wish;
use super::resource::ApiError;
use super::{Emulation, control, locked, lookups, new_sid, rest_recordings, rest_update};
use crate::domain::E164;
use crate::emulators::log::masked_form;

/// How long a lost answer takes to be given up.
const LOST_ANSWER: Duration = Duration::from_mins(1);

pub(super) type Shared = State<Arc<Emulation>>;

pub(super) fn router(emulation: Arc<Emulation>) -> Router {
    let account = "/2010-04-01/Accounts/{account}";
    let at = |path: &str| format!("{account}{path}");
    Router::new()
        .route(account, get(fetch_account))
        .route(&at("/Calls.json"), get(rest_update::list).post(create))
        .route(&at("/Calls/{call}"), get(rest_update::fetch).post(rest_update::update).delete(rest_update::delete))
        .route(&at("/Calls/{call}/Recordings.json"), get(rest_recordings::list).post(rest_recordings::create))
        .route(
            &at("/Calls/{call}/Recordings/{recording}"),
            get(rest_recordings::fetch_of_call).post(rest_recordings::update).delete(rest_recordings::delete_of_call),
        )
        .route(&at("/Recordings.json"), get(rest_recordings::list_all))
        .route(&at("/Recordings/{recording}"), get(rest_recordings::fetch).delete(rest_recordings::delete))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(Arc::clone(&emulation), log_request))
        // Not in the log of requests, which would hold the whole number.
        .route("/v2/PhoneNumbers/{number}", get(lookups::lookup))
        .merge(control::router())
        .layer(DefaultBodyLimit::max(256 * 1024))
        .with_state(emulation)
}

async fn log_request(State(emulation): Shared, request: HttpRequest, next: Next) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    emulation.log.record("request", None, json!({"method": method, "path": path, "status": status}));
    if let Ok(id) = new_sid("RQ").parse() {
        response.headers_mut().insert("twilio-request-id", id);
    }
    response
}

async fn unknown(State(emulation): Shared, headers: HeaderMap, request: HttpRequest) -> ApiError {
    match emulation.authorise(&headers, &emulation.account_sid, false) {
        Ok(()) => ApiError::not_found(request.uri().path()),
        Err(error) => error,
    }
}

async fn fetch_account(
    State(emulation): Shared,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let sid = json_name(&account)?;
    emulation.authorise(&headers, sid, true)?;
    Ok(Json(emulation.account_json()))
}

async fn create(
    State(emulation): Shared,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    emulation.authorise(&headers, &account, false)?;
    let form = read_form(&body)?;
    let delay = locked(&emulation.faults).delay_creates_ms;
    if delay > 0 {
        emulation.log.record("create_delayed", None, Value::Null);
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let (limited, failing, losing) = {
        let mut faults = locked(&emulation.faults);
        let limited = take_one(&mut faults.rate_limit_creates);
        let failing = !limited && take_one(&mut faults.fail_creates);
        (limited, failing, !limited && !failing && take_one(&mut faults.lose_create_answers))
    };
    if limited {
        let message = "Too many requests".to_owned();
        return Err(ApiError { http: StatusCode::TOO_MANY_REQUESTS, code: 20429, message });
    }
    if failing {
        let message = "Service unavailable".to_owned();
        return Err(ApiError { http: StatusCode::SERVICE_UNAVAILABLE, code: 20503, message });
    }
    let wish = emulation.read_create(&form)?;
    let call = emulation.place_outbound(&wish.from, &wish.to, wish.status_plan, wish.plan);
    emulation.log.record("call_created", Some(&call.sid), json!({"params": masked_form(form.pairs())}));
    if let Some(event) = &wish.unknown_event {
        emulation.warning(
            &call.sid,
            21626,
            &format!("StatusCallbackEvent `{event}` is unknown: no callbacks are sent"),
        );
    }
    if losing {
        emulation.log.record("answer_lost", Some(&call.sid), Value::Null);
        tokio::select! {
            () = emulation.shutdown.cancelled() => {}
            () = tokio::time::sleep(LOST_ANSWER) => {}
        }
        return Ok(StatusCode::GATEWAY_TIMEOUT.into_response());
    }
    Ok((StatusCode::CREATED, Json(emulation.call_json(&call.record()))).into_response())
}

/// What a request for a call comes to.
struct Create {
    from: String,
    to: String,
    status_plan: Option<StatusPlan>,
    unknown_event: Option<String>,
    plan: OutboundPlan,
}

impl Emulation {
    /// Basic authentication with the account's token or an API key; a key may not read the account itself.
    pub(super) fn authorise(&self, headers: &HeaderMap, account: &str, account_itself: bool) -> Result<(), ApiError> {
        let credentials = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|encoded| STANDARD.decode(encoded.trim()).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = credentials.as_deref().and_then(|text| text.split_once(':')).unwrap_or_default();
        let by_token = user == self.account_sid && password == self.auth_token.expose();
        let by_key = self.api_keys.get(user).is_some_and(|secret| secret.expose() == password);
        if !by_token && (!by_key || account_itself) {
            return Err(ApiError::unauthorized());
        }
        if account != self.account_sid {
            return Err(ApiError::not_found(&format!("/2010-04-01/Accounts/{account}")));
        }
        Ok(())
    }

    fn read_create(&self, form: &Form) -> Result<Create, ApiError> {
        let to = form.value("To").ok_or_else(|| ApiError::bad(21201, "No 'To' number is specified"))?;
        let from = form.value("From").ok_or_else(|| ApiError::bad(21213, "No 'From' number is specified"))?;
        // +15005550001 is the test credentials' number that is never valid.
        if !is_dialable(to) || to == "+15005550001" {
            return Err(ApiError::bad(
                21211,
                format!("The phone number you are attempting to call, {to}, is not valid."),
            ));
        }
        if !is_dialable(from) {
            return Err(ApiError::bad(21212, format!("The source phone number provided, {from}, is not valid.")));
        }
        let numbers = locked(&self.numbers);
        if !numbers.is_empty() && !numbers.contains_key(from) {
            let message = format!("The source phone number provided, {from}, is not yet verified for your account.");
            return Err(ApiError::bad(21210, message));
        }
        drop(numbers);
        let first = match (read_request(form, "Url", "Method")?, form.value("Twiml")) {
            (Some(request), _) => Source::Fetch(request),
            (None, Some(twiml)) if twiml.len() <= 4_000 => Source::Inline(twiml.to_owned()),
            (None, Some(_)) => return Err(ApiError::bad(21218, "Twiml is longer than 4000 characters")),
            (None, None) => return Err(ApiError::bad(21205, "Url parameter is required.")),
        };
        let (status_plan, unknown_event) = read_status_plan(form)?;
        let detection = match form.value("MachineDetection").filter(|_| form.value("SendDigits").is_none()) {
            Some(mode @ ("Enable" | "DetectMessageEnd")) => Some(Detection {
                message_end: mode == "DetectMessageEnd",
                callback: read_request(form, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod")?
                    .map(|request| (request.url, request.get)),
                asynchronous: form.value("AsyncAmd") == Some("true"),
            }),
            _ => None,
        };
        let plan = OutboundPlan {
            first,
            fallback: read_request(form, "FallbackUrl", "FallbackMethod")?,
            timeout: Duration::from_secs(read_number(form, "Timeout")?.unwrap_or(60).clamp(1, 600)),
            time_limit: read_number(form, "TimeLimit")?.map(Duration::from_secs),
            record: (form.value("Record") == Some("true")).then(|| read_wish(form, "OutboundAPI")).transpose()?,
            detection,
        };
        Ok(Create { from: from.to_owned(), to: to.to_owned(), status_plan, unknown_event, plan })
    }
}

/// Strips `.json`: this API speaks nothing else.
pub(super) fn json_name(file: &str) -> Result<&str, ApiError> {
    file.strip_suffix(".json").ok_or_else(|| ApiError::not_found(file))
}

pub(super) fn read_form(body: &[u8]) -> Result<Form, ApiError> {
    Form::parse(body).map_err(|error| ApiError::bad(20001, format!("the body is not a form: {error}")))
}

/// A URL parameter and the method beside it.
pub(super) fn read_request(form: &Form, url: &str, method: &str) -> Result<Option<Request>, ApiError> {
    let Some(text) = form.value(url) else { return Ok(None) };
    let valid = text.starts_with("http") && interpreter::resolve(None, text).is_some();
    let text =
        if valid { text } else { return Err(ApiError::bad(21205, format!("{url} is not a valid URL: {text}"))) };
    Ok(Some(Request { url: text.to_owned(), get: form.value(method) == Some("GET"), params: Vec::new() }))
}

pub(super) fn read_wish(form: &Form, source: &'static str) -> Result<Wish, ApiError> {
    let callback = read_request(form, "RecordingStatusCallback", "RecordingStatusCallbackMethod")?;
    let mut events: Vec<String> = form
        .values("RecordingStatusCallbackEvent")
        .iter()
        .flat_map(|text| text.split(' '))
        .map(str::to_owned)
        .collect();
    if events.is_empty() {
        events.push("completed".to_owned());
    }
    Ok(Wish {
        dual: form.value("RecordingChannels") == Some("dual"),
        track: form.value("RecordingTrack").unwrap_or("both").to_owned(),
        source,
        callback: callback.map(|request| (request.url, request.get)),
        events,
    })
}

/// Who is told what of the call; and an event name that Twilio does not know, with which nobody is told anything.
fn read_status_plan(form: &Form) -> Result<(Option<StatusPlan>, Option<String>), ApiError> {
    let Some(request) = read_request(form, "StatusCallback", "StatusCallbackMethod")? else { return Ok((None, None)) };
    let mut events = form.values("StatusCallbackEvent");
    if events.is_empty() {
        events.push("completed".to_owned());
    }
    let known = ["initiated", "ringing", "answered", "completed"];
    if let Some(unknown) = events.iter().find(|event| !known.contains(&event.as_str())) {
        return Ok((None, Some(unknown.clone())));
    }
    Ok((Some(StatusPlan { url: request.url, get: request.get, events }), None))
}

fn read_number(form: &Form, name: &str) -> Result<Option<u64>, ApiError> {
    let bad = |text: &str| ApiError::bad(20001, format!("{name} is not a number: {text}"));
    form.value(name).map(|text| text.parse().map_err(|_| bad(text))).transpose()
}

/// A number, a SIP address or a browser client.
pub(super) fn is_dialable(party: &str) -> bool {
    party.parse::<E164>().is_ok() || party.starts_with("sip:") || party.starts_with("client:")
}
