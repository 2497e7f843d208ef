//! Bans of a state, its emergencies, its devices and registrations, and where the called party may be.

pub(super) const CASES: &str = "
arizona_mobile_unsolicited            | npa=602 voice=human consent_type=none | STATE_PROHIBITION
arizona_mobile_unsolicited_by_ai      | npa=602 consent_type=none          | CONSENT_MISSING STATE_PROHIBITION
arizona_line_unknown_is_mobile        | npa=602 voice=human consent_type=none line_type= | STATE_PROHIBITION
arizona_landline                      | npa=602 voice=human consent_type=none line_type=landline_res | ALLOW
arizona_mobile_oral_consent           | npa=602 voice=human consent_type=express | ALLOW
arizona_mobile_written_consent        | npa=602                            | ALLOW
arizona_mobile_invalid_consent        | npa=602 voice=human flags=consent_other_number | STATE_PROHIBITION
arizona_mobile_relationship           | npa=602 voice=human consent_type=none ebr=inquiry ebr_date=2026-11-01 | ALLOW
arizona_mobile_dead_relationship      | npa=602 voice=human consent_type=none ebr=inquiry ebr_date=2026-01-01 | STATE_PROHIBITION
arizona_mobile_informational          | npa=602 voice=human consent_type=none purpose=informational | ALLOW
arizona_ban_has_no_next               | npa=602 voice=human consent_type=none at=2026-12-01T12:00:00Z | STATE_PROHIBITION OUTSIDE_HOURS_FEDERAL
new_jersey_mobile_unsolicited         | npa=201 voice=human consent_type=none | STATE_PROHIBITION
new_jersey_mobile_relationship        | npa=201 voice=human consent_type=none ebr=purchase ebr_date=2026-11-01 | ALLOW
address_in_arizona_brings_its_ban     | known_state=AZ known_zone=America/Phoenix voice=human consent_type=none | STATE_PROHIBITION
number_of_arizona_keeps_its_ban       | npa=602 known_state=NY known_zone=America/New_York voice=human consent_type=none | STATE_PROHIBITION

emergency_in_new_york                 | flags=emergency_NY voice=human consent_type=none | STATE_OF_EMERGENCY
emergency_in_new_york_with_consent    | flags=emergency_NY                 | ALLOW
emergency_in_new_york_oral_consent    | flags=emergency_NY voice=human consent_type=express | ALLOW
emergency_in_new_york_relationship    | flags=emergency_NY voice=human consent_type=none ebr=inquiry ebr_date=2026-11-01 | ALLOW
emergency_in_new_york_to_a_business   | flags=emergency_NY voice=human consent_type=none line_type=landline_biz | STATE_OF_EMERGENCY
emergency_in_louisiana_with_consent   | flags=emergency_LA npa=504         | STATE_OF_EMERGENCY
emergency_in_louisiana_relationship   | flags=emergency_LA npa=504 voice=human consent_type=none ebr=purchase ebr_date=2026-11-01 | STATE_OF_EMERGENCY
emergency_in_louisiana_informational  | flags=emergency_LA npa=504 purpose=informational | ALLOW
emergency_in_texas_has_no_rule        | flags=emergency_TX npa=214         | ALLOW
emergency_elsewhere                   | flags=emergency_LA                 | ALLOW
emergency_at_the_address              | flags=emergency_LA known_state=LA known_zone=America/Chicago | STATE_OF_EMERGENCY
emergency_in_two_states               | flags=emergency_TX;emergency_NY voice=human consent_type=none | STATE_OF_EMERGENCY

texas_asks_for_a_device_permit        | npa=214                            | ALLOW warn: TX.automated asks for a permit
texas_permit_denied_by_profile        | npa=214 profile.device_permits=\"deny\" | STATE_PROHIBITION
texas_permit_is_no_matter_to_people   | npa=214 voice=human profile.device_permits=\"deny\" | ALLOW
washington_bans_recorded_sales_calls  | npa=206                            | ALLOW warn: WA.automated bans recorded sales calls
washington_ban_denied_by_profile      | npa=206 profile.device_prohibitions=\"deny\" | STATE_PROHIBITION
washington_ban_is_no_matter_to_other_calls | npa=206 purpose=informational profile.device_prohibitions=\"deny\" | ALLOW
florida_consent_device_is_met         | npa=305 profile.device_permits=\"deny\" profile.device_prohibitions=\"deny\" | ALLOW
florida_asks_for_a_licence            | npa=305                            | ALLOW warn: Registration of sellers in Florida: a licence is required.
not_registered_in_florida             | npa=305 profile.unregistered_states=[\"FL\"] | STATE_PROHIBITION
not_registered_at_the_address         | known_state=FL known_zone=America/New_York profile.unregistered_states=[\"FL\"] | STATE_PROHIBITION
not_registered_but_not_selling        | npa=305 purpose=informational profile.unregistered_states=[\"FL\"] | ALLOW

# Where the called party may be.
address_in_the_same_state_narrows     | npa=850 at=2026-12-02T01:15:00Z known_state=FL known_zone=America/Chicago | ALLOW
address_without_a_zone_does_not_narrow | npa=850 at=2026-12-02T01:15:00Z known_state=FL | OUTSIDE_HOURS_STATE next=2026-12-02T14:00:00Z
zone_without_a_state_does_not_narrow  | npa=850 at=2026-12-02T01:15:00Z known_zone=America/Chicago | OUTSIDE_HOURS_STATE next=2026-12-02T14:00:00Z
zone_without_a_state_adds             | known_zone=America/Los_Angeles at=2026-12-01T15:00:00Z | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-01T16:00:00Z
another_state_without_a_zone_adds_all_its_zones | known_state=TN at=2026-12-01T13:30:00Z | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-01T14:00:00Z
another_state_adds_its_rules          | known_state=CA at=2026-12-01T16:30:00Z | OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-01T17:00:00Z
product_of_zones_and_states           | npa=303 known_state=FL known_zone=America/New_York at=2026-12-02T01:30:00Z | OUTSIDE_HOURS_STATE next=2026-12-02T15:00:00Z
hawaii_and_florida_leave_13_to_20     | npa=808 known_state=FL known_zone=America/New_York at=2026-12-01T17:59:59Z | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-01T18:00:00Z
hawaii_and_florida_open               | npa=808 known_state=FL known_zone=America/New_York at=2026-12-01T18:00:00Z | ALLOW
hawaii_and_florida_close              | npa=808 known_state=FL known_zone=America/New_York at=2026-12-02T01:00:00Z | OUTSIDE_HOURS_STATE next=2026-12-02T18:00:00Z
navajo_nation_keeps_daylight_time     | npa=928 at=2027-07-02T03:30:00Z    | OUTSIDE_HOURS_FEDERAL next=2027-07-02T15:00:00Z
address_in_no_state                   | unheard_of_state=ZZ                | FACT_UNKNOWN
another_lead_s_state_adds_its_rules   | also=CA/ at=2026-12-01T16:30:00Z | OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-01T17:00:00Z
another_lead_s_state_adds_beside_known | known_state=NY known_zone=America/New_York also=CA/America/Los_Angeles at=2026-12-01T16:30:00Z | OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-01T17:00:00Z
another_lead_s_zone_adds              | also=/America/Los_Angeles at=2026-12-01T15:00:00Z | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-01T16:00:00Z
another_lead_s_zone_ends_the_narrowing | npa=850 at=2026-12-02T01:15:00Z known_state=FL known_zone=America/Chicago also=FL/America/New_York | OUTSIDE_HOURS_STATE next=2026-12-02T14:00:00Z
another_lead_of_the_state_ends_the_narrowing | npa=850 at=2026-12-02T01:15:00Z known_state=FL known_zone=America/Chicago also=FL/ | OUTSIDE_HOURS_STATE next=2026-12-02T14:00:00Z
another_lead_at_the_same_address      | npa=850 at=2026-12-02T01:15:00Z known_state=FL known_zone=America/Chicago also=FL/America/Chicago | ALLOW
another_lead_never_narrows            | npa=850 at=2026-12-02T01:15:00Z also=FL/America/Chicago | OUTSIDE_HOURS_STATE next=2026-12-02T14:00:00Z
another_lead_s_ban                    | also=TX/;AZ/America/Phoenix voice=human consent_type=none | STATE_PROHIBITION
another_lead_in_no_zone               | also=NY/America/Gotham | FACT_UNKNOWN
another_lead_in_no_state              | also=ZZ/ | FACT_UNKNOWN
address_in_no_zone                    | known_state=NY unheard_of_zone=America/Gotham | FACT_UNKNOWN
a_bare_abbreviation_is_no_zone        | known_state=NY unheard_of_zone=EST | FACT_UNKNOWN
alaska_to_the_aleutians               | npa=907 at=2026-12-01T17:30:00Z    | OUTSIDE_HOURS_FEDERAL next=2026-12-01T18:00:00Z
";
