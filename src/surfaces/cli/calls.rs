//! `call`, `calls`, `hangup`: the operator's verbs against a running server.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::client::ApiClient;
use super::out::{Paint, line};
use super::{CallArgs, CallsArgs, HangupArgs, PurposeArg, SayArgs, TellArgs, TransferArgs};

/// Exit code of a call or check that the gate denied.
pub const EXIT_DENIED: u8 = 3;

pub async fn place(client: &ApiClient, args: &CallArgs, paint: Paint) -> anyhow::Result<ExitCode> {
    let mut variables = BTreeMap::new();
    for text in &args.variables {
        let Some((name, value)) = text.split_once('=') else {
            bail!("--var takes NAME=VALUE, not `{text}`");
        };
        variables.insert(name, value);
    }
    let body = json!({
        "to": args.number,
        "agent": args.agent,
        "purpose": purpose_text(args.purpose),
        "dynamic_variables": variables,
        "dry_run": args.dry_run,
    });
    let answer = client.post("/api/v1/calls", &body).await?;
    if args.json {
        line(&answer.body);
        let code = exit_code(&answer.body);
        let is_answer = answer.status.is_success() || code == ExitCode::from(EXIT_DENIED);
        return Ok(if is_answer { code } else { ExitCode::FAILURE });
    }
    if let Some(error) = answer.body.get("error") {
        print_denial(error, paint);
        return Ok(ExitCode::from(EXIT_DENIED));
    }
    let body = answer.success()?;
    if args.dry_run {
        print_dry_run(&body, paint);
        return Ok(exit_code(&body));
    }
    let id = body["call_id"].as_str().context("the answer has no call_id")?;
    line(format!("{} {id}", paint.green("allowed, dialling")));
    line(paint.dim(format!("follow it: clearline tail {id}    end it: clearline hangup {id}")));
    Ok(ExitCode::SUCCESS)
}

fn exit_code(body: &Value) -> ExitCode {
    let denied = body.get("error").is_some() || body["decision"] == "deny";
    if denied { ExitCode::from(EXIT_DENIED) } else { ExitCode::SUCCESS }
}

fn print_dry_run(decision: &Value, paint: Paint) {
    if decision["decision"] == "allow" {
        line(paint.green("would be allowed now; nothing was dialled"));
        return;
    }
    print_reasons(&decision["reasons"], paint);
    print_next(&decision["next_permissible_at"], paint);
}

fn print_denial(error: &Value, paint: Paint) {
    print_reasons(&error["details"]["reasons"], paint);
    print_next(&error["details"]["next_permissible_at"], paint);
}

fn print_reasons(reasons: &Value, paint: Paint) {
    line(paint.red("blocked: no call was placed"));
    for reason in reasons.as_array().into_iter().flatten() {
        let text = |key: &str| reason[key].as_str().unwrap_or_default().to_owned();
        line(format!("  {}  {}", paint.bold(text("code")), text("message")));
        line(format!("    {}", paint.dim(text("citation"))));
    }
}

fn print_next(next: &Value, paint: Paint) {
    if let Some(at) = next.as_str() {
        line(format!("  {} {at}", paint.yellow("may be tried again at")));
    }
}

pub fn purpose_text(purpose: PurposeArg) -> &'static str {
    match purpose {
        PurposeArg::Telemarketing => "telemarketing",
        PurposeArg::Informational => "informational",
        PurposeArg::Healthcare => "healthcare",
        PurposeArg::Emergency => "emergency",
    }
}

pub async fn list(client: &ApiClient, args: &CallsArgs, paint: Paint) -> anyhow::Result<ExitCode> {
    let live = if args.live { "&state=live" } else { "" };
    let body = client.get(&format!("/api/v1/calls?limit={}{live}", args.limit)).await?;
    if args.json {
        line(&body);
        return Ok(ExitCode::SUCCESS);
    }
    let calls = body["calls"].as_array().context("the answer has no calls")?;
    if calls.is_empty() {
        line("no calls");
    }
    for call in calls {
        let text = |key: &str| call[key].as_str().unwrap_or("-").to_owned();
        let outcome = call["disposition"].as_str().or(call["state"].as_str()).unwrap_or_default().to_owned();
        let duration = call["duration_s"].as_i64().map_or_else(String::new, |s| format!("{s} s"));
        line(format!(
            "{}  {}  {:8}  {:>16} → {:<16}  {:12}  {duration}",
            paint.dim(text("created_at").get(..19).unwrap_or_default()),
            text("id"),
            text("direction"),
            text("from"),
            text("to"),
            outcome,
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn hang_up(client: &ApiClient, args: &HangupArgs) -> anyhow::Result<ExitCode> {
    let answer = client.post(&format!("/api/v1/calls/{}/end", args.call), &json!({})).await?;
    let body = answer.success()?;
    match body["disposition"].as_str() {
        Some(disposition) => line(format!("the call had ended before: {disposition}")),
        None => line("the call is being ended"),
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn tell(client: &ApiClient, args: &TellArgs) -> anyhow::Result<ExitCode> {
    let kind = if args.as_caller { "user_message" } else { "context" };
    let body = json!({"text": args.text, "kind": kind});
    client.post(&format!("/api/v1/calls/{}/message", args.call), &body).await?.success()?;
    line("told");
    Ok(ExitCode::SUCCESS)
}

pub async fn say(client: &ApiClient, args: &SayArgs) -> anyhow::Result<ExitCode> {
    client.post(&format!("/api/v1/calls/{}/say", args.call), &json!({"text": args.text})).await?.success()?;
    line("on its way to the caller");
    Ok(ExitCode::SUCCESS)
}

pub async fn transfer(client: &ApiClient, args: &TransferArgs, paint: Paint) -> anyhow::Result<ExitCode> {
    let body = json!({"to": args.to, "briefing": args.briefing});
    let answer = client.post(&format!("/api/v1/calls/{}/transfer", args.call), &body).await?;
    if let Some(error) = answer.body.get("error") {
        print_denial(error, paint);
        return Ok(ExitCode::from(EXIT_DENIED));
    }
    answer.success()?;
    line("their phone rings");
    Ok(ExitCode::SUCCESS)
}
