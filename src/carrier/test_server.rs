//! For the tests of this room: a small HTTP server on loopback that answers by script and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, header};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::{Account, Credentials, Patience, TwilioClient};
use crate::domain::{AccountSid, Secret};

/// What a request said.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) authorization: String,
    pub(super) body: String,
}

pub(super) struct TestServer {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl TestServer {
    /// `script` gives status and body of the nth answer, from 0. Status 0 means that no answer ever comes.
    pub(super) async fn start(script: impl Fn(usize) -> (u16, &'static str) + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        let app = Router::new().fallback(move |request: Request| {
            let (script, log) = (Arc::clone(&script), Arc::clone(&log));
            async move {
                let request = read(request).await;
                let turn = {
                    let mut log = log.lock().unwrap();
                    log.push(request);
                    log.len() - 1
                };
                let (status, body) = script(turn);
                if status == 0 {
                    std::future::pending::<()>().await;
                }
                Response::builder().status(status).body(Body::from(body)).unwrap()
            }
        });
        // The server ends with the test's runtime.
        TaskTracker::new().spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen }
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read(request: Request) -> Seen {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (authorization, method) = (authorization.unwrap_or_default().to_owned(), request.method().to_string());
    let target = request.uri().to_string();
    let body = axum::body::to_bytes(request.into_body(), 65_536).await.unwrap();
    Seen { method, target, authorization, body: String::from_utf8(body.to_vec()).unwrap() }
}

pub(super) fn account(api_url: &str) -> Account {
    Account {
        api_url: api_url.to_owned(),
        sid: AccountSid::new("AC00000000000000000000000000000001"),
        credentials: Credentials::AuthToken(Secret::new("12345")),
    }
}

/// A client that does not wait long for anything but answers.
pub(super) fn client(api_url: &str) -> TwilioClient {
    let patience = Patience {
        attempts: 4,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(4),
        ..Patience::default()
    };
    impatient_client(api_url, patience)
}

pub(super) fn impatient_client(api_url: &str, patience: Patience) -> TwilioClient {
    // Other tests of the process may have done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    TwilioClient::new(account(api_url), patience).unwrap()
}
