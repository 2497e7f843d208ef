//! Random orders of input.
