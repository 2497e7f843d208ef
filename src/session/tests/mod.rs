//! Tests of the session: scenarios told as text, and random orders of input that must not break what always holds.

mod answers;
mod barge_in;
mod control;
mod conversation;
mod failover;
mod goodbyes;
mod language;
mod orders;
mod reaching_the_agent;
