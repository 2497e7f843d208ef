//! Tests of the relay: both far ends in memory, time stopped.

mod rig;
mod streams;
