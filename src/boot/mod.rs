//! The composition root: the only place that reads the environment and builds the world. One function a kind of command.

mod demo;
mod demo_agents;
mod dnc;
mod doctor;
mod ledger;
mod local;
mod open_store;
mod outbound;
mod public_url;
mod records;
mod retell;
mod rules;
mod serve;
mod world;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use rustls_platform_verifier::ConfigVerifierExt as _;

use crate::config::{Config, Effective, Layer};
use crate::domain::Secret;
use crate::relay::step_back_for_audio;
use crate::surfaces::cli::client::ApiClient;
use crate::surfaces::cli::out::{Paint, line};
use crate::surfaces::cli::{self, Cli, Command, LogFormatArg, ServerArgs};
use crate::telemetry::{self, LogFormat};

pub use serve::Server;

/// What boot knows of the outside: settings, and how the terminal is to be spoken to.
struct Outside {
    settings: Effective,
    api_key: Option<Secret>,
    paint: Paint,
}

/// Runs one command to its end.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // Installing a second time only happens in tests that boot more than once; the provider is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outside = look_outside(&cli)?;
    init_logging(&cli, &outside.settings.config)?;
    if let Command::Bench(command) = &cli.command {
        return crate::bench::run(command, outside.paint);
    }
    if matches!(cli.command, Command::Serve(_) | Command::Demo(_) | Command::Emulate(_) | Command::Doctor(_)) {
        check_authorities()?;
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(cli.command, Command::Serve(_) | Command::Demo(_)) {
        runtime.on_thread_start(step_back_for_audio);
    }
    let runtime = runtime.enable_all().build().context("the asynchronous runtime could not start")?;
    let result = runtime.block_on(dispatch(cli.command, &outside));
    // A task that hangs in a blocking call must not hold up the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result
}

/// What speaks to vendors trusts whom the system trusts. A system that trusts nobody, as small container images do, is told so here:
/// a client's own words for it help nobody.
fn check_authorities() -> anyhow::Result<()> {
    let known = rustls::ClientConfig::with_platform_verifier();
    known.map(drop).context(
        "this system has no certificates of authorities, so that no vendor could be trusted: install the package \
         ca-certificates, or name a file of them in SSL_CERT_FILE",
    )
}

fn look_outside(cli: &Cli) -> anyhow::Result<Outside> {
    let mut layers = Vec::new();
    if let Some(path) = &cli.global.config {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the settings file {} cannot be read", path.display()))?;
        layers.push(Layer::from_file(&path.display().to_string(), &text)?);
    }
    let environment = Layer::from_environment(
        std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?))),
    );
    layers.push(match cli.command {
        // The demo's world is complete in itself, and an account in the environment must not be dialled by accident. The agents there
        // are offered to its phone.
        Command::Demo(_) => environment.of_section("agents"),
        _ => environment,
    });
    let mut flags = Layer::default();
    if let Command::Serve(args) = &cli.command {
        if let Some(listen) = &args.listen {
            flags.set("server.listen", "--listen", listen);
        }
        if let Some(url) = &args.public_url {
            flags.set("server.public_url", "--public-url", url);
        }
    }
    if let Some(format) = cli.global.log_format {
        let text = match format {
            LogFormatArg::Text => "text",
            LogFormatArg::Json => "json",
        };
        flags.set("log.format", "--log-format", text);
    }
    layers.push(flags);
    Ok(Outside {
        settings: Effective::from_layers(layers)?,
        // An empty variable is one that is not set.
        api_key: std::env::var_os("CLEARLINE_API_KEY")
            .filter(|key| !key.is_empty())
            .and_then(|key| key.into_string().ok())
            .map(Secret::new),
        paint: Paint::for_stdout(no_color()),
    })
}

/// Whether the user asks for plain text everywhere (no-color.org: when the variable is there and not empty).
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty())
}

fn init_logging(cli: &Cli, config: &Config) -> anyhow::Result<()> {
    let configured = config.log.level.parse().unwrap_or(tracing::Level::INFO);
    let level = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => tracing::Level::ERROR,
        // The demo talks on standard output; its log would only get in the way.
        (false, 0) if !matches!(cli.command, Command::Serve(_)) => configured.min(tracing::Level::WARN),
        (false, 0) => configured,
        (false, 1) => tracing::Level::DEBUG,
        (false, _) => tracing::Level::TRACE,
    };
    let format = if config.log.format == "json" { LogFormat::Json } else { LogFormat::Text };
    let colours = !no_color() && std::io::stderr().is_terminal();
    telemetry::init_logging(format, level, colours).context("logging could not start")
}

async fn dispatch(command: Command, outside: &Outside) -> anyhow::Result<ExitCode> {
    let config = &outside.settings.config;
    let paint = outside.paint;
    match command {
        Command::Demo(args) => demo::run(&args, &outside.settings, paint).await,
        Command::Serve(_) => serve::run(config.clone(), outside.api_key.as_ref()).await,
        Command::Call(args) => cli::calls::place(&client(outside, &args.server)?, &args, paint).await,
        Command::Calls(args) => cli::calls::list(&client(outside, &args.server)?, &args, paint).await,
        Command::Hangup(args) => cli::calls::hang_up(&client(outside, &args.server)?, &args).await,
        Command::Tell(args) => cli::calls::tell(&client(outside, &args.server)?, &args).await,
        Command::Say(args) => cli::calls::say(&client(outside, &args.server)?, &args).await,
        Command::Transfer(args) => cli::calls::transfer(&client(outside, &args.server)?, &args, paint).await,
        Command::Tail(args) => cli::tail::tail(&client(outside, &args.server)?, &args, paint).await,
        Command::Mcp(args) => cli::mcp::bridge(&server_url(outside, &args.server), outside.api_key.clone()).await,
        Command::Check(args) if args.jsonl => local::check_jsonl(config),
        Command::Check(args) if args.rules => rules::print(config, &args, paint),
        Command::Check(args) => local::check(config, &args, paint).await,
        Command::Dnc(command) => dnc::run(config, command, paint).await,
        Command::Outbound(command) => outbound::outbound(config, command, paint).await,
        Command::Leads(command) => records::leads(config, command, paint).await,
        Command::Consent(command) => records::consent(config, command, paint).await,
        Command::Ledger(command) => ledger::ledger(config, command, paint).await,
        Command::Privacy(command) => records::privacy(config, command, paint).await,
        Command::Keys(command) => local::keys(config, command, paint).await,
        Command::Doctor(args) => doctor::run(&args, &outside.settings, paint).await,
        Command::Emulate(command) => local::emulate(command).await,
        Command::Bench(_) => unreachable!("a bench has runtimes of its own and never comes here"),
        Command::Config => Ok(print_config(&outside.settings, paint)),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "clearline", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn client(outside: &Outside, args: &ServerArgs) -> anyhow::Result<ApiClient> {
    Ok(ApiClient::new(server_url(outside, args), outside.api_key.clone())?)
}

fn server_url(outside: &Outside, args: &ServerArgs) -> String {
    args.server.clone().unwrap_or_else(|| format!("http://{}", outside.settings.config.server.listen))
}

fn print_config(settings: &Effective, paint: Paint) -> ExitCode {
    for (key, value, origin) in settings.report() {
        line(format!("{key} = {value}  {}", paint.dim(format!("# {origin}"))));
    }
    ExitCode::SUCCESS
}
