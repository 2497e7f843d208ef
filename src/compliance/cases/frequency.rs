//! Frequency caps: rolling windows, what lifts them, when they free.

use jiff::{SignedDuration, Timestamp};

use super::shipped;
use crate::compliance::case::LocalTime;
use crate::compliance::counting::full_until;
use crate::compliance::tables::caps::{CapKind, FrequencyCap};

pub(super) const CASES: &str = "
florida_two_attempts                  | npa=305 attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z | ALLOW
florida_three_attempts                | npa=305 attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-02T14:00:00Z
florida_order_does_not_matter         | npa=305 attempts_utc=2026-12-01T16:00:00Z;2026-12-01T14:00:00Z;2026-12-01T15:00:00Z | FREQ_CAP_STATE next=2026-12-02T14:00:00Z
florida_by_a_person                   | npa=305 voice=human consent_type=none attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-02T14:00:00Z
florida_informational                 | npa=305 purpose=informational attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | ALLOW
florida_exactly_24_hours_old          | npa=305 attempts_utc=2026-11-30T18:00:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | ALLOW
florida_a_second_less                 | npa=305 attempts_utc=2026-11-30T18:00:01Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-01T18:00:01Z
florida_a_nanosecond_less             | npa=305 attempts_utc=2026-11-30T18:00:00.000000001Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-01T18:00:01Z
florida_attempt_of_this_second_counts | npa=305 attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T18:00:00Z | FREQ_CAP_STATE next=2026-12-02T14:00:00Z
florida_later_attempts_do_not_count   | npa=305 attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T18:00:01Z | ALLOW
florida_five_attempts_free_by_the_third_last | npa=305 attempts_utc=2026-12-01T13:00:00Z;2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z;2026-12-01T17:00:00Z | FREQ_CAP_STATE next=2026-12-02T15:00:00Z
florida_capped_and_closed             | npa=305 at=2026-12-02T01:30:00Z attempts_utc=2026-12-01T18:00:00Z;2026-12-01T19:00:00Z;2026-12-01T20:00:00Z | OUTSIDE_HOURS_STATE FREQ_CAP_STATE next=2026-12-02T18:00:00Z
florida_frees_when_closed             | npa=305 at=2026-12-01T17:00:00Z attempts_utc=2026-12-01T01:00:30Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-02T13:00:00Z
florida_frees_to_the_second           | npa=305 at=2026-12-01T17:00:00Z attempts_utc=2026-12-01T00:30:07Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-02T00:30:07Z
florida_cap_at_the_address            | known_state=FL known_zone=America/New_York attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-02T14:00:00Z
florida_number_keeps_its_cap          | npa=305 known_state=NY known_zone=America/New_York attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-02T14:00:00Z
cap_with_a_consent_denial_has_no_next | npa=305 consent_type=none attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | CONSENT_MISSING FREQ_CAP_STATE
oklahoma_three_attempts               | npa=405 attempts_utc=2026-12-01T14:30:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-02T14:30:00Z
maryland_three_attempts               | npa=301 attempts_utc=2026-12-01T14:30:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-02T14:30:00Z
oregon_three_attempts                 | npa=503 attempts_utc=2026-12-01T16:30:00Z;2026-12-01T17:00:00Z;2026-12-01T17:30:00Z | FREQ_CAP_STATE next=2026-12-02T16:30:00Z
oregon_lifted_by_a_purchase           | npa=503 ebr=purchase ebr_date=2026-11-01 attempts_utc=2026-12-01T16:30:00Z;2026-12-01T17:00:00Z;2026-12-01T17:30:00Z | ALLOW
oregon_not_lifted_by_an_inquiry       | npa=503 ebr=inquiry ebr_date=2026-11-01 attempts_utc=2026-12-01T16:30:00Z;2026-12-01T17:00:00Z;2026-12-01T17:30:00Z | FREQ_CAP_STATE next=2026-12-02T16:30:00Z
oregon_not_lifted_by_a_dead_purchase  | npa=503 ebr=purchase ebr_date=2025-01-01 attempts_utc=2026-12-01T16:30:00Z;2026-12-01T17:00:00Z;2026-12-01T17:30:00Z | FREQ_CAP_STATE next=2026-12-02T16:30:00Z
florida_is_not_lifted_by_a_purchase   | npa=305 ebr=purchase ebr_date=2026-11-01 attempts_utc=2026-12-01T14:00:00Z;2026-12-01T15:00:00Z;2026-12-01T16:00:00Z | FREQ_CAP_STATE next=2026-12-02T14:00:00Z
maine_one_in_8_hours                  | npa=207 at=2026-12-01T20:00:00Z attempts_utc=2026-12-01T13:00:00Z | FREQ_CAP_STATE next=2026-12-01T21:00:00Z
maine_frees_after_17                  | npa=207 at=2026-12-01T20:00:00Z attempts_utc=2026-12-01T14:30:00Z | FREQ_CAP_STATE next=2026-12-02T14:00:00Z
maine_exactly_8_hours                 | npa=207 at=2026-12-01T21:00:00Z attempts_utc=2026-12-01T13:00:00Z | ALLOW
maine_by_a_person                     | npa=207 voice=human at=2026-12-01T20:00:00Z attempts_utc=2026-12-01T19:00:00Z | ALLOW
nevada_has_no_cap_that_facts_can_show | npa=702 attempts_utc=2026-12-01T17:15:00Z;2026-12-01T17:30:00Z;2026-12-01T17:45:00Z;2026-12-01T17:50:00Z | ALLOW
texas_has_no_cap                      | npa=214 attempts_utc=2026-12-01T15:15:00Z;2026-12-01T16:30:00Z;2026-12-01T17:45:00Z;2026-12-01T17:50:00Z | ALLOW

exempt_two_in_30_days                 | purpose=informational line_type=landline_res consent_type=none attempts_utc=2026-11-12T15:00:00Z;2026-11-20T15:00:00Z | ALLOW_EXEMPT
exempt_three_in_30_days               | purpose=informational line_type=landline_res consent_type=none attempts_utc=2026-11-05T15:00:00Z;2026-11-12T15:00:00Z;2026-11-20T15:00:00Z | FREQ_CAP_EXEMPT next=2026-12-05T15:00:00Z
exempt_exactly_30_days                | purpose=informational line_type=landline_res consent_type=none attempts_utc=2026-11-01T18:00:00Z;2026-11-12T15:00:00Z;2026-11-20T15:00:00Z | ALLOW_EXEMPT
exempt_is_not_needed_with_consent     | purpose=informational line_type=landline_res consent_type=express attempts_utc=2026-11-05T15:00:00Z;2026-11-12T15:00:00Z;2026-11-20T15:00:00Z | ALLOW
exempt_counts_where_the_consent_expired | purpose=informational line_type=landline_res consent_expires_at=2026-11-30T05:00:00Z attempts_utc=2026-11-05T15:00:00Z;2026-11-12T15:00:00Z;2026-11-20T15:00:00Z | FREQ_CAP_EXEMPT next=2026-12-05T15:00:00Z
exempt_caps_do_not_bind_businesses    | purpose=informational line_type=landline_biz consent_type=none attempts_utc=2026-11-05T15:00:00Z;2026-11-12T15:00:00Z;2026-11-20T15:00:00Z | ALLOW
exempt_caps_do_not_bind_people        | purpose=informational voice=human line_type=landline_res consent_type=none attempts_utc=2026-11-05T15:00:00Z;2026-11-12T15:00:00Z;2026-11-20T15:00:00Z | ALLOW
healthcare_one_a_day                  | purpose=healthcare line_type=landline_res consent_type=none attempts_utc=2026-11-30T19:00:00Z | FREQ_CAP_EXEMPT next=2026-12-01T19:00:00Z
healthcare_exactly_a_day              | purpose=healthcare line_type=landline_res consent_type=none attempts_utc=2026-11-30T18:00:00Z | ALLOW_EXEMPT
healthcare_earlier_today              | purpose=healthcare line_type=landline_res consent_type=none attempts_utc=2026-12-01T14:00:00Z | FREQ_CAP_EXEMPT next=2026-12-02T14:00:00Z
healthcare_three_a_week               | purpose=healthcare line_type=landline_res consent_type=none attempts_utc=2026-11-26T15:00:00Z;2026-11-28T15:00:00Z;2026-11-30T15:00:00Z | FREQ_CAP_EXEMPT next=2026-12-03T15:00:00Z
healthcare_exactly_a_week             | purpose=healthcare line_type=landline_res consent_type=none attempts_utc=2026-11-24T18:00:00Z;2026-11-28T15:00:00Z;2026-11-30T15:00:00Z | ALLOW_EXEMPT
healthcare_both_caps                  | purpose=healthcare line_type=landline_res consent_type=none attempts_utc=2026-11-26T15:00:00Z;2026-11-28T15:00:00Z;2026-12-01T15:00:00Z | FREQ_CAP_EXEMPT next=2026-12-03T15:00:00Z
healthcare_with_consent_has_no_cap    | purpose=healthcare line_type=landline_res consent_type=express attempts_utc=2026-12-01T14:00:00Z | ALLOW
healthcare_mobile_has_no_exemption    | purpose=healthcare consent_type=none attempts_utc=2026-12-01T14:00:00Z | CONSENT_MISSING
exempt_frees_at_night                 | purpose=healthcare line_type=landline_res consent_type=none at=2026-12-02T01:00:00Z attempts_utc=2026-12-01T01:30:30Z;2026-12-01T01:00:01Z | FREQ_CAP_EXEMPT next=2026-12-02T01:30:30Z
";

/// 1 November 2026 has 25 hours in New York: an attempt at 00:10 is older than 24 hours at 23:50 of the same date.
#[test]
fn a_calendar_day_may_be_longer_than_24_hours() {
    let tables = shipped();
    let zone = tables.zone("America/New_York").unwrap();
    let at: Timestamp = "2026-11-02T04:50:00Z".parse().unwrap();
    let local = [LocalTime { at: zone.tz.to_datetime(at), zone }];
    let attempts = ["2026-11-01T04:10:00Z".parse().unwrap()];
    let mut cap = FrequencyCap {
        kind: CapKind::Exempt,
        count: 1,
        window: SignedDuration::from_hours(24),
        calendar_day: false,
        voices: Vec::new(),
        purposes: Vec::new(),
        lifted_by: Vec::new(),
    };
    assert_eq!(full_until(&cap, &attempts, &local, at), None);
    cap.calendar_day = true;
    let midnight: Timestamp = "2026-11-02T05:00:00Z".parse().unwrap();
    assert_eq!(full_until(&cap, &attempts, &local, at), Some(midnight));
    assert_eq!(full_until(&cap, &attempts, &local, midnight), None);
}
