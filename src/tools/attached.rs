//! The MCP servers that the operator attached: one lasting connection each, the tools that they offer, a call of a tool.
//!
//! Only tools that the settings name can be called, whatever a server offers. A connection that broke is opened anew by the next
//! call or by the regular look at the server, whichever comes first. Nothing here runs where audio does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation, JsonObject, PaginatedRequestParams,
    ProtocolVersion, Tool,
};
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config::{McpToolsConfig, ToolsConfig, is_loopback};
use crate::domain::Secret;
use crate::domain::agent_link::ToolDefinition;

use super::failure::{ToolFailure, connecting_words, service_words};
use super::{hosted, result};

/// What a look at a server may take, connecting included.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// How long what a server offers is believed; and how soon one that failed is looked at again.
const LOOK_AGAIN: Duration = Duration::from_mins(5);
const RETRY: Duration = Duration::from_secs(15);

/// Pages of tools that are read of a server. Real ones have one.
const PAGES: usize = 20;

/// Requests to one server at once, over all calls. What exceeds it waits, within its own limit.
const AT_ONCE: usize = 256;

/// The largest message that is taken of a server, in bytes.
const MESSAGE_MAX: usize = 1 << 20;

/// The longest description of a tool that models are told, in characters.
const DESCRIPTION_MAX: usize = 1_000;

type Client = RunningService<RoleClient, ClientConfig>;

/// An attached server has a tool of a name that is ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[tools.mcp.{server}] {name} is the name of a tool of ours: call it otherwise, other_name={name}")]
pub struct TakenName {
    server: String,
    name: String,
}

/// All attached servers.
#[derive(Debug)]
pub struct AttachedTools {
    servers: Vec<Server>,
    /// By the name that agents use: the place of the server, and what the server calls it.
    by_name: BTreeMap<String, (usize, String)>,
    /// Our own tools and all that is offered: every call holds these same ones.
    all: Mutex<Arc<[ToolDefinition]>>,
}

#[derive(Debug)]
struct Server {
    name: String,
    url: Url,
    token: Secret,
    time_limit: Duration,
    http: reqwest::Client,
    client: tokio::sync::Mutex<Option<Arc<Client>>>,
    /// What it offers of what is allowed, under the agents' names.
    offered: Mutex<Vec<ToolDefinition>>,
}

/// A tool that agents may call.
#[derive(Debug, Clone, Copy)]
pub struct AttachedTool<'a> {
    server: &'a Server,
    name: &'a str,
    tool: &'a str,
}

impl AttachedTools {
    /// Nothing is sent yet. The settings were checked; the process has a TLS provider.
    pub fn new(config: &ToolsConfig) -> Result<Self, TakenName> {
        let mut by_name = BTreeMap::new();
        for (place, (server, settings)) in config.mcp.iter().enumerate() {
            for allowed in settings.allowed() {
                if hosted::names().any(|ours| ours == allowed.name) {
                    return Err(TakenName { server: server.clone(), name: allowed.name.to_owned() });
                }
                by_name.insert(allowed.name.to_owned(), (place, allowed.tool.to_owned()));
            }
        }
        let servers = config.mcp.iter().map(|(name, settings)| Server::new(name, settings)).collect();
        Ok(Self { servers, by_name, all: Mutex::new(hosted::definitions().collect()) })
    }

    /// The tool that agents call so; none for one that is not allowed.
    pub fn find(&self, name: &str) -> Option<AttachedTool<'_>> {
        let (name, (place, tool)) = self.by_name.get_key_value(name)?;
        Some(AttachedTool { server: self.servers.get(*place)?, name, tool })
    }

    /// What agents may call.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// What models are told: our own tools, and those that may be called and that the servers offered when they were last looked at.
    pub fn definitions(&self) -> Arc<[ToolDefinition]> {
        Arc::clone(&lock(&self.all))
    }

    /// Keeps the connections open and what is offered up to date, until `shutdown`.
    pub async fn keep_up(&self, shutdown: CancellationToken) {
        let all = join_all(self.servers.iter().map(|server| self.keep_up_with(server)));
        let _ = shutdown.run_until_cancelled(all).await;
    }

    async fn keep_up_with(&self, server: &Server) {
        let mut was_well = None;
        loop {
            let looked = timeout(LOOK_LIMIT, self.look_at(server)).await;
            let looked = looked.unwrap_or_else(|_| Err("it does not answer".to_owned()));
            let is_well = looked.is_ok();
            if let Err(reason) = looked {
                server.forget_connection();
                if was_well != Some(false) {
                    tracing::warn!(mcp.server = server.name, reason, "an attached MCP server cannot be used");
                }
            } else if was_well != Some(true) {
                tracing::info!(mcp.server = server.name, "an attached MCP server can be used");
            }
            was_well = Some(is_well);
            sleep(if is_well { LOOK_AGAIN } else { RETRY }).await;
        }
    }

    /// Reads what the server offers and keeps what of it is allowed.
    async fn look_at(&self, server: &Server) -> Result<(), String> {
        let offered = server.list().await?;
        let mut known = Vec::new();
        for name in self.names() {
            let Some(tool) = self.find(name).filter(|tool| std::ptr::eq(tool.server, server)) else { continue };
            match offered.iter().find(|offered| offered.name == tool.tool) {
                Some(offered) => known.push(definition(name, offered)),
                None => {
                    tracing::warn!(mcp.server = server.name, tool = tool.tool, "an allowed tool is not offered");
                }
            }
        }
        *lock(&server.offered) = known;
        let offered = self.servers.iter().flat_map(|server| lock(&server.offered).clone());
        *lock(&self.all) = hosted::definitions().chain(offered).collect();
        Ok(())
    }
}

/// What a panicked holder left is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AttachedTool<'_> {
    /// The server's name in the settings.
    pub fn server(&self) -> &str {
        &self.server.name
    }

    /// The tool's name at its server.
    pub fn tool(&self) -> &str {
        self.tool
    }

    /// Runs the tool, connecting first where that is needed; all of it within the server's time limit.
    pub async fn call(&self, arguments: &Value) -> Result<String, ToolFailure> {
        let arguments = match arguments {
            Value::Object(arguments) => arguments.clone(),
            Value::Null => JsonObject::new(),
            _ => return Err(ToolFailure::Arguments { tool: self.name.to_owned() }),
        };
        let limit = self.server.time_limit;
        let late = |_| Err(ToolFailure::TooSlow { tool: self.name.to_owned(), limit });
        let answer = timeout(limit, self.exchange(arguments)).await.unwrap_or_else(late);
        if let Err(failure) = &answer
            && failure.is_about_the_server()
        {
            // Whatever it is that hangs, the next call is not to hang on it.
            self.server.forget_connection();
            let reason = match failure {
                ToolFailure::Unreachable { reason, .. } => reason.as_str(),
                _ => "too slow",
            };
            tracing::warn!(mcp.server = self.server.name, tool = self.tool, reason, "a tool of an MCP server failed");
        }
        answer
    }

    async fn exchange(&self, arguments: JsonObject) -> Result<String, ToolFailure> {
        let client = self.server.client().await.map_err(|error| ToolFailure::of_connecting(self.name, &error))?;
        let request = CallToolRequestParams::new(self.tool.to_owned()).with_arguments(arguments);
        let response = client.peer().call_tool_once(request).await;
        result::read(self.name, response.map_err(|error| ToolFailure::of_service(self.name, error))?)
    }
}

impl Server {
    fn new(name: &str, settings: &McpToolsConfig) -> Self {
        let url = Url::parse(&settings.url).expect("the settings were checked");
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("clearline/", env!("CARGO_PKG_VERSION")))
            .tcp_nodelay(true)
            // A redirect would take the token elsewhere.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&url) {
            http = http.no_proxy();
        }
        Self {
            name: name.to_owned(),
            url,
            token: settings.token.clone(),
            time_limit: settings.time_limit(),
            http: http.build().expect("the process has a TLS provider"),
            client: tokio::sync::Mutex::default(),
            offered: Mutex::default(),
        }
    }

    /// The open connection, or a new one.
    async fn client(&self) -> Result<Arc<Client>, Box<ClientInitializeError>> {
        let mut kept = self.client.lock().await;
        if let Some(client) = kept.as_ref().filter(|client| !client.is_closed() && !client.is_transport_closed()) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(self.connect().await?);
        *kept = Some(Arc::clone(&client));
        Ok(client)
    }

    async fn connect(&self) -> Result<Client, Box<ClientInitializeError>> {
        let mut config = StreamableHttpClientTransportConfig::with_uri(self.url.as_str())
            .max_concurrent_requests(AT_ONCE)
            .max_sse_event_size(MESSAGE_MAX);
        if !self.token.expose().is_empty() {
            config = config.auth_header(self.token.expose());
        }
        let transport = StreamableHttpClientTransport::with_client(self.http.clone(), config);
        // Nobody is asked anything in mid-call: no elicitation, no sampling.
        let about = Implementation::new("clearline", env!("CARGO_PKG_VERSION"));
        let us = ClientConfig::new(ClientCapabilities::default(), about);
        let era = ClientLifecycleMode::Auto { preferred_versions: vec![ProtocolVersion::LATEST], legacy_version: None };
        us.serve_with_lifecycle(transport, era).await.map_err(Box::new)
    }

    /// Those who use it now may finish.
    fn forget_connection(&self) {
        // Where somebody is connecting there is nothing to forget, and nobody is to wait for that.
        if let Ok(mut kept) = self.client.try_lock() {
            kept.take();
        }
    }

    async fn list(&self) -> Result<Vec<Tool>, String> {
        let client = self.client().await.map_err(|error| connecting_words(&error))?;
        let mut tools = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES {
            let mut page = PaginatedRequestParams::default();
            page.cursor = cursor;
            let listed = client.peer().list_tools(Some(page)).await.map_err(|error| service_words(&error))?;
            tools.extend(listed.tools);
            cursor = listed.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(tools)
    }
}

fn definition(name: &str, tool: &Tool) -> ToolDefinition {
    let description = tool.description.as_deref().or(tool.title.as_deref()).unwrap_or_default();
    ToolDefinition {
        name: name.to_owned(),
        description: description.chars().take(DESCRIPTION_MAX).collect(),
        parameters: Value::Object((*tool.input_schema).clone()),
    }
}
