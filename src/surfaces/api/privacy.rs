//! `POST /api/v1/privacy/erase`: erase a person's data as far as the law lets it go, and say what is kept and why.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::domain::access::Scope;
use crate::domain::event::Door;
use crate::surfaces::auth::Caller;
use crate::surfaces::problem::Problem;

use super::calls::parse_json;
use super::records::parse_number;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EraseBody {
    number: String,
}

pub(super) async fn erase(State(app): State<Arc<App>>, caller: Caller, body: Bytes) -> Result<Json<Value>, Problem> {
    caller.must(Scope::Admin)?;
    let EraseBody { number } = parse_json(&body)?;
    let number = parse_number(&number)?;
    let erasure =
        app.erase_person(&number, &caller.actor(Door::Api)).await.map_err(|error| Problem::internal(&error))?;
    Ok(Json(json!({ "number": number.masked(), "erasure": erasure })))
}
