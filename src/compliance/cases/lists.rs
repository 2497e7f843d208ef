//! Do-not-call lists, their age, and the business relationship that lifts them.

pub(super) const CASES: &str = "
person_on_the_registry                | voice=human consent_type=none ndnc=y | NATIONAL_DNC
person_on_a_state_list                | voice=human consent_type=none state_dnc=y | STATE_DNC
person_on_both                        | voice=human consent_type=none ndnc=y state_dnc=y | NATIONAL_DNC STATE_DNC
home_on_the_registry                  | voice=human consent_type=none ndnc=y line_type=landline_res | NATIONAL_DNC
business_on_the_registry              | voice=human consent_type=none ndnc=y state_dnc=y line_type=landline_biz | ALLOW
business_needs_no_lists               | voice=human consent_type=none ndnc= state_dnc= dnc_list_date= line_type=landline_biz | ALLOW
ai_business_needs_no_lists            | consent_type=none ndnc=y state_dnc= dnc_list_date= line_type=landline_biz | ALLOW
written_consent_lifts_the_lists       | voice=human ndnc=y state_dnc=y dnc_list_date=2026-01-01 | ALLOW
written_consent_needs_no_lists        | ndnc= state_dnc= dnc_list_date=    | ALLOW
oral_consent_lifts_nothing            | voice=human consent_type=express ndnc=y | NATIONAL_DNC
written_consent_to_another_seller_lifts_nothing | voice=human ndnc=y flags=consent_other_seller | NATIONAL_DNC
written_consent_for_another_purpose_lifts_nothing | voice=human ndnc=y consent_scope=appointment | NATIONAL_DNC
informational_is_not_scrubbed         | voice=human purpose=informational consent_type=none ndnc=y state_dnc=y dnc_list_date= | ALLOW
ai_without_consent_is_scrubbed_too    | consent_type=none ndnc=y           | CONSENT_MISSING NATIONAL_DNC
registry_unknown                      | voice=human consent_type=none ndnc= | FACT_UNKNOWN
state_list_unknown                    | voice=human consent_type=none state_dnc= | FACT_UNKNOWN
list_31_days_old                      | voice=human consent_type=none dnc_list_date=2026-10-31 | ALLOW
list_32_days_old                      | voice=human consent_type=none dnc_list_date=2026-10-30 | DNC_DATA_STALE
list_without_a_date                   | voice=human consent_type=none dnc_list_date= | DNC_DATA_STALE
list_of_today                         | voice=human consent_type=none dnc_list_date=2026-12-01 | ALLOW
list_age_is_counted_in_local_dates    | voice=human consent_type=none npa=808 at=2026-12-02T01:00:00Z dnc_list_date=2026-10-31 | ALLOW
list_age_a_day_later_there            | voice=human consent_type=none npa=808 at=2026-12-02T20:00:00Z dnc_list_date=2026-10-31 | DNC_DATA_STALE
stale_list_has_no_next                | voice=human consent_type=none dnc_list_date= at=2026-12-02T04:00:00Z | DNC_DATA_STALE OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE

# 540 days bind before 18 months; 90 days or 3 months, whichever is shorter.
purchase_540_days_ago                 | voice=human consent_type=none ndnc=y ebr=purchase ebr_date=2025-06-09 | ALLOW
purchase_541_days_ago                 | voice=human consent_type=none ndnc=y ebr=purchase ebr_date=2025-06-08 | NATIONAL_DNC
purchase_before_a_withdrawal          | voice=human consent_type=express consent_scope=callback consent_at=2026-11-28T15:00:00Z ndnc=y ebr=purchase ebr_date=2026-10-01 revoked_at=2026-11-01T15:00:00Z | NATIONAL_DNC
purchase_on_the_day_of_a_withdrawal   | voice=human consent_type=express consent_scope=callback consent_at=2026-11-28T15:00:00Z ndnc=y ebr=purchase ebr_date=2026-11-01 revoked_at=2026-11-01T15:00:00Z | NATIONAL_DNC
purchase_after_a_withdrawal           | voice=human consent_type=express consent_scope=callback consent_at=2026-11-28T15:00:00Z ndnc=y ebr=purchase ebr_date=2026-11-02 revoked_at=2026-11-01T15:00:00Z | ALLOW
purchase_today                        | voice=human consent_type=none ndnc=y ebr=purchase ebr_date=2026-12-01 | ALLOW
purchase_tomorrow                     | voice=human consent_type=none ndnc=y ebr=purchase ebr_date=2026-12-02 | NATIONAL_DNC
purchase_without_a_date               | voice=human consent_type=none ndnc=y ebr=purchase | NATIONAL_DNC
inquiry_90_days_ago                   | voice=human consent_type=none ndnc=y ebr=inquiry ebr_date=2026-09-02 | ALLOW
inquiry_91_days_ago                   | voice=human consent_type=none ndnc=y ebr=inquiry ebr_date=2026-09-01 | NATIONAL_DNC
inquiry_3_months_are_89_days          | voice=human consent_type=none ndnc=y ebr=inquiry ebr_date=2027-02-01 at=2027-05-01T17:00:00Z | ALLOW
inquiry_90_days_are_past_3_months     | voice=human consent_type=none ndnc=y ebr=inquiry ebr_date=2027-02-01 at=2027-05-02T17:00:00Z | NATIONAL_DNC DNC_DATA_STALE
inquiry_of_january_31_lives_to_april_30 | voice=human consent_type=none ndnc=y ebr=inquiry ebr_date=2027-01-31 at=2027-04-30T17:00:00Z | ALLOW
inquiry_of_january_31_is_dead_in_may  | voice=human consent_type=none ndnc=y ebr=inquiry ebr_date=2027-01-31 at=2027-05-01T17:00:00Z | NATIONAL_DNC DNC_DATA_STALE
inquiry_of_november_30_lives_to_february_28 | voice=human consent_type=none ndnc=y ebr=inquiry ebr_date=2026-11-30 at=2027-02-28T18:00:00Z | ALLOW
inquiry_of_november_30_is_dead_in_march | voice=human consent_type=none ndnc=y ebr=inquiry ebr_date=2026-11-30 at=2027-03-01T18:00:00Z | NATIONAL_DNC DNC_DATA_STALE
inquiry_is_dated_in_the_first_zone    | voice=human consent_type=none ndnc=y ebr=inquiry ebr_date=2026-09-02 npa=808 at=2026-12-02T01:00:00Z | ALLOW
relationship_lifts_every_list         | voice=human consent_type=none ndnc=y state_dnc=y dnc_list_date= ebr=purchase ebr_date=2026-11-01 | ALLOW
relationship_makes_lists_unneeded     | voice=human consent_type=none ndnc= state_dnc= dnc_list_date= ebr=inquiry ebr_date=2026-11-01 | ALLOW
pennsylvania_lets_it_live_12_months   | voice=human consent_type=none ndnc=y npa=215 ebr=purchase ebr_date=2025-10-01 | ALLOW warn: 12 months
pennsylvania_by_profile               | voice=human consent_type=none ndnc=y npa=215 ebr=purchase ebr_date=2025-10-01 profile.short_relationship_terms=\"deny\" | STATE_PROHIBITION
pennsylvania_on_the_last_day          | voice=human consent_type=none ndnc=y npa=215 ebr=purchase ebr_date=2025-12-01 profile.short_relationship_terms=\"deny\" | ALLOW
mississippi_lets_it_live_6_months     | voice=human consent_type=none ndnc=y npa=662 ebr=purchase ebr_date=2026-05-01 | ALLOW warn: 6 months
the_short_term_is_no_matter_with_consent | npa=215 ebr=purchase ebr_date=2025-10-01 profile.short_relationship_terms=\"deny\" | ALLOW
";
