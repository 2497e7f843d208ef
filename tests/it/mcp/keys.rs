//! Who gets in, what each may do, and what is written down about it.

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use clearline::app::WallClock;
use clearline::store::{AuditOutcome, Store};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::open_house;
use crate::server::Server;
use crate::vendors::Vendors;
use crate::{SELLER, VISITOR};

fn names(listed: &Value) -> Vec<&str> {
    listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn strangers_are_told_how_to_get_in_and_nothing_else() {
    let vendors = Vendors::start().await;
    let public = [("SERVER__PUBLIC_URL", "https://voice.example.com")];
    let server = Server::start(&vendors, &public).await;
    let key = server.settings().create_key("viewer").0;
    for nobody in ["", "clk_guess", "eyJhbGciOiJub25lIn0.e30."] {
        let answer = Client::new(&server.base, nobody).send("tools/list", json!({})).await;
        assert_eq!(answer.status, 401, "{nobody}");
        let wanted = "resource_metadata=\"https://voice.example.com/.well-known/oauth-protected-resource/mcp\"";
        assert!(answer.challenge.contains(wanted), "{}", answer.challenge);
    }
    let document = reqwest::get(format!("{}/.well-known/oauth-protected-resource/mcp", server.base)).await.unwrap();
    let document: Value = document.json().await.unwrap();
    assert_eq!(document["resource"], "https://voice.example.com/mcp");
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));

    let with = |name, value| Client::new(&server.base, &key).with_header(name, value);
    for (name, value, status) in [
        ("origin", "https://evil.example.com", 403),
        ("origin", "null", 403),
        ("origin", "https://voice.example.com", 200),
        ("host", "evil.example.com", 403),
        ("host", "voice.example.com", 200),
        ("x-nothing", "1", 200),
    ] {
        assert_eq!(with(name, value).send("tools/list", json!({})).await.status, status, "{name}: {value}");
    }
    let huge = json!({"name": "get_call_status", "arguments": {"call_id": "x".repeat(300 * 1024)}});
    assert_eq!(with("x-nothing", "1").send("tools/call", huge).await.status, 413);
    let nothing = with("x-nothing", "1").send("nothing/there", json!({})).await;
    assert_eq!((nothing.status, &nothing.body["error"]["code"]), (404, &json!(-32601)));
}

#[tokio::test]
async fn a_key_sees_and_uses_what_its_role_may_and_all_of_it_is_written_down() {
    let (vendors, server, admin) = open_house(&[]).await;
    vendors.ring("silent").await;
    let listed = admin.send("tools/list", json!({})).await.body;
    assert!(names(&listed).len() >= 29, "{:?}", names(&listed));
    assert_eq!(listed["result"]["cacheScope"], "private");

    let viewer = Client::new(&server.base, &server.settings().create_key("viewer").0);
    let seen = viewer.send("tools/list", json!({})).await.body;
    assert!(names(&seen).contains(&"get_call_status") && !names(&seen).contains(&"end_call"), "{:?}", names(&seen));
    let refused = viewer.error("initiate_call_with_compliance", json!({"to": SELLER})).await;
    assert_eq!((&refused["code"], &refused["details"]["scopes"]), (&json!("missing_scope"), &json!(["calls:write"])));

    let agent = Client::new(&server.base, &server.settings().create_key("agent").0);
    let emergency = json!({"to": SELLER, "purpose": "emergency"});
    assert_eq!(agent.error("initiate_call_with_compliance", emergency).await["code"], "missing_scope");
    let masked = agent.call("list_active_calls", json!({})).await.to_string();
    assert!(masked.contains("+1212•••0187") && !masked.contains(VISITOR), "{masked}");
    assert!(admin.call("list_active_calls", json!({})).await.to_string().contains(VISITOR));

    let careful = Client::new(&server.base, &server.settings().create_key_with("admin", &["calls:emergency"]).0)
        .with_header("x-mcp-readonly", "true");
    let seen = careful.send("tools/list", json!({})).await.body;
    assert!(!names(&seen).contains(&"add_to_dnc") && names(&seen).contains(&"check_dnc_status"));
    assert_eq!(careful.error("add_to_dnc", json!({"number": SELLER})).await["code"], "read_only");
    admin.call("add_to_dnc", json!({"number": SELLER})).await;

    let url = server.settings().value("STORE__URL");
    let store = Store::open(&url, &TaskTracker::new()).await.unwrap();
    let entries = store.list_audit(50).await.unwrap();
    let has = |action: &str, outcome, code: Option<&str>| {
        entries.iter().any(|entry| entry.action == action && entry.outcome == outcome && entry.code.as_deref() == code)
    };
    assert!(has("add_to_dnc", AuditOutcome::Done, None));
    assert!(has("add_to_dnc", AuditOutcome::Refused, Some("read_only")));
    assert!(has("initiate_call_with_compliance", AuditOutcome::Refused, Some("missing_scope")));
    assert!(has("list_active_calls", AuditOutcome::ReadNumbers, None));
    assert_eq!(entries.iter().filter(|entry| entry.action == "list_active_calls").count(), 1, "masked is not read");
}

#[tokio::test]
async fn a_key_dials_as_much_as_it_may() {
    let (vendors, server, _) = open_house(&[("LIMITS__CONCURRENT_CALLS", "1")]).await;
    let key = server.settings().create_key_with("admin", &["calls:emergency"]).0;
    let agent = Client::new(&server.base, &key);
    vendors.seat(SELLER, "silent").await;
    let to = |number: &str| json!({"to": number, "purpose": "emergency"});
    let (one, two) = tokio::join!(
        agent.result("initiate_call_with_compliance", to(SELLER)),
        agent.result("initiate_call_with_compliance", to("+12125550114")),
    );
    let refused: Vec<_> = [&one, &two].into_iter().filter(|result| result["isError"] == true).collect();
    assert_eq!(refused.len(), 1, "{one} {two}");
    assert!(refused[0].to_string().contains("limit_reached"));
    let rest = server.api.with_key(&key).post("/api/v1/calls", &to("+12125550115")).await;
    assert_eq!(rest.status, 429, "the same key at another door: {}", rest.body);
    let another = server.api.post("/api/v1/calls", &to("+12125550115")).await;
    assert_eq!(another.status, 202, "another key has limits of its own: {}", another.body);
}

#[tokio::test]
async fn a_single_key_has_limits_and_purposes_of_its_own() {
    // The keys of the tests: `tests` is the server's, `tests-1` the house's agent.
    let (vendors, server, _) = open_house(&[
        ("LIMITS__KEYS__TESTS-2__DIALS_PER_MINUTE", "1"),
        ("LIMITS__KEYS__TESTS-2__PURPOSES", "emergency,informational"),
    ])
    .await;
    let key = server.settings().create_key_with("admin", &["calls:emergency"]).0;
    let agent = Client::new(&server.base, &key);
    let to = |number: &str, purpose: &str| json!({"to": number, "purpose": purpose});
    let refused = agent.error("initiate_call_with_compliance", to(SELLER, "telemarketing")).await;
    assert_eq!(refused["code"], "purpose_not_allowed", "{refused}");
    let rest = server.api.with_key(&key).post("/api/v1/calls", &to(SELLER, "telemarketing")).await;
    assert_eq!(rest.status, 403, "{}", rest.body);
    assert!(rest.body["detail"].as_str().unwrap().contains("limits.keys"), "{}", rest.body);
    vendors.seat(SELLER, "silent").await;
    agent.call("initiate_call_with_compliance", to(SELLER, "emergency")).await;
    assert_eq!(agent.error("twilio_make_call", to("+12125550114", "emergency")).await["code"], "limit_reached");
    for number in ["+12125550115", "+12125550116"] {
        let another = server.api.post("/api/v1/calls", &to(number, "emergency")).await;
        assert_eq!(another.status, 202, "no limit holds another key: {}", another.body);
    }
}

#[tokio::test]
async fn a_key_dials_as_often_and_spends_as_much_as_it_may() {
    let rate = ("LIMITS__DIALS_PER_MINUTE", "1");
    let (vendors, _server, agent) = open_house(&[rate]).await;
    let to = |number: &str| json!({"to": number, "purpose": "emergency"});
    let blocked = json!({"to": SELLER, "purpose": "telemarketing"});
    assert_eq!(agent.error("initiate_call_with_compliance", blocked).await["code"], "compliance_blocked");
    agent.call("initiate_call_with_compliance", to(SELLER)).await;
    let refused = agent.error("twilio_make_call", to("+12125550114")).await;
    assert_eq!((&refused["code"], &refused["retryable"]), (&json!("limit_reached"), &json!(true)), "{refused}");
    vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await;
    assert_eq!(vendors.dials(), 1);

    let spend = [("LIMITS__COST_PER_MINUTE", "600"), ("LIMITS__SPEND_PER_DAY", "10")];
    let (vendors, server, agent) = open_house(&spend).await;
    vendors.seat(SELLER, "answer\nwait 2s\nhang up").await;
    let placed = agent.call("initiate_call_with_compliance", to(SELLER)).await;
    server.api.ended(placed["call_id"].as_str().unwrap()).await;
    let refused = agent.error("initiate_call_with_compliance", to("+12125550114")).await;
    assert_eq!(refused["code"], "limit_reached", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("spent"), "{refused}");
    assert_eq!(vendors.dials(), 1);
}

#[tokio::test]
async fn read_only_mode_is_the_operators_and_no_client_can_leave_it() {
    let (vendors, server, _) = open_house(&[("MCP__READ_ONLY", "true")]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;
    let key = server.settings().create_key_with("admin", &["calls:emergency"]).0;
    let client = Client::new(&server.base, &key).with_header("x-mcp-readonly", "false");
    let listed = client.send("tools/list", json!({})).await.body;
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert!(tools.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true), "{:?}", names(&listed));
    for (tool, arguments) in [
        ("end_call", json!({"call_id": call})),
        ("initiate_call_with_compliance", json!({"to": SELLER, "purpose": "emergency"})),
        ("add_to_dnc", json!({"number": SELLER})),
    ] {
        assert_eq!(client.error(tool, arguments).await["code"], "read_only", "{tool}");
    }
    assert_eq!(client.call("get_call_status", json!({"call_id": call})).await["state"], "in_progress");
    assert_eq!(vendors.dials(), 0);
}

#[tokio::test]
async fn sessions_belong_to_their_key_and_are_not_without_number() {
    let vendors = Vendors::start().await;
    let limits = [("MCP__MAX_SESSIONS", "3"), ("MCP__MAX_SESSIONS_PER_KEY", "2")];
    let server = Server::start(&vendors, &limits).await;
    let mine = server.settings().create_key("viewer").0;
    let made = server.settings().command().args(["keys", "create", "other", "--role", "viewer"]).output().unwrap();
    let other = String::from_utf8(made.stdout).unwrap().lines().next().unwrap().to_owned();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = |key: &str, session: Option<&str>, message: Value| {
        let request = http
            .post(format!("{}/mcp", server.base))
            .bearer_auth(key)
            .header("accept", "application/json, text/event-stream")
            .json(&message);
        match session {
            Some(id) => request.header("mcp-session-id", id),
            None => request,
        }
        .send()
    };
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params":
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let opened = send(&mine, None, initialize.clone()).await.unwrap();
    assert_eq!(opened.status(), 200);
    let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    drop(opened);
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(send(&mine, Some(&session), initialized.clone()).await.unwrap().status(), 202);
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    assert_eq!(send(&other, Some(&session), ping.clone()).await.unwrap().status(), 404, "as if there were none");
    assert_eq!(send(&mine, Some(&session), ping).await.unwrap().status(), 200);
    // Nor does another revision's header lead into somebody's session.
    for version in ["2026-07-28", "9999-12-31"] {
        let request = http.post(format!("{}/mcp", server.base)).bearer_auth(&other);
        let request =
            request.header("accept", "application/json, text/event-stream").header("mcp-session-id", &session);
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        let answer = request.header("mcp-protocol-version", version).json(&message).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{version}: {}", answer.status());
    }
    // A client cannot choose its session's name.
    let chosen = send(&other, Some("chosen-by-me"), initialize.clone()).await.unwrap();
    assert_eq!(chosen.status(), 404);
    for (key, status) in [(&other, 200), (&other, 200), (&other, 503), (&mine, 503)] {
        assert_eq!(send(key, None, initialize.clone()).await.unwrap().status(), status);
    }
    let ended = http.delete(format!("{}/mcp", server.base)).bearer_auth(&mine).header("mcp-session-id", &session);
    assert!(ended.send().await.unwrap().status().is_success());
    assert_eq!(send(&other, None, initialize.clone()).await.unwrap().status(), 503, "its own two are open");
    assert_eq!(send(&mine, None, initialize).await.unwrap().status(), 200, "there is room again");
    let without = Client::new(&server.base, &mine).send("tools/list", json!({})).await;
    assert_eq!(without.status, 200, "whoever needs no session finds room");
}

#[tokio::test]
async fn a_stream_ends_with_its_key() {
    let (_vendors, server, _) = open_house(&[]).await;
    let (key, id) = server.settings().create_key("viewer");
    let mut stream = Client::new(&server.base, &key).listen(&["calls://active"]).await;
    assert!(server.settings().run(&["keys", "revoke", &id]).status.success());
    while stream.next().await.is_some() {}
}

#[tokio::test]
async fn a_shutdown_ends_streams_and_sessions() {
    let (vendors, mut server, client) = open_house(&[]).await;
    let mut stream = client.listen(&["calls://active"]).await;
    server.terminate();
    while stream.next().await.is_some() {}
    assert!(server.exited().await.success());
    drop(vendors);
}

/// An authorization server of our own: signs tokens, and publishes its key.
async fn authorization_server(tasks: &TaskTracker) -> (String, impl Fn(&str, &str) -> String) {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let x = BASE64.encode(pair.public_key().as_ref());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x}]}).to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/.well-known/jwks.json", get(async move || keys));
    tasks.spawn(async move { axum::serve(listener, router).await });
    let own = issuer.clone();
    let sign = move |audience: &str, scope: &str| {
        let claims = json!({"iss": own, "aud": audience, "sub": "agent-7", "scope": scope,
            "exp": WallClock::real().now().as_second() + 600});
        let header = json!({"alg": "EdDSA", "kid": "k1"});
        let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = BASE64.encode(pair.sign(text.as_bytes()).as_ref());
        format!("{text}.{signature}")
    };
    (issuer, sign)
}

#[tokio::test]
async fn tokens_of_the_authorization_server_open_the_door_that_they_were_made_for() {
    let tasks = TaskTracker::new();
    let (issuer, sign) = authorization_server(&tasks).await;
    let audience = "https://voice.example.com/mcp";
    let own = [("SERVER__PUBLIC_URL", "https://voice.example.com"), ("MCP__OAUTH__ISSUER", issuer.as_str())];
    let (_vendors, server, _) = open_house(&own).await;
    let client = |token: String| Client::new(&server.base, &token);
    let reader = client(sign(audience, "calls:read"));
    assert_eq!(reader.call("list_active_calls", json!({})).await["count"], 0);
    let step_up = reader.send("tools/call", json!({"name": "end_call", "arguments": {}})).await;
    assert_eq!(step_up.status, 403);
    let wanted = "error=\"insufficient_scope\", scope=\"calls:read calls:control\"";
    assert!(step_up.challenge.contains(wanted), "{}", step_up.challenge);
    let clerk = client(sign(audience, "compliance:read"));
    let withheld = clerk.send("resources/read", json!({"uri": "calls://active"})).await.body;
    assert!(withheld["error"]["message"].as_str().unwrap().contains("needs the scope calls:read"), "{withheld}");
    let store = Store::open(&server.settings().value("STORE__URL"), &tasks).await.unwrap();
    let entries = store.list_audit(50).await.unwrap();
    for action in ["end_call", "resources/read"] {
        let entry = entries.iter().find(|entry| entry.action == action).unwrap();
        assert_eq!((entry.outcome, entry.code.as_deref()), (AuditOutcome::Refused, Some("missing_scope")), "{action}");
        assert!(entry.actor.name.starts_with("oauth:"), "{}", entry.actor);
    }
    let foreign = client(sign("https://other.example.com/mcp", "calls:read")).send("tools/list", json!({})).await;
    assert_eq!(foreign.status, 401);
    assert!(foreign.challenge.contains("another audience"), "{}", foreign.challenge);
    let document = reqwest::get(format!("{}/.well-known/oauth-protected-resource/mcp", server.base)).await.unwrap();
    assert_eq!(document.json::<Value>().await.unwrap()["authorization_servers"], json!([issuer]));
}
