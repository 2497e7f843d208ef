//! The ledger's evidence through the binary: what was tampered with is found, and exports hold everything.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, SqliteConnection};

use super::SELLER;
use super::gate::Morning;
use super::server::{Server, Settings};
use super::vendors::Vendors;

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What `ledger verify` calls the head.
fn head(settings: &Settings) -> String {
    let verified = told(&settings.run(&["ledger", "verify"]));
    verified.lines().find_map(|line| line.strip_prefix("head ")).unwrap_or_else(|| panic!("{verified}")).to_owned()
}

/// Works on the database as somebody would who has the file.
async fn tamper(settings: &Settings, sql: &'static str) {
    let mut connection = SqliteConnection::connect(&settings.store_url()).await.unwrap();
    let triggers: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    for trigger in triggers {
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql("PRAGMA foreign_keys = OFF").execute(&mut connection).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn five_decisions() -> Settings {
    let settings = Settings::new(&Vendors::start().await, &[]);
    for number in [SELLER, "+12125550114", SELLER, "nonsense", SELLER] {
        assert_eq!(settings.run(&["check", number]).status.code(), Some(3));
    }
    settings
}

#[tokio::test]
async fn every_change_gap_and_reordering_is_found() {
    for (sql, wanted) in [
        ("UPDATE decisions SET recorded_at = replace(recorded_at, '2', '3') WHERE seq = 2", "entry 2: it was changed"),
        ("UPDATE decisions SET decision = replace(decision, 'deny', 'allow') WHERE seq = 3", "entry 3: it was changed"),
        ("UPDATE decisions SET door = 'api', actor = 'somebody' WHERE seq = 1", "entry 1: it was changed"),
        ("DELETE FROM decisions WHERE seq = 3", "entry 3: it is missing"),
        (
            "UPDATE decisions SET seq = -1 WHERE seq = 2; UPDATE decisions SET seq = 2 WHERE seq = 3;
             UPDATE decisions SET seq = 3 WHERE seq = -1",
            "entry 2: it was changed",
        ),
        (
            "UPDATE decision_subjects SET number = '+12125550199' WHERE number = '+12125550114'",
            "entry 2: the number or",
        ),
        ("UPDATE decision_subjects SET facts = replace(facts, 'null', 'false')", "entry 1: the number or the facts"),
        ("DELETE FROM decision_subjects WHERE number = 'nonsense'", "entry 4: the number and the facts"),
        ("UPDATE rule_sets SET files = replace(files, '21:00', '23:00')", "the rule texts"),
    ] {
        let settings = five_decisions().await;
        let before = head(&settings);
        assert!(settings.run(&["ledger", "verify", "--expect-head", &before]).status.success());
        tamper(&settings, sql).await;
        let verified = settings.run(&["ledger", "verify"]);
        assert_eq!(verified.status.code(), Some(1), "{sql}");
        assert!(told(&verified).contains(wanted), "{sql}: {}", told(&verified));
    }
}

#[tokio::test]
async fn a_cut_tail_and_a_rewrite_are_found_against_a_head_that_was_noted() {
    let settings = five_decisions().await;
    let noted = head(&settings);
    tamper(
        &settings,
        "DELETE FROM decision_subjects WHERE decision_id IN (SELECT id FROM decisions WHERE seq > 3);
                       DELETE FROM decisions WHERE seq > 3",
    )
    .await;
    assert!(settings.run(&["ledger", "verify"]).status.success(), "a chain does not know its own end");
    let cut = settings.run(&["ledger", "verify", "--expect-head", &noted]);
    assert!(cut.status.code() == Some(1) && told(&cut).contains("entry 4"), "{}", told(&cut));

    let settings = five_decisions().await;
    let noted = head(&settings);
    let anew = five_decisions().await;
    let rewritten = anew.run(&["ledger", "verify", "--expect-head", &noted]);
    assert!(rewritten.status.code() == Some(1) && told(&rewritten).contains("entry 5"), "{}", told(&rewritten));
    assert_eq!(anew.run(&["ledger", "verify", "--expect-head", "5"]).status.code(), Some(1));
}

#[tokio::test]
async fn the_head_is_logged_at_every_start() {
    let vendors = Vendors::start().await;
    let mut server = Server::start(&vendors, &[]).await;
    assert_eq!(server.api.post("/api/v1/calls", &json!({"to": SELLER})).await.status, 403);
    let noted = head(server.settings());
    server.kill();
    server.start_again().await;
    server.logged(&noted).await;
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap()
}

/// A call that was placed, a refusal and an opt-out; then the evidence of it through the binary, on the same database.
#[tokio::test]
async fn an_export_holds_everything_and_proves_itself() {
    let stage = Morning::start_paced(100.0).await;
    assert_eq!(stage.api.post("/api/v1/calls", &json!({"to": SELLER})).await.status, 403);
    stage.permit(SELLER).await;
    let placed = stage.api.post("/api/v1/calls", &json!({"to": SELLER})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call_id = placed.body["call_id"].as_str().unwrap();
    let call = stage.api.ended(call_id).await;
    assert_eq!(stage.api.post("/api/v1/dnc", &json!({"number": SELLER, "note": "<b>stop</b>"})).await.status, 201);
    let settings = stage.settings();

    let folder = settings.file("of the call");
    let out = folder.display().to_string();
    let exported = settings.run(&["ledger", "export", "--call", call_id, "--out", &out, "--chain"]);
    assert!(exported.status.success(), "{}", told(&exported));
    let evidence: Value = serde_json::from_str(&read(&folder, "evidence.json")).unwrap();
    let [decision] = evidence["decisions"].as_array().unwrap().as_slice() else { panic!("{evidence}") };
    assert_eq!((&decision["decision_id"], &decision["decision"]), (&placed.body["decision_id"], &json!("allow")));
    assert_eq!(decision["asked_by"], json!({"door": "api", "name": "tests"}));
    assert_eq!((&decision["number"], &decision["replay"]), (&json!(SELLER), &json!("identical")));
    assert_eq!(
        (&decision["attempt"]["call_sid"], &decision["attempt"]["state"]),
        (&call["call_sid"], &json!("accepted"))
    );
    assert_eq!(
        (&decision["reservation"]["state"], &decision["call"]["disposition"]),
        (&json!("ended"), &json!("completed"))
    );
    let inputs = decision["evidence"]["inputs"].as_array().unwrap();
    for fact in ["consents", "litigator", "reassigned"] {
        let input = inputs.iter().find(|input| input["fact"] == fact).unwrap_or_else(|| panic!("{fact}: {inputs:?}"));
        assert!(input["age_s"].is_i64() && !input["source"].as_str().unwrap().is_empty(), "{input}");
    }
    assert_eq!(decision["evidence"]["outcomes"].as_array().unwrap().len(), 28);
    assert_eq!(decision["places"][0]["zone"], "America/New_York");
    let person = &evidence["people"][0];
    assert_eq!(person["consents"][0]["evidence"]["text"], "You may call me.");
    let text_hash = hex(&Sha256::digest("You may call me."));
    assert_eq!(person["consents"][0]["evidence"]["text_sha256"], text_hash);
    assert_eq!(person["do_not_call"][0]["words"], "<b>stop</b>");

    check_chain(&settings, &folder, &evidence);
    check_page(&folder, &text_hash);
    check_other_scopes(&settings, &out);
    let replayed = settings.run(&["ledger", "replay", "--all"]);
    assert!(replayed.status.success(), "{}", told(&replayed));
}

/// The chain can be computed from the export alone.
fn check_chain(settings: &Settings, folder: &Path, evidence: &Value) {
    let chain = read(folder, "chain.txt");
    let mut before = "0".repeat(64);
    for line in chain.lines() {
        assert!(line.contains(&before), "{line}");
        before = hex(&Sha256::digest(line));
    }
    let ledger = &evidence["ledger"];
    assert_eq!((&ledger["hash"], &ledger["unbroken"]), (&json!(before), &json!(true)));
    let decision = &evidence["decisions"][0];
    let line = decision["hashed_line"].as_str().unwrap();
    assert!(chain.lines().any(|of| of == line) && decision["hash"] == hex(&Sha256::digest(line)));
    let verified = settings.run(&["ledger", "verify", "--expect-head", ledger["head"].as_str().unwrap()]);
    assert!(verified.status.success(), "{}", told(&verified));
}

fn check_page(folder: &Path, text_hash: &str) {
    let page = read(folder, "evidence.html");
    for text in ["ALLOWED", SELLER, "You may call me.", text_hash, "internal_dnc", "47 CFR 64.1200(d)(3)"] {
        assert!(page.contains(text), "the page lacks {text}");
    }
    assert!(page.contains("&#60;b&#62;stop") && !page.contains("<b>stop") && !page.contains("<script"));
    assert!(page.trim_end().ends_with("</html>"), "the page is whole");
    let rules = std::fs::read_dir(folder.join("rules")).unwrap().next().unwrap().unwrap().path();
    assert!(read(&rules, "calling_hours.toml").contains("US.hours"));
}

/// The same by number and by period, with the refusal before; and never over what is there.
fn check_other_scopes(settings: &Settings, out: &str) {
    assert_eq!(settings.run(&["ledger", "export", "--number", SELLER, "--out", out]).status.code(), Some(1));
    for (name, arguments) in
        [("number", vec!["--number", SELLER]), ("period", vec!["--from", "2026-10-14", "--to", "2026-10-15"])]
    {
        let folder = settings.file(name);
        let out = folder.display().to_string();
        let mut command = vec!["ledger", "export", "--out", &out];
        command.extend(arguments);
        let exported = settings.run(&command);
        assert!(exported.status.success(), "{}", told(&exported));
        let evidence: Value = serde_json::from_str(&read(&folder, "evidence.json")).unwrap();
        let answers: Vec<_> = evidence["decisions"].as_array().unwrap().iter().map(|d| d["decision"].clone()).collect();
        assert_eq!(answers, ["deny", "allow"], "{name}");
        assert_eq!(evidence["decisions"][0]["call"]["disposition"], "blocked", "{name}");
    }
    let nothing = settings.file("nothing").display().to_string();
    let none = settings.run(&["ledger", "export", "--from", "2020-01-01", "--to", "2020-01-02", "--out", &nothing]);
    assert!(none.status.code() == Some(1) && !Path::new(&nothing).exists(), "{}", told(&none));
    assert_eq!(settings.run(&["ledger", "export"]).status.code(), Some(2));
}

#[tokio::test]
async fn an_export_of_a_ledger_that_was_tampered_with_says_so() {
    let settings = five_decisions().await;
    tamper(&settings, "UPDATE decisions SET actor = 'somebody' WHERE seq = 2").await;
    let folder = settings.file("export");
    let out = folder.display().to_string();
    let exported = settings.run(&["ledger", "export", "--number", SELLER, "--out", &out]);
    assert_eq!(exported.status.code(), Some(1), "{}", told(&exported));
    let evidence: Value = serde_json::from_str(&read(&folder, "evidence.json")).unwrap();
    assert_eq!(evidence["ledger"]["unbroken"], false);
    assert!(read(&folder, "evidence.html").contains("did not prove sound"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
