//! The tools, resources and prompts that the conformance suite asks for.
#![expect(deprecated, reason = "the suite checks logging and sampling for as long as the specification has them")]

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, CompletionInfo,
    CreateMessageRequestParams, ElicitRequestParams, GetPromptRequestParams, GetPromptResponse, InputRequiredResult,
    InputResponses, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    LoggingMessageNotificationParam, PaginatedRequestParams, ProgressNotificationParam, Prompt,
    ReadResourceRequestParams, ReadResourceResponse, RequestStateCodec, Resource, ResourceTemplate, ServerCapabilities,
    ServerConfig, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::asks;

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

const TOOLS: [(&str, &str); 25] = [
    ("test_simple_text", "Returns a text"),
    ("test_image_content", "Returns an image"),
    ("test_audio_content", "Returns a sound"),
    ("test_embedded_resource", "Returns a resource"),
    ("test_multiple_content_types", "Returns several things"),
    ("test_error_handling", "Fails"),
    ("test_tool_with_progress", "Tells how far it is"),
    ("test_tool_with_logging", "Logs"),
    ("test_logging_tool", "Logs where it is asked to"),
    ("test_sampling", "Asks the client's model"),
    ("test_elicitation", "Asks the client's user"),
    ("test_elicitation_sep1034_defaults", "Asks with defaults"),
    ("test_elicitation_sep1330_enums", "Asks to choose"),
    ("test_missing_capability", "Needs a model to ask"),
    ("test_streaming_elicitation", "Asks in the middle of its work"),
    ("test_input_required_result_elicitation", "Asks once"),
    ("test_input_required_result_sampling", "Asks the model once"),
    ("test_input_required_result_list_roots", "Asks for the roots"),
    ("test_input_required_result_request_state", "Keeps a state"),
    ("test_input_required_result_multiple_inputs", "Asks for three things"),
    ("test_input_required_result_multi_round", "Asks twice"),
    ("test_input_required_result_tampered_state", "Keeps a sealed state"),
    ("test_input_required_result_capabilities", "Asks what the client can answer"),
    ("test_trigger_tool_change", "Changes nothing"),
    ("test_trigger_prompt_change", "Changes nothing"),
];

pub(super) struct Fixtures {
    codec: RequestStateCodec,
}

impl Fixtures {
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { codec: RequestStateCodec::try_new(key.to_vec())? })
    }
}

/// A value of the library's, from the JSON that the suite documents.
fn of<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn content(blocks: Value) -> Result<CallToolResponse, ErrorData> {
    Ok(of::<CallToolResult>(json!({"content": blocks, "isError": false, "resultType": "complete"}))?.into())
}

fn text(text: impl Into<String>) -> Result<CallToolResponse, ErrorData> {
    content(json!([{"type": "text", "text": text.into()}]))
}

fn ask(requests: Value, state: Option<String>) -> Result<CallToolResponse, ErrorData> {
    Ok(InputRequiredResult::new(Some(of(requests)?), state).into())
}

/// The field of an accepted form.
fn given<'a>(responses: &'a InputResponses, key: &str, field: &str) -> Option<&'a Value> {
    let answer = responses.get(key).filter(|answer| answer["action"] == "accept")?;
    answer["content"].get(field)
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_completions()
            .enable_logging()
            .enable_resources()
            .enable_resources_subscribe()
            .build();
        ServerConfig::new(capabilities)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = |name: &str| match name {
            "test_sampling" => {
                json!({"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]})
            }
            "test_elicitation" => {
                json!({"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]})
            }
            _ => json!({"type": "object", "additionalProperties": false}),
        };
        let tool = |(name, about): (&'static str, &'static str)| {
            Tool::new(name, about, Arc::new(schema(name).as_object().cloned().unwrap_or_default()))
        };
        Ok(ListToolsResult::with_all_items(TOOLS.map(tool).to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match &*request.name {
            "test_simple_text" => text("This is a simple text response for testing."),
            "test_image_content" => content(json!([{"type": "image", "data": PNG, "mimeType": "image/png"}])),
            "test_audio_content" => content(json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}])),
            "test_embedded_resource" => content(json!([{"type": "resource", "resource": {"uri":
                "test://embedded-resource", "mimeType": "text/plain", "text": "This is an embedded resource content."}}])),
            "test_multiple_content_types" => content(json!([
                {"type": "text", "text": "Multiple content types test:"},
                {"type": "image", "data": PNG, "mimeType": "image/png"},
                {"type": "resource", "resource": {"uri": "test://mixed-content-resource", "mimeType": "application/json",
                    "text": "{\"test\":\"data\",\"value\":123}"}},
            ])),
            "test_error_handling" => {
                let said = json!([{"type": "text", "text": "This tool intentionally returns an error for testing"}]);
                Ok(of::<CallToolResult>(json!({"content": said, "isError": true, "resultType": "complete"}))?.into())
            }
            "test_tool_with_progress" => with_progress(&context).await,
            "test_tool_with_logging" => with_logging(&context).await,
            "test_logging_tool" if context.meta.log_level().is_some() => with_logging(&context).await,
            "test_logging_tool" | "test_trigger_tool_change" | "test_trigger_prompt_change" => text("done"),
            "test_missing_capability" => needs_sampling(&context),
            "test_sampling" => sample(&request, &context).await,
            "test_elicitation" => elicit(&request, &context, asks::user()).await,
            "test_elicitation_sep1034_defaults" => elicit(&request, &context, asks::defaults()).await,
            "test_elicitation_sep1330_enums" => elicit(&request, &context, asks::enums()).await,
            _ => self.in_rounds(&request, &context),
        }
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resources = ["static-text", "static-binary", "watched-resource"]
            .map(|name| Resource::new(format!("test://{name}"), name).with_description(format!("The resource {name}")));
        Ok(ListResourcesResult::with_all_items(resources.to_vec()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = ResourceTemplate::new("test://template/{id}/data", "template").with_description("A template");
        Ok(ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = &request.uri;
        let of_template = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let contents = match (uri.as_str(), of_template) {
            ("test://static-text", _) => {
                json!({"uri": uri, "mimeType": "text/plain", "text": "This is the content of the static text resource."})
            }
            ("test://static-binary", _) => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
            ("test://watched-resource", _) => json!({"uri": uri, "mimeType": "text/plain", "text": "Nothing yet."}),
            (_, Some(id)) => {
                let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()})
            }
            _ => return Err(ErrorData::resource_not_found("Resource not found", Some(json!({ "uri": uri })))),
        };
        Ok(ReadResourceResponse::Complete(rmcp::model::ReadResourceResult::new(vec![of(contents)?])))
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompt = |name: &str, arguments: &[&str]| {
            let arguments: Vec<_> = arguments
                .iter()
                .map(|name| json!({"name": name, "description": "An argument", "required": true}))
                .collect();
            of::<Prompt>(json!({"name": name, "description": "A prompt", "arguments": arguments}))
        };
        Ok(ListPromptsResult::with_all_items(vec![
            prompt("test_simple_prompt", &[])?,
            prompt("test_prompt_with_arguments", &["arg1", "arg2"])?,
            prompt("test_prompt_with_embedded_resource", &["resourceUri"])?,
            prompt("test_prompt_with_image", &[])?,
            prompt("test_input_required_result_prompt", &[])?,
        ]))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given_text = |name: &str| {
            let value = request.arguments.as_ref().and_then(|arguments| arguments.get(name)?.as_str());
            value.unwrap_or_default().to_owned()
        };
        let said = |text: &str| json!({"type": "text", "text": text});
        let blocks = match request.name.as_str() {
            "test_simple_prompt" => vec![said("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                let (one, two) = (given_text("arg1"), given_text("arg2"));
                vec![said(&format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
            }
            "test_prompt_with_embedded_resource" => vec![
                json!({"type": "resource", "resource": {"uri": given_text("resourceUri"), "mimeType": "text/plain",
                    "text": "Embedded resource content for testing."}}),
                said("Please process the embedded resource above."),
            ],
            "test_prompt_with_image" => vec![
                json!({"type": "image", "data": PNG, "mimeType": "image/png"}),
                said("Please analyze the image above."),
            ],
            "test_input_required_result_prompt" => {
                let responses = request.input_responses.unwrap_or_default();
                let Some(context) = given(&responses, "user_context", "context") else {
                    let question = asks::elicitation("What context should the prompt use?", "context", "string");
                    let requests = of(json!({ "user_context": question }))?;
                    return Ok(InputRequiredResult::new(Some(requests), None).into());
                };
                vec![said(&format!("In the context of {context}"))]
            }
            _ => return Err(ErrorData::invalid_params("there is no such prompt", None)),
        };
        let messages: Vec<_> = blocks.into_iter().map(|block| json!({"role": "user", "content": block})).collect();
        let result = rmcp::model::GetPromptResult::new(of(json!(messages))?);
        Ok(GetPromptResponse::Complete(result))
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let values = ["paris", "park", "party"].map(str::to_owned).to_vec();
        let info = CompletionInfo::with_all_values(values).map_err(|error| ErrorData::internal_error(error, None))?;
        Ok(CompleteResult::new(info))
    }
}

impl Fixtures {
    /// The tools that ask the client something and are called again with its answers (SEP-2322).
    fn in_rounds(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let responses = request.input_responses.clone().unwrap_or_default();
        let state = request.request_state.as_deref();
        let opened = || {
            let wrong = |_| ErrorData::invalid_params("the request state is not one of ours", None);
            state.map(|state| self.codec.open(state)).transpose().map_err(wrong)
        };
        let sealed = |round: &str| Some(self.codec.seal(round.as_bytes()));
        let name = asks::elicitation("What is your name?", "name", "string");
        let confirm = asks::elicitation("Please confirm", "ok", "boolean");
        match &*request.name {
            "test_input_required_result_elicitation" | "test_streaming_elicitation" => {
                match given(&responses, "user_name", "name").and_then(Value::as_str) {
                    Some(name) => text(format!("Hello, {name}!")),
                    None => ask(json!({ "user_name": name }), None),
                }
            }
            "test_input_required_result_sampling" => match responses.get("capital_question") {
                Some(answer) => text(answer.to_string()),
                None => ask(json!({"capital_question": asks::sampling("What is the capital of France?", 100)}), None),
            },
            "test_input_required_result_list_roots" => match responses.get("client_roots") {
                Some(answer) => text(answer["roots"].to_string()),
                None => ask(json!({"client_roots": asks::roots()}), None),
            },
            "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
                match (opened()?, given(&responses, "confirm", "ok")) {
                    (Some(_), Some(_)) => text("state-ok"),
                    _ => ask(json!({ "confirm": confirm }), sealed("confirm")),
                }
            }
            "test_input_required_result_multiple_inputs" => {
                let all = ["user_name", "greeting", "client_roots"].iter().all(|key| responses.contains_key(*key));
                if opened()?.is_some() && all {
                    return text("all three came");
                }
                let greeting = asks::sampling("Generate a greeting", 50);
                ask(json!({"user_name": name, "greeting": greeting, "client_roots": asks::roots()}), sealed("all"))
            }
            "test_input_required_result_multi_round" => match opened()?.as_deref() {
                Some(b"1") if responses.contains_key("step1") => {
                    let question = asks::elicitation("Step 2: What is your favorite color?", "color", "string");
                    ask(json!({ "step2": question }), sealed("2"))
                }
                Some(b"2") if responses.contains_key("step2") => text("both steps are done"),
                _ => {
                    let question = asks::elicitation("Step 1: What is your name?", "name", "string");
                    ask(json!({ "step1": question }), sealed("1"))
                }
            },
            "test_input_required_result_capabilities" => {
                let client = context.client_capabilities().unwrap_or_default();
                let mut requests = json!({});
                if client.sampling.is_some() {
                    requests["greeting"] = asks::sampling("Generate a greeting", 50);
                }
                if client.elicitation.is_some() {
                    requests["user_name"] = name;
                }
                ask(requests, None)
            }
            _ => Err(ErrorData::invalid_params("there is no such tool", None)),
        }
    }
}

async fn with_progress(context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, done).with_total(100.0);
            let _ = context.peer.notify_progress(progress).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    text("done")
}

async fn with_logging(context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
    for step in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        let line = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(step));
        let _ = context.peer.notify_logging_message(line).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    text("done")
}

fn needs_sampling(context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
    if context.client_capabilities().is_some_and(|client| client.sampling.is_some()) {
        return text("a model can be asked");
    }
    let needed = of(json!({"sampling": {}}))?;
    Err(ErrorData::missing_required_client_capability(needed))
}

async fn sample(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let prompt = request.arguments.as_ref().and_then(|arguments| arguments.get("prompt")?.as_str()).unwrap_or_default();
    let params: CreateMessageRequestParams = of(asks::sampling(prompt, 100)["params"].clone())?;
    match context.peer.create_message(params).await {
        Ok(answer) => text(format!("LLM response: {}", json!(answer.message.content))),
        Err(error) => Err(ErrorData::internal_error(error.to_string(), None)),
    }
}

async fn elicit(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
    schema: Value,
) -> Result<CallToolResponse, ErrorData> {
    let message = request.arguments.as_ref().and_then(|arguments| arguments.get("message")?.as_str());
    let params: ElicitRequestParams =
        of(json!({"mode": "form", "message": message.unwrap_or("Please choose"), "requestedSchema": schema}))?;
    match context.peer.create_elicitation(params).await {
        Ok(answer) => text(format!("Elicitation completed: {}", json!(answer))),
        Err(error) => Err(ErrorData::internal_error(error.to_string(), None)),
    }
}
