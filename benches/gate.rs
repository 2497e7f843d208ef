//! How long the gate takes for one decision, from facts to the whole answer with reasons, local times and the next permissible
//! instant. Prints absolute figures; what it asserts is a ratio to work measured beside it in the same run: writing the same facts
//! as JSON and reading them back, which is work of the same kind (small texts, small vectors) on the same machine.
//!
//! `cargo bench --bench gate`; with `--brief` it takes less than a second.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark reports on standard output, or panics")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use clearline::compliance::facts::{ConsentFact, Facts, Reassigned};
use clearline::compliance::gate::evaluate;
use clearline::compliance::profile::Profile;
use clearline::compliance::tables::RuleTables;
use clearline::domain::Purpose;
use clearline::domain::consent::ConsentKind;
use clearline::domain::decision::Voice;
use jiff::{SignedDuration, Timestamp};

/// The worst of the cases may take so many times as long as the yardstick. Measured: 0.6 to 3.
const ALLOWED_RATIO: f64 = 8.0;

/// The project's target for the median of each case, on the kind of machine that it is developed on (2 cores).
const TARGET: Duration = Duration::from_micros(20);

/// Decisions in one sample; a clock reading is dear beside one decision.
const BATCH: u32 = 50;

fn main() {
    let brief = std::env::args().any(|argument| argument == "--brief");
    let samples = if brief { 60 } else { 2_000 };
    let tables = RuleTables::shipped().unwrap();
    let profile = Profile::default();
    println!("{samples} samples of {BATCH}; ratio: to the same facts written as JSON and read back");
    let mut worst: f64 = 0.0;
    for (name, facts, at) in cases() {
        let decision = evaluate(&facts, &tables, &profile, at);
        let mut decide = || drop(black_box(evaluate(black_box(&facts), &tables, &profile, at)));
        let mut yardstick = || {
            let text = serde_json::to_string(black_box(&facts)).unwrap();
            drop(black_box(serde_json::from_str::<Facts>(&text).unwrap()));
        };
        // In turns, so that whatever disturbs the machine disturbs both.
        let (mut deciding, mut measuring) = (Vec::new(), Vec::new());
        for _ in 0..samples {
            deciding.push(time(&mut decide));
            measuring.push(time(&mut yardstick));
        }
        let (median, p99, unit) =
            (at_share(&mut deciding, 0.5), at_share(&mut deciding, 0.99), at_share(&mut measuring, 0.5));
        let ratio = median.as_secs_f64() / unit.as_secs_f64();
        worst = worst.max(ratio);
        let answer = match decision.reasons() {
            [] => "allow".to_owned(),
            reasons => format!("{} reasons", reasons.len()),
        };
        let verdict = if median <= TARGET { "" } else { "  ABOVE THE TARGET" };
        println!("{name:34} {answer:>11}  median {median:>9.2?}  p99 {p99:>9.2?}  ratio {ratio:4.1}{verdict}");
    }
    assert!(worst <= ALLOWED_RATIO, "a decision takes {worst:.1} times the yardstick, {ALLOWED_RATIO} are allowed");
}

fn time(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..BATCH {
        work();
    }
    start.elapsed() / BATCH
}

fn at_share(samples: &mut [Duration], share: f64) -> Duration {
    samples.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((samples.len() - 1) as f64 * share) as usize;
    samples[index]
}

fn cases() -> [(&'static str, Facts, Timestamp); 6] {
    let noon: Timestamp = "2026-12-01T18:00:00Z".parse().unwrap();
    let night: Timestamp = "2026-12-02T05:00:00Z".parse().unwrap();
    let ago = |hours| noon - SignedDuration::from_hours(hours);
    let attempts = vec![ago(1), ago(2), ago(30), ago(100), ago(20)];
    let unknown = Facts::unknown("+12125550113", Purpose::Telemarketing, Voice::Ai);
    let address =
        |facts: Facts| Facts { known_state: Some("TN".parse().unwrap()), attempts: attempts.clone(), ..facts };
    [
        ("New York, allowed", permitted("+12125550113"), noon),
        ("Florida, four attempts, capped", Facts { attempts: attempts.clone(), ..permitted("+13055550113") }, noon),
        ("New York, at night", permitted("+12125550113"), night),
        ("Louisiana, holiday weekend", permitted("+15045550113"), "2026-12-25T18:00:00Z".parse().unwrap()),
        ("Florida and Tennessee, two zones", address(permitted("+18505550113")), night),
        ("nothing known", unknown, noon),
    ]
}

/// An AI sales call that somebody agreed to in writing, with every list clean.
fn permitted(number: &str) -> Facts {
    let consent = ConsentFact {
        id: None,
        kind: ConsentKind::Written,
        scope: vec!["telemarketing".to_owned()],
        given_at: Some("2026-06-01T15:00:00Z".parse().unwrap()),
        expires_at: None,
        names_this_number: true,
        names_this_seller: true,
    };
    Facts {
        consents: vec![consent],
        national_dnc: Some(false),
        state_dnc: Some(false),
        dnc_list_date: Some("2026-11-20".parse().unwrap()),
        litigator: Some(false),
        reassigned: Some(Reassigned::No),
        ..Facts::unknown(number, Purpose::Telemarketing, Voice::Ai)
    }
}
