//! TwiML as the emulator reads it: an XML document becomes a list of verbs. What is not known becomes a warning, as at Twilio.

use roxmltree::Node;

/// A document, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    pub verbs: Vec<Verb>,
    /// What Twilio would report as warning 12200, schema validation.
    pub warnings: Vec<String>,
}

/// The document cannot be used: error 12100.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TwimlError {
    #[error("document parse failure: {0}")]
    Xml(String),
    #[error("the root of a document is <Response>, not <{0}>")]
    Root(String),
}

/// Where a verb sends the call next, as written: possibly relative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub url: String,
    pub get: bool,
}

/// What a document can make the call do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verb {
    Say {
        text: String,
        times: u32,
    },
    Play {
        url: String,
        digits: String,
    },
    /// Seconds.
    Pause(u32),
    Hangup,
    Reject {
        busy: bool,
    },
    Redirect(Target),
    Connect {
        action: Option<Target>,
        stream: Stream,
    },
    StartRecording(RecordingWish),
    Dial(Dial),
    Gather(Gather),
    Record(Record),
}

impl Verb {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Say { .. } => "Say",
            Self::Play { .. } => "Play",
            Self::Pause(_) => "Pause",
            Self::Hangup => "Hangup",
            Self::Reject { .. } => "Reject",
            Self::Redirect(_) => "Redirect",
            Self::Connect { .. } => "Connect",
            Self::StartRecording(_) => "Start",
            Self::Dial(_) => "Dial",
            Self::Gather(_) => "Gather",
            Self::Record(_) => "Record",
        }
    }
}

/// `<Stream>` in `<Connect>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stream {
    pub url: String,
    pub name: Option<String>,
    pub status_callback: Option<Target>,
    pub parameters: Vec<(String, String)>,
}

/// `<Recording>` in `<Start>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordingWish {
    pub dual: bool,
    pub track: String,
    pub callback: Option<Target>,
    pub callback_events: Vec<String>,
}

/// `<Dial>` with its `<Number>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dial {
    pub action: Option<Target>,
    pub number: String,
    pub timeout_s: u32,
    pub caller_id: Option<String>,
    /// What the other side hears before the two are connected.
    pub screen: Option<Target>,
    pub status_callback: Option<Target>,
    pub status_callback_events: Vec<String>,
}

/// `<Gather input="dtmf">`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gather {
    pub action: Option<Target>,
    pub timeout_s: u32,
    pub num_digits: Option<usize>,
    pub finish_on: Option<char>,
    pub action_on_empty: bool,
    pub get: bool,
    /// `Say`, `Play` and `Pause` while listening.
    pub prompts: Vec<Verb>,
}

/// `<Record>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub action: Option<Target>,
    pub get: bool,
    pub timeout_s: u32,
    pub max_length_s: u32,
    pub finish_on: String,
    pub callback: Option<Target>,
}

impl Document {
    pub(super) fn parse(xml: &str) -> Result<Self, TwimlError> {
        let tree = roxmltree::Document::parse(xml).map_err(|error| TwimlError::Xml(error.to_string()))?;
        let root = tree.root_element();
        if root.tag_name().name() != "Response" {
            return Err(TwimlError::Root(root.tag_name().name().to_owned()));
        }
        let mut warnings = Vec::new();
        let verbs = elements(root).filter_map(|node| verb(node, &mut warnings)).collect();
        Ok(Self { verbs, warnings })
    }
}

fn verb(node: Node<'_, '_>, warnings: &mut Vec<String>) -> Option<Verb> {
    let verb = match node.tag_name().name() {
        "Say" => Verb::Say { text: text(node), times: repetitions(node) },
        "Play" => Verb::Play { url: text(node), digits: node.attribute("digits").unwrap_or_default().to_owned() },
        "Pause" => Verb::Pause(number(node, "length", 1)),
        "Hangup" => Verb::Hangup,
        "Reject" => Verb::Reject { busy: node.attribute("reason") == Some("busy") },
        "Redirect" => Verb::Redirect(Target { url: text(node), get: is_get(node, "method") }),
        "Connect" => connect(node, warnings)?,
        "Start" => start(node, warnings)?,
        "Dial" => dial(node, warnings)?,
        "Gather" => gather(node, warnings),
        "Record" => Verb::Record(Record {
            action: target(node, "action", "method"),
            get: is_get(node, "method"),
            timeout_s: number(node, "timeout", 5),
            max_length_s: number(node, "maxLength", 3_600),
            finish_on: node.attribute("finishOnKey").unwrap_or("1234567890*#").to_owned(),
            callback: target(node, "recordingStatusCallback", "recordingStatusCallbackMethod"),
        }),
        other => {
            warnings.push(format!("<{other}> is not a verb that this emulator knows"));
            return None;
        }
    };
    Some(verb)
}

fn connect(node: Node<'_, '_>, warnings: &mut Vec<String>) -> Option<Verb> {
    let Some(noun) = elements(node).find(|child| child.tag_name().name() == "Stream") else {
        warnings.push("<Connect> without <Stream>".to_owned());
        return None;
    };
    for attribute in noun.attributes() {
        let known = [
            "url",
            "name",
            "track",
            "statusCallback",
            "statusCallbackMethod",
            "connectorName",
            "audioFormat",
            "sampleRate",
        ];
        if !known.contains(&attribute.name()) {
            warnings.push(format!("<Stream> has no attribute {}", attribute.name()));
        }
    }
    let parameters = elements(noun)
        .filter(|child| child.tag_name().name() == "Parameter")
        .filter_map(|child| Some((child.attribute("name")?.to_owned(), child.attribute("value")?.to_owned())))
        .filter(|(name, value)| {
            let fits = name.len() + value.len() < 500;
            if !fits {
                warnings.push(format!("<Parameter> {name} is left out: name and value must be under 500 characters"));
            }
            fits
        })
        .collect();
    let stream = Stream {
        url: noun.attribute("url").unwrap_or_default().trim().to_owned(),
        name: noun.attribute("name").map(str::to_owned),
        status_callback: target(noun, "statusCallback", "statusCallbackMethod"),
        parameters,
    };
    Some(Verb::Connect { action: target(node, "action", "method"), stream })
}

fn start(node: Node<'_, '_>, warnings: &mut Vec<String>) -> Option<Verb> {
    let noun = elements(node).next()?;
    if noun.tag_name().name() != "Recording" {
        warnings.push(format!("<Start><{}> is not something that this emulator does", noun.tag_name().name()));
        return None;
    }
    Some(Verb::StartRecording(RecordingWish {
        dual: noun.attribute("channels") == Some("dual"),
        track: noun.attribute("track").unwrap_or("both").to_owned(),
        callback: target(noun, "recordingStatusCallback", "recordingStatusCallbackMethod"),
        callback_events: words(noun, "recordingStatusCallbackEvent", "completed"),
    }))
}

fn dial(node: Node<'_, '_>, warnings: &mut Vec<String>) -> Option<Verb> {
    let noun = elements(node).next();
    if let Some(other) = noun.filter(|noun| noun.tag_name().name() != "Number") {
        warnings.push(format!("<Dial><{}> is not something that this emulator does", other.tag_name().name()));
        return None;
    }
    Some(Verb::Dial(Dial {
        action: target(node, "action", "method"),
        number: noun.map_or_else(|| text(node), text),
        timeout_s: number(node, "timeout", 30),
        caller_id: node.attribute("callerId").map(str::to_owned),
        screen: noun.and_then(|noun| target(noun, "url", "method")),
        status_callback: noun.and_then(|noun| target(noun, "statusCallback", "statusCallbackMethod")),
        status_callback_events: noun.map_or_else(Vec::new, |noun| words(noun, "statusCallbackEvent", "completed")),
    }))
}

fn gather(node: Node<'_, '_>, warnings: &mut Vec<String>) -> Verb {
    if node.attribute("input").is_some_and(|input| input.contains("speech")) {
        warnings.push("<Gather> listens for key-presses only".to_owned());
    }
    Verb::Gather(Gather {
        action: target(node, "action", "method"),
        timeout_s: number(node, "timeout", 5),
        num_digits: node.attribute("numDigits").and_then(|text| text.parse().ok()),
        finish_on: node.attribute("finishOnKey").unwrap_or("#").chars().next(),
        action_on_empty: node.attribute("actionOnEmptyResult") == Some("true"),
        get: is_get(node, "method"),
        prompts: elements(node).filter_map(|child| verb(child, warnings)).collect(),
    })
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

/// All text in an element, also that inside SSML, with runs of blanks made one.
fn text(node: Node<'_, '_>) -> String {
    let text: String = node.descendants().filter(Node::is_text).filter_map(|part| part.text()).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn number(node: Node<'_, '_>, name: &str, default: u32) -> u32 {
    node.attribute(name).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// `loop`: 0 means "until the call ends", for which 1,000 is near enough.
fn repetitions(node: Node<'_, '_>) -> u32 {
    match number(node, "loop", 1) {
        0 => 1_000,
        times => times,
    }
}

fn is_get(node: Node<'_, '_>, name: &str) -> bool {
    node.attribute(name).is_some_and(|method| method.eq_ignore_ascii_case("GET"))
}

fn target(node: Node<'_, '_>, url: &str, method: &str) -> Option<Target> {
    let url = node.attribute(url)?.trim();
    (!url.is_empty()).then(|| Target { url: url.to_owned(), get: is_get(node, method) })
}

fn words(node: Node<'_, '_>, name: &str, default: &str) -> Vec<String> {
    node.attribute(name).unwrap_or(default).split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_document_is_read_whole() {
        let document = Document::parse(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <Response>
              <Start><Recording channels="dual" recordingStatusCallback="https://a.example/rec" recordingStatusCallbackEvent="in-progress completed"/></Start>
              <Connect action="/after?x=1&amp;y=2"><Stream url="wss://a.example/media" name="s" statusCallback="https://a.example/s">
                <Parameter name="token" value="a&amp;b"/></Stream></Connect>
              <Say voice="x">Sorry, <break/> goodbye.</Say><Hangup/>
            </Response>"#,
        )
        .unwrap();
        let names: Vec<&str> = document.verbs.iter().map(Verb::name).collect();
        assert_eq!(names, ["Start", "Connect", "Say", "Hangup"]);
        let Verb::Connect { action, stream } = &document.verbs[1] else { panic!("{document:?}") };
        assert_eq!(action.as_ref().unwrap().url, "/after?x=1&y=2");
        assert_eq!(stream.parameters, [("token".to_owned(), "a&b".to_owned())]);
        assert_eq!(document.verbs[2], Verb::Say { text: "Sorry, goodbye.".to_owned(), times: 1 });
        assert_eq!(document.warnings, [] as [&str; 0]);
    }

    #[test]
    fn what_is_unknown_is_a_warning_and_skipped() {
        let document =
            Document::parse("<Response><Sing/><Start><Siprec/></Start><Connect/><Hangup/></Response>").unwrap();
        assert_eq!(document.verbs, [Verb::Hangup]);
        assert_eq!(document.warnings.len(), 3);
        let long = format!(
            r#"<Response><Connect><Stream url="wss://a.example"><Parameter name="n" value="{}"/></Stream></Connect></Response>"#,
            "x".repeat(499)
        );
        assert_eq!(Document::parse(&long).unwrap().warnings.len(), 1);
    }

    #[test]
    fn other_documents_are_refused() {
        assert!(matches!(Document::parse("<Response>"), Err(TwimlError::Xml(_))));
        assert_eq!(Document::parse("<html/>"), Err(TwimlError::Root("html".to_owned())));
    }
}
