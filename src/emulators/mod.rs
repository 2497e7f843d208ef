//! A local Twilio and local voice agents: real servers on loopback.
