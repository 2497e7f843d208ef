//! `clearline bench relay`: how many calls this machine carries, and what they cost beside a splice.
//!
//! Carriers and agents are played by this process; whatever carries the calls between them is a process of its own. Each round
//! starts it afresh, sets calls up through it, lets them speak and checks every byte. Contenders take turns, so that a slow moment
//! of the machine hits all of them; figures from a machine that was busy with something else, or from a load that could not keep
//! its own time, are not shown as if they meant something.

mod bridge;
mod contender;
mod ears;
mod ends;
mod histogram;
mod load;
mod process;
mod processors;
mod replay;
mod report;
mod round;
mod splice;
mod temp_folder;
mod wire;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use tokio_util::task::TaskTracker;

use crate::surfaces::cli::out::{Paint, line};
use crate::surfaces::cli::{BenchCommand, BenchRelayArgs};
use contender::Contender;
use ends::AgentServer;
use processors::Processors;
use round::Stage;
use temp_folder::TempFolder;

/// Files that a call takes in each of the two processes, and what they need beside.
const FILES_PER_CALL: u64 = 2;
const FILES_BESIDE: u64 = 200;

/// A load average, per core, from which on the machine is plainly busy before we begin.
const BUSY: f64 = 0.5;

/// Runs on runtimes of its own: the splice's and the load's have one thread.
pub(crate) fn run(command: &BenchCommand, paint: Paint) -> anyhow::Result<ExitCode> {
    let one_thread = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let all_threads = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match command {
        BenchCommand::Relay(args) => one_thread()?.block_on(relay(args, paint)),
        BenchCommand::Splice(args) => one_thread()?.block_on(splice::run(args.to)).map(|()| ExitCode::SUCCESS),
        BenchCommand::Replay(args) => one_thread()?.block_on(replay::run(args)).map(|()| ExitCode::SUCCESS),
        BenchCommand::Bridge(args) => all_threads()?.block_on(bridge::run(args.to)).map(|()| ExitCode::SUCCESS),
    }
}

async fn relay(args: &BenchRelayArgs, paint: Paint) -> anyhow::Result<ExitCode> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if let Err(why) = fit_to_measure(args, cores) {
        ensure!(args.even_if_busy, "{why:#} (--even-if-busy measures all the same)");
        eprintln!("clearline: {why:#}");
    }
    let contenders = contenders(args);
    let tasks = TaskTracker::new();
    let stage = Stage {
        agents: AgentServer::start(&tasks).await?,
        tasks,
        processors: match Processors::part() {
            Err(why) if args.even_if_busy => {
                eprintln!("clearline: {why:#}");
                Processors::default()
            }
            parted => parted?,
        },
        folder: TempFolder::new().context("no temporary directory")?,
        epoch: epoch(),
        seconds: args.seconds,
        agents_speak: args.agents_speak,
        listeners: args.listeners as usize,
    };
    let mut outcomes = Vec::new();
    for &calls in &args.calls {
        for round in 1..=args.rounds {
            for &contender in &contenders {
                eprintln!("{calls} calls, round {round} of {}: {}", args.rounds, contender.name());
                outcomes.push(stage.round(contender, calls as usize).await?);
            }
        }
    }
    let doubts = report::doubts(&outcomes);
    if !doubts.is_empty() {
        for doubt in &doubts {
            eprintln!("clearline: {doubt}");
        }
        ensure!(
            args.even_if_busy,
            "these figures would not mean anything: make the machine quiet or the load smaller (--calls), and measure again"
        );
    }
    if args.json {
        line(report::as_json(&outcomes, args.agents_speak, cores));
    } else {
        report::print(&outcomes, args.agents_speak, cores, paint);
        if !doubts.is_empty() {
            line(paint.yellow("These figures are in doubt, see above: at most ratios to the splice mean something."));
        }
    }
    let is_sound = outcomes
        .iter()
        .filter(|o| o.contender.is_product())
        .all(|o| o.findings.faults.all().iter().all(|(_, n)| *n == 0));
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn contenders(args: &BenchRelayArgs) -> Vec<Contender> {
    let mut contenders = Vec::from_iter((!args.no_splice).then_some(Contender::Splice));
    contenders.push(Contender::Clearline);
    contenders.extend((args.listeners > 0).then_some(Contender::ClearlineListened));
    contenders.extend(args.pcm.then_some(Contender::ClearlinePcm));
    if args.compare {
        contenders.push(Contender::Bridge);
        let node = std::process::Command::new("node").arg("--version").output();
        match node {
            Ok(output) if output.status.success() => contenders.push(Contender::Node),
            _ => eprintln!("clearline: there is no `node` here to compare with"),
        }
    }
    contenders
}

/// Whether it makes sense to begin.
#[expect(clippy::cast_precision_loss, reason = "cores are few")]
fn fit_to_measure(args: &BenchRelayArgs, cores: usize) -> anyhow::Result<()> {
    process::machine()?;
    let most = u64::from(args.calls.iter().max().copied().unwrap_or_default());
    let needed = most * FILES_PER_CALL + FILES_BESIDE;
    let limit = process::open_files_limit();
    ensure!(
        limit >= needed,
        "{most} calls need {needed} open files, the limit is {limit}: raise it with `ulimit -n {needed}`"
    );
    ensure!(cores > 1, "the load takes a processor for itself, and this machine has but one");
    ensure!(!cfg!(debug_assertions), "this is a debug build: measure one made with `cargo build --release`");
    let load = process::load_average()?;
    ensure!(load < BUSY * cores as f64, "this machine is busy: its load average is {load:.1}");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the bench's one clock; all its times count from here")]
fn epoch() -> Instant {
    Instant::now()
}
