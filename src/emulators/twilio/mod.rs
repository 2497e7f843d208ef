//! A local Twilio: the Calls REST resource, signed webhooks, a TwiML interpreter, media streams with a playback clock, and phones
//! that follow a script. Production clients reach it through their base URL; `/_emulator/…` is its own.

mod callbacks;
mod calls;
mod config;
mod control;
mod dial;
mod documents;
mod execute;
mod faults;
mod form;
mod gather;
mod hand;
mod interpreter;
mod life;
mod line;
mod lookups;
mod phone;
mod phone_script;
mod playback;
mod recording;
mod resource;
mod rest;
mod rest_recordings;
mod rest_update;
mod screen;
mod stream;
mod stream_connect;
mod twiml;
mod webhook;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use config::{NumberConfig, TwilioEmulatorConfig};
pub use faults::{Detected, TwilioFaults};
pub use hand::Hand;
pub use lookups::{LookupFault, LookupRecord};
pub use phone_script::{PhoneScript, PhoneScriptError};

pub(super) use phone_script::parse_duration;

use self::calls::Calls;
use self::webhook::Webhooks;
use super::clock::Clock;
use super::log::EventLog;
use super::server::{self, EmulatorError, Running};
use crate::domain::Secret;

/// The Twilio emulator.
#[derive(Debug)]
pub struct TwilioEmulator;

impl TwilioEmulator {
    /// Listens and serves until `shutdown`. Every task it starts is on `tracker`.
    pub async fn start(
        config: TwilioEmulatorConfig,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Running, EmulatorError> {
        let phones = config
            .phones
            .iter()
            .map(|(number, script)| Ok((number.clone(), PhoneScript::parse(script)?)))
            .collect::<Result<_, PhoneScriptError>>()?;
        let default_phone = PhoneScript::parse(&config.default_phone)?;
        let client = server::http_client("TwilioProxy/1.1")?;
        let (listener, addr) = server::bind(config.listen).await?;
        let log = EventLog::new(config.clock.clone());
        let faults = Arc::new(Mutex::new(config.faults));
        let webhooks =
            Webhooks { client, auth_token: config.auth_token.clone(), log: log.clone(), faults: Arc::clone(&faults) };
        let emulation = Arc::new(Emulation {
            base_url: format!("http://{addr}"),
            account_sid: config.account_sid,
            auth_token: config.auth_token,
            api_keys: config.api_keys,
            numbers: Mutex::new(config.numbers),
            phones: Mutex::new(phones),
            lookups: Mutex::new(config.lookups),
            default_phone,
            hands: Mutex::default(),
            say_percent: config.say_percent.clamp(1, 100),
            amd_delay: Duration::from_millis(config.amd_delay_ms),
            calls: Calls::default(),
            faults,
            webhooks,
            log: log.clone(),
            clock: config.clock,
            tracker: tracker.clone(),
            shutdown: shutdown.clone(),
        });
        Ok(server::serve(listener, rest::router(emulation), (addr, log), tracker, shutdown))
    }
}

/// Everything the parts of one emulator share.
#[derive(Debug)]
struct Emulation {
    base_url: String,
    account_sid: String,
    auth_token: Secret,
    api_keys: BTreeMap<String, Secret>,
    numbers: Mutex<BTreeMap<String, NumberConfig>>,
    phones: Mutex<BTreeMap<String, PhoneScript>>,
    lookups: Mutex<BTreeMap<String, LookupRecord>>,
    default_phone: PhoneScript,
    /// Phones that somebody holds at the moment: they ring there.
    hands: Mutex<BTreeMap<String, Hand>>,
    say_percent: u32,
    amd_delay: Duration,
    calls: Calls,
    faults: Arc<Mutex<TwilioFaults>>,
    webhooks: Webhooks,
    log: EventLog,
    clock: Clock,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Emulation {
    /// Who is at this number.
    fn phone_at(&self, number: &str) -> PhoneScript {
        if let Some(hand) = locked(&self.hands).get(number) {
            return PhoneScript::held_by(hand.clone());
        }
        locked(&self.phones).get(number).unwrap_or(&self.default_phone).clone()
    }

    /// What Twilio would put into the account's debugger, by its code.
    fn warning(&self, call_sid: &str, code: u16, message: &str) {
        self.log.record("warning", Some(call_sid), json!({"code": code, "message": message}));
    }
}

/// A mutex whose holders do not panic with half-done work: what a panicked one left is as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An id in Twilio's form: two letters and 32 hexadecimal digits.
fn new_sid(prefix: &str) -> String {
    format!("{prefix}{}", Uuid::new_v4().simple())
}

/// `Tue, 14 Nov 2023 22:13:20 +0000`, the form of every date of the 2010 API.
fn rfc2822(at: Timestamp) -> String {
    jiff::fmt::rfc2822::to_string(&at.to_zoned(TimeZone::UTC)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_as_at_twilio() {
        assert_eq!(rfc2822(Timestamp::from_second(1_700_000_000).unwrap()), "Tue, 14 Nov 2023 22:13:20 +0000");
    }

    #[test]
    fn sids_have_34_characters() {
        assert_eq!(new_sid("CA").len(), 34);
    }
}
