//! The vendors over TLS, as in the world: REST requests and agents' sockets through a server whose authority the system trusts, or
//! does not.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::server::{Server, Settings};
use super::vendors::Vendors;
use super::{APOLOGY, SELLER};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

/// What ends TLS in front of an emulator.
struct Front {
    /// `https://localhost:4567`
    base: String,
    _shutdown: DropGuard,
}

impl Front {
    async fn of(emulator: &str) -> Self {
        let target = emulator.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let certificate = CertificateDer::from_pem_file(format!("{FOLDER}/server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(format!("{FOLDER}/server.key")).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
        let (stop, tasks) = (shutdown.clone(), tracker.clone());
        tracker.spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, target) = (acceptor.clone(), target.clone());
                tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
                    // A client that does not trust us breaks off here.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut server = TcpStream::connect(target).await.unwrap();
                    // Either side may go away at any time: then both are closed.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }));
            }
        }));
        Self { base, _shutdown: shutdown.drop_guard() }
    }
}

/// A server that reaches both vendors over TLS only.
async fn stage(vendors: &Vendors, trusted: bool) -> (Server, [Front; 2]) {
    let fronts = [Front::of(&vendors.twilio.base_url()).await, Front::of(&vendors.elevenlabs.base_url()).await];
    let settings = Settings::new(vendors, &[("COMPLIANCE__PURPOSES", "emergency")])
        .with("CARRIER__TWILIO__API_URL", &fronts[0].base)
        .with("AGENTS__ELEVENLABS__API_URL", &fronts[1].base);
    // Where the system keeps the authorities that it trusts; the same variable as OpenSSL's.
    let authority = format!("{FOLDER}/authority.pem");
    let settings = if trusted { settings.with_variable("SSL_CERT_FILE", &authority) } else { settings };
    let server = Server::start_with(settings).await;
    vendors.lead_to(&server.base).await;
    (server, fronts)
}

#[tokio::test]
async fn a_call_goes_over_tls_to_both_vendors() {
    let vendors = Vendors::start().await;
    let (server, _fronts) = stage(&vendors, true).await;
    vendors.seat(SELLER, "silent").await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let call = placed.body["call_id"].as_str().unwrap();
    server.api.conversing(call, 1).await;
    assert_eq!(server.api.post(&format!("/api/v1/calls/{call}/end"), &json!({})).await.status, 202);
    assert_eq!(server.api.ended(call).await["disposition"], "completed");
    assert_eq!((vendors.dials(), vendors.conversations()), (1, 1));
}

#[tokio::test]
async fn a_vendor_whom_nobody_vouches_for_is_told_nothing() {
    let vendors = Vendors::start().await;
    let (server, _fronts) = stage(&vendors, false).await;
    let placed = server.api.post("/api/v1/calls", &json!({"to": SELLER, "purpose": "emergency"})).await;
    assert_eq!(placed.status, 202, "{}", placed.body);
    let story = server.api.story(placed.body["call_id"].as_str().unwrap()).await;
    let refused = story.iter().find(|event| event["type"] == "carrier_refused").unwrap();
    assert!(refused["message"].as_str().unwrap().contains("certificate"), "{refused}");
    assert_eq!(story.last().unwrap()["disposition"], "failed");
    let sid = vendors.ring("silent").await;
    vendors.said(&sid, APOLOGY).await;
    let call = server.api.call_of(&sid).await;
    assert_eq!(server.api.ended(&call).await["disposition"], "agent_failed");
    assert_eq!((vendors.dials(), vendors.conversations()), (0, 0));
}

#[tokio::test]
async fn a_system_that_trusts_nobody_is_told_what_to_install() {
    let vendors = Vendors::start().await;
    let settings = Settings::new(&vendors, &[]).with_variable("SSL_CERT_FILE", "/nonexistent");
    let settings = settings.with_variable("SSL_CERT_DIR", "/nonexistent");
    for command in [&["demo", "--once"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let output = settings.run(command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("ca-certificates"), "{said}");
    }
}
