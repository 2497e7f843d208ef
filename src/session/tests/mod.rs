//! Tests of the session: scenarios told as text, and random orders of input that must not break what always holds.

mod language;
mod orders;
mod scenarios;
