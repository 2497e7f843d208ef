//! The books of dialling, looked at when an outbound test is over: every dial that the emulated carrier took names exactly one
//! redeemed decision, never shared, and every redeemed decision has one dial or a recorded failure.

use std::collections::BTreeSet;

use clearline::domain::CallId;
use clearline::emulators::EventLog;
use clearline::store::{Attempt, AttemptState, DecisionFilter, Intent, Store};
use tokio_util::task::TaskTracker;

/// Checks the books of a store on disk, from a place that cannot wait: the end of a fixture.
pub(super) fn check_at_the_end(url: &str, log: &EventLog) {
    let (url, log) = (url.to_owned(), log.clone());
    let checked = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(&url, &TaskTracker::new()).await.unwrap();
            check(&store, &log).await;
            store.close().await;
        });
    });
    assert!(checked.join().is_ok(), "the books do not balance: see above");
}

pub(super) async fn check(store: &Store, log: &EventLog) {
    let mut redeemed: BTreeSet<String> = BTreeSet::new();
    let dials: Vec<_> = log.since(0).into_iter().filter(|entry| entry.event == "call_created").collect();
    let mut dialled = BTreeSet::new();
    for dial in &dials {
        let url = dial.detail["params"]["Url"].as_str().expect("a dial of ours names its webhook");
        let call = url.split("/webhooks/voice/").nth(1).and_then(|rest| rest.split(['#', '?', '/']).next());
        let call: CallId = call.expect(url).parse().expect("a dial of ours carries our call id");
        let sid = dial.about.as_deref().unwrap();
        let attempts = store.attempts_of(call).await.unwrap();
        let attempt = attempt_of_dial(&attempts, sid);
        assert!(redeemed.insert(attempt.decision_id.to_string()), "two dials share decision {}", attempt.decision_id);
        dialled.insert(sid.to_owned());
        let decision = store.decision(attempt.decision_id).await.unwrap().expect("the attempt's decision");
        assert!(decision.decision.is_allowed() && decision.intent == Intent::Dial, "{decision:?}");
        if let Some(subject) = &decision.subject {
            assert_eq!(subject.number.as_str(), attempt.number.as_str(), "another number was rung than was allowed");
        }
    }
    for decision in store.list_decisions(DecisionFilter::default(), None, 10_000).await.unwrap().items {
        let Some(attempt) = store.attempt_under(decision.id).await.unwrap() else { continue };
        // One that was accepted has its dial; any other has what became of it on record.
        if attempt.state == AttemptState::Accepted {
            let sid = attempt.call_sid.as_ref().expect("an accepted attempt has the carrier's id");
            assert!(dialled.contains(sid.as_str()), "attempt {} names a dial that the carrier never took", attempt.id);
        }
    }
    store.check_books().await.unwrap();
    store.verify_ledger().await.unwrap();
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
