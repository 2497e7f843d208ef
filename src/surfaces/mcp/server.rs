//! The protocol's questions, answered: which tools there are for whom, a tool's call from its check to its audit entry, and the
//! doors to resources, prompts, completions and tasks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, CompleteRequestParams,
    CompleteResult, ContentBlock, GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult,
    Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SubscribeRequestParams, SubscriptionFilter, TaskPayload, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Shared;
use super::args::Args;
use super::audit::Audit;
use super::catalog::Catalog;
use super::failure::Failure;
use super::follow::Subscriptions;
use super::principal::Principal;
use super::resources::Target;
use super::tool::{Answer, Asked, ToolSpec};
use super::{completions, prompts, resources, tasks};

/// How long a client may keep the list of tools. A key's role does not change.
const TOOLS_TTL_MS: u64 = 5 * 60 * 1000;

/// One client's server: of one session, or of one request of a client without sessions.
pub(super) struct McpServer {
    shared: Arc<Shared>,
    subscriptions: Subscriptions,
}

impl McpServer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, subscriptions: Subscriptions::default() }
    }

    fn audit<'a>(&'a self, by: &'a Principal) -> Audit<'a> {
        Audit::new(&self.shared.app, by)
    }
}

/// The door put the principal into the HTTP request that carried this message.
pub(super) fn principal_of(context: &RequestContext<RoleServer>) -> Result<Principal, ErrorData> {
    let parts = context.extensions.get::<http::request::Parts>();
    let principal = parts.and_then(|parts| parts.extensions.get::<Principal>()).cloned();
    principal.ok_or_else(|| ErrorData::invalid_request("this request did not come through the door", None))
}

impl ServerHandler for McpServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_completions()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_tasks()
            .build();
        let mut about = Implementation::new("clearline", env!("CARGO_PKG_VERSION"));
        about.title = Some("Clearline call control".to_owned());
        let mut config = ServerConfig::new(capabilities).with_instructions(include_str!("instructions.txt"));
        config.server_info = about;
        config
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&SUPPORTED)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.shared.catalog.listed_for(&principal_of(&context)?);
        Ok(ListToolsResult::with_all_items(tools).with_ttl_ms(TOOLS_TTL_MS).with_cache_scope(CacheScope::Private))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.shared.catalog.listed(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let principal = principal_of(&context)?;
        let Some(tool) = self.shared.catalog.find(&request.name) else {
            return Err(unknown_tool(&request.name));
        };
        let digest = digest(request.arguments.as_ref());
        let by = principal.clone();
        let outcome = self.run(tool, request, principal, context).await;
        self.shared.app.metrics.tool_called(tool.name, outcome.is_ok());
        self.audit(&by).of_tool(tool, digest, &outcome).await;
        Ok(match outcome {
            Ok(answer) => respond(answer),
            Err(failure) => CallToolResponse::Complete(failure.into_result()),
        })
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(resources::list(&principal_of(&context)?))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::list_templates(&principal_of(&context)?))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let principal = principal_of(&context)?;
        let digest = sha256_hex(request.uri.as_bytes());
        if Target::is_withheld(&request.uri, &principal) {
            self.audit(&principal).refused("resources/read", digest.clone(), "missing_scope").await;
        }
        let read = resources::read(&self.shared.app, &principal, &request.uri).await?;
        self.audit(&principal).of_numbers("resources/read", digest).await;
        Ok(ReadResourceResponse::Complete(read))
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(resources::accepted_filter(requested))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let principal = principal_of(context.request_context())?;
        super::follow::listen(&self.shared.app, &principal, context).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let principal = principal_of(&context)?;
        self.subscriptions.add(&self.shared.app, &principal, request.uri, context.peer)
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        principal_of(&context)?;
        self.subscriptions.remove(&request.uri);
        Ok(())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(prompts::list())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::fill(&request).map(GetPromptResponse::Complete)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        completions::complete(&self.shared.app, &principal_of(&context)?, &request).await
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let principal = principal_of(&context)?;
        let found = tasks::look(&self.shared.app, &principal, &request.task_id).await?;
        if matches!(found.task.payload, TaskPayload::Completed { .. }) {
            self.audit(&principal).of_numbers("tasks/get", sha256_hex(request.task_id.as_bytes())).await;
        }
        Ok(found)
    }

    async fn update_task(
        &self,
        request: rmcp::model::UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // No wait ever asks for input; the answer is for a task that exists all the same.
        tasks::look(&self.shared.app, &principal_of(&context)?, &request.task_id).await.map(drop)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        tasks::cancel(&self.shared.app, &principal_of(&context)?, &request.task_id).await
    }
}

const SUPPORTED: [ProtocolVersion; 4] = [
    ProtocolVersion::V_2025_03_26,
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2026_07_28,
];

impl McpServer {
    async fn run(
        &self,
        tool: &'static ToolSpec,
        request: CallToolRequestParams,
        principal: Principal,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer, Failure> {
        if !tool.hints.read_only && principal.read_only {
            return Err(Failure::refusal(
                "read_only",
                format!("{} changes something, and this server is in read-only mode for you.", tool.name),
                "Nothing was done. Only the operator can change the mode (mcp.read_only, or the header X-MCP-Readonly).",
            ));
        }
        if !tool.may_be_used_by(&principal) {
            let needed: Vec<_> = tool.scopes.iter().map(|scope| scope.as_str()).collect();
            return Err(Failure::refusal(
                "missing_scope",
                format!("This key may not use {}: it lacks the scope {}.", tool.name, needed.join(" or ")),
                "Nothing was done. Ask the operator for a key whose role has it.",
            )
            .details(json!({ "scopes": needed })));
        }
        if !tool.hints.read_only && !principal.is_still_valid(&self.shared.app).await? {
            return Err(Failure::refusal("key_revoked", "This key was revoked.", "Nothing was done."));
        }
        let args = Args::check(tool.fields, request.arguments).map_err(|all| Failure::invalid_arguments(&all))?;
        let asked = Asked {
            shared: Arc::clone(&self.shared),
            principal,
            args,
            context,
            input_responses: request.input_responses,
            request_state: request.request_state,
        };
        (tool.run)(&asked).await
    }
}

fn respond(answer: Answer) -> CallToolResponse {
    match answer {
        Answer::Done(body) => complete(body, None).into(),
        Answer::Linked(body, resource) => complete(body, Some(ContentBlock::resource_link(resource))).into(),
        Answer::Task(task) => CallToolResponse::Task(task),
        Answer::Input(input) => CallToolResponse::InputRequired(input),
    }
}

/// The body as structured content, and the same as text for clients that read only that.
pub(super) fn complete(body: Value, link: Option<ContentBlock>) -> CallToolResult {
    let mut content = vec![ContentBlock::text(body.to_string())];
    content.extend(link);
    let mut result = CallToolResult::success(content);
    result.structured_content = Some(body);
    result
}

fn unknown_tool(name: &str) -> ErrorData {
    let shown: String = name.chars().take(64).collect();
    let near = Catalog::nearest(name);
    let hint = near.map_or_else(|| "List the tools.".to_owned(), |near| format!("Did you mean {near}?"));
    let data = near.map(|near| json!({ "nearest": near }));
    ErrorData::invalid_params(format!("There is no tool {shown:?}. {hint}"), data)
}

fn digest(arguments: Option<&JsonObject>) -> String {
    // In the order of their names, so that the same arguments give the same digest.
    let sorted: BTreeMap<_, _> = arguments.into_iter().flatten().collect();
    sha256_hex(json!(sorted).to_string().as_bytes())
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
