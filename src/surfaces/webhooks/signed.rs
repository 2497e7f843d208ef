//! The guard of Twilio's routes: no request passes whose `X-Twilio-Signature` does not fit. There is no switch that lowers it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};

use crate::app::App;
use crate::protocol::twilio::signature::{
    SETTINGS_HEADER, SIGNATURE_HEADER, SignatureError, SignedContent, SignedRequest, verify,
};

use super::FORM_LIMIT;

/// What Twilio posted (or, for GET, sent as the query), once its signature was found good.
#[derive(Debug, Clone)]
pub(super) struct SignedForm(pub(super) Bytes);

pub(super) async fn require_signature(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, FORM_LIMIT).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the form is too large\n").into_response();
    };
    let content = if parts.method == Method::GET {
        SignedContent::Get
    } else if parts.method == Method::POST {
        SignedContent::Post { content_type: text(&parts.headers, header::CONTENT_TYPE.as_str()), body: &body }
    } else {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, POST")], "use GET or POST\n").into_response();
    };
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    if let Err(error) = check(&app, &parts.headers, peer, target, content) {
        let route = parts.extensions.get::<MatchedPath>().map_or("?", |path| route_label(path.as_str()));
        return refuse(&app, route, &error);
    }
    let form =
        if parts.method == Method::GET { Bytes::from(parts.uri.query().unwrap_or_default().to_owned()) } else { body };
    parts.extensions.insert(SignedForm(form));
    next.run(Request::from_parts(parts, Body::empty())).await
}

/// Checks a request (or a socket's upgrade) against every URL that it could have been sent to.
pub(super) fn check(
    app: &App,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    target: &str,
    content: SignedContent<'_>,
) -> Result<(), SignatureError> {
    let forwarded = forwarded_url(app, headers, peer);
    verify(
        &app.signature_keys,
        &SignedRequest {
            public_url: app.urls.base(),
            forwarded_url: forwarded.as_deref(),
            target,
            content,
            signature: text(headers, SIGNATURE_HEADER),
            settings: text(headers, SETTINGS_HEADER),
        },
    )
}

/// 403 with the reason. The URLs that were tried are ours, so showing them tells a stranger nothing.
pub(super) fn refuse(app: &App, route: &'static str, error: &SignatureError) -> Response {
    app.metrics.signature_refused(route);
    tracing::warn!(route, %error, "a request was refused for its signature");
    (StatusCode::FORBIDDEN, format!("{error}\n")).into_response()
}

/// What a proxy that the operator trusts says it was asked for.
fn forwarded_url(app: &App, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<String> {
    peer.filter(|peer| app.config.server.trusted_proxies.contains(&peer.to_canonical()))?;
    let first = |name| text(headers, name).and_then(|value| value.split(',').next()).map(str::trim);
    let host = first("x-forwarded-host").or_else(|| first("host"))?;
    let scheme = first("x-forwarded-proto").unwrap_or("https");
    Some(format!("{scheme}://{host}"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Metric labels are a closed set.
fn route_label(path: &str) -> &'static str {
    const LABELS: [&str; 7] = [
        "voice",
        "conversation-relay",
        "resume",
        "status-callback",
        "recording-callback",
        "amd-callback",
        "stream-callback",
    ];
    let name = path.trim_start_matches("/webhooks/").split('/').next().unwrap_or_default();
    LABELS.into_iter().find(|label| *label == name).unwrap_or("?")
}
