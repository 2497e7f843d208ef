//! Twilio Lookup v2: what is asked about a number, and what the answer says of its reassignment and of its line.
//!
//! `GET /v2/PhoneNumbers/{number}?Fields=reassigned_number&LastVerifiedDate=20260921` answers a JSON object with one object a
//! package that was asked for, each with an `error_code` of its own. Sources: Twilio, "Lookup v2 API", "Reassigned Number" and "Line
//! Type Intelligence" (twilio.com/docs/lookup/v2-api), `OpenAPI` document `twilio_lookups_v2` of twilio-oai, errors 60600 to 60623.

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::E164;

/// What is asked about a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupRequest {
    /// The day on which the person was last known to have the number: was it reassigned on or after that day?
    pub last_verified: Date,
    /// Ask for the kind of line too, which is charged apart.
    pub line_type: bool,
}

impl LookupRequest {
    /// The query of the request.
    pub fn query(&self) -> [(&'static str, String); 2] {
        let fields = if self.line_type { "reassigned_number,line_type_intelligence" } else { "reassigned_number" };
        let date = self.last_verified;
        let day = format!("{:04}{:02}{:02}", date.year(), date.month(), date.day());
        [("Fields", fields.to_owned()), ("LastVerifiedDate", day)]
    }
}

/// An answer that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupAnswer {
    pub reassigned: Result<IsReassigned, PackageFault>,
    /// None where it was not asked for, is not known, or is a kind that the vendor has invented since.
    pub line: Option<LineKind>,
}

/// `is_number_reassigned`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsReassigned {
    Yes,
    No,
    NoDataAvailable,
}

/// `line_type_intelligence.type`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    Mobile,
    Landline,
    /// `fixedVoip`, `nonFixedVoip`, `tollFree`, `pager` and so on.
    Other,
}

/// Why a package has no answer, although the request has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageFault {
    /// The package's own `error_code`: 60606 means that the account is not enabled for it.
    Code(u32),
    /// There is no such object in the answer, or none of the documented words in it.
    NotAnswered,
}

/// Reads the body of a 200 answer about this number. None if it is not the documented object, or about another number.
pub fn parse_lookup(body: &[u8], asked: &E164) -> Option<LookupAnswer> {
    let wire: WireAnswer = serde_json::from_slice(body).ok()?;
    if wire.phone_number.as_deref() != Some(asked.as_str()) {
        return None;
    }
    let reassigned = match wire.reassigned_number {
        None => Err(PackageFault::NotAnswered),
        Some(package) => match (error_code(package.error_code.as_ref()), package.is_number_reassigned.as_deref()) {
            (Some(code), _) => Err(PackageFault::Code(code)),
            (None, Some("yes")) => Ok(IsReassigned::Yes),
            (None, Some("no")) => Ok(IsReassigned::No),
            (None, Some("no_data_available")) => Ok(IsReassigned::NoDataAvailable),
            (None, _) => Err(PackageFault::NotAnswered),
        },
    };
    let line = wire.line_type_intelligence.filter(|package| error_code(package.error_code.as_ref()).is_none());
    let line = line.and_then(|package| match package.kind?.as_str() {
        "mobile" => Some(LineKind::Mobile),
        "landline" => Some(LineKind::Landline),
        "unknown" => None,
        _ => Some(LineKind::Other),
    });
    Some(LookupAnswer { reassigned, line })
}

/// A number in the documents, a text in some answers. Anything else but `null` is an error of which no code is known.
fn error_code(value: Option<&Value>) -> Option<u32> {
    match value? {
        Value::Null => None,
        Value::Number(code) => Some(code.as_u64().and_then(|code| u32::try_from(code).ok()).unwrap_or_default()),
        Value::String(code) => Some(code.parse().unwrap_or_default()),
        _ => Some(0),
    }
}

#[derive(Deserialize)]
struct WireAnswer {
    phone_number: Option<String>,
    reassigned_number: Option<WireReassigned>,
    line_type_intelligence: Option<WireLine>,
}

#[derive(Deserialize)]
struct WireReassigned {
    is_number_reassigned: Option<String>,
    error_code: Option<Value>,
}

#[derive(Deserialize)]
struct WireLine {
    #[serde(rename = "type")]
    kind: Option<String>,
    error_code: Option<Value>,
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const DOCUMENTED: &str = include_str!("../../../tests/fixtures/twilio/lookup_reassigned.json");

    fn asked() -> E164 {
        "+12125550113".parse().unwrap()
    }

    fn reassigned(package: &str) -> Result<IsReassigned, PackageFault> {
        let body = format!(r#"{{"phone_number":"+12125550113","reassigned_number":{package}}}"#);
        parse_lookup(body.as_bytes(), &asked()).unwrap().reassigned
    }

    #[test]
    fn the_documented_answer_is_read() {
        let answer = parse_lookup(DOCUMENTED.as_bytes(), &asked()).unwrap();
        assert_eq!(answer, LookupAnswer { reassigned: Ok(IsReassigned::No), line: Some(LineKind::Mobile) });
    }

    #[test]
    fn each_documented_word_is_told_from_an_error() {
        assert_eq!(reassigned(r#"{"is_number_reassigned":"yes","error_code":null}"#), Ok(IsReassigned::Yes));
        let no_data = r#"{"is_number_reassigned":"no_data_available"}"#;
        assert_eq!(reassigned(no_data), Ok(IsReassigned::NoDataAvailable));
        let faults = [
            (r#"{"is_number_reassigned":"no","error_code":60606}"#, PackageFault::Code(60606)),
            (r#"{"is_number_reassigned":null,"error_code":"60617"}"#, PackageFault::Code(60617)),
            (r#"{"is_number_reassigned":"no","error_code":{}}"#, PackageFault::Code(0)),
            (r#"{"is_number_reassigned":"maybe","error_code":null}"#, PackageFault::NotAnswered),
            (r#"{"is_number_reassigned":"NO"}"#, PackageFault::NotAnswered),
            ("{}", PackageFault::NotAnswered),
            ("null", PackageFault::NotAnswered),
        ];
        for (package, fault) in faults {
            assert_eq!(reassigned(package), Err(fault), "{package}");
        }
    }

    #[test]
    fn an_answer_about_another_number_or_of_another_form_is_none() {
        for body in [
            "",
            "[]",
            "<html>",
            r#"{"reassigned_number":{"is_number_reassigned":"no"}}"#,
            r#"{"phone_number":"+12125550114","reassigned_number":{"is_number_reassigned":"no"}}"#,
            r#"{"phone_number":"+12125550113","reassigned_number":"no"}"#,
        ] {
            assert_eq!(parse_lookup(body.as_bytes(), &asked()), None, "{body}");
        }
    }

    #[test]
    fn a_line_that_is_not_known_is_none() {
        let line = |package: &str| {
            let body = format!(r#"{{"phone_number":"+12125550113","line_type_intelligence":{package}}}"#);
            parse_lookup(body.as_bytes(), &asked()).unwrap().line
        };
        assert_eq!(line(r#"{"type":"landline","error_code":null}"#), Some(LineKind::Landline));
        assert_eq!(line(r#"{"type":"fixedVoip"}"#), Some(LineKind::Other));
        assert_eq!(line(r#"{"type":"a kind of tomorrow"}"#), Some(LineKind::Other));
        assert_eq!(line(r#"{"type":"unknown"}"#), None);
        assert_eq!(line(r#"{"type":"landline","error_code":60601}"#), None);
        assert_eq!(line(r#"{"type":null}"#), None);
    }

    #[test]
    fn the_query_is_the_documented_one() {
        let request = LookupRequest { last_verified: date(2026, 9, 1), line_type: true };
        let expected = [("Fields", "reassigned_number,line_type_intelligence"), ("LastVerifiedDate", "20260901")];
        assert_eq!(request.query().map(|(name, _)| name), expected.map(|(name, _)| name));
        assert_eq!(request.query().map(|(_, text)| text), expected.map(|(_, text)| text.to_owned()));
    }
}
