//! The demo's story at the terminal: three calls, told as they happen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::app::{App, PlaceCall};
use crate::domain::access::{Access, Role};
use crate::domain::event::{Actor, Door, JournalEntry};
use crate::domain::{CallEvent, CallId, Direction, Disposition, E164, Purpose, Secret};
use crate::surfaces::api::views::{self, Numbers};

use super::explain;
use super::out::{Paint, line};
use super::tail::describe;

/// The longest that one of the demo's calls may take.
const CALL_LIMIT: Duration = Duration::from_secs(90);

/// Who takes part.
#[derive(Debug, Clone)]
pub struct Cast {
    pub office: E164,
    pub allowed: E164,
    pub blocked: E164,
    /// Somebody who agreed too, where it is too early to call.
    pub early: E164,
    pub visitor: E164,
    /// The emulated Twilio.
    pub twilio: String,
}

pub fn introduce(shown: Timestamp, of_users_agents: &[String], paint: Paint) {
    line(paint.bold("Clearline demo"));
    line("Everything runs on this machine: an emulated Twilio, emulated ElevenLabs agents, a database in memory.");
    let local = shown
        .in_tz("America/New_York")
        .map_or_else(|_| shown.to_string(), |local| local.strftime("%A %F %R %Z").to_string());
    line(paint.yellow(format!("The demo has a clock of its own, which shows {local}. No rule is loosened for it.")));
    for sentence in of_users_agents {
        line(paint.yellow(sentence));
    }
}

/// What is to be said of the user's own agents: how many can be tried, and why others cannot.
pub fn tell_of_agents(offered: usize, left_out: Vec<String>) -> Vec<String> {
    let told = match offered {
        0 => None,
        1 => Some("An agent of your settings is there too: have it call you on the console's Phone page.".to_owned()),
        more => Some(format!(
            "{more} agents of your settings are there too: have them call you on the console's Phone page."
        )),
    };
    let outside = (offered > 0).then(|| {
        "Such a call leaves this machine, and so do a look at the agent on the Health page and what MCP's tools ask about it; nothing else does."
            .to_owned()
    });
    told.into_iter().chain(outside).chain(left_out).collect()
}

/// Plays the three calls. True when each ended as it should.
pub async fn play(app: &Arc<App>, cast: &Cast, paint: Paint) -> anyhow::Result<bool> {
    line("");
    line(paint.bold("1. An outbound call that the gate allows"));
    let allowed = outbound(app, &cast.allowed, paint).await?;
    line("");
    line(paint.bold("2. An outbound call that the gate blocks"));
    let blocked = outbound(app, &cast.blocked, paint).await?;
    line("");
    line(paint.bold("3. An inbound call"));
    let inbound = inbound(app, cast, paint).await?;
    line("");
    let mut as_they_should = true;
    for (name, got, wanted) in [
        ("outbound, allowed", allowed, Disposition::Completed),
        ("outbound, blocked", blocked, Disposition::Blocked),
        ("inbound", inbound, Disposition::Completed),
    ] {
        let fine = got.disposition == Some(wanted);
        as_they_should &= fine;
        let shown = got.disposition.map_or("still going", Disposition::as_str);
        let mark = if fine { paint.green("✓") } else { paint.red("✗") };
        let latency = got.latency.map_or_else(String::new, |text| format!("   {}", paint.dim(text)));
        line(format!("{mark} {name:18} {shown}{latency}"));
    }
    let head = app.store.verify_ledger().await.context("the ledger does not verify")?;
    line(paint.dim(format!("the decision ledger is unbroken: {} decisions, head {:.12}…", head.count, head.hash)));
    Ok(as_they_should)
}

/// How a call of the demo went.
struct Outcome {
    disposition: Option<Disposition>,
    latency: Option<String>,
}

async fn outbound(app: &Arc<App>, to: &E164, paint: Paint) -> anyhow::Result<Outcome> {
    let mut events = app.journal.listen();
    let request = PlaceCall {
        to: to.clone(),
        agent: None,
        purpose: Access::from(Role::Agent).claim(Purpose::Telemarketing)?,
        lead_id: None,
        dynamic_variables: BTreeMap::from([("street".to_owned(), "Maple Street".into())]),
        on_machine: None,
    };
    let placed = app.place_call(request, Actor::new(Door::Demo, "demo")).await?;
    if !placed.decision.is_allowed() {
        explain::print(&to.masked(), placed.decision_id, &placed.decision, app.gate.tables(), paint);
    }
    follow(&mut events, Some(placed.call_id), paint).await
}

async fn inbound(app: &Arc<App>, cast: &Cast, paint: Paint) -> anyhow::Result<Outcome> {
    let mut events = app.journal.listen();
    let body = json!({"from": cast.visitor.as_str(), "to": cast.office.as_str(), "phone": "visitor"});
    let answer = reqwest::Client::new().post(format!("{}/_emulator/inbound", cast.twilio)).json(&body).send().await?;
    anyhow::ensure!(
        answer.status().is_success(),
        "the emulated Twilio did not start the call: {}",
        answer.text().await?
    );
    follow(&mut events, None, paint).await
}

/// Shows a call to its end. Without an id: the next inbound one.
async fn follow(
    events: &mut Receiver<Arc<JournalEntry>>,
    mut call: Option<CallId>,
    paint: Paint,
) -> anyhow::Result<Outcome> {
    let watch = async {
        let mut latency = None;
        loop {
            let entry = match events.recv().await {
                Ok(entry) => entry,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return Outcome { disposition: None, latency },
            };
            if let (None, CallEvent::Created(created)) = (call, &entry.event)
                && created.direction == Direction::Inbound
            {
                call = Some(entry.call_id);
            }
            if call != Some(entry.call_id) {
                continue;
            }
            if let Some(text) = describe(&views::entry(&entry, Numbers::Masked), paint) {
                line(format!("   {text}"));
            }
            match &entry.event {
                CallEvent::StreamEnded { counters, .. } => latency = Some(views::latency_text(counters)),
                CallEvent::Ended { disposition, .. } => {
                    return Outcome { disposition: Some(*disposition), latency };
                }
                _ => {}
            }
        }
    };
    Ok(tokio::time::timeout(CALL_LIMIT, watch).await.unwrap_or(Outcome { disposition: None, latency: None }))
}

/// What one may do now.
pub fn invite(server: SocketAddr, cast: &Cast, key: &Secret, paint: Paint) {
    line("");
    line(format!("The server stays up at {}", paint.bold(format!("http://{server}"))));
    line("Try, in another terminal:");
    line(format!("  export CLEARLINE_API_KEY={}", key.expose()));
    for example in [
        format!("clearline calls --server http://{server}"),
        format!("clearline call {} --server http://{server}", cast.allowed.as_str()),
        format!("clearline call {} --server http://{server}   # where it is 05:00", cast.early.as_str()),
        format!("clearline tail --server http://{server}"),
        format!("curl -H \"Authorization: Bearer $CLEARLINE_API_KEY\" http://{server}/api/v1/calls"),
        format!(
            "curl -X POST {}/_emulator/inbound -d '{{\"from\":\"+12125550187\",\"to\":\"+12125550100\",\"phone\":\"visitor\"}}'",
            cast.twilio
        ),
    ] {
        line(paint.cyan(format!("  {example}")));
    }
}

/// A link that signs one browser in.
pub fn show_console(link: &str, paint: Paint) {
    line("");
    line(format!("Watch it in the console: {}", paint.bold(link)));
    line(paint.dim("The link signs one browser in, once, within 15 minutes. Ctrl-C ends the demo."));
}
