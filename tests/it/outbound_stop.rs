//! The operators' stop of every outbound call: it binds at once, also what waits for its slot, and holds over a restart.

use serde_json::json;

use super::SELLER;
use super::gate::{Morning, codes};
use super::server::Server;
use super::vendors::Vendors;

#[tokio::test]
async fn a_stop_binds_the_next_dial_also_of_a_call_that_waits_with_its_clearance() {
    // One call in two seconds: the second waits for its slot, and its clearance is still good when it comes.
    let stage = Morning::start_paced(0.5).await;
    let (second, third) = ("+12125550114", "+12125550115");
    for number in [SELLER, second, third] {
        stage.permit(number).await;
    }
    let first = stage.api.post("/api/v1/calls", &json!({"to": SELLER})).await;
    let waiting = stage.api.post("/api/v1/calls", &json!({"to": second})).await;
    assert_eq!((first.status, waiting.status), (202, 202), "{}", waiting.body);

    let stopped = stage.api.post("/api/v1/outbound/stop", &json!({"reason": "a wrong list"})).await;
    assert_eq!((stopped.status, &stopped.body["stopped"]), (200, &json!(true)), "{}", stopped.body);
    let waited = stage.api.ended(waiting.body["call_id"].as_str().unwrap()).await;
    assert_eq!((&waited["disposition"], stage.vendors.dials()), (&json!("blocked"), 1), "{waited}");
    let decision = stage.api.get(&format!("/api/v1/decisions/{}", waited["decision_id"].as_str().unwrap())).await.body;
    assert_eq!(decision["reason_code"], "OUTBOUND_STOPPED", "{decision}");
    let blocked = stage.api.post("/api/v1/calls", &json!({"to": third})).await;
    assert_eq!(codes(&blocked.body["error"]["details"]["reasons"])[0], "OUTBOUND_STOPPED");

    let again = stage.api.post("/api/v1/outbound/stop", &json!({"reason": "me too"})).await;
    assert_eq!(again.body["reason"], "a wrong list", "the first stop stands");
    let released = stage.api.post("/api/v1/outbound/release", &json!({"reason": "mended"})).await;
    assert_eq!((&released.body["stopped"], &released.body["was_stopped"]), (&json!(false), &json!(true)));
    assert_eq!(stage.api.post("/api/v1/calls", &json!({"to": third})).await.status, 202);
    let history = stage.api.get("/api/v1/outbound").await.body;
    let actions: Vec<_> = history["history"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, [json!("outbound_released"), json!("outbound_stopped")]);
}

/// An opt-out binds as a stop does, also a call that waits.
#[tokio::test]
async fn an_opt_out_binds_a_call_that_waits_with_its_clearance() {
    let stage = Morning::start_paced(0.5).await;
    let second = "+12125550114";
    stage.permit(SELLER).await;
    stage.permit(second).await;
    assert_eq!(stage.api.post("/api/v1/calls", &json!({"to": SELLER})).await.status, 202);
    let waiting = stage.api.post("/api/v1/calls", &json!({"to": second})).await;
    assert_eq!(waiting.status, 202, "{}", waiting.body);
    assert_eq!(
        stage.api.post("/api/v1/consents/revoke", &json!({"number": second, "words": "stop"})).await.status,
        201
    );
    let waited = stage.api.ended(waiting.body["call_id"].as_str().unwrap()).await;
    assert_eq!((&waited["disposition"], stage.vendors.dials()), (&json!("blocked"), 1), "{waited}");
}

#[tokio::test]
async fn a_stop_from_the_command_line_binds_a_running_server_and_holds_over_a_restart() {
    let vendors = Vendors::start().await;
    let mut server = Server::start(&vendors, &[]).await;
    let stopped = server.settings().run(&["outbound", "stop", "--reason", "fire drill"]);
    assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
    let first = async |server: &Server| {
        let answer = server.api.post("/api/v1/calls", &json!({"to": SELLER})).await;
        codes(&answer.body["error"]["details"]["reasons"])[0].to_owned()
    };
    assert_eq!(first(&server).await, "OUTBOUND_STOPPED");
    server.kill();
    server.start_again().await;
    assert_eq!(first(&server).await, "OUTBOUND_STOPPED");
    let shown = server.settings().run(&["outbound", "show"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("by operator (cli): fire drill"));
    let released = server.settings().run(&["outbound", "release", "--reason", "over"]);
    assert!(released.status.success());
    assert_ne!(first(&server).await, "OUTBOUND_STOPPED");

    let (agent, _) = server.settings().create_key("agent");
    let agent = server.api.with_key(&agent);
    assert_eq!(agent.post("/api/v1/outbound/stop", &json!({"reason": "x"})).await.status, 403);
    assert_eq!(server.api.post("/api/v1/outbound/stop", &json!({"reason": " "})).await.status, 422);
    assert_eq!(vendors.dials(), 0);
}
