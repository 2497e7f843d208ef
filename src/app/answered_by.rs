//! Answering-machine detection came to a result: noted, and where the operator wants no talk with machines, the call ends.

use std::sync::Arc;

use crate::config::MachineDetection;
use crate::domain::call::AnsweredBy;
use crate::domain::event::{Actor, Door};
use crate::domain::{CallEvent, Disposition};

use super::App;
use super::live_calls::LiveCall;

impl App {
    /// The first result counts; the carrier sends one at most, but deliveries repeat.
    pub async fn answered_by(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        answered_by: AnsweredBy,
        detection_ms: Option<u32>,
    ) {
        if call.record().answered_by.is_some() {
            return;
        }
        let _ = self.journal.record(call.id, CallEvent::AnsweredBy { answered_by, detection_ms });
        let wanted = self.config.carrier.twilio.machine_detection == MachineDetection::HangUp;
        if wanted && answered_by.is_machine() {
            self.hang_up(call, Actor::new(Door::System, "machine detection"), Disposition::Machine).await;
        }
    }
}
