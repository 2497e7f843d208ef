//! The carrier's REST API, and the one door that can ring a phone.
//!
//! [`TwilioClient`] speaks HTTP; what it sends and reads is `protocol::twilio`'s. Everything about calls is in one file, `calls.rs`,
//! where [`TwilioClient::dial`] and the transfer take a `DialOrder` and use it up: there is no other way to reach a number, but for
//! a transfer to a colleague whom the operator's settings name.
//! [`Pacer`] holds dialling to what the account may do.

mod account;
mod calls;
mod client;
mod error;
mod pacer;
#[cfg(test)]
mod test_server;

pub use account::AccountAnswer;
pub use calls::{Callee, NextDocument, transfer_document};
pub use client::{Account, Credentials, Patience, TwilioClient};
pub use error::{CarrierError, ClientError, DialError, Doubt};
pub use pacer::{Pacer, Slot};

pub use crate::protocol::twilio::rest::{
    AccountResource, CallFilter, CallList, CallResource, DialRequest, MachineDetection, MachineDetectionMode,
    RecordingChange, RecordingChannels, RecordingRequest, RecordingResource,
};
