//! `POST /api/v1/calls/{id}/transfer`: the call goes on with somebody else.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::app::{App, Placed, TransferCall, TransferError, TransferTo, Transferring};
use crate::domain::event::Door;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::{ArgumentProblem, Problem};

use super::calls::{blocked, limit_problem, mask, parse_json, parse_purpose};
use super::control::{accepted, live, may_work, problem};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferBody {
    /// A colleague's name, or a number.
    to: String,
    briefing: Option<String>,
    purpose: Option<String>,
}

/// 202 when the other phone rings; 403 with every reason of the gate for an outside number that may not be called.
pub(super) async fn transfer(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    may_work(&caller)?;
    let body: TransferBody = parse_json(&body)?;
    let call = live(&app, &id)?;
    let request = TransferCall {
        to: parse_to(&body.to)?,
        briefing: body.briefing,
        purpose: parse(body.purpose)?.map(|purpose| caller.claim(purpose)).transpose()?,
    };
    match app.transfer_call(&call, caller.actor(Door::Api), request).await {
        Ok(Transferring::Started) => Ok(accepted(&call, json!({"state": "transferring"}))),
        Ok(Transferring::Blocked { decision_id, decision }) => {
            Err(blocked(&Placed { call_id: call.id, decision_id, decision: *decision }))
        }
        Err(error) => Err(transfer_problem(error)),
    }
}

fn parse_to(text: &str) -> Result<TransferTo, Problem> {
    if !text.starts_with('+') {
        return Ok(TransferTo::Colleague(text.to_owned()));
    }
    text.parse().map(TransferTo::Number).map_err(|_| {
        let expected = "a colleague's name, or a number like +12125550113";
        Problem::invalid_arguments(&[ArgumentProblem { field: "to", received: mask(text), expected }])
    })
}

fn parse(purpose: Option<String>) -> Result<Option<crate::domain::Purpose>, Problem> {
    let Some(text) = purpose else { return Ok(None) };
    parse_purpose(Some(&text)).map(Some).map_err(|received| {
        let (received, expected) = (received.to_owned(), "telemarketing, informational, healthcare or emergency");
        Problem::invalid_arguments(&[ArgumentProblem { field: "purpose", received, expected }])
    })
}

fn transfer_problem(error: TransferError) -> Problem {
    let text = error.to_string();
    match error {
        TransferError::Control(error) => problem(error),
        TransferError::UnknownColleague { .. } => Problem::bad_request(text),
        TransferError::OnItsWay => {
            Problem::new(StatusCode::CONFLICT, "transferring", "The call is on its way elsewhere", text)
        }
        TransferError::NoCarrier => {
            Problem::new(StatusCode::CONFLICT, "not-configured", "The server is not set up for transfers", text)
        }
        TransferError::PurposeNotAllowed(_) => {
            Problem::new(StatusCode::FORBIDDEN, "purpose-not-allowed", "This purpose may not be claimed", text)
        }
        TransferError::Limit(limit) => limit_problem(limit),
        TransferError::Journal(error) => Problem::internal(&error),
        TransferError::Store(error) => Problem::internal(&error),
    }
}
