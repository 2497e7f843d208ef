//! `wait_for_call`: waits until a call is answered, has ended, or anything happens in it. As a task for clients that know tasks.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::App;
use crate::domain::access::Scope;
use crate::domain::{Call, CallState};
use crate::store::{StoreError, Until};
use crate::surfaces::api::views::Numbers;

use super::super::args::{Kind, optional, required};
use super::super::failure::Failure;
use super::super::output::{self, flag, integer, object};
use super::super::tasks;
use super::super::tool::{Answer, Asked, Hints, ToolSpec, find_call};

/// Below the minute after which many clients give a request up.
const LONGEST_S: i64 = 50;
const USUAL_S: i64 = 25;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "wait_for_call",
    title: "Wait for a call",
    description: "Waits until a call is answered, has ended, or anything new happens in it, at most timeout_secs (up to 50). \
                  Returns the call, reached (whether it came about), timed_out, and next_seq. Timing out is no error: call \
                  again. Waiting costs nothing and does not touch the call; giving up the wait does not end it. A client that \
                  supports tasks gets a task instead of waiting.",
    hints: Hints::READ,
    scopes: &[Scope::CallsRead],
    fields: &[
        required("call_id", Kind::Call, "The call, by our id or Twilio's."),
        optional("until", Kind::Word(&["answered", "ended", "event"]), "What to wait for. Default ended."),
        optional("after_seq", Kind::Integer { min: 0, max: i64::MAX }, "For event: next_seq of the last answer."),
        optional("timeout_secs", Kind::Integer { min: 0, max: LONGEST_S }, "How long to wait. Default 25."),
    ],
    output: schema,
    shows_numbers: true,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object(
        [
            ("call", output::call_schema()),
            ("reached", flag("whether what was waited for came about")),
            ("timed_out", flag("whether the time was up before that")),
            ("next_seq", integer("pass this as after_seq to wait for what comes next")),
        ],
        [],
    )
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let app = asked.app();
    let until = asked.args.word("until").unwrap_or(Until::Ended);
    let after_seq = asked.args.integer("after_seq").unwrap_or_default();
    let call = asked.call("call_id").await?;
    // From before the first look, so that nothing happens in between.
    let mut following = app.updates.follow(call.id);
    let id = call.id.to_string();
    let timeout = asked.args.integer("timeout_secs");
    let knows_tasks = asked.context.client_capabilities().is_some_and(|client| client.supports_tasks());
    if knows_tasks && timeout != Some(0) && !has_come(app, &call, until, after_seq).await? {
        return Ok(Answer::Task(tasks::begin(app, &asked.principal, &call, until, after_seq).await?));
    }
    let seconds = timeout.unwrap_or(USUAL_S).unsigned_abs();
    let wait = async {
        loop {
            let call = find_call(app, &id).await?.ok_or_else(Failure::no_such_call)?;
            if has_come(app, &call, until, after_seq).await? {
                return Ok::<_, Failure>(());
            }
            following.changed().await;
        }
    };
    let wait = asked.with_heartbeat(|| heartbeat(app, &call), tokio::time::timeout(Duration::from_secs(seconds), wait));
    let reached = tokio::select! {
        outcome = wait => match outcome {
            Ok(came) => { came?; true }
            Err(_elapsed) => false,
        },
        // The client has gone away, or the server stops: the wait ends, the call does not.
        () = asked.context.ct.cancelled() => false,
        () = app.shutdown.cancelled() => false,
    };
    let call = find_call(app, &id).await?.ok_or_else(Failure::no_such_call)?;
    Ok(Answer::Done(body(app, &call, reached, asked.numbers()).await?))
}

fn heartbeat(app: &App, call: &Call) -> String {
    let state = app.live.by_id(call.id).map_or(CallState::Ended, |call| call.record().state);
    format!("the call is {}", state.as_str().replace('_', " "))
}

/// Whether what is waited for has come about.
pub(in super::super) async fn has_come(
    app: &App,
    call: &Call,
    until: Until,
    after_seq: i64,
) -> Result<bool, StoreError> {
    Ok(match until {
        Until::Answered => call.state >= CallState::InProgress,
        Until::Ended => call.is_ended(),
        Until::Event => app.store.newest_seq_of(call.id).await? > after_seq,
    })
}

/// What the tool, and the task's result, tell.
pub(in super::super) async fn body(
    app: &App,
    call: &Call,
    reached: bool,
    numbers: Numbers,
) -> Result<Value, StoreError> {
    Ok(json!({
        "call": output::call(call, numbers),
        "reached": reached,
        "timed_out": !reached,
        "next_seq": app.store.newest_seq_of(call.id).await?,
    }))
}
