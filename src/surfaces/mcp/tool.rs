//! What a tool is: its description for models, its arguments, and the function behind it; and what that function is given.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rmcp::RoleServer;
use rmcp::model::{
    CreateTaskResult, InputRequiredResult, InputResponses, ProgressNotificationParam, Resource, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};

use crate::app::{App, LiveCall};
use crate::domain::access::Scope;
use crate::domain::event::{Actor, Door};
use crate::domain::{Call, CallId, CallSid};
use crate::surfaces::api::views::Numbers;

use super::Shared;
use super::args::{self, Args, Field};
use super::failure::Failure;
use super::principal::Principal;

/// How often a waiting tool tells that it is still there. Clients give up on silence.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// One tool.
pub(super) struct ToolSpec {
    pub name: &'static str,
    pub title: &'static str,
    /// For models: what it does, when, what it costs, what it returns, what comes next.
    pub description: &'static str,
    pub hints: Hints,
    /// A key needs one of these.
    pub scopes: &'static [Scope],
    pub fields: &'static [Field],
    pub output: fn() -> Value,
    /// Whether the answer may hold numbers in full, for keys that may read them.
    pub shows_numbers: bool,
    pub run: Run,
}

pub(super) type Run = for<'a> fn(&'a Asked) -> BoxFuture<'a, Result<Answer, Failure>>;

/// What clients are told about a tool's effects. Always all four.
#[expect(clippy::struct_excessive_bools, reason = "the specification has these four, each true or false")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Hints {
    pub read_only: bool,
    pub destructive: bool,
    pub idempotent: bool,
    pub open_world: bool,
}

impl Hints {
    /// Changes nothing, and asks nobody outside.
    pub(super) const READ: Self = Self { read_only: true, destructive: false, idempotent: true, open_world: false };
    /// Changes nothing, and asks a vendor.
    pub(super) const READ_OUTSIDE: Self = Self { open_world: true, ..Self::READ };
    /// Adds to our own records; doing it twice is doing it once.
    pub(super) const RECORD: Self = Self { read_only: false, destructive: false, idempotent: true, open_world: false };
    /// A person notices it, and it can be undone; doing it twice is doing it once.
    pub(super) const STEP_IN: Self = Self { read_only: false, destructive: false, idempotent: true, open_world: true };
    /// Takes something away that comes back only by other means; doing it twice is doing it once.
    pub(super) const WITHDRAW: Self = Self { read_only: false, destructive: true, idempotent: true, open_world: false };
    /// A person hears it, and it cannot be taken back.
    pub(super) const REACH_OUT: Self =
        Self { read_only: false, destructive: true, idempotent: false, open_world: true };
}

/// What came of a tool.
pub(super) enum Answer {
    Done(Value),
    /// The same, with a pointer to something to read.
    Linked(Value, Resource),
    Task(CreateTaskResult),
    /// The client's user is to be asked first.
    Input(InputRequiredResult),
}

/// A call of a tool: who asked for what.
pub(super) struct Asked {
    pub shared: Arc<Shared>,
    pub principal: Principal,
    pub args: Args,
    pub context: RequestContext<RoleServer>,
    pub input_responses: Option<InputResponses>,
    pub request_state: Option<String>,
}

impl Asked {
    pub(super) fn app(&self) -> &Arc<App> {
        &self.shared.app
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::new(Door::Mcp, &*self.principal.name)
    }

    pub(super) fn numbers(&self) -> Numbers {
        self.principal.numbers()
    }

    /// The call named by the argument `call_id` (or another one), by our id or Twilio's.
    pub(super) async fn call(&self, argument: &str) -> Result<Call, Failure> {
        let text = self.args.text(argument).unwrap_or_default();
        find_call(self.app(), text).await?.ok_or_else(Failure::no_such_call)
    }

    /// The same, as long as it has not ended.
    pub(super) async fn live_call(&self, argument: &str) -> Result<Arc<LiveCall>, Failure> {
        let record = self.call(argument).await?;
        self.app().live.by_id(record.id).filter(|call| !call.is_over()).ok_or_else(Failure::call_is_over)
    }

    /// Waits for `work`, and tells the client every few seconds that we still do, if it asked to be told.
    pub(super) async fn with_heartbeat<T>(&self, message: impl Fn() -> String, work: impl Future<Output = T>) -> T {
        let Some(token) = self.context.meta.get_progress_token() else { return work.await };
        let mut work = std::pin::pin!(work);
        let mut beats = 0.0;
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(HEARTBEAT) => {
                    beats += 1.0;
                    let mut progress = ProgressNotificationParam::new(token.clone(), beats);
                    progress.message = Some(message());
                    // A client that has gone away cancels the request by itself.
                    let _ = self.context.peer.notify_progress(progress).await;
                }
            }
        }
    }
}

/// A call by our id or Twilio's.
pub(super) async fn find_call(app: &App, text: &str) -> Result<Option<Call>, Failure> {
    Ok(match text.parse::<CallId>() {
        Ok(id) => match app.live.by_id(id) {
            Some(call) => Some(call.record()),
            None => app.store.call(id).await?,
        },
        Err(_) => app.store.call_by_sid(&CallSid::new(text)).await?,
    })
}

impl ToolSpec {
    /// As clients see it.
    pub(super) fn listed(&self) -> Tool {
        let Hints { read_only, destructive, idempotent, open_world } = self.hints;
        let annotations = ToolAnnotations::from_raw(
            Some(self.title.to_owned()),
            Some(read_only),
            Some(destructive),
            Some(idempotent),
            Some(open_world),
        );
        let output = match (self.output)() {
            Value::Object(schema) => schema,
            other => json!({ "const": other }).as_object().cloned().unwrap_or_default(),
        };
        Tool::new(self.name, self.description, args::schema(self.fields))
            .with_title(self.title)
            .with_raw_output_schema(Arc::new(output))
            .with_annotations(annotations)
    }

    pub(super) fn may_be_used_by(&self, principal: &Principal) -> bool {
        (self.hints.read_only || !principal.read_only) && self.scopes.iter().any(|scope| principal.may(*scope))
    }
}
