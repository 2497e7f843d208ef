//! Errors of the HTTP surfaces as problem documents (RFC 9457). One place decides status, type and what the outside may know.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::store::StoreError;

/// A problem as it goes out: a status, a short type, a sentence that says what to do, and extension members.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    extensions: Map<String, Value>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, title, detail: detail.into(), extensions: Map::new() }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.extensions.insert(name.to_owned(), value);
        self
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", "The request cannot be understood", detail)
    }

    /// The same where each problem is told in a sentence. What was received may be somebody's number and is not said again.
    pub(super) fn invalid_fields(problems: &[(&'static str, String)]) -> Self {
        let listed: Vec<_> =
            problems.iter().map(|(field, problem)| json!({ "field": field, "problem": problem })).collect();
        let told: Vec<_> = problems.iter().map(|(field, problem)| format!("{field}: {problem}")).collect();
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-arguments",
            "Some arguments are not valid",
            format!("Correct these and send the request again: {}.", told.join("; ")),
        )
        .with("problems", Value::Array(listed))
    }

    /// All problems of the arguments at once, as `{field, received, expected}`.
    pub(super) fn invalid_arguments(problems: &[ArgumentProblem]) -> Self {
        let listed: Vec<_> = problems
            .iter()
            .map(|p| json!({"field": p.field, "received": p.received, "expected": p.expected}))
            .collect();
        let fields: Vec<_> = problems.iter().map(|p| p.field).collect();
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-arguments",
            "Some arguments are not valid",
            format!("Correct these and send the request again: {}.", fields.join(", ")),
        )
        .with("problems", Value::Array(listed))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "An API key is needed",
            "Send `Authorization: Bearer clk_…`. Make a key with `clearline keys create`.",
        )
    }

    /// A request that a page of another origin may have made the browser send.
    pub(super) fn forged() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "csrf-token",
            "This did not come from the console",
            "Load the page again and try once more: the request lacked the token of your session, or came from another site.",
        )
    }

    pub(super) fn forbidden(scope: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "missing-scope",
            "This key may not do that",
            format!("The key lacks the scope `{scope}`. Use a key whose role has it, or to which it was granted (`clearline keys list`)."),
        )
        .with("scope", scope.into())
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such thing",
            format!("There is no {what} with this id."),
        )
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not possible at the moment", detail)
    }

    /// Something broke on our side. The cause goes to the log, never to the outside; but for what the store says of the request
    /// itself, or of a trouble that passes.
    pub(super) fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        if let Some(problem) = cause.downcast_ref().and_then(Self::of_store) {
            return problem;
        }
        tracing::error!(error = cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something broke on our side",
            "The request was not carried out. The server's log has the cause.",
        )
    }
}

impl Problem {
    fn of_store(error: &StoreError) -> Option<Self> {
        let conflict = |kind, title| Some(Self::new(StatusCode::CONFLICT, kind, title, error.to_string()));
        match error {
            StoreError::NumberBusy => Some(Self::new(
                StatusCode::CONFLICT,
                "number-busy",
                "This number is being called already",
                "Another call to this number is being placed or is running, and no second one was placed. Wait until it has ended.",
            )),
            StoreError::ConsentExists(_) => conflict("consent-exists", "This permission is on record already"),
            StoreError::Locked | StoreError::DiskFull | StoreError::ReadOnly | StoreError::Closed => {
                tracing::error!(%error, "a request could not be carried out");
                Some(Self::unavailable(format!("Nothing was done: {error}.")))
            }
            _ => None,
        }
    }
}

/// Left in the response for the audit log: the `kind` of the problem.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProblemKind(pub(super) &'static str);

/// What is wrong with one argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArgumentProblem {
    pub field: &'static str,
    pub received: String,
    pub expected: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = Map::new();
        body.insert("type".to_owned(), format!("https://clearline.invalid/problems/{}", self.kind).into());
        body.insert("title".to_owned(), self.title.into());
        body.insert("status".to_owned(), self.status.as_u16().into());
        body.insert("detail".to_owned(), self.detail.into());
        body.extend(self.extensions);
        let mut response = (self.status, Json(Value::Object(body))).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.extensions_mut().insert(ProblemKind(self.kind));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
