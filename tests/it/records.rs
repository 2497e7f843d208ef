//! Records of people through the binary and over REST: imports, leads, consents, the internal list, erasure.

use std::process::Output;

use clearline::domain::CallEvent;
use clearline::domain::event::Door;
use clearline::store::ActionFilter;
use serde_json::{Value, json};

use super::SELLER;
use super::gate::Morning;
use super::server::{Server, Settings};
use super::vendors::Vendors;

const LEADS: &str = "number,First Name,last_name,email,state,time_zone,tags,custom.plan\n\
    +12125550113,Ada,Example,ada@example.com,NY,America/New_York,investor;hot,gold\n\
    (212) 555-0114,Bob,,bob@,ny,,,\n\
    2125550115,Eve,,,ZZ,Mars/Base,,\n\
    212-555-0113,Twin,,,,,,\n\
    555,Short,,,,,,\n\
    +12125550116,\"Zoë, Jr\",,,TX,,,\n";

const CONSENTS: &str = "number,kind,scope,given_at,method,text,ip,certificate_id\n\
    +12125550113,written,telemarketing;appointment,2026-09-21T14:30:00-04:00,web_form,\"Yes, call me.\",192.0.2.7,cert-1\n\
    +12125550114,written,telemarketing,2026-09-21,web_form,,1.2.3,\n\
    +12125550115,maybe,,2031-01-01T00:00:00Z,,hi,,\n\
    +12125550116,express,appointment,2026-09-22T00:00:00Z,voice,,,\n";

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lines_json(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn settings() -> Settings {
    Settings::new(&Vendors::start().await, &[])
}

fn import(settings: &Settings, kind: &str, text: &[u8], more: &[&str]) -> Output {
    let file = settings.file("import.csv");
    std::fs::write(&file, text).unwrap();
    let path = file.display().to_string();
    let mut command = vec![kind, "import", &path];
    command.extend(more);
    settings.run(&command)
}

#[tokio::test]
async fn leads_are_imported_whole_with_every_bad_row_named_and_a_second_time_changes_nothing() {
    let settings = settings().await;
    let dry = import(&settings, "leads", LEADS.as_bytes(), &["--dry-run", "--json"]);
    assert_eq!(dry.status.code(), Some(1));
    let told = lines_json(&dry);
    let bad: Vec<_> = told[..told.len() - 1].iter().map(|row| row["line"].as_u64().unwrap()).collect();
    assert_eq!(bad, [3, 4, 6, 5]);
    assert_eq!(told[1]["problems"].as_array().unwrap().len(), 2, "all that is wrong with a row: {}", told[1]);
    let would = told.last().unwrap();
    assert_eq!((&would["new"], &would["bad"], &would["dry_run"]), (&json!(2), &json!(4), &json!(true)), "{would}");
    assert_eq!(stdout(&settings.run(&["leads", "list"])), "no leads\n", "a dry run changes nothing");

    let first = import(&settings, "leads", LEADS.as_bytes(), &["--json"]);
    let report = lines_json(&first).pop().unwrap();
    assert_eq!((&report["new"], &report["bad"], &report["rows"]), (&json!(2), &json!(4), &json!(6)), "{report}");
    let again = lines_json(&import(&settings, "leads", LEADS.as_bytes(), &["--json"])).pop().unwrap();
    assert_eq!((&again["new"], &again["changed"], &again["unchanged"]), (&json!(0), &json!(0), &json!(2)), "{again}");

    // What a file does not say stays.
    let more = import(&settings, "leads", b"number,status\n2125550113,qualified\n", &["--json"]);
    assert!(more.status.success());
    let shown: Value =
        serde_json::from_slice(&settings.run(&["leads", "show", "212-555-0113", "--json"]).stdout).unwrap();
    let ada = &shown[0];
    assert_eq!(
        (&ada["first_name"], &ada["status"], &ada["custom"]["plan"]),
        (&json!("Ada"), &json!("qualified"), &json!("gold"))
    );
    let listed = stdout(&settings.run(&["leads", "list", "--text", "zoë"]));
    assert!(listed.contains("+12125550116") && !listed.contains(SELLER), "{listed}");
}

#[tokio::test]
async fn a_file_that_is_no_table_is_refused_and_nothing_of_it_comes_in() {
    let settings = settings().await;
    let open_quote = [b"number,first_name\n2125550113,\"".as_slice(), &vec![b'x'; 3 << 20]].concat();
    for (text, wanted) in [
        (b"".as_slice(), "is empty"),
        (b"phone\n2125550113\n", "`phone` is not known"),
        (b"first_name\nAda\n", "`number` is missing"),
        (&open_quote, "never closed"),
    ] {
        let refused = import(&settings, "leads", text, &[]);
        assert_eq!(refused.status.code(), Some(1));
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    assert_eq!(stdout(&settings.run(&["leads", "list"])), "no leads\n");
    // A bad line in the middle harms no other.
    let text = b"number,first_name\n2125550113,Ada\n\xff\xfe,x\n2125550114\n2125550115,\"Eve\"\n";
    let report = lines_json(&import(&settings, "leads", text, &["--json"]));
    assert_eq!((report[0]["line"].as_u64(), report[1]["line"].as_u64()), (Some(3), Some(4)), "{report:?}");
    assert_eq!(report[2]["new"], 2);
}

#[tokio::test]
async fn consents_are_imported_with_their_proof_and_explain_themselves() {
    let settings = settings().await;
    let told = lines_json(&import(&settings, "consent", CONSENTS.as_bytes(), &["--json"]));
    let problems: Vec<_> = told[..2].iter().map(|row| row["problems"].as_array().unwrap().len()).collect();
    assert_eq!(problems, [3, 4], "given_at, text and ip; kind, scope, given_at and method: {told:?}");
    assert_eq!((&told[2]["new"], &told[2]["bad"]), (&json!(2), &json!(2)));
    let again = lines_json(&import(&settings, "consent", CONSENTS.as_bytes(), &["--json"])).pop().unwrap();
    assert_eq!((&again["new"], &again["unchanged"]), (&json!(0), &json!(2)));

    let shown = |number: &str| stdout(&settings.run(&["consent", "show", number]));
    let written = shown(SELLER);
    for text in ["counts today", "Yes, call me.", "192.0.2.7", "cert-1", "SHA-256", "An AI sales call may rest on it"] {
        assert!(written.contains(text), "{text}: {written}");
    }
    assert!(shown("+12125550116").contains("needs a written consent"), "{}", shown("+12125550116"));
    let revoked = settings.run(&["consent", "revoke", SELLER, "--words", "stop it"]);
    assert!(stdout(&revoked).contains("dnc add"));
    let after = shown(SELLER);
    assert!(after.contains("does not count: permission was withdrawn later") && after.contains("stop it"), "{after}");
    assert!(shown("+12125550199").contains("There is none"));
    let other = Settings::clone(&settings).with("SELLER__NAME", "Other Homes");
    assert!(stdout(&other.run(&["consent", "show", "+12125550116"])).contains("another seller"));
}

#[tokio::test]
async fn what_the_reassigned_numbers_database_said_comes_in_with_consents() {
    let stage = Morning::start_with("", 100.0).await;
    let settings = stage.settings();
    let is_unknown = async |number: &str| {
        let answer = stage.api.post("/api/v1/check", &json!({"number": number})).await.body;
        let reasons = answer["reasons"].as_array();
        reasons.is_some_and(|reasons| reasons.iter().any(|reason| reason["rule"] == "reassigned_number"))
    };
    let [filed, posted] = ["+12125550114", "+12125550115"];
    let row = "written,telemarketing,2026-09-01T12:00:00Z,web_form,Yes.";
    let file = |rnd: [&str; 3]| {
        let rows = [filed, "+12125550116", "+12125550117"];
        let rows = rows.iter().zip(rnd).map(|(number, rnd)| format!("{number},{row},{rnd}\n"));
        format!("number,kind,scope,given_at,method,text,rnd_checked_on\n{}", rows.collect::<String>())
    };
    let none = lines_json(&import(&settings, "consent", file(["", "", ""]).as_bytes(), &["--json"]));
    assert_eq!(none[0]["new"], 3, "{none:?}");
    assert!(is_unknown(filed).await);
    let told =
        lines_json(&import(&settings, "consent", file(["2026-09-28", "soon", "2026-08-31"]).as_bytes(), &["--json"]));
    assert!(told[0]["problems"][0].as_str().unwrap().contains("rnd_checked_on: it is no date"), "{told:?}");
    assert!(told[1]["problems"][0].as_str().unwrap().contains("it is before given_at"), "{told:?}");
    assert_eq!(
        (&told[2]["new"], &told[2]["changed"]),
        (&json!(0), &json!(1)),
        "the consent is known, the answer new: {told:?}"
    );
    assert!(!is_unknown(filed).await);

    let consent = json!({"number": posted, "kind": "written", "scope": ["telemarketing"], "given_at": "2026-09-01T12:00:00Z",
        "evidence": {"method": "paper", "text": "Yes."}, "rnd_checked_on": "2026-09-28"});
    let agent = stage.api.with_key(&settings.create_key("agent").0);
    let refused = agent.post("/api/v1/consents", &consent).await;
    assert_eq!(refused.status, 422, "who wants to ring does not say what lifts a rule: {}", refused.body);
    assert!(is_unknown(posted).await);
    assert_eq!(stage.api.post("/api/v1/consents", &consent).await.status, 201);
    assert!(!is_unknown(posted).await);
}

#[tokio::test]
async fn relationships_and_kinds_of_line_are_told_through_every_door_and_bind_the_next_decision() {
    let stage = Morning::start_with("", 100.0).await;
    let settings = stage.settings();
    // Without either, a sales call needs the national list, and there is none here.
    let list_binds = async |number: &str| {
        let answer = stage.api.post("/api/v1/check", &json!({"number": number})).await.body;
        let reasons = answer["reasons"].as_array().unwrap();
        reasons.iter().any(|reason| reason["rule"] == "national_dnc")
    };
    let [bought, business, asked, typed, wired] =
        ["+12125550113", "+12125550114", "+12125550115", "+12125550116", "+12125550117"];
    for number in [bought, business, asked, typed, wired] {
        assert!(list_binds(number).await, "{number}");
    }

    let file = b"number,last_purchase_on,last_inquiry_on,line_type\n+12125550113,2025-10-01,2024-10-01,\n\
        +12125550114,,,Landline_Biz\n+12125550118,2026-13-01,yesterday,phone\n+12125550119,9999-01-01,,\n";
    let told = lines_json(&import(&settings, "leads", file, &["--json"]));
    let problems: Vec<_> = told[..2].iter().map(|row| (row["line"].clone(), row["problems"].to_string())).collect();
    assert_eq!((&problems[0].0, &problems[1].0), (&json!(4), &json!(5)));
    for column in ["line_type: ", "last_purchase_on: ", "last_inquiry_on: "] {
        assert!(problems[0].1.contains(column), "{problems:?}");
    }
    assert!(problems[1].1.contains("last_purchase_on: it is in the future"), "{problems:?}");
    assert_eq!((&told[2]["new"], &told[2]["bad"]), (&json!(2), &json!(2)), "{told:?}");
    assert!(!list_binds(bought).await && !list_binds(business).await);
    let again = lines_json(&import(&settings, "leads", file, &["--json"])).pop().unwrap();
    assert_eq!((&again["changed"], &again["unchanged"]), (&json!(0), &json!(2)), "{again}");
    let newer = b"number,last_purchase_on\n+12125550113,2025-11-01\n";
    let newer = lines_json(&import(&settings, "leads", newer, &["--json"])).pop().unwrap();
    assert_eq!(newer["changed"], 1, "the lead is the same, what is said of its number is not: {newer}");

    let lead = json!({"number": asked, "last_inquiry_on": "2026-09-01"});
    let agent = stage.api.with_key(&settings.create_key("agent").0);
    let refused = agent.post("/api/v1/leads", &lead).await;
    assert_eq!(refused.status, 422, "who wants to ring does not say what lifts a rule: {}", refused.body);
    let future = stage.api.post("/api/v1/leads", &json!({"number": asked, "last_inquiry_on": "2026-10-15"})).await;
    assert_eq!(future.status, 422, "{}", future.body);
    assert!(list_binds(asked).await);
    assert_eq!(stage.api.post("/api/v1/leads", &lead).await.status, 201);
    assert!(!list_binds(asked).await);

    let noted = settings.run(&["leads", "relationship", typed, "--kind", "purchase", "--on", "2025-10-01"]);
    assert!(noted.status.success(), "{}", String::from_utf8_lossy(&noted.stderr));
    assert!(!list_binds(typed).await);
    assert!(
        !settings.run(&["leads", "relationship", typed, "--kind", "inquiry", "--on", "9999-01-01"]).status.success()
    );
    assert!(settings.run(&["leads", "line-type", wired, "landline_biz"]).status.success());
    assert!(!list_binds(wired).await);

    let filter = ActionFilter { action_prefix: Some("number_facts_"), ..ActionFilter::default() };
    let actions = stage.server.app.store.operator_actions(filter, 10).await.unwrap();
    let doors: Vec<_> = actions.iter().map(|action| action.by.door).collect();
    assert_eq!(doors, [Door::Cli, Door::Cli, Door::Api], "{actions:?}");
    let told = format!("{actions:?}");
    assert!(
        [bought, business, asked, typed, wired].iter().all(|number| !told.contains(&number[2..])),
        "it names nobody"
    );
}

#[tokio::test]
async fn a_protected_line_is_told_in_a_file_or_a_lead_and_binds_every_call_to_its_number() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let room = "+12125550114";
    let asked = async |number: &str, purpose: &str| {
        let answer = server.api.post("/api/v1/check", &json!({"number": number, "purpose": purpose})).await.body;
        let decision =
            server.api.get(&format!("/api/v1/decisions/{}", answer["decision_id"].as_str().unwrap())).await.body;
        (answer.to_string().contains("PROTECTED_LINE"), decision["inputs"].to_string())
    };
    assert!(!asked(SELLER, "informational").await.0, "nobody said so");

    let file = b"number,protected_line\n+12125550113,emergency_line\n+12125550114,Patient_Room\n+12125550115,ward\n";
    let told = lines_json(&import(server.settings(), "leads", file, &["--json"]));
    assert_eq!((&told[0]["line"], &told[1]["new"]), (&json!(4), &json!(2)), "{told:?}");
    let (is_protected, inputs) = asked(SELLER, "informational").await;
    assert!(is_protected && inputs.contains("EmergencyLine"), "{inputs}");
    assert!(asked(room, "telemarketing").await.0);
    assert!(!asked(room, "emergency").await.0, "no rule about calls binds an emergency");
    let shown = stdout(&server.settings().run(&["leads", "show", room]));
    assert!(shown.contains("a guest's or patient's room"), "{shown}");

    // Who wants to ring may mark a line, and not take the mark away, neither from the lead nor by giving it another number.
    let (key, _) = server.settings().create_key("agent");
    let agent = server.api.with_key(&key);
    let lead = server.api.get("/api/v1/leads?number=%2B12125550114").await.body["leads"][0]["id"].clone();
    for taking in [json!({"id": lead, "protected_line": "none"}), json!({"id": lead, "number": "+12125550116"})] {
        let refused = agent.post("/api/v1/leads", &taking).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().contains("calls:control"), "{}", refused.body);
    }
    assert_eq!(agent.post("/api/v1/leads", &json!({"id": lead, "first_name": "Ward"})).await.status, 200);
    let marked = json!({"number": "+12125550117", "protected_line": "patient_room"});
    assert_eq!(agent.post("/api/v1/leads", &marked).await.body["protected_line"], "patient_room");
    assert!(asked("+12125550117", "informational").await.0);
    assert!(asked(room, "informational").await.0);
    let cleared = server.api.post("/api/v1/leads", &json!({"id": lead, "protected_line": "none"})).await;
    assert_eq!(cleared.status, 200, "{}", cleared.body);
    assert!(!asked(room, "informational").await.0);

    // Its number was given to the lead by mistake: an old file does not bring it back.
    let moved = server.api.post("/api/v1/leads", &json!({"id": lead, "number": "+12125550116"})).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    let told = lines_json(&import(server.settings(), "leads", b"number,first_name\n+12125550114,Old\n", &["--json"]));
    assert!(told[0]["problems"][0].as_str().unwrap().contains("another number now"), "{told:?}");
    assert_eq!((&told[0]["line"], &told[1]["bad"]), (&json!(2), &json!(1)), "{told:?}");
    let again = server.api.post("/api/v1/leads", &json!({"number": room, "first_name": "Old"})).await;
    assert_eq!(again.status, 422, "{}", again.body);
}

#[tokio::test]
async fn records_over_rest_are_checked_paged_and_masked() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let made = server.api.post("/api/v1/leads", &json!({"number": SELLER, "first_name": "Ada", "state": "NY"})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let more = server.api.post("/api/v1/leads", &json!({"number": SELLER, "tags": ["hot"]})).await;
    assert_eq!((more.status, &more.body["first_name"], &more.body["id"]), (200, &json!("Ada"), &made.body["id"]));
    let by_id = json!({"id": made.body["id"], "custom": {"plan": "gold"}});
    assert_eq!(server.api.post("/api/v1/leads", &by_id).await.status, 200);
    for (bad, status) in [
        (json!({"first_name": "Nobody"}), 422),
        (json!({"number": "212"}), 400),
        (json!({"number": SELLER, "state": "ZZ", "time_zone": "x", "email": "y"}), 422),
        (json!({"number": SELLER, "fist_name": "Ada"}), 400),
        (json!({"id": "lead_00000000000000000000000000000007", "first_name": "x"}), 404),
    ] {
        let answer = server.api.post("/api/v1/leads", &bad).await;
        assert_eq!(answer.status, status, "{bad}: {}", answer.body);
    }
    for last in ["4", "5", "6"] {
        let lead = json!({"number": format!("+1212555011{last}"), "first_name": last});
        assert_eq!(server.api.post("/api/v1/leads", &lead).await.status, 201);
    }
    let first = server.api.get("/api/v1/leads?limit=3").await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = server.api.get(&format!("/api/v1/leads?limit=3&cursor={cursor}")).await.body;
    let lengths = [&first, &second].map(|page| page["leads"].as_array().unwrap().len());
    assert_eq!((lengths, &second["next_cursor"]), ([3, 1], &Value::Null));
    assert_eq!(server.api.get("/api/v1/leads?cursor=nonsense").await.status, 400);
    let found = server.api.get("/api/v1/leads?number=%2B12125550113").await.body;
    assert_eq!(found["leads"][0]["custom"]["plan"], "gold", "{found}");

    let consent = json!({"number": SELLER, "kind": "written", "scope": ["telemarketing"], "given_at": "2026-09-21T18:30:00Z",
        "evidence": {"method": "web_form", "text": "Call me at 212 555 0113.", "ip": "192.0.2.7", "certificate_id": "c-1"}});
    assert_eq!(server.api.post("/api/v1/consents", &consent).await.status, 201);
    let mut wrong = consent.clone();
    wrong["evidence"]["text_sha256"] = json!("00");
    assert_eq!(server.api.post("/api/v1/consents", &wrong).await.status, 422);
    wrong["evidence"] = json!({"method": "web_form", "txt": "x"});
    assert_eq!(
        server.api.post("/api/v1/consents", &wrong).await.status,
        400,
        "proof under a wrong name is not lost silently"
    );
    let listed = server.api.get("/api/v1/consents?number=2125550113").await.body;
    assert_eq!(listed["consents"][0]["evidence"]["certificate_id"], "c-1");
    assert_eq!(server.api.post("/api/v1/consents/revoke", &json!({"number": SELLER, "words": "no"})).await.status, 201);
    let listed = server.api.get("/api/v1/consents?number=2125550113").await.body;
    assert_eq!(
        (&listed["revocations"][0]["words"], &listed["revocations"][0]["channel"]),
        (&json!("no"), &json!("api"))
    );

    assert_eq!(server.api.post("/api/v1/dnc", &json!({"number": SELLER, "note": "asked"})).await.status, 201);
    assert_eq!(server.api.get("/api/v1/dnc").await.body["entries"][0]["number"], SELLER);
    let (agent, _) = server.settings().create_key("agent");
    let agent = server.api.with_key(&agent);
    assert_eq!(agent.get("/api/v1/dnc").await.body["entries"][0]["number"], "+1212•••0113");
    let masked = agent.get("/api/v1/consents?number=2125550113").await.body.to_string();
    assert!(!masked.contains("555 0113") && !masked.contains("5550113"), "{masked}");
    let masked = agent.get("/api/v1/leads?number=2125550113").await.body.to_string();
    assert!(!masked.contains("5550113"), "{masked}");
    let off = json!({"number": SELLER, "reason": "listed by mistake"});
    assert_eq!(agent.post("/api/v1/dnc/remove", &off).await.status, 403, "an agent lists, and does not take off");
    assert_eq!(server.api.post("/api/v1/dnc/remove", &off).await.body["was_listed"], true);
    let history = server.api.get("/api/v1/dnc?number=2125550113").await.body;
    assert_eq!(
        (&history["listed"], &history["entries"][0]["removed_because"]),
        (&json!(false), &json!("listed by mistake"))
    );
    assert_eq!(agent.post("/api/v1/privacy/erase", &json!({"number": SELLER})).await.status, 403);
    assert!(!server.log().contains("5550113"), "no log line holds a number");
}

#[tokio::test]
async fn a_person_is_erased_as_far_as_the_law_lets_go_and_the_evidence_stays_provable() {
    let stage = Morning::start_paced(100.0).await;
    stage.permit(SELLER).await;
    let lead = stage.api.post("/api/v1/leads", &json!({"number": SELLER, "first_name": "Adalbert"})).await.body;
    let body = json!({"lead_id": lead["id"], "dynamic_variables": {"who": "Adalbert"}});
    let placed = stage.api.post("/api/v1/calls", &body).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call_id = placed.body["call_id"].as_str().unwrap();
    stage.api.ended(call_id).await;
    let said = CallEvent::CallerSaid { text: "My name is Adalbert.".to_owned() };
    stage.server.app.store.append(vec![(call_id.parse().unwrap(), stage.clock.now(), said)]).await.unwrap();
    let transcript = format!("/api/v1/calls/{call_id}/transcript");
    assert_eq!(stage.api.get(&transcript).await.body["lines"].as_array().unwrap().len(), 1);
    assert_eq!(stage.api.post("/api/v1/dnc", &json!({"number": SELLER, "note": "no more"})).await.status, 201);
    let settings = stage.settings();
    let before = stdout(&settings.run(&["ledger", "verify"]));
    let head = before.lines().find_map(|line| line.strip_prefix("head ")).unwrap();

    assert_eq!(settings.run(&["privacy", "erase", SELLER]).status.code(), Some(1), "it cannot be undone: --yes");
    let erased = settings.run(&["privacy", "erase", SELLER, "--yes"]);
    let told = stdout(&erased);
    for text in [
        "erased 1 leads",
        "journal entries",
        "kept 1 decisions",
        "kept 1 records of permission",
        "kept for ever",
        "16 CFR 310.5",
    ] {
        assert!(told.contains(text), "{text}: {told}");
    }
    assert_eq!(stage.api.get(&format!("/api/v1/leads/{}", lead["id"].as_str().unwrap())).await.status, 404);
    assert!(stage.api.get(&transcript).await.body["lines"].as_array().unwrap().is_empty());
    let call = stage.api.get(&format!("/api/v1/calls/{call_id}")).await.body;
    assert_eq!(
        (&call["to"], &call["disposition"], &call["lead_id"]),
        (&json!(SELLER), &json!("completed"), &Value::Null)
    );
    let verified = settings.run(&["ledger", "verify", "--expect-head", head]);
    assert!(verified.status.success(), "{}", stdout(&verified));
    let blocked = stage.api.post("/api/v1/calls", &json!({"to": SELLER})).await;
    assert_eq!(blocked.body["error"]["details"]["reasons"][0]["code"], "INTERNAL_DNC", "the refusal is honoured still");
    let again = stage.api.post("/api/v1/privacy/erase", &json!({"number": SELLER})).await;
    assert_eq!((again.status, &again.body["erasure"]["erased"]["leads"]), (200, &json!(0)), "{}", again.body);
}
