//! The product as its users meet it: the real binary as a child process, emulated vendors around it, everything on loopback.

#![expect(clippy::unwrap_used, reason = "in a test the panic is the report")]

mod agent_events;
mod api;
mod attached;
mod audio;
mod books;
mod bots;
mod carrier;
mod console;
mod control;
mod demo;
mod dnc_lists;
mod doctor;
mod doors;
mod evidence;
mod failover;
mod faults;
mod gate;
mod keys;
mod kill;
mod lists;
mod mcp;
mod media;
mod outbound_stop;
#[cfg(target_os = "linux")]
mod priority;
mod proxy;
mod records;
mod restart;
mod retell;
mod retell_faults;
mod retell_llm;
mod rules;
mod scrub;
mod server;
mod shutdown;
mod tls;
mod transfer;
mod vendors;
mod voicemail;
mod webhooks;

use std::time::Duration;

/// The longest that a test waits for anything. Far beyond what it takes: a busy machine must not fail a test.
const PATIENCE: Duration = Duration::from_mins(1);

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const AUTH_TOKEN: &str = "auth-token-of-the-tests";

/// Our number.
const OFFICE: &str = "+12125550100";
/// Somebody who calls it.
const VISITOR: &str = "+12125550187";
/// Somebody whom we call.
const SELLER: &str = "+12125550113";

/// What the caller hears when no agent can be reached.
const APOLOGY: &str = "We are sorry. We cannot take your call right now. Please try again later. Goodbye.";

/// Waits for something, at most for `PATIENCE`.
async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
