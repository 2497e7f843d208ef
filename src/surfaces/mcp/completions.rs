//! Completions: what an argument of a prompt or of a resource template may be, active calls first.

use rmcp::ErrorData;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo};

use crate::app::App;
use crate::domain::access::Scope;
use crate::domain::{Call, CallState};
use crate::store::CallFilter;

use super::principal::Principal;

/// How many recent calls are looked at beside the active ones.
const RECENT: u32 = 50;

const PURPOSES: [&str; 4] = ["telemarketing", "informational", "healthcare", "emergency"];

pub(super) async fn complete(
    app: &App,
    principal: &Principal,
    request: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let values = match request.argument.name.as_str() {
        "call_id" if principal.may(Scope::CallsRead) => call_ids(app).await?,
        "purpose" => PURPOSES.map(str::to_owned).to_vec(),
        "agent" => app.config.agents.all().iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let mut fitting: Vec<_> = values.into_iter().filter(|value| value.starts_with(&request.argument.value)).collect();
    let more = fitting.len() > CompletionInfo::MAX_VALUES;
    let total = u32::try_from(fitting.len()).ok();
    fitting.truncate(CompletionInfo::MAX_VALUES);
    let info = CompletionInfo::with_pagination(fitting, total, more);
    info.map(CompleteResult::new).map_err(|error| ErrorData::internal_error(error, None))
}

async fn call_ids(app: &App) -> Result<Vec<String>, ErrorData> {
    let mut active: Vec<Call> = app.live.all().iter().map(|call| call.record()).collect();
    active.sort_by_key(|call| std::cmp::Reverse(call.created_at));
    let filter = CallFilter { state: Some(CallState::Ended), ..CallFilter::default() };
    let recent = app.store.list_calls(filter, None, RECENT).await.map_err(|error| {
        tracing::error!(%error, "recent calls could not be read for a completion");
        ErrorData::internal_error("the calls could not be read", None)
    })?;
    Ok(active.iter().chain(&recent.items).map(|call| call.id.to_string()).collect())
}
