//! Record an opt-out: the number goes on the internal list and every permission for it ends, in one transaction, before the next
//! dial. If the call that it came from is still on, the called party is told so and the call ends, `opted_out`.

use std::sync::Arc;

use crate::domain::consent::OptOutChannel;
use crate::domain::event::Actor;
use crate::domain::{Call, CallEvent, CallId, Direction, Disposition, E164, Language};
use crate::store::{OptOut, StoreError};

use super::App;
use super::live_calls::{LiveCall, Next};

/// What the called party hears before the line closes.
const fn confirmation(language: Language) -> &'static str {
    match language {
        Language::English => "You have been taken off our list. We will not call you again. Goodbye.",
        Language::Spanish => "Le hemos quitado de nuestra lista. No volveremos a llamarle. Adiós.",
    }
}

impl App {
    pub async fn record_opt_out(
        &self,
        number: &E164,
        channel: OptOutChannel,
        words: &str,
        call_id: Option<CallId>,
        by: &Actor,
    ) -> Result<(), StoreError> {
        let opt_out = OptOut { number: number.clone(), channel, words: words.to_owned(), call_id };
        self.store.record_opt_outs(vec![opt_out], by, self.clock.now()).await?;
        tracing::info!(%number, ?channel, "opted out");
        Ok(())
    }

    /// An opt-out within a call: recorded for the other party's number, confirmed to them, and the call ended.
    pub async fn opt_out_in_call(
        self: &Arc<Self>,
        call: &Arc<LiveCall>,
        channel: OptOutChannel,
        words: &str,
        by: Actor,
    ) -> Result<(), StoreError> {
        if matches!(call.next_document(), Next::Goodbye(_)) {
            // Said twice, or heard by agent and listener both: the goodbye is on its way.
            return Ok(());
        }
        self.record_opt_out_of(&call.record(), channel, words, &by).await?;
        let _ = self.journal.record(call.id, CallEvent::OptedOut { channel, words: words.to_owned() });
        call.plan_next(Next::Goodbye(confirmation(self.config.seller.language).to_owned()));
        // The stream closes its books, and the carrier is then given the sentence to say.
        self.hang_up(call, by, Disposition::OptedOut).await;
        Ok(())
    }

    /// Lists the other party of a call, live or over. One without a number cannot be called, so there is nothing to list.
    pub(super) async fn record_opt_out_of(
        &self,
        record: &Call,
        channel: OptOutChannel,
        words: &str,
        by: &Actor,
    ) -> Result<(), StoreError> {
        let party = if record.direction == Direction::Outbound { &record.to } else { &record.from };
        match party.number() {
            Some(number) => self.record_opt_out(number, channel, words, Some(record.id), by).await,
            None => Ok(()),
        }
    }
}
