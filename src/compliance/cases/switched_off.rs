//! Every rule is needed: with any one of them switched off, a named case is answered wrongly.

use super::{named_cases, shipped};
use crate::compliance::rules::{RULES, Rule};

#[test]
fn without_any_one_rule_a_named_case_fails() {
    let tables = shipped();
    let cases = named_cases(&tables);
    for off in &RULES {
        let rest: Vec<Rule> = RULES.iter().filter(|rule| rule.name != off.name).copied().collect();
        assert_eq!(rest.len(), RULES.len() - 1, "the name {} is its own", off.name);
        let fails: Vec<&str> = cases
            .iter()
            .filter(|case| case.holds_under(&rest, &tables).is_err())
            .map(|case| case.name.as_str())
            .collect();
        assert!(!fails.is_empty(), "no named case needs the rule {}", off.name);
    }
}

/// The cases that show each rule best, by name: denied by that rule alone, and allowed without it.
#[test]
fn each_rule_has_a_case_of_its_own() {
    let tables = shipped();
    let cases = named_cases(&tables);
    let shown_by = [
        ("outbound_stopped", "stopped"),
        ("number_form", "nine_digits"),
        ("area_code_in_service", "assigned_565"),
        ("geographic_number", "toll_free"),
        ("country_enabled", "canada"),
        ("verified_address", "address_in_no_state"),
        ("internal_dnc", "on_the_company_list"),
        ("consent_revoked", "revocation_binds_calls_that_need_no_consent"),
        ("litigator_list", "litigator"),
        ("reassigned_number", "reassigned"),
        ("protected_line", "patient_room_any_line"),
        ("consent", "consent_missing"),
        ("national_dnc", "person_on_the_registry"),
        ("state_dnc", "person_on_a_state_list"),
        ("dnc_list_age", "list_32_days_old"),
        ("business_relationship_term", "pennsylvania_by_profile"),
        ("state_prohibition", "arizona_mobile_unsolicited"),
        ("automated_voice_device", "texas_permit_denied_by_profile"),
        ("seller_registration", "not_registered_in_florida"),
        ("state_of_emergency", "emergency_in_new_york"),
        ("holiday", "thanksgiving_in_pennsylvania"),
        ("sunday", "louisiana_sunday"),
        ("calling_hours_federal", "ohio_has_only_the_federal_hours"),
        ("calling_hours_state", "kentucky_opens_at_10"),
        ("automated_voice_hours", "maine_closes_at_17"),
        ("frequency_state", "florida_three_attempts"),
        ("frequency_exempt", "exempt_three_in_30_days"),
        ("in_flight", "another_call_is_live"),
    ];
    let named: Vec<&str> = shown_by.iter().map(|(rule, _)| *rule).collect();
    assert!(RULES.iter().all(|rule| named.contains(&rule.name)) && named.len() == RULES.len(), "{named:?}");
    for (rule, name) in shown_by {
        let rest: Vec<Rule> = RULES.iter().filter(|other| other.name != rule).copied().collect();
        assert_eq!(rest.len(), RULES.len() - 1, "{rule} is a rule");
        let case = cases.iter().find(|case| case.name == name).expect(name);
        assert!(case.holds_under(&RULES, &tables).is_ok(), "{name} holds");
        assert!(!case.decide(&RULES, &tables).is_allowed(), "{name} is denied");
        let without = case.decide(&rest, &tables);
        assert!(without.is_allowed(), "{name} without {rule}: {:?}", without.reasons());
    }
}
