//! `<Dial><Number>`: a second leg to another phone, and both ends hearing each other.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use super::callbacks::QUEUE;
use super::calls::{Call, CallRecord, Status, StatusPlan};
use super::interpreter::{Interpreter, Outcome};
use super::life::{Ring, ring_out};
use super::line::{Interrupt, Line};
use super::phone::Phone;
use super::twiml::{Dial, Target};
use super::{Emulation, locked, new_sid};
use crate::domain::audio::{FRAME, MULAW_SILENCE};

impl Emulation {
    pub(super) async fn dial(
        &self,
        line: &mut Line,
        dial: &Dial,
        interpreter: &Interpreter,
    ) -> Result<Outcome, Interrupt> {
        let leg = self.new_leg(line, dial, interpreter);
        let (call, callbacks) = leg;
        let sid = call.sid.clone();
        // The leg's callbacks are sent beside the call; both end within this verb.
        let sending = self.run_callbacks(&sid, callbacks);
        let talking = async {
            let result = self.talk(line, &call, dial, interpreter).await;
            let status = match &result {
                Ok((status, _)) => *status,
                Err(_) if call.status() == Status::InProgress => Status::Completed,
                Err(_) => Status::Canceled,
            };
            self.set_status(&call, status, None);
            locked(&call.callbacks).0 = None;
            result
        };
        let (result, ()) = tokio::join!(talking, sending);
        let (status, bridged) = result?;
        let duration = call.record().duration_s();
        Ok(Outcome::Report(vec![
            ("DialCallSid".to_owned(), sid),
            ("DialCallStatus".to_owned(), status.as_str().to_owned()),
            ("DialCallDuration".to_owned(), duration.to_string()),
            ("DialBridged".to_owned(), bridged.to_string()),
        ]))
    }

    fn new_leg(
        &self,
        line: &Line,
        dial: &Dial,
        interpreter: &Interpreter,
    ) -> (Arc<Call>, mpsc::Receiver<super::webhook::Webhook>) {
        let parent = line.call.record();
        let now = self.clock.now();
        let record = CallRecord {
            sid: new_sid("CA"),
            parent_sid: Some(parent.sid.clone()),
            from: dial.caller_id.clone().unwrap_or(parent.from),
            to: dial.number.clone(),
            direction: "outbound-dial",
            status: Status::Queued,
            answered_by: None,
            created: now,
            updated: now,
            started: None,
            answered: None,
            ended: None,
        };
        let plan = dial.status_callback.as_ref().and_then(|target| {
            let url = interpreter.resolve(&target.url)?;
            Some(StatusPlan { url, get: target.get, events: dial.status_callback_events.clone() })
        });
        let (callbacks, queue) = mpsc::channel(QUEUE);
        // Nobody reads a leg's commands: the REST API steers the parent.
        let call = Arc::new(Call::new(record, plan, mpsc::channel(1).0, Some(callbacks)));
        self.calls.insert(Arc::clone(&call));
        (call, queue)
    }

    /// Rings the other phone and lets the two talk. Returns how it ended, and whether they talked.
    async fn talk(
        &self,
        line: &mut Line,
        leg: &Call,
        dial: &Dial,
        interpreter: &Interpreter,
    ) -> Result<(Status, bool), Interrupt> {
        let script = self.phone_at(&dial.number);
        self.set_status(leg, Status::Initiated, None);
        self.set_status(leg, Status::Ringing, None);
        match line.during(ring_out(&script, Duration::from_secs(dial.timeout_s.into()))).await? {
            Ring::Answered { .. } => {}
            Ring::Unanswered(status, _) => return Ok((status, false)),
        }
        self.set_status(leg, Status::InProgress, None);
        let mut other = Phone::new(&script);
        let screen =
            dial.screen.as_ref().and_then(|to| Some(Target { url: interpreter.resolve(&to.url)?, get: to.get }));
        if let Some(screen) = screen
            && !self.screen(line, leg, &mut other, &screen).await?
        {
            return Ok((Status::Completed, false));
        }
        self.log.record("bridged", Some(&leg.sid), json!({"parent": line.call.sid}));
        self.bridge(line, leg, other).await?;
        Ok((Status::Completed, true))
    }

    async fn bridge(&self, line: &mut Line, leg: &Call, mut other: Phone) -> Result<(), Interrupt> {
        let mut from_other = [MULAW_SILENCE; FRAME];
        for tick in 0.. {
            line.next_tick().await?;
            let from_first = line.exchange(&from_other)?.frame;
            locked(&leg.heard).push(tick, &from_first);
            let said = other.tick(&from_first);
            if said.hung_up {
                return Ok(());
            }
            from_other = said.frame;
        }
        Ok(())
    }
}
