//! Audio of ours in mid-call: a sentence spoken by text-to-speech, keys as tones. One at a time on a call; the agent waits behind.

use std::sync::Arc;

use crate::domain::Keys;
use crate::domain::event::Actor;
use crate::protocol::tones;
use crate::session::{Command, Play, Sound};

use super::App;
use super::live_calls::LiveCall;
use super::steer_call::{ControlError, checked_text, chunk, let_open, no_lane, send};

/// The longest sentence, in characters: about half a minute of speech.
pub const SENTENCE_MAX: usize = 500;

/// How much is handed to the stream at once, bytes of µ-law: 200 ms.
const PIECE: usize = 1_600;

impl App {
    /// Speaks a sentence to the caller, in the configured voice or the agent's own. Returns the utterance's number when it is handed
    /// over; whether it was heard is an event (`OwnAudioHeard`).
    pub async fn say(self: &Arc<Self>, call: &Arc<LiveCall>, by: Actor, text: &str) -> Result<u32, ControlError> {
        let text = checked_text(text, SENTENCE_MAX)?;
        if call.commands().is_none() {
            return Err(no_lane(call));
        }
        let_open(call)?;
        let (app, call) = (Arc::clone(self), Arc::clone(call));
        // In a task of its own: whoever asked may go away, and half a sentence helps nobody.
        let spoken = self.tracker.spawn(async move { app.speak(&call, by, text).await });
        spoken.await.unwrap_or(Err(ControlError::Stuck))
    }

    /// Sends keys to the other side as tones in the voice band, so that the conversation goes on.
    pub async fn send_keys(&self, call: &LiveCall, by: Actor, keys: &Keys) -> Result<u32, ControlError> {
        let_open(call)?;
        let _turn = call.voice.lock().await;
        let utterance = call.next_utterance();
        begin(call, utterance, by, Sound::Keys(keys.to_string())).await?;
        for piece in tones::keys(keys).chunks(PIECE) {
            hand_over(call, utterance, piece).await?;
        }
        end(call, utterance).await?;
        Ok(utterance)
    }

    async fn speak(&self, call: &LiveCall, by: Actor, text: String) -> Result<u32, ControlError> {
        let settings = &self.config.agents.elevenlabs;
        let (account, voice) = match settings.say_voice.as_str() {
            "" => {
                let agent_id = call.record().agent.id;
                let account = self.agents.of(&agent_id);
                (account, account.voice_of(&agent_id).await?)
            }
            voice => (self.agents.main(), voice.to_owned()),
        };
        let mut speech = account.speak(&voice, &settings.say_model, &text).await?;
        let mut waiting = speech.next().await?;
        let _turn = call.voice.lock().await;
        let utterance = call.next_utterance();
        begin(call, utterance, by, Sound::Speech(text)).await?;
        let mut broken = None;
        while let Some(audio) = waiting.take() {
            for piece in audio.chunks(PIECE) {
                hand_over(call, utterance, piece).await?;
            }
            waiting = speech.next().await.unwrap_or_else(|error| {
                broken = Some(error);
                None
            });
        }
        end(call, utterance).await?;
        broken.map_or(Ok(utterance), |error| Err(error.into()))
    }
}

async fn begin(call: &LiveCall, utterance: u32, by: Actor, sound: Sound) -> Result<(), ControlError> {
    send(call, Command::Play(Play::Begin { utterance, by, sound })).await
}

async fn hand_over(call: &LiveCall, utterance: u32, audio: &[u8]) -> Result<(), ControlError> {
    send(call, Command::Play(Play::Audio { utterance, chunk: chunk(audio) })).await
}

async fn end(call: &LiveCall, utterance: u32) -> Result<(), ControlError> {
    send(call, Command::Play(Play::End { utterance })).await
}
