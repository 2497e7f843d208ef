//! `outbound`: the operators' stop of every outbound call. It works on the store, so that it binds also where a server hangs.

use std::process::ExitCode;

use serde_json::Value;

use crate::app::WallClock;
use crate::config::Config;
use crate::store::{ActionFilter, OperatorAction, OutboundStop, Store};
use crate::surfaces::api::record_views;
use crate::surfaces::cli::OutboundCommand;
use crate::surfaces::cli::out::{Paint, line};

use super::open_store::{OpenStore, operator};

/// How many stops and releases of the past are shown.
const HISTORY: u32 = 20;

pub(super) async fn outbound(config: &Config, command: OutboundCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let open = OpenStore::open(config).await?;
    let done = run(&open.store, command, paint).await;
    open.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn run(store: &Store, command: OutboundCommand, paint: Paint) -> anyhow::Result<()> {
    let now = WallClock::real().now();
    match command {
        OutboundCommand::Stop { reason } => {
            let stop = store.stop_outbound(&reason, &operator(), now).await?;
            line(paint.red(told(&stop)));
            line(
                "Nothing is dialled any more, also not what waits. Running calls go on; end them with `clearline hangup`.",
            );
        }
        OutboundCommand::Release { reason } => match store.release_outbound(&reason, &operator(), now).await? {
            Some(stop) => {
                line(paint.green("outbound calls are let through again, as far as the gate does"));
                line(paint.dim(format!("they had been stopped since {}", stop.since)));
            }
            None => line("outbound calls were not stopped"),
        },
        OutboundCommand::Show { json } => {
            let stop = store.outbound_stop().await?;
            let filter = ActionFilter { action_prefix: Some("outbound_"), ..ActionFilter::default() };
            show(stop.as_ref(), &store.operator_actions(filter, HISTORY).await?, json, paint);
        }
    }
    Ok(())
}

fn show(stop: Option<&OutboundStop>, history: &[OperatorAction], json: bool, paint: Paint) {
    if json {
        let mut value = record_views::outbound(stop);
        value["history"] = history.iter().map(record_views::operator_action).collect::<Value>();
        line(value);
        return;
    }
    match stop {
        Some(stop) => line(paint.red(told(stop))),
        None => line(paint.green("outbound calls are not stopped")),
    }
    for entry in history {
        let reason = entry.detail["reason"].as_str().unwrap_or_default();
        let action = entry.action.trim_start_matches("outbound_");
        line(paint.dim(format!("  {} {action} by {}: {reason}", entry.at, entry.by)));
    }
}

fn told(stop: &OutboundStop) -> String {
    let why = if stop.reason.is_empty() { String::new() } else { format!(": {}", stop.reason) };
    format!("outbound calls are stopped since {} by {}{why}", stop.since, stop.by)
}
