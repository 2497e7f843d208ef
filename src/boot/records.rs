//! `leads`, `consent`, `privacy`: the records of people, worked on in the store directly.

use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use crate::app::{
    BadRow, Erasure, ImportMode, ImportReport, NewConsent, PersonRecords, WallClock, erase_person, future_date,
    import_consents, import_leads, read_number, record_consent,
};
use crate::config::Config;
use crate::domain::consent::{ConsentEvidence, ConsentKind, OptOutChannel, Revocation};
use crate::domain::lead::{Lead, LeadStatus};
use crate::domain::{E164, LeadId};
use crate::store::{ImportedBy, LeadFilter, LetIn, Relationship, RelationshipKind, Said, Store};
use crate::surfaces::api::record_views;
use crate::surfaces::api::views::Numbers;
use crate::surfaces::cli::out::{Paint, line};
use crate::surfaces::cli::{
    ConsentAddArgs, ConsentCommand, ConsentKindArg, ImportArgs, LeadListArgs, LeadStatusArg, LeadsCommand,
    PrivacyCommand, RelationshipArg, show,
};

use super::open_store::{OpenStore, number, operator};
use super::world;

pub(super) async fn leads(config: &Config, command: LeadsCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let open = OpenStore::open(config).await?;
    let done = match command {
        LeadsCommand::Import(args) => import_lead_file(&open.store, config, &args, paint).await,
        LeadsCommand::Relationship { number, kind, on } => {
            let kind = match kind {
                RelationshipArg::Purchase => RelationshipKind::Purchase,
                RelationshipArg::Inquiry => RelationshipKind::Inquiry,
            };
            let relationships = vec![Relationship { kind, date: on }];
            say(&open.store, &number, Said { relationships, line_type: None }).await
        }
        LeadsCommand::LineType { number, line_type } => {
            say(&open.store, &number, Said { relationships: Vec::new(), line_type: Some(line_type.into()) }).await
        }
        LeadsCommand::List(args) => list_leads(&open.store, &args).await,
        LeadsCommand::Show { lead, json } => show_leads(&open.store, &lead, json, paint).await,
    };
    open.close().await;
    done
}

async fn say(store: &Store, text: &str, said: Said) -> anyhow::Result<ExitCode> {
    let now = WallClock::real().now();
    let problem = said.relationships.iter().find_map(|relationship| future_date(relationship.date, now));
    anyhow::ensure!(problem.is_none(), "--on: {}", problem.unwrap_or_default());
    store.record_said(&number(text)?, said, &operator(), now).await?;
    line("recorded; it holds from the next decision on, for every call to the number");
    Ok(ExitCode::SUCCESS)
}

async fn import_lead_file(store: &Store, config: &Config, args: &ImportArgs, paint: Paint) -> anyhow::Result<ExitCode> {
    let gate = world::open_gate(config)?;
    let (file, name) = open_file(args)?;
    let (by, now) = (operator(), WallClock::real().now());
    let by = ImportedBy { source: &name, by: &by, now };
    let bad = |row: &BadRow| tell_bad_row(row, args.json, paint);
    let report = import_leads(store, gate.tables(), file, mode(args), by, bad, tell_let_in).await?;
    Ok(tell_report(report, args.json, paint))
}

fn open_file(args: &ImportArgs) -> anyhow::Result<(BufReader<File>, String)> {
    let file = File::open(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?;
    let name = args.file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Ok((BufReader::new(file), name))
}

fn mode(args: &ImportArgs) -> ImportMode {
    if args.dry_run { ImportMode::DryRun } else { ImportMode::Import }
}

fn tell_bad_row(row: &BadRow, json: bool, paint: Paint) {
    if json {
        line(json!({ "line": row.line, "problems": row.problems }));
    } else {
        line(format!("{} {}", paint.red(format!("line {}:", row.line)), row.problems.join("; ")));
    }
}

/// A file of one batch is in or is not, and needs no word on the way.
fn tell_let_in(so_far: LetIn) {
    if so_far.done < so_far.rows {
        eprintln!("{so_far}");
    }
}

/// The exit code is 1 if a row was left out.
fn tell_report(report: ImportReport, json: bool, paint: Paint) -> ExitCode {
    if json {
        line(json!(report));
    } else {
        let ImportReport { rows, bad, imported, dry_run } = report;
        let did = if dry_run { "nothing was imported; it would be" } else { "imported:" };
        line(paint.bold(format!(
            "{rows} rows; {did} {} new, {} changed, {} there already; {bad} left out",
            imported.new, imported.changed, imported.unchanged
        )));
        if imported.overtaken > 0 {
            line(format!(
                "{} were changed or erased by others meanwhile and left as they are: import the file again",
                imported.overtaken
            ));
        }
    }
    if report.bad == 0 && report.imported.overtaken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn list_leads(store: &Store, args: &LeadListArgs) -> anyhow::Result<ExitCode> {
    let filter = LeadFilter {
        number: None,
        status: args.status.map(|status| match status {
            LeadStatusArg::New => LeadStatus::New,
            LeadStatusArg::Contacted => LeadStatus::Contacted,
            LeadStatusArg::Qualified => LeadStatus::Qualified,
            LeadStatusArg::Disqualified => LeadStatus::Disqualified,
        }),
        text: args.text.clone(),
    };
    let after = args.cursor.as_deref().map(str::parse).transpose()?;
    let page = store.list_leads(filter, after, args.limit.clamp(1, 10_000)).await?;
    if args.json {
        let leads: Vec<_> = page.items.iter().map(|lead| record_views::lead(lead, Numbers::Full)).collect();
        line(json!({ "leads": leads, "next_cursor": page.next.map(|cursor| cursor.to_string()) }));
        return Ok(ExitCode::SUCCESS);
    }
    if page.items.is_empty() {
        line("no leads");
    }
    for lead in &page.items {
        line(show::lead_line(lead));
    }
    if let Some(next) = page.next {
        line(format!("more: clearline leads list --cursor {next}"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_leads(store: &Store, asked: &str, json: bool, paint: Paint) -> anyhow::Result<ExitCode> {
    let leads: Vec<Lead> = if let Ok(id) = asked.parse::<LeadId>() {
        store.lead(id).await?.into_iter().collect()
    } else {
        let number = read_number(asked)
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("`{asked}` is neither a lead's id (lead_…) nor a number"))?;
        store.list_leads(LeadFilter { number: Some(number), ..LeadFilter::default() }, None, 100).await?.items
    };
    if json {
        line(json!(leads.iter().map(|lead| record_views::lead(lead, Numbers::Full)).collect::<Vec<_>>()));
    } else if leads.is_empty() {
        line(format!("there is no lead {asked}"));
    }
    for lead in leads.iter().filter(|_| !json) {
        show::lead(lead, paint);
    }
    Ok(if leads.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

pub(super) async fn consent(config: &Config, command: ConsentCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let open = OpenStore::open(config).await?;
    let done = run_consent(&open.store, config, command, paint).await;
    open.close().await;
    done
}

async fn run_consent(
    store: &Store,
    config: &Config,
    command: ConsentCommand,
    paint: Paint,
) -> anyhow::Result<ExitCode> {
    let now = WallClock::real().now();
    let seller = config.seller.name.as_str();
    match command {
        ConsentCommand::Add(args) => add_consent(store, config, *args, now).await?,
        ConsentCommand::Import(args) => {
            anyhow::ensure!(!seller.is_empty(), "set seller.name first: a consent names the seller that may call");
            let (file, name) = open_file(&args)?;
            let by = operator();
            let by = ImportedBy { source: &name, by: &by, now };
            let bad = |row: &BadRow| tell_bad_row(row, args.json, paint);
            let report = import_consents(store, seller, file, mode(&args), by, bad, tell_let_in).await?;
            return Ok(tell_report(report, args.json, paint));
        }
        ConsentCommand::Revoke { number: text, words } => {
            let number = number(&text)?;
            let revocation = Revocation { number, at: now, channel: OptOutChannel::Cli, words };
            store.record_revocation(revocation, None, &operator(), now).await?;
            line("Withdrawn: every permission given before now has ended, at once and for every door.");
            line("Only a consent given later counts again. To keep the number from being called for any reason:");
            line(format!("  clearline dnc add {text}"));
        }
        ConsentCommand::Show { number: text, json } => {
            let person = PersonRecords::of(store, number(&text)?).await?;
            if json {
                let consents: Vec<_> =
                    person.consents.iter().map(|consent| record_views::consent(consent, Numbers::Full)).collect();
                let revocations = &person.dnc.revocations;
                line(json!({ "number": person.number, "consents": consents, "revocations": revocations }));
            } else {
                show::permissions(&person, seller, now, paint);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn add_consent(store: &Store, config: &Config, args: ConsentAddArgs, now: Timestamp) -> anyhow::Result<()> {
    anyhow::ensure!(!config.seller.name.is_empty(), "set seller.name first: a consent names the seller that may call");
    let number: E164 = number(&args.number)?;
    let given_at = args.given_at.unwrap_or(now);
    let consent = NewConsent {
        number: number.clone(),
        kind: match args.kind {
            ConsentKindArg::Express => ConsentKind::Express,
            ConsentKindArg::Written => ConsentKind::Written,
        },
        scope: args.scope,
        seller: args.seller,
        given_at,
        expires_at: args.expires_at,
        evidence: ConsentEvidence {
            method: args.method,
            text: args.text,
            text_sha256: String::new(),
            url: args.url,
            ip: args.ip,
            user_agent: args.user_agent,
            certificate_id: args.certificate_id,
            certificate_url: args.certificate_url,
        },
        rnd_checked_on: args.rnd_checked,
    };
    let problems: Vec<_> =
        consent.problems(now).into_iter().map(|(field, problem)| format!("{field}: {problem}")).collect();
    anyhow::ensure!(problems.is_empty(), "the consent is not recorded: {}", problems.join("; "));
    let id = record_consent(store, &config.seller.name, consent, &operator(), now).await?;
    line(format!("recorded as {id}"));
    Ok(())
}

pub(super) async fn privacy(config: &Config, command: PrivacyCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let PrivacyCommand::Erase { number: text, yes, json } = command;
    let number = number(&text)?;
    anyhow::ensure!(yes, "erasing cannot be undone: add --yes");
    let open = OpenStore::open(config).await?;
    let years = config.store.evidence_retention_years;
    let erased = erase_person(&open.store, &number, years, &operator(), WallClock::real().now()).await;
    open.close().await;
    let erasure = erased?;
    if json {
        line(json!(erasure));
    } else {
        tell_erasure(&erasure, paint);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell_erasure(erasure: &Erasure, paint: Paint) {
    let erased = &erasure.erased;
    if erased.is_nothing() {
        line("Nothing was erased: nothing was there that may go.");
    }
    for (count, what) in [
        (erased.leads, "leads (names, address, everything the operator kept)"),
        (erased.call_events, "journal entries of ended calls (what was said, keys pressed, tools)"),
        (erased.conversations, "accounts of conversations from the agents' vendors"),
        (erased.calls_stripped, "call records: variables, summary, links to recordings"),
        (erased.memories, "things that agents were asked to remember"),
        (erased.vendor_answers, "vendors' answers about the number"),
        (erased.expired.decisions, "decisions from before the retention: number and facts"),
        (erased.expired.attempts, "dial attempts from before the retention"),
        (erased.expired.calls, "call records from before the retention"),
        (erased.expired.consents, "records of permission from before the retention"),
        (erased.expired.revocations, "withdrawals from before the retention"),
        (erased.expired.other, "relationships and reassignment answers from before the retention"),
    ] {
        if count > 0 {
            line(format!("{} {count} {what}", paint.green("erased")));
        }
    }
    for reason in &erasure.reasons {
        line(format!("{} {reason}", paint.yellow("kept")));
    }
    line(paint.dim("The decision ledger stays provable: clearline ledger verify"));
    line(
        "Recordings at the carrier and transcripts at the agent's vendor are not reached from here: delete them there.",
    );
}
