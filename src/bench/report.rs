//! What a measurement comes to: medians over its rounds, and ratios of rounds that ran side by side.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::contender::Contender;
use super::histogram::Histogram;
use super::round::Outcome;
use crate::surfaces::cli::out::{Paint, line};

/// All rounds of one contender at one number of calls.
#[derive(Debug)]
struct Column<'a> {
    contender: Contender,
    rounds: Vec<&'a Outcome>,
    /// The splice's rounds, in the same order.
    splices: Vec<&'a Outcome>,
}

/// Prints the tables, then the capacity.
pub(super) fn print(outcomes: &[Outcome], agents_speak: u32, cores: usize, paint: Paint) {
    let pauses =
        if agents_speak < 100 { format!(", agents speak {agents_speak} % of the time") } else { String::new() };
    for (calls, columns) in tables(outcomes) {
        line("");
        line(paint.bold(format!("{calls} calls, {} rounds, medians{pauses}", columns[0].rounds.len())));
        let head = [
            "",
            "CPU s",
            "× splice",
            "to agent p50/p99/p99.9 µs",
            "to carrier p50/p99/p99.9 µs",
            "KiB",
            "threads",
            "set-up",
            "load late",
        ];
        line(paint.dim(row(head.map(str::to_owned))));
        for column in &columns {
            line(column.row());
        }
        line(paint.dim(
            "CPU s: processor seconds for a minute of a call. KiB: resident memory of a call. set-up: calls a second. \
             load late: one frame in a hundred left the load so many µs late, or later.",
        ));
        for column in columns.iter().filter(|column| column.contender.is_product()) {
            column.print_product(cores);
        }
        for column in &columns {
            column.print_faults(paint);
        }
    }
}

fn row(cells: [String; 9]) -> String {
    let [name, cpu, ratio, to_agent, to_carrier, memory, threads, set_up, slip] = cells;
    format!("{name:22}{cpu:>9}{ratio:>10}{to_agent:>27}{to_carrier:>29}{memory:>8}{threads:>9}{set_up:>8}{slip:>11}")
}

/// The same as data.
pub(super) fn as_json(outcomes: &[Outcome], agents_speak: u32, cores: usize) -> Value {
    let columns = tables(outcomes).into_iter().flat_map(|(calls, columns)| {
        columns.into_iter().map(move |column| {
            json!({
                "calls": calls,
                "contender": column.contender.name(),
                "rounds": column.rounds.len(),
                "cpu_s_per_call_minute": column.cpu(),
                "cpu_ratio": column.cpu_ratio(),
                "to_agent_us": quantiles(&column.merged(|outcome| &outcome.findings.to_agent)),
                "to_carrier_us": quantiles(&column.merged(|outcome| &outcome.findings.to_carrier)),
                "barge_in_us": quantiles(&column.merged(|outcome| &outcome.findings.barge_in)),
                "load_late_us": quantiles(&column.merged(|outcome| &outcome.findings.slip)),
                "memory_kib_per_call": column.median(|outcome| outcome.memory_per_call),
                "threads": column.rounds[0].threads,
                "set_up_per_second": column.median(|outcome| outcome.set_up_rate),
                "faults": column.faults().into_iter().collect::<BTreeMap<_, _>>(),
            })
        })
    });
    let doubts: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.doubts).collect();
    json!({"cores": cores, "agents_speak_percent": agents_speak, "tables": columns.collect::<Vec<_>>(), "doubts": doubts})
}

/// Everything that was found wrong, in words.
pub(super) fn doubts(outcomes: &[Outcome]) -> Vec<String> {
    let of = |outcome: &Outcome| format!("{} at {} calls", outcome.contender.name(), outcome.calls);
    outcomes
        .iter()
        .flat_map(|outcome| outcome.doubts.iter().map(move |doubt| format!("{}: {doubt}", of(outcome))))
        .collect()
}

fn tables(outcomes: &[Outcome]) -> BTreeMap<usize, Vec<Column<'_>>> {
    let mut sorted: BTreeMap<usize, BTreeMap<Contender, Vec<&Outcome>>> = BTreeMap::new();
    for outcome in outcomes {
        sorted.entry(outcome.calls).or_default().entry(outcome.contender).or_default().push(outcome);
    }
    sorted.into_iter().map(|(calls, of_calls)| (calls, columns(of_calls))).collect()
}

fn columns(of_calls: BTreeMap<Contender, Vec<&Outcome>>) -> Vec<Column<'_>> {
    let splices = of_calls.get(&Contender::Splice).cloned().unwrap_or_default();
    let column = |(contender, rounds)| Column { contender, rounds, splices: splices.clone() };
    of_calls.into_iter().map(column).collect()
}

impl Column<'_> {
    fn median(&self, of: impl Fn(&Outcome) -> f64) -> f64 {
        median(self.rounds.iter().map(|outcome| of(outcome)).collect())
    }

    fn cpu(&self) -> f64 {
        self.median(|outcome| outcome.cpu_per_call_minute)
    }

    /// The median of the rounds' own ratios: each round stands beside a splice that ran under the same conditions. None without.
    fn cpu_ratio(&self) -> Option<f64> {
        let pairs = self.rounds.iter().zip(&self.splices);
        let ratios: Vec<_> = pairs.map(|(own, splice)| own.cpu_per_call_minute / splice.cpu_per_call_minute).collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }

    fn quantiles(&self, of: impl Fn(&Outcome) -> &Histogram) -> String {
        let at = |share| self.median(|outcome| of(outcome).quantile_us(share));
        format!("{:.0}/{:.0}/{:.0}", at(0.5), at(0.99), at(0.999))
    }

    fn merged(&self, of: impl Fn(&Outcome) -> &Histogram) -> Histogram {
        let all = Histogram::default();
        self.rounds.iter().for_each(|outcome| all.add(of(outcome)));
        all
    }

    fn faults(&self) -> Vec<(&'static str, u64)> {
        let mut all: Vec<(&str, u64)> = Vec::new();
        for (name, count) in self.rounds.iter().flat_map(|outcome| outcome.findings.faults.all()) {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some((_, total)) => *total += count,
                None => all.push((name, count)),
            }
        }
        all
    }

    fn row(&self) -> String {
        row([
            self.contender.name().to_owned(),
            format!("{:.4}", self.cpu()),
            self.cpu_ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            self.quantiles(|outcome| &outcome.findings.to_agent),
            self.quantiles(|outcome| &outcome.findings.to_carrier),
            format!("{:.0}", self.median(|outcome| outcome.memory_per_call)),
            format!("{}", self.rounds[0].threads),
            format!("{:.0}", self.median(|outcome| outcome.set_up_rate)),
            format!("{:.0}", self.median(|outcome| outcome.findings.slip.quantile_us(0.99))),
        ])
    }

    #[expect(clippy::cast_precision_loss, reason = "cores are few")]
    fn print_product(&self, cores: usize) {
        let name = self.contender.name();
        let barge_in = self.merged(|outcome| &outcome.findings.barge_in);
        if barge_in.len() > 0 {
            let at = |share| barge_in.quantile_us(share);
            line(format!(
                "{name}: barge-in to clear p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs, of {}",
                at(0.5),
                at(0.99),
                at(0.999),
                barge_in.len(),
            ));
        }
        let capacity = cores as f64 / (self.cpu() / 60.0);
        line(format!(
            "{name}: at this cost {cores} cores carry {capacity:.0} calls, with nothing left for anything else"
        ));
        let growth = self.median(|outcome| outcome.memory_growth);
        line(format!("{name}: a call's memory changed by {growth:.1} KiB while it spoke"));
    }

    fn print_faults(&self, paint: Paint) {
        for (what, count) in self.faults().into_iter().filter(|(_, count)| *count > 0) {
            line(paint.red(format!("{}: {count} {what}", self.contender.name())));
        }
    }
}

fn quantiles(histogram: &Histogram) -> Value {
    let at = |share| histogram.quantile_us(share);
    json!({"p50": at(0.5), "p99": at(0.99), "p99_9": at(0.999), "count": histogram.len()})
}

/// 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
