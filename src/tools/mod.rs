//! What an agent may call in a conversation: the descriptions of the tools that we host, and the tools of attached MCP servers.

mod attached;
mod failure;
pub mod hosted;
mod result;

pub use attached::{AttachedTool, AttachedTools, TakenName};
pub use failure::ToolFailure;
