//! The command line: what can be typed, and one file for each command that does something itself.

pub mod bench;
pub mod calls;
pub mod client;
pub mod demo;
pub mod explain;
pub mod mcp;
pub mod out;
pub mod records;
pub mod show;
pub mod tail;

use std::path::PathBuf;

pub use bench::{BenchCommand, BenchContenderArgs, BenchRelayArgs, BenchReplayArgs, ReplayDirection};
pub use records::{
    ConsentAddArgs, ConsentCommand, ConsentKindArg, ExportArgs, ImportArgs, LeadListArgs, LeadStatusArg, LeadsCommand,
    LedgerCommand, OutboundCommand, PrivacyCommand, RelationshipArg, ReplayArgs, When,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
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
    /// Tell the agent of a call something
    Tell(TellArgs),
    /// Speak a sentence to the caller of a call
    Say(SayArgs),
    /// Let a call go on with a colleague or another number
    Transfer(TransferArgs),
    /// Speak MCP on standard input and output, as a bridge to a running server
    Mcp(McpArgs),
    /// Ask the gate whether a number may be called (exit code 0 allow, 3 deny), or print the rules in force
    Check(CheckArgs),
    /// Stop every outbound call, and let them through again
    #[command(subcommand)]
    Outbound(OutboundCommand),
    /// The internal do-not-call list
    #[command(subcommand)]
    Dnc(DncCommand),
    /// The people and businesses that may be called
    #[command(subcommand)]
    Leads(LeadsCommand),
    /// Records of permission to call
    #[command(subcommand)]
    Consent(ConsentCommand),
    /// The decision ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// A person's data
    #[command(subcommand)]
    Privacy(PrivacyCommand),
    /// API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Say in plain words what is wrong with the set-up
    Doctor(DoctorArgs),
    /// Run a vendor's server on this machine
    #[command(subcommand)]
    Emulate(EmulateCommand),
    /// How many calls this machine carries
    #[command(subcommand)]
    Bench(BenchCommand),
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
pub struct McpArgs {
    #[command(flatten)]
    pub server: ServerArgs,
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

#[derive(Debug, Args)]
pub struct TellArgs {
    /// The call (call_…)
    pub call: String,
    pub text: String,
    /// Let the agent answer it as if the caller had said it
    #[arg(long)]
    pub as_caller: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(Debug, Args)]
pub struct SayArgs {
    /// The call (call_…)
    pub call: String,
    pub text: String,
    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(Debug, Args)]
pub struct TransferArgs {
    /// The call (call_…)
    pub call: String,
    /// A colleague's name (transfers.targets), or a number like +12125550113
    pub to: String,
    /// What they hear before they take the call with a key
    #[arg(long, value_name = "TEXT")]
    pub briefing: Option<String>,
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
    #[arg(required_unless_present_any = ["jsonl", "rules"])]
    pub number: Option<String>,
    #[arg(long, default_value = "telemarketing")]
    pub purpose: PurposeArg,
    #[arg(long, default_value = "ai")]
    pub voice: VoiceArg,
    #[arg(long, default_value = "mobile")]
    pub line_type: LineTypeArg,
    /// Ask for this instant instead of now (RFC 3339); with --rules also a date
    #[arg(long, value_name = "WHEN")]
    pub at: Option<When>,
    /// The lead (lead_…) whose verified address narrows the answer
    #[arg(long)]
    pub lead: Option<String>,
    #[arg(long)]
    pub json: bool,
    /// Facts on standard input, decisions on standard output, a JSON object a line; no database, no clock
    #[arg(long, conflicts_with_all = ["number", "at", "lead", "json", "rules"])]
    pub jsonl: bool,
    /// Print the rules in force instead: the shipped ones, with the operator's own on top
    #[arg(long, conflicts_with_all = ["number", "lead"])]
    pub rules: bool,
    /// The state whose rules are printed (two letters); default: every state
    #[arg(long, value_name = "XX", requires = "rules")]
    pub state: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum DncCommand {
    /// Import a list as its publisher ships it (text or zip); binds the next decision
    Import(DncImportArgs),
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

#[derive(Debug, Args)]
pub struct DncImportArgs {
    /// One list in one file or more: a number a line, `2015551234`, `201,5551234` or `+12015551234`
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// national, state:XX or litigator
    #[arg(long)]
    pub list: String,
    /// The day that the list is of (YYYY-MM-DD)
    #[arg(long)]
    pub as_of: Date,
    /// Whether the files are the full list or changes to it; default: changes where the first line says A or D
    #[arg(long)]
    pub kind: Option<ListKindArg>,
    /// What a full list covers, `all` or `212,646,…`; default: national what occurs in it, state:XX all
    #[arg(long, value_name = "CODES")]
    pub area_codes: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ListKindArg {
    Full,
    Changes,
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
    /// A chat endpoint that speaks `OpenAI`'s API
    Chat(EmulateChatArgs),
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
pub struct EmulateChatArgs {
    #[arg(long, default_value = "127.0.0.1:4050")]
    pub listen: std::net::SocketAddr,
    #[arg(long, default_value = "emulated-chat-key")]
    pub auth_token: String,
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
