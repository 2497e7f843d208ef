//! The way in to `/mcp`: who are you, is this your session, is there room; and the documents that tell clients how to get a token
//! (RFC 9728).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use dashmap::DashMap;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use serde_json::{Value, json};

use crate::domain::access::Scope;
use crate::surfaces::auth::bearer;
use crate::surfaces::problem::Problem;

use super::Shared;
use super::audit::Audit;
use super::principal::{NotAdmitted, Principal};
use super::server::sha256_hex;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const TOOL: HeaderName = HeaderName::from_static("mcp-name");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const READ_ONLY: HeaderName = HeaderName::from_static("x-mcp-readonly");

/// The first revision without sessions. Dates compare as texts.
const FIRST_WITHOUT_SESSIONS: &str = "2026-07-28";

/// Which principal opened which session.
#[derive(Debug, Default)]
pub(super) struct SessionOwners(DashMap<Box<str>, Arc<str>>);

/// Lets in whoever has a key or a token, to its own sessions only.
pub(super) async fn admit(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let principal = match principal(&door.shared, request.headers()).await {
        Ok(principal) => principal,
        Err(refusal) => return refusal,
    };
    if let Some((tool, refusal)) = scope_challenge(&door.shared, &principal, request.headers()) {
        // The arguments were not looked at.
        Audit::new(&door.shared.app, &principal).refused(tool, sha256_hex(b""), "missing_scope").await;
        return refusal;
    }
    let session = request.headers().get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let is_modern = request.headers().get(VERSION).is_some_and(|version| *version >= *FIRST_WITHOUT_SESSIONS);
    match &session {
        // The same answer as for a session that does not exist.
        Some(id) if !is_modern && !door.shared.owners.owns(&principal, id) => {
            return (StatusCode::NOT_FOUND, "Not Found: Session not found").into_response();
        }
        None if !is_modern && request.method() == http::Method::POST => {
            if let Some(refusal) = door.no_room_for(&principal).await {
                Audit::new(&door.shared.app, &principal)
                    .refused("initialize", sha256_hex(b""), "too_many_sessions")
                    .await;
                return refusal;
            }
        }
        _ => {}
    }
    let owner = Arc::clone(&principal.name);
    request.extensions_mut().insert(principal);
    let response = next.run(request).await;
    if session.is_none()
        && let Some(opened) = response.headers().get(SESSION).and_then(|id| id.to_str().ok())
    {
        door.shared.owners.0.insert(opened.into(), owner);
    }
    response
}

/// What the door needs: who is known, and which sessions there are.
#[derive(Clone)]
pub(super) struct Door {
    pub shared: Arc<Shared>,
    pub sessions: Arc<LocalSessionManager>,
}

impl Door {
    async fn no_room_for(&self, principal: &Principal) -> Option<Response> {
        let settings = &self.shared.app.config.mcp;
        let open = self.sessions.sessions.read().await;
        self.shared.owners.0.retain(|id, _| open.contains_key(&**id));
        let own = self.shared.owners.0.iter().filter(|entry| *entry.value() == principal.name).count();
        let full = open.len() >= settings.max_sessions || own >= settings.max_sessions_per_key;
        full.then(|| {
            Problem::unavailable(
                "There are too many sessions. Close some (DELETE), or use the protocol revision 2026-07-28, which has none.",
            )
            .into_response()
        })
    }
}

impl SessionOwners {
    fn owns(&self, principal: &Principal, session: &str) -> bool {
        self.0.get(session).is_some_and(|owner| *owner == principal.name)
    }
}

async fn principal(shared: &Shared, headers: &HeaderMap) -> Result<Principal, Response> {
    let read_only = shared.app.config.mcp.read_only
        || headers.get(READ_ONLY).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"false"));
    let Some(text) = bearer(headers) else { return Err(unauthorized(shared, "")) };
    let admitted = Principal::admit(&shared.app, &shared.recent, shared.issuer.as_ref(), text, read_only).await;
    admitted.map_err(|refused| match refused {
        NotAdmitted::Unknown(None) => unauthorized(shared, ", error=\"invalid_token\""),
        NotAdmitted::Unknown(Some(why)) => {
            unauthorized(shared, &format!(", error=\"invalid_token\", error_description=\"{why}\""))
        }
        NotAdmitted::Store(error) => Problem::internal(&error).into_response(),
    })
}

fn unauthorized(shared: &Shared, error: &str) -> Response {
    let scopes = "calls:read calls:write compliance:read compliance:write";
    let challenge = format!("Bearer resource_metadata=\"{}\", scope=\"{scopes}\"{error}", metadata_url(shared));
    with_challenge(Problem::unauthorized().into_response(), &challenge)
}

/// A token whose owner can ask for more gets told what to ask for. (A key cannot be widened: its tools say what it lacks.) The
/// headers are trusted for this refusal only; the tool checks again what the body asks for.
fn scope_challenge(shared: &Shared, principal: &Principal, headers: &HeaderMap) -> Option<(&'static str, Response)> {
    if !principal.is_token() || headers.get(METHOD).is_none_or(|method| method != "tools/call") {
        return None;
    }
    let tool = shared.catalog.find(headers.get(TOOL)?.to_str().ok()?)?;
    if tool.scopes.iter().any(|scope| principal.may(*scope)) {
        return None;
    }
    let held = Scope::ALL.into_iter().filter(|scope| principal.may(*scope));
    let all: Vec<_> = held.chain(tool.scopes.first().copied()).map(Scope::as_str).collect();
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", scope=\"{}\", resource_metadata=\"{}\"",
        all.join(" "),
        metadata_url(shared)
    );
    let missing = tool.scopes.first().map_or("", |scope| scope.as_str());
    Some((tool.name, with_challenge(Problem::forbidden(missing).into_response(), &challenge)))
}

fn with_challenge(mut response: Response, challenge: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

fn metadata_url(shared: &Shared) -> String {
    format!("{}/.well-known/oauth-protected-resource/mcp", shared.app.urls.base())
}

/// `GET /.well-known/oauth-protected-resource/mcp`
pub(super) async fn resource_metadata(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let issuers: Vec<_> = shared.issuer.iter().map(|issuer| issuer.name().to_owned()).collect();
    let mut document = json!({
        "resource": shared.audience,
        "resource_name": "Clearline",
        "scopes_supported": Scope::ALL.map(Scope::as_str),
        "bearer_methods_supported": ["header"],
    });
    if !issuers.is_empty() {
        document["authorization_servers"] = json!(issuers);
    }
    Json(document)
}
