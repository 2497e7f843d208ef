//! Waits as tasks (the tasks extension): whoever declares tasks gets an id at once and looks in now and then. Whether what was
//! waited for has come is read from the call itself, so that a task outlives a restart.

use jiff::{SignedDuration, Timestamp};
use rmcp::ErrorData;
use rmcp::model::{CreateTaskResult, DetailedTask, GetTaskResult, Task, TaskPayload, TaskStatus};
use serde_json::Value;

use crate::app::App;
use crate::domain::Call;
use crate::store::{StoreError, Until, Wait};

use super::failure::Failure;
use super::principal::Principal;
use super::server::complete;
use super::tools::wait_for_call;

/// How long a task can be looked at. Longer than the longest call.
const LIFETIME: SignedDuration = SignedDuration::from_hours(4);

/// How often clients should look.
const POLL_MS: u64 = 1_000;

/// Begins a wait. It can be looked at before this returns.
pub(super) async fn begin(
    app: &App,
    principal: &Principal,
    call: &Call,
    until: Until,
    after_seq: i64,
) -> Result<CreateTaskResult, Failure> {
    let now = app.clock.now();
    let wait = Wait {
        // Cannot be guessed, and is checked against its owner all the same.
        id: format!("wait_{}", uuid::Uuid::new_v4().simple()),
        actor: (*principal.name).to_owned(),
        call_id: call.id,
        until,
        after_seq,
        created_at: now,
        cancelled_at: None,
    };
    app.store.insert_wait(wait.clone(), now.saturating_sub(LIFETIME).unwrap_or(Timestamp::MIN)).await?;
    Ok(CreateTaskResult::new(task(&wait, call, now)))
}

/// How a task stands.
pub(super) async fn look(app: &App, principal: &Principal, id: &str) -> Result<GetTaskResult, ErrorData> {
    let wait = find(app, principal, id).await?;
    let gone = || ErrorData::invalid_params("the call of this task is gone", None);
    let text = wait.call_id.to_string();
    let call =
        super::tool::find_call(app, &text).await.map_err(|failure| ErrorData::internal_error(failure.message, None))?;
    let call = call.ok_or_else(gone)?;
    let task = task(&wait, &call, app.clock.now());
    let come = wait_for_call::has_come(app, &call, wait.until, wait.after_seq).await.map_err(|error| broken(&error))?;
    let payload = if wait.cancelled_at.is_some() {
        TaskPayload::Cancelled
    } else if come {
        let body = wait_for_call::body(app, &call, true, principal.numbers()).await.map_err(|error| broken(&error))?;
        let result = serde_json::to_value(complete(body, None)).unwrap_or_default();
        TaskPayload::Completed { result: result.as_object().cloned().unwrap_or_default() }
    } else {
        TaskPayload::Working
    };
    Ok(GetTaskResult::new(DetailedTask::new(task, payload)))
}

/// Ends the wait. The call goes on.
pub(super) async fn cancel(app: &App, principal: &Principal, id: &str) -> Result<(), ErrorData> {
    let wait = find(app, principal, id).await?;
    app.store.cancel_wait(&wait.id, app.clock.now()).await.map_err(|error| broken(&error))
}

/// The wait of this principal. Another one's does not exist for it.
async fn find(app: &App, principal: &Principal, id: &str) -> Result<Wait, ErrorData> {
    let wait = app.store.wait(id).await.map_err(|error| broken(&error))?;
    let is_own = |wait: &Wait| {
        let age = app.clock.now().duration_since(wait.created_at);
        *wait.actor == *principal.name && age < LIFETIME
    };
    wait.filter(is_own).ok_or_else(|| ErrorData::invalid_params("there is no such task, or it is too old", None))
}

fn task(wait: &Wait, call: &Call, now: Timestamp) -> Task {
    let since = call.answered_at.unwrap_or(call.created_at);
    let seconds = call.ended_at.unwrap_or(now).duration_since(since).as_secs().max(0);
    let message = format!("{} {:02}:{:02}", call.state.as_str(), seconds / 60, seconds % 60);
    let updated = wait.cancelled_at.unwrap_or(call.updated_at).max(wait.created_at);
    Task::new(&*wait.id, TaskStatus::Working, wait.created_at.to_string(), updated.to_string())
        .with_status_message(message)
        .with_ttl_ms(u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX))
        .with_poll_interval_ms(POLL_MS)
}

fn broken(error: &StoreError) -> ErrorData {
    tracing::error!(%error, "a task could not be looked at");
    ErrorData::internal_error("the task could not be looked at", Option::<Value>::None)
}
