//! End a call: an operator, a program, a tool or a watchdog asks; the stream says goodbye, the carrier ends the call.

use std::sync::Arc;

use crate::carrier::NextDocument;
use crate::domain::event::Actor;
use crate::domain::{CallState, Disposition};
use crate::protocol::twilio::twiml::{Goodbye, Voicemail, render};
use crate::session::Command;

use super::App;
use super::live_calls::{LiveCall, Next};

impl App {
    /// Ends the call. Returns at once; the end itself is an event. Ending a call that is over, or ending twice, is fine.
    pub async fn hang_up(self: &Arc<Self>, call: &Arc<LiveCall>, by: Actor, disposition: Disposition) {
        if call.is_over() {
            return;
        }
        if call.next_document() == Next::Reconnect {
            call.plan_next(Next::HangUp);
        }
        if let Some(lane) = call.commands() {
            // The stream writes the request down and asks for the end at the carrier. A lane that is full belongs to a stream
            // that is stuck.
            if lane.try_send(Box::new(Command::HangUp { by: by.clone(), disposition })).is_ok() {
                return;
            }
        }
        self.request_end(call, &by, disposition);
        self.end_from_stream(call).await;
        if call.sid().is_none() && call.record().state == CallState::Queued {
            // Nothing has left yet, and the dialling task sees that the call is over.
            self.finish_call(call, Disposition::Canceled, "ended before it was dialled").await;
        }
    }

    /// A stream asks for the end of its call: with the sentence that was planned, or at once.
    pub(super) async fn end_from_stream(&self, call: &LiveCall) {
        let last_words = match call.next_document() {
            Next::Goodbye(text) => Some(render(&Goodbye { say: self.say_text(&text) })),
            Next::Message(text) => Some(render(&Voicemail { say: self.say_text(&text) })),
            Next::Reconnect | Next::HangUp | Next::Apologise => None,
        };
        if let (Some(document), Some(carrier), Some(sid)) = (last_words, &self.carrier, call.sid()) {
            match carrier.redirect(sid, NextDocument::Inline(&document)).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(call.id = %call.id, %error, "a goodbye could not be spoken"),
            }
        }
        self.end_at_carrier(call).await;
    }

    /// Asks the carrier to end the call. A call that is over there already is as good.
    pub(super) async fn end_at_carrier(&self, call: &LiveCall) {
        let (Some(carrier), Some(sid)) = (&self.carrier, call.sid()) else { return };
        let Err(error) = carrier.hang_up(sid).await else { return };
        tracing::warn!(call.id = %call.id, %error, "the carrier did not end a call when asked");
        self.end_at_vendor(call).await;
    }
}
