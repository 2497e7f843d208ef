//! Keys and roles: who may do what, and who sees whose number.

use serde_json::json;

use super::server::{Server, Settings};
use super::vendors::Vendors;
use super::{OFFICE, SELLER, VISITOR, soon};

#[tokio::test]
async fn without_a_valid_key_there_is_nothing_to_see() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let (key, id) = server.settings().create_key("viewer");
    let viewer = server.api.with_key(&key);
    assert_eq!(viewer.get("/api/v1/calls").await.status, 200);
    for nobody in ["", "clk_guess", &format!("{key}x"), &key[..key.len() - 1]] {
        let nobody = server.api.with_key(nobody);
        for path in ["/api/v1/calls", "/api/v1/calls/call_1", "/api/v1/calls/call_1/transcript", "/api/v1/events"] {
            let answer = nobody.get(path).await;
            assert_eq!((answer.status, answer.content_type.as_str()), (401, "application/problem+json"), "{path}");
        }
        for path in ["/api/v1/calls", "/api/v1/calls/call_1/end", "/api/v1/check", "/api/v1/consents", "/api/v1/dnc"] {
            assert_eq!(nobody.post(path, &json!({})).await.status, 401, "{path}");
        }
    }
    let revoked = server.settings().run(&["keys", "revoke", &id]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    assert_eq!(viewer.get("/api/v1/calls").await.status, 401, "revoked while the server runs");
    let listed = server.settings().run(&["keys", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(&id) && listed.contains("revoked") && !listed.contains(&key), "{listed}");
}

#[tokio::test]
async fn each_role_may_do_its_own_things_and_no_more() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    let place = json!({"to": SELLER, "dry_run": true});
    let consent = json!({"number": SELLER, "kind": "written", "scope": ["telemarketing"],
        "given_at": "2026-01-05T12:00:00Z", "evidence": {"method": "paper", "text": "Yes."}});
    let (end, dnc) = (format!("/api/v1/calls/{call}/end"), json!({"number": "+12125550155"}));
    // What a role may do: ask for a call, record permissions and refusals, end a call.
    for (role, expected) in
        [("viewer", [403, 403, 403, 403]), ("agent", [200, 201, 201, 202]), ("operator", [403, 201, 201, 202])]
    {
        let api = server.api.with_key(&server.settings().create_key(role).0);
        let statuses = [
            api.post("/api/v1/calls", &place).await.status,
            api.post("/api/v1/consents", &consent).await.status,
            api.post("/api/v1/dnc", &dnc).await.status,
            api.post(&end, &json!({})).await.status,
        ];
        // Ending a call that an earlier role ended is fine, and answered with the call.
        let last = if expected[3] == 202 && statuses[3] == 200 { 202 } else { statuses[3] };
        assert_eq!([statuses[0], statuses[1], statuses[2], last], expected, "{role}");
        assert_eq!(api.get(&format!("/api/v1/calls/{call}")).await.status, 200, "{role}");
    }
    assert_eq!(vendors.dials(), 0);
}

#[tokio::test]
async fn an_emergency_is_claimed_only_with_a_scope_that_no_role_has() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[("COMPLIANCE__PURPOSES", "emergency")]).await;
    let place = json!({"to": SELLER, "purpose": "emergency"});
    for role in ["agent", "admin"] {
        let api = server.api.with_key(&server.settings().create_key(role).0);
        let refused = api.post("/api/v1/calls", &place).await;
        assert_eq!((refused.status, &refused.body["scope"]), (403, &json!("calls:emergency")), "{}", refused.body);
    }
    assert_eq!(server.api.get("/api/v1/calls").await.body["calls"], json!([]), "nothing was written down");
    vendors.seat(SELLER, "hang up").await;
    let (key, _) = server.settings().create_key_with("agent", &["calls:emergency"]);
    let placed = server.api.with_key(&key).post("/api/v1/calls", &place).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    server.api.ended(placed.body["call_id"].as_str().unwrap()).await;
    let listed = String::from_utf8(server.settings().run(&["keys", "list"]).stdout).unwrap();
    assert!(listed.contains("agent+calls:emergency"), "{listed}");
    let unknown = server.settings().run(&["keys", "create", "tests", "--grant", "calls:everything"]);
    assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("a scope is like"));

    // The scope alone does not do where the operator does not allow the purpose, which is the default.
    let server = Server::start(&vendors, &[]).await;
    let refused = server.api.post("/api/v1/calls", &place).await;
    assert!(refused.body["type"].as_str().unwrap().ends_with("/purpose-not-allowed"), "{}", refused.body);
    assert_eq!(vendors.dials(), 1);
}

#[tokio::test]
async fn the_key_of_the_servers_environment_is_an_administrators_and_is_kept_nowhere() {
    const KEY: &str = "a key from the environment of the server";
    let vendors = Vendors::start().await;
    let settings = Settings::new(&vendors, &[]).with_variable("CLEARLINE_API_KEY", KEY);
    let server = Server::start_with(settings.clone()).await;
    let api = server.api.with_key(KEY);
    assert_eq!(api.post("/api/v1/dnc", &json!({"number": SELLER})).await.status, 201);
    let asked = api.post("/api/v1/check", &json!({"number": SELLER})).await;
    let decision = asked.body["decision_id"].as_str().unwrap();
    let recorded = api.get(&format!("/api/v1/decisions/{decision}")).await.body;
    assert_eq!((&recorded["actor"]["name"], &recorded["number"]), (&json!("environment"), &json!(SELLER)));
    let emergency = api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(emergency.body["scope"], "calls:emergency");
    for other in ["", "a key from the environment of the serve", &KEY.to_uppercase()] {
        assert_eq!(server.api.with_key(other).get("/api/v1/calls").await.status, 401, "{other}");
    }
    let listed = String::from_utf8(settings.run(&["keys", "list"]).stdout).unwrap();
    assert_eq!(listed.lines().count(), 1, "the key of the tests alone: {listed}");
    assert!(!server.log().contains(KEY));

    // A key that was made keeps its role there, and a revoked one stays revoked.
    let (viewer, id) = settings.create_key("viewer");
    let again = Server::start_with(settings.clone().with_variable("CLEARLINE_API_KEY", &viewer)).await;
    assert_eq!(again.api.with_key(&viewer).post("/api/v1/dnc", &json!({"number": SELLER})).await.status, 403);
    assert!(settings.run(&["keys", "revoke", &id]).status.success());
    assert_eq!(again.api.with_key(&viewer).get("/api/v1/calls").await.status, 401);
    assert_eq!(again.api.with_key(KEY).get("/api/v1/calls").await.status, 401);

    let weak = settings.with_variable("CLEARLINE_API_KEY", "short").run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!weak.status.success());
    assert!(String::from_utf8_lossy(&weak.stderr).contains("too short"), "{}", String::from_utf8_lossy(&weak.stderr));
}

#[tokio::test]
async fn numbers_are_shown_to_people_who_need_them_and_never_logged() {
    let vendors = Vendors::start().await;
    let mut server = Server::start(&vendors, &[("LOG__LEVEL", "trace")]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;
    vendors.end_at_carrier(&sid).await;
    server.api.ended(&call).await;
    for (role, sees) in [("viewer", false), ("agent", false), ("operator", true), ("admin", true)] {
        let (key, _) = server.settings().create_key(role);
        let api = server.api.with_key(&key);
        let one = api.get(&format!("/api/v1/calls/{call}")).await.body;
        let list = api.get("/api/v1/calls").await.body["calls"][0].clone();
        let created = api.event("the call's first event", |entry| entry["event"]["type"] == "created").await;
        for shown in [&one, &list, &created["event"]] {
            assert_eq!((shown["from"] == VISITOR, shown["to"] == OFFICE), (sees, sees), "{role}: {shown}");
            let leaks = [VISITOR, OFFICE].iter().any(|number| shown.to_string().contains(&number[1..]));
            assert_eq!(leaks, sees, "{role}: {shown}");
        }
    }
    server.terminate();
    assert_eq!(server.exited().await.code(), Some(0));
    let log = server.log();
    assert!(!log.contains('\u{1b}'), "colours are for terminals");
    assert!(log.contains("call ended"), "{log}");
    for secret in [&VISITOR[1..], &OFFICE[1..], super::AUTH_TOKEN] {
        let leak = log.lines().find(|line| line.contains(secret));
        assert_eq!(leak, None);
    }
}

#[tokio::test]
async fn when_a_key_was_last_used_is_told() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let (key, id) = server.settings().create_key("viewer");
    let listed = || {
        let output = server.settings().run(&["keys", "list"]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find(|line| line.contains(&id)).unwrap().to_owned()
    };
    assert!(listed().contains("last used never"), "{}", listed());
    assert_eq!(server.api.with_key(&key).get("/api/v1/calls").await.status, 200);
    soon("the use on record", async {
        while listed().contains("never") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_is_one_keys_until_it_is_revoked() {
    let vendors = Vendors::start().await;
    let settings = Settings::new(&vendors, &[]);
    let (_, id) = settings.create_key("agent");
    let create = |name: &str| {
        let made = settings.run(&["keys", "create", name, "--role", "viewer"]);
        (made.status.success(), String::from_utf8(made.stderr).unwrap())
    };
    let (made, why) = create("tests");
    assert!(!made && why.contains("a key is called `tests` already") && why.contains("keys revoke"), "{why}");
    let (made, why) = create("environment");
    assert!(!made && why.contains("CLEARLINE_API_KEY"), "{why}");
    assert!(settings.run(&["keys", "revoke", &id]).status.success());
    assert!(create("tests").0, "the name is free again");
}
