//! The demo's world: emulated vendors, a database in memory, a server, all on loopback and on a clock of their own.
//!
//! The clock shows a Wednesday morning in New York, so that the demo works at any hour without loosening a rule. Everything else is
//! the product as it is: the gate, the webhooks with their signatures, the media streams, the journal.

use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil::date;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, NewConsent, WallClock, create_key, create_sign_in_link};
use crate::config::{AgentsConfig, Effective, Layer};
use crate::domain::access::Role;
use crate::domain::consent::{ConsentEvidence, ConsentKind, OptOutChannel};
use crate::domain::event::{Actor, Door};
use crate::domain::{E164, Secret};
use crate::emulators::elevenlabs::WebhookConfig;
use crate::emulators::twilio::NumberConfig;
use crate::emulators::{
    Clock, ElevenLabsEmulator, ElevenLabsEmulatorConfig, Running, TwilioEmulator, TwilioEmulatorConfig,
};
use crate::store::{OptOut, ReassignedAnswer, Reassignment};
use crate::surfaces::PHONE_NUMBER;
use crate::surfaces::cli::DemoArgs;
use crate::surfaces::cli::demo::{self, Cast};
use crate::surfaces::cli::out::Paint;

use super::demo_agents;
use super::serve::{Server, wait_for_signal};

/// Wednesday, 14 October 2026, 11:00 in New York.
const SHOWN: &str = "2026-10-14T15:00:00Z";

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const OFFICE: &str = "+12125550100";
const SELLER_OF_A_HOUSE: &str = "+12125550113";
const OPTED_OUT: &str = "+13055550142";
/// It is 05:00 there.
const EARLY_RISER: &str = "+18085550123";
const VISITOR: &str = "+12125550187";

struct Stage {
    server: Server,
    twilio: Running,
    key: Secret,
    /// What is said of the user's own agents.
    of_users_agents: Vec<String>,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

pub(super) async fn run(args: &DemoArgs, settings: &Effective, paint: Paint) -> anyhow::Result<ExitCode> {
    let shown: Timestamp = SHOWN.parse()?;
    let clock = WallClock::starting_at(shown);
    let stage = set_up(clock, &settings.config.agents).await?;
    let cast = Cast {
        office: OFFICE.parse()?,
        allowed: SELLER_OF_A_HOUSE.parse()?,
        blocked: OPTED_OUT.parse()?,
        early: EARLY_RISER.parse()?,
        visitor: VISITOR.parse()?,
        twilio: stage.twilio.base_url(),
    };
    demo::introduce(shown, &stage.of_users_agents, paint);
    let app = &stage.server.app;
    if !args.once {
        demo::show_console(&app.urls.sign_in(&console_link(app).await?), paint);
    }
    let as_it_should = tokio::select! {
        played = demo::play(app, &cast, paint) => Some(played?),
        // Whoever has seen enough ends it in good order.
        signal = wait_for_signal() => signal.map(|()| None)?,
    };
    if !args.once && as_it_should.is_some() {
        demo::invite(stage.server.address, &cast, &stage.key, paint);
        demo::show_console(&app.urls.sign_in(&console_link(app).await?), paint);
        wait_for_signal().await?;
    }
    stage.shutdown.cancel();
    stage.server.stop().await;
    stage.tracker.close();
    stage.tracker.wait().await;
    // A check that was cut short has not passed.
    Ok(if as_it_should.unwrap_or(!args.once) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A link into the console for whoever reads the terminal.
async fn console_link(app: &App) -> anyhow::Result<Secret> {
    Ok(create_sign_in_link(&app.store, app.clock, "demo", Role::Admin).await?)
}

async fn set_up(clock: WallClock, users: &AgentsConfig) -> anyhow::Result<Stage> {
    let tracker = TaskTracker::new();
    let shutdown = CancellationToken::new();
    let emulated_clock = Clock::new(move || clock.now());
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port on loopback")?;
    let base = format!("http://{}", listener.local_addr()?);

    let agents = ElevenLabsEmulatorConfig {
        clock: emulated_clock.clone(),
        api_key: Secret::new("demo-api-key"),
        webhook: Some(WebhookConfig {
            url: format!("{base}/webhooks/elevenlabs"),
            secret: Secret::new("demo-webhook-secret"),
        }),
        ..ElevenLabsEmulatorConfig::default()
    };
    let users_agents = demo_agents::of_settings(users, &agents.agents);
    let agents = ElevenLabsEmulator::start(agents, &tracker, shutdown.clone()).await?;
    let office = NumberConfig {
        voice_url: format!("{base}/webhooks/voice"),
        status_callback: format!("{base}/webhooks/status-callback"),
        ..NumberConfig::default()
    };
    let twilio = TwilioEmulatorConfig {
        account_sid: ACCOUNT.to_owned(),
        auth_token: Secret::new("demo-auth-token"),
        numbers: [(OFFICE.to_owned(), office)].into(),
        phones: [(SELLER_OF_A_HOUSE.to_owned(), "seller".to_owned())].into(),
        clock: emulated_clock,
        ..TwilioEmulatorConfig::default()
    };
    let twilio = TwilioEmulator::start(twilio, &tracker, shutdown.clone()).await?;

    let layer = Layer::from_file("the demo's settings", &settings(&twilio.base_url(), &agents.base_url()))?;
    let mut config = Effective::from_layers(vec![layer])?.config;
    let of_users_agents = demo::tell_of_agents(users_agents.sections.len(), users_agents.left_out);
    config.agents.own = users_agents.sections;
    config.agents.elevenlabs.approved_tools.clone_from(&users.elevenlabs.approved_tools);
    let server = Server::start_on(listener, config, clock).await?;
    furnish(&server.app, clock).await?;
    let (_, key) = create_key(&server.app.store, clock, "demo", Role::Admin).await?;
    Ok(Stage { server, twilio, key, of_users_agents, tracker, shutdown })
}

fn settings(twilio: &str, elevenlabs: &str) -> String {
    format!(
        r#"
        [store]
        url = "sqlite::memory:"
        [seller]
        name = "Riverside Homes"
        callback_number = "{OFFICE}"
        [carrier.twilio]
        api_url = "{twilio}"
        account_sid = "{ACCOUNT}"
        auth_token = "demo-auth-token"
        from = "{OFFICE}"
        record = true
        [agents]
        default = "elevenlabs:agent_follow_up"
        routes = ["{OFFICE}=elevenlabs:agent_reception"]
        [agents.elevenlabs]
        api_url = "{elevenlabs}"
        api_key = "demo-api-key"
        webhook_secret = "demo-webhook-secret"
        "#
    )
}

/// What an operator would have on record: written permissions, checked against reassignment; a refusal; a list of litigators.
async fn furnish(app: &App, clock: WallClock) -> anyhow::Result<()> {
    let by = Actor::new(Door::Demo, "demo");
    let now = clock.now();
    for number in [SELLER_OF_A_HOUSE, PHONE_NUMBER, EARLY_RISER] {
        agree(app, &number.parse()?, &by, now).await?;
    }
    let refused = OptOut {
        number: OPTED_OUT.parse()?,
        channel: OptOutChannel::Speech,
        words: "Take me off your list.".to_owned(),
        call_id: None,
    };
    app.store.record_opt_outs(vec![refused], &by, now).await?;
    app.store.import_litigators("the demo", date(2026, 10, 1), vec!["+12125550166".parse()?], now).await?;
    Ok(())
}

/// Somebody gave written permission three weeks ago, and has the number still.
async fn agree(app: &App, agreed: &E164, by: &Actor, now: Timestamp) -> anyhow::Result<()> {
    let consent = NewConsent {
        number: agreed.clone(),
        kind: ConsentKind::Written,
        scope: vec!["telemarketing".to_owned()],
        seller: None,
        given_at: "2026-09-21T18:30:00Z".parse()?,
        expires_at: None,
        evidence: ConsentEvidence {
            method: "web_form".to_owned(),
            text: "I agree that Riverside Homes may call me at this number with automated voices about my house."
                .to_owned(),
            url: Some("https://riverside.example/offer".to_owned()),
            ..ConsentEvidence::default()
        },
        rnd_checked_on: None,
    };
    app.record_consent(consent, by).await?;
    let answer = ReassignedAnswer {
        consent_date: date(2026, 9, 21),
        answer: Reassignment::No,
        asked_at: now,
        source: "the demo".to_owned(),
    };
    app.store.record_reassigned_answer(agreed, answer).await?;
    Ok(())
}
