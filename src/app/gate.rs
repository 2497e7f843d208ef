//! The gate within the running server: stored facts in, a recorded decision (and a reservation) out.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::OnceCell;

use crate::compliance::disclosure::{self, Opening, RecordingNotice, VoicemailError};
use crate::compliance::evidence;
use crate::compliance::facts::{CalledNumber, Facts, Relationship, RelationshipKind};
use crate::compliance::opt_out::OptOutPhrases;
use crate::compliance::place::StateCode;
use crate::compliance::profile::Profile;
use crate::compliance::tables::RuleTables;
use crate::config::{ComplianceConfig, ScrubConfig, SellerConfig};
use crate::domain::decision::{LineType, Voice};
use crate::domain::event::Actor;
use crate::domain::{CallId, Decision, DecisionId, E164, Language, LeadId, Party, Purpose};
use crate::lists::{ListAnswer, Lists};
use crate::scrub::ScrubClient;
use crate::store::{self, Decided, GateRequest, Intent, Store, StoreError, StoredFacts};

use super::inputs::inputs;
use super::scrub_number::{Scrubbing, consent_facts, held_since};
use super::{App, PlaceCall, addresses, list_facts};

/// What to do where no vendor is asked.
const NOT_ON_RECORD: &str = "No answer of the Reassigned Numbers Database that still counts is on record: set compliance.scrub.vendor, or \
                             record one with `clearline consent add --rnd-checked`";

/// The rules and choices under which this server decides.
#[derive(Debug, Clone)]
pub struct Gate {
    tables: Arc<RuleTables>,
    profile: Arc<Profile>,
    phrases: Arc<OptOutPhrases>,
    /// The texts of the tables are in the store before the first decision under them. A gate decides for one store.
    rules_are_kept: Arc<OnceCell<()>>,
    seller: Arc<str>,
    language: Language,
    /// States under a declared emergency, by the operator's word.
    emergencies: Arc<[StateCode]>,
    scrubbing: Arc<Scrubbing>,
    /// None where the store is in memory and no folder is set.
    lists: Option<Arc<Lists>>,
}

/// A question to the gate.
#[derive(Debug, Clone)]
pub struct GateQuestion {
    /// As it was asked for, which may be no number at all.
    pub number: String,
    pub purpose: Purpose,
    pub voice: Voice,
    /// What the asker knows of the line; else what the store knows, else mobile.
    pub line_type: Option<LineType>,
    pub lead_id: Option<LeadId>,
    /// The call that it is asked for.
    pub call_id: Option<CallId>,
    /// Another instant than now, for inquiries.
    pub at: Option<Timestamp>,
    pub actor: Actor,
}

impl GateQuestion {
    /// An artificial voice, now, of a number of which nothing else is said.
    pub fn about(number: impl Into<String>, purpose: Purpose, actor: Actor) -> Self {
        Self {
            number: number.into(),
            purpose,
            voice: Voice::Ai,
            line_type: None,
            lead_id: None,
            call_id: None,
            at: None,
            actor,
        }
    }
}

/// The gate's answer to an inquiry, as it stands in the ledger.
#[derive(Debug, Clone)]
pub struct GateAnswer {
    pub decision_id: DecisionId,
    pub decision: Decision,
}

impl Gate {
    /// Parses the rule tables, with the operator's own rows over them, and the profile.
    pub fn load(
        compliance: &ComplianceConfig,
        seller: &SellerConfig,
        own_rules: Option<(&str, &str)>,
        lists: Option<Lists>,
    ) -> anyhow::Result<Self> {
        let tables = match own_rules {
            Some((path, text)) => RuleTables::with_operator_file(text)
                .with_context(|| format!("the rules file {path} (compliance.rules) is not valid"))?,
            None => RuleTables::shipped().context("the rule tables of this program are not valid")?,
        };
        let profile: Profile = compliance.choices.clone().try_into().context("compliance.choices")?;
        let mut emergencies = Vec::with_capacity(compliance.emergencies.len());
        for text in &compliance.emergencies {
            let code = text.parse().ok().filter(|code| tables.state(*code).is_some());
            emergencies.push(code.with_context(|| format!("compliance.emergencies: `{text}` is no state like NY"))?);
        }
        Ok(Self {
            tables: Arc::new(tables),
            profile: Arc::new(profile),
            phrases: Arc::new(OptOutPhrases::shipped().context("the opt-out phrases of this program are not valid")?),
            rules_are_kept: Arc::default(),
            seller: seller.name.as_str().into(),
            language: seller.language,
            emergencies: emergencies.into(),
            scrubbing: Arc::new(Scrubbing::new(&compliance.scrub, None)),
            lists: lists.map(Arc::new),
        })
    }

    /// The same with a vendor that is asked about reassigned numbers before a decision.
    #[must_use]
    pub fn with_vendor(mut self, settings: &ScrubConfig, vendor: ScrubClient) -> Self {
        self.scrubbing = Arc::new(Scrubbing::new(settings, Some(vendor)));
        self
    }

    /// Version and hash of the rules.
    pub fn rule_set(&self) -> String {
        self.tables.rule_set.to_string()
    }

    pub fn tables(&self) -> &RuleTables {
        &self.tables
    }

    /// The do-not-call lists on disk.
    pub fn lists(&self) -> Option<&Lists> {
        self.lists.as_deref()
    }

    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What must be said before there is any conversation, for the places that the decision considered.
    pub fn disclosure(
        &self,
        decision: Option<&Decision>,
        purpose: Purpose,
        callback: Option<&E164>,
        recorded: bool,
        now: Timestamp,
    ) -> String {
        let states = decision.map(states_of);
        let opening = Opening {
            purpose,
            language: self.language,
            seller: &self.seller,
            callback,
            // Keys pressed while the carrier speaks do not reach us, so the sentence offers the voice.
            opt_out_key: None,
            recorded,
            on: self.date_there(decision, now),
            states: states.as_deref(),
        };
        disclosure::compose(&opening, &self.tables).text()
    }

    /// The message for a called party's machine, or why none may be left.
    pub fn voicemail(
        &self,
        decision: Option<&Decision>,
        purpose: Purpose,
        seller: &SellerConfig,
        recorded: bool,
        message: &str,
        now: Timestamp,
    ) -> Result<String, VoicemailError> {
        let callback = seller.complete().map(|(_, number)| number);
        let states = decision.map(states_of);
        let opening = Opening {
            purpose,
            language: self.language,
            seller: &self.seller,
            callback: callback.as_ref(),
            opt_out_key: None,
            recorded,
            on: self.date_there(decision, now),
            states: states.as_deref(),
        };
        disclosure::voicemail(&opening, seller.opt_out_number.parse().ok().as_ref(), message, &self.tables)
    }

    /// The date in the first of the zones that the decision considered.
    fn date_there(&self, decision: Option<&Decision>, now: Timestamp) -> Date {
        let zone = decision.and_then(|decision| self.tables.zone(&decision.places.first()?.zone));
        now.to_zoned(zone.map_or(TimeZone::UTC, |zone| zone.tz)).date()
    }

    /// What is said when a recording begins that the opening did not tell of: of an inbound call, and in mid-call.
    pub fn recording_notice(&self, party: &Party, callback: Option<&E164>, now: Timestamp) -> RecordingNotice {
        let opening = Opening {
            purpose: Purpose::Informational,
            language: self.language,
            seller: &self.seller,
            callback,
            opt_out_key: None,
            recorded: true,
            on: self.date_there(None, now),
            states: None,
        };
        let mut notice = disclosure::recording_notice(party.number(), &opening, &self.tables);
        if notice.text.is_empty() {
            // The operator ended the shipped sentence, and still nobody is recorded in silence.
            let shortest = match self.language {
                Language::English => "This call is recorded.",
                Language::Spanish => "Esta llamada se graba.",
            };
            shortest.clone_into(&mut notice.text);
        }
        notice
    }

    /// The laws by which everybody on a call with this number must know of its recording: one for each place it may be in, empty
    /// where one party is enough. None where the place is not known.
    pub fn recording_laws(&self, number: &E164) -> Option<Vec<String>> {
        disclosure::recording_laws(number, &self.tables)
    }

    /// The phrase of the table by which this text asks not to be called again.
    pub fn hears_opt_out(&self, text: &str) -> Option<String> {
        self.phrases.hears_opt_out(text).map(|heard| heard.phrase.clone())
    }

    /// Decides and records, in one transaction. A question about dialling that is allowed holds the number's slot. Before that, a
    /// vendor may be asked what the store does not know.
    pub async fn decide(
        &self,
        store: &Store,
        question: &GateQuestion,
        intent: Intent,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let unanswered = self.scrub(store, question, now).await?;
        let gate = self.clone();
        let question = question.clone();
        let request = GateRequest {
            number: Party::from(question.number.as_str()),
            purpose: question.purpose,
            voice: question.voice,
            lead_id: question.lead_id,
            call_id: question.call_id,
            actor: question.actor.clone(),
            intent,
        };
        self.rules_are_kept
            .get_or_try_init(|| store.keep_rule_set(&self.tables.rule_set, &self.tables.files, now))
            .await?;
        let on_disk = self.look_up(request.number.number()).await;
        store
            .decide(request, now, move |stored| {
                let at = question.at.unwrap_or(now);
                let facts = gate.facts(stored, &on_disk, &question, unanswered, now);
                let inputs = inputs(stored, &on_disk, &question, at);
                let (decision, evidence) = evidence::decide(facts, inputs, &gate.tables, &gate.profile, at);
                (decision, serde_json::to_value(&evidence).expect("evidence serialises"))
            })
            .await
    }

    /// Asks the vendor, where the answer can matter: no rule asks about an emergency, or about a number of no US place.
    async fn scrub(
        &self,
        store: &Store,
        question: &GateQuestion,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Ok(number) = question.number.parse::<E164>() else { return Ok(None) };
        let area = number.npa().and_then(|npa| self.tables.area_code(npa));
        if question.purpose == Purpose::Emergency || area.is_none_or(|area| area.state.is_none()) {
            return Ok(None);
        }
        self.scrubbing.refresh(store, &self.seller, &number, question.purpose, now).await
    }

    /// What the lists on disk say, read where waiting for a disk holds nothing else up.
    async fn look_up(&self, number: Option<&E164>) -> Vec<ListAnswer> {
        let (Some(lists), Some(number)) = (self.lists.clone(), number.cloned()) else { return Vec::new() };
        let answers = tokio::task::spawn_blocking(move || lists.look_up(&number)).await;
        answers.unwrap_or_else(|cut_short| vec![ListAnswer::unreadable(cut_short.to_string())])
    }

    /// What the store and the lists on disk know, in the gate's words. `unanswered` is why a vendor that was to be asked gave no
    /// answer.
    fn facts(
        &self,
        stored: &StoredFacts,
        on_disk: &[ListAnswer],
        question: &GateQuestion,
        unanswered: Option<String>,
        now: Timestamp,
    ) -> Facts {
        let mut facts = Facts::unknown(CalledNumber::from(question.number.as_str()), question.purpose, question.voice);
        facts.outbound_stopped = stored.outbound_stop.is_some();
        facts.line_type = question.line_type.or(stored.line_type.as_ref().map(|answer| answer.line_type));
        addresses::tell(&mut facts, &stored.addresses);
        facts.protected_line = stored.protected_by.is_some();
        facts.consents = consent_facts(&stored.consents, &stored.reassigned, &self.seller);
        facts.revoked_at = stored.revocations.iter().map(|revocation| revocation.at).max();
        facts.internal_dnc_at = stored.internal_dnc_at;
        facts.litigator = stored.litigator;
        let since = held_since(&facts, &stored.relationships, now);
        facts.reassigned = self.scrubbing.counting(&stored.reassigned, since, now);
        if facts.reassigned.is_none() {
            let why = unanswered.unwrap_or_else(|| NOT_ON_RECORD.to_owned());
            facts.why_unknown.insert("rnd".to_owned(), why);
        }
        facts.emergencies = self.emergencies.to_vec();
        list_facts::tell(&mut facts, on_disk, &stored.dnc_answers, &self.tables);
        facts.relationships = stored
            .relationships
            .iter()
            .map(|relationship| Relationship {
                kind: match relationship.kind {
                    store::RelationshipKind::Purchase => RelationshipKind::Purchase,
                    store::RelationshipKind::Inquiry => RelationshipKind::Inquiry,
                },
                date: relationship.date,
            })
            .collect();
        facts.attempts.clone_from(&stored.attempts);
        if stored.in_flight.is_some() {
            // The newest of the stored attempts is the one whose slot is still held.
            facts.reservations.extend(facts.attempts.pop());
        }
        facts
    }
}

fn states_of(decision: &Decision) -> Vec<StateCode> {
    decision.places.iter().filter_map(|place| place.state.parse().ok()).collect()
}

impl App {
    /// Tells the metrics how old the do-not-call lists are.
    pub fn look_at_lists(&self) {
        let Some(lists) = self.gate.lists() else { return };
        let today = self.clock.now().to_zoned(TimeZone::UTC).date();
        let snapshot = lists.current();
        let ages = snapshot.entries().ok().map(|entries| {
            entries.map(|(list, entry)| (list.to_string(), today.duration_since(entry.as_of).as_hours() / 24))
        });
        self.metrics.lists(ages);
    }

    /// The gate's answer now, recorded as an inquiry: nothing is reserved and nothing counted.
    pub async fn inquire(&self, question: &GateQuestion) -> Result<GateAnswer, StoreError> {
        let decided = self.gate.decide(&self.store, question, Intent::Inquiry, self.clock.now()).await?;
        Ok(GateAnswer { decision_id: decided.decision_id, decision: decided.decision })
    }

    /// What the gate would say to this call.
    pub async fn what_if(&self, request: &PlaceCall, actor: Actor) -> Result<GateAnswer, StoreError> {
        let question = GateQuestion {
            lead_id: request.lead_id,
            ..GateQuestion::about(request.to.as_str(), request.purpose.into(), actor)
        };
        self.inquire(&question).await
    }
}
