//! What always binds: the company list, withdrawal of consent, litigators, reassigned numbers, protected lines, a live
//! call.

pub(super) const CASES: &str = "
on_the_company_list                   | internal_dnc_at=2026-09-15T18:00:00Z | INTERNAL_DNC
on_the_company_list_since_this_second | internal_dnc_at=2026-12-01T18:00:00Z | INTERNAL_DNC
on_the_company_list_from_later        | internal_dnc_at=2026-12-01T18:00:01Z | ALLOW
company_list_has_no_expiry            | internal_dnc_at=2010-01-01T00:00:00Z | INTERNAL_DNC
company_list_binds_informational      | internal_dnc_at=2026-09-15T18:00:00Z purpose=informational | INTERNAL_DNC
company_list_binds_healthcare         | internal_dnc_at=2026-09-15T18:00:00Z purpose=healthcare line_type=landline_res | INTERNAL_DNC
company_list_binds_people_and_businesses | internal_dnc_at=2026-09-15T18:00:00Z voice=human line_type=landline_biz | INTERNAL_DNC
company_list_beats_relationship       | internal_dnc_at=2026-09-15T18:00:00Z ebr=purchase ebr_date=2026-11-01 | INTERNAL_DNC
company_list_has_no_next              | internal_dnc_at=2026-09-15T18:00:00Z at=2026-12-02T04:00:00Z | INTERNAL_DNC OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE

revoked                               | revoked_at=2026-11-20T18:00:00Z    | CONSENT_REVOKED CONSENT_MISSING
revoked_this_second                   | revoked_at=2026-12-01T18:00:00Z    | CONSENT_REVOKED CONSENT_MISSING
revoked_later                         | revoked_at=2026-12-01T18:00:01Z    | ALLOW
consent_given_again                   | revoked_at=2026-05-31T15:00:00Z    | ALLOW
consent_given_again_in_the_same_second_does_not_count | revoked_at=2026-06-01T15:00:00Z | CONSENT_REVOKED CONSENT_MISSING
consent_given_again_but_after_the_call | revoked_at=2026-11-20T18:00:00Z consent_at=2026-12-02T00:00:00Z | CONSENT_REVOKED CONSENT_NOT_YET_VALID
consent_given_again_at_the_call       | revoked_at=2026-11-20T18:00:00Z consent_at=2026-12-01T18:00:00Z | ALLOW
consent_of_another_seller_gives_nothing_back | revoked_at=2026-05-31T15:00:00Z flags=consent_other_seller voice=human | CONSENT_REVOKED
consent_that_ran_out_gives_nothing_back | revoked_at=2026-05-31T15:00:00Z consent_expires_at=2026-11-30T05:00:00Z voice=human | CONSENT_REVOKED
consent_in_force_gives_permission_back | revoked_at=2026-05-31T15:00:00Z voice=human | ALLOW
revocation_binds_calls_that_need_no_consent | revoked_at=2026-11-20T18:00:00Z consent_type=none voice=human | CONSENT_REVOKED
revocation_binds_informational_to_a_business | revoked_at=2026-11-20T18:00:00Z purpose=informational line_type=landline_biz | CONSENT_REVOKED
revocation_binds_exempt_calls         | revoked_at=2026-11-20T18:00:00Z purpose=informational line_type=landline_res consent_type=none | CONSENT_REVOKED

litigator                             | litigator=y                        | LITIGATOR_LIST
litigator_unknown                     | litigator=                         | FACT_UNKNOWN
litigator_unknown_to_a_business       | litigator= voice=human line_type=landline_biz | FACT_UNKNOWN
litigator_list_switched_off           | litigator=y profile.litigator_list=\"off\" | ALLOW
reassigned                            | rnd=yes                            | REASSIGNED_NUMBER
reassigned_binds_people               | rnd=yes voice=human purpose=informational | REASSIGNED_NUMBER
reassigned_no_data                    | rnd=no_data                        | ALLOW warn: no safe harbour
reassigned_no_data_denied_by_profile  | rnd=no_data profile.reassigned_no_data=\"deny\" | REASSIGNED_NUMBER
reassigned_unknown                    | rnd=                               | FACT_UNKNOWN
everything_unknown_at_once            | rnd= litigator= ndnc= state_dnc= dnc_list_date= voice=human consent_type=none | DNC_DATA_STALE FACT_UNKNOWN

patient_room_without_consent          | flags=patient_room consent_type=none | PROTECTED_LINE CONSENT_MISSING
patient_room_with_consent             | flags=patient_room                 | ALLOW
patient_room_oral_consent_informational | flags=patient_room consent_type=express purpose=informational | ALLOW
patient_room_oral_consent_is_any_type | flags=patient_room consent_type=express | CONSENT_INSUFFICIENT
patient_room_any_line                 | flags=patient_room consent_type=none line_type=landline_biz | PROTECTED_LINE
patient_room_healthcare_has_no_exemption | flags=patient_room consent_type=none line_type=landline_res purpose=healthcare | PROTECTED_LINE
patient_room_expired_consent          | flags=patient_room consent_expires_at=2026-11-30T05:00:00Z | PROTECTED_LINE CONSENT_EXPIRED
patient_room_called_by_a_person       | flags=patient_room consent_type=none voice=human | ALLOW
patient_room_on_the_company_list      | flags=patient_room consent_type=none internal_dnc_at=2026-09-15T18:00:00Z | INTERNAL_DNC PROTECTED_LINE CONSENT_MISSING

another_call_is_live                  | reserved=2026-12-01T17:59:58Z      | IN_FLIGHT
another_call_is_live_since_this_second | reserved=2026-12-01T18:00:00Z     | IN_FLIGHT
another_call_is_live_at_night         | reserved=2026-12-02T01:59:58Z at=2026-12-02T02:30:00Z | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE IN_FLIGHT
a_live_call_that_fills_a_cap          | npa=305 at=2026-12-02T17:00:00Z attempts_utc=2026-12-01T18:00:00Z;2026-12-02T15:00:00Z reserved=2026-12-02T17:00:00Z | FREQ_CAP_STATE next=2026-12-02T18:00:00Z
a_live_call_that_fills_no_cap         | npa=305 at=2026-12-02T17:00:00Z attempts_utc=2026-12-02T15:00:00Z reserved=2026-12-02T17:00:00Z | IN_FLIGHT
";
