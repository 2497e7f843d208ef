//! The published cases (`tests/fixtures/tcpa_cases.csv`), every row: decision, reason code, next permissible instant to
//! the second.

use serde_json::{Map, Value};

use super::shipped;
use crate::compliance::profile::Profile;
use crate::compliance::what_if::WhatIf;
use crate::domain::ReasonCode;

const CASES: &str = include_str!("../../../tests/fixtures/tcpa_cases.csv");
const TIME_CODES: [ReasonCode; 7] = [
    ReasonCode::HolidayBan,
    ReasonCode::SundayBan,
    ReasonCode::OutsideHoursFederal,
    ReasonCode::OutsideHoursState,
    ReasonCode::OutsideHoursStateAutomated,
    ReasonCode::FreqCapState,
    ReasonCode::FreqCapExempt,
];

#[test]
fn every_published_case_is_answered_as_published() {
    let tables = shipped();
    let profile = Profile::default();
    let mut what_if = WhatIf::new(&tables, &profile);
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(CASES.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let mut rows = 0;
    let mut wrong = Vec::new();
    for row in reader.records() {
        let row = row.unwrap();
        let column = |name: &str| &row[headers.iter().position(|header| header == name).unwrap()];
        let line: Map<String, Value> =
            headers.iter().zip(row.iter()).map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
        let answer = what_if.decide_line(&Value::Object(line).to_string()).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let code = answer["reason_code"].as_str().unwrap();
        let next = answer["next_permissible_at"].as_str().unwrap_or("");
        let also: Vec<&str> = column("also_acceptable").split(';').filter(|code| !code.is_empty()).collect();
        let right_code = code == column("reason_code") || also.contains(&code);
        let about_time = TIME_CODES.iter().any(|time| time.to_string() == code);
        let right_next =
            next == column("next_permissible_utc") || (also.contains(&code) && !about_time && next.is_empty());
        if answer["decision"] != *column("expected") || !right_code || !right_next {
            wrong.push(format!("{}: {answer} ({})", column("id"), column("note")));
        }
        rows += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(rows, 54, "no row is skipped");
}
