//! `dnc`: list files are imported, numbers put on and taken off the internal list, and everything said that the lists know.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::app::{Gate, WallClock};
use crate::compliance::facts::Facts;
use crate::compliance::own_lists::states_with_own_list;
use crate::compliance::tables::RuleTables;
use crate::compliance::tables::jurisdictions::DncList;
use crate::config::Config;
use crate::domain::consent::OptOutChannel;
use crate::domain::decision::Voice;
use crate::domain::{E164, Purpose};
use crate::lists::{
    self, BadLines, Coverage, Import, Imported, Kind, ListAnswer, ListEntry, ListName, Listing, Progress,
};
use crate::store::{OptOut, Store};
use crate::surfaces::cli::out::{Paint, line};
use crate::surfaces::cli::{DncCommand, DncImportArgs, ListKindArg};

use super::open_store::{OpenStore, number, operator};
use super::world;

pub(super) async fn run(config: &Config, command: DncCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let now = WallClock::real().now();
    if let DncCommand::Import(args) = command {
        return import(config, args, now, paint).await;
    }
    let open = OpenStore::open(config).await?;
    match command {
        DncCommand::Import(_) => unreachable!("imports have returned"),
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
            let number = number(&text)?;
            show_internal(&open.store, &number, paint).await?;
            show_litigators(&open.store, &number, paint).await?;
            show_lists(&world::open_gate(config)?, &number, now, paint);
        }
    }
    open.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Imports a list. A bad line is named and does not poison the rest; the exit code is 1 then.
async fn import(config: &Config, args: DncImportArgs, now: Timestamp, paint: Paint) -> anyhow::Result<ExitCode> {
    // A zone ahead of UTC may already have tomorrow's list.
    let tomorrow = now.to_zoned(TimeZone::UTC).date().tomorrow()?;
    anyhow::ensure!(
        args.as_of <= tomorrow,
        "--as-of {} is in the future: it is the day that the list is of, and how old a list is decides whether calls are allowed",
        args.as_of
    );
    if args.list == "litigator" {
        return import_litigators(config, &args, now).await;
    }
    let list: ListName = args.list.parse().map_err(|_| {
        anyhow::anyhow!(
            "--list {}: it is national, litigator, or state: and two capital letters, like state:TX",
            args.list
        )
    })?;
    let gate = world::open_gate(config)?;
    if let ListName::State(code) = list {
        let state = gate.tables().state(code).with_context(|| format!("--list {list}: there is no such state"))?;
        if state.jurisdiction.says.dnc != DncList::Own {
            line(format!(
                "{} {code} keeps no list of its own by the rule tables: whoever is on this list counts as listed, but calls do not \
                 need it",
                paint.yellow("note:")
            ));
        }
    }
    let root = world::lists_folder(config)?
        .context("the store is in memory: set compliance.lists_directory to keep lists somewhere")?;
    let request = Import {
        list,
        files: args.files,
        as_of: args.as_of,
        kind: args.kind.map(|kind| match kind {
            ListKindArg::Full => Kind::Full,
            ListKindArg::Changes => Kind::Changes,
        }),
        coverage: args.area_codes.as_deref().map(coverage).transpose()?,
    };
    let imported = with_bar(move |progress| lists::import(&root, &request, now, progress)).await??;
    report(list, &imported, paint);
    Ok(exit_code(&imported.bad))
}

fn coverage(text: &str) -> anyhow::Result<Coverage> {
    if text == "all" {
        return Ok(Coverage::All);
    }
    let code = |code: &str| Ok(code.trim().parse::<crate::domain::phone::Npa>().map(|npa| npa.as_u16())?);
    let codes: anyhow::Result<_> = text.split(',').map(code).collect();
    Ok(Coverage::AreaCodes(codes.context("--area-codes takes `all` or area codes like 212,646")?))
}

/// Runs an import beside a bar on standard error, which shows on a terminal only.
async fn with_bar<T: Send + 'static>(
    work: impl FnOnce(&mut dyn FnMut(Progress)) -> T + Send + 'static,
) -> anyhow::Result<T> {
    let bar = ProgressBar::new(0);
    let done = tokio::task::spawn_blocking(move || {
        let style = |template: &str| ProgressStyle::with_template(template).expect("the template is valid");
        bar.set_style(style("reading {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"));
        let mut is_writing = false;
        let result = work(&mut |progress| {
            let (done, total) = match progress {
                Progress::Reading { done, total } => (done, total),
                Progress::Writing { done, total } => {
                    if !std::mem::replace(&mut is_writing, true) {
                        bar.set_style(style("writing {wide_bar} {pos}/{len} area codes {eta}"));
                    }
                    (done, total)
                }
            };
            bar.set_length(total.max(done));
            bar.set_position(done);
        });
        bar.finish_and_clear();
        result
    });
    done.await.context("the import broke off; nothing was changed")
}

async fn import_litigators(config: &Config, args: &DncImportArgs, now: Timestamp) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.kind.is_none() && args.area_codes.is_none(),
        "litigators are imported whole, from all area codes"
    );
    let [file] = args.files.as_slice() else { anyhow::bail!("litigators are imported from one file") };
    let path: PathBuf = file.clone();
    let (numbers, bad) = with_bar(move |progress| lists::read_numbers(&path, progress)).await??;
    let source = file_name(file);
    let open = OpenStore::open(config).await?;
    let imported = open.store.import_litigators(&source, args.as_of, numbers, now).await;
    open.close().await;
    line(format!("imported {} numbers of {}", grouped(imported?.numbers.unsigned_abs()), args.as_of));
    report_bad(&bad);
    Ok(exit_code(&bad))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn exit_code(bad: &BadLines) -> ExitCode {
    if bad.total == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(list: ListName, imported: &Imported, paint: Paint) {
    let entry = &imported.entry;
    match imported.kind {
        Kind::Full => line(format!("{list}: imported {} numbers of {}", grouped(entry.numbers), entry.as_of)),
        Kind::Changes => line(format!(
            "{list}: {} numbers added and {} deleted; {} numbers of {}",
            grouped(imported.added),
            grouped(imported.removed),
            grouped(entry.numbers),
            entry.as_of
        )),
    }
    line(format!("covers {}; binds the next decision", covered(&entry.coverage)));
    let note = |text: String| line(format!("{} {text}", paint.yellow("note:")));
    if let (Kind::Full, Some(before)) = (imported.kind, &imported.before) {
        if let Coverage::AreaCodes(codes) = &before.coverage {
            let lost = codes.iter().filter(|code| (**code).try_into().is_ok_and(|npa| !entry.coverage.covers(npa)));
            let lost: Vec<_> = lost.map(ToString::to_string).collect();
            if !lost.is_empty() {
                note(format!("no longer covered, so sales calls there are denied (FACT_UNKNOWN): {}", lost.join(" ")));
            }
        }
        if entry.as_of < before.as_of {
            note(format!("the list before was newer, of {}", before.as_of));
        }
        // The registry grows; a tenth less looks like a file that was cut short.
        if entry.numbers < before.numbers - before.numbers / 10 {
            note(format!("the list before had {} numbers", grouped(before.numbers)));
        }
    }
    report_bad(&imported.bad);
}

fn report_bad(bad: &BadLines) {
    for shown in &bad.shown {
        line(shown);
    }
    let more = bad.total - bad.shown.len() as u64;
    if more > 0 {
        line(format!("… and {} more", grouped(more)));
    }
    if bad.total > 0 {
        line(format!("{} lines were left out: whoever they were meant to list is not listed", grouped(bad.total)));
    }
}

fn covered(coverage: &Coverage) -> String {
    match coverage {
        Coverage::All => "every number".to_owned(),
        Coverage::AreaCodes(codes) if codes.len() > 12 => format!("{} area codes and no other", codes.len()),
        Coverage::AreaCodes(codes) => {
            let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
            format!("the area codes {} and no other", codes.join(" "))
        }
    }
}

async fn show_internal(store: &Store, number: &E164, paint: Paint) -> anyhow::Result<()> {
    let history = store.dnc_history(number).await?;
    line(if history.is_listed() {
        paint.red("on the internal list: no call but an emergency is allowed (INTERNAL_DNC)")
    } else {
        paint.green("not on the internal list")
    });
    for entry in &history.entries {
        let until = entry.removed.as_ref().map_or_else(String::new, |removal| format!(", removed {}", removal.at));
        line(format!(
            "  listed {}{until}: {:?} by {} {}",
            entry.added_at, entry.channel, entry.added_by.name, entry.words
        ));
    }
    Ok(())
}

async fn show_litigators(store: &Store, number: &E164, paint: Paint) -> anyhow::Result<()> {
    let list = store.litigator_list().await?;
    line(match (store.is_litigator(number).await?, list) {
        (Some(true), Some(list)) => {
            paint.red(format!("on the litigator list of {}: calls are denied (LITIGATOR_LIST)", list.as_of))
        }
        (Some(false), Some(list)) => paint.green(format!("not on the litigator list of {}", list.as_of)),
        _ => paint.yellow(
            "no litigator list was imported: calls are denied (FACT_UNKNOWN), unless compliance.choices.litigator_list is off",
        ),
    });
    Ok(())
}

/// What the lists on disk say of a number, and what that means for a call.
fn show_lists(gate: &Gate, number: &E164, now: Timestamp, paint: Paint) {
    let tables = gate.tables();
    let answers = gate.lists().map(|lists| lists.look_up(number)).unwrap_or_default();
    let facts = Facts::unknown(number, Purpose::Telemarketing, Voice::Ai);
    let own = states_with_own_list(&facts, tables).into_iter().map(ListName::State);
    let needed: Vec<_> = [ListName::National].into_iter().chain(own).collect();
    let today = today_there(number, tables, now);
    let words = Words { max_days: tables.list_age.says.max_days.into(), today, paint };
    if let [ListAnswer { listing: Listing::Unreadable(_), entry: None, .. }] = answers.as_slice() {
        return words.needed(&answers[0]);
    }
    for list in &needed {
        match answers.iter().find(|answer| answer.list == *list) {
            Some(answer) => words.needed(answer),
            None => line(paint.yellow(format!(
                "no list {list} was imported: sales calls to this number are denied (FACT_UNKNOWN) unless it is scrubbed otherwise"
            ))),
        }
    }
    for answer in answers.iter().filter(|answer| !needed.contains(&answer.list)) {
        words.other(answer);
    }
    line(paint.dim(
        "Lists bind sales calls to homes and mobiles. Written consent to the seller or a live business relationship lifts national and \
         state lists, nothing lifts the internal one.",
    ));
}

/// The local date where the number is, by which the age of a list is counted.
fn today_there(number: &E164, tables: &RuleTables, now: Timestamp) -> Date {
    let area = number.npa().and_then(|npa| tables.area_code(npa));
    let zone = area.and_then(|area| area.zones.first()).map_or(TimeZone::UTC, |zone| zone.tz.clone());
    now.to_zoned(zone).date()
}

/// Tells what answers of lists mean.
struct Words {
    max_days: i64,
    today: Date,
    paint: Paint,
}

impl Words {
    /// A list that a sales call to this number needs.
    fn needed(&self, answer: &ListAnswer) {
        let list = answer.list;
        let code = if list == ListName::National { "NATIONAL_DNC" } else { "STATE_DNC" };
        line(match (&answer.listing, &answer.entry) {
            (Listing::Unreadable(fault), _) => self.paint.red(format!(
                "the list {list} cannot be read, sales calls are denied (FACT_UNKNOWN): {fault}. Import it again."
            )),
            (_, None) => return,
            (Listing::Listed, Some(entry)) => {
                self.paint.red(format!("on the list {list}, sales calls are denied ({code}): {}", self.version(entry)))
            }
            (Listing::NotCovered, Some(entry)) => self.paint.yellow(format!(
                "the list {list} does not cover this area code, sales calls are denied (FACT_UNKNOWN): {}, {}",
                self.version(entry),
                covered(&entry.coverage)
            )),
            (Listing::NotListed, Some(entry)) if self.age(entry) > self.max_days => self.paint.yellow(format!(
                "not on the list {list}, but it is too old, sales calls are denied (DNC_DATA_STALE): {}, {} days are allowed",
                self.version(entry),
                self.max_days
            )),
            (Listing::NotListed, Some(entry)) => {
                self.paint.green(format!("not on the list {list}: {}", self.version(entry)))
            }
        });
    }

    /// A list of a state that the number is not of.
    fn other(&self, answer: &ListAnswer) {
        let list = answer.list;
        match (&answer.listing, &answer.entry) {
            (Listing::NotListed | Listing::NotCovered, Some(entry)) => {
                line(
                    self.paint.dim(format!(
                        "not on the list {list}, which this number does not need: {}",
                        self.version(entry)
                    )),
                );
            }
            _ => self.needed(answer),
        }
    }

    /// `list of 2026-11-20, 3 days old, 1,234 numbers, from national.zip`.
    fn version(&self, entry: &ListEntry) -> String {
        let age = self.age(entry);
        let days = if age == 1 { "day" } else { "days" };
        let files: Vec<_> = entry.sources.iter().map(|source| source.file.as_str()).collect();
        format!(
            "list of {}, {age} {days} old, {} numbers, from {}",
            entry.as_of,
            grouped(entry.numbers),
            files.join(" + ")
        )
    }

    fn age(&self, entry: &ListEntry) -> i64 {
        self.today.duration_since(entry.as_of).as_hours() / 24
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!([0, 12, 999, 1000, 258_500_000].map(grouped), ["0", "12", "999", "1,000", "258,500,000"]);
    }

    #[test]
    fn area_codes_are_read() {
        assert_eq!(coverage("all").unwrap(), Coverage::All);
        assert_eq!(coverage("212, 646").unwrap(), Coverage::AreaCodes([212, 646].into()));
        assert!(coverage("212,").is_err());
        assert!(coverage("12").is_err());
    }
}
