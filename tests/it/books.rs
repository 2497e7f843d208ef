//! The books of dialling, looked at when an outbound test is over: every dial that the emulated carrier took names exactly one
//! redeemed decision, never shared, and every redeemed decision has one dial or a recorded failure.

use std::collections::BTreeSet;
use std::sync::Mutex;

use clearline::domain::{CallEvent, CallId};
use clearline::emulators::EventLog;
use clearline::store::{Attempt, AttemptState, DecisionFilter, Intent, Store};
use tokio_util::task::TaskTracker;

/// The addresses under which the carrier reaches any server of the tests: a dial that names none of them is nobody's.
static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes note of the address of a server. Gives it back.
pub(super) fn note_address(base: &str) -> String {
    KNOWN.lock().unwrap().push(base.to_owned());
    base.to_owned()
}

/// Checks the books of a store on disk, from a place that cannot wait: the end of a fixture. `own` are the addresses that its
/// server had; one carrier may serve two servers.
pub(super) fn check_at_the_end(url: &str, own: &[String], log: &EventLog) {
    let (url, own, log) = (url.to_owned(), own.to_vec(), log.clone());
    let checked = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(&url, &TaskTracker::new()).await.unwrap();
            check(&store, &own, &log).await;
            store.close().await;
        });
    });
    assert!(checked.join().is_ok(), "the books do not balance: see above");
}

async fn check(store: &Store, own: &[String], log: &EventLog) {
    let mut redeemed: BTreeSet<String> = BTreeSet::new();
    let dials: Vec<_> = log.since(0).into_iter().filter(|entry| entry.event == "call_created").collect();
    let mut dialled = BTreeSet::new();
    for dial in &dials {
        let sid = dial.about.as_deref().unwrap();
        dialled.insert(sid.to_owned());
        let url = dial.detail["params"]["Url"].as_str().expect("a dial of ours names its webhook");
        if !own.iter().any(|base| is_at(url, base)) {
            assert!(KNOWN.lock().unwrap().iter().any(|base| is_at(url, base)), "a dial of nobody's: {url}");
            continue;
        }
        let call = url.split("/webhooks/voice/").nth(1).and_then(|rest| rest.split(['#', '?', '/']).next());
        let call: CallId = call.expect(url).parse().expect("a dial of ours carries our call id");
        let attempts = store.attempts_of(call).await.unwrap();
        let attempt = attempt_of_dial(&attempts, sid);
        assert!(redeemed.insert(attempt.decision_id.to_string()), "two dials share decision {}", attempt.decision_id);
        let decision = store.decision(attempt.decision_id).await.unwrap().expect("the attempt's decision");
        assert!(decision.decision.is_allowed() && decision.intent == Intent::Dial, "{decision:?}");
        if let Some(subject) = &decision.subject {
            assert_eq!(subject.number.as_str(), attempt.number.as_str(), "another number was rung than was allowed");
        }
    }
    // The legs of transfers are rung within their calls' documents. A leg to a vendor's SIP address rings no phone.
    let legs: BTreeSet<String> = log
        .since(0)
        .into_iter()
        .filter(|entry| entry.event == "status" && entry.text("direction") == Some("outbound-dial"))
        .filter(|entry| !entry.text("to").is_some_and(|to| to.starts_with("sip:")))
        .filter_map(|entry| entry.about)
        .collect();
    let mut of_attempts = 0;
    for decision in store.list_decisions(DecisionFilter::default(), None, 10_000).await.unwrap().items {
        let Some(attempt) = store.attempt_under(decision.id).await.unwrap() else { continue };
        // One that was accepted has its dial; any other has what became of it on record.
        if attempt.state == AttemptState::Accepted {
            let sid = attempt.call_sid.as_ref().expect("an accepted attempt has the carrier's id");
            of_attempts += usize::from(legs.contains(sid.as_str()));
            let is_dial = dialled.contains(sid.as_str()) || legs.contains(sid.as_str());
            assert!(is_dial, "attempt {} names a dial that the carrier never took", attempt.id);
        }
    }
    // A leg without an attempt goes to a colleague whom the settings name.
    let to_colleagues = transfers_to_colleagues(store).await;
    assert!(
        legs.len() <= of_attempts + to_colleagues,
        "{legs:?}: {of_attempts} have attempts, {to_colleagues} colleagues"
    );
    store.check_books().await.unwrap();
    store.verify_ledger().await.unwrap();
}

/// How many transfers needed no clearance, and legs of which no answer told what became of them.
async fn transfers_to_colleagues(store: &Store) -> usize {
    let (mut count, mut after) = (0, 0);
    loop {
        let slice = store.events_after(after, 1_000).await.unwrap();
        let Some(last) = slice.entries.last() else { return count };
        after = last.seq;
        count += slice
            .entries
            .iter()
            .filter(|entry| matches!(&entry.event, CallEvent::TransferStarted(started) if started.attempt_id.is_none()))
            .count();
    }
}

/// The one attempt that a dial belongs to: by the carrier's id, or, where the answer never reached us, the one that waits for it.
fn attempt_of_dial<'a>(attempts: &'a [Attempt], sid: &str) -> &'a Attempt {
    let named: Vec<_> =
        attempts.iter().filter(|a| a.call_sid.as_ref().is_some_and(|own| own.as_str() == sid)).collect();
    let open: Vec<_> = attempts
        .iter()
        .filter(|a| a.call_sid.is_none() && matches!(a.state, AttemptState::Pending | AttemptState::Uncertain))
        .collect();
    match (named.as_slice(), open.as_slice()) {
        ([attempt], _) | ([], [attempt]) => attempt,
        _ => panic!("the carrier took {sid}, and of its call's attempts none or several are it: {attempts:?}"),
    }
}

fn is_at(url: &str, base: &str) -> bool {
    url.strip_prefix(base).is_some_and(|path| path.starts_with('/'))
}
