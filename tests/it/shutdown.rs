//! SIGTERM: running calls finish, new ones hear a sentence of regret, the process exits with 0.

use super::APOLOGY;
use super::server::Server;
use super::vendors::Vendors;

#[tokio::test]
async fn a_draining_server_lets_the_running_call_finish_and_turns_new_ones_away() {
    let vendors = Vendors::start().await;
    let mut server = Server::start(&vendors, &[]).await;
    assert_eq!(server.api.get("/ready").await.status, 200);
    let running = vendors.ring("silent").await;
    vendors.agent_answered().await;
    let call = server.api.call_of(&running).await;

    server.terminate();
    server.logged("draining").await;
    assert_eq!(server.api.get("/ready").await.status, 503);
    assert_eq!(server.api.get("/health").await.status, 200, "it is alive until it exits");
    let late = vendors.ring("silent").await;
    vendors.said(&late, APOLOGY).await;
    vendors.call_ended(&late).await;
    assert_eq!(vendors.conversations(), 1, "no agent was asked for the late call");
    assert_eq!(server.api.get(&format!("/api/v1/calls/{call}")).await.body["state"], "in_progress");

    vendors.end_at_carrier(&running).await;
    assert_eq!(server.exited().await.code(), Some(0));
    server.start_again().await;
    assert_eq!(server.api.ended(&call).await["disposition"], "completed");
}

#[tokio::test]
async fn at_the_drain_limit_the_running_call_is_hung_up() {
    let vendors = Vendors::start().await;
    let mut server = Server::start(&vendors, &[("SERVER__DRAIN_LIMIT_S", "1")]).await;
    let running = vendors.ring("silent").await;
    vendors.agent_answered().await;
    let call = server.api.call_of(&running).await;

    server.terminate();
    let asked = |entry: &clearline::emulators::Entry| entry.is("call_updated", &running);
    vendors.twilio_saw("the request to end the call", asked).await;
    vendors.call_ended(&running).await;
    assert_eq!(server.exited().await.code(), Some(0));
    server.start_again().await;
    assert_eq!(server.api.ended(&call).await["disposition"], "failed");
    assert_eq!(server.api.live().await, 0);
}
