//! `<Number url>`: the document that the other leg of a `<Dial>` runs before the two are connected. If it ends the line, they are not.

use super::Emulation;
use super::calls::Call;
use super::documents::read;
use super::interpreter::{Interpreter, Next, Outcome, Request};
use super::line::{Interrupt, Line};
use super::phone::Phone;
use super::twiml::{Gather, Target, Verb};
use super::webhook::Webhook;
use crate::domain::audio::{FRAME, MULAW_SILENCE};
use crate::emulators::speech::{self, Voice};

/// Ticks a second.
const TICKS_A_SECOND: u32 = 50;

/// The other leg hung up.
struct Gone;

impl Emulation {
    /// Runs the leg's document while the first one waits. True when the two are to be connected.
    pub(super) async fn screen(
        &self,
        line: &mut Line,
        leg: &Call,
        other: &mut Phone,
        target: &Target,
    ) -> Result<bool, Interrupt> {
        let mut request = Request { url: target.url.clone(), get: target.get, params: Vec::new() };
        loop {
            let mut params = self.voice_params(&leg.record());
            params.append(&mut request.params);
            let hook = Webhook { purpose: "voice", url: request.url.clone(), get: request.get, params };
            let answer = line.during(self.webhooks.send(&leg.sid, &hook)).await?;
            let document = match answer.and_then(|answer| read(&answer)) {
                Ok(document) => document,
                Err(error) => {
                    self.warning(&leg.sid, error.code, &error.message);
                    return Ok(false);
                }
            };
            let mut interpreter = Interpreter::new(document, Some(request.url));
            let mut outcome = Outcome::FallThrough;
            request = loop {
                let is_done = interpreter.is_done();
                match interpreter.step(outcome) {
                    Next::Perform(verb) => {
                        outcome = match self.perform_on_leg(line, leg, other, &verb).await? {
                            Ok(outcome) => outcome,
                            Err(Gone) => return Ok(false),
                        };
                    }
                    Next::Fetch(request) => break request,
                    // A document that runs out lets them talk; `<Hangup>` does not.
                    Next::HangUp => return Ok(is_done),
                    Next::Reject { .. } | Next::BadUrl(_) => return Ok(false),
                }
            };
        }
    }

    async fn perform_on_leg(
        &self,
        line: &mut Line,
        leg: &Call,
        other: &mut Phone,
        verb: &Verb,
    ) -> Result<Result<Outcome, Gone>, Interrupt> {
        match verb {
            Verb::Gather(gather) => self.gather_on_leg(line, leg, other, gather).await,
            verb => Ok(self.prompt_leg(line, leg, other, verb).await?.map(|_| Outcome::FallThrough)),
        }
    }

    /// Says something to the other leg. Returns the key that stopped it.
    async fn prompt_leg(
        &self,
        line: &mut Line,
        leg: &Call,
        other: &mut Phone,
        verb: &Verb,
    ) -> Result<Result<Option<char>, Gone>, Interrupt> {
        let audio = match verb {
            Verb::Say { text, .. } => {
                let mut audio = speech::say(text, Voice::Agent);
                audio.truncate(audio.len() * self.say_percent as usize / 100);
                self.log.record("said", Some(&leg.sid), serde_json::json!({"text": text, "bytes": audio.len()}));
                audio
            }
            Verb::Pause(seconds) => vec![MULAW_SILENCE; *seconds as usize * 8_000],
            other => {
                self.warning(
                    &leg.sid,
                    13520,
                    &format!("<{}> cannot be done before the two are connected", other.name()),
                );
                Vec::new()
            }
        };
        for piece in audio.chunks(FRAME) {
            match exchange(line, other, piece).await? {
                Ok(None) => {}
                stopped => return Ok(stopped),
            }
        }
        Ok(Ok(None))
    }

    async fn gather_on_leg(
        &self,
        line: &mut Line,
        leg: &Call,
        other: &mut Phone,
        gather: &Gather,
    ) -> Result<Result<Outcome, Gone>, Interrupt> {
        let mut digits = String::new();
        for prompt in &gather.prompts {
            match self.prompt_leg(line, leg, other, prompt).await? {
                Ok(None) => {}
                Ok(Some(key)) => {
                    digits.push(key);
                    break;
                }
                Err(gone) => return Ok(Err(gone)),
            }
        }
        let wanted = gather.num_digits.unwrap_or(usize::MAX);
        let mut quiet = 0;
        while digits.len() < wanted && quiet < gather.timeout_s * TICKS_A_SECOND {
            quiet += 1;
            match exchange(line, other, &[]).await? {
                Ok(None) => {}
                Ok(Some(key)) if gather.finish_on == Some(key) => break,
                Ok(Some(key)) => {
                    digits.push(key);
                    quiet = 0;
                }
                Err(gone) => return Ok(Err(gone)),
            }
        }
        if digits.is_empty() && !gather.action_on_empty {
            return Ok(Ok(Outcome::FallThrough));
        }
        Ok(Ok(Outcome::Report(vec![("Digits".to_owned(), digits)])))
    }
}

/// 20 ms: the other leg hears this, the first one silence.
async fn exchange(line: &mut Line, other: &mut Phone, audio: &[u8]) -> Result<Result<Option<char>, Gone>, Interrupt> {
    line.next_tick().await?;
    line.exchange(&[])?;
    let mut frame = [MULAW_SILENCE; FRAME];
    frame[..audio.len()].copy_from_slice(audio);
    let said = other.tick(&frame);
    Ok(if said.hung_up { Err(Gone) } else { Ok(said.digit) })
}
