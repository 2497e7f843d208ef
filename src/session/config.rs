//! The limits of a media stream, with their defaults and why they are what they are.

use std::time::Duration;

/// Limits that hold for every stream. What belongs to one call is in [`super::Terms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionConfig {
    /// From the socket's opening to an accepted `start`. A socket that says nothing costs us a task.
    pub start_deadline: Duration,
    /// From admission (or from a lost agent) to the agent's first message, over all attempts. The caller hears nothing in this time.
    pub agent_ready_limit: Duration,
    /// Caller audio kept for the agent until it is ready; the oldest goes first. Also the most that a slow agent is owed.
    pub caller_buffer: Duration,
    /// Without audio from the carrier for so long, the socket is dead: Twilio sends silence too, every 20 ms.
    pub carrier_silence: Duration,
    /// Without any message from the agent for so long, pings included, it is dead.
    pub agent_idle: Duration,
    /// Agent audio between two marks. Between marks we guess by the clock what was heard.
    pub mark_spacing: Duration,
    /// A pause in the agent's audio after which the turn gets its last mark. Agents need not say that a turn is complete.
    pub trailing_mark: Duration,
    /// After the agent's end: what the last mark may take beyond the audio that is still to be played, network and carrier included.
    pub drain_slack: Duration,
    /// After the agent's end: the most that its last words may take.
    pub drain_limit: Duration,
    /// With everything played and the agent's socket still open: how long it may take to add a word before we hang up.
    pub goodbye_pause: Duration,
    /// After a key, how long the next one may take to belong to it. `#` ends the keys at once. Agents of `ElevenLabs` wait as long.
    pub key_pause: Duration,
    /// How long the next piece of an utterance of ours may take. Then the utterance is over as it is.
    pub utterance_gap: Duration,
    /// Agent audio that waits for an utterance of ours to end. More is lost, counted.
    pub agent_wait: Duration,
    /// How far an operator's voice may run ahead of what the caller hears. More is dropped, so that the two can talk.
    pub operator_lead: Duration,
    /// From the hang-up request to the carrier's `stop`. Then we close the socket ourselves.
    pub hang_up_limit: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            start_deadline: Duration::from_secs(5),
            agent_ready_limit: Duration::from_secs(10),
            caller_buffer: Duration::from_secs(3),
            carrier_silence: Duration::from_secs(15),
            agent_idle: Duration::from_secs(30),
            mark_spacing: Duration::from_millis(500),
            trailing_mark: Duration::from_millis(100),
            drain_slack: Duration::from_secs(2),
            drain_limit: Duration::from_secs(15),
            goodbye_pause: Duration::from_secs(1),
            key_pause: Duration::from_secs(2),
            utterance_gap: Duration::from_secs(5),
            agent_wait: Duration::from_secs(30),
            operator_lead: Duration::from_millis(400),
            hang_up_limit: Duration::from_secs(5),
        }
    }
}
