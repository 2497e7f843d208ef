//! Answering-machine detection came to a result: noted, and then what was planned for a machine is done. Until then the agent is held
//! back where that matters: it would talk to a greeting.

use std::sync::Arc;
use std::time::Duration;

use crate::config::MachineDetection;
use crate::domain::call::AnsweredBy;
use crate::domain::event::{Actor, Door, OnMachine};
use crate::domain::{Call, CallEvent, Direction, Disposition, Purpose};
use crate::protocol::twilio::rest::MachineDetectionMode;
use crate::session::Steer;

use super::live_calls::{LiveCall, Next};
use super::steer_call::steer;
use super::{App, JournalFull};

impl App {
    /// The first result counts; the carrier sends one at most, but deliveries repeat. One that could not be written down may come
    /// again.
    pub async fn answered_by(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        answered_by: AnsweredBy,
        detection_ms: Option<u32>,
    ) -> Result<(), JournalFull> {
        if !call.answered_by.make() {
            return Ok(());
        }
        let written = self.journal.record(call.id, CallEvent::AnsweredBy { answered_by, detection_ms });
        written.inspect_err(|_| call.answered_by.give_back())?;
        let record = call.record();
        let by = Actor::new(Door::System, "machine detection");
        match self.on_machine(&record).filter(|_| answered_by.is_machine()) {
            Some(OnMachine::Message { text }) if answered_by != AnsweredBy::Fax => {
                self.leave_message(call, by, &record, &text).await;
            }
            Some(OnMachine::HangUp | OnMachine::Message { .. }) => {
                self.hang_up(call, by, Disposition::Machine).await;
            }
            Some(OnMachine::Release) | None => {
                // Without a stream there is nobody to let go yet, and none will be held back.
                let _ = steer(call, by, Steer::Release).await;
            }
        }
        Ok(())
    }

    /// What is done if a machine picks up this call; none where nobody listens for machines.
    pub(super) fn on_machine(&self, record: &Call) -> Option<OnMachine> {
        let settings = &self.config.carrier.twilio;
        record.on_machine.clone().or_else(|| match settings.machine_detection {
            MachineDetection::Off => None,
            MachineDetection::Note => Some(OnMachine::Release),
            MachineDetection::HangUp => Some(OnMachine::HangUp),
            MachineDetection::Message => Some(OnMachine::Message { text: settings.voicemail.clone() }),
        })
    }

    /// How the carrier is asked to listen for machines.
    pub(super) fn detection_mode(&self, record: &Call) -> Option<MachineDetectionMode> {
        Some(match self.on_machine(record)? {
            // A message must wait for the end of the greeting.
            OnMachine::Message { .. } => MachineDetectionMode::DetectMessageEnd,
            OnMachine::HangUp | OnMachine::Release => MachineDetectionMode::Enable,
        })
    }

    /// How long the agent of a stream is held back at most.
    pub(super) fn hold_back(&self, call: &LiveCall, record: &Call) -> Option<Duration> {
        // The claim is ahead of the record: a result that came just before the stream lets nobody wait.
        let is_open = record.direction == Direction::Outbound && !call.answered_by.is_made() && record.streams == 0;
        match self.on_machine(record).filter(|_| is_open)? {
            OnMachine::HangUp | OnMachine::Message { .. } => {
                Some(Duration::from_millis(self.config.calls.machine_wait_ms))
            }
            OnMachine::Release => None,
        }
    }

    async fn leave_message(self: &Arc<Self>, call: &Arc<LiveCall>, by: Actor, record: &Call, text: &str) {
        let decision = match record.decision_id {
            Some(id) => self.store.decision(id).await.ok().flatten().map(|recorded| recorded.decision),
            None => None,
        };
        let purpose = record.purpose.unwrap_or(Purpose::Telemarketing);
        let recorded = self.config.carrier.twilio.record;
        match self.gate.voicemail(decision.as_ref(), purpose, &self.config.seller, recorded, text, self.clock.now()) {
            Ok(text) => {
                let _ = self.journal.record(call.id, CallEvent::MessageLeft { text: text.clone() });
                call.plan_next(Next::Message(text));
            }
            Err(error) => {
                tracing::warn!(call.id = %call.id, %error, "no message was left on a machine");
                let _ = self.journal.record(call.id, CallEvent::MessageWithheld { reason: error.to_string() });
            }
        }
        self.hang_up(call, by, Disposition::Machine).await;
    }
}
