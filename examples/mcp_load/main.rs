//! How many agents a machine carries: reads a second over 16 connections, how soon 500 followers of 500 live calls hear of a change,
//! and what a connected idle agent costs. Server and clients share this process, so the figures are the lower end.
//!
//! `cargo run --release --example mcp_load`. Everything stays on loopback; it takes about twenty seconds.
#![expect(clippy::disallowed_methods, reason = "what is measured here is time")]
#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

mod client;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clearline::app::{App, WallClock, create_key};
use clearline::boot::Server;
use clearline::config::{Effective, Layer};
use clearline::domain::access::Role;
use clearline::domain::event::{Actor, Created, Door};
use clearline::domain::{Call, CallEvent, CallId, Direction, Party};
use tokio::task::JoinSet;

use client::Client;

const CONNECTIONS: usize = 16;
const READING: Duration = Duration::from_secs(5);
const FOLLOWERS: u32 = 500;
/// Changes told to each follower, one a second and call: a lively conversation.
const CHANGES: usize = 8;
const IDLE: usize = 500;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = std::env::temp_dir().join(format!("clearline-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let settings = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite://{}/store.sqlite3\"\n[log]\nlevel = \"warn\"",
        folder.display()
    );
    let config = Effective::from_layers(vec![Layer::from_file("settings", &settings)?])?.config;
    let server = Server::start(config, WallClock::real()).await?;
    let app = Arc::clone(&server.app);
    let (_, key) = create_key(&app.store, app.clock, "load", Role::Agent).await?;
    let client = Client::new(server.address, key.expose());

    let calls = open_calls(&app).await?;
    reads(&client, calls[0]).await?;
    follow(&app, &client, &calls).await?;
    idle(&client, calls[0]).await?;

    drop(app);
    server.stop().await;
    std::fs::remove_dir_all(&folder).context("the measurement's own folder")
}

/// Calls as they stand in the registry and the journal while people talk.
async fn open_calls(app: &App) -> anyhow::Result<Vec<CallId>> {
    let mut calls = Vec::new();
    for n in 0..FOLLOWERS {
        let id = CallId::from_uuid(uuid::Uuid::from_u128(u128::from(n) + 1));
        let created = Created {
            direction: Direction::Inbound,
            from: Party::from(format!("+121255501{:02}", n % 100)),
            to: Party::from("+12125550100"),
            agent: "agent_load".parse()?,
            purpose: None,
            lead_id: None,
            dynamic_variables: BTreeMap::new(),
            requested_by: Actor::new(Door::Carrier, "load"),
        };
        app.live.insert(Call::new(id, app.clock.now(), &created));
        app.journal.record(id, CallEvent::Created(created))?;
        calls.push(id);
    }
    app.journal.catch_up().await?;
    Ok(calls)
}

/// Reads a second on two cores, and how long one may take.
const READS_GOAL: u64 = 15_000;
const READ_GOAL: Duration = Duration::from_millis(10);
/// From an event to the notification of it.
const FOLLOW_GOAL: Duration = Duration::from_millis(250);

async fn reads(client: &Client, call: CallId) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    let end = Instant::now() + READING;
    for _ in 0..CONNECTIONS {
        let mut connection = client.connect().await?;
        let request = client.call_tool("get_call_status", &serde_json::json!({ "call_id": call }));
        connections.spawn(async move {
            let mut times = Vec::with_capacity(100_000);
            while Instant::now() < end {
                let began = Instant::now();
                let answer = connection.ask(&request).await?;
                times.push(began.elapsed());
                anyhow::ensure!(answer.contains("\"isError\":false"), "{answer}");
            }
            Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = connections.join_next().await {
        times.extend(done??);
    }
    let rate = times.len() as u64 / READING.as_secs();
    let verdict = if rate >= READS_GOAL { "met" } else { "MISSED" };
    println!(
        "reads: {rate}/s over {CONNECTIONS} connections (goal {READS_GOAL}: {verdict}), {}",
        percentiles(times, READ_GOAL)
    );
    Ok(())
}

async fn follow(app: &Arc<App>, client: &Client, calls: &[CallId]) -> anyhow::Result<()> {
    let mut followers = JoinSet::new();
    let (told, _) = tokio::sync::broadcast::channel::<(CallId, Instant)>(calls.len() * CHANGES);
    for call in calls {
        let (call, mut told) = (*call, told.subscribe());
        let mut stream = client.connect().await?;
        stream.send(&client.listen(&format!("call://{call}"))).await?;
        stream.until("notifications/subscriptions/acknowledged").await?;
        followers.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..CHANGES {
                stream.until("notifications/resources/updated").await?;
                let heard = Instant::now();
                let began = loop {
                    let (of, began) = told.recv().await?;
                    if of == call {
                        break began;
                    }
                };
                times.push(heard.duration_since(began));
            }
            anyhow::Ok(times)
        });
    }
    for _ in 0..CHANGES {
        // Spread over the second, as conversations are.
        for call in calls {
            told.send((*call, Instant::now()))?;
            app.journal.record(*call, CallEvent::CallerSaid { text: "I see.".to_owned() })?;
            tokio::time::sleep(Duration::from_micros(1_500)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let mut times = Vec::new();
    while let Some(done) = followers.join_next().await {
        times.extend(done??);
    }
    println!(
        "{} followers of {} calls: from the event to the notification {}",
        calls.len(),
        calls.len(),
        percentiles(times, FOLLOW_GOAL)
    );
    Ok(())
}

async fn idle(client: &Client, call: CallId) -> anyhow::Result<()> {
    let before = resident_kib()?;
    let mut open = Vec::new();
    for _ in 0..IDLE {
        let mut stream = client.connect().await?;
        stream.send(&client.listen(&format!("call://{call}"))).await?;
        stream.until("notifications/subscriptions/acknowledged").await?;
        open.push(stream);
    }
    let listening = resident_kib()?;
    println!(
        "idle agent that listens: {} KiB, its client's half included (goal 64)",
        (listening - before) / IDLE as u64
    );
    for _ in 0..IDLE {
        let mut session = client.connect().await?;
        session.send(&client.initialize()).await?;
        session.until("protocolVersion").await?;
        open.push(session);
    }
    let in_session = resident_kib()?;
    println!(
        "idle agent in a session: {} KiB, its client's half included (goal 64)",
        (in_session - listening) / IDLE as u64
    );
    drop(open);
    Ok(())
}

/// The percentiles, and whether the goal for 99 in a hundred is met.
fn percentiles(mut times: Vec<Duration>, goal: Duration) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    let verdict = if at(990) < goal { "met" } else { "MISSED" };
    format!("p50 {:.2?}, p99 {:.2?} (goal {goal:?}: {verdict}), worst {:.2?}", at(500), at(990), at(1000))
}

fn resident_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
