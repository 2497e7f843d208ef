//! Commands that open the store or the tables directly, without a server: administration, what-if, emulators.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::civil::Date;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{GateQuestion, NewConsent, WallClock, create_key, record_consent};
use crate::config::Config;
use crate::domain::access::{Access, Role};
use crate::domain::consent::{ConsentEvidence, ConsentKind, OptOutChannel, Revocation};
use crate::domain::decision::{LineType, Voice};
use crate::domain::event::{Actor, Door};
use crate::domain::{E164, Purpose, Secret};
use crate::emulators::elevenlabs::{ElevenLabsEmulator, ElevenLabsEmulatorConfig};
use crate::emulators::twilio::{NumberConfig, TwilioEmulator, TwilioEmulatorConfig};
use crate::emulators::{BotEmulator, RetellEmulator, RetellEmulatorConfig};
use crate::store::{Head, Intent, OptOut, ReassignedAnswer, Reassignment, Store};
use crate::surfaces::cli::calls::EXIT_DENIED;
use crate::surfaces::cli::out::{Paint, line};
use crate::surfaces::cli::{
    CheckArgs, ConsentAddArgs, ConsentCommand, ConsentKindArg, DncCommand, EmulateCommand, KeysCommand, LedgerCommand,
    LineTypeArg, PurposeArg, RoleArg, VoiceArg, explain,
};

use super::world;

/// The store of the settings, open for one command.
struct OpenStore {
    store: Store,
    tracker: TaskTracker,
}

impl OpenStore {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let tracker = TaskTracker::new();
        Ok(Self { store: world::open_store(config, &tracker).await?, tracker })
    }

    async fn close(self) {
        self.store.close().await;
        self.tracker.close();
        self.tracker.wait().await;
    }
}

fn operator() -> Actor {
    Actor::new(Door::Cli, "operator")
}

fn number(text: &str) -> anyhow::Result<E164> {
    text.parse().with_context(|| format!("`{text}` is not a number"))
}

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
        line_type: Some(match args.line_type {
            LineTypeArg::Mobile => LineType::Mobile,
            LineTypeArg::LandlineResidential => LineType::LandlineResidential,
            LineTypeArg::LandlineBusiness => LineType::LandlineBusiness,
        }),
        lead_id: args.lead.as_deref().map(str::parse).transpose().context("--lead takes a lead's id")?,
        at: args.at,
        ..GateQuestion::about(asked, purpose(args.purpose), operator())
    };
    let decided = gate.decide(&open.store, &question, Intent::Inquiry, WallClock::real().now()).await?;
    open.close().await;
    if args.json {
        line(explain::as_json(decided.decision_id, &decided.decision));
    } else {
        explain::print(&decided.decision, paint);
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

pub(super) async fn dnc(config: &Config, command: DncCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let open = OpenStore::open(config).await?;
    let now = WallClock::real().now();
    match command {
        DncCommand::Import { file, list, as_of } => {
            let imported = import_list(&open.store, &file, &list, as_of).await;
            open.close().await;
            return imported;
        }
        DncCommand::Add { number: text, note } => {
            let opt_out = OptOut { number: number(&text)?, channel: OptOutChannel::Cli, words: note, call_id: None };
            open.store.record_opt_outs(vec![opt_out], &operator(), now).await?;
            line("listed; the next decision about this number knows it");
        }
        DncCommand::Remove { number: text } => {
            let removed = open.store.remove_from_dnc(&number(&text)?, "command line", &operator(), now).await?;
            line(if removed { "taken off the list; withdrawn permissions stay withdrawn" } else { "was not listed" });
        }
        DncCommand::Show { number: text } => {
            let history = open.store.dnc_history(&number(&text)?).await?;
            line(if history.is_listed() {
                paint.red("on the internal list")
            } else {
                paint.green("not on the internal list")
            });
            for entry in &history.entries {
                let until =
                    entry.removed.as_ref().map_or_else(String::new, |removal| format!(", removed {}", removal.at));
                line(format!(
                    "  listed {}{until}: {:?} by {} {}",
                    entry.added_at, entry.channel, entry.added_by.name, entry.words
                ));
            }
        }
    }
    open.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Imports a list. A bad line is named and does not poison the rest; a file without a good line is not a list.
async fn import_list(store: &Store, file: &Path, list: &str, as_of: Date) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        list == "litigator",
        "--list {list}: this version imports `litigator` only; national and state files come later"
    );
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let (mut numbers, mut bad) = (Vec::new(), 0_usize);
    for (place, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
        if let Some(number) = listed_number(row) {
            numbers.push(number);
        } else {
            bad += 1;
            line(format!("line {}: not a number like 2015551234, 201,5551234 or +12015551234", place + 1));
        }
    }
    anyhow::ensure!(!numbers.is_empty(), "{} holds no number: nothing was imported", file.display());
    let source = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let imported = store.import_litigators(&source, as_of, numbers, WallClock::real().now()).await?;
    line(format!("imported {} numbers of {as_of}; {bad} lines were left out", imported.numbers));
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One row of a list file.
fn listed_number(row: &str) -> Option<E164> {
    let digits: String = row.trim().trim_start_matches("+1").chars().filter(|c| *c != ',').collect();
    (digits.len() == 10).then(|| format!("+1{digits}").parse().ok()).flatten()
}

pub(super) async fn consent(config: &Config, command: ConsentCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let open = OpenStore::open(config).await?;
    let now = WallClock::real().now();
    match command {
        ConsentCommand::Add(args) => add_consent(&open.store, config, args).await?,
        ConsentCommand::Revoke { number: text } => {
            let revocation =
                Revocation { number: number(&text)?, at: now, channel: OptOutChannel::Cli, words: String::new() };
            open.store.record_revocation(revocation, None, &operator(), now).await?;
            line("withdrawn; a later consent is needed for the next call");
        }
        ConsentCommand::Show { number: text } => {
            let number = number(&text)?;
            for recorded in open.store.consents_of(&number).await? {
                let consent = recorded.consent;
                line(format!(
                    "{}  {:?} for {} ({}), given {} by {}",
                    paint.bold(consent.id),
                    consent.kind,
                    consent.seller,
                    consent.scope.join(", "),
                    consent.given_at,
                    consent.evidence.method,
                ));
            }
            for revocation in open.store.revocations_of(&number).await? {
                line(paint.red(format!("withdrawn {} ({:?})", revocation.at, revocation.channel)));
            }
        }
    }
    open.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn add_consent(store: &Store, config: &Config, args: ConsentAddArgs) -> anyhow::Result<()> {
    anyhow::ensure!(!config.seller.name.is_empty(), "set seller.name first: a consent names the seller that may call");
    let now = WallClock::real().now();
    let number = number(&args.number)?;
    let given_at = args.given_at.unwrap_or(now);
    let consent = NewConsent {
        number: number.clone(),
        kind: match args.kind {
            ConsentKindArg::Express => ConsentKind::Express,
            ConsentKindArg::Written => ConsentKind::Written,
        },
        scope: args.scope,
        given_at,
        expires_at: args.expires_at,
        evidence: ConsentEvidence { method: args.method, text: args.text, url: args.url, ..ConsentEvidence::default() },
    };
    let id = record_consent(store, &config.seller.name, consent, &operator(), now).await?;
    if let Some(checked) = args.rnd_checked {
        let answer = ReassignedAnswer {
            consent_date: given_at.to_zoned(jiff::tz::TimeZone::UTC).date(),
            answer: Reassignment::No,
            asked_at: checked.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp(),
            source: "operator".to_owned(),
        };
        store.record_reassigned_answer(&number, answer).await?;
    }
    line(format!("recorded as {id}"));
    Ok(())
}

pub(super) async fn ledger(config: &Config, command: LedgerCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let LedgerCommand::Verify { expect_head } = command;
    let open = OpenStore::open(config).await?;
    let verified = match expect_head {
        Some(text) => {
            let expected: Head = text.parse().context("--expect-head takes COUNT:HASH")?;
            open.store.verify_ledger_against(&expected).await
        }
        None => open.store.verify_ledger().await,
    };
    open.close().await;
    match verified {
        Ok(head) => {
            line(paint.green(format!("unbroken: {} decisions", head.count)));
            line(format!("head {head}"));
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => {
            line(paint.red(fault));
            Ok(ExitCode::FAILURE)
        }
    }
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
                line(format!("{}  {access:10} {:20} made {}  {state}", key.id, key.name, key.created_at));
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
        EmulateCommand::Bot(args) => BotEmulator::start(args.listen, &tracker, shutdown.clone()).await?,
    };
    line(format!("listening on {}", running.base_url()));
    super::serve::wait_for_signal().await?;
    shutdown.cancel();
    tracker.close();
    tracker.wait().await;
    Ok(ExitCode::SUCCESS)
}
