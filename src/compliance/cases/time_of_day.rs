//! Hours, Sundays, holidays, daylight time, effective dates, and the next permissible instant.

pub(super) const CASES: &str = "
new_york_opens_at_8                   | at=2026-12-01T13:00:00Z            | ALLOW
new_york_a_second_before              | at=2026-12-01T12:59:59Z            | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-01T13:00:00Z
new_york_a_nanosecond_before          | at=2026-12-01T12:59:59.999999999Z  | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-01T13:00:00Z
new_york_closes_at_21                 | at=2026-12-02T02:00:00Z            | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-02T13:00:00Z
business_landline_keeps_hours         | line_type=landline_biz at=2026-12-02T02:00:00Z | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-02T13:00:00Z
people_keep_hours                     | voice=human line_type=landline_res at=2026-12-02T02:00:00Z | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-02T13:00:00Z
ohio_has_only_the_federal_hours       | npa=614 at=2026-12-02T02:00:00Z    | OUTSIDE_HOURS_FEDERAL next=2026-12-02T13:00:00Z
federal_hours_count_where_the_state_has_its_own | npa=860 at=2026-12-01T12:30:00Z | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-01T14:00:00Z
kentucky_opens_at_10                  | npa=859 at=2026-12-01T14:59:59Z    | OUTSIDE_HOURS_STATE next=2026-12-01T15:00:00Z
texas_opens_at_noon_on_sunday         | npa=214 at=2026-12-06T17:59:59Z    | OUTSIDE_HOURS_STATE OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-06T18:00:00Z
texas_called_by_a_person_on_sunday    | npa=214 voice=human at=2026-12-06T17:59:59Z | OUTSIDE_HOURS_STATE next=2026-12-06T18:00:00Z

# Calls that sell nothing keep 08:00 to 21:00 in every zone, and nothing else.
informational_at_night                | purpose=informational at=2026-12-02T02:00:00Z | OUTSIDE_HOURS_FEDERAL next=2026-12-02T13:00:00Z
informational_by_a_person_at_night    | purpose=informational voice=human at=2026-12-02T02:00:00Z | OUTSIDE_HOURS_FEDERAL next=2026-12-02T13:00:00Z
healthcare_at_night                   | purpose=healthcare line_type=landline_res at=2026-12-02T02:00:00Z | OUTSIDE_HOURS_FEDERAL next=2026-12-02T13:00:00Z
informational_after_state_hours       | purpose=informational npa=860 at=2026-12-02T01:30:00Z | ALLOW
informational_on_a_closed_sunday      | purpose=informational npa=504 at=2026-12-06T18:00:00Z | ALLOW
informational_on_a_holiday            | purpose=informational npa=215 at=2026-11-26T17:00:00Z | ALLOW
informational_on_a_saturday_in_maine  | purpose=informational npa=207 at=2026-12-05T16:00:00Z | ALLOW
informational_in_every_zone           | purpose=informational npa=423 at=2026-12-01T13:15:00Z | OUTSIDE_HOURS_FEDERAL next=2026-12-01T14:00:00Z

# Daylight time.
first_morning_of_daylight_time        | at=2027-03-14T12:00:00Z            | ALLOW
a_second_before_it                    | at=2027-03-14T11:59:59Z            | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2027-03-14T12:00:00Z
evening_before_daylight_time          | at=2027-03-14T02:00:00Z            | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2027-03-14T12:00:00Z
evening_before_standard_time          | at=2026-11-01T01:00:00Z            | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-11-01T13:00:00Z
phoenix_keeps_standard_time           | npa=602 at=2027-07-01T15:00:00Z    | ALLOW

# Mississippi's statute names Central Standard Time.
mississippi_summer_morning            | npa=662 at=2027-07-06T13:59:59Z    | OUTSIDE_HOURS_STATE next=2027-07-06T14:00:00Z
mississippi_summer_9                  | npa=662 at=2027-07-06T14:00:00Z    | ALLOW
mississippi_summer_evening_open       | npa=662 at=2027-07-07T00:59:59Z    | ALLOW
mississippi_summer_evening_closed     | npa=662 at=2027-07-07T01:00:00Z    | OUTSIDE_HOURS_STATE next=2027-07-07T14:00:00Z
mississippi_winter_8                  | npa=662 at=2026-12-01T14:00:00Z    | ALLOW
mississippi_winter_before_8           | npa=662 at=2026-12-01T13:59:59Z    | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-12-01T14:00:00Z
mississippi_into_daylight_time        | npa=662 at=2027-03-14T02:30:00Z    | OUTSIDE_HOURS_STATE next=2027-03-15T14:00:00Z
mississippi_out_of_daylight_time      | npa=662 at=2026-11-01T01:30:00Z    | OUTSIDE_HOURS_STATE next=2026-11-02T14:00:00Z
mississippi_sunday                    | npa=662 at=2026-12-06T18:00:00Z    | SUNDAY_BAN next=2026-12-07T14:00:00Z
mississippi_has_no_holidays           | npa=662 at=2026-11-26T17:00:00Z    | ALLOW

# Pennsylvania's new window.
pennsylvania_last_saturday_evening    | npa=215 at=2026-10-18T00:30:00Z    | ALLOW
pennsylvania_last_night               | npa=215 at=2026-10-18T01:30:00Z    | OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-10-19T13:00:00Z
pennsylvania_first_closed_sunday      | npa=215 at=2026-10-18T18:00:00Z    | SUNDAY_BAN next=2026-10-19T13:00:00Z
pennsylvania_last_open_sunday         | npa=215 at=2026-10-11T18:00:00Z    | ALLOW
pennsylvania_monday_at_8_30           | npa=215 at=2026-10-19T12:30:00Z    | OUTSIDE_HOURS_STATE next=2026-10-19T13:00:00Z
pennsylvania_old_holidays             | npa=215 at=2026-07-03T18:00:00Z    | HOLIDAY_BAN next=2026-07-05T12:00:00Z

# Sundays.
louisiana_sunday                      | npa=504 at=2026-12-06T18:00:00Z    | SUNDAY_BAN next=2026-12-07T14:00:00Z
south_dakota_sunday                   | npa=605 at=2026-12-06T18:00:00Z    | SUNDAY_BAN OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-07T16:00:00Z
south_dakota_saturday_by_ai           | npa=605 at=2026-12-05T18:00:00Z    | OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-07T16:00:00Z
south_dakota_saturday_by_a_person     | npa=605 voice=human at=2026-12-05T18:00:00Z | ALLOW
sunday_is_local                       | npa=504 at=2026-12-07T03:00:00Z    | SUNDAY_BAN OUTSIDE_HOURS_FEDERAL next=2026-12-07T14:00:00Z
sunday_at_the_address                 | known_state=LA known_zone=America/Chicago at=2026-12-06T18:00:00Z | SUNDAY_BAN next=2026-12-07T14:00:00Z

# Automated voices.
maine_closes_at_17                    | npa=207 at=2026-12-01T22:00:00Z    | OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-02T14:00:00Z
maine_called_by_a_person              | npa=207 voice=human at=2026-12-05T22:00:00Z | ALLOW
maine_where_the_profile_ignores_it    | npa=207 at=2026-12-05T16:00:00Z profile.automated_voice_hours=\"ignore\" | ALLOW
california_opens_at_9_for_ai          | npa=213 at=2026-12-01T16:30:00Z    | OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-01T17:00:00Z
california_called_by_a_person         | npa=213 voice=human at=2026-12-01T16:30:00Z | ALLOW
nevada_for_ai                         | npa=702 at=2026-12-01T16:30:00Z    | OUTSIDE_HOURS_STATE OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-01T17:00:00Z
nebraska_sunday_before_13             | npa=402 at=2026-12-06T18:59:59Z    | OUTSIDE_HOURS_STATE_AUTOMATED next=2026-12-06T19:00:00Z
nebraska_holiday_before_13            | npa=402 at=2026-11-26T18:59:59Z    | OUTSIDE_HOURS_STATE_AUTOMATED next=2026-11-26T19:00:00Z
nebraska_holiday_after_13             | npa=402 at=2026-11-26T19:00:00Z    | ALLOW
nebraska_observed_holiday             | npa=402 at=2027-07-05T15:00:00Z    | OUTSIDE_HOURS_STATE_AUTOMATED next=2027-07-05T18:00:00Z
nebraska_holiday_by_a_person          | npa=402 voice=human at=2026-11-26T15:00:00Z | ALLOW

# Holidays, and the days on which they are observed.
thanksgiving_in_pennsylvania          | npa=717 at=2026-11-26T17:00:00Z    | HOLIDAY_BAN next=2026-11-27T14:00:00Z
thanksgiving_to_a_business            | npa=717 line_type=landline_biz at=2026-11-26T17:00:00Z | HOLIDAY_BAN next=2026-11-27T14:00:00Z
thanksgiving_at_dawn                  | npa=717 at=2026-11-26T12:00:00Z    | HOLIDAY_BAN OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE next=2026-11-27T14:00:00Z
thanksgiving_in_new_york              | at=2026-11-26T17:00:00Z            | ALLOW
july_4_on_a_saturday_closes_friday    | npa=401 at=2026-07-03T16:00:00Z    | HOLIDAY_BAN next=2026-07-06T13:00:00Z
july_4_on_a_saturday_is_closed_too    | npa=401 at=2026-07-04T16:00:00Z    | HOLIDAY_BAN next=2026-07-06T13:00:00Z
july_4_on_a_sunday_closes_monday      | npa=215 at=2027-07-05T18:00:00Z    | HOLIDAY_BAN next=2027-07-06T13:00:00Z
july_4_on_a_sunday_is_both            | npa=215 at=2027-07-04T18:00:00Z    | HOLIDAY_BAN SUNDAY_BAN next=2027-07-06T13:00:00Z
new_year_on_a_saturday_closes_december_31 | npa=504 at=2027-12-31T18:00:00Z | HOLIDAY_BAN next=2028-01-03T14:00:00Z
columbus_day_in_alabama               | npa=205 at=2026-10-12T18:00:00Z    | HOLIDAY_BAN next=2026-10-13T13:00:00Z
juneteenth_in_utah                    | npa=801 at=2026-06-19T18:00:00Z    | HOLIDAY_BAN next=2026-06-20T14:00:00Z
mardi_gras_in_louisiana               | npa=504 at=2027-02-09T18:00:00Z    | HOLIDAY_BAN next=2027-02-10T14:00:00Z
mardi_gras_in_alabama                 | npa=251 at=2027-02-09T18:00:00Z    | ALLOW
good_friday_in_louisiana              | npa=504 at=2027-03-26T18:00:00Z    | HOLIDAY_BAN next=2027-03-27T13:00:00Z
good_friday_in_pennsylvania           | npa=215 at=2027-03-26T18:00:00Z    | HOLIDAY_BAN next=2027-03-27T13:00:00Z
good_friday_in_rhode_island           | npa=401 at=2027-03-26T18:00:00Z    | ALLOW
all_saints_observed_on_monday         | npa=504 at=2026-11-02T18:00:00Z    | HOLIDAY_BAN next=2026-11-03T14:00:00Z
all_saints_on_a_sunday                | npa=504 at=2026-11-01T18:00:00Z    | HOLIDAY_BAN SUNDAY_BAN next=2026-11-03T14:00:00Z
flag_day_in_pennsylvania              | npa=215 at=2027-06-14T18:00:00Z    | HOLIDAY_BAN next=2027-06-15T13:00:00Z
election_day_in_pennsylvania_every_year | npa=215 at=2027-11-02T18:00:00Z  | HOLIDAY_BAN next=2027-11-03T13:00:00Z
election_day_in_rhode_island_even     | npa=401 at=2026-11-03T18:00:00Z    | HOLIDAY_BAN next=2026-11-04T14:00:00Z
election_day_in_rhode_island_odd      | npa=401 at=2027-11-02T18:00:00Z    | ALLOW
victory_day_in_rhode_island           | npa=401 at=2027-08-09T18:00:00Z    | HOLIDAY_BAN next=2027-08-10T13:00:00Z
pioneer_day_observed_in_utah          | npa=801 at=2027-07-23T18:00:00Z    | HOLIDAY_BAN next=2027-07-26T14:00:00Z
confederate_memorial_day_in_alabama   | npa=205 at=2027-04-26T18:00:00Z    | HOLIDAY_BAN next=2027-04-27T13:00:00Z
jefferson_davis_birthday_in_alabama   | npa=205 at=2027-06-07T18:00:00Z    | HOLIDAY_BAN next=2027-06-08T13:00:00Z
christmas_weekend_in_rhode_island     | npa=401 at=2027-12-24T16:00:00Z    | HOLIDAY_BAN next=2027-12-27T14:00:00Z
holiday_is_local                      | npa=504 at=2026-12-26T02:00:00Z    | HOLIDAY_BAN OUTSIDE_HOURS_STATE next=2026-12-26T14:00:00Z

# Hours that consent lifts, where the profile lets the law's own exceptions count.
consent_lifts_federal_hours           | npa=614 at=2026-12-01T08:00:00Z profile.consented_hours=\"lifted_where_the_law_says\" | ALLOW
consent_lifts_virginia_hours          | npa=703 at=2026-12-01T08:00:00Z profile.consented_hours=\"lifted_where_the_law_says\" | ALLOW
consent_lifts_utah_sundays            | npa=801 at=2026-12-06T18:00:00Z profile.consented_hours=\"lifted_where_the_law_says\" | ALLOW
consent_does_not_lift_new_york_hours  | at=2026-12-01T08:00:00Z profile.consented_hours=\"lifted_where_the_law_says\" | OUTSIDE_HOURS_STATE next=2026-12-01T13:00:00Z
consent_does_not_lift_louisiana_sundays | npa=504 at=2026-12-06T18:00:00Z profile.consented_hours=\"lifted_where_the_law_says\" | SUNDAY_BAN next=2026-12-07T14:00:00Z
without_consent_nothing_is_lifted     | npa=614 voice=human consent_type=none at=2026-12-01T08:00:00Z profile.consented_hours=\"lifted_where_the_law_says\" | OUTSIDE_HOURS_FEDERAL next=2026-12-01T13:00:00Z
relationship_lifts_federal_hours      | npa=614 voice=human consent_type=none ebr=purchase ebr_date=2026-11-01 at=2026-12-01T08:00:00Z profile.consented_hours=\"lifted_where_the_law_says\" | ALLOW
";
