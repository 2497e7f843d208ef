//! `[tools]`: the MCP servers whose tools an agent may call in a conversation.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use crate::domain::Secret;

/// How long one call of a tool may take, in milliseconds. The longest is less than `ElevenLabs` waits for a client tool (20 s).
const TIME_LIMIT_MS: RangeInclusive<u64> = 100..=15_000;

/// What models of several vendors take as the name of a function.
const NAME_MAX: usize = 64;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolsConfig {
    /// By name, `[tools.mcp.NAME]`.
    pub mcp: BTreeMap<String, McpToolsConfig>,
}

/// An MCP server of the operator's, and which of its tools agents may call.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct McpToolsConfig {
    /// Where it speaks MCP over streamable HTTP.
    pub url: String,
    /// Sent as a bearer token; no agent ever sees it.
    pub token: Secret,
    tools: Vec<String>,
    time_limit_ms: u64,
}

impl Default for McpToolsConfig {
    fn default() -> Self {
        Self { url: String::new(), token: Secret::new(""), tools: Vec::new(), time_limit_ms: 5_000 }
    }
}

/// A tool that agents may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowedTool<'a> {
    /// What agents call it.
    pub name: &'a str,
    /// What its server calls it.
    pub tool: &'a str,
}

impl McpToolsConfig {
    pub fn time_limit(&self) -> Duration {
        Duration::from_millis(self.time_limit_ms)
    }

    /// Nothing else of this server can be called.
    pub fn allowed(&self) -> impl Iterator<Item = AllowedTool<'_>> {
        self.tools.iter().map(|text| {
            let (name, tool) = text.split_once('=').unwrap_or((text, text));
            AllowedTool { name: name.trim(), tool: tool.trim() }
        })
    }

    fn problem(&self) -> Option<String> {
        // A key in the URL would stand in error texts and in the report of the settings.
        let is_fine = |url: &url::Url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        };
        if !url::Url::parse(&self.url).is_ok_and(|url| is_fine(&url)) {
            return Some("`url` must be like https://crm.example.com/mcp; the key goes into `token`".to_owned());
        }
        if !self.token.expose().chars().all(|char| char.is_ascii_graphic()) {
            return Some("`token` holds a blank or a character that no token has".to_owned());
        }
        if !TIME_LIMIT_MS.contains(&self.time_limit_ms) {
            let (least, most) = (TIME_LIMIT_MS.start(), TIME_LIMIT_MS.end());
            return Some(format!("`time_limit_ms` must be {least} to {most}"));
        }
        let bad = self.allowed().find(|tool| tool.tool.is_empty() || !is_function_name(tool.name))?;
        Some(format!(
            "`{}` is no name for an agent's tool (letters, digits, _ and -, at most {NAME_MAX}): write it as name={}",
            bad.name, bad.tool
        ))
    }
}

impl ToolsConfig {
    /// What is wrong with the attached servers.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for (server, settings) in &self.mcp {
            if let Some(problem) = settings.problem() {
                problems.push(("tools.mcp", format!("[tools.mcp.{server}] {problem}")));
            }
            for tool in settings.allowed() {
                if let Some(other) = owners.insert(tool.name, server) {
                    let text = format!(
                        "{} is there twice, of {other} and of {server}: call one of them otherwise, other_name={}",
                        tool.name, tool.tool
                    );
                    problems.push(("tools.mcp", text));
                }
            }
        }
        problems
    }
}

/// A value of the type that a key of an attached server has, `tools.mcp.NAME.KEY`; none for any other key.
pub(super) fn typed_like(key: &str) -> Option<toml::Value> {
    let (_, key) = key.strip_prefix("tools.mcp.")?.split_once('.')?;
    match key {
        "url" | "token" => Some(toml::Value::String(String::new())),
        "tools" => Some(toml::Value::Array(Vec::new())),
        "time_limit_ms" => Some(toml::Value::Integer(0)),
        _ => None,
    }
}

fn is_function_name(name: &str) -> bool {
    let is_fine = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::super::{Effective, Layer};
    use super::*;

    fn effective(text: &str) -> Result<Effective, String> {
        Effective::from_layers(vec![Layer::from_file("f", text).unwrap()]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_is_a_section_or_variables_of_the_environment() {
        let file =
            "[tools.mcp.crm]\nurl = \"https://crm.example.com/mcp\"\ntools = [\"find_customer\", \"book=visits.book\"]";
        let variables = [
            ("CLEARLINE__TOOLS__MCP__CRM__TOKEN", "hide-me"),
            ("CLEARLINE__TOOLS__MCP__CRM__TIME_LIMIT_MS", "900"),
            ("CLEARLINE__TOOLS__MCP__PAY__URL", "http://127.0.0.1:9/mcp"),
            ("CLEARLINE__TOOLS__MCP__PAY__TOOLS", "charge, refund"),
        ];
        let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let layers = vec![Layer::from_file("f", file).unwrap(), Layer::from_environment(variables)];
        let effective = Effective::from_layers(layers).unwrap();
        let servers = &effective.config.tools.mcp;
        let allowed: Vec<_> = servers["crm"].allowed().map(|tool| (tool.name, tool.tool)).collect();
        assert_eq!(allowed, [("find_customer", "find_customer"), ("book", "visits.book")]);
        assert_eq!(
            (servers["crm"].token.expose(), servers["crm"].time_limit()),
            ("hide-me", Duration::from_millis(900))
        );
        assert_eq!(servers["pay"].allowed().map(|tool| tool.name).collect::<Vec<_>>(), ["charge", "refund"]);
        assert_eq!(servers["pay"].time_limit(), Duration::from_secs(5));
        assert!(effective.report().all(|(_, text, _)| !text.contains("hide-me")));
    }

    #[test]
    fn nothing_is_attached_and_nothing_allowed_unless_it_is_said() {
        assert!(effective("").unwrap().config.tools.mcp.is_empty());
        let config = effective("[tools.mcp.crm]\nurl = \"https://crm.example.com\"").unwrap().config;
        assert_eq!(config.tools.mcp["crm"].allowed().count(), 0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let url = "[tools.mcp.crm]\nurl = \"https://crm.example.com/mcp\"\n";
        for (text, said) in [
            ("[tools.mcp.crm]\ntools = [\"a\"]".to_owned(), "`url` must be"),
            ("[tools.mcp.crm]\nurl = \"wss://crm.example.com\"".to_owned(), "`url` must be"),
            ("[tools.mcp.crm]\nurl = \"https://key@crm.example.com\"".to_owned(), "`url` must be"),
            (format!("{url}token = \"a b\""), "`token` holds"),
            (format!("{url}time_limit_ms = 99"), "`time_limit_ms` must be 100 to 15000"),
            (format!("{url}time_limit_ms = \"x\""), "a whole number"),
            (format!("{url}tools = [\"visits.book\"]"), "name=visits.book"),
            (format!("{url}tools = [\"book=\"]"), "is no name"),
            (format!("{url}tools = [\"a\", \"a=b\"]"), "a is there twice"),
            (format!("{url}tool = [\"a\"]"), "unknown setting"),
            ("[tools]\nmcp = \"x\"".to_owned(), "unknown setting"),
        ] {
            let error = effective(&text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
