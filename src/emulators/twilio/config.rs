//! What the Twilio emulator is told at its start.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::faults::TwilioFaults;
use super::lookups::LookupRecord;
use crate::domain::Secret;
use crate::emulators::Clock;

/// Settings of the Twilio emulator. The defaults run as they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwilioEmulatorConfig {
    /// Port 0 picks a free one.
    pub listen: SocketAddr,
    pub account_sid: String,
    pub auth_token: Secret,
    /// API keys (`SK…`) and their secrets.
    pub api_keys: BTreeMap<String, Secret>,
    /// The account's own numbers. Calls from other numbers are refused (21210) as soon as one is listed.
    pub numbers: BTreeMap<String, NumberConfig>,
    /// Who answers at a number: a phone script or the name of a shipped one.
    pub phones: BTreeMap<String, String>,
    /// Who answers everywhere else.
    pub default_phone: String,
    /// What Lookup knows of a number; of every other one, that it is a mobile that never changed hands.
    pub lookups: BTreeMap<String, LookupRecord>,
    /// `<Say>` lasts so many percent of its natural length.
    pub say_percent: u32,
    /// How long machine detection listens before it knows, in ms.
    pub amd_delay_ms: u64,
    pub faults: TwilioFaults,
    #[serde(skip)]
    pub clock: Clock,
}

/// Where calls to one of the account's numbers go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberConfig {
    pub voice_url: String,
    /// `POST` unless it says `GET`.
    pub voice_method: String,
    pub voice_fallback_url: String,
    /// Told of the end of each call.
    pub status_callback: String,
}

impl Default for TwilioEmulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            account_sid: "AC00000000000000000000000000000000".to_owned(),
            auth_token: Secret::new("emulated-auth-token"),
            api_keys: BTreeMap::new(),
            numbers: BTreeMap::new(),
            phones: BTreeMap::new(),
            default_phone: "echo".to_owned(),
            lookups: BTreeMap::new(),
            say_percent: 100,
            amd_delay_ms: 800,
            faults: TwilioFaults::default(),
            clock: Clock::default(),
        }
    }
}
