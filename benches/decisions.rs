//! Gated decisions a second on embedded SQLite: facts gathered, the gate asked, the ledger's entry and the reservation written, all on
//! disk when it is answered (`synchronous=FULL`).
//!
//! Prints absolute figures; what it asserts is a ratio measured in the same run: many decisions at once, which share their commits,
//! against one after the other, each with a commit of its own. And it ends by killing the writer in mid-flight: this program starts
//! itself as a child that prints each answered decision, kills it with SIGKILL, and looks for every one of them in the ledger.
//!
//! `cargo bench --bench decisions`; with `--brief` it takes a few seconds.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark reports on standard output, or panics")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clearline::compliance::facts::{ConsentFact, Facts, Reassigned};
use clearline::compliance::gate::evaluate;
use clearline::compliance::profile::Profile;
use clearline::compliance::tables::RuleTables;
use clearline::domain::consent::ConsentKind;
use clearline::domain::decision::Voice;
use clearline::domain::event::{Actor, Door};
use clearline::domain::{DecisionId, Purpose};
use clearline::store::{Decided, GateRequest, Intent, Store, StoredFacts};
use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;

/// The project's target on the kind of machine that it is developed on (2 cores).
const TARGET_PER_SECOND: f64 = 2_000.0;

/// Decisions that share their commits are at least so many times as many a second as those that do not.
const ALLOWED_RATIO: f64 = 1.5;

/// Callers that wait for an answer at the same time.
const AT_ONCE: usize = 256;

const CHILD: &str = "--as-the-child-that-is-killed";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(place) = arguments.iter().position(|argument| argument == CHILD) {
        runtime.block_on(decide_and_tell(Path::new(&arguments[place + 1])));
        return;
    }
    let brief = arguments.iter().any(|argument| argument == "--brief");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(&folder).unwrap();
    let (alone, together) = if brief { (100, 1_500) } else { (1_000, 20_000) };
    let separate = runtime.block_on(measure(&folder.join("alone.sqlite3"), alone, 1));
    let shared = runtime.block_on(measure(&folder.join("together.sqlite3"), together, AT_ONCE));
    let ratio = shared / separate;
    let verdict = if shared >= TARGET_PER_SECOND { "" } else { "  BELOW THE TARGET" };
    println!("one after the other            {separate:7.0} decisions a second ({alone} of them)");
    println!(
        "{AT_ONCE} at once, sharing commits   {shared:7.0} decisions a second ({together} of them)  ratio {ratio:.1}{verdict}"
    );
    let rounds = if brief { 2 } else { 10 };
    for round in 0..rounds {
        let answered = kill_in_mid_flight(&folder.join(format!("killed-{round}.sqlite3")), 300 + 377 * round);
        let kept = runtime.block_on(look_for(&folder.join(format!("killed-{round}.sqlite3")), &answered));
        println!("killed after {:5} answers: all of them in a ledger of {kept}, which is unbroken", answered.len());
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(ratio >= ALLOWED_RATIO, "sharing commits gains {ratio:.2}, {ALLOWED_RATIO} at least are expected");
}

async fn open(file: &Path) -> (Store, TaskTracker) {
    let tracker = TaskTracker::new();
    (Store::open(&format!("sqlite://{}", file.display()), &tracker).await.unwrap(), tracker)
}

async fn close(store: Store, tracker: TaskTracker) {
    store.close().await;
    tracker.close();
    tracker.wait().await;
}

/// Decisions a second.
async fn measure(file: &Path, decisions: usize, at_once: usize) -> f64 {
    let (store, tracker) = open(file).await;
    let gate = Gate::new();
    let start = Instant::now();
    let allowed = stream::iter(0..decisions)
        .map(|n| gate.decide(&store, n))
        .buffer_unordered(at_once)
        .filter(|decided| std::future::ready(decided.reservation.is_some()))
        .count()
        .await;
    let took = start.elapsed().max(Duration::from_nanos(1));
    assert_eq!(allowed, decisions, "each number is asked for once, and each is allowed and reserved");
    assert_eq!(store.verify_ledger().await.unwrap().count, i64::try_from(decisions).unwrap());
    close(store, tracker).await;
    #[expect(clippy::cast_precision_loss, reason = "a rate to print")]
    let rate = decisions as f64 / took.as_secs_f64();
    rate
}

/// The child: decides about number after number and tells each decision as soon as it is answered.
async fn decide_and_tell(file: &Path) {
    let (store, _tracker) = open(file).await;
    let gate = Gate::new();
    let mut decided = stream::iter(0..gate.numbers.len()).map(|n| gate.decide(&store, n)).buffer_unordered(AT_ONCE);
    let mut stdout = std::io::stdout().lock();
    while let Some(decided) = decided.next().await {
        // A parent that is gone has seen enough.
        if writeln!(stdout, "{}", decided.decision_id).and_then(|()| stdout.flush()).is_err() {
            return;
        }
    }
}

/// Kills a child after so many answers, and returns all that it told.
fn kill_in_mid_flight(file: &Path, after: usize) -> Vec<DecisionId> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.arg(CHILD).arg(file).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answered: Vec<String> = lines.by_ref().take(after).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // What it told before the signal reached it counts too; the last line may have been cut.
    answered.extend(lines.map_while(Result::ok));
    let whole = answered[0].len();
    answered.iter().filter(|line| line.len() == whole).map(|line| line.parse().unwrap()).collect()
}

async fn look_for(file: &Path, answered: &[DecisionId]) -> i64 {
    let (store, tracker) = open(file).await;
    for id in answered {
        let decision = store.decision(*id).await.unwrap();
        assert!(decision.is_some(), "the decision {id} was answered and is not in the ledger");
    }
    let head = store.verify_ledger().await.unwrap();
    assert!(head.count >= i64::try_from(answered.len()).unwrap());
    close(store, tracker).await;
    head.count
}

/// The real gate with the shipped rules, and numbers to ask about.
struct Gate {
    tables: &'static RuleTables,
    now: Timestamp,
    /// The fictional ones (555-01XX) of every area code that may be called now.
    numbers: Vec<String>,
}

impl Gate {
    fn new() -> Self {
        let tables: &RuleTables = Box::leak(Box::new(RuleTables::shipped().unwrap()));
        let now = "2026-12-01T18:00:00Z".parse().unwrap();
        let may_be_called =
            |number: &String| evaluate(&facts(number, None), tables, &Profile::default(), now).is_allowed();
        let area_codes = (200..=999).filter(|npa| may_be_called(&format!("+1{npa}5550100")));
        let numbers = area_codes.flat_map(|npa| (100..200).map(move |line| format!("+1{npa}5550{line}")));
        Self { tables, now, numbers: numbers.collect() }
    }

    /// Decides about the nth number.
    async fn decide(&self, store: &Store, n: usize) -> Decided {
        let number = self.numbers[n].clone();
        let request = GateRequest {
            number: number.as_str().into(),
            purpose: Purpose::Telemarketing,
            voice: Voice::Ai,
            lead_id: None,
            call_id: None,
            actor: Actor::new(Door::Cli, "benchmark"),
            intent: Intent::Dial,
        };
        let (tables, now) = (self.tables, self.now);
        let evaluate = move |stored: &StoredFacts| {
            let facts = facts(&number, Some(stored));
            let decision = evaluate(&facts, tables, &Profile::default(), now);
            (decision, serde_json::to_value(&facts).unwrap())
        };
        store.decide(request, now, evaluate).await.unwrap()
    }
}

/// An AI sales call that somebody agreed to in writing, with every list clean.
fn facts(number: &str, stored: Option<&StoredFacts>) -> Facts {
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
        internal_dnc_at: stored.and_then(|stored| stored.internal_dnc_at),
        national_dnc: Some(false),
        state_dnc: Some(false),
        dnc_list_date: Some("2026-11-20".parse().unwrap()),
        litigator: Some(false),
        reassigned: Some(Reassigned::No),
        reservations: stored.map(|stored| stored.attempts.clone()).unwrap_or_default(),
        ..Facts::unknown(number, Purpose::Telemarketing, Voice::Ai)
    }
}
