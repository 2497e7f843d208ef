//! What must hold for every set of facts: a stricter fact never allows, the next permissible instant is exact, order is no matter.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::shipped;
use crate::compliance::facts::{Address, ConsentFact, Facts, Reassigned, Relationship, RelationshipKind};
use crate::compliance::gate::{evaluate, evaluate_under, outcomes};
use crate::compliance::profile::Profile;
use crate::compliance::rules::{RULES, Rule};
use crate::compliance::tables::RuleTables;
use crate::domain::Purpose;
use crate::domain::consent::ConsentKind;
use crate::domain::decision::{LineType, Voice};

static TABLES: LazyLock<RuleTables> = LazyLock::new(shipped);

/// Area codes of states with rules of every sort, and of several zones.
const AREA_CODES: [&str; 26] = [
    "212", "850", "305", "215", "401", "504", "205", "801", "402", "605", "207", "503", "662", "214", "602", "928",
    "808", "907", "671", "775", "423", "859", "213", "301", "201", "800",
];
const STATES: [&str; 8] = ["FL", "LA", "NY", "HI", "TX", "MS", "PA", "AZ"];
const ZONES: [&str; 5] =
    ["America/New_York", "America/Chicago", "America/Denver", "Pacific/Honolulu", "America/Indiana/Knox"];

/// 2026-01-01 to 2028-12-31.
fn instant() -> impl Strategy<Value = Timestamp> {
    (1_767_225_600_i64..1_861_920_000).prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn consent() -> impl Strategy<Value = ConsentFact> {
    let scope = select(vec!["telemarketing", "appointment"]);
    let kind = prop_oneof![Just(ConsentKind::Express), Just(ConsentKind::Written)];
    (kind, scope, option::weighted(0.95, instant()), option::weighted(0.2, instant()), prop::bool::weighted(0.9))
        .prop_map(|(kind, scope, given_at, expires_at, matches)| ConsentFact {
            id: None,
            kind,
            scope: vec![scope.to_owned()],
            given_at,
            expires_at,
            names_this_number: matches,
            names_this_seller: true,
        })
}

fn relationship() -> impl Strategy<Value = Relationship> {
    let kind = prop_oneof![Just(RelationshipKind::Purchase), Just(RelationshipKind::Inquiry)];
    (kind, instant()).prop_map(|(kind, at)| Relationship { kind, date: at.strftime("%F").to_string().parse().unwrap() })
}

fn address() -> impl Strategy<Value = Address> {
    let (state, zone) = (option::weighted(0.7, select(STATES.to_vec())), option::weighted(0.5, select(ZONES.to_vec())));
    (state, zone).prop_map(|(state, zone)| Address {
        state: state.map(|code| code.parse().unwrap()),
        zone: zone.map(str::to_owned),
    })
}

prop_compose! {
    /// Whom is called and how.
    fn call()(
        npa in select(AREA_CODES.to_vec()),
        purpose in select(vec![Purpose::Telemarketing, Purpose::Telemarketing, Purpose::Informational, Purpose::Healthcare]),
        voice in select(vec![Voice::Ai, Voice::Human]),
        line_type in select(vec![
            None,
            Some(LineType::Mobile),
            Some(LineType::LandlineResidential),
            Some(LineType::LandlineBusiness),
        ]),
        known_state in option::weighted(0.3, select(STATES.to_vec())),
        known_zone in option::weighted(0.3, select(ZONES.to_vec())),
    ) -> Facts {
        Facts {
            line_type,
            known_state: known_state.map(|code| code.parse().unwrap()),
            known_zone: known_zone.map(str::to_owned),
            ..Facts::unknown(format!("+1{npa}5550113").as_str(), purpose, voice)
        }
    }
}

prop_compose! {
    /// Facts that are often clean, so that both answers come up.
    fn facts()(
        call in call(),
        consents in vec(consent(), 0..3),
        relationships in vec(relationship(), 0..2),
        revoked_at in option::weighted(0.15, instant()),
        internal_dnc_at in option::weighted(0.1, instant()),
        national_dnc in option::weighted(0.95, prop::bool::weighted(0.15)),
        state_dnc in option::weighted(0.95, prop::bool::weighted(0.1)),
        litigator in option::weighted(0.97, prop::bool::weighted(0.05)),
        reassigned in option::weighted(0.97, select(vec![Reassigned::No, Reassigned::No, Reassigned::NoData, Reassigned::Yes])),
        dnc_list_date in option::weighted(0.9, Just("2028-12-31".parse().unwrap())),
        protected_line in prop::bool::weighted(0.1),
        emergency in option::weighted(0.1, select(STATES.to_vec())),
        other_addresses in option::weighted(0.3, vec(address(), 1..3)),
    ) -> Facts {
        Facts {
            other_addresses: other_addresses.unwrap_or_default(),
            consents,
            relationships,
            revoked_at,
            internal_dnc_at,
            national_dnc,
            state_dnc,
            litigator,
            reassigned,
            dnc_list_date,
            protected_line,
            emergencies: emergency.into_iter().map(|code| code.parse().unwrap()).collect(),
            ..call
        }
    }
}

/// Facts, the instant of the call, and attempts in the days before it.
fn request() -> impl Strategy<Value = (Facts, Timestamp)> {
    (facts(), instant(), vec(0_i64..9 * 86_400, 0..6)).prop_map(|(mut facts, now, ages)| {
        facts.attempts = ages.into_iter().map(|age| now - SignedDuration::from_secs(age)).collect();
        (facts, now)
    })
}

/// The same with everything that stands in a list in another order.
fn shuffled_request() -> impl Strategy<Value = (Facts, Facts, Timestamp)> {
    let emergencies = vec(select(STATES.to_vec()), 0..4);
    (request(), vec(0_i64..86_400, 0..3), emergencies).prop_flat_map(|((mut facts, now), held, emergencies)| {
        facts.reservations = held.into_iter().map(|age| now - SignedDuration::from_secs(age)).collect();
        facts.emergencies = emergencies.into_iter().map(|code| code.parse().unwrap()).collect();
        let orders = (
            Just(facts.consents.clone()).prop_shuffle(),
            Just(facts.relationships.clone()).prop_shuffle(),
            Just(facts.attempts.clone()).prop_shuffle(),
            Just(facts.reservations.clone()).prop_shuffle(),
            Just(facts.emergencies.clone()).prop_shuffle(),
            Just(facts.other_addresses.clone()).prop_shuffle(),
        );
        orders.prop_map(move |(consents, relationships, attempts, reservations, emergencies, other_addresses)| {
            let orders = Facts { consents, relationships, attempts, reservations, ..facts.clone() };
            let shuffled = Facts { other_addresses, emergencies, ..orders };
            (facts.clone(), shuffled, now)
        })
    })
}

/// One fact made stricter.
fn stricter(facts: &Facts, now: Timestamp) -> Vec<(&'static str, Facts)> {
    let changed = |name, change: &dyn Fn(&mut Facts)| {
        let mut facts = facts.clone();
        change(&mut facts);
        (name, facts)
    };
    let mut all = vec![
        changed("stopped", &|facts| facts.outbound_stopped = true),
        changed("on the company list", &|facts| facts.internal_dnc_at = Some(now)),
        changed("revoked", &|facts| facts.revoked_at = Some(now)),
        changed("on the registry", &|facts| facts.national_dnc = Some(true)),
        changed("registry unknown", &|facts| facts.national_dnc = None),
        changed("on a state list", &|facts| facts.state_dnc = Some(true)),
        changed("state list unknown", &|facts| facts.state_dnc = None),
        changed("list age unknown", &|facts| facts.dnc_list_date = None),
        changed("litigator", &|facts| facts.litigator = Some(true)),
        changed("litigator unknown", &|facts| facts.litigator = None),
        changed("reassigned", &|facts| facts.reassigned = Some(Reassigned::Yes)),
        changed("reassigned unknown", &|facts| facts.reassigned = None),
        changed("protected line", &|facts| facts.protected_line = true),
        changed("no relationship", &|facts| facts.relationships.clear()),
        changed("one more attempt", &|facts| facts.attempts.push(now)),
        changed("another live call", &|facts| facts.reservations.push(now)),
        changed("line unknown", &|facts| facts.line_type = None),
        changed("an AI voice", &|facts| facts.voice = Voice::Ai),
        changed("it sells", &|facts| facts.purpose = Purpose::Telemarketing),
        changed("an older list", &|facts| facts.dnc_list_date = Some("2025-11-01".parse().unwrap())),
        changed("every consent expired", &|facts| facts.consents.iter_mut().for_each(|c| c.expires_at = Some(now))),
        changed("consents of another number", &|facts| {
            facts.consents.iter_mut().for_each(|consent| consent.names_this_number = false);
        }),
        changed("consents of another seller", &|facts| {
            facts.consents.iter_mut().for_each(|consent| consent.names_this_seller = false);
        }),
        changed("oral consents only", &|facts| {
            facts.consents.iter_mut().for_each(|consent| consent.kind = ConsentKind::Express);
        }),
        changed("consents without scope", &|facts| {
            facts.consents.iter_mut().for_each(|consent| consent.scope.clear());
        }),
        changed("older relationships", &|facts| {
            facts.relationships.iter_mut().for_each(|known| known.date = "2020-01-01".parse().unwrap());
        }),
        changed("an unreadable address", &|facts| {
            facts.why_unknown.insert("known_state".to_owned(), "it is in the sea".to_owned());
        }),
        changed("an emergency in each state", &|facts| {
            facts.emergencies = STATES.iter().map(|code| code.parse().unwrap()).collect();
        }),
    ];
    // Without a withdrawal, taking a record away only takes permission away.
    if facts.revoked_at.is_none() {
        all.push(changed("no consent", &|facts| facts.consents.clear()));
    }
    if facts.known_state.is_none() && !facts.number.as_str().starts_with("+1504") {
        all.push(changed("an address in Louisiana too", &|facts| {
            facts.known_state = Some("LA".parse().unwrap());
        }));
    }
    if facts.known_zone.is_none() && facts.known_state.is_none() {
        all.push(changed("a zone too", &|facts| facts.known_zone = Some("Pacific/Honolulu".to_owned())));
    }
    all
}

/// The rules that the next permissible instant is about.
fn time_rules() -> Vec<Rule> {
    let names = [
        "holiday",
        "sunday",
        "calling_hours_federal",
        "calling_hours_state",
        "automated_voice_hours",
        "frequency_state",
        "frequency_exempt",
    ];
    RULES.iter().filter(|rule| names.contains(&rule.name)).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_stricter_fact_never_turns_deny_into_allow((facts, now) in request()) {
        let profile = Profile::default();
        if evaluate(&facts, &TABLES, &profile, now).is_allowed() {
            return Ok(());
        }
        for (change, facts) in stricter(&facts, now) {
            // An address without a known zone adds every zone of its state, so it is stricter than no address.
            let decision = evaluate(&facts, &TABLES, &profile, now);
            prop_assert!(!decision.is_allowed(), "{change} allowed {facts:?} at {now}");
        }
    }

    /// Whatever one more lead of the number says, and whatever is known already.
    #[test]
    fn another_address_never_turns_deny_into_allow((mut facts, now) in request(), more in address()) {
        let profile = Profile::default();
        let before = evaluate(&facts, &TABLES, &profile, now);
        facts.other_addresses.push(more.clone());
        let with_more = evaluate(&facts, &TABLES, &profile, now);
        prop_assert!(!with_more.is_allowed() || before.is_allowed(), "{more:?} allowed {facts:?} at {now}");
        prop_assert!(before.places.iter().all(|place| with_more.places.contains(place)), "{more:?} took a place away");
    }

    #[test]
    fn order_and_repetition_of_facts_do_not_matter((facts, shuffled, now) in shuffled_request()) {
        let profile = Profile::default();
        let decision = evaluate(&facts, &TABLES, &profile, now);
        prop_assert_eq!(&evaluate(&shuffled, &TABLES, &profile, now), &decision);
        let mut repeated = facts;
        repeated.consents.extend(repeated.consents.clone());
        repeated.relationships.extend(repeated.relationships.clone());
        repeated.emergencies.extend(repeated.emergencies.clone());
        repeated.other_addresses.extend(repeated.other_addresses.clone());
        prop_assert_eq!(&evaluate(&repeated, &TABLES, &profile, now), &decision);
    }

    #[test]
    fn a_stricter_profile_never_turns_deny_into_allow((facts, now) in request()) {
        if evaluate(&facts, &TABLES, &Profile::default(), now).is_allowed() {
            return Ok(());
        }
        for choice in ["device_permits", "device_prohibitions", "reassigned_no_data", "short_relationship_terms"] {
            let profile: Profile = toml::from_str(&format!("{choice} = \"deny\"")).unwrap();
            prop_assert!(!evaluate(&facts, &TABLES, &profile, now).is_allowed(), "{choice}");
        }
    }

    /// With every rule, and facts that do not change with time: nothing about time stands in the way at the next instant.
    #[test]
    fn at_the_next_instant_no_reason_is_about_time((mut facts, now) in request()) {
        facts.consents.retain(|consent| consent.given_at.is_some_and(|given_at| given_at <= now));
        facts.consents.iter_mut().for_each(|consent| consent.expires_at = None);
        facts.relationships.clear();
        facts.revoked_at = facts.revoked_at.filter(|revoked_at| *revoked_at <= now);
        facts.internal_dnc_at = facts.internal_dnc_at.filter(|since| *since <= now);
        let decision = evaluate(&facts, &TABLES, &Profile::default(), now);
        let Some(next) = decision.next_permissible_at() else { return Ok(()) };
        let then = evaluate(&facts, &TABLES, &Profile::default(), next);
        prop_assert!(!then.reasons().iter().any(|reason| reason.code.is_about_time()), "{next}: {:?}", then.reasons());
    }

    #[test]
    fn reasons_stand_in_precedence_and_have_citations((facts, now) in request()) {
        let decision = evaluate(&facts, &TABLES, &Profile::default(), now);
        let reasons = decision.reasons();
        prop_assert!(reasons.is_sorted_by_key(|reason| reason.code));
        prop_assert!(reasons.iter().all(|reason| !reason.citation.is_empty() && reason.message.ends_with('.')));
        prop_assert_eq!(decision.is_allowed(), reasons.is_empty());
        if decision.next_permissible_at().is_some() {
            prop_assert!(reasons.iter().all(|reason| reason.code.is_about_time()));
        }
        let named: Vec<_> = outcomes(&facts, &TABLES, &Profile::default(), now);
        for reason in reasons {
            let rule = named.iter().find(|outcome| outcome.rule == reason.rule).unwrap();
            prop_assert!(rule.denies_with.contains(&reason.code));
        }
    }

    #[test]
    fn a_decision_can_be_made_again_from_its_record((facts, now) in request()) {
        let profile = Profile::default();
        let decision = evaluate(&facts, &TABLES, &profile, now);
        let kept: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
        prop_assert_eq!(&evaluate(&kept, &TABLES, &profile, now), &decision);
        let read = serde_json::from_str(&serde_json::to_string(&decision).unwrap()).unwrap();
        prop_assert_eq!(decision, read);
    }

    #[test]
    fn nothing_panics(number in ".{0,20}", second in any::<i64>(), attempts in vec(any::<i64>(), 0..4), zone in ".{0,30}") {
        let clamp = |second: i64| {
            let range = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
            Timestamp::from_second(second.clamp(*range.start(), *range.end())).unwrap()
        };
        for number in [number.as_str(), "+13055550113", "+16625550113"] {
            let mut facts = Facts::unknown(number, Purpose::Telemarketing, Voice::Ai);
            facts.attempts = attempts.iter().copied().map(clamp).collect();
            facts.relationships = vec![Relationship { kind: RelationshipKind::Purchase, date: jiff::civil::Date::MAX }];
            facts.known_zone = Some(zone.clone());
            let at = clamp(second);
            evaluate(&facts, &TABLES, &Profile::default(), at);
            facts.known_zone = None;
            evaluate_under(&time_rules(), &facts, &TABLES, &Profile::default(), at);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    /// Against a scan of every quarter-hour, on which every shipped edge falls.
    #[test]
    fn the_next_instant_is_allowed_and_no_earlier_one_is(
        mut call in call(),
        now in instant(),
        ages in vec(0_i64..40 * 86_400, 0..6),
        has_consent in any::<bool>(),
        probes in vec(0.0_f64..1.0, 30),
    ) {
        if has_consent {
            call.consents.push(ConsentFact {
                id: None,
                kind: ConsentKind::Written,
                scope: vec!["telemarketing".to_owned()],
                given_at: Some("2020-01-01T00:00:00Z".parse().unwrap()),
                expires_at: None,
                names_this_number: true,
                names_this_seller: true,
            });
        }
        call.attempts = ages.into_iter().map(|age| now - SignedDuration::from_secs(age)).collect();
        let (rules, profile) = (time_rules(), Profile::default());
        let at = |at: Timestamp| evaluate_under(&rules, &call, &TABLES, &profile, at);
        let decision = at(now);
        if decision.is_allowed() {
            return Ok(());
        }
        let next = decision.next_permissible_at().expect("these rules always open again");
        prop_assert!(now < next);
        prop_assert!(at(next).is_allowed(), "{next} is denied: {:?}", at(next).reasons());
        let before = next - SignedDuration::from_secs(1);
        prop_assert!(!at(before).is_allowed(), "{before} is allowed");
        // And against instants off the quarter-hours, where caps free.
        let wait = next.duration_since(now);
        for share in probes {
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any second before the next one")]
            let earlier = now + SignedDuration::from_secs((wait.as_secs() as f64 * share) as i64);
            prop_assert!(!at(earlier).is_allowed(), "{earlier} is allowed, before {next}");
        }
        for attempt in &call.attempts {
            for window in [8_i64, 24, 7 * 24, 30 * 24] {
                let frees = *attempt + SignedDuration::from_hours(window);
                prop_assert!(frees < now || next <= frees || !at(frees).is_allowed(), "{frees} is allowed, before {next}");
            }
        }
        let quarter = 900;
        let mut second = (now.as_second() / quarter + 1) * quarter;
        while second < next.as_second() {
            let earlier = Timestamp::from_second(second).unwrap();
            prop_assert!(!at(earlier).is_allowed(), "{earlier} is allowed, before {next}");
            second += quarter;
        }
    }
}
