//! Twilio's wire formats: media stream messages, webhook forms, signatures, REST bodies, TwiML.

pub mod error_body;
pub mod forms;
pub mod lookup;
pub mod media;
pub mod rest;
pub mod signature;
pub mod twiml;
pub mod words;

pub use error_body::{ErrorBody, ErrorMeaning};
pub use words::Reported;
