//! The tools, prompts and resources by which the conformance suite knows a server, beside Aegis' own. Each is there
//! to make the transport and the library under it do something; what they say is the suite's own wording.

#![expect(
    deprecated,
    reason = "the older protocol has sampling and log messages, and the suite looks for them"
)]

use aegis::mcp::McpDoor;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientResult,
    CompleteRequestParams, CompleteResult, CompletionInfo, ElicitRequest, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, InputRequiredResult, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Reference, ServerConfig, ServerRequest, SetLevelRequestParams,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A picture of one pixel, and a sound without samples.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const SOUND: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// What the suite may look at without anybody being asked.
const PLAIN: &[&str] = &[
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_tool_with_logging",
    "test_logging_tool",
    "test_error_handling",
    "test_tool_with_progress",
    "test_sampling",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_missing_capability",
    "test_streaming_elicitation",
];

/// Tools of the newer protocol that ask the client by not being done yet.
const ASKING: &[&str] = &[
    "elicitation",
    "sampling",
    "list_roots",
    "request_state",
    "multiple_inputs",
    "multi_round",
    "tampered_state",
    "capabilities",
];

/// Aegis with all that.
#[derive(Clone)]
pub(super) struct Fixture(pub(super) McpDoor);

type Cx = RequestContext<RoleServer>;

/// Reads a value that is known to be one.
fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn done(content: Value) -> Result<CallToolResponse, ErrorData> {
    Ok(of::<CallToolResult>(json!({"resultType": "complete", "content": content})).into())
}

fn resource(uri: &str, mime: &str, text: &str) -> Value {
    json!({"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": text}})
}

fn picture() -> Value {
    json!({"type": "image", "data": PICTURE, "mimeType": "image/png"})
}

/// A question to the person in front of the client.
fn form(message: &str, field: &str, kind: &str) -> Value {
    let schema = json!({"type": "object", "properties": {field: {"type": kind}}, "required": [field]});
    json!({"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}})
}

fn sampling(prompt: &str, most: u32) -> Value {
    let message = json!({"role": "user", "content": text(prompt)});
    json!({"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": most}})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

fn required(requests: Value, state: Option<&str>) -> InputRequiredResult {
    let mut result = json!({"resultType": "input_required", "inputRequests": requests});
    if let Some(state) = state {
        result["requestState"] = json!(state);
    }
    of(result)
}

impl Fixture {
    async fn plain(&self, request: &CallToolRequestParams, cx: &Cx) -> Result<CallToolResponse, ErrorData> {
        let argument = |name: &str| {
            let value = request.arguments.as_ref().and_then(|arguments| arguments.get(name));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        match request.name.as_ref() {
            "test_simple_text" => done(json!([text("This is a simple text response for testing.")])),
            "test_image_content" => done(json!([picture()])),
            "test_audio_content" => done(json!([{"type": "audio", "data": SOUND, "mimeType": "audio/wav"}])),
            "test_embedded_resource" => done(json!([resource(
                "test://embedded-resource",
                "text/plain",
                "This is an embedded resource content."
            )])),
            "test_multiple_content_types" => done(json!([
                text("Multiple content types test:"),
                picture(),
                resource(
                    "test://mixed-content-resource",
                    "application/json",
                    r#"{"test":"data","value":123}"#
                ),
            ])),
            "test_error_handling" => {
                let said = text("This tool intentionally returns an error for testing");
                Ok(of::<CallToolResult>(
                    json!({"resultType": "complete", "content": [said], "isError": true}),
                )
                .into())
            }
            "test_tool_with_logging" => {
                for said in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                    let note = of(json!({"level": "info", "data": said}));
                    let _ = cx.peer.notify_logging_message(note).await;
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                done(json!([text("logged")]))
            }
            "test_tool_with_progress" => {
                if let Some(token) = cx.meta.get_progress_token() {
                    for progress in [0, 50, 100] {
                        let note = json!({"progressToken": token, "progress": progress, "total": 100});
                        let _ = cx.peer.notify_progress(of(note)).await;
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    }
                }
                done(json!([text("done")]))
            }
            "test_sampling" => {
                let params = sampling(&argument("prompt"), 100)["params"].clone();
                let answer = cx.peer.create_message(of(params)).await.map_err(failed)?;
                let answer = serde_json::to_value(&answer).unwrap_or_default();
                done(json!([text(&format!("LLM response: {}", answer["content"]))]))
            }
            "test_elicitation" => {
                let schema = json!({
                    "type": "object",
                    "properties": {
                        "username": {"type": "string", "description": "User's response"},
                        "email": {"type": "string", "description": "User's email address"},
                    },
                    "required": ["username", "email"],
                });
                elicited(cx, "User response", &argument("message"), schema).await
            }
            "test_elicitation_sep1034_defaults" => {
                let schema = json!({"type": "object", "properties": {
                    "name": {"type": "string", "default": "John Doe"},
                    "age": {"type": "integer", "default": 30},
                    "score": {"type": "number", "default": 95.5},
                    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
                    "verified": {"type": "boolean", "default": true},
                }});
                elicited(cx, "Elicitation completed", "Defaults", schema).await
            }
            "test_elicitation_sep1330_enums" => elicited(cx, "Elicitation completed", "Enums", enums()).await,
            "test_missing_capability" => match cx.client_capabilities() {
                Some(capabilities) if capabilities.sampling.is_some() => done(json!([text("declared")])),
                _ => {
                    let needed: ClientCapabilities = of(json!({"sampling": {}}));
                    Err(ErrorData::missing_required_client_capability(needed))
                }
            },
            "test_streaming_elicitation" => {
                let asked = json!({"answer": form("Go on?", "ok", "boolean")});
                Ok(CallToolResponse::InputRequired(required(asked, None)))
            }
            // It logs only to those who ask for it, and nobody has.
            _ => done(json!([text("nothing to log")])),
        }
    }

    /// The tools that are called again with what they asked for.
    fn asking(&self, request: &CallToolRequestParams, cx: &Cx) -> Result<CallToolResponse, ErrorData> {
        let given = |key: &str| {
            let responses = request.input_responses.as_ref();
            responses.and_then(|responses| responses.get(key)).filter(|value| value.is_object()).cloned()
        };
        let state = request.request_state.as_deref();
        let again = |requests: Value, state| Ok(CallToolResponse::InputRequired(required(requests, state)));
        let wrong = || Err(ErrorData::invalid_params("the request state is not one of this server's", None));
        match request.name.trim_start_matches("test_input_required_result_") {
            "elicitation" => match given("user_name") {
                Some(answer) => done(json!([text(&format!("Hello, {}!", answer["content"]["name"]))])),
                None => again(json!({"user_name": form("What is your name?", "name", "string")}), None),
            },
            "sampling" => match given("capital_question") {
                Some(answer) => done(json!([text(&answer["content"].to_string())])),
                None => {
                    let asked = sampling("What is the capital of France?", 100);
                    again(json!({"capital_question": asked}), None)
                }
            },
            "list_roots" => match given("client_roots") {
                Some(answer) => done(json!([text(&answer["roots"].to_string())])),
                None => again(json!({"client_roots": roots()}), None),
            },
            name @ ("request_state" | "tampered_state") => match (given("confirm"), state) {
                (_, Some(state)) if state != sealed(name) => wrong(),
                (Some(_), Some(_)) => done(json!([text("state-ok")])),
                _ => {
                    let asked = json!({"confirm": form("Please confirm", "ok", "boolean")});
                    again(asked, Some(&sealed(name)))
                }
            },
            "multiple_inputs" => {
                match (given("user_name"), given("greeting"), given("client_roots"), state) {
                    (Some(_), Some(_), Some(_), Some(state)) if state == sealed("multiple") => {
                        done(json!([text("All three.")]))
                    }
                    _ => {
                        let asked = json!({
                            "user_name": form("What is your name?", "name", "string"),
                            "greeting": sampling("Generate a greeting", 50),
                            "client_roots": roots(),
                        });
                        again(asked, Some(&sealed("multiple")))
                    }
                }
            }
            "multi_round" => match (given("step1"), given("step2"), state) {
                (_, Some(_), Some(state)) if state == sealed("round 2") => done(json!([text("Both steps.")])),
                (Some(_), _, Some(state)) if state == sealed("round 1") => {
                    let asked = form("Step 2: What is your favorite color?", "color", "string");
                    again(json!({"step2": asked}), Some(&sealed("round 2")))
                }
                _ => {
                    let asked = form("Step 1: What is your name?", "name", "string");
                    again(json!({"step1": asked}), Some(&sealed("round 1")))
                }
            },
            _ => {
                let can = cx.client_capabilities().unwrap_or_default();
                let mut asked = json!({});
                if can.sampling.is_some() {
                    asked["greeting"] = sampling("Generate a greeting", 50);
                }
                if can.elicitation.is_some() {
                    asked["user_name"] = form("What is your name?", "name", "string");
                }
                again(asked, None)
            }
        }
    }
}

/// A state that nobody else can make up; the suite's runs do not need more of it than that it is checked.
fn sealed(what: &str) -> String {
    use sha2::Digest as _;
    let seal = sha2::Sha256::digest(format!("the fixture's own key {}: {what}", std::process::id()));
    let seal: String = seal.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{what}:{seal}").replace(' ', "-")
}

fn failed(error: rmcp::ServiceError) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

async fn elicited(cx: &Cx, what: &str, message: &str, schema: Value) -> Result<CallToolResponse, ErrorData> {
    let params = json!({"mode": "form", "message": message, "requestedSchema": schema});
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(of(params)));
    let ClientResult::ElicitResult(answer) = cx.peer.send_request(request).await.map_err(failed)? else {
        return Err(ErrorData::internal_error("the client answered something else", None));
    };
    let answer = serde_json::to_value(&answer).unwrap_or_default();
    let action = answer["action"].as_str().unwrap_or_default();
    done(json!([text(&format!("{what}: action={action}, content={}", answer["content"]))]))
}

fn enums() -> Value {
    let titled = |words: [&str; 3]| -> Value {
        (1..).zip(words).map(|(at, title)| json!({"const": format!("value{at}"), "title": title})).collect()
    };
    let options = json!(["option1", "option2", "option3"]);
    json!({"type": "object", "properties": {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"])},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {
            "type": "array",
            "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])},
        },
    }})
}

fn tools() -> Vec<Tool> {
    let plain = PLAIN.iter().map(|name| (*name).to_owned());
    let asking = ASKING.iter().map(|name| format!("test_input_required_result_{name}"));
    let schema = |name: &str| match name {
        "test_sampling" => {
            json!({"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]})
        }
        "test_elicitation" => {
            json!({"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]})
        }
        _ => json!({"type": "object", "properties": {}}),
    };
    plain
        .chain(asking)
        .map(|name| of(json!({"name": name, "description": "For the conformance suite.", "inputSchema": schema(&name)})))
        .collect()
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        cx: Cx,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut listed = self.0.list_tools(page, cx).await?;
        if listed.next_cursor.is_none() {
            listed.tools.extend(tools());
        }
        Ok(listed)
    }

    async fn call_tool(&self, request: CallToolRequestParams, cx: Cx) -> Result<CallToolResponse, ErrorData> {
        if PLAIN.contains(&request.name.as_ref()) {
            self.plain(&request, &cx).await
        } else if request.name.starts_with("test_input_required_result_") {
            self.asking(&request, &cx)
        } else {
            self.0.call_tool(request, cx).await
        }
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        cx: Cx,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut listed = self.0.list_resources(page, cx).await?;
        for (uri, mime) in [("test://static-text", "text/plain"), ("test://static-binary", "image/png")] {
            listed.resources.push(of(json!({"uri": uri, "name": uri, "mimeType": mime})));
        }
        Ok(listed)
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        cx: Cx,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut listed = self.0.list_resource_templates(page, cx).await?;
        let ours = json!({"uriTemplate": "test://template/{id}/data", "name": "data", "mimeType": "application/json"});
        listed.resource_templates.push(of(ours));
        Ok(listed)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        cx: Cx,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.clone();
        let contents = match uri.strip_prefix("test://") {
            Some("static-text") => {
                json!({"uri": uri, "mimeType": "text/plain", "text": "This is the content of the static text resource."})
            }
            Some("static-binary") => json!({"uri": uri, "mimeType": "image/png", "blob": PICTURE}),
            Some(rest) if rest.starts_with("template/") && rest.ends_with("/data") => {
                let id = rest.trim_start_matches("template/").trim_end_matches("/data");
                let told = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                json!({"uri": uri, "mimeType": "application/json", "text": told.to_string()})
            }
            _ => return self.0.read_resource(request, cx).await,
        };
        Ok(of::<ReadResourceResult>(json!({"resultType": "complete", "contents": [contents]})).into())
    }

    async fn subscribe(&self, request: SubscribeRequestParams, cx: Cx) -> Result<(), ErrorData> {
        if request.uri.starts_with("test://") { Ok(()) } else { self.0.subscribe(request, cx).await }
    }

    async fn unsubscribe(&self, request: UnsubscribeRequestParams, cx: Cx) -> Result<(), ErrorData> {
        if request.uri.starts_with("test://") { Ok(()) } else { self.0.unsubscribe(request, cx).await }
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.0.accepted_subscription_filter(requested)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.0.listen(context).await
    }

    async fn complete(&self, request: CompleteRequestParams, cx: Cx) -> Result<CompleteResult, ErrorData> {
        match &request.r#ref {
            Reference::Prompt(prompt) if prompt.name.starts_with("test_") => {
                Ok(CompleteResult::new(of::<CompletionInfo>(json!({"values": ["paris"], "hasMore": false}))))
            }
            _ => self.0.complete(request, cx).await,
        }
    }

    async fn set_level(&self, request: SetLevelRequestParams, cx: Cx) -> Result<(), ErrorData> {
        self.0.set_level(request, cx).await
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        cx: Cx,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut listed = self.0.list_prompts(page, cx).await?;
        let argument = |name: &str| json!({"name": name, "required": true});
        for (name, arguments) in [
            ("test_simple_prompt", json!([])),
            ("test_prompt_with_arguments", json!([argument("arg1"), argument("arg2")])),
            ("test_prompt_with_embedded_resource", json!([argument("resourceUri")])),
            ("test_prompt_with_image", json!([])),
            ("test_input_required_result_prompt", json!([])),
        ] {
            listed.prompts.push(of(
                json!({"name": name, "description": "For the conformance suite.", "arguments": arguments}),
            ));
        }
        Ok(listed)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        cx: Cx,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given = |name: &str| {
            let value = request.arguments.as_ref().and_then(|arguments| arguments.get(name));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let user = |content: Value| json!({"role": "user", "content": content});
        let messages = match request.name.as_str() {
            "test_simple_prompt" => json!([user(text("This is a simple prompt for testing."))]),
            "test_prompt_with_arguments" => {
                let said =
                    format!("Prompt with arguments: arg1='{}', arg2='{}'", given("arg1"), given("arg2"));
                json!([user(text(&said))])
            }
            "test_prompt_with_embedded_resource" => {
                let embedded =
                    resource(&given("resourceUri"), "text/plain", "Embedded resource content for testing.");
                json!([user(embedded), user(text("Please process the embedded resource above."))])
            }
            "test_prompt_with_image" => {
                json!([user(picture()), user(text("Please analyze the image above."))])
            }
            "test_input_required_result_prompt" if request.input_responses.is_none() => {
                let asked =
                    json!({"user_context": form("What context should the prompt use?", "context", "string")});
                return Ok(GetPromptResponse::InputRequired(required(asked, None)));
            }
            "test_input_required_result_prompt" => json!([user(text("With context."))]),
            _ => return self.0.get_prompt(request, cx).await,
        };
        Ok(of::<GetPromptResult>(json!({"resultType": "complete", "messages": messages})).into())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.0.on_initialized(context).await;
    }
}
