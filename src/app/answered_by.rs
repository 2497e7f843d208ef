//! Answering-machine detection came to a result: noted, and where the operator wants no talk with machines, the call ends.

use std::sync::Arc;

use crate::config::MachineDetection;
use crate::domain::call::AnsweredBy;
use crate::domain::event::{Actor, Door};
use crate::domain::{CallEvent, Disposition};

use super::live_calls::LiveCall;
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
        let wanted = self.config.carrier.twilio.machine_detection == MachineDetection::HangUp;
        if wanted && answered_by.is_machine() {
            self.hang_up(call, Actor::new(Door::System, "machine detection"), Disposition::Machine).await;
        }
        Ok(())
    }
}
