//! `/health` (alive), `/ready` (may take calls) and `/metrics` (Prometheus).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts as _, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};

use crate::app::App;
use crate::domain::access::Scope;

use super::auth::Caller;
use super::is_local;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/health", get(async || "alive\n")).route("/ready", get(ready)).route("/metrics", get(metrics))
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.drain.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining: no new calls are taken\n").into_response();
    }
    let looked = async {
        app.store.ping().await?;
        app.list_troubles().await
    };
    match looked.await {
        // Calls that need a list are denied without it; all others go on, so that this is no reason to be taken out of service.
        Ok(troubles) => {
            let told = troubles
                .iter()
                .map(|trouble| format!("{}: {}: {}\n", trouble.level.as_str(), trouble.area, trouble.text));
            format!("ready\n{}", told.collect::<String>()).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "not ready: the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}

/// Open to this machine, else for keys with the scope `metrics`.
async fn metrics(State(app): State<Arc<App>>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    if !peer.is_some_and(|peer| is_local(peer, request.headers())) {
        let (mut parts, _) = request.into_parts();
        let allowed = match Caller::from_request_parts(&mut parts, &app).await {
            Ok(caller) => caller.must(Scope::Metrics),
            Err(problem) => Err(problem),
        };
        if let Err(problem) = allowed {
            return problem.into_response();
        }
    }
    app.look_at_lists();
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], app.metrics.render()).into_response()
}
