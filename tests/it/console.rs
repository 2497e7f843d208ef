//! The console's door: who gets in, what a browser may be made to do, who may act, and what is written down.

use futures_util::StreamExt as _;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::server::Server;
use super::vendors::Vendors;
use super::{SELLER, VISITOR, soon};

/// A browser, as far as cookies and origins go.
pub(super) struct Browser {
    http: Client,
    base: String,
    cookie: String,
    csrf: String,
}

impl Browser {
    pub(super) fn new(base: &str) -> Self {
        let http = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { http, base: base.to_owned(), cookie: String::new(), csrf: String::new() }
    }

    pub(super) async fn sign_in(&mut self, field: &str, secret: &str) -> Response {
        let form = [(field, secret), ("next", "/console/health")];
        let request = self.http.post(format!("{}/console/sign-in", self.base)).header("origin", &self.base).form(&form);
        let answer = soon("the door", request.send()).await.unwrap();
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            cookie.to_str().unwrap().split(';').next().unwrap().clone_into(&mut self.cookie);
            let page = self.get("/console").await.text().await.unwrap();
            page.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap().clone_into(&mut self.csrf);
        }
        answer
    }

    /// As the page's switch does.
    fn show_numbers(&mut self) {
        self.cookie.push_str("; clearline_numbers=full");
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}{path}", self.base)).header(COOKIE, &self.cookie);
        soon(path, request.send()).await.unwrap()
    }

    pub(super) async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> u16 {
        self.post_with(path, body, &self.csrf).await
    }

    async fn post_with(&self, path: &str, body: &Value, csrf: &str) -> u16 {
        let request = self.http.post(format!("{}{path}", self.base)).header(COOKIE, &self.cookie);
        let request = if csrf.is_empty() { request } else { request.header("x-csrf-token", csrf) };
        soon(path, request.json(body).send()).await.unwrap().status().as_u16()
    }
}

async fn signed_in(server: &Server, role: &str) -> Browser {
    let mut browser = Browser::new(&server.base);
    let answer = browser.sign_in("key", &server.settings().create_key(role).0).await;
    assert_eq!(answer.status(), 303);
    browser
}

#[tokio::test]
async fn a_key_opens_the_door_until_it_is_revoked_or_signed_out() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let mut browser = Browser::new(&server.base);
    for path in ["/console", "/console/calls", "/console/audit"] {
        let answer = browser.get(path).await;
        let to = answer.headers()[LOCATION].to_str().unwrap();
        assert_eq!((answer.status().as_u16(), to.starts_with("/console/sign-in?next=")), (303, true), "{path}");
    }
    for path in ["/console/data/live", "/console/data/health", "/console/data/audit", "/console/data/decisions"] {
        assert_eq!(browser.get(path).await.status(), 401, "{path}");
    }
    assert_eq!(browser.sign_in("key", "clk_guess").await.status(), 401);
    assert_eq!(browser.sign_in("token", "guess").await.status(), 401);

    let (key, id) = server.settings().create_key("operator");
    let answer = browser.sign_in("key", &key).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()[LOCATION]), (303, &"/console/health".parse().unwrap()));
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains(&key), "{cookie}");
    let page = browser.get("/console").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()["cache-control"], "no-store");
    let page = page.text().await.unwrap();
    assert!(!page.contains("style=") && !page.contains("onclick="), "{page}");

    let mut other = Browser::new(&server.base);
    other.sign_in("key", &key).await;
    assert_eq!(other.post("/console/sign-out", &json!({})).await, 204);
    assert_eq!(other.get("/console/data/live").await.status(), 401, "signed out");
    assert_eq!(browser.get("/console/data/live").await.status(), 200, "the other browser is not");
    assert!(server.settings().run(&["keys", "revoke", &id]).status.success());
    assert_eq!(browser.get("/console/data/live").await.status(), 401, "the key was revoked");
    assert!(!server.log().contains(&key));
}

#[tokio::test]
async fn a_printed_link_signs_one_browser_in_once() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let link = server.printed("/console/sign-in?token=").await;
    let token = link.split("token=").nth(1).unwrap();
    let mut browser = Browser::new(&server.base);
    // Looking at the link, as a mail scanner or a preview does, does not use it up.
    assert!(browser.get(&format!("/console/sign-in?token={token}")).await.text().await.unwrap().contains(token));
    assert_eq!(browser.sign_in("token", token).await.status(), 303);
    assert_eq!(browser.get("/console/data/live").await.status(), 200);
    let mut second = Browser::new(&server.base);
    assert_eq!(second.sign_in("token", token).await.status(), 401);
    assert!(!server.log().contains(token));
}

#[tokio::test]
async fn another_sites_page_cannot_act_through_the_browser() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let browser = signed_in(&server, "admin").await;
    let dnc = json!({"number": SELLER});
    assert_eq!(browser.post_with("/api/v1/dnc", &dnc, "").await, 403);
    assert_eq!(browser.post_with("/api/v1/dnc", &dnc, "0000").await, 403);
    assert_eq!(browser.post_with("/api/v1/outbound/stop", &json!({"reason": "x"}), "").await, 403);
    let other = signed_in(&server, "admin").await;
    assert_eq!(browser.post_with("/api/v1/dnc", &dnc, &other.csrf).await, 403, "another session's token");
    assert_eq!(browser.post("/api/v1/dnc", &dnc).await, 201);
    // Signing a browser in from elsewhere would show its user's doings to whoever holds the key.
    let key = server.settings().create_key("admin").0;
    for origin in [Some("https://evil.example"), Some("null"), None] {
        let request = browser.http.post(format!("{}/console/sign-in", server.base)).form(&[("key", key.as_str())]);
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        assert_eq!(soon("the door", request.send()).await.unwrap().status(), 403, "{origin:?}");
    }
    assert_eq!(browser.json("/console/data/status").await["stop"], Value::Null);
}

#[tokio::test]
async fn a_viewer_sees_masked_numbers_and_cannot_act_and_every_action_has_a_name_in_the_log() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    let mut viewer = signed_in(&server, "viewer").await;
    // Asking for numbers in full gives them to those who may read them.
    viewer.show_numbers();
    let live = viewer.json("/console/data/live").await;
    assert_eq!(live["calls"][0]["id"], call.as_str());
    for path in ["/console/data/live", "/console/data/decisions", &format!("/console/data/calls/{call}")] {
        let text = viewer.get(path).await.text().await.unwrap();
        assert!(!text.contains(VISITOR), "{path}: {text}");
    }
    let (end, mark) = (format!("/api/v1/calls/{call}/end"), format!("/console/actions/calls/{call}/do-not-call"));
    for path in [end.as_str(), &mark, "/api/v1/outbound/stop", "/api/v1/outbound/release"] {
        assert_eq!(viewer.post(path, &json!({})).await, 403, "{path}");
    }
    assert_eq!(viewer.get("/console/data/audit").await.status(), 403);

    let mut operator = signed_in(&server, "operator").await;
    let live = operator.json("/console/data/live").await;
    assert_eq!(live["calls"][0]["from"], "+1212•••0187");
    operator.show_numbers();
    let live = operator.json("/console/data/live").await;
    assert_eq!(live["calls"][0]["from"], VISITOR);
    assert_eq!(operator.post(&mark, &json!({})).await, 200);
    let known = server.settings().run(&["check", VISITOR, "--json"]);
    assert!(String::from_utf8(known.stdout).unwrap().contains("INTERNAL_DNC"));
    assert_eq!(operator.post(&end, &json!({})).await, 202);
    server.api.ended(&call).await;
    let asked = server.api.event_of(&call, "hang_up_requested").await;
    assert_eq!(asked["by"]["door"], "console", "{asked}");

    let log = operator.json("/console/data/audit").await;
    let entries = log["entries"].as_array().unwrap();
    let told = |action: &str, outcome: &str| {
        let fits = |entry: &&Value| entry["action"].as_str().unwrap().contains(action) && entry["outcome"] == outcome;
        entries.iter().filter(fits).map(|entry| entry["by"]["door"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(told("/end", "refused"), ["console"]);
    assert_eq!(told("/end", "done"), ["console"]);
    assert_eq!(told("/do-not-call", "done"), ["console"]);
    assert_eq!(told("/stop", "refused"), ["console"]);
    assert_eq!(told("sign in", "done").len(), 2);
    assert!(entries.iter().any(|entry| entry["call_id"] == call.as_str() && entry["code"] == "missing-scope"));
}

#[tokio::test]
async fn refusals_are_found_behind_pages_of_other_decisions() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[("COMPLIANCE__PURPOSES", "telemarketing,emergency")]).await;
    let refused = json!({"to": SELLER});
    assert_eq!(server.api.post("/api/v1/calls", &refused).await.status, 403);
    for _ in 0..101 {
        let asked = json!({"number": SELLER, "purpose": "emergency"});
        assert_eq!(server.api.post("/api/v1/check", &asked).await.body["decision"], "allow");
    }
    let operator = signed_in(&server, "operator").await;
    let list = async |query: &str| {
        let page = operator.json(&format!("/console/data/decisions?{query}")).await;
        let decisions = page["decisions"].as_array().unwrap().len();
        (decisions, page["next_cursor"].is_null(), page["counts"]["denied"].clone())
    };
    assert_eq!(list("").await, (100, false, json!(1)));
    assert_eq!(list("answer=deny").await, (1, true, json!(1)));
    assert_eq!(list("answer=deny&reason=CONSENT_MISSING").await, (1, true, json!(1)));
    assert_eq!(list("reason=INTERNAL_DNC").await, (0, true, json!(1)));
    assert_eq!(list("answer=allow").await.0, 100);
    for nonsense in ["reason=NONSENSE", "answer=refused"] {
        assert_eq!(operator.get(&format!("/console/data/decisions?{nonsense}")).await.status(), 400);
    }
}

#[tokio::test]
async fn the_evidence_for_a_call_is_one_download_for_those_who_may_see_numbers() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let refused = server.api.post("/api/v1/calls", &json!({"to": SELLER})).await;
    assert_eq!(refused.status, 403);
    let call = server.api.get("/api/v1/calls").await.body["calls"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/console/data/calls/{call}/evidence");
    assert_eq!(signed_in(&server, "viewer").await.get(&path).await.status(), 403);

    let operator = signed_in(&server, "operator").await;
    let answer = operator.get(&path).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/zip".parse().unwrap())
    );
    let bytes = answer.bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let read = |archive: &mut zip::ZipArchive<_>, name: &str| {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut archive.by_name(name).unwrap(), &mut text).unwrap();
        text
    };
    let evidence: Value = serde_json::from_str(&read(&mut archive, "evidence.json")).unwrap();
    assert_eq!(
        (&evidence["scope"]["call_id"], &evidence["decisions"][0]["call"]["to"]),
        (&json!(call), &json!(SELLER))
    );
    assert!(read(&mut archive, "evidence.html").contains("</html>"));
    assert!(
        archive.file_names().any(|name| name.is_ok_and(|name| name.starts_with("rules/"))),
        "{:?}",
        archive.file_names().collect::<Vec<_>>()
    );

    let log = operator.json("/console/data/audit").await;
    let taken = log["entries"].as_array().unwrap().iter().find(|entry| entry["action"] == "take the evidence").unwrap();
    assert_eq!((&taken["outcome"], &taken["call_id"]), (&json!("read_numbers"), &json!(call)));

    let inbound = server.api.call_of(&vendors.ring("silent").await).await;
    let none = operator.get(&format!("/console/data/calls/{inbound}/evidence")).await;
    assert_eq!(none.status(), 404);
    assert!(none.text().await.unwrap().contains("never asked"));
}

#[tokio::test]
async fn a_key_has_its_limits_in_the_browser_too() {
    let vendors = Vendors::start().await;
    let settings = [("LIMITS__DIALS_PER_MINUTE", "1"), ("COMPLIANCE__PURPOSES", "telemarketing,emergency")];
    let server = Server::start(&vendors, &settings).await;
    let mut browser = Browser::new(&server.base);
    let key = server.settings().create_key_with("agent", &["calls:emergency"]).0;
    assert_eq!(browser.sign_in("key", &key).await.status(), 303);
    let call = json!({"to": SELLER, "purpose": "emergency"});
    assert_eq!(browser.post("/api/v1/calls", &call).await, 202);
    assert_eq!(browser.post("/api/v1/calls", &json!({"to": "+12125550114", "purpose": "emergency"})).await, 429);
    vendors.twilio_saw("the dial", |entry| entry.event == "call_created").await;
    assert_eq!(vendors.dials(), 1);
}

#[tokio::test]
async fn a_cookie_that_was_planted_never_becomes_a_session() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let key = server.settings().create_key("operator").0;
    let planted = "clearline_session=chosen-by-somebody-else";
    let mut browser = Browser { cookie: planted.to_owned(), ..Browser::new(&server.base) };
    let request = browser.http.post(format!("{}/console/sign-in", server.base)).header("origin", &server.base);
    let request = request.header(COOKIE, planted).form(&[("key", key.as_str())]);
    let answer = soon("the door", request.send()).await.unwrap();
    let given = answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_ne!(given, planted);
    assert_eq!(browser.get("/console/data/live").await.status(), 401, "the planted one opens nothing");
    browser.cookie = given;
    assert_eq!(browser.get("/console/data/live").await.status(), 200);
    // Each sign-in has a session of its own.
    let again = browser.sign_in("key", &key).await;
    assert!(again.status().is_redirection());
    let mut third = Browser::new(&server.base);
    third.sign_in("key", &key).await;
    assert_ne!((&third.cookie, &third.csrf), (&browser.cookie, &browser.csrf));
}

/// The journal's events as a browser's feed gets them, until `enough` says so: each with its place.
async fn feed(browser: &Browser, last: Option<&str>, mut enough: impl FnMut(&str, &Value) -> bool) -> Vec<i64> {
    let request = browser.http.get(format!("{}/api/v1/events", browser.base)).header(COOKIE, &browser.cookie);
    let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
    let mut answer = soon("the feed", request.send()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let read = async {
        let (mut text, mut seen) = (String::new(), Vec::new());
        loop {
            text.push_str(std::str::from_utf8(&answer.chunk().await.unwrap().expect("the feed goes on")).unwrap());
            while let Some(end) = text.find("\n\n") {
                let block: String = text.drain(..end + 2).collect();
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
                let entry: Value = serde_json::from_str(field("data:")).unwrap_or_default();
                seen.extend(field("id:").parse::<i64>());
                if enough(field("event:"), &entry) {
                    return seen;
                }
            }
        }
    };
    soon("events", read).await
}

#[tokio::test]
async fn a_feed_that_was_cut_goes_on_after_the_last_event_seen() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let browser = signed_in(&server, "viewer").await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    let kind = |entry: &Value| entry["event"]["type"].as_str().unwrap_or_default().to_owned();
    let mut seen = feed(&browser, Some("0"), |_, entry| kind(entry) == "stream_started").await;
    // Cut; the call goes on and ends.
    server.api.conversing(&call, 1).await;
    vendors.end_at_carrier(&sid).await;
    server.api.ended(&call).await;
    let last = seen.last().unwrap().to_string();
    seen.extend(feed(&browser, Some(&last), |_, entry| kind(entry) == "ended").await);
    let kept = browser.json(&format!("/console/data/calls/{call}")).await;
    let kept: Vec<_> = kept["events"].as_array().unwrap().iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
    assert_eq!(seen, kept[..seen.len()], "each once, in order");
    assert!(kept.len() - seen.len() <= 2, "late facts at most: {seen:?} of {kept:?}");

    // Of another journal: the browser is told to begin anew. What is no place at all is as good as none.
    feed(&browser, Some("999999"), |event, _| event == "reset").await;
    let rings = async {
        loop {
            vendors.ring("silent").await;
        }
    };
    let seen = tokio::select! {
        seen = feed(&browser, Some("nonsense"), |event, _| event == "call_event") => seen,
        () = rings => unreachable!("it rings for ever"),
    };
    assert!(seen.iter().all(|seq| seq > kept.last().unwrap()), "{seen:?}");
}

#[tokio::test]
async fn what_is_open_ends_with_the_key_behind_it() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let call = server.api.call_of(&vendors.ring("silent").await).await;
    server.api.conversing(&call, 1).await;
    let (key, id) = server.settings().create_key("operator");
    let mut browser = Browser::new(&server.base);
    browser.sign_in("key", &key).await;
    let request = browser.http.get(format!("{}/api/v1/events", browser.base)).header(COOKIE, &browser.cookie);
    let mut feed = soon("the feed", request.send()).await.unwrap();
    let own = server.api.with_key(&key);
    let mut listener = own.socket(&format!("/api/v1/calls/{call}/listen")).await.unwrap();
    let mut operator = own.socket(&format!("/api/v1/calls/{call}/take-over")).await.unwrap();
    assert_eq!(server.api.event_of(&call, "taken_over").await["by"]["name"], "tests-1");

    assert!(server.settings().run(&["keys", "revoke", &id]).status.success());
    soon("the end of the feed", async { while feed.chunk().await.is_ok_and(|piece| piece.is_some()) {} }).await;
    for socket in [&mut listener, &mut operator] {
        soon("the end of a socket", async { while socket.next().await.is_some_and(|message| message.is_ok()) {} })
            .await;
    }
    server.api.event_of(&call, "handed_back").await;
}

#[tokio::test]
async fn both_sides_are_measured_while_somebody_looks() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let call = server.api.call_of(&vendors.ring("pattern").await).await;
    let viewer = signed_in(&server, "viewer").await;
    let path = format!("/console/data/meters?ids=nonsense,{call}");
    let heard = async {
        loop {
            let reading = viewer.json(&path).await["meters"][&call].clone();
            if reading["caller"].as_f64() > Some(0.0) && reading["agent"].as_f64() > Some(0.0) {
                break reading;
            }
        }
    };
    let reading = soon("both sides", heard).await;
    assert!(reading["relay_p99_us"].as_u64() >= reading["relay_p50_us"].as_u64(), "{reading}");
    assert!(reading["caller"].as_f64() <= Some(1.0) && reading["agent"].as_f64() <= Some(1.0), "{reading}");
    server.api.post(&format!("/api/v1/calls/{call}/end"), &json!({})).await;
    server.api.ended(&call).await;
    assert_eq!(viewer.json(&path).await["meters"], json!({}));
    assert_eq!(viewer.get("/console/data/meters").await.status(), 400);
}

#[tokio::test]
async fn stop_all_holds_across_a_restart_until_it_is_released() {
    let vendors = Vendors::start().await;
    let mut server = Server::start(&vendors, &[]).await;
    let operator = signed_in(&server, "operator").await;
    assert_eq!(operator.post("/api/v1/outbound/stop", &json!({"reason": "a complaint"})).await, 200);
    server.kill();
    server.start_again().await;
    let moved = Browser { base: server.base.clone(), ..operator };
    let status = moved.json("/console/data/status").await;
    assert_eq!(status["stop"]["by"]["door"], "console", "the session holds too: {status}");
    let asked = json!({"number": SELLER});
    let check = server.api.post("/api/v1/check", &asked).await.body;
    assert_eq!(check["reason_code"], "OUTBOUND_STOPPED");
    assert_eq!(moved.post("/api/v1/outbound/release", &json!({"reason": "settled"})).await, 200);
    let check = server.api.post("/api/v1/check", &asked).await.body;
    assert_ne!(check["reason_code"], "OUTBOUND_STOPPED");
}

#[tokio::test]
async fn assets_are_kept_for_good_under_their_digest() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let browser = Browser::new(&server.base);
    let page = browser.get("/console/sign-in").await.text().await.unwrap();
    let style = page.split("href=\"").find(|rest| rest.contains("console.css")).unwrap();
    let style = style.split('"').next().unwrap();
    let answer = browser.get(style).await;
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    let etag = answer.headers()["etag"].clone();
    let again = browser.http.get(format!("{}{style}", server.base)).header("if-none-match", etag);
    assert_eq!(soon("the style", again.send()).await.unwrap().status(), 304);
    let old = browser.get("/console/assets/0123456789abcdef/console.css").await;
    assert_eq!((old.status().as_u16(), &old.headers()["cache-control"]), (200, &"no-cache".parse().unwrap()));
    assert_eq!(browser.get("/console/assets/0123456789abcdef/../secret").await.status(), 404);
}

#[tokio::test]
async fn the_health_page_knows_every_agent_and_how_it_fares() {
    const SECOND: &str = "This is the second one.";
    let vendors = Vendors::start().await;
    let second = vendors.create_agent(&format!("agent: {SECOND}")).await;
    let list = format!("elevenlabs:nobody | {second}");
    let own = [
        ("AGENTS__DEFAULT", list.as_str()),
        ("AGENTS__ROUTES", "+12125550101=retell:agent_9,+12125550102=elevenlabs:agent_of_nobody"),
        ("AGENTS__ELEVENLABS__API_KEY", "emulated-api-key"),
        ("COMPLIANCE__CHOICES__LITIGATOR_LIST", "off"),
        ("LIMITS__KEYS__TESTS__DIALS_PER_MINUTE", "60"),
        ("LIMITS__KEYS__NOBODY__DIALS_PER_MINUTE", "60"),
    ];
    let server = Server::start(&vendors, &own).await;
    let browser = signed_in(&server, "viewer").await;
    for _ in 0..3 {
        let sid = vendors.ring("silent").await;
        let call = server.api.call_of(&sid).await;
        let heard = |entry: &Value| entry["event"]["text"] == SECOND && entry["call_id"] == call.as_str();
        server.api.event("the second agent's words", heard).await;
        vendors.end_at_carrier(&sid).await;
        server.api.ended(&call).await;
    }
    let health = browser.json("/console/data/health").await;
    let of = |area: &str| -> Vec<(String, String)> {
        let checks = health["checks"].as_array().unwrap().iter().filter(|check| check["area"] == area);
        let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
        checks
            .map(|check| (text(check, "level"), format!("{} {}", text(check, "text"), text(check, "remedy"))))
            .collect()
    };
    let found = of("Agent");
    let expected = [
        ("warning", "elevenlabs:nobody failed 3 times in a row: calls skip it until"),
        ("fine", second.as_str()),
        ("warning", "retell:agent_9: no API key is set Set RETELL_API_KEY"),
        ("warning", "elevenlabs:agent_of_nobody: "),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((level, told), (expected, beginning)) in found.iter().zip(expected) {
        assert!(level == expected && told.starts_with(beginning), "{level}: {told}");
        assert!(
            *level == "fine" || told.contains("Check") || told.contains("Set") || told.contains("Look at"),
            "{told}"
        );
    }
    assert_eq!(of("Litigator list")[0].0, "fine", "no call waits for a list that is off");
    let keys = of("Keys");
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys[0].0 == "warning" && keys[0].1.starts_with("limits.keys.nobody limits nobody"), "{keys:?}");
}

#[tokio::test]
async fn the_phones_page_offers_every_agent_and_says_which_need_a_real_carrier() {
    let vendors = Vendors::start().await;
    let own = [
        ("AGENTS__ROUTES", "+12125550101=retell:agent_9"),
        ("AGENTS__BOT__DIALECT", "twilio-stream"),
        ("AGENTS__BOT__URL", "wss://bot.example.com/media"),
        ("AGENTS__AGENT_1__DIALECT", "elevenlabs"),
        ("AGENTS__AGENT_1__URL", "https://api.example.com"),
    ];
    let server = Server::start(&vendors, &own).await;
    let page = signed_in(&server, "admin").await.get("/console/phone").await.text().await.unwrap();
    for option in [
        "<option value=\"elevenlabs:agent_echo\">elevenlabs:agent_echo (emulated)</option>",
        "<option value=\"retell:agent_9\" disabled>retell:agent_9 (needs a real carrier)</option>",
        "<option value=\"twilio-stream:bot\">twilio-stream:bot</option>",
        "<option value=\"elevenlabs:agent_1\">elevenlabs:agent_1</option>",
    ] {
        assert!(page.contains(option), "{option}: {page}");
    }
}
