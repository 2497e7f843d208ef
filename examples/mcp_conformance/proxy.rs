//! Passes requests on to another listener of this machine, with a key.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use clearline::domain::Secret;
use http::{StatusCode, header};

struct Target {
    address: SocketAddr,
    key: String,
    http: reqwest::Client,
}

pub(super) fn router(address: SocketAddr, key: &Secret) -> Router {
    let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client can be made");
    let target = Arc::new(Target { address, key: key.expose().to_owned(), http });
    Router::new().fallback(pass_on).with_state(target)
}

async fn pass_on(State(target): State<Arc<Target>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let sent = target
        .http
        .request(parts.method, format!("http://{}{path}", target.address))
        .headers(headers)
        .bearer_auth(&target.key)
        .body(reqwest::Body::wrap_stream(body.into_data_stream()))
        .send()
        .await;
    match sent {
        Ok(answer) => {
            let mut response = Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                if name != header::TRANSFER_ENCODING {
                    response = response.header(name, value);
                }
            }
            response.body(Body::from_stream(answer.bytes_stream())).expect("an answer that came can be passed on")
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
