//! Tests of the relay: both far ends in memory, time stopped.

mod memory;
mod rig;
mod streams;
