//! Every door that can ring a phone, found by itself: none of them dials without a clearance. A door that is added without a row
//! here fails a test: the doors are those of the domain's own list, and the files that place calls are read from the source.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clearline::app::{PlaceCall, TransferCall, TransferTo, Transferring};
use clearline::domain::access::{Access, Role};
use clearline::domain::event::{Actor, Door};
use clearline::domain::{Purpose, ReasonCode};
use clearline::emulators::Entry;
use clearline::store::DecisionFilter;
use serde_json::json;

use super::gate::{Morning, codes};
use super::server::Server;
use super::vendors::Vendors;
use super::{SELLER, soon};

/// Every source file that names the one use case which dials, or redeems a clearance for an order to dial, and the test that shows
/// it refusing.
const PLACES: [(&str, &str); 8] = [
    ("src/app/place_call.rs", "every_door_is_refused_without_clearance_and_on_record"),
    ("src/app/run_tool.rs", "no_door_transfers_to_an_outside_number_without_clearance"),
    ("src/app/transfer_call.rs", "no_door_transfers_to_an_outside_number_without_clearance"),
    ("src/surfaces/api/calls.rs", "the_doors_that_are_built_refuse"),
    ("src/surfaces/api/transfer.rs", "no_door_transfers_to_an_outside_number_without_clearance"),
    // Plays its calls in front of everybody; its second one is blocked, and `demo --once` fails if it is not.
    ("src/surfaces/cli/demo.rs", "every_door_is_refused_without_clearance_and_on_record"),
    ("src/surfaces/mcp/tools/placing.rs", "mcp::tools::twilio_make_call_is_gated_like_every_other_door"),
    ("src/surfaces/mcp/tools/transfer_call.rs", "no_door_transfers_to_an_outside_number_without_clearance"),
];

/// How calls may come from a door.
enum Way {
    /// Through a file of `PLACES`.
    Places(&'static str),
    /// It speaks to another door.
    Through(Door),
    /// It never asks for a call.
    Never(&'static str),
}

/// A new door does not compile until it stands here.
fn way(door: Door) -> Way {
    match door {
        Door::Api => Way::Places("src/surfaces/api/calls.rs"),
        Door::Demo => Way::Places("src/surfaces/cli/demo.rs"),
        Door::Mcp => Way::Places("src/surfaces/mcp/tools/placing.rs"),
        Door::Cli | Door::Console => Way::Through(Door::Api),
        Door::Carrier => Way::Never("it brings calls in; an answer needs no order to dial"),
        // It talks in calls that there are, and may send them on.
        Door::Agent => Way::Places("src/app/run_tool.rs"),
        Door::System => Way::Never("restarts and retries reconcile, they never dial again"),
    }
}

fn files_with(words: &[&str]) -> BTreeMap<String, usize> {
    fn walk(folder: &Path, words: &[&str], found: &mut BTreeMap<String, usize>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, words, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let whole = fs::read_to_string(&path).unwrap();
                let code = whole.split("\n#[cfg(test)]\nmod ").next().unwrap();
                let code: Vec<_> = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
                let count = code.iter().filter(|line| words.iter().any(|word| line.contains(word))).count();
                if count > 0 {
                    found.insert(path.to_string_lossy().replace('\\', "/"), count);
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(Path::new("src"), words, &mut found);
    found
}

#[test]
fn every_place_that_dials_has_a_row() {
    let dialling = files_with(&[".place_call(", ".place_call_once(", ".transfer_call(", ".redeem("]);
    let rows: BTreeMap<_, _> = PLACES.into_iter().collect();
    let named: Vec<_> = dialling.keys().map(String::as_str).collect();
    assert_eq!(named, rows.keys().copied().collect::<Vec<_>>(), "a door was added or taken away: give it a row");
    for door in Door::ALL {
        match way(door) {
            Way::Places(file) => assert!(rows.contains_key(file), "{door}: {file} has no row"),
            Way::Through(other) => assert!(matches!(way(other), Way::Places(_)), "{door} goes through {other}"),
            Way::Never(why) => {
                assert!(!why.is_empty());
                let name = format!("Door::{door:?}");
                let file = PLACES.iter().find(|(file, _)| files_with(&[&name]).contains_key(*file));
                assert!(file.is_none(), "{name} never dials, they say, and {file:?} names it");
            }
        }
    }
}

#[tokio::test]
async fn every_door_is_refused_without_clearance_and_on_record() {
    let stage = Morning::start_paced(100.0).await;
    let app = &stage.server.app;
    for door in Door::ALL {
        let request = PlaceCall {
            to: SELLER.parse().unwrap(),
            agent: None,
            purpose: Access::from(Role::Admin).claim(Purpose::Telemarketing).unwrap(),
            lead_id: None,
            dynamic_variables: BTreeMap::new(),
            on_machine: None,
        };
        let placed = soon("the gate", app.place_call(request, Actor::new(door, "knocker"))).await.unwrap();
        assert!(!placed.decision.is_allowed(), "{door}");
        assert!(placed.decision.reasons().iter().any(|reason| reason.code == ReasonCode::ConsentMissing), "{door}");
        let recorded = app.store.decision(placed.decision_id).await.unwrap().unwrap();
        assert_eq!((recorded.actor, recorded.call_id), (Actor::new(door, "knocker"), Some(placed.call_id)));
    }
    let all = app.store.list_decisions(DecisionFilter::default(), None, 100).await.unwrap().items;
    assert_eq!(all.len(), Door::ALL.len());
    assert_eq!(stage.vendors.dials(), 0);
}

#[tokio::test]
async fn no_door_transfers_to_an_outside_number_without_clearance() {
    let stage = Morning::start_paced(100.0).await;
    let app = &stage.server.app;
    let sid = stage.vendors.ring("silent").await;
    let call_id = stage.api.call_of(&sid).await;
    stage.api.conversing(&call_id, 1).await;
    let call = app.live.by_id(call_id.parse().unwrap()).unwrap();
    for door in Door::ALL {
        let request = TransferCall { to: TransferTo::Number(SELLER.parse().unwrap()), briefing: None, purpose: None };
        let briefed = TransferCall { briefing: Some("A lead.".to_owned()), ..request.clone() };
        for request in [request, briefed] {
            let transferring = app.transfer_call(&call, Actor::new(door, "knocker"), request).await.unwrap();
            let Transferring::Blocked { decision_id, .. } = transferring else { panic!("{door}: {transferring:?}") };
            let recorded = app.store.decision(decision_id).await.unwrap().unwrap();
            assert_eq!((recorded.actor, recorded.call_id), (Actor::new(door, "knocker"), Some(call.id)));
        }
    }
    stage.vendors.end_at_carrier(&sid).await;
    stage.api.ended(&call_id).await;
    let rung = |entry: &Entry| entry.text("direction") == Some("outbound-dial");
    assert!(!stage.vendors.twilio.log().since(0).iter().any(rung) && stage.vendors.dials() == 0);
}

#[tokio::test]
async fn the_doors_that_are_built_refuse() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    // Api, with and without a key of its own for the request.
    let body = json!({"to": SELLER});
    for answer in [server.api.post("/api/v1/calls", &body).await, server.api.place_once(&body, "order-1").await] {
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert!(codes(&answer.body["error"]["details"]["reasons"]).contains(&"CONSENT_MISSING"));
    }
    // Cli.
    let (key, _) = server.settings().create_key("agent");
    let mut command = server.settings().command();
    command.env("CLEARLINE_API_KEY", key).args(["call", SELLER, "--server", &server.base]);
    let placed = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(placed.status.code(), Some(3), "{}", String::from_utf8_lossy(&placed.stderr));
    // Carrier and Agent: a whole inbound conversation brings no dial of ours with it.
    let sid = vendors.ring("wait for stream\nsilent for 500ms\nhang up").await;
    vendors.call_ended(&sid).await;
    assert_eq!(vendors.dials(), 0);
    let decisions = server.settings().run(&["ledger", "verify"]);
    let told = String::from_utf8_lossy(&decisions.stdout).into_owned();
    assert!(decisions.status.success() && told.contains("0 decisions allowed a dial, 0 attempts"), "{told}");
}
