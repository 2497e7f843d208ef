//! How soon an open page of the console hears of what happens: 500 live calls, an event a second in each, and some pages that follow
//! them all. Server and pages share this process, so the figures are the lower end.
//!
//! `cargo run --release --example console_load`. Everything stays on loopback; it takes about fifteen seconds. With `--serve` it
//! prints its address and a key and goes on until its input ends, for `tests/browser/page_latency.py` to look at with Chromium.
#![expect(clippy::disallowed_methods, reason = "what is measured here is time")]
#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clearline::app::{App, WallClock, create_key};
use clearline::boot::Server;
use clearline::config::{Effective, Layer};
use clearline::domain::access::Role;
use clearline::domain::event::{Actor, Created, Door};
use clearline::domain::{Call, CallEvent, CallId, CallStatus, Direction, Party};
use futures_util::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

const CALLS: u32 = 500;
const PAGES: usize = 8;
/// Events in each call, one a second.
const ROUNDS: usize = 10;
const SNAPSHOTS: usize = 200;
/// Of the console, for 500 live calls.
const GOAL: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = std::env::temp_dir().join(format!("clearline-console-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let settings = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite://{}/store.sqlite3\"\n[log]\nlevel = \"warn\"",
        folder.display()
    );
    let config = Effective::from_layers(vec![Layer::from_file("settings", &settings)?])?.config;
    let server = Server::start(config, WallClock::real()).await?;
    let app = Arc::clone(&server.app);
    let (_, key) = create_key(&app.store, app.clock, "load", Role::Operator).await?;
    let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
    let ask = |path: &str| http.get(format!("http://{}{path}", server.address)).bearer_auth(key.expose());

    let calls = open_calls(&app).await?;
    if std::env::args().nth(1).as_deref() == Some("--serve") {
        println!("http://{} {}", server.address, key.expose());
        talk_until_input_ends(&app, &calls).await?;
    } else {
        snapshots(ask("/console/data/live")).await?;
        let pages = (0..PAGES).map(|_| ask("/api/v1/events?settled=true&after_seq=0"));
        follow(&app, pages, &calls).await?;
    }

    drop(app);
    server.stop().await;
    std::fs::remove_dir_all(&folder).context("the measurement's own folder")
}

/// Calls as they stand in the registry and the journal while people talk.
async fn open_calls(app: &App) -> anyhow::Result<Vec<CallId>> {
    let mut calls = Vec::new();
    for n in 0..CALLS {
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

/// What the live page asks for first.
async fn snapshots(request: reqwest::RequestBuilder) -> anyhow::Result<()> {
    let mut times = Vec::new();
    let mut weight = 0;
    for _ in 0..SNAPSHOTS {
        let began = Instant::now();
        let answer = request.try_clone().context("a request without a body")?.send().await?.error_for_status()?;
        weight = answer.bytes().await?.len();
        times.push(began.elapsed());
    }
    println!("the live page's state with {CALLS} calls: {} KiB, {}", weight / 1024, percentiles(times, GOAL));
    Ok(())
}

/// Every call is answered, and has an event a second, whose text is the time at which it was recorded, in µs since 1970.
async fn talk_until_input_ends(app: &App, calls: &[CallId]) -> anyhow::Result<()> {
    for call in calls {
        let status = CallStatus::InProgress;
        let answered = CallEvent::CarrierStatus { status, sequence: None, sip_code: None, duration_s: None };
        app.journal.record(*call, answered)?;
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(calls.len())?);
    let talk = async {
        for call in calls.iter().cycle() {
            tick.tick().await;
            let text = app.clock.now().as_microsecond().to_string();
            app.journal.record(*call, CallEvent::CallerSaid { text })?;
        }
        anyhow::Ok(())
    };
    let mut nothing = Vec::new();
    let mut input = tokio::io::stdin();
    tokio::select! {
        talked = talk => talked,
        ended = input.read_to_end(&mut nothing) => ended.map(drop).context("standard input"),
    }
}

async fn follow(
    app: &App,
    pages: impl Iterator<Item = reqwest::RequestBuilder>,
    calls: &[CallId],
) -> anyhow::Result<()> {
    let sent: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let total = calls.len() * ROUNDS;
    let mut open = JoinSet::new();
    for page in pages {
        let answer = page.send().await?.error_for_status()?;
        open.spawn(read_page(answer, Arc::clone(&sent), total));
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(calls.len())?);
    for _ in 0..ROUNDS {
        // Spread over the second, as conversations are.
        for call in calls {
            tick.tick().await;
            let number = {
                let mut sent = sent.lock().expect("no holder panics");
                sent.push(Instant::now());
                sent.len() - 1
            };
            app.journal.record(*call, CallEvent::CallerSaid { text: format!("{number:08}") })?;
        }
    }
    let mut times = Vec::new();
    while let Some(done) = open.join_next().await {
        times.extend(done??);
    }
    anyhow::ensure!(times.len() == total * PAGES, "{} of {} events came", times.len(), total * PAGES);
    println!(
        "{PAGES} pages that follow {CALLS} calls, {} events a second: from the event to the page {}",
        calls.len(),
        percentiles(times, GOAL)
    );
    Ok(())
}

/// Reads a page's stream until every event was there, and says how long each was on its way.
async fn read_page(
    answer: reqwest::Response,
    sent: Arc<Mutex<Vec<Instant>>>,
    total: usize,
) -> anyhow::Result<Vec<Duration>> {
    let mut body = answer.bytes_stream();
    let mut text = String::new();
    let mut times = Vec::with_capacity(total);
    while times.len() < total {
        let piece = body.next().await.context("the stream ended early")??;
        let heard = Instant::now();
        text.push_str(std::str::from_utf8(&piece)?);
        while let Some(end) = text.find("\n\n") {
            let block: String = text.drain(..end + 2).collect();
            let Some((_, rest)) = block.split_once("\"text\":\"") else { continue };
            let number: usize = rest.get(..8).context("a number")?.parse()?;
            times.push(heard.duration_since(sent.lock().expect("no holder panics")[number]));
        }
    }
    Ok(times)
}

/// The percentiles, and whether the goal for 99 in a hundred is met.
fn percentiles(mut times: Vec<Duration>, goal: Duration) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    let verdict = if at(990) < goal { "met" } else { "MISSED" };
    format!("p50 {:.2?}, p99 {:.2?} (goal {goal:?}: {verdict}), worst {:.2?}", at(500), at(990), at(1000))
}
