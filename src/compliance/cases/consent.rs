//! Consent: what each voice, purpose and line needs, and every way in which a record fails.

use jiff::Timestamp;

use super::{answer_of, shipped};
use crate::compliance::facts::{ConsentFact, Facts};
use crate::compliance::gate::evaluate;
use crate::compliance::profile::Profile;
use crate::domain::Purpose;
use crate::domain::consent::ConsentKind;
use crate::domain::decision::Voice;

pub(super) const CASES: &str = "
consent_given_later                   | consent_at=2026-12-01T18:00:01Z    | CONSENT_NOT_YET_VALID
consent_given_this_second             | consent_at=2026-12-01T18:00:00Z    | ALLOW
consent_expired                       | consent_expires_at=2026-11-30T05:00:00Z | CONSENT_EXPIRED
consent_expires_this_second           | consent_expires_at=2026-12-01T18:00:00Z | CONSENT_EXPIRED
consent_expires_next_second           | consent_expires_at=2026-12-01T18:00:01Z | ALLOW
consent_for_another_number            | flags=consent_other_number         | CONSENT_NUMBER_MISMATCH
consent_for_another_seller            | flags=consent_other_seller         | CONSENT_SELLER_MISMATCH
consent_for_another_purpose           | consent_scope=appointment          | CONSENT_PURPOSE_MISMATCH
consent_without_scope                 | consent_scope=                     | CONSENT_PURPOSE_MISMATCH
consent_with_several_scopes           | consent_scope=appointment;telemarketing | ALLOW
consent_with_a_longer_word            | consent_scope=telemarketing_partner | CONSENT_PURPOSE_MISMATCH
consent_missing                       | consent_type=none                  | CONSENT_MISSING
consent_absent                        | consent_type=                      | CONSENT_MISSING
consent_oral_only                     | consent_type=express               | CONSENT_INSUFFICIENT
consent_oral_and_expired              | consent_type=express consent_expires_at=2026-11-30T05:00:00Z | CONSENT_EXPIRED
consent_of_unknown_date               | consent_at=                        | FACT_UNKNOWN
every_failure_of_a_record_is_named    | consent_at=2026-12-02T00:00:00Z consent_expires_at=2026-11-30T05:00:00Z flags=consent_other_number;consent_other_seller consent_scope=x | CONSENT_NOT_YET_VALID CONSENT_EXPIRED CONSENT_NUMBER_MISMATCH CONSENT_SELLER_MISMATCH CONSENT_PURPOSE_MISMATCH
consent_denials_have_no_next          | consent_type=none at=2026-12-02T04:00:00Z | CONSENT_MISSING OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE

# The table of what is needed: AI.
ai_sales_home_none                    | line_type=landline_res consent_type=none | CONSENT_MISSING
ai_sales_home_oral                    | line_type=landline_res consent_type=express | CONSENT_INSUFFICIENT
ai_sales_business_none                | line_type=landline_biz consent_type=none | ALLOW
ai_sales_business_invalid_record_counts_as_none | line_type=landline_biz consent_expires_at=2026-11-30T05:00:00Z | ALLOW
ai_sales_line_unknown_is_mobile       | line_type= consent_type=none       | CONSENT_MISSING
ai_informational_mobile_none          | purpose=informational consent_type=none | CONSENT_MISSING
ai_informational_mobile_oral          | purpose=informational consent_type=express consent_scope=appointment | ALLOW
ai_informational_mobile_no_scope      | purpose=informational consent_type=express consent_scope= | ALLOW
ai_informational_mobile_expired       | purpose=informational consent_expires_at=2026-11-30T05:00:00Z | CONSENT_EXPIRED
ai_informational_mobile_other_seller  | purpose=informational flags=consent_other_seller | CONSENT_SELLER_MISMATCH
ai_informational_home_none            | purpose=informational line_type=landline_res consent_type=none | ALLOW_EXEMPT
ai_informational_home_consent         | purpose=informational line_type=landline_res consent_type=express | ALLOW
ai_informational_home_expired_is_none | purpose=informational line_type=landline_res consent_expires_at=2026-11-30T05:00:00Z | ALLOW_EXEMPT
ai_informational_business_none        | purpose=informational line_type=landline_biz consent_type=none | ALLOW
ai_healthcare_mobile_none             | purpose=healthcare consent_type=none | CONSENT_MISSING
ai_healthcare_mobile_oral             | purpose=healthcare consent_type=express consent_scope=appointment | ALLOW
ai_healthcare_line_unknown_none       | purpose=healthcare line_type= consent_type=none | CONSENT_MISSING
ai_healthcare_home_none               | purpose=healthcare line_type=landline_res consent_type=none | ALLOW_EXEMPT
ai_healthcare_home_consent            | purpose=healthcare line_type=landline_res consent_type=express | ALLOW
ai_healthcare_business_none           | purpose=healthcare line_type=landline_biz consent_type=none | ALLOW

# The same: people.
human_sales_mobile_none               | voice=human consent_type=none      | ALLOW
human_sales_home_none                 | voice=human line_type=landline_res consent_type=none | ALLOW
human_sales_business_none             | voice=human line_type=landline_biz consent_type=none | ALLOW
human_sales_invalid_record_is_none    | voice=human flags=consent_other_seller consent_expires_at=2026-11-30T05:00:00Z | ALLOW
human_informational_mobile_none       | voice=human purpose=informational consent_type=none | ALLOW
human_informational_home_none         | voice=human purpose=informational line_type=landline_res consent_type=none | ALLOW
human_healthcare_mobile_none          | voice=human purpose=healthcare consent_type=none | ALLOW
human_healthcare_home_none            | voice=human purpose=healthcare line_type=landline_res consent_type=none | ALLOW

relationship_never_replaces_consent   | consent_type=none ebr=purchase ebr_date=2026-10-01 | CONSENT_MISSING
oral_consent_where_the_operator_accepts_it | npa=214 consent_type=express profile.oral_consent_states=[\"TX\"] | ALLOW
oral_consent_must_do_in_every_state   | npa=214 known_state=FL known_zone=America/New_York consent_type=express profile.oral_consent_states=[\"TX\"] | CONSENT_INSUFFICIENT
oral_consent_elsewhere                | consent_type=express profile.oral_consent_states=[\"TX\"] | CONSENT_INSUFFICIENT
oral_consent_lifts_no_list            | npa=214 consent_type=express ndnc=y profile.oral_consent_states=[\"TX\"] | NATIONAL_DNC
";

fn record(kind: ConsentKind, given_at: &str) -> ConsentFact {
    ConsentFact {
        id: None,
        kind,
        scope: vec!["telemarketing".to_owned()],
        given_at: Some(given_at.parse().unwrap()),
        expires_at: None,
        names_this_number: true,
        names_this_seller: true,
    }
}

fn clean(consents: Vec<ConsentFact>) -> Facts {
    Facts {
        consents,
        national_dnc: Some(false),
        state_dnc: Some(false),
        dnc_list_date: Some("2026-11-20".parse().unwrap()),
        litigator: Some(false),
        reassigned: Some(crate::compliance::facts::Reassigned::No),
        ..Facts::unknown("+12125550113", Purpose::Telemarketing, Voice::Ai)
    }
}

fn answer(facts: &Facts) -> String {
    let now: Timestamp = "2026-12-01T18:00:00Z".parse().unwrap();
    answer_of(&evaluate(facts, &shipped(), &Profile::default(), now))
}

#[test]
fn one_valid_record_among_bad_ones_is_enough() {
    let expired = ConsentFact {
        expires_at: Some("2026-07-01T00:00:00Z".parse().unwrap()),
        ..record(ConsentKind::Written, "2026-06-01T00:00:00Z")
    };
    let oral = record(ConsentKind::Express, "2026-08-01T00:00:00Z");
    let good = record(ConsentKind::Written, "2026-05-01T00:00:00Z");
    assert_eq!(answer(&clean(vec![expired.clone(), oral.clone(), good])), "ALLOW");
    assert_eq!(answer(&clean(vec![expired, oral])), "CONSENT_INSUFFICIENT");
}

#[test]
fn the_record_that_comes_closest_gives_the_reason() {
    let hopeless = ConsentFact {
        names_this_number: false,
        names_this_seller: false,
        ..record(ConsentKind::Written, "2026-06-01T00:00:00Z")
    };
    let nearly =
        ConsentFact { scope: vec!["appointment".to_owned()], ..record(ConsentKind::Written, "2026-06-01T00:00:00Z") };
    assert_eq!(answer(&clean(vec![hopeless.clone(), nearly.clone()])), "CONSENT_PURPOSE_MISMATCH");
    assert_eq!(answer(&clean(vec![nearly, hopeless])), "CONSENT_PURPOSE_MISMATCH");
}

#[test]
fn records_before_a_withdrawal_do_not_come_back_with_a_newer_one() {
    let mut facts = clean(vec![
        record(ConsentKind::Written, "2026-05-01T00:00:00Z"),
        record(ConsentKind::Express, "2026-08-01T00:00:00Z"),
    ]);
    facts.revoked_at = Some("2026-07-01T00:00:00Z".parse().unwrap());
    assert_eq!(answer(&facts), "CONSENT_INSUFFICIENT", "the written one was withdrawn");
}

#[test]
fn a_call_of_which_nothing_is_known_is_denied_for_everything() {
    let facts = Facts::unknown("+12125550113", Purpose::Telemarketing, Voice::Ai);
    assert_eq!(answer(&facts), "CONSENT_MISSING DNC_DATA_STALE FACT_UNKNOWN");
}
