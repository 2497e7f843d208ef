//! `doctor` through the binary: the agents, the accounts, and the way back in through the public address.

use serde_json::json;

use super::proxy::Proxy;
use super::retell::World;
use super::server::{Server, Settings};
use super::vendors::Vendors;

const SECRET: &str = "a-secret-of-the-tests-0123456789";

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

#[tokio::test]
async fn retells_key_agents_webhooks_and_retired_socket_are_looked_at() {
    let world = World::start_with(
        "retell:agent_1",
        "silent",
        &[("AGENTS__RETELL__LLM__SECRET", SECRET), ("AGENTS__RETELL__LLM__MODEL", "m")],
    )
    .await;
    let settings = world.server.settings().clone().with("SERVER__PUBLIC_URL", &world.server.base);
    let ws = world.server.base.replacen("http", "ws", 1);
    let engine = |url: String| json!({"response_engine": {"type": "custom-llm", "llm_websocket_url": url}});
    let elsewhere = json!({"webhook_url": "https://else.example.com/hook"});
    world.tell("agents/agent_2", &engine(format!("{ws}/agents/retell/llm/{SECRET}"))).await;
    world.tell("agents/agent_3", &engine(format!("{ws}/agents/retell/llm/another"))).await;
    world.tell("agents/agent_4", &elsewhere).await;
    let agents = "retell:agent_1 | retell:agent_2 | retell:agent_3 | retell:agent_4 | retell:agent_of_nobody | elevenlabs:agent_echo";
    let said = report(&settings.clone().with("AGENTS__DEFAULT", agents)).await;
    for wanted in [
        "ok    Retell knows the agent retell:agent_1",
        "ok    retell:agent_2: its custom LLM is this server",
        "wrong retell:agent_3: its LLM WebSocket has another secret",
        "note  retell:agent_4: its webhooks go to else.example.com",
        "wrong retell:agent_of_nobody: Retell answered with status 404",
        "ok    Retell's webhooks can reach the server",
        "/agents/retell/llm/SECRET",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(!said.contains(SECRET) && !said.contains("retired") && !said.contains("bridges ElevenLabs"), "{said}");
    let retired =
        settings.clone().with("AGENTS__RETELL__MODE", "audio-websocket").with("AGENTS__RETELL__API_KEY", "another key");
    let said = report(&retired).await;
    assert!(said.contains("Retell retired its audio WebSocket at the end of 2024"), "{said}");
    assert!(said.contains("wrong Retell does not accept RETELL_API_KEY"), "{said}");
    let said = report(&settings.with("AGENTS__RETELL__API_KEY", "")).await;
    assert!(said.contains("wrong set RETELL_API_KEY"), "{said}");
}
