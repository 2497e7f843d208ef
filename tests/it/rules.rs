//! The rule tables through the binary: what is in force, the operator's own file, and decisions made again after it changed.

use std::process::Output;

use serde_json::Value;

use super::SELLER;
use super::server::Settings;
use super::vendors::Vendors;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{} {}", stdout(output), stderr(output)))
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

/// Settings with a rule file of the operator's own.
async fn with_rules(text: &str) -> Settings {
    let settings = Settings::new(&Vendors::start().await, &[]);
    std::fs::write(settings.file("rules.toml"), text).unwrap();
    let path = settings.file("rules.toml").display().to_string();
    settings.with("COMPLIANCE__RULES", &path)
}

fn hours(id: &str, place: &str, window: &str, more: &str) -> String {
    format!(
        "[[hours]]\nid = \"{id}\"\nplace = \"{place}\"\nmon_fri = \"{window}\"\nsaturday = \"{window}\"\nsunday = \"{window}\"\n\
         citation = \"house\"\nconfidence = \"high\"\nsource_date = 2026-11-21\n{more}\n"
    )
}

#[tokio::test]
async fn the_rules_of_a_state_and_date_are_told_with_their_sources() {
    let settings = Settings::new(&Vendors::start().await, &[]);
    let rules =
        |state: &str, date: &str| json(&settings.run(&["check", "--rules", "--state", state, "--at", date, "--json"]));
    let before = rules("PA", "2026-10-17");
    let after = rules("pa", "2026-10-18");
    assert!(ids(&before["states"]["PA"]["rows"]).contains(&"PA.hours.until_2026-10-18"), "{before}");
    assert!(!ids(&after["states"]["PA"]["rows"]).contains(&"PA.hours.until_2026-10-18"));
    assert!(ids(&after["states"]["PA"]["rows"]).contains(&"PA.hours"));
    assert_eq!(rules("RI", "2026-12-25")["states"]["RI"]["holiday"], "Christmas Day");
    for row in after["country"].as_array().unwrap().iter().chain(after["states"]["PA"]["rows"].as_array().unwrap()) {
        let said =
            ["says", "citation", "source_date"].map(|key| row[key].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(said, [true; 3], "{row}");
        assert!(matches!(row["confidence"].as_str(), Some("high" | "medium" | "low")) && row["origin"] == "shipped");
    }
    let all = json(&settings.run(&["check", "--rules", "--json"]));
    assert_eq!(all["states"].as_object().unwrap().len(), 56);
    let told = stdout(&settings.run(&["check", "--rules", "--state", "FL", "--at", "2026-12-01"]));
    assert!(told.contains("FL.hours") && told.contains("confidence") && told.contains("Not legal advice"), "{told}");
    assert_eq!(settings.run(&["check", "--rules", "--state", "ZZ"]).status.code(), Some(1));
    assert_eq!(
        settings.run(&["check", "--rules", SELLER]).status.code(),
        Some(2),
        "a number and the rules are two questions"
    );
}

#[tokio::test]
async fn an_own_row_tightens_and_is_told_as_the_operators() {
    let settings = with_rules(&hours("own.NY", "NY", "10:00-16:00", "")).await;
    let rules = json(&settings.run(&["check", "--rules", "--state", "NY", "--at", "2026-12-01", "--json"]));
    let rows = rules["states"]["NY"]["rows"].as_array().unwrap();
    let own = rows.iter().find(|row| row["id"] == "own.NY").unwrap();
    assert_eq!((&own["origin"], &own["loosened"]), (&Value::from("added"), &Value::Null));
    // 09:30 in New York.
    let denied = json(&settings.run(&["check", SELLER, "--at", "2026-12-01T14:30:00Z", "--json"]));
    let reasons = denied["reasons"].to_string();
    assert!(reasons.contains("OUTSIDE_HOURS_STATE") && reasons.contains("own.NY"), "{denied}");
}

#[tokio::test]
async fn loosening_needs_an_acknowledgement_and_is_written_into_every_decision() {
    let laxer = |more: &str| hours("US.hours", "US", "07:00-22:00", more);
    let refused = with_rules(&laxer("")).await;
    for command in [["check", SELLER].as_slice(), &["check", "--rules"], &["serve", "--listen", "127.0.0.1:0"]] {
        let output = refused.run(command);
        assert_eq!(output.status.code(), Some(1), "{command:?} {}", stdout(&output));
        let told = stderr(&output);
        assert!(
            told.contains("rules.toml") && told.contains("US.hours") && told.contains("acknowledge_loosening"),
            "{told}"
        );
    }
    let settings = with_rules(&laxer("acknowledge_loosening = \"counsel, 2026-11-20\"")).await;
    let sentence = "The operator made rule row US.hours laxer than it ships: counsel, 2026-11-20";
    for purpose in ["telemarketing", "informational"] {
        let decision = json(&settings.run(&["check", SELLER, "--purpose", purpose, "--json"]));
        assert!(decision["warnings"].to_string().contains(sentence), "{decision}");
        let recorded = settings.run(&["ledger", "replay", decision["decision_id"].as_str().unwrap()]);
        assert!(recorded.status.success(), "{}", stdout(&recorded));
    }
    assert!(stdout(&settings.run(&["check", "--rules", "--state", "NY"])).contains("laxer than it ships: counsel"));
}

#[tokio::test]
async fn a_malformed_table_stops_the_start_with_file_row_and_reason() {
    for (text, wanted) in [
        ("[[hours]\n", vec!["not valid TOML"]),
        ("[[hour]]\nid = \"x\"\n", vec!["`hour` is no table"]),
        (&hours("own.NY", "NY", "10:00-9:00", ""), vec!["[[hours]] number 1 (own.NY)", "10:00-9:00"]),
        (&hours("own.ZZ", "ZZ", "10:00-19:00", ""), vec!["own.ZZ", "`ZZ` has no row in jurisdictions.toml"]),
        (&hours("own.NY", "NY", "10:00-19:00", "color = \"red\""), vec!["own.NY", "color"]),
        (&hours("PA.flag_day", "NY", "10:00-19:00", ""), vec!["PA.flag_day", "used twice"]),
    ] {
        let settings = with_rules(text).await;
        let output = settings.run(&["serve", "--listen", "127.0.0.1:0"]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}: {told}");
        assert!(told.contains("rules.toml") && wanted.iter().all(|word| told.contains(word)), "{text}: {told}");
    }
    let missing = Settings::new(&Vendors::start().await, &[]).with("COMPLIANCE__RULES", "/nowhere/rules.toml");
    assert!(stderr(&missing.run(&["check", SELLER])).contains("/nowhere/rules.toml"));
}

#[tokio::test]
async fn a_decision_is_made_again_the_same_after_the_operators_file_changed() {
    let settings = with_rules(&hours("own.NY", "NY", "10:00-16:00", "")).await;
    let at = ["--at", "2026-12-01T14:30:00Z", "--json"];
    let ask = || {
        let mut command = vec!["check", SELLER];
        command.extend(at);
        json(&settings.run(&command))
    };
    let old = ask();
    std::fs::write(settings.file("rules.toml"), hours("own.NY", "NY", "09:00-16:00", "")).unwrap();
    let new = ask();
    assert_ne!(old["rule_set"], new["rule_set"]);
    assert!(old["reasons"].to_string().contains("own.NY") && !new["reasons"].to_string().contains("own.NY"), "{new}");
    std::fs::remove_file(settings.file("rules.toml")).unwrap();

    // Replaying needs no rule file: the texts were kept.
    for decision in [&old, &new] {
        let replayed = settings.run(&["ledger", "replay", decision["decision_id"].as_str().unwrap()]);
        assert!(replayed.status.success() && stdout(&replayed).contains("identical"), "{}", stdout(&replayed));
    }
    let all = settings.run(&["ledger", "replay", "--all"]);
    assert!(stdout(&all).contains("2 decisions gave the same answer again"), "{}", stdout(&all));
    assert_eq!(settings.run(&["ledger", "replay", "dec_00000000000000000000000000000007"]).status.code(), Some(1));
    assert_eq!(settings.run(&["ledger", "replay"]).status.code(), Some(2));
}
