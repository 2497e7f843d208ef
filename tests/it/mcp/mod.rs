//! Agents at the door: the whole work of a call by tools, and everything that must not get through.

mod client;
mod keys;
mod tools;

use client::Client;

use crate::server::Server;
use crate::vendors::Vendors;

/// A server whose gate lets emergencies through at any hour, a client that may claim them, and the vendors around.
async fn open_house(own: &[(&str, &str)]) -> (Vendors, Server, Client) {
    let vendors = Vendors::start().await;
    let settings: Vec<_> = [("COMPLIANCE__PURPOSES", "telemarketing,emergency")].iter().chain(own).copied().collect();
    let server = Server::start(&vendors, &settings).await;
    let key = server.settings().create_key_with("admin", &["calls:emergency"]).0;
    let client = Client::new(&server.base, &key);
    (vendors, server, client)
}
