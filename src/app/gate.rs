//! The gate within the running server: stored facts in, a recorded decision (and a reservation) out.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::compliance::disclosure::{self, Disclosures, Language, Opening, VoicemailError};
use crate::compliance::facts::{CalledNumber, ConsentFact, Facts, Reassigned, Relationship, RelationshipKind};
use crate::compliance::gate::evaluate;
use crate::compliance::opt_out::OptOutPhrases;
use crate::compliance::place::StateCode;
use crate::compliance::profile::Profile;
use crate::compliance::tables::RuleTables;
use crate::config::{ComplianceConfig, SellerConfig};
use crate::domain::consent::ConsentKind;
use crate::domain::decision::{LineType, Voice};
use crate::domain::event::Actor;
use crate::domain::{Decision, DecisionId, E164, LeadId, Party, Purpose};
use crate::store::{self, Decided, GateRequest, Intent, Reassignment, Store, StoreError, StoredFacts};

use super::{App, PlaceCall};

/// The rules and choices under which this server decides.
#[derive(Debug, Clone)]
pub struct Gate {
    tables: Arc<RuleTables>,
    profile: Arc<Profile>,
    disclosures: Arc<Disclosures>,
    phrases: Arc<OptOutPhrases>,
    seller: Arc<str>,
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
    /// Another instant than now, for inquiries.
    pub at: Option<Timestamp>,
    pub actor: Actor,
}

impl GateQuestion {
    /// An artificial voice, now, of a number of which nothing else is said.
    pub fn about(number: impl Into<String>, purpose: Purpose, actor: Actor) -> Self {
        Self { number: number.into(), purpose, voice: Voice::Ai, line_type: None, lead_id: None, at: None, actor }
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
    ) -> anyhow::Result<Self> {
        let tables = match own_rules {
            Some((path, text)) => RuleTables::with_operator_file(text)
                .with_context(|| format!("the rules file {path} (compliance.rules_file) is not valid"))?,
            None => RuleTables::shipped().context("the rule tables of this program are not valid")?,
        };
        let profile: Profile = compliance.choices.clone().try_into().context("compliance.choices")?;
        Ok(Self {
            tables: Arc::new(tables),
            profile: Arc::new(profile),
            disclosures: Arc::new(Disclosures::shipped().context("the disclosures of this program are not valid")?),
            phrases: Arc::new(OptOutPhrases::shipped().context("the opt-out phrases of this program are not valid")?),
            seller: seller.name.as_str().into(),
        })
    }

    /// Version and hash of the rules.
    pub fn rule_set(&self) -> String {
        self.tables.rule_set.to_string()
    }

    pub fn tables(&self) -> &RuleTables {
        &self.tables
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
    ) -> String {
        let states = states_of(decision);
        let opening = Opening {
            purpose,
            language: Language::English,
            seller: &self.seller,
            callback,
            // Keys pressed while the carrier speaks do not reach us, so the sentence offers the voice.
            opt_out_key: None,
            recorded,
            states: &states,
        };
        self.disclosures.compose(&opening, &self.tables).text()
    }

    /// The message for a called party's machine, or why none may be left.
    pub fn voicemail(
        &self,
        decision: Option<&Decision>,
        purpose: Purpose,
        seller: &SellerConfig,
        recorded: bool,
        message: &str,
    ) -> Result<String, VoicemailError> {
        let callback = seller.complete().map(|(_, number)| number);
        let states = states_of(decision);
        let opening = Opening {
            purpose,
            language: Language::English,
            seller: &self.seller,
            callback: callback.as_ref(),
            opt_out_key: None,
            recorded,
            states: &states,
        };
        self.disclosures.voicemail(&opening, seller.opt_out_number.parse().ok().as_ref(), message, &self.tables)
    }

    /// What is said when a recording begins in mid-call.
    pub fn recording_notice(&self) -> &str {
        self.disclosures.recording_notice(Language::English).unwrap_or("This call is recorded.")
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

    /// Decides and records, in one transaction. A question about dialling that is allowed holds the number's slot.
    pub async fn decide(
        &self,
        store: &Store,
        question: &GateQuestion,
        intent: Intent,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let gate = self.clone();
        let question = question.clone();
        let request = GateRequest {
            number: Party::from(question.number.as_str()),
            purpose: question.purpose,
            voice: question.voice,
            lead_id: question.lead_id,
            actor: question.actor.clone(),
            intent,
        };
        store
            .decide(request, now, move |stored| {
                let facts = gate.facts(stored, &question);
                let decision = evaluate(&facts, &gate.tables, &gate.profile, question.at.unwrap_or(now));
                let recorded = serde_json::to_value(&facts).expect("facts serialise");
                (decision, recorded)
            })
            .await
    }

    /// What the store knows, in the gate's words.
    fn facts(&self, stored: &StoredFacts, question: &GateQuestion) -> Facts {
        let mut facts = Facts::unknown(CalledNumber::from(question.number.as_str()), question.purpose, question.voice);
        facts.outbound_stopped = stored.outbound_stop.is_some();
        facts.line_type = question.line_type.or(stored.line_type.as_ref().map(|answer| answer.line_type));
        if let Some(lead) = &stored.lead {
            facts.known_state = lead.state.as_deref().and_then(|state| state.parse().ok());
            facts.known_zone.clone_from(&lead.time_zone);
        }
        facts.consents = stored
            .consents
            .iter()
            .map(|consent| ConsentFact {
                id: Some(consent.id),
                kind: consent.kind,
                scope: consent.scope.clone(),
                given_at: Some(consent.given_at),
                expires_at: consent.expires_at,
                // The store looks consents up by their number.
                names_this_number: true,
                names_this_seller: consent.seller == *self.seller,
            })
            .collect();
        facts.revoked_at = stored.revocations.iter().map(|revocation| revocation.at).max();
        facts.internal_dnc_at = stored.internal_dnc_at;
        facts.litigator = stored.litigator;
        facts.reassigned = reassigned(stored);
        facts.national_dnc = listed(stored, |list| list == "national");
        facts.state_dnc = listed(stored, |list| list.starts_with("state:"));
        facts.dnc_list_date = stored.dnc_answers.iter().map(|answer| answer.as_of).min();
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

fn states_of(decision: Option<&Decision>) -> Vec<StateCode> {
    decision.into_iter().flat_map(|d| &d.places).filter_map(|place| place.state.parse().ok()).collect()
}

/// On any list of this kind? Unknown when none was asked.
fn listed(stored: &StoredFacts, is_of_kind: impl Fn(&str) -> bool) -> Option<bool> {
    let answers: Vec<_> = stored.dnc_answers.iter().filter(|answer| is_of_kind(&answer.list)).collect();
    (!answers.is_empty()).then(|| answers.iter().any(|answer| answer.listed))
}

/// The answer that counts: asked for the newest written or express consent (47 CFR 64.1200(m) wants the consent's date), latest
/// first. "Yes" for an older consent does not condemn a newer one.
fn reassigned(stored: &StoredFacts) -> Option<Reassigned> {
    let newest = stored
        .consents
        .iter()
        .filter(|consent| matches!(consent.kind, ConsentKind::Written | ConsentKind::Express))
        .map(|consent| consent.given_at.to_zoned(jiff::tz::TimeZone::UTC).date())
        .max();
    stored
        .reassigned
        .iter()
        .filter(|answer| newest.is_none_or(|date| answer.consent_date <= date))
        .max_by_key(|answer| answer.asked_at)
        .map(|answer| match answer.answer {
            Reassignment::Yes => Reassigned::Yes,
            Reassignment::No => Reassigned::No,
            Reassignment::NoData => Reassigned::NoData,
        })
}

impl App {
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
