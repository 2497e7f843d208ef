//! `<Gather>` and `<Record>`: listening to the phone for keys, or for a message.

use super::calls::Source;
use super::interpreter::{Interpreter, Outcome};
use super::line::{Interrupt, Line};
use super::recording::Wish;
use super::twiml::{Gather, Record};
use super::{Emulation, locked};
use crate::emulators::vad::VoiceActivity;

/// Ticks a second.
const TICKS_A_SECOND: u32 = 50;

impl Emulation {
    /// Prompts, then collects keys until enough, the finishing key, or a pause.
    pub(super) async fn gather(&self, line: &mut Line, gather: &Gather) -> Result<Outcome, Interrupt> {
        let mut digits = String::new();
        let mut pressed = None;
        for prompt in &gather.prompts {
            pressed = self.prompt(line, prompt, true).await?;
            if pressed.is_some() {
                break;
            }
        }
        let mut quiet_ticks = 0;
        loop {
            if let Some(key) = pressed.take() {
                if gather.finish_on == Some(key) {
                    break;
                }
                digits.push(key);
                quiet_ticks = 0;
            }
            if gather.num_digits.is_some_and(|wanted| digits.len() >= wanted)
                || quiet_ticks >= gather.timeout_s * TICKS_A_SECOND
            {
                break;
            }
            line.next_tick().await?;
            pressed = line.exchange(&[])?.digit;
            quiet_ticks += 1;
        }
        if digits.is_empty() && !gather.action_on_empty {
            return Ok(Outcome::FallThrough);
        }
        let finished_on = gather.finish_on.map(String::from).unwrap_or_default();
        Ok(Outcome::Report(vec![("Digits".to_owned(), digits), ("FinishedOnKey".to_owned(), finished_on)]))
    }

    /// Records until a key, a pause or the limit.
    pub(super) async fn record(
        &self,
        line: &mut Line,
        record: &Record,
        interpreter: &Interpreter,
    ) -> Result<Outcome, Interrupt> {
        let callback =
            record.callback.as_ref().and_then(|target| Some((interpreter.resolve(&target.url)?, target.get)));
        let wish = Wish {
            dual: false,
            track: "inbound".to_owned(),
            source: "RecordVerb",
            callback,
            events: vec!["completed".to_owned()],
        };
        let recording = self.start_recording(&line.call, wish);
        let mut voice = VoiceActivity::new(record.timeout_s.max(1) * 1_000);
        let mut key = None;
        let mut waited = 0;
        for _ in 0..record.max_length_s.saturating_mul(TICKS_A_SECOND) {
            line.next_tick().await?;
            let said = line.exchange(&[])?;
            let ended = !voice.hear(&said.frame).is_empty() && !voice.is_speaking();
            waited = if voice.is_speaking() { 0 } else { waited + 1 };
            key = said.digit.filter(|digit| record.finish_on.contains(*digit));
            if ended || key.is_some() || waited >= record.timeout_s.max(1) * TICKS_A_SECOND {
                break;
            }
        }
        let recording = self.stop_recording(&line.call, &recording.sid, "completed").unwrap_or(recording);
        let mut params = self.recording_params(&line.call, &recording);
        params.retain(|(name, _)| matches!(name.as_str(), "RecordingUrl" | "RecordingDuration" | "RecordingSid"));
        params.push(("Digits".to_owned(), key.map_or_else(|| "hangup".to_owned(), String::from)));
        Ok(Outcome::Report(params))
    }

    /// Sends a running call elsewhere. False when it is not running any more.
    pub(super) async fn redirect(&self, call_sid: &str, source: Source) -> bool {
        let Some(call) = self.calls.find(call_sid) else { return false };
        let running = locked(&call.record).status == super::calls::Status::InProgress;
        running && call.commands.send(super::calls::Command::Redirect(source)).await.is_ok()
    }
}
