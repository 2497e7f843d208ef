//! `doctor` through the binary: the agents, the accounts, and the way back in through the public address.

use super::proxy::Proxy;
use super::server::{Server, Settings};
use super::vendors::Vendors;

/// What `doctor` prints with these settings.
async fn report(settings: &Settings) -> String {
    let mut command = settings.command();
    command.arg("doctor");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn every_agent_and_credential_is_looked_at_and_the_clock() {
    let vendors = Vendors::start().await;
    let settings = Settings::new(&vendors, &[])
        .with("AGENTS__ELEVENLABS__API_KEY", "emulated-api-key")
        .with("AGENTS__ROUTES", "+12125550101=elevenlabs:agent_reception,+12125550102=elevenlabs:agent_of_nobody");
    let said = report(&settings).await;
    for wanted in [
        "ok    Twilio accepts the account and its token",
        "ok    this machine's clock agrees with Twilio's",
        "ok    ElevenLabs knows the agent elevenlabs:agent_echo",
        "ok    ElevenLabs knows the agent elevenlabs:agent_reception",
        "wrong elevenlabs:agent_of_nobody",
        "note  nothing answers at",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let said = report(&settings.with("CARRIER__TWILIO__AUTH_TOKEN", "another token")).await;
    assert!(said.contains("wrong Twilio does not accept the account and its token"), "{said}");
}

#[tokio::test]
async fn the_way_in_through_a_proxy_is_tried_as_twilio_would() {
    let vendors = Vendors::start().await;
    let proxy = Proxy::start().await;
    let settings = Settings::new(&vendors, &[("SERVER__PUBLIC_URL", proxy.base.as_str())]);
    let server = Server::start_with(settings.clone()).await;
    proxy.lead_to(Some(&server.base));
    let said = report(&settings).await;
    for wanted in
        ["ok    the server answers at", "ok    requests signed as Twilio", "ok    media sockets can be opened"]
    {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert_eq!(server.api.get("/api/v1/calls").await.body["calls"], serde_json::json!([]), "it left nothing behind");

    // The server takes itself to be elsewhere than the proxy leads to it from.
    let said = report(&settings.clone().with("SERVER__PUBLIC_URL", &server.base)).await;
    assert!(said.contains("wrong a request signed as Twilio signs is refused at"), "{said}");
    assert!(said.contains(&proxy.base), "the URL that the server computed: {said}");
    assert!(said.contains("wrong no media socket can be opened") && said.contains("HTTP 403 instead of 101"), "{said}");
    // Something answers, but it is not Clearline.
    let said = report(&settings.with("SERVER__PUBLIC_URL", &vendors.twilio.base_url())).await;
    assert!(said.contains("is not answered by Clearline"), "{said}");
}
