//! Performing single verbs on a line.

use std::time::Duration;

use serde_json::json;

use super::Emulation;
use super::interpreter::{Interpreter, Outcome};
use super::line::{Interrupt, Line};
use super::recording::Wish;
use super::twiml::{RecordingWish, Verb};
use crate::emulators::speech::{self, Voice};

impl Emulation {
    /// Performs a verb. Control verbs never come here; the interpreter keeps them.
    pub(super) async fn perform(
        &self,
        line: &mut Line,
        verb: &Verb,
        interpreter: &Interpreter,
    ) -> Result<Outcome, Interrupt> {
        match verb {
            // A pause does not answer: as the first verb it keeps an inbound call ringing.
            Verb::Pause(seconds) => {
                line.during(tokio::time::sleep(Duration::from_secs((*seconds).into()))).await?;
                return Ok(Outcome::FallThrough);
            }
            Verb::StartRecording(wish) => {
                self.start_recording_from_twiml(line, wish, interpreter);
                return Ok(Outcome::FallThrough);
            }
            _ => line.answer(self),
        }
        match verb {
            Verb::Say { .. } | Verb::Play { .. } => {
                self.prompt(line, verb, false).await?;
                Ok(Outcome::FallThrough)
            }
            Verb::Connect { stream, .. } => {
                self.run_stream(line, stream, interpreter).await?;
                Ok(Outcome::Report(Vec::new()))
            }
            Verb::Dial(dial) => self.dial(line, dial, interpreter).await,
            Verb::Gather(gather) => self.gather(line, gather).await,
            Verb::Record(record) => self.record(line, record, interpreter).await,
            Verb::Pause(_) | Verb::StartRecording(_) | Verb::Hangup | Verb::Reject { .. } | Verb::Redirect(_) => {
                Ok(Outcome::FallThrough)
            }
        }
    }

    /// Says or plays something. Returns the key that stopped it, if keys may.
    pub(super) async fn prompt(
        &self,
        line: &mut Line,
        verb: &Verb,
        stop_at_key: bool,
    ) -> Result<Option<char>, Interrupt> {
        match verb {
            Verb::Say { text, times } => {
                let mut audio = speech::say(text, Voice::Agent);
                audio.truncate(audio.len() * self.say_percent as usize / 100);
                self.log.record("said", Some(&line.call.sid), json!({"text": text, "bytes": audio.len()}));
                for _ in 0..*times {
                    if let Some(key) = line.play(&audio, stop_at_key).await? {
                        return Ok(Some(key));
                    }
                }
                Ok(None)
            }
            Verb::Play { url, digits } => {
                self.log.record("not_played", Some(&line.call.sid), json!({"url": url, "digits": digits}));
                Ok(None)
            }
            Verb::Pause(seconds) => {
                let silence = vec![crate::domain::audio::MULAW_SILENCE; *seconds as usize * 8_000];
                line.play(&silence, stop_at_key).await
            }
            _ => Ok(None),
        }
    }

    fn start_recording_from_twiml(&self, line: &Line, wish: &RecordingWish, interpreter: &Interpreter) {
        // This callback alone must be absolute, wherever the document came from.
        let callback = wish.callback.as_ref().and_then(|target| {
            let absolute = super::interpreter::resolve(None, &target.url);
            if absolute.is_none() {
                let url = interpreter.resolve(&target.url).unwrap_or_default();
                self.warning(&line.call.sid, 11200, &format!("recordingStatusCallback must be absolute, say {url}"));
            }
            absolute.map(|url| (url, target.get))
        });
        let wish = Wish {
            dual: wish.dual,
            track: wish.track.clone(),
            source: "StartCallRecordingTwiML",
            callback,
            events: wish.callback_events.clone(),
        };
        self.start_recording(&line.call, wish);
    }
}
