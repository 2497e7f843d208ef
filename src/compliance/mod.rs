//! The gate: facts in, a `Decision` out, and the only road from a decision to a dialled number.

pub mod clearance;
