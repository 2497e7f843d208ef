//! SIGTERM: running calls finish, new ones hear a sentence of regret, the process exits with 0.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::server::{Server, Settings};
use super::vendors::Vendors;
use super::{APOLOGY, soon};

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

#[tokio::test]
async fn a_server_goes_on_when_nobody_reads_what_it_prints() {
    let vendors = Vendors::start().await;
    let mut command = Settings::new(&vendors, &[]).command();
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    // Logged after everything that it prints.
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let went_on = tokio::task::spawn_blocking(move || log.any(|line| line.contains("server.public_url is not set")));
    let went_on = soon("the server's log", went_on).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(went_on, "the server stopped when its standard output was closed");
}
