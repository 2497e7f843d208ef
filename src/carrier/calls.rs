//! Everything about calls at the carrier. The only file that names the endpoint which rings phones, so that one look at it tells
//! that nothing is dialled without a `DialOrder`.

use jiff::Timestamp;
use reqwest::Method;

use super::client::{Answer, Request, TwilioClient};
use super::error::{CarrierError, DialError};
use crate::compliance::clearance::DialOrder;
use crate::config::HouseNumber;
use crate::domain::{CallSid, E164, RecordingSid};
use crate::protocol::twilio::ErrorMeaning;
use crate::protocol::twilio::rest::{
    CallFilter, CallList, CallResource, DialRequest, RecordingChange, RecordingRequest, RecordingResource,
};
use crate::protocol::twilio::twiml::{self, Dial, TransferRequest};

const CALLS: &str = "/2010-04-01/Accounts/{account}/Calls.json";
const CALL: &str = "/2010-04-01/Accounts/{account}/Calls/{call}.json";
const RECORDINGS: &str = "/2010-04-01/Accounts/{account}/Calls/{call}/Recordings.json";
const RECORDING: &str = "/2010-04-01/Accounts/{account}/Calls/{call}/Recordings/{recording}.json";

/// What a live call does next, instead of what it does now.
#[derive(Debug, Clone, Copy)]
pub enum NextDocument<'a> {
    /// Ask for the document there.
    At(&'a str),
    /// This document, up to 4000 characters, whose URLs are all absolute.
    Inline(&'a str),
}

/// Who is rung by a transfer, and by what right.
#[derive(Debug)]
pub enum Callee {
    /// A colleague, named in the settings.
    Colleague(HouseNumber),
    /// Anybody else, with the gate's clearance.
    Outside(DialOrder),
}

/// The document that connects a call with somebody. Rings a phone, and so uses an order up.
pub fn transfer_document(callee: Callee, request: &TransferRequest<'_>) -> String {
    let number = match &callee {
        Callee::Colleague(house) => house.number(),
        Callee::Outside(order) => order.number(),
    };
    twiml::render(&Dial::new(number, request))
}

impl TwilioClient {
    /// Rings the order's number, once. The attempt must be on record before: whatever the answer, the order is used up.
    pub async fn dial(&self, order: DialOrder, request: &DialRequest) -> Result<CallResource, DialError> {
        let form = request.form(order.number());
        let answer = self.post(CALLS, &["Calls.json"], &form).await?;
        Ok(answer.parse()?)
    }

    /// Connects a live call with somebody else. The media stream stops, as with every redirect.
    pub async fn transfer(
        &self,
        callee: Callee,
        call_sid: &CallSid,
        request: &TransferRequest<'_>,
    ) -> Result<(), CarrierError> {
        let document = transfer_document(callee, request);
        self.redirect(call_sid, NextDocument::Inline(&document)).await
    }

    /// The calls from one number to another that were made since then, newest first: how an attempt with an uncertain end is found.
    ///
    /// `since` is the carrier's time, to the second; leave some room for the difference of the clocks. The carrier is asked for the
    /// numbers alone, because it filters times by the start of a call and a queued call has none yet.
    pub async fn find_recent(
        &self,
        to: &E164,
        from: &E164,
        since: Timestamp,
    ) -> Result<Vec<CallResource>, CarrierError> {
        let filter = CallFilter { to: Some(to.clone()), from: Some(from.clone()), ..CallFilter::default() };
        let mut calls = self.list(&filter).await?.calls;
        calls.retain(|call| {
            let made_at = call.created_at.or(call.started_at);
            made_at.is_none_or(|made_at| made_at.as_second() >= since.as_second())
        });
        Ok(calls)
    }

    /// One page of calls.
    pub async fn list(&self, filter: &CallFilter) -> Result<CallList, CarrierError> {
        let query = filter.query();
        let request = Request { method: Method::GET, template: CALLS, segments: &["Calls.json"], parameters: &query };
        self.send(&request).await?.parse()
    }

    pub async fn fetch(&self, call_sid: &CallSid) -> Result<CallResource, CarrierError> {
        let segments = ["Calls", &format!("{call_sid}.json")];
        let request = Request { method: Method::GET, template: CALL, segments: &segments, parameters: &[] };
        self.send(&request).await?.parse()
    }

    /// Ends a call in any state. A call that is over, or of which the carrier knows nothing (more), is a success.
    pub async fn hang_up(&self, call_sid: &CallSid) -> Result<(), CarrierError> {
        unless_over(self.update(call_sid, &[("Status", "completed".to_owned())]).await)
    }

    /// Withdraws a call that is still queued or ringing. One that is answered meanwhile goes on; one that is over is a success.
    pub async fn cancel(&self, call_sid: &CallSid) -> Result<(), CarrierError> {
        unless_over(self.update(call_sid, &[("Status", "canceled".to_owned())]).await)
    }

    /// Gives a live call another document. A call that is over is a refusal whose meaning is `CallNotInProgress` or `NotFound`.
    pub async fn redirect(&self, call_sid: &CallSid, next: NextDocument<'_>) -> Result<(), CarrierError> {
        match next {
            NextDocument::At(url) => {
                self.update(call_sid, &[("Url", url.to_owned()), ("Method", "POST".to_owned())]).await
            }
            NextDocument::Inline(document) => self.update(call_sid, &[("Twiml", document.to_owned())]).await,
        }
    }

    pub async fn start_recording(
        &self,
        call_sid: &CallSid,
        request: &RecordingRequest,
    ) -> Result<RecordingResource, CarrierError> {
        let answer = self.post(RECORDINGS, &["Calls", call_sid.as_str(), "Recordings.json"], &request.form()).await?;
        answer.parse()
    }

    /// Changes a recording of a live call; without an id, the one that is running.
    pub async fn update_recording(
        &self,
        call_sid: &CallSid,
        recording_sid: Option<&RecordingSid>,
        change: RecordingChange,
    ) -> Result<RecordingResource, CarrierError> {
        let recording = recording_sid.map_or("Twilio.CURRENT", RecordingSid::as_str);
        let segments = ["Calls", call_sid.as_str(), "Recordings", &format!("{recording}.json")];
        self.post(RECORDING, &segments, &change.form()).await?.parse()
    }

    async fn update(&self, call_sid: &CallSid, form: &[(&'static str, String)]) -> Result<(), CarrierError> {
        self.post(CALL, &["Calls", &format!("{call_sid}.json")], form).await.map(drop)
    }

    async fn post(
        &self,
        template: &'static str,
        segments: &[&str],
        form: &[(&'static str, String)],
    ) -> Result<Answer, CarrierError> {
        self.send(&Request { method: Method::POST, template, segments, parameters: form }).await
    }
}

/// For a call that is to end, "it is over" is the wished-for state (errors 21220 and 20404).
fn unless_over(result: Result<(), CarrierError>) -> Result<(), CarrierError> {
    match result {
        Err(CarrierError::Refused(body))
            if matches!(body.meaning(), ErrorMeaning::CallNotInProgress | ErrorMeaning::NotFound) =>
        {
            Ok(())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tokio_util::task::TaskTracker;
    use uuid::Uuid;

    use super::super::error::Doubt;
    use super::super::test_server::{TestServer, client, impatient_client};
    use super::super::{Patience, RecordingChannels};
    use super::*;
    use crate::compliance::clearance::{Clearance, Reservation};
    use crate::domain::decision::{AllowCode, Outcome};
    use crate::domain::{AttemptId, CallStatus, Decision, DecisionId, ReservationId};

    const QUEUED: &str = include_str!("../../tests/fixtures/twilio/rest_call_queued.json");
    const LIST: &str = include_str!("../../tests/fixtures/twilio/rest_call_list.json");
    const RECORDING_JSON: &str = include_str!("../../tests/fixtures/twilio/rest_recording.json");
    const CALL_OVER: &str = include_str!("../../tests/fixtures/twilio/error_call_over.json");
    const NOT_FOUND: &str = include_str!("../../tests/fixtures/twilio/error_not_found.json");
    const INVALID_TO: &str = include_str!("../../tests/fixtures/twilio/error_legacy.json");

    /// An order as the gate would give it, from a decision and a reservation that stand in for the store's.
    fn order() -> DialOrder {
        let now: Timestamp = "2026-12-01T15:00:00Z".parse().unwrap();
        let decision = Decision {
            outcome: Outcome::Allow { code: AllowCode::Allow },
            decided_at: now,
            rule_set: "test".to_owned(),
            profile: "test".to_owned(),
            tzdb: "test".to_owned(),
            places: Vec::new(),
            basis: String::new(),
            consent_id: None,
            warnings: Vec::new(),
        };
        let (id, decision_id) =
            (ReservationId::from_uuid(Uuid::from_u128(1)), DecisionId::from_uuid(Uuid::from_u128(2)));
        let reservation = Reservation::mint(id, decision_id, number("+12125550113"), now);
        let clearance = Clearance::grant(&decision, reservation).unwrap();
        clearance.redeem(AttemptId::from_uuid(Uuid::from_u128(3)), now).unwrap()
    }

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    fn call_sid() -> CallSid {
        CallSid::new("CA00000000000000000000000000000001")
    }

    fn dial_request() -> DialRequest {
        DialRequest {
            from: number("+12125550100"),
            voice_url: "https://voice.example.com/webhooks/voice/att_1".to_owned(),
            fallback_url: None,
            status_callback: "https://voice.example.com/webhooks/status-callback/att_1#rc=3&rp=5xx,ct,rt".to_owned(),
            ring_timeout: Duration::from_secs(30),
            time_limit: None,
            recording: None,
            machine_detection: None,
        }
    }

    #[tokio::test]
    async fn dialling_posts_the_orders_number_with_repeated_keys() {
        let server = TestServer::start(|_| (201, QUEUED)).await;
        let call = client(&server.url).dial(order(), &dial_request()).await.unwrap();
        assert_eq!((call.sid, call.status.known), (call_sid(), Some(CallStatus::Queued)));
        let seen = server.requests().remove(0);
        assert_eq!(seen.method, "POST");
        assert_eq!(seen.target, "/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls.json");
        assert_eq!(seen.body, include_str!("../../tests/fixtures/twilio/rest_create_call.form").trim_end());
    }

    #[tokio::test]
    async fn a_busy_carrier_has_not_dialled_and_is_asked_again() {
        let busy = include_str!("../../tests/fixtures/twilio/error_problem.json");
        let server = TestServer::start(move |n| if n == 0 { (429, busy) } else { (201, QUEUED) }).await;
        client(&server.url).dial(order(), &dial_request()).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].body, seen[1].body);
    }

    #[tokio::test]
    async fn a_refusal_is_certain_and_does_not_name_the_number() {
        let server = TestServer::start(|_| (400, INVALID_TO)).await;
        let error = client(&server.url).dial(order(), &dial_request()).await.unwrap_err();
        let DialError::Refused(body) = &error else { panic!("{error}") };
        assert_eq!((body.code, body.meaning()), (Some(21_211), ErrorMeaning::BadCalledNumber));
        assert!(!format!("{error} {error:?}").contains("5550113"));
    }

    #[tokio::test]
    async fn no_connection_means_that_nothing_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = client(&url).dial(order(), &dial_request()).await.unwrap_err();
        let DialError::Refused(body) = error else { panic!("{error}") };
        assert_eq!((body.status, body.meaning()), (None, ErrorMeaning::Unreachable));
    }

    #[tokio::test]
    async fn silence_a_fault_and_an_unreadable_answer_leave_it_open_and_are_not_repeated() {
        let short = Patience { answer: Duration::from_secs(2), ..Patience::default() };
        let long = Patience::default();
        let cases = [
            (0, "", short, Doubt::TimedOut(short.answer)),
            (201, "<html>", long, Doubt::Unreadable { status: 201 }),
            (201, "{}", long, Doubt::Unreadable { status: 201 }),
        ];
        for (status, body, patience, doubt) in cases {
            let server = TestServer::start(move |_| (status, body)).await;
            let error = impatient_client(&server.url, patience).dial(order(), &dial_request()).await.unwrap_err();
            assert_eq!(error, DialError::Uncertain(doubt));
            assert_eq!(server.requests().len(), 1);
        }
        let server = TestServer::start(|_| (503, "")).await;
        let error = client(&server.url).dial(order(), &dial_request()).await.unwrap_err();
        assert!(matches!(error, DialError::Uncertain(Doubt::ServerFault(_))), "{error}");
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_after_the_request_leaves_it_open() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cut = TaskTracker::new().spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 16]).await.unwrap()
        });
        let error = client(&url).dial(order(), &dial_request()).await.unwrap_err();
        assert!(matches!(error, DialError::Uncertain(Doubt::ConnectionLost(_))), "{error}");
        assert!(!format!("{error:?}").contains("AC0000"));
        assert_eq!(cut.await.unwrap(), 16);
    }

    #[tokio::test]
    async fn recent_calls_are_found_by_number_and_time() {
        let server = TestServer::start(|_| (200, LIST)).await;
        let client = client(&server.url);
        let (to, from) = (number("+12125550113"), number("+12125550100"));
        let since = |text: &str| text.parse::<Timestamp>().unwrap();
        let recent = client.find_recent(&to, &from, since("2026-12-01T15:00:00.9Z")).await.unwrap();
        assert_eq!(recent.iter().map(|call| &call.sid).collect::<Vec<_>>(), [&call_sid()]);
        assert_eq!(client.find_recent(&to, &from, since("2026-11-01T00:00:00Z")).await.unwrap().len(), 2);
        assert_eq!(client.find_recent(&to, &from, since("2026-12-01T15:00:01Z")).await.unwrap().len(), 0);
        let target = server.requests().remove(0).target;
        assert!(target.ends_with("/Calls.json?To=%2B12125550113&From=%2B12125550100"), "{target}");
    }

    #[tokio::test]
    async fn a_call_is_fetched_ended_and_redirected() {
        let server = TestServer::start(|_| (200, QUEUED)).await;
        let client = client(&server.url);
        assert_eq!(client.fetch(&call_sid()).await.unwrap().sid, call_sid());
        client.hang_up(&call_sid()).await.unwrap();
        client.cancel(&call_sid()).await.unwrap();
        client.redirect(&call_sid(), NextDocument::At("https://voice.example.com/webhooks/resume")).await.unwrap();
        client.redirect(&call_sid(), NextDocument::Inline("<Response><Hangup/></Response>")).await.unwrap();
        let seen = server.requests();
        let path =
            "/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls/CA00000000000000000000000000000001.json";
        assert!(seen.iter().all(|seen| seen.target == path));
        assert_eq!(
            seen.iter().map(|seen| seen.method.as_str()).collect::<Vec<_>>(),
            ["GET", "POST", "POST", "POST", "POST"]
        );
        let bodies = [
            "",
            "Status=completed",
            "Status=canceled",
            "Url=https%3A%2F%2Fvoice.example.com%2Fwebhooks%2Fresume&Method=POST",
            "Twiml=%3CResponse%3E%3CHangup%2F%3E%3C%2FResponse%3E",
        ];
        assert_eq!(seen.iter().map(|seen| seen.body.as_str()).collect::<Vec<_>>(), bodies);
    }

    #[tokio::test]
    async fn ending_a_call_that_is_over_is_a_success_and_redirecting_it_is_not() {
        for (status, body) in [(400, CALL_OVER), (404, NOT_FOUND), (404, "")] {
            let server = TestServer::start(move |_| (status, body)).await;
            let client = client(&server.url);
            assert_eq!(client.hang_up(&call_sid()).await, Ok(()));
            assert_eq!(client.cancel(&call_sid()).await, Ok(()));
            assert!(client.redirect(&call_sid(), NextDocument::At("https://voice.example.com")).await.is_err());
        }
        let server = TestServer::start(|_| (401, "")).await;
        assert!(client(&server.url).hang_up(&call_sid()).await.is_err());
    }

    #[tokio::test]
    async fn a_transfer_names_the_orders_number() {
        let server = TestServer::start(|_| (200, QUEUED)).await;
        let caller_id = number("+12125550100");
        let request = TransferRequest {
            caller_id: &caller_id,
            ring_timeout: Duration::from_secs(25),
            time_limit: Duration::from_hours(1),
            action_url: "https://voice.example.com/webhooks/transfer",
            answered_url: "https://voice.example.com/webhooks/transfer-answered",
            briefing_url: None,
            announcement: None,
        };
        client(&server.url).transfer(Callee::Outside(order()), &call_sid(), &request).await.unwrap();
        let body = server.requests().remove(0).body;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&body).unwrap();
        assert_eq!(pairs, [("Twiml".to_owned(), transfer_document(Callee::Outside(order()), &request))]);
        assert!(pairs[0].1.contains(">+12125550113</Number>"));
    }

    #[tokio::test]
    async fn a_recording_is_started_and_changed() {
        let server = TestServer::start(|_| (201, RECORDING_JSON)).await;
        let client = client(&server.url);
        let request = RecordingRequest {
            channels: RecordingChannels::Dual,
            status_callback: "https://voice.example.com/webhooks/recording-callback".to_owned(),
        };
        let recording = client.start_recording(&call_sid(), &request).await.unwrap();
        client.update_recording(&call_sid(), Some(&recording.sid), RecordingChange::Pause).await.unwrap();
        client.update_recording(&call_sid(), None, RecordingChange::Stop).await.unwrap();
        let seen = server.requests();
        assert!(seen[0].target.ends_with("/Calls/CA00000000000000000000000000000001/Recordings.json"));
        assert!(seen[0].body.starts_with("RecordingChannels=dual&RecordingTrack=both&Trim=do-not-trim&"));
        assert!(seen[1].target.ends_with("/Recordings/RE00000000000000000000000000000001.json"));
        assert_eq!(seen[1].body, "Status=paused&PauseBehavior=silence");
        assert!(seen[2].target.ends_with("/Recordings/Twilio.CURRENT.json"));
    }
}
