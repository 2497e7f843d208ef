//! The life of a call: ringing, answer or not, conversation, end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use super::callbacks::QUEUE;
use super::calls::{Call, CallRecord, Command, Source, Status, StatusPlan};
use super::documents::Ending;
use super::faults::Detected;
use super::interpreter::Request;
use super::line::{Interrupt, Line};
use super::phone_script::{PhoneScript, Pickup};
use super::recording::Wish;
use super::webhook::Webhook;
use super::{Emulation, locked, new_sid};

/// Commands that may wait for a call's task.
const COMMANDS: usize = 8;

/// What `POST Calls.json` asked for beside the numbers.
#[derive(Debug)]
pub(super) struct OutboundPlan {
    pub first: Source,
    pub fallback: Option<Request>,
    pub timeout: Duration,
    pub time_limit: Option<Duration>,
    pub record: Option<Wish>,
    pub detection: Option<Detection>,
}

/// Answering-machine detection.
#[derive(Debug, Clone)]
pub(super) struct Detection {
    /// `DetectMessageEnd` instead of `Enable`.
    pub message_end: bool,
    /// With `AsyncAmd`, who is told.
    pub callback: Option<(String, bool)>,
    pub asynchronous: bool,
}

/// How ringing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ring {
    Answered {
        machine: bool,
    },
    /// With the SIP response.
    Unanswered(Status, u16),
}

/// Lets a phone ring, at most for `timeout`.
pub(super) async fn ring_out(script: &PhoneScript, from: &str, timeout: Duration) -> Ring {
    if let Some(hand) = &script.hand {
        return hand.ring(from, timeout).await;
    }
    let never = Duration::from_secs(100_000);
    let wait = script.after.unwrap_or(if script.pickup == Pickup::NoAnswer { never } else { Duration::ZERO });
    if tokio::time::timeout(timeout, tokio::time::sleep(wait)).await.is_err() {
        return Ring::Unanswered(Status::NoAnswer, 487);
    }
    match script.pickup {
        Pickup::Answer => Ring::Answered { machine: false },
        Pickup::Machine => Ring::Answered { machine: true },
        Pickup::Busy => Ring::Unanswered(Status::Busy, 486),
        Pickup::NoAnswer => Ring::Unanswered(Status::NoAnswer, 480),
        Pickup::Fail(code) => Ring::Unanswered(Status::Failed, code),
    }
}

impl Emulation {
    /// Makes a call and its task.
    pub(super) fn place_outbound(
        self: &Arc<Self>,
        from: &str,
        to: &str,
        status_plan: Option<StatusPlan>,
        plan: OutboundPlan,
    ) -> Arc<Call> {
        let (call, commands) = self.new_call(from, to, "outbound-api", Status::Queued, status_plan);
        let (emulation, task_call, phone) = (Arc::clone(self), Arc::clone(&call), self.phone_at(to));
        self.tracker.spawn(async move { emulation.run_outbound(task_call, commands, phone, plan).await });
        call
    }

    /// Makes a call from a phone to one of the account's numbers, and its task.
    pub(super) fn place_inbound(
        self: &Arc<Self>,
        (from, to): (&str, &str),
        status_plan: Option<StatusPlan>,
        phone: PhoneScript,
        (first, fallback): (Request, Option<Request>),
    ) -> Arc<Call> {
        let (call, commands) = self.new_call(from, to, "inbound", Status::Ringing, status_plan);
        let (emulation, task_call) = (Arc::clone(self), Arc::clone(&call));
        self.tracker.spawn(async move {
            let mut line = Line::new(task_call, &phone, commands, None, emulation.shutdown.clone());
            let ending = emulation.converse(&mut line, Source::Fetch(first), fallback.as_ref()).await;
            emulation.finish(&line.call, ending);
        });
        call
    }

    fn new_call(
        self: &Arc<Self>,
        from: &str,
        to: &str,
        direction: &'static str,
        status: Status,
        status_plan: Option<StatusPlan>,
    ) -> (Arc<Call>, mpsc::Receiver<Command>) {
        let now = self.clock.now();
        let record = CallRecord {
            sid: new_sid("CA"),
            parent_sid: None,
            from: from.to_owned(),
            to: to.to_owned(),
            direction,
            status,
            answered_by: None,
            created: now,
            updated: now,
            started: (status == Status::Ringing).then_some(now),
            answered: None,
            ended: None,
        };
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (callbacks, queue) = mpsc::channel(QUEUE);
        let detail = json!({"status": status.as_str(), "direction": direction, "to": record.to});
        let call = Arc::new(Call::new(record, status_plan, commands, Some(callbacks)));
        self.log.record("status", Some(&call.sid), detail);
        self.calls.insert(Arc::clone(&call));
        let (emulation, sid) = (Arc::clone(self), call.sid.clone());
        self.tracker.spawn(async move { emulation.run_callbacks(&sid, queue).await });
        (call, receiver)
    }

    async fn run_outbound(
        self: Arc<Self>,
        call: Arc<Call>,
        mut commands: mpsc::Receiver<Command>,
        phone: PhoneScript,
        plan: OutboundPlan,
    ) {
        // The answer to the request is on its way before anything else happens, most of the time.
        let queued = Duration::from_millis(10 + locked(&self.faults).hold_queued_ms);
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return self.end(&call, Status::Canceled, Some(487)),
            Some(Command::Hangup(done)) = commands.recv() => {
                self.end(&call, Status::Canceled, None);
                drop(done);
                return;
            }
            () = tokio::time::sleep(queued) => {}
        }
        self.set_status(&call, Status::Initiated, None);
        self.set_status(&call, Status::Ringing, None);
        let from = call.record().from;
        let ring = ring_out(&phone, &from, plan.timeout);
        tokio::pin!(ring);
        let outcome = loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break Ring::Unanswered(Status::Canceled, 487),
                Some(command) = commands.recv() => if let Command::Hangup(done) = command {
                    self.end(&call, Status::Canceled, Some(487));
                    drop(done);
                    return;
                },
                outcome = &mut ring => break outcome,
            }
        };
        let machine = match outcome {
            Ring::Unanswered(status, code) => return self.end(&call, status, Some(code)),
            Ring::Answered { machine } => machine,
        };
        let mut line = Line::new(Arc::clone(&call), &phone, commands, plan.time_limit, self.shutdown.clone());
        line.answer(&self);
        if let Some(wish) = plan.record {
            self.start_recording(&call, wish);
        }
        let first = match plan.detection {
            Some(detection) => self.detect(&mut line, machine, detection, plan.first).await,
            None => Ok(plan.first),
        };
        let ending = match first {
            Ok(first) => self.converse(&mut line, first, plan.fallback.as_ref()).await,
            Err(ending) => ending,
        };
        self.finish(&call, ending);
    }

    /// Machine detection: beside the call, or before its first document, which then is told.
    async fn detect(
        self: &Arc<Self>,
        line: &mut Line,
        machine: bool,
        detection: Detection,
        first: Source,
    ) -> Result<Source, Ending> {
        let answered_by = match (machine, detection.message_end) {
            (false, _) => Detected::Human,
            (true, false) => Detected::MachineStart,
            (true, true) => Detected::MachineEndBeep,
        };
        let (answered_by, delay) = {
            let faults = locked(&self.faults);
            let delay = self.amd_delay + Duration::from_millis(faults.delay_detection_ms);
            (faults.answered_by.unwrap_or(answered_by).as_str(), delay)
        };
        let duration_ms = delay.as_millis().to_string();
        let result = [("AnsweredBy", answered_by.to_owned()), ("MachineDetectionDuration", duration_ms)]
            .map(|(name, value)| (name.to_owned(), value));
        if !detection.asynchronous {
            match line.during(tokio::time::sleep(delay)).await {
                Ok(()) => {}
                Err(Interrupt::Redirected(elsewhere)) => return Ok(elsewhere),
                Err(interrupt) => return Err(interrupt.into()),
            }
            locked(&line.call.record).answered_by = Some(answered_by);
            return Ok(match first {
                Source::Fetch(mut request) => {
                    request.params.extend(result);
                    Source::Fetch(request)
                }
                inline @ Source::Inline(_) => inline,
            });
        }
        let (emulation, call) = (Arc::clone(self), Arc::clone(&line.call));
        self.tracker.spawn(async move {
            tokio::select! {
                () = emulation.shutdown.cancelled() => return,
                () = tokio::time::sleep(delay) => {}
            }
            if call.status().is_over() {
                return;
            }
            locked(&call.record).answered_by = Some(answered_by);
            if let Some((url, get)) = detection.callback {
                let mut params = vec![
                    ("AccountSid".to_owned(), emulation.account_sid.clone()),
                    ("CallSid".to_owned(), call.sid.clone()),
                ];
                params.extend(result);
                emulation.queue_callback(&call, Webhook { purpose: "amd", url, get, params });
            }
        });
        Ok(first)
    }

    fn finish(&self, call: &Call, ending: Ending) {
        let answered = call.record().answered.is_some();
        self.log.record("call_ended", Some(&call.sid), json!({"why": format!("{ending:?}"), "answered": answered}));
        let status = match ending {
            Ending::Rejected { busy: true } => Status::Busy,
            Ending::Rejected { busy: false } => Status::NoAnswer,
            _ if answered => Status::Completed,
            Ending::PhoneHungUp | Ending::HungUpByApi => Status::Canceled,
            Ending::DocumentsEnded | Ending::TimeLimit | Ending::ShutDown => Status::Completed,
        };
        self.end(call, status, answered.then_some(200));
    }

    /// The call's last status; its callbacks are sent and nothing more.
    fn end(&self, call: &Call, status: Status, sip_response: Option<u16>) {
        self.finish_recordings(call);
        self.set_status(call, status, sip_response);
        locked(&call.callbacks).0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn phones_ring_as_their_scripts_say() {
        let cases = [
            ("answer after 2s", Ring::Answered { machine: false }),
            ("machine", Ring::Answered { machine: true }),
            ("busy after 1s", Ring::Unanswered(Status::Busy, 486)),
            ("no answer", Ring::Unanswered(Status::NoAnswer, 487)),
            ("no answer after 3s", Ring::Unanswered(Status::NoAnswer, 480)),
            ("fail 503", Ring::Unanswered(Status::Failed, 503)),
            ("answer after 61s", Ring::Unanswered(Status::NoAnswer, 487)),
        ];
        for (script, expected) in cases {
            let script = PhoneScript::parse(script).unwrap();
            assert_eq!(ring_out(&script, "+12125550100", Duration::from_mins(1)).await, expected, "{script:?}");
        }
    }
}
