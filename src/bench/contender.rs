//! Who carries the calls: the product, the splice that it is measured by, and bridges as others write them. Each is a process of
//! its own, so that the kernel counts what it costs.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

use super::process::{self, Usage};
use super::processors::Processors;

pub(super) const ACCOUNT: &str = "AC00000000000000000000000000000001";
pub(super) const AUTH_TOKEN: &str = "bench-auth-token";
pub(super) const OFFICE: &str = "+12125550100";
pub(super) const CALLER: &str = "+12125550113";

const NODE_BRIDGE: &str = include_str!("../../benches/bridge.mjs");

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contender {
    Splice,
    Clearline,
    /// While operators listen in.
    ClearlineListened,
    /// With agents that speak PCM.
    ClearlinePcm,
    /// axum, tokio-tungstenite and `serde_json`, put together the obvious way.
    Bridge,
    Node,
}

impl Contender {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Splice => "splice",
            Self::Clearline => "clearline",
            Self::ClearlineListened => "clearline, listened",
            Self::ClearlinePcm => "clearline, PCM 16 kHz",
            Self::Bridge => "plain Rust bridge",
            Self::Node => "Node bridge",
        }
    }

    /// Whether calls begin with a signed webhook, and turns that were talked over are dropped.
    pub(super) fn is_product(self) -> bool {
        matches!(self, Self::Clearline | Self::ClearlineListened | Self::ClearlinePcm)
    }
}

/// A contender that runs. Killed when dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    pub(super) address: SocketAddr,
    /// The product's key, to follow its events with.
    pub(super) key: Option<String>,
    log: PathBuf,
}

impl Running {
    /// Starts it in `folder`, with its calls' agents at `agents`.
    pub(super) fn start(
        contender: Contender,
        agents: SocketAddr,
        folder: &Path,
        processors: &Processors,
    ) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("the path of this program is unknown")?;
        let mut command = Command::new(own);
        match contender {
            Contender::Splice => command.args(["bench", "splice", "--to", &agents.to_string()]),
            Contender::Bridge => command.args(["bench", "bridge", "--to", &agents.to_string()]),
            Contender::Clearline | Contender::ClearlineListened | Contender::ClearlinePcm => {
                command.args(["serve", "--listen", "127.0.0.1:0"]).env_clear().envs(settings(agents, folder))
            }
            Contender::Node => {
                let script = folder.join("bridge.mjs");
                std::fs::write(&script, NODE_BRIDGE)?;
                command = Command::new("node");
                command.arg(script).arg(agents.to_string())
            }
        };
        let key = contender.is_product().then(|| create_key(agents, folder)).transpose()?;
        let log = folder.join("log.txt");
        let errors = std::fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child =
            processors.start(&mut command).with_context(|| format!("the {} could not be started", contender.name()))?;
        let mut said = String::new();
        let stdout = child.stdout.take().context("its standard output is ours")?;
        BufReader::new(stdout).read_line(&mut said)?;
        let Some(Ok(address)) = said.trim().strip_prefix("listening on http://").map(str::parse) else {
            child.kill().and_then(|()| child.wait())?;
            bail!("the {} did not start: {}", contender.name(), std::fs::read_to_string(&log).unwrap_or_default());
        };
        Ok(Self { child, address, key, log })
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        process::usage(self.child.id()).with_context(|| self.last_words())
    }

    /// What it logged last.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let mut lines: Vec<_> = log.lines().rev().take(5).collect();
        lines.reverse();
        format!("it logged last: {}", lines.join(" | "))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has exited already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn create_key(agents: SocketAddr, folder: &Path) -> anyhow::Result<String> {
    let own = std::env::current_exe().context("the path of this program is unknown")?;
    let made = Command::new(own)
        .args(["keys", "create", "bench", "--role", "admin"])
        .env_clear()
        .envs(settings(agents, folder))
        .output()?;
    let said = String::from_utf8_lossy(&made.stdout);
    let key = said.lines().next().filter(|_| made.status.success());
    key.map(str::to_owned).with_context(|| format!("no key: {}", String::from_utf8_lossy(&made.stderr)))
}

/// The product's settings: everything on that a server in use has on.
fn settings(agents: SocketAddr, folder: &Path) -> Vec<(String, String)> {
    let store = format!("sqlite://{}", folder.join("store.sqlite3").display());
    let agents = format!("http://{agents}");
    [
        ("STORE__URL", store.as_str()),
        ("SELLER__NAME", "Bench"),
        ("SELLER__CALLBACK_NUMBER", OFFICE),
        ("CARRIER__TWILIO__ACCOUNT_SID", ACCOUNT),
        ("CARRIER__TWILIO__AUTH_TOKEN", AUTH_TOKEN),
        ("CARRIER__TWILIO__FROM", OFFICE),
        // Nothing of a bench may reach the vendor: where the agents are there is no carrier.
        ("CARRIER__TWILIO__API_URL", &agents),
        ("AGENTS__DEFAULT", "elevenlabs:bench"),
        ("AGENTS__ELEVENLABS__API_URL", &agents),
        ("AGENTS__ELEVENLABS__API_KEY", "bench-api-key"),
        ("SERVER__MAX_MEDIA_SOCKETS", "20000"),
        // Longer than any round (`--seconds`) and its set-up.
        ("CALLS__MAX_DURATION_S", "15000"),
        ("LOG__LEVEL", "warn"),
    ]
    .map(|(key, text)| (format!("CLEARLINE__{key}"), text.to_owned()))
    .into()
}
