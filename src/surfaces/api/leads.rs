//! `/api/v1/leads`: the people and businesses that the operator may call.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, LeadError, LeadPatch, ProtectedLines, read_number};
use crate::domain::LeadId;
use crate::domain::access::Scope;
use crate::domain::event::Door;
use crate::store::LeadFilter;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::Problem;

use super::calls::parse_json;
use super::paging::{list_problem, page};
use super::record_views;

/// `POST /api/v1/leads`: 201 for a new lead, 200 for one that was completed. What is not said stays.
pub(super) async fn upsert(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.must(Scope::ComplianceWrite)?;
    let patch: LeadPatch = parse_json(&body)?;
    let may_clear = caller.must(Scope::CallsControl).is_ok();
    let protected = if may_clear { ProtectedLines::MayBeCleared } else { ProtectedLines::Stay };
    let (lead, is_new) =
        app.upsert_lead(patch, protected, &caller.actor(Door::Api)).await.map_err(|error| match error {
            LeadError::Invalid(problems) => Problem::invalid_fields(&problems),
            LeadError::NoSuchLead(_) => Problem::not_found("lead"),
            LeadError::Store(error) => Problem::internal(&error),
        })?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(record_views::lead(&lead, caller.numbers()))))
}

/// `GET /api/v1/leads/{id}`
pub(super) async fn fetch(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let id: LeadId = id.parse().map_err(|_| Problem::not_found("lead"))?;
    let lead = app.store.lead(id).await.map_err(|error| Problem::internal(&error))?;
    let lead = lead.ok_or_else(|| Problem::not_found("lead"))?;
    Ok(Json(record_views::lead(&lead, caller.numbers())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeadQuery {
    number: Option<String>,
    status: Option<String>,
    /// Part of the name, e-mail or a tag.
    text: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// `GET /api/v1/leads`: newest first, in pages.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<LeadQuery>,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::CallsRead)?;
    let (after, limit) = page(query.cursor.as_deref(), query.limit)?;
    let status = query.status.map(|text| serde_json::from_value(text.into())).transpose();
    let filter = LeadFilter {
        number: query.number.as_deref().map(read_number).transpose().map_err(|_| {
            Problem::bad_request("`number` must be a number like +12125550113 (the + is %2B in an address).")
        })?,
        status: status
            .map_err(|_| Problem::bad_request("`status` must be new, contacted, qualified or disqualified."))?,
        text: query.text,
    };
    let page = app.store.list_leads(filter, after, limit).await.map_err(list_problem)?;
    let leads: Vec<_> = page.items.iter().map(|lead| record_views::lead(lead, caller.numbers())).collect();
    Ok(Json(json!({ "leads": leads, "next_cursor": page.next.map(|cursor| cursor.to_string()) })))
}
