//! Clearline: a self-hosted orchestrator for AI phone calls. `ARCHITECTURE.md` is the map; a room may only name rooms of a
//! smaller number (`tests/tidy.rs` holds it to that).

// 0. The nouns.
pub mod domain;

// 1. Pure rooms: no async, no clock, no environment, no I/O.
pub mod compliance;
pub mod config;
pub mod protocol;
pub mod session;
pub mod telemetry;

// 1. What all sockets of calls are made of. Not pure: it reads and writes.
pub mod websocket;

// 2. Adapters: each talks to one thing outside; they do not name each other.
pub mod agents;
pub mod carrier;
pub mod emulators;
pub mod issuer;
pub mod lists;
pub mod scrub;
pub mod store;
pub mod tools;

// 3. The data plane, the hot path.
pub mod relay;

// 4. The control plane: one use case a file.
pub mod app;

// 5. The doors.
pub mod surfaces;

// The composition root, and what measures the product from outside.
mod bench;
pub mod boot;
