//! `/api/v1/consents` and `/api/v1/dnc`: permissions and do-not-call requests from programs.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, NewConsent};
use crate::domain::E164;
use crate::domain::access::Scope;
use crate::domain::consent::{ConsentEvidence, ConsentKind, OptOutChannel};
use crate::domain::event::Door;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::{ArgumentProblem, Problem};

use super::calls::parse_json;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentBody {
    number: String,
    kind: ConsentKind,
    scope: Vec<String>,
    given_at: Timestamp,
    expires_at: Option<Timestamp>,
    #[serde(default)]
    evidence: ConsentEvidence,
}

/// `POST /api/v1/consents`: 201. A consent is added, never changed.
pub(super) async fn add_consent(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.must(Scope::ComplianceWrite)?;
    let body: ConsentBody = parse_json(&body)?;
    let number = parse_number(&body.number)?;
    if body.scope.is_empty() {
        return Err(Problem::invalid_arguments(&[ArgumentProblem {
            field: "scope",
            received: "an empty list".to_owned(),
            expected: "what the consent covers, like [\"telemarketing\"]",
        }]));
    }
    let consent = NewConsent {
        number,
        kind: body.kind,
        scope: body.scope,
        given_at: body.given_at,
        expires_at: body.expires_at,
        evidence: body.evidence,
    };
    let id = app.record_consent(consent, &caller.actor(Door::Api)).await.map_err(|error| Problem::internal(&error))?;
    Ok((StatusCode::CREATED, Json(json!({ "consent_id": id }))))
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
    app.record_opt_out(&number, OptOutChannel::Api, &body.note, None, &caller.actor(Door::Api))
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok((StatusCode::CREATED, Json(json!({ "number": number.masked(), "listed": true }))))
}

fn parse_number(text: &str) -> Result<E164, Problem> {
    text.parse().map_err(|_| {
        Problem::invalid_arguments(&[ArgumentProblem {
            field: "number",
            received: format!("a text of {} characters", text.chars().count()),
            expected: "a number like +12125550113",
        }])
    })
}
