//! Sign in and out. A key or a printed link's token becomes a cookie: `HttpOnly`, `SameSite=Strict`, `Secure` where we are
//! reached over https.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::app::App;
use crate::domain::event::Door;
use crate::store::AuditOutcome;
use crate::surfaces::audit;
use crate::surfaces::auth::{self, COOKIE, Caller, NUMBERS_COOKIE};
use crate::surfaces::problem::Problem;

use super::assets;
use super::pages::{html, theme};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    digest: &'a str,
    theme: &'a str,
    /// The token of a printed link, to be used by the button.
    token: &'a str,
    next: &'a str,
    fault: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct SignInQuery {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: String,
}

/// Using a link up takes a press of the button (or the page's script): a program that only looks at links does not use it up.
pub(super) async fn page(Query(query): Query<SignInQuery>, headers: HeaderMap) -> Response {
    show(&headers, StatusCode::OK, &query.token, &query.next, "")
}

fn show(headers: &HeaderMap, status: StatusCode, token: &str, next: &str, fault: &str) -> Response {
    let page = SignInPage { digest: &assets::DIGEST, theme: theme(headers), token, next, fault };
    (status, html(&page)).into_response()
}

#[derive(Debug, Deserialize)]
struct SignInForm {
    #[serde(default)]
    key: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn sign_in(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    if !auth::is_own_origin(&app, &headers) {
        // Else another site could sign a browser in as somebody else and watch what its user then does.
        return Problem::forged().into_response();
    }
    let Ok(form) = serde_urlencoded::from_bytes::<SignInForm>(&body) else {
        return Problem::bad_request("The form cannot be read.").into_response();
    };
    let (found, fault) = if form.token.is_empty() {
        let fault = "This key is not in force. Make one with `clearline keys create NAME --role operator`.";
        (app.sign_in_with_key(form.key.trim()).await, fault)
    } else {
        let fault = "This link was used before or is too old. Restart the server for a new one, or sign in with a key.";
        (app.sign_in_with_link(&form.token).await, fault)
    };
    match found {
        Ok(Some((cookie, session))) => {
            // The audit of the routes knows a caller only once there is one, so a sign-in is noted here.
            let how = if form.token.is_empty() { "sign in with a key" } else { "sign in with a printed link" };
            let by = Caller::of_session(&session, cookie.expose()).actor(Door::Console);
            audit::note(&app, by, how, AuditOutcome::Done, None).await;
            let secure = if is_https(&app, &headers) { "; Secure" } else { "" };
            let age = u64::from(app.config.console.session_hours) * 3600;
            let cookie =
                format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}", cookie.expose());
            ([(header::SET_COOKIE, cookie)], Redirect::to(own_page(&form.next))).into_response()
        }
        Ok(None) => show(&headers, StatusCode::UNAUTHORIZED, "", &form.next, fault),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

pub(super) async fn sign_out(State(app): State<Arc<App>>, _caller: Caller, headers: HeaderMap) -> Response {
    if let Some(cookie) = auth::cookie(&headers, COOKIE)
        && let Err(error) = app.sign_out(cookie).await
    {
        return Problem::internal(&error).into_response();
    }
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    // Whoever signs in next asks for numbers in full on their own.
    let masked = format!("{NUMBERS_COOKIE}=; Path=/; SameSite=Strict; Max-Age=0");
    let cookies = AppendHeaders([(header::SET_COOKIE, gone), (header::SET_COOKIE, masked)]);
    (StatusCode::NO_CONTENT, cookies).into_response()
}

/// Whether the browser reaches us under an https public URL. One that comes straight to the listen address does not.
fn is_https(app: &App, headers: &HeaderMap) -> bool {
    let host = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).unwrap_or_default();
    host.starts_with("https://") || (app.urls.base().starts_with("https://") && host == app.urls.base())
}

/// Where to go after signing in: a page of ours, never another site.
fn own_page(next: &str) -> &str {
    let is_ours = next.starts_with("/console") && !next.contains(['\\', '\r', '\n']) && next.is_ascii();
    if is_ours { next } else { "/console" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_our_own_pages_only() {
        assert_eq!(own_page("/console/calls/call_1?tab=events"), "/console/calls/call_1?tab=events");
        for elsewhere in ["", "https://evil.example", "//evil.example/console", "/\\evil", "/console\r\nX: y", "/api"] {
            assert_eq!(own_page(elsewhere), "/console", "{elsewhere}");
        }
    }
}
