//! Typed settings, parsed once from text. `config/default.toml` documents every key and is the schema: a key that it does not
//! know is an error. Reading files and the environment is boot's affair.

mod agents;
mod layers;
mod limits;
mod problems;
mod sections;
mod tools;
mod transfers;

pub use agents::{OwnAgentConfig, OwnAgentsConfig};
pub use layers::{ConfigError, Effective, Layer, Origin};
pub use limits::{KeyLimits, Limits, LimitsConfig};
pub use sections::{
    AgentsConfig, CallsConfig, CarrierConfig, ComplianceConfig, Config, ConfirmDials, ConfirmFallback, ConsoleConfig,
    ElevenLabsConfig, LogConfig, MachineDetection, McpConfig, MediaConfig, OauthConfig, RetellConfig, RetellLlmConfig,
    RetellMode, RetellProtocol, ScrubConfig, ScrubVendor, SellerConfig, ServerConfig, StoreConfig, TwilioConfig,
    is_loopback,
};
pub use tools::{AllowedTool, McpToolsConfig, ToolsConfig};
pub use transfers::{HouseNumber, TransfersConfig};

/// The embedded defaults.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Environment names that the vendors' own tools use, and the keys they stand for. Our own names win over them.
pub const VENDOR_NAMES: [(&str, &str); 7] = [
    ("TWILIO_ACCOUNT_SID", "carrier.twilio.account_sid"),
    ("TWILIO_AUTH_TOKEN", "carrier.twilio.auth_token"),
    ("TWILIO_API_KEY", "carrier.twilio.api_key"),
    ("TWILIO_API_SECRET", "carrier.twilio.api_secret"),
    ("ELEVENLABS_API_KEY", "agents.elevenlabs.api_key"),
    ("ELEVENLABS_WEBHOOK_SECRET", "agents.elevenlabs.webhook_secret"),
    ("RETELL_API_KEY", "agents.retell.api_key"),
];
