//! What agents did, were refused and saw goes to the audit log: every action, every refusal, every look at numbers in full.

use crate::app::App;
use crate::domain::access::Scope;
use crate::domain::event::{Actor, Door};
use crate::store::{AuditEntry, AuditOutcome};

use super::failure::Failure;
use super::principal::Principal;
use super::tool::{Answer, ToolSpec};

/// Writes down what one principal does.
pub(super) struct Audit<'a> {
    app: &'a App,
    by: &'a Principal,
}

impl<'a> Audit<'a> {
    pub(super) fn new(app: &'a App, by: &'a Principal) -> Self {
        Self { app, by }
    }

    /// A tool that was called. Reading what is masked leaves no trace.
    pub(super) async fn of_tool(&self, tool: &ToolSpec, arguments_sha256: String, outcome: &Result<Answer, Failure>) {
        let (result, code, body) = match outcome {
            Ok(Answer::Done(body) | Answer::Linked(body, _)) if !tool.hints.read_only => {
                (AuditOutcome::Done, None, Some(body))
            }
            Ok(Answer::Input(_)) => (AuditOutcome::Refused, Some("confirmation_required"), None),
            Ok(_) if tool.shows_numbers => return self.of_numbers(tool.name, arguments_sha256).await,
            Ok(_) => return,
            Err(failure) if failure.is_refusal => (AuditOutcome::Refused, Some(failure.code), Some(&failure.details)),
            Err(_) if tool.hints.read_only => return,
            Err(failure) => (AuditOutcome::Failed, Some(failure.code), Some(&failure.details)),
        };
        let id = |name: &str| body.and_then(|body| body[name].as_str());
        let entry = AuditEntry {
            code: code.map(str::to_owned),
            call_id: id("call_id").and_then(|id| id.parse().ok()),
            decision_id: id("decision_id").and_then(|id| id.parse().ok()),
            ..self.entry(result, tool.name, arguments_sha256)
        };
        self.write(entry).await;
    }

    /// Something was shown that holds numbers, in full for those who may read them.
    pub(super) async fn of_numbers(&self, action: &str, arguments_sha256: String) {
        if self.by.may(Scope::NumbersRead) {
            self.write(self.entry(AuditOutcome::ReadNumbers, action, arguments_sha256)).await;
        }
    }

    /// Something was not shown or not done.
    pub(super) async fn refused(&self, action: &str, arguments_sha256: String, code: &str) {
        let entry = self.entry(AuditOutcome::Refused, action, arguments_sha256);
        self.write(AuditEntry { code: Some(code.to_owned()), ..entry }).await;
    }

    fn entry(&self, outcome: AuditOutcome, action: &str, arguments_sha256: String) -> AuditEntry {
        AuditEntry {
            at: self.app.clock.now(),
            actor: Actor::new(Door::Mcp, &*self.by.name),
            action: action.to_owned(),
            outcome,
            code: None,
            call_id: None,
            decision_id: None,
            arguments_sha256,
        }
    }

    async fn write(&self, entry: AuditEntry) {
        if let Err(error) = self.app.store.record_audit(entry).await {
            tracing::error!(%error, "an audit entry could not be written");
        }
    }
}
