//! Asks a vendor about single numbers: was it reassigned since the person agreed (47 CFR 64.1200(m)), and what kind of line is it?
//!
//! An answer has three states: yes, no, no data. Everything else (an error, a time-out, a word that is not documented) is a
//! [`ScrubError`], which is no answer, and the gate denies what it needs and does not know. Nothing is sent but the number and a
//! date. Answers are not kept here: the store keeps them, with their age.
//!
//! One vendor's shape is built, Twilio Lookup. Another one is a variant of [`Vendor`] with its own request and its own reading
//! beside `twilio_lookup`; time limit, breaker, log and errors are the same for all.

mod breaker;
mod client;
mod error;
mod twilio_lookup;

pub use client::{Account, Credentials, ScrubAnswer, ScrubClient, Vendor};
pub use error::{ScrubError, ScrubSetupError};
