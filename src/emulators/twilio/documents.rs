//! Fetching documents: the voice webhook with its fallback, and running one document after the other until the call is over.

use serde_json::json;

use super::calls::Source;
use super::faults::take_one;
use super::interpreter::{Interpreter, Next, Outcome, Request};
use super::line::{Interrupt, Line};
use super::twiml::Document;
use super::webhook::{Answer, Webhook, WebhookError};
use super::{Emulation, locked};

/// Documents that one call may run; a redirect that leads to itself ends there.
const DOCUMENTS: usize = 500;

/// How a call that was talked on ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The documents ran out, or an application error.
    DocumentsEnded,
    Rejected {
        busy: bool,
    },
    PhoneHungUp,
    HungUpByApi,
    TimeLimit,
    ShutDown,
}

impl From<Interrupt> for Ending {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::PhoneHungUp => Self::PhoneHungUp,
            Interrupt::HungUp => Self::HungUpByApi,
            Interrupt::TimeLimit => Self::TimeLimit,
            Interrupt::ShutDown => Self::ShutDown,
            // Only a call that is not to be talked on any more gets here.
            Interrupt::Redirected(_) => Self::DocumentsEnded,
        }
    }
}

impl Emulation {
    /// Runs documents until the call is over.
    pub(super) async fn converse(&self, line: &mut Line, first: Source, fallback: Option<&Request>) -> Ending {
        let mut source = first;
        for _ in 0..DOCUMENTS {
            source = match self.run_document(line, source, fallback).await {
                Ok(Next::Fetch(request)) => Source::Fetch(request),
                Ok(Next::Reject { busy }) => return Ending::Rejected { busy },
                Ok(Next::BadUrl(url)) => {
                    self.warning(&line.call.sid, 11200, &format!("the URL `{url}` leads nowhere"));
                    return Ending::DocumentsEnded;
                }
                Ok(Next::HangUp | Next::Perform(_)) => return Ending::DocumentsEnded,
                Err(Interrupt::Redirected(source)) => source,
                Err(interrupt) => return interrupt.into(),
            };
        }
        self.warning(&line.call.sid, 12000, "the call ran through 500 documents and is ended");
        Ending::DocumentsEnded
    }

    async fn run_document(
        &self,
        line: &mut Line,
        source: Source,
        fallback: Option<&Request>,
    ) -> Result<Next, Interrupt> {
        let Some((document, base)) = self.load(line, source, fallback).await? else {
            return Ok(Next::HangUp);
        };
        for warning in &document.warnings {
            self.warning(&line.call.sid, 12200, warning);
        }
        let mut interpreter = Interpreter::new(document, base);
        let mut outcome = Outcome::FallThrough;
        loop {
            let verb = match interpreter.step(outcome) {
                Next::Perform(verb) => verb,
                next => return Ok(next),
            };
            self.log.record("verb", Some(&line.call.sid), json!({"verb": verb.name()}));
            outcome = self.perform(line, &verb, &interpreter).await?;
        }
    }

    /// The document, and where it came from. `None` after an application error, which ends the call.
    async fn load(
        &self,
        line: &mut Line,
        source: Source,
        fallback: Option<&Request>,
    ) -> Result<Option<(Document, Option<String>)>, Interrupt> {
        let request = match source {
            Source::Inline(text) => {
                return Ok(match Document::parse(&text) {
                    Ok(document) => Some((document, None)),
                    Err(error) => {
                        self.warning(&line.call.sid, 12100, &error.to_string());
                        None
                    }
                });
            }
            Source::Fetch(request) => request,
        };
        let error = match self.fetch(line, &request).await? {
            Ok(document) => return Ok(Some((document, Some(request.url)))),
            Err(error) => error,
        };
        self.warning(&line.call.sid, error.code, &error.message);
        let Some(fallback) = fallback.filter(|fallback| fallback.url != request.url) else { return Ok(None) };
        let mut fallback = fallback.clone();
        fallback.params.push(("ErrorCode".to_owned(), error.code.to_string()));
        fallback.params.push(("ErrorUrl".to_owned(), request.url));
        match self.fetch(line, &fallback).await? {
            Ok(document) => Ok(Some((document, Some(fallback.url)))),
            Err(error) => {
                self.warning(&line.call.sid, error.code, &error.message);
                Ok(None)
            }
        }
    }

    async fn fetch(&self, line: &mut Line, request: &Request) -> Result<Result<Document, WebhookError>, Interrupt> {
        let call = line.call.clone();
        let mut params = self.voice_params(&call.record());
        params.extend(request.params.iter().cloned());
        let hook = Webhook { purpose: "voice", url: request.url.clone(), get: request.get, params };
        let answer = match line.during(self.webhooks.send(&call.sid, &hook)).await? {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let replayed = take_one(&mut locked(&self.faults).replay_voice_webhooks);
        if replayed {
            let again = line.during(self.webhooks.send(&call.sid, &hook)).await?;
            let same = again.is_ok_and(|again| again.body == answer.body);
            self.log.record("voice_webhook_replayed", Some(&call.sid), json!({"same_document": same}));
        }
        Ok(read(&answer))
    }
}

pub(super) fn read(answer: &Answer) -> Result<Document, WebhookError> {
    if !(200..300).contains(&answer.status) {
        return Err(WebhookError { code: 11200, message: format!("the voice URL answered {}", answer.status) });
    }
    if !answer.content_type.contains("xml") && !answer.content_type.is_empty() {
        return Err(WebhookError { code: 12300, message: format!("content type {} is not XML", answer.content_type) });
    }
    Document::parse(&answer.body).map_err(|error| WebhookError { code: 12100, message: error.to_string() })
}
