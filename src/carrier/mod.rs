//! The carrier's REST API, and the one door that can ring a phone.
