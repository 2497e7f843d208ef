//! Pure codecs: what the carrier and the agents put on the wire, to and from the house's own words.

pub mod agent;
mod json_scan;
pub mod transcode;
pub mod twilio;
