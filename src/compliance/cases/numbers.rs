//! Numbers: well formed, of a place, in service, of the United States; emergencies and the stop-all switch.

pub(super) const CASES: &str = "
base_is_allowed                       |                                    | ALLOW
nine_digits                           | number=+1212555012                 | INVALID_NUMBER
eleven_digits                         | number=+121255501133               | INVALID_NUMBER
no_plus                               | number=12125550113                 | INVALID_NUMBER
ten_digits_without_country            | number=2125550113                  | INVALID_NUMBER
no_number                             | number=                            | INVALID_NUMBER
plus_alone                            | number=+                           | INVALID_NUMBER
country_code_alone                    | number=+1                          | INVALID_NUMBER
a_letter_among_digits                 | number=+1212555O113                | INVALID_NUMBER
dashes_are_not_stripped               | number=+1-212-555-0113             | INVALID_NUMBER
digits_of_another_script              | number=+１２１２５５５０１１３          | INVALID_NUMBER
area_code_with_0                      | number=+10125550113                | INVALID_NUMBER
area_code_with_1                      | number=+11125550113                | INVALID_NUMBER
area_code_n11                         | number=+14115550113                | INVALID_NUMBER
exchange_with_0                       | number=+12120550113                | INVALID_NUMBER
exchange_with_1                       | number=+12121550113                | INVALID_NUMBER
exchange_n11                          | number=+12129110113                | INVALID_NUMBER
exchange_511                          | number=+12125110113                | INVALID_NUMBER
another_country                       | number=+33123456789                | INTERNATIONAL_NOT_COVERED
eight_digits_of_another_country       | number=+85212345                   | INTERNATIONAL_NOT_COVERED
fifteen_digits_of_another_country     | number=+441234567890123            | INTERNATIONAL_NOT_COVERED
seven_digits_of_another_country       | number=+4412345                    | INVALID_NUMBER
sixteen_digits_of_another_country     | number=+4412345678901234           | INVALID_NUMBER
country_code_with_0                   | number=+0441234567                 | INVALID_NUMBER
area_code_without_a_row               | npa=232                            | NPA_NOT_IN_SERVICE
assigned_565                          | npa=565                            | NPA_NOT_IN_SERVICE
assigned_761                          | npa=761                            | NPA_NOT_IN_SERVICE
assigned_565_where_the_profile_warns  | npa=565 profile.assigned_area_codes=\"warn\" | ALLOW warn: no in-service date
assigned_761_has_the_hours_of_its_state | npa=761 at=2026-12-01T14:30:00Z profile.assigned_area_codes=\"warn\" | OUTSIDE_HOURS_STATE next=2026-12-01T15:00:00Z
a_gap_is_no_matter_of_profile         | npa=232 profile.assigned_area_codes=\"warn\" | NPA_NOT_IN_SERVICE
toll_free_not_open                    | npa=822                            | NPA_NOT_IN_SERVICE NON_GEOGRAPHIC_NUMBER
toll_free_not_open_warned             | npa=822 profile.assigned_area_codes=\"warn\" | NON_GEOGRAPHIC_NUMBER warn: assigned
quebec_code_of_2027                   | npa=273                            | NPA_NOT_IN_SERVICE COUNTRY_NOT_ENABLED
toll_free                             | npa=888                            | NON_GEOGRAPHIC_NUMBER
premium                               | npa=900                            | NON_GEOGRAPHIC_NUMBER
personal                              | npa=500                            | NON_GEOGRAPHIC_NUMBER
government                            | npa=710                            | NON_GEOGRAPHIC_NUMBER
carrier_service                       | npa=700                            | NON_GEOGRAPHIC_NUMBER
canada_without_a_place                | npa=600                            | NON_GEOGRAPHIC_NUMBER
a_verified_address_gives_toll_free_no_place | npa=888 known_state=NY known_zone=America/New_York | NON_GEOGRAPHIC_NUMBER
lifeline_code                         | npa=988                            | NPA_NOT_IN_SERVICE NON_GEOGRAPHIC_NUMBER
canada                                | npa=416                            | COUNTRY_NOT_ENABLED
bermuda                               | npa=441                            | COUNTRY_NOT_ENABLED
dominican_republic                    | npa=809                            | COUNTRY_NOT_ENABLED
puerto_rico_is_the_united_states      | npa=787                            | ALLOW
guam_is_a_day_ahead                   | npa=671                            | OUTSIDE_HOURS_FEDERAL next=2026-12-01T22:00:00Z
area_code_of_2026_ms                  | npa=471                            | ALLOW
area_code_of_2026_al                  | npa=483                            | ALLOW
area_code_of_2026_ny                  | npa=465                            | ALLOW
area_code_that_libraries_reject       | npa=924 at=2026-12-01T18:30:00Z    | ALLOW
nothing_is_known_of_an_invalid_number | number=+1212 internal_dnc_at=2026-01-01T00:00:00Z consent_type=none litigator= | INVALID_NUMBER
stopped                               | stopped=y                          | OUTBOUND_STOPPED
stopped_comes_first                   | stopped=y number=+1212             | OUTBOUND_STOPPED INVALID_NUMBER
stopped_has_no_next                   | stopped=y at=2026-12-02T04:00:00Z  | OUTBOUND_STOPPED

# An emergency passes all but the tests of the number.
emergency_passes_everything           | purpose=emergency at=2026-12-01T08:00:00Z consent_type=none internal_dnc_at=2026-01-01T00:00:00Z revoked_at=2026-01-01T00:00:00Z litigator=y rnd=yes ndnc=y flags=patient_room;emergency_NY | ALLOW_EMERGENCY
emergency_needs_no_facts              | purpose=emergency consent_type= ndnc= state_dnc= rnd= litigator= dnc_list_date= | ALLOW_EMERGENCY
emergency_by_a_person                 | purpose=emergency voice=human      | ALLOW_EMERGENCY
emergency_while_another_call_is_live  | purpose=emergency reserved=2026-12-01T17:59:00Z | ALLOW_EMERGENCY
emergency_to_an_invalid_number        | purpose=emergency number=+1212     | INVALID_NUMBER
emergency_to_toll_free                | purpose=emergency npa=800          | NON_GEOGRAPHIC_NUMBER
emergency_abroad                      | purpose=emergency number=+447911123456 | INTERNATIONAL_NOT_COVERED
emergency_in_canada                   | purpose=emergency npa=416          | COUNTRY_NOT_ENABLED
emergency_while_stopped               | purpose=emergency stopped=y        | OUTBOUND_STOPPED
";
