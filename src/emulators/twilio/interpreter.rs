//! Walks through TwiML documents: which verb is next, and which document is asked for, and when the call is over. Pure.

use std::collections::VecDeque;

use url::Url;

use super::twiml::{Document, Target, Verb};

/// What the call does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Perform(Verb),
    Fetch(Request),
    /// The document ran out, or said so.
    HangUp,
    Reject {
        busy: bool,
    },
    /// A URL that leads nowhere: error 11200.
    BadUrl(String),
}

/// A request for another document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub url: String,
    pub get: bool,
    /// Beside the standard ones.
    pub params: Vec<(String, String)>,
}

/// How a performed verb ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing to tell anybody: the next verb follows.
    FallThrough,
    /// What an `action` is told.
    Report(Vec<(String, String)>),
}

/// One document being run.
#[derive(Debug)]
pub(super) struct Interpreter {
    ahead: VecDeque<Verb>,
    /// Where the document came from; relative URLs start there. `None` for inline TwiML, in which they lead nowhere.
    base: Option<String>,
    current: Option<Verb>,
}

impl Interpreter {
    pub(super) fn new(document: Document, base: Option<String>) -> Self {
        Self { ahead: document.verbs.into(), base, current: None }
    }

    /// Goes on. `outcome` is that of the verb handed out last; at the start there is none.
    pub(super) fn step(&mut self, outcome: Outcome) -> Next {
        if let Outcome::Report(params) = outcome
            && let Some(target) = self.current.take().and_then(|verb| self.action_of(&verb))
        {
            return self.fetch(&target, params);
        }
        let Some(verb) = self.ahead.pop_front() else { return Next::HangUp };
        match &verb {
            Verb::Hangup => Next::HangUp,
            Verb::Reject { busy } => Next::Reject { busy: *busy },
            Verb::Redirect(target) => self.fetch(target, Vec::new()),
            _ => {
                self.current = Some(verb.clone());
                Next::Perform(verb)
            }
        }
    }

    /// Whether no verb is left: the next step can only follow an `action`, or end.
    pub(super) fn is_done(&self) -> bool {
        self.ahead.is_empty()
    }

    /// Resolves a URL of this document.
    pub(super) fn resolve(&self, url: &str) -> Option<String> {
        resolve(self.base.as_deref(), url)
    }

    /// `<Gather>` and `<Record>` without an action go back to their own document, the others to the next verb.
    fn action_of(&self, verb: &Verb) -> Option<Target> {
        let own = |get| self.base.clone().map(|url| Target { url, get });
        match verb {
            Verb::Connect { action, .. } => action.clone(),
            Verb::Dial(dial) => dial.action.clone(),
            Verb::Gather(gather) => gather.action.clone().or_else(|| own(gather.get)),
            Verb::Record(record) => record.action.clone().or_else(|| own(record.get)),
            _ => None,
        }
    }

    fn fetch(&self, target: &Target, params: Vec<(String, String)>) -> Next {
        match self.resolve(&target.url) {
            Some(url) => Next::Fetch(Request { url, get: target.get, params }),
            None => Next::BadUrl(target.url.clone()),
        }
    }
}

/// Absolute URLs stay as written, byte by byte, since they are signed so; others are resolved against `base`.
pub(super) fn resolve(base: Option<&str>, url: &str) -> Option<String> {
    match Url::parse(url) {
        Ok(parsed) => parsed.has_host().then(|| url.to_owned()),
        Err(_) => Url::parse(base?).ok()?.join(url).ok().map(String::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://a.example/calls/voice?id=1";

    fn run(body: &str, base: Option<&str>) -> Interpreter {
        let document = Document::parse(&format!("<Response>{body}</Response>")).unwrap();
        Interpreter::new(document, base.map(str::to_owned))
    }

    fn names(interpreter: &mut Interpreter, outcome: impl Fn() -> Outcome) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            match interpreter.step(if names.is_empty() { Outcome::FallThrough } else { outcome() }) {
                Next::Perform(verb) => names.push(verb.name().to_owned()),
                Next::Fetch(request) => return [names, vec![request.url]].concat(),
                Next::HangUp => return [names, vec!["hang up".to_owned()]].concat(),
                Next::Reject { busy } => return [names, vec![format!("reject {busy}")]].concat(),
                Next::BadUrl(url) => return [names, vec![format!("bad {url}")]].concat(),
            }
        }
    }

    fn report() -> Outcome {
        Outcome::Report(vec![("Digits".to_owned(), "1".to_owned())])
    }

    #[test]
    fn after_a_stream_comes_the_next_verb_and_after_the_last_the_end() {
        let stream = r#"<Connect><Stream url="wss://a.example/m"/></Connect>"#;
        assert_eq!(names(&mut run(&format!("{stream}<Say>x</Say>"), None), report), ["Connect", "Say", "hang up"]);
        assert_eq!(names(&mut run(stream, None), report), ["Connect", "hang up"]);
        assert_eq!(names(&mut run(&format!("{stream}<Hangup/><Say>x</Say>"), None), report), ["Connect", "hang up"]);
        assert_eq!(names(&mut run("", None), report), ["hang up"]);
    }

    #[test]
    fn a_stream_with_an_action_goes_there_instead() {
        let body = r#"<Connect action="after"><Stream url="wss://a.example/m"/></Connect><Say>never</Say>"#;
        assert_eq!(names(&mut run(body, Some(BASE)), report), ["Connect", "https://a.example/calls/after"]);
        assert_eq!(names(&mut run(body, None), report), ["Connect", "bad after"]);
    }

    #[test]
    fn gather_reports_to_its_own_document_or_falls_through() {
        let body = "<Gather/><Say>nothing came</Say>";
        assert_eq!(names(&mut run(body, Some(BASE)), report), ["Gather", BASE]);
        assert_eq!(names(&mut run(body, Some(BASE)), || Outcome::FallThrough), ["Gather", "Say", "hang up"]);
    }

    #[test]
    fn redirect_and_reject_end_the_document() {
        assert_eq!(
            names(&mut run("<Redirect>/other</Redirect><Say>x</Say>", Some(BASE)), report),
            ["https://a.example/other"]
        );
        assert_eq!(names(&mut run(r#"<Reject reason="busy"/>"#, None), report), ["reject true"]);
        assert_eq!(names(&mut run("<Reject/>", None), report), ["reject false"]);
    }

    #[test]
    fn absolute_urls_are_kept_as_written() {
        assert_eq!(resolve(None, "http://127.0.0.1:80").as_deref(), Some("http://127.0.0.1:80"));
        assert_eq!(resolve(None, "voice"), None);
        assert_eq!(resolve(None, "mailto:a@example.com"), None);
    }
}
