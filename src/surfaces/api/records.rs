//! `/api/v1/consents` and `/api/v1/dnc`: permissions, their withdrawal, and do-not-call requests from programs.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, NewConsent, read_number};
use crate::domain::E164;
use crate::domain::access::Scope;
use crate::domain::consent::{ConsentEvidence, ConsentKind, OptOutChannel};
use crate::domain::event::Door;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::{ArgumentProblem, Problem};

use super::calls::parse_json;
use super::paging::{list_problem, page};
use super::record_views;

/// Raw words of a request may be this long, in characters.
const WORDS_LIMIT: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentBody {
    number: String,
    kind: ConsentKind,
    scope: Vec<String>,
    seller: Option<String>,
    given_at: Timestamp,
    expires_at: Option<Timestamp>,
    #[serde(default)]
    evidence: EvidenceBody,
    /// The day on which the Reassigned Numbers Database answered "no" (47 CFR 64.1200(m)).
    rnd_checked_on: Option<Date>,
}

/// The evidence of a consent as programs send it: a name that is not known is an error, not lost proof.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EvidenceBody {
    method: String,
    text: String,
    text_sha256: String,
    url: Option<String>,
    ip: Option<String>,
    user_agent: Option<String>,
    certificate_id: Option<String>,
    certificate_url: Option<String>,
}

impl From<EvidenceBody> for ConsentEvidence {
    fn from(body: EvidenceBody) -> Self {
        let EvidenceBody { method, text, text_sha256, url, ip, user_agent, certificate_id, certificate_url } = body;
        Self { method, text, text_sha256, url, ip, user_agent, certificate_id, certificate_url }
    }
}

/// `POST /api/v1/consents`: 201. A consent is added, never changed.
pub(super) async fn add_consent(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.must(Scope::ComplianceWrite)?;
    let body: ConsentBody = parse_json(&body)?;
    let consent = NewConsent {
        number: parse_number(&body.number)?,
        kind: body.kind,
        scope: body.scope,
        seller: body.seller,
        given_at: body.given_at,
        expires_at: body.expires_at,
        evidence: body.evidence.into(),
        rnd_checked_on: body.rnd_checked_on,
    };
    let mut problems = consent.problems(app.clock.now());
    if body.rnd_checked_on.is_some() && caller.must(Scope::CallsControl).is_err() {
        problems.push(("rnd_checked_on", "saying it needs the scope calls:control".to_owned()));
    }
    if !problems.is_empty() {
        return Err(Problem::invalid_fields(&problems));
    }
    let id = app.record_consent(consent, &caller.actor(Door::Api)).await.map_err(|error| Problem::internal(&error))?;
    Ok((StatusCode::CREATED, Json(json!({ "consent_id": id }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevocationBody {
    number: String,
    /// What the person said or wrote.
    #[serde(default)]
    words: String,
}

/// `POST /api/v1/consents/revoke`: 201. Every permission for the number ends; only a later consent counts again.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.must(Scope::ComplianceWrite)?;
    let body: RevocationBody = parse_json(&body)?;
    let number = parse_number(&body.number)?;
    app.revoke_consent(&number, &words(body.words, "words")?, &caller.actor(Door::Api))
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok((StatusCode::CREATED, Json(json!({ "number": number.masked(), "revoked": true }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordQuery {
    number: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// `GET /api/v1/consents`: the one written down last first; of one number with its withdrawals.
pub(super) async fn list_consents(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<RecordQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::ComplianceRead)?;
    let number = query.number.as_deref().map(parse_number).transpose()?;
    let (after, limit) = page(query.cursor.as_deref(), query.limit)?;
    let page = app.store.list_consents(number.clone(), after, limit).await.map_err(list_problem)?;
    let shown = caller.numbers();
    let consents: Vec<_> = page.items.iter().map(|consent| record_views::consent(consent, shown)).collect();
    let mut answer = json!({ "consents": consents, "next_cursor": page.next.map(|cursor| cursor.to_string()) });
    if let Some(number) = number {
        let revocations = app.store.revocations_of(&number).await.map_err(|error| Problem::internal(&error))?;
        answer["revocations"] = revocations.iter().map(|revoked| record_views::revocation(revoked, shown)).collect();
    }
    Ok(Json(answer))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DncBody {
    number: String,
    #[serde(default)]
    note: String,
}

/// `POST /api/v1/dnc`: 201. Binds before the next dial.
pub(super) async fn add_to_dnc(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.must(Scope::ComplianceWrite)?;
    let body: DncBody = parse_json(&body)?;
    let number = parse_number(&body.number)?;
    app.record_opt_out(&number, OptOutChannel::Api, &words(body.note, "note")?, None, &caller.actor(Door::Api))
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok((StatusCode::CREATED, Json(json!({ "number": number.masked(), "listed": true }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemovalBody {
    number: String,
    reason: String,
}

/// `POST /api/v1/dnc/remove`: takes a number off the list; the entry stays on record, and so does the withdrawal of permission.
pub(super) async fn remove_from_dnc(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    // An agent may list people; taking them off is for people who answer for it.
    caller.must(Scope::CallsControl)?;
    caller.must(Scope::ComplianceWrite)?;
    let body: RemovalBody = parse_json(&body)?;
    let number = parse_number(&body.number)?;
    if body.reason.trim().is_empty() {
        return Err(Problem::invalid_fields(&[(
            "reason",
            "why the number may leave the list, like \"listed by mistake\"".to_owned(),
        )]));
    }
    let reason = words(body.reason, "reason")?;
    let by = caller.actor(Door::Api);
    let removed = app
        .store
        .remove_from_dnc(&number, &reason, &by, app.clock.now())
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok(Json(json!({ "number": number.masked(), "listed": false, "was_listed": removed })))
}

/// `GET /api/v1/dnc`: the internal list, newest entry first; of one number its whole history.
pub(super) async fn list_dnc(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<RecordQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::ComplianceRead)?;
    let shown = caller.numbers();
    if let Some(text) = query.number {
        let number = parse_number(&text)?;
        let history = app.store.dnc_history(&number).await.map_err(|error| Problem::internal(&error))?;
        let entries: Vec<_> = history.entries.iter().map(|entry| record_views::dnc_entry(entry, shown)).collect();
        let revocations: Vec<_> =
            history.revocations.iter().map(|revoked| record_views::revocation(revoked, shown)).collect();
        return Ok(Json(json!({
            "number": shown.show(&number.into()),
            "listed": history.is_listed(),
            "entries": entries,
            "revocations": revocations,
        })));
    }
    let (after, limit) = page(query.cursor.as_deref(), query.limit)?;
    let page = app.store.list_dnc(after, limit).await.map_err(list_problem)?;
    let entries = page.items.into_iter().map(|(number, entry)| {
        let mut value = record_views::dnc_entry(&entry, shown);
        value["number"] = shown.show(&number.into()).into();
        value
    });
    let entries: Vec<_> = entries.collect();
    Ok(Json(json!({ "entries": entries, "next_cursor": page.next.map(|cursor| cursor.to_string()) })))
}

fn words(text: String, field: &'static str) -> Result<String, Problem> {
    if text.chars().count() > WORDS_LIMIT {
        return Err(Problem::invalid_fields(&[(field, format!("a text of at most {WORDS_LIMIT} characters"))]));
    }
    Ok(text)
}

pub(super) fn parse_number(text: &str) -> Result<E164, Problem> {
    read_number(text).map_err(|_| {
        Problem::invalid_arguments(&[ArgumentProblem {
            field: "number",
            received: format!("a text of {} characters", text.chars().count()),
            expected: "a number like +12125550113",
        }])
    })
}
