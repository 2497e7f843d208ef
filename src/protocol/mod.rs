//! Pure codecs: what the carrier and the agents put on the wire, to and from the house's own words.

pub mod agent;
pub mod g711;
mod plain_json;
pub mod tones;
pub mod transcode;
pub mod twilio;
