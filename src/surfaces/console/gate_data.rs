//! What the gate did: its decisions by day and rule, one decision with every rule and input, and all that is known of a number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::compliance::rules::RULES;
use crate::domain::access::Scope;
use crate::domain::{Decision, DecisionId, E164, Party, ReasonCode};
use crate::store::{CallFilter, Cursor, DecisionFilter, Intent, Listing, RecordedDecision};
use crate::surfaces::api::views::{self, Numbers};
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::{ArgumentProblem, Problem};

/// How many decisions a page of the list holds.
const PAGE: u32 = 100;

/// How many decisions the counts of a day may rest on; beyond it they say so.
const COUNTED: u32 = 5_000;

/// How many calls the history of a number shows.
const HISTORY: u32 = 50;

#[derive(Debug, Deserialize)]
pub(super) struct DecisionsQuery {
    /// How far back, in hours.
    hours: Option<u16>,
    /// Only what was refused (`deny`), or only what was allowed (`allow`).
    answer: Option<Answer>,
    /// Only what was refused for this reason.
    reason: Option<ReasonCode>,
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Allow,
    Deny,
}

impl DecisionsQuery {
    fn wants(&self, decision: &Decision) -> bool {
        let answer = if decision.is_allowed() { Answer::Allow } else { Answer::Deny };
        self.answer.is_none_or(|wanted| wanted == answer)
            && self.reason.is_none_or(|wanted| decision.reasons().iter().any(|reason| reason.code == wanted))
    }
}

/// `GET /console/data/decisions`: newest first, with the counts by reason on the first page.
pub(super) async fn decisions(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<DecisionsQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::ComplianceRead)?;
    let hours = i64::from(query.hours.unwrap_or(24).clamp(1, 24 * 366));
    let since = app.clock.now().saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MIN);
    let filter = DecisionFilter { since: Some(since), ..DecisionFilter::default() };
    let after = query
        .cursor
        .as_deref()
        .map(str::parse::<Cursor>)
        .transpose()
        .map_err(|_| Problem::bad_request("The cursor is not one that this server gave."))?;
    let is_first = after.is_none();
    let page = wanted(&app, &query, filter.clone(), after).await?;
    let show = caller.numbers();
    let rows: Vec<_> = page.items.iter().map(|recorded| row(recorded, show)).collect();
    let mut answer = json!({
        "now": app.clock.now(),
        "since": since,
        "decisions": rows,
        "next_cursor": page.next.map(|cursor| cursor.to_string()),
    });
    if is_first {
        answer["counts"] = counts(&app, filter).await?;
    }
    Ok(Json(answer))
}

/// The next page of those that are asked for. What lies between them is read and left out, [`COUNTED`] at the most.
async fn wanted(
    app: &App,
    query: &DecisionsQuery,
    filter: DecisionFilter,
    mut after: Option<Cursor>,
) -> Result<Listing<RecordedDecision>, Problem> {
    let mut items = Vec::new();
    for _ in 0..COUNTED / PAGE {
        let page =
            app.store.list_decisions(filter.clone(), after, PAGE).await.map_err(|error| Problem::internal(&error))?;
        items.extend(page.items.into_iter().filter(|recorded| query.wants(&recorded.decision)));
        after = page.next;
        if after.is_none() || items.len() >= PAGE as usize {
            break;
        }
    }
    Ok(Listing { items, next: after })
}

async fn counts(app: &App, filter: DecisionFilter) -> Result<Value, Problem> {
    let all = app.store.list_decisions(filter, None, COUNTED).await.map_err(|error| Problem::internal(&error))?;
    let mut by_reason: BTreeMap<ReasonCode, u32> = BTreeMap::new();
    let (mut allowed, mut denied, mut inquiries) = (0_u32, 0_u32, 0_u32);
    for recorded in &all.items {
        if recorded.intent == Intent::Inquiry {
            inquiries += 1;
            continue;
        }
        if recorded.decision.is_allowed() {
            allowed += 1;
        } else {
            denied += 1;
        }
        let codes: BTreeSet<_> = recorded.decision.reasons().iter().map(|reason| reason.code).collect();
        for code in codes {
            *by_reason.entry(code).or_default() += 1;
        }
    }
    let mut by_reason: Vec<_> = by_reason.into_iter().collect();
    by_reason.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    let by_reason: Vec<_> = by_reason.iter().map(|(code, count)| json!({"code": code, "count": count})).collect();
    Ok(json!({
        "allowed": allowed,
        "denied": denied,
        "inquiries": inquiries,
        "by_reason": by_reason,
        "complete": all.next.is_none(),
    }))
}

fn row(recorded: &RecordedDecision, show: Numbers) -> Value {
    let mut row = views::decision(recorded.id, &recorded.decision);
    row["recorded_at"] = recorded.recorded_at.to_string().into();
    row["intent"] = json!(recorded.intent);
    row["purpose"] = json!(recorded.purpose);
    row["actor"] = json!(recorded.actor);
    row["number"] = recorded.subject.as_ref().map(|subject| show.show(&subject.number)).into();
    row
}

/// `GET /console/data/decisions/{id}`: with what every rule answered and what the gate was told.
pub(super) async fn decision(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::ComplianceRead)?;
    let id: DecisionId = id.parse().map_err(|_| Problem::not_found("decision"))?;
    let recorded = app.store.decision(id).await.map_err(|error| Problem::internal(&error))?;
    let recorded = recorded.ok_or_else(|| Problem::not_found("decision"))?;
    let show = caller.numbers();
    let mut answer = row(&recorded, show);
    answer["seq"] = recorded.seq.into();
    answer["hash"] = recorded.hash.clone().into();
    // What the gate recorded with its answer: facts, where each came from, and what every rule said. Gone once it was erased.
    let evidence = recorded.subject.map(|subject| show.show_all(subject.facts)).unwrap_or_default();
    answer["rules"] = with_laws(evidence["outcomes"].clone());
    answer["facts"] = evidence["facts"].clone();
    answer["inputs"] = evidence["inputs"].clone();
    Ok(Json(answer))
}

/// What each rule answered, with the law that it enforces.
fn with_laws(mut outcomes: Value) -> Value {
    for outcome in outcomes.as_array_mut().into_iter().flatten() {
        let rule = RULES.iter().find(|rule| outcome["rule"] == rule.name);
        outcome["law"] = rule.map(|rule| rule.law).into();
    }
    outcomes
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberBody {
    number: String,
}

/// `POST /console/data/numbers`: everything that is known of a number. A POST, so that the number is in no log and no history.
pub(super) async fn number(State(app): State<Arc<App>>, caller: Caller, body: Bytes) -> Result<Json<Value>, Problem> {
    caller.must(Scope::ComplianceRead)?;
    let body: NumberBody = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("The body is not the JSON expected: {error}.")))?;
    let number: E164 = body.number.parse().map_err(|_| {
        Problem::invalid_arguments(&[ArgumentProblem {
            field: "number",
            received: format!("a text of {} characters", body.number.chars().count()),
            expected: "a number like +12125550113",
        }])
    })?;
    let store = &app.store;
    let looked_up = async {
        let dnc = store.dnc_history(&number).await?;
        let consents = store.consents_of(&number).await?;
        let by_number = CallFilter { number: Some(number.clone()), ..CallFilter::default() };
        let calls = store.list_calls(by_number, None, HISTORY).await?;
        let about = DecisionFilter { number: Some(Party::from(number.as_str())), ..DecisionFilter::default() };
        let decisions = store.list_decisions(about, None, HISTORY).await?;
        Ok::<_, crate::store::StoreError>((dnc, consents, calls, decisions))
    };
    let (dnc, consents, calls, decisions) = looked_up.await.map_err(|error| Problem::internal(&error))?;
    let show = caller.numbers();
    let entries = dnc.entries.iter().map(|entry| {
        json!({
            "added_at": entry.added_at,
            "channel": entry.channel,
            "words": show.show_all(entry.words.clone().into()),
            "call_id": entry.call_id,
            "added_by": entry.added_by,
            "removed_at": entry.removed.as_ref().map(|removed| removed.at),
            "removed_reason": show.show_all(json!(entry.removed.as_ref().map(|removed| &removed.reason))),
        })
    });
    let revocations = dnc.revocations.iter().map(|one| json!({"at": one.at, "channel": one.channel}));
    let consents = consents.iter().map(|recorded| {
        let consent = &recorded.consent;
        json!({
            "id": consent.id,
            "kind": consent.kind,
            "scope": consent.scope,
            "seller": consent.seller,
            "given_at": consent.given_at,
            "expires_at": consent.expires_at,
            "method": consent.evidence.method,
            "text": show.show_all(consent.evidence.text.clone().into()),
            "url": show.show_all(json!(consent.evidence.url)),
        })
    });
    Ok(Json(json!({
        "now": app.clock.now(),
        "number": show.show(&Party::from(number.as_str())),
        "on_internal_dnc": dnc.is_listed(),
        "dnc": entries.collect::<Vec<_>>(),
        "revocations": revocations.collect::<Vec<_>>(),
        "consents": consents.collect::<Vec<_>>(),
        "calls": calls.items.iter().map(|call| views::call(call, show)).collect::<Vec<_>>(),
        "decisions": decisions.items.iter().map(|recorded| row(recorded, show)).collect::<Vec<_>>(),
    })))
}
