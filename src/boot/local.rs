//! Commands that open the store or the tables directly, without a server: administration, what-if, emulators.

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{GateQuestion, WallClock, create_key};
use crate::config::Config;
use crate::domain::access::{Access, Role};
use crate::domain::decision::Voice;
use crate::domain::{Purpose, Secret};
use crate::emulators::elevenlabs::{ElevenLabsEmulator, ElevenLabsEmulatorConfig};
use crate::emulators::twilio::{NumberConfig, TwilioEmulator, TwilioEmulatorConfig};
use crate::emulators::{BotEmulator, ChatEmulator, RetellEmulator, RetellEmulatorConfig};
use crate::store::Intent;
use crate::surfaces::cli::calls::EXIT_DENIED;
use crate::surfaces::cli::out::{Paint, line, notice};
use crate::surfaces::cli::{CheckArgs, EmulateCommand, KeysCommand, PurposeArg, RoleArg, VoiceArg, When, explain};

use super::open_store::{OpenStore, operator};
use super::world;

/// Asks the gate with what the store knows. The answer is recorded as an inquiry.
pub(super) async fn check(config: &Config, args: &CheckArgs, paint: Paint) -> anyhow::Result<ExitCode> {
    let gate = world::open_gate(config)?;
    let asked = args.number.as_deref().context("name a number")?;
    let open = OpenStore::open(config).await?;
    let question = GateQuestion {
        voice: match args.voice {
            VoiceArg::Ai => Voice::Ai,
            VoiceArg::Human => Voice::Human,
        },
        line_type: Some(args.line_type.into()),
        lead_id: args.lead.as_deref().map(str::parse).transpose().context("--lead takes a lead's id")?,
        at: match args.at {
            None => None,
            Some(When::Instant(at)) => Some(at),
            Some(When::Date(date)) => {
                anyhow::bail!("--at {date}: say at which time of that day, like {date}T14:00:00Z")
            }
        },
        ..GateQuestion::about(asked, purpose(args.purpose), operator())
    };
    let decided = gate.decide(&open.store, &question, Intent::Inquiry, WallClock::real().now()).await?;
    open.close().await;
    if args.json {
        line(explain::as_json(decided.decision_id, &decided.decision));
    } else {
        explain::print(asked, decided.decision_id, &decided.decision, gate.tables(), paint);
    }
    Ok(if decided.decision.is_allowed() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DENIED) })
}

fn purpose(purpose: PurposeArg) -> Purpose {
    match purpose {
        PurposeArg::Telemarketing => Purpose::Telemarketing,
        PurposeArg::Informational => Purpose::Informational,
        PurposeArg::Healthcare => Purpose::Healthcare,
        PurposeArg::Emergency => Purpose::Emergency,
    }
}

/// Facts in, decisions out, a line each. Lines that are not valid give an error line; the exit code is 1 at the end.
pub(super) fn check_jsonl(config: &Config) -> anyhow::Result<ExitCode> {
    let gate = world::open_gate(config)?;
    let mut what_if = crate::compliance::what_if::WhatIf::new(gate.tables(), gate.profile());
    let mut stdout = std::io::stdout().lock();
    let mut all_valid = true;
    for text in std::io::stdin().lock().lines() {
        let text = text.context("standard input cannot be read")?;
        if text.trim().is_empty() {
            continue;
        }
        match what_if.decide_line(&text) {
            Ok(answer) => writeln!(stdout, "{answer}")?,
            Err(error) => {
                all_valid = false;
                writeln!(stdout, "{}", error.to_json())?;
            }
        }
    }
    Ok(if all_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) async fn keys(config: &Config, command: KeysCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let open = OpenStore::open(config).await?;
    match command {
        KeysCommand::Create { name, role, granted } => {
            let access = Access { role: parse_role(role), granted };
            let (id, text) = create_key(&open.store, WallClock::real(), &name, access).await?;
            line(text.expose());
            line(paint.dim(format!("{id}; this text is shown once, keep it safe")));
        }
        KeysCommand::List => {
            for key in open.store.list_keys().await? {
                let state = key.revoked_at.map_or_else(String::new, |at| format!("revoked {at}"));
                let access = [&[key.role], key.scopes.as_slice()].concat().join("+");
                let used = key.last_used_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
                line(format!(
                    "{}  {access:10} {:20} made {}  last used {used}  {state}",
                    key.id, key.name, key.created_at
                ));
            }
        }
        KeysCommand::Revoke { id } => {
            let id = id.parse().context("a key's id is like key_…")?;
            let revoked = open.store.revoke_key(id, WallClock::real().now()).await?;
            line(if revoked { "revoked" } else { "there is no such valid key" });
        }
    }
    open.close().await;
    Ok(ExitCode::SUCCESS)
}

fn parse_role(role: RoleArg) -> Role {
    match role {
        RoleArg::Viewer => Role::Viewer,
        RoleArg::Operator => Role::Operator,
        RoleArg::Agent => Role::Agent,
        RoleArg::Admin => Role::Admin,
    }
}

/// Runs an emulator until Ctrl-C.
pub(super) async fn emulate(command: EmulateCommand) -> anyhow::Result<ExitCode> {
    let tracker = TaskTracker::new();
    let shutdown = CancellationToken::new();
    let running = match command {
        EmulateCommand::Twilio(args) => {
            let number = NumberConfig { voice_url: args.voice_url, ..NumberConfig::default() };
            let config = TwilioEmulatorConfig {
                listen: args.listen,
                account_sid: args.account_sid,
                auth_token: Secret::new(args.auth_token),
                numbers: [(args.number, number)].into(),
                ..TwilioEmulatorConfig::default()
            };
            TwilioEmulator::start(config, &tracker, shutdown.clone()).await?
        }
        EmulateCommand::ElevenLabs(args) => {
            let config = ElevenLabsEmulatorConfig {
                listen: args.listen,
                api_key: Secret::new(args.auth_token),
                ..ElevenLabsEmulatorConfig::default()
            };
            ElevenLabsEmulator::start(config, &tracker, shutdown.clone()).await?
        }
        EmulateCommand::Retell(args) => {
            let config = RetellEmulatorConfig {
                listen: args.listen,
                api_key: Secret::new(args.auth_token),
                webhook_url: Some(args.webhook_url),
                ..RetellEmulatorConfig::default()
            };
            RetellEmulator::start(config, &tracker, shutdown.clone()).await?
        }
        EmulateCommand::Chat(args) => {
            ChatEmulator::start(args.listen, Secret::new(args.auth_token), &tracker, shutdown.clone()).await?
        }
        EmulateCommand::Bot(args) => BotEmulator::start(args.listen, &tracker, shutdown.clone()).await?,
    };
    notice(format!("listening on {}", running.base_url()));
    super::serve::wait_for_signal().await?;
    shutdown.cancel();
    tracker.close();
    tracker.wait().await;
    Ok(ExitCode::SUCCESS)
}
