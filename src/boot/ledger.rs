//! `ledger`: prove the decisions, make them again, export them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::app::{Bundle, BundleScope, ReplayOutcome, Replayer, WallClock, read_number};
use crate::config::Config;
use crate::domain::{CallId, CallSid, DecisionId, Party};
use crate::store::{Head, RecordedDecision, Store};
use crate::surfaces::cli::out::{Paint, line};
use crate::surfaces::cli::{ExportArgs, LedgerCommand, ReplayArgs};
use crate::surfaces::evidence::{Chain, export};

use super::open_store::{OpenStore, operator};

pub(super) async fn ledger(config: &Config, command: LedgerCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let open = OpenStore::open(config).await?;
    let sound = match command {
        LedgerCommand::Verify { expect_head } => verify(&open.store, expect_head.as_deref(), paint).await,
        LedgerCommand::Replay(args) => replay(&open.store, &args, paint).await,
        LedgerCommand::Export(args) => export_evidence(&open.store, args, paint).await,
    };
    open.close().await;
    Ok(if sound? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn verify(store: &Store, expect_head: Option<&str>, paint: Paint) -> anyhow::Result<bool> {
    let verified = match expect_head {
        Some(text) => {
            let expected: Head = text.parse().context("--expect-head takes COUNT:HASH")?;
            store.verify_ledger_against(&expected).await
        }
        None => store.verify_ledger().await,
    };
    let head = match verified {
        Ok(head) => head,
        Err(fault) => {
            line(paint.red(fault));
            return Ok(false);
        }
    };
    line(paint.green(format!("unbroken: {} decisions", head.count)));
    line(format!("head {head}"));
    match store.check_books().await {
        Ok(books) => {
            line(format!(
                "the books balance: {} decisions allowed a dial, {} attempts were made under them, the carrier took {}",
                books.allowed, books.attempts, books.accepted
            ));
            Ok(true)
        }
        Err(fault) => {
            line(paint.red(fault));
            Ok(false)
        }
    }
}

async fn replay(store: &Store, args: &ReplayArgs, paint: Paint) -> anyhow::Result<bool> {
    let mut replayer = Replayer::new(store);
    if let Some(id) = &args.decision {
        let id: DecisionId = id.parse()?;
        let (recorded, outcome) =
            replayer.replay_id(id).await?.with_context(|| format!("there is no decision {id} in the ledger"))?;
        tell(&recorded, &outcome, paint);
        return Ok(outcome.is_sound() && matches!(outcome, ReplayOutcome::Made(_)));
    }
    let (mut made, mut impossible, mut unsound) = (0_u64, 0_u64, 0_u64);
    replayer
        .replay_all(|recorded, outcome| {
            match outcome {
                _ if !outcome.is_sound() => unsound += 1,
                ReplayOutcome::Made(_) => made += 1,
                ReplayOutcome::Impossible(_) => impossible += 1,
            }
            if !matches!(outcome, ReplayOutcome::Made(_)) || !outcome.is_sound() {
                tell(recorded, outcome, paint);
            }
        })
        .await?;
    line(format!(
        "{made} decisions gave the same answer again; {impossible} were erased after their time; {unsound} did not"
    ));
    Ok(unsound == 0)
}

fn tell(recorded: &RecordedDecision, outcome: &ReplayOutcome, paint: Paint) {
    let decision = &recorded.decision;
    let answer = match decision.reasons().first() {
        None => "allowed".to_owned(),
        Some(first) => format!("denied ({})", first.code),
    };
    let text = format!("{}: {outcome}", recorded.id);
    line(if outcome.is_sound() { paint.green(text) } else { paint.red(text) });
    line(paint.dim(format!("  {answer} at {} under rules {}", decision.decided_at, decision.rule_set)));
    if let ReplayOutcome::Made(crate::compliance::evidence::Replay::Different(again)) = outcome {
        let codes: Vec<_> = again.reasons().iter().map(|reason| reason.code.to_string()).collect();
        let now = if again.is_allowed() { "allowed".to_owned() } else { format!("denied ({})", codes.join(", ")) };
        line(paint.red(format!(
            "  made again it is {now}: the record, its facts or the rules were changed, or this program decides \
                                otherwise than the one that recorded it"
        )));
    }
}

async fn export_evidence(store: &Store, args: ExportArgs, paint: Paint) -> anyhow::Result<bool> {
    let now = WallClock::real().now();
    let scope = scope(store, &args).await?;
    let out = args.out.unwrap_or_else(|| default_folder(now));
    let bundle = Bundle::begin(store, scope, operator(), now).await?;
    let chain = if args.chain { Chain::Taken } else { Chain::Left };
    let exported = export(store, &bundle, &out, chain).await?;
    line(format!(
        "exported to {}; decisions: {}, numbers with their records: {}",
        out.display(),
        exported.decisions,
        exported.people
    ));
    line(format!("read {}", out.join("evidence.html").display()));
    line(format!("head {}", bundle.head));
    line(paint.dim("It holds full numbers and words of people: keep it as you keep the database."));
    if let Some(fault) = &bundle.fault {
        line(paint.red(format!("the ledger is not sound, and the export says so: {fault}")));
    }
    Ok(bundle.fault.is_none())
}

async fn scope(store: &Store, args: &ExportArgs) -> anyhow::Result<BundleScope> {
    if let Some(call) = &args.call {
        if let Ok(id) = call.parse::<CallId>() {
            return Ok(BundleScope::Call(id));
        }
        let found = store.call_by_sid(&CallSid::new(call.as_str())).await?;
        return Ok(BundleScope::Call(found.with_context(|| format!("there is no call {call}"))?.id));
    }
    if let Some(number) = &args.number {
        // What was asked for may have been no number, and was recorded all the same.
        let asked = read_number(number).map_or_else(|_| Party::from(number.as_str()), Party::from);
        return Ok(BundleScope::Number(asked));
    }
    let (Some(from), Some(to)) = (args.from, args.to) else { anyhow::bail!("name a call, a number or a period") };
    let (since, until) = (from.instant(), to.instant());
    anyhow::ensure!(since < until, "the period ends before it begins");
    Ok(BundleScope::Period { since, until })
}

fn default_folder(now: Timestamp) -> PathBuf {
    PathBuf::from(now.strftime("evidence-%Y%m%dT%H%M%SZ").to_string())
}
