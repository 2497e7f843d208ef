//! `Case`: one request in front of the gate, with everything that several rules ask for worked out once.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use super::facts::{Address, Facts};
use super::number::Number;
use super::profile::{AutomatedVoiceHours, ConsentedHours, Profile};
use super::standing::{ConsentStanding, LiveRelationships};
use super::tables::caps::{CapKind, CapLift, FrequencyCap};
use super::tables::hours::{AutomatedVoice, Hours, HoursLift};
use super::tables::permission::{BanLift, ConsentNeed, Needs};
use super::tables::row::Row;
use super::tables::{PlaceRules, RuleTables, StateRules, Zone};
use crate::domain::Purpose;
use crate::domain::decision::{LineType, Voice};

/// One request in front of the gate.
#[derive(Debug)]
pub struct Case<'a> {
    pub facts: &'a Facts,
    pub tables: &'a RuleTables,
    pub profile: &'a Profile,
    pub now: Timestamp,
    pub number: Number<'a>,
    /// Every zone that the called party may be in, with its local time; the first is the one that dates are counted in.
    /// Empty where the number is of no US place.
    pub zones: Vec<LocalTime>,
    /// Every state that the called party may be in.
    pub states: Vec<&'a StateRules>,
    /// The verified address that the tables do not know, by the name of its fact.
    pub unknown_address: Option<&'static str>,
    /// Attempts and held slots, the oldest first.
    pub attempts: Vec<Timestamp>,
    pub consent: ConsentStanding<'a>,
    pub relationships: LiveRelationships,
}

/// A zone and what its clocks show.
#[derive(Debug, Clone)]
pub struct LocalTime {
    pub zone: Zone,
    pub at: DateTime,
}

impl<'a> Case<'a> {
    pub fn new(facts: &'a Facts, tables: &'a RuleTables, profile: &'a Profile, now: Timestamp) -> Self {
        let number = Number::classify(facts.number.as_str(), tables);
        let mut places = Places::default();
        if let (true, Some(area)) = (facts.purpose != Purpose::Emergency, number.us_area()) {
            places = Places::of(facts, tables, &area.zones, area.state.and_then(|code| tables.state(code)));
        }
        let local = |zone: Zone| LocalTime { at: zone.tz.to_datetime(now), zone };
        let zones: Vec<LocalTime> = places.zones.into_iter().map(local).collect();
        let today = first_date(&zones, now);
        let mut attempts: Vec<Timestamp> = facts.attempts.iter().chain(&facts.reservations).copied().collect();
        attempts.sort_unstable();
        Self {
            facts,
            tables,
            profile,
            now,
            number,
            states: places.states,
            unknown_address: places.unknown,
            attempts,
            consent: ConsentStanding::judge(facts, now),
            relationships: LiveRelationships::judge(facts, &tables.relationships, &zones, now, today),
            zones,
        }
    }

    /// The local date of the call in the first zone.
    pub fn today(&self) -> Date {
        first_date(&self.zones, self.now)
    }

    pub fn line(&self) -> LineType {
        self.facts.line()
    }

    pub fn is_telemarketing(&self) -> bool {
        self.facts.purpose == Purpose::Telemarketing
    }

    pub fn is_ai(&self) -> bool {
        self.facts.voice == Voice::Ai
    }

    /// The country's rows and those of every state that the called party may be in.
    pub fn rules(&self) -> impl Iterator<Item = &'a PlaceRules> {
        std::iter::once(&self.tables.country).chain(self.states.iter().map(|state| &state.rules))
    }

    /// What this call needs, and the row that says so. The strictest row counts where several fit.
    pub fn need(&self) -> Option<&'a Row<ConsentNeed>> {
        let (voice, purpose, line, today) = (self.facts.voice, self.facts.purpose, self.line(), self.today());
        let fits = |row: &&Row<ConsentNeed>| {
            (row.says.voice, row.says.purpose, row.says.line) == (voice, purpose, line) && row.is_in_force_on(today)
        };
        self.tables.consent.iter().filter(fits).max_by_key(|row| row.says.needs)
    }

    /// How strong a permission this call needs. A call that no row knows needs the strongest.
    pub fn needs(&self) -> Needs {
        let needs = self.need().map_or(Needs::Written, |row| row.says.needs);
        let oral_is_enough = !self.states.is_empty()
            && self.states.iter().all(|state| self.profile.oral_consent_states.contains(&state.code));
        if needs == Needs::Written && oral_is_enough { Needs::Express } else { needs }
    }

    /// Whether a permission is what allows this call, or would lift the do-not-call lists for it.
    pub fn need_uses_consent(&self) -> bool {
        self.needs() != Needs::Nothing || (self.is_telemarketing() && self.consent.is_written())
    }

    /// Whether the call stands on an exemption instead of consent.
    pub fn uses_exemption(&self) -> bool {
        self.needs() == Needs::ExpressOrExempt && !self.consent.is_valid()
    }

    /// Whether the do-not-call lists bind: sales calls to homes and mobiles without written consent or a live
    /// relationship.
    pub fn lists_bind(&self) -> bool {
        self.is_telemarketing()
            && self.line() != LineType::LandlineBusiness
            && !self.consent.is_written()
            && !self.relationships.any()
    }

    pub fn lifts_ban(&self, lifts: &[BanLift]) -> bool {
        lifts.iter().any(|lift| match lift {
            BanLift::Consent => self.consent.is_valid(),
            BanLift::Relationship => self.relationships.any(),
        })
    }

    /// The rows of calling hours that bind this call, in one place.
    pub fn hours<'r>(&'r self, place: &'a PlaceRules) -> impl Iterator<Item = &'a Row<Hours>> + 'r {
        let binds = |row: &&Row<Hours>| {
            row.says.purposes.contains(&self.facts.purpose)
                && !(self.profile.consented_hours == ConsentedHours::LiftedWhereTheLawSays
                    && row.says.lifted_by.iter().any(|lift| match lift {
                        HoursLift::Consent => self.consent.is_valid(),
                        HoursLift::Relationship => self.relationships.any(),
                    }))
        };
        place.hours.iter().filter(binds)
    }

    /// The rows about automated voices that bind this call, in one place: sales calls with an AI voice.
    pub fn automated(&self, place: &'a PlaceRules) -> &'a [Row<AutomatedVoice>] {
        if self.is_telemarketing() && self.is_ai() { &place.automated } else { &[] }
    }

    /// The same, for their hours.
    pub fn automated_hours(&self, place: &'a PlaceRules) -> &'a [Row<AutomatedVoice>] {
        match self.profile.automated_voice_hours {
            AutomatedVoiceHours::Apply => self.automated(place),
            AutomatedVoiceHours::Ignore => &[],
        }
    }

    /// The caps of one kind that bind this call.
    pub fn caps(&self, kind: CapKind) -> impl Iterator<Item = &'a Row<FrequencyCap>> {
        let today = self.today();
        self.rules().flat_map(|place| &place.caps).filter(move |row| {
            let cap = &row.says;
            cap.kind == kind
                && (kind != CapKind::Exempt || self.uses_exemption())
                && cap.purposes.contains(&self.facts.purpose)
                && cap.voices.contains(&self.facts.voice)
                && row.is_in_force_on(today)
                && !cap.lifted_by.iter().any(|lift| match lift {
                    CapLift::Purchase => self.relationships.purchase.is_some(),
                    CapLift::Inquiry => self.relationships.inquiry.is_some(),
                    CapLift::Consent => self.consent.is_valid(),
                })
        })
    }

    /// What the other clock of a row shows, while it counts.
    pub fn other_clock(&self, row: &Row<Hours>) -> Option<(Offset, DateTime)> {
        let clock = row.says.other_clock.as_ref()?;
        let reference = self.tables.zone(&clock.while_daylight_time_in)?;
        let daylight = reference.tz.to_offset_info(self.now).dst().is_dst();
        daylight.then(|| (clock.offset, clock.offset.to_datetime(self.now)))
    }
}

fn first_date(zones: &[LocalTime], now: Timestamp) -> Date {
    zones.first().map_or_else(|| Offset::UTC.to_datetime(now).date(), |first| first.at.date())
}

/// Where the called party may be: the area code's state and zones, and those of every known address.
#[derive(Default)]
struct Places<'a> {
    zones: Vec<Zone>,
    states: Vec<&'a StateRules>,
    unknown: Option<&'static str>,
}

impl<'a> Places<'a> {
    /// A verified zone in the area code's own state replaces the area code's zones; an address in another state adds
    /// its zone, or all zones of that state. A zone without a state adds itself, since nothing says that it is in the
    /// same state. The other addresses add theirs to all that, and narrow nothing.
    fn of(facts: &Facts, tables: &'a RuleTables, zones: &[Zone], home: Option<&'a StateRules>) -> Self {
        let mut places = Self { zones: Vec::with_capacity(4), states: home.into_iter().collect(), unknown: None };
        places.add_known(facts, tables, zones, home);
        let mut others: Vec<_> = facts.other_addresses.iter().collect();
        others.sort_unstable();
        for other in others {
            places.add_other(other, tables, zones, home);
        }
        places
    }

    /// What the address says that may narrow.
    fn add_known(&mut self, facts: &Facts, tables: &'a RuleTables, zones: &[Zone], home: Option<&'a StateRules>) {
        let known_zone = facts.known_zone.as_deref().map(|name| tables.zone(name));
        if known_zone == Some(None) {
            self.unknown = Some("known_zone");
        }
        if facts.why_unknown.contains_key("known_state") {
            self.unknown = Some("known_state");
        }
        let known_zone = known_zone.flatten();
        let known_state = facts.known_state.map(|code| tables.state(code));
        let Some(known_state) = known_state else {
            self.add(zones.iter().chain(&known_zone));
            return;
        };
        let Some(address) = known_state else {
            self.unknown = Some("known_state");
            self.add(zones.iter().chain(&known_zone));
            return;
        };
        if home.is_some_and(|home| home.code == address.code) {
            match &known_zone {
                Some(zone) => self.add(std::iter::once(zone)),
                None => self.add(zones.iter()),
            }
            return;
        }
        self.states.push(address);
        match &known_zone {
            Some(zone) => self.add(zones.iter().chain(std::iter::once(zone))),
            None => self.add(zones.iter().chain(&address.zones)),
        }
    }

    /// An address that somebody knows too: the rules of its state, and its zone. Without a zone it may be anywhere in its state, of
    /// which in the area code's own state the area code's zones are what a call to the number reaches.
    fn add_other(&mut self, other: &Address, tables: &'a RuleTables, zones: &[Zone], home: Option<&'a StateRules>) {
        let state = other.state.and_then(|code| tables.state(code));
        match state {
            Some(state) if self.states.iter().all(|known| known.code != state.code) => self.states.push(state),
            None if other.state.is_some() => self.unknown = Some("known_state"),
            _ => {}
        }
        match (other.zone.as_deref().map(|name| tables.zone(name)), state) {
            (Some(Some(zone)), _) => self.add(std::iter::once(&zone)),
            (Some(None), _) => self.unknown = Some("known_zone"),
            (None, Some(state)) if home.is_none_or(|home| home.code != state.code) => self.add(state.zones.iter()),
            (None, _) => self.add(zones.iter()),
        }
    }

    fn add<'z>(&mut self, zones: impl Iterator<Item = &'z Zone>) {
        for zone in zones {
            if !self.zones.contains(zone) {
                self.zones.push(zone.clone());
            }
        }
    }
}
