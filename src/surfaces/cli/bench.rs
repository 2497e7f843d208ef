//! `clearline bench`: what may be asked of it.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Carry calls on loopback, and compare their cost with that of a TCP proxy which only moves the same bytes
    Relay(BenchRelayArgs),
    /// The TCP proxy
    #[command(hide = true)]
    Splice(BenchContenderArgs),
    /// A bridge as one writes it first
    #[command(hide = true)]
    Bridge(BenchContenderArgs),
    /// One stream between pipes in memory, to count its instructions
    #[command(hide = true)]
    Replay(BenchReplayArgs),
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "a command line's switches")]
pub struct BenchRelayArgs {
    /// How many calls at once; each number is measured on its own
    #[arg(long, value_delimiter = ',', default_value = "100,300,1000", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub calls: Vec<u32>,
    /// How often; medians are reported
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// How long the calls speak in a round
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=14_000))]
    pub seconds: u32,
    /// Of a hundred seconds each agent speaks so many; what callers send never pauses, as at Twilio
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100), conflicts_with = "listeners")]
    pub agents_speak: u32,
    /// Measure agents that speak 16 kHz PCM too
    #[arg(long)]
    pub pcm: bool,
    /// Measure too what it costs that so many calls are listened to, by an operator each
    #[arg(long, default_value_t = 0)]
    pub listeners: u32,
    /// Measure a plain Rust bridge too and, where `node` is installed, one in Node
    #[arg(long)]
    pub compare: bool,
    /// Leave the splice out: a soak of an hour asks for memory and bytes, not for ratios
    #[arg(long)]
    pub no_splice: bool,
    /// Measure although the machine is busy or the load was late, and say so
    #[arg(long)]
    pub even_if_busy: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct BenchContenderArgs {
    /// Where the agents are
    #[arg(long)]
    pub to: std::net::SocketAddr,
}

#[derive(Debug, Args)]
pub struct BenchReplayArgs {
    pub direction: ReplayDirection,
    /// What the agent speaks, as `ulaw_8000`
    pub format: String,
    pub frames: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ReplayDirection {
    #[value(name = "to_agent")]
    ToAgent,
    #[value(name = "to_carrier")]
    ToCarrier,
}
