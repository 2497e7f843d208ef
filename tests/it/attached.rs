//! Tools of MCP servers that the operator attached, called by agents in a call.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use clearline::emulators::{BotEmulator, Entry, Running};
use http::StatusCode;
use http::header::AUTHORIZATION;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::server::Server;
use super::soon;
use super::vendors::Vendors;

pub(super) const TOKEN: &str = "token-of-the-crm";

/// A setting that changes nothing: the test does not wait for the first look at the attached server.
const UNLOOKED: (&str, &str) = ("LOG__FORMAT", "text");

/// A customer's server: some tools that work, and some that do not.
struct Crm;

impl ServerHandler for Crm {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema: JsonObject =
            serde_json::from_value(json!({"type": "object", "properties": {"name": {"type": "string"}}})).unwrap();
        let schema = Arc::new(schema);
        let tools = ["find_customer", "visits.book", "hang", "delete_customer"];
        let tools = tools.map(|name| Tool::new(name, format!("What {name} does."), Arc::clone(&schema)));
        Ok(ListToolsResult::with_all_items(tools.to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::from(request.arguments.unwrap_or_default());
        let text = |text: String| vec![ContentBlock::text(text)];
        Ok(CallToolResponse::Complete(match &*request.name {
            "find_customer" => CallToolResult::success(text(format!("{arguments} is a customer since 2019"))),
            "visits.book" => CallToolResult::error(text("Thursday is full.".to_owned())),
            "hang" => std::future::pending().await,
            other => return Err(ErrorData::invalid_params(format!("{other} is not there"), None)),
        }))
    }
}

/// Listens and serves; the URL of the server.
pub(super) async fn start_crm(shutdown: &CancellationToken) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    serve_crm(listener, shutdown);
    format!("http://{address}/mcp")
}

fn serve_crm(listener: TcpListener, shutdown: &CancellationToken) {
    let config = StreamableHttpServerConfig::default().with_cancellation_token(shutdown.clone());
    let service = StreamableHttpService::new(|| Ok(Crm), Arc::<LocalSessionManager>::default(), config);
    let check = async |request: Request, next: Next| {
        let expected = format!("Bearer {TOKEN}");
        match request.headers().get(AUTHORIZATION) {
            Some(value) if *value == *expected => next.run(request).await,
            _ => StatusCode::UNAUTHORIZED.into_response(),
        }
    };
    let app = Router::new().route_service("/mcp", service).layer(from_fn(check));
    let stopped = shutdown.clone();
    TaskTracker::new().spawn(async move {
        axum::serve(listener, app).with_graceful_shutdown(stopped.cancelled_owned()).await.unwrap();
    });
}

/// A bot that calls this tool as soon as the call is up, an attached server at this address, and a caller.
struct World {
    bot: Running,
    vendors: Vendors,
    server: Server,
    call: String,
    sid: String,
    shutdown: CancellationToken,
}

impl World {
    async fn start(tool: &str, crm: &str, own: &[(&str, &str)]) -> Self {
        let shutdown = CancellationToken::new();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let bot = BotEmulator::start(any, &TaskTracker::new(), shutdown.clone()).await.unwrap();
        let vendors = Vendors::start().await;
        let url = format!("ws://{}/binary/call-{tool}", bot.addr);
        let mut settings = vec![
            ("AGENTS__DEFAULT", "binary:own"),
            ("AGENTS__OWN__DIALECT", "binary"),
            ("AGENTS__OWN__URL", &url),
            ("TOOLS__MCP__CRM__URL", crm),
            ("TOOLS__MCP__CRM__TOKEN", TOKEN),
            ("TOOLS__MCP__CRM__TOOLS", "find_customer,book=visits.book,hang,gone"),
            ("TOOLS__MCP__CRM__TIME_LIMIT_MS", "1000"),
        ];
        settings.extend(own);
        let mut server = Server::start(&vendors, &settings).await;
        // The first look at the attached server is over, where one that does not answer is not waited for.
        if !own.contains(&UNLOOKED) {
            server.logged("an attached MCP server can").await;
        }
        let sid = vendors.ring("silent").await;
        let call = server.api.call_of(&sid).await;
        Self { bot, vendors, server, call, sid, shutdown }
    }

    /// What the bot heard of its tool.
    async fn result(&self) -> (bool, String) {
        let is_it = |entry: &Entry| entry.text("name") == Some("tool_result");
        let entry = soon("the tool's result", self.bot.log().wait_for(is_it)).await;
        let message = &entry.detail["message"];
        (message["is_error"].as_bool().unwrap(), message["result"].as_str().unwrap().to_owned())
    }

    /// The call ends and the next caller comes.
    async fn ring_again(&mut self) {
        self.vendors.end_at_carrier(&self.sid).await;
        self.server.api.ended(&self.call).await;
        self.sid = self.vendors.ring("silent").await;
        self.call = self.server.api.call_of(&self.sid).await;
    }

    /// What became of the tool in this call.
    async fn next_answer(&self) -> Value {
        self.server.api.event_of(&self.call, "tool_answered").await
    }

    /// The bot goes on talking and the caller hears it; then the call is over.
    async fn ends_well(self) -> Vec<Value> {
        let heard = |entry: &Value| entry["event"]["type"] == "turn_heard";
        self.server.api.event("the bot's words after the tool", heard).await;
        self.vendors.end_at_carrier(&self.sid).await;
        let ended = self.server.api.ended(&self.call).await;
        assert_eq!(ended["disposition"], "completed", "{ended}");
        self.server.api.story(&self.call).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn event<'a>(story: &'a [Value], kind: &str) -> Option<&'a Value> {
    story.iter().find(|event| event["type"] == kind)
}

#[tokio::test]
async fn an_agent_calls_a_tool_of_an_attached_server() {
    let shutdown = CancellationToken::new();
    let crm = start_crm(&shutdown).await;
    let world = World::start("find_customer", &crm, &[]).await;
    assert_eq!(world.result().await, (false, r#"{"name":"Jo"} is a customer since 2019"#.to_owned()));

    let is_start = |entry: &Entry| entry.text("name") == Some("start");
    let start = soon("the start", world.bot.log().wait_for(is_start)).await.detail["message"].clone();
    let offered: Vec<_> =
        start["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(offered.starts_with(&["hang_up", "record_opt_out", "transfer_call"]), "{offered:?}");
    // What is allowed and there, in the agents' words; neither what is not allowed nor what the server lacks.
    assert!(offered.ends_with(&["take_note", "book", "find_customer", "hang"]), "{offered:?}");
    let find = start["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "find_customer").unwrap();
    assert_eq!(find["description"], "What find_customer does.");
    assert_eq!(find["parameters"]["properties"]["name"]["type"], "string");

    let log = world.server.log();
    let story = world.ends_well().await;
    let sent = event(&story, "tool_sent").unwrap();
    assert_eq!((&sent["server"], &sent["tool"]), (&json!("crm"), &json!("find_customer")));
    assert_eq!(event(&story, "tool_called").unwrap()["arguments"], json!({"name": "Jo"}));
    assert_eq!(event(&story, "tool_answered").unwrap()["is_error"], false);
    let told = format!("{log}{story:?}");
    assert!(!told.contains(TOKEN), "the token stays with the server");
    shutdown.cancel();
}

#[tokio::test]
async fn a_tool_that_says_no_or_takes_too_long_is_an_error_for_the_agent_and_no_more() {
    let shutdown = CancellationToken::new();
    let crm = start_crm(&shutdown).await;
    for (tool, sent, said) in [
        ("book", true, "Thursday is full."),
        ("hang", true, "did not answer within 1 s"),
        ("gone", true, "gone is not there"),
        // Offered by the server, and not allowed: the server is not even asked.
        ("delete_customer", false, "There is no tool named delete_customer"),
        ("visits.book", false, "There is no tool named visits.book"),
    ] {
        let world = World::start(tool, &crm, &[]).await;
        let (is_error, text) = world.result().await;
        assert!(is_error && text.contains(said), "{tool}: {text}");
        let story = world.ends_well().await;
        assert_eq!(event(&story, "tool_sent").is_some(), sent, "{tool}");
        assert_eq!(event(&story, "tool_answered").unwrap()["is_error"], true, "{tool}");
        assert!(event(&story, "agent_lost").is_none(), "{tool}: {story:?}");
    }
    shutdown.cancel();
}

#[tokio::test]
async fn a_server_that_is_dead_deaf_or_something_else_is_an_error_for_the_agent_and_no_more() {
    let shutdown = CancellationToken::new();
    let crm = start_crm(&shutdown).await;
    let closed = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        format!("http://{}/mcp", listener.local_addr().unwrap())
    };
    // The kernel takes the connection and nobody reads from it.
    let deaf = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let deaf_url = format!("http://{}/mcp", deaf.local_addr().unwrap());
    let page = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let page_url = format!("http://{}/mcp", page.local_addr().unwrap());
    let stopped = shutdown.clone();
    TaskTracker::new().spawn(async move {
        let app = Router::new().fallback(async || "<html>Welcome</html>");
        axum::serve(page, app).with_graceful_shutdown(stopped.cancelled_owned()).await.unwrap();
    });
    for (what, url, token, said) in [
        ("closed", &closed, TOKEN, "cannot be reached"),
        ("deaf", &deaf_url, TOKEN, "did not answer within 1 s"),
        ("a web page", &page_url, TOKEN, "cannot be reached"),
        ("another token", &crm, "wrong", "cannot be reached"),
    ] {
        let own = [("TOOLS__MCP__CRM__TOKEN", token), UNLOOKED];
        let world = World::start("find_customer", url, &own[..=usize::from(what == "deaf")]).await;
        let (is_error, text) = world.result().await;
        assert!(is_error && text.contains(said), "{what}: {text}");
        assert!(!text.contains("127.0.0.1"), "{what}: {text}");
        let log = world.server.log();
        assert!(log.contains("a tool of an MCP server failed") && !log.contains(token), "{what}: {log}");
        let story = world.ends_well().await;
        assert!(event(&story, "agent_lost").is_none(), "{what}: {story:?}");
    }
    shutdown.cancel();
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let first = CancellationToken::new();
    let crm = start_crm(&first).await;
    let mut world = World::start("find_customer", &crm, &[]).await;
    assert_eq!(world.next_answer().await["is_error"], false);
    first.cancel();
    // Its port is free once it is gone.
    let address: SocketAddr = crm.trim_start_matches("http://").trim_end_matches("/mcp").parse().unwrap();
    let listener = soon("the port", async {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => return listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    // Nobody takes what comes in.
    let listener = listener.await;
    world.ring_again().await;
    assert_eq!(world.next_answer().await["is_error"], true);
    let second = CancellationToken::new();
    serve_crm(listener, &second);
    world.ring_again().await;
    assert_eq!(world.next_answer().await["is_error"], false);
    second.cancel();
}
