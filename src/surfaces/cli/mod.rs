//! The command line: what can be typed, and one file for each command that does something itself.

pub mod calls;
pub mod client;
pub mod demo;
pub mod explain;
pub mod out;
pub mod tail;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::access::Scope;

/// Self-hosted real-time voice calls: Twilio to voice agents, behind a TCPA gate.
#[derive(Debug, Parser)]
#[command(name = "clearline", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// Settings file (TOML); `clearline config` prints every key with its default
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How log lines on standard error look
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormatArg>,
    /// More log lines (-v debug, -vv trace)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormatArg {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything on this machine, with no account: an allowed call, a blocked one and an inbound one
    Demo(DemoArgs),
    /// Run the server
    Serve(ServeArgs),
    /// Place a call through a running server
    Call(CallArgs),
    /// List calls of a running server
    Calls(CallsArgs),
    /// Follow what happens, or one call
    Tail(TailArgs),
    /// End a call
    Hangup(HangupArgs),
    /// Ask the gate whether a number may be called; exit code 0 allow, 3 deny
    Check(CheckArgs),
    /// The internal do-not-call list
    #[command(subcommand)]
    Dnc(DncCommand),
    /// Records of permission to call
    #[command(subcommand)]
    Consent(ConsentCommand),
    /// The decision ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Say in plain words what is wrong with the set-up
    Doctor(DoctorArgs),
    /// Run a vendor's server on this machine
    #[command(subcommand)]
    Emulate(EmulateCommand),
    /// Print the effective settings, where each comes from, secrets masked
    Config,
    /// Print a completion script for a shell
    Completions { shell: Shell },
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Exit when the three calls have ended: 0 as they should, 1 otherwise
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on (server.listen)
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// What Twilio is told and signs (`server.public_url`)
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

/// A running server and the key to it.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// The server's URL; default: the listen address of the settings
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
}

#[derive(Debug, Args)]
pub struct CallArgs {
    /// The number to call, like +12125550113
    pub number: String,
    /// The agent, like `elevenlabs:agent_123` (agents.default)
    #[arg(long)]
    pub agent: Option<String>,
    /// What the call is for
    #[arg(long, default_value = "telemarketing")]
    pub purpose: PurposeArg,
    /// A dynamic variable for the agent, NAME=VALUE; may be given again
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Only ask the gate; nothing is dialled
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(Debug, Args)]
pub struct CallsArgs {
    /// Only calls that have not ended
    #[arg(long)]
    pub live: bool,
    /// How many
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(Debug, Args)]
pub struct TailArgs {
    /// Only this call (call_…), ending with it
    pub call: Option<String>,
    /// Events as JSON, one a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(Debug, Args)]
pub struct HangupArgs {
    /// The call (call_…)
    pub call: String,
    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PurposeArg {
    Telemarketing,
    Informational,
    Healthcare,
    Emergency,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum VoiceArg {
    Ai,
    Human,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LineTypeArg {
    #[value(name = "mobile")]
    Mobile,
    #[value(name = "landline_res")]
    LandlineResidential,
    #[value(name = "landline_biz")]
    LandlineBusiness,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The number, like +12125550113
    #[arg(required_unless_present = "jsonl")]
    pub number: Option<String>,
    #[arg(long, default_value = "telemarketing")]
    pub purpose: PurposeArg,
    #[arg(long, default_value = "ai")]
    pub voice: VoiceArg,
    #[arg(long, default_value = "mobile")]
    pub line_type: LineTypeArg,
    /// Ask for this instant instead of now (RFC 3339)
    #[arg(long, value_name = "RFC3339")]
    pub at: Option<Timestamp>,
    /// The lead (lead_…) whose verified address narrows the answer
    #[arg(long)]
    pub lead: Option<String>,
    #[arg(long)]
    pub json: bool,
    /// Facts on standard input, decisions on standard output, a JSON object a line; no database, no clock
    #[arg(long, conflicts_with_all = ["number", "at", "lead", "json"])]
    pub jsonl: bool,
}

#[derive(Debug, Subcommand)]
pub enum DncCommand {
    /// Import a list as its publisher ships it: one number a line, `2015551234`, `201,5551234` or `+12015551234`
    Import {
        file: PathBuf,
        /// litigator (national and state:XX are not built yet)
        #[arg(long)]
        list: String,
        /// The day that the list is of (YYYY-MM-DD)
        #[arg(long)]
        as_of: Date,
    },
    /// Put a number on the internal list; binds the next decision
    Add {
        number: String,
        /// Where the request came from, or the words
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Take a number off the internal list
    Remove { number: String },
    /// Say what the lists know of a number
    Show { number: String },
}

#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// Record a permission
    Add(ConsentAddArgs),
    /// Withdraw every permission for a number
    Revoke { number: String },
    /// Show the permissions on record for a number
    Show { number: String },
}

#[derive(Debug, Args)]
pub struct ConsentAddArgs {
    pub number: String,
    /// How strong it is
    #[arg(long, default_value = "written")]
    pub kind: ConsentKindArg,
    /// What it covers; may be given again
    #[arg(long, default_value = "telemarketing")]
    pub scope: Vec<String>,
    /// When it was given (RFC 3339); default: now
    #[arg(long)]
    pub given_at: Option<Timestamp>,
    /// How it was given: `web_form`, paper, voice, …
    #[arg(long)]
    pub method: String,
    /// The words that the person agreed to
    #[arg(long)]
    pub text: String,
    /// Until when it is good (RFC 3339)
    #[arg(long)]
    pub expires_at: Option<Timestamp>,
    /// The page or document it was given on
    #[arg(long)]
    pub url: Option<String>,
    /// The last day on which a reassigned-numbers query answered "no" for this consent (YYYY-MM-DD)
    #[arg(long)]
    pub rnd_checked: Option<Date>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ConsentKindArg {
    Express,
    Written,
}

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Prove that no decision was changed, removed or reordered
    Verify {
        /// A head written down earlier; finds a cut tail too
        #[arg(long, value_name = "COUNT:HASH")]
        expect_head: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key; its text is shown once
    Create {
        /// What it is for
        name: String,
        #[arg(long, default_value = "agent")]
        role: RoleArg,
        /// A scope beside those of the role, like metrics; calls:emergency is part of no role. May be given again
        #[arg(long = "grant", value_name = "SCOPE")]
        granted: Vec<Scope>,
    },
    List,
    /// Make a key invalid at once
    Revoke {
        /// The key's id (key_…)
        id: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    Viewer,
    Operator,
    Agent,
    Admin,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Do not ask the vendors, only look at the settings and the store
    #[arg(long)]
    pub offline: bool,
}

#[derive(Debug, Subcommand)]
pub enum EmulateCommand {
    /// A local Twilio: REST API, webhooks, media streams
    Twilio(EmulateTwilioArgs),
    /// Local `ElevenLabs` agents
    #[command(name = "elevenlabs")]
    ElevenLabs(EmulateElevenLabsArgs),
    /// A local Retell: calls are registered there and told of by webhook
    Retell(EmulateRetellArgs),
    /// A bot of one's own that speaks Twilio Media Streams, or raw audio
    Bot(EmulateBotArgs),
}

#[derive(Debug, Args)]
pub struct EmulateTwilioArgs {
    #[arg(long, default_value = "127.0.0.1:4010")]
    pub listen: std::net::SocketAddr,
    #[arg(long, default_value = "AC00000000000000000000000000000001")]
    pub account_sid: String,
    #[arg(long, default_value = "emulated-auth-token")]
    pub auth_token: String,
    /// The account's number
    #[arg(long, default_value = "+12125550100")]
    pub number: String,
    /// Where calls to that number go
    #[arg(long, default_value = "http://127.0.0.1:3333/webhooks/voice")]
    pub voice_url: String,
}

#[derive(Debug, Args)]
pub struct EmulateRetellArgs {
    #[arg(long, default_value = "127.0.0.1:4040")]
    pub listen: std::net::SocketAddr,
    /// The API key that clients must send, and that signs webhooks
    #[arg(long, default_value = "emulated-retell-key")]
    pub auth_token: String,
    /// Where webhooks go
    #[arg(long, default_value = "http://127.0.0.1:3333/webhooks/retell")]
    pub webhook_url: String,
}

#[derive(Debug, Args)]
pub struct EmulateBotArgs {
    #[arg(long, default_value = "127.0.0.1:4030")]
    pub listen: std::net::SocketAddr,
}

#[derive(Debug, Args)]
pub struct EmulateElevenLabsArgs {
    #[arg(long, default_value = "127.0.0.1:4020")]
    pub listen: std::net::SocketAddr,
    /// The API key that clients must send
    #[arg(long, default_value = "emulated-api-key")]
    pub auth_token: String,
}
