//! Tests of the relay: both far ends in memory, time stopped.

mod failover;
mod memory;
mod rig;
mod streams;
