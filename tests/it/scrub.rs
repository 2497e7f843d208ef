//! A scrubbing vendor in the dial path: its answers bind, its silence denies, and a number is not asked about twice.

use std::time::Duration;

use clearline::compliance::facts::Reassigned;
use clearline::domain::Secret;
use clearline::domain::decision::LineType;
use clearline::scrub::{Account, Credentials, ScrubClient, Vendor};
use clearline::store::Reassignment;
use jiff::civil::date;
use serde_json::{Value, json};

use super::gate::{Morning, e164};
use super::vendors::Vendors;
use super::{ACCOUNT, AUTH_TOKEN, SELLER};

const ASKS: &str = r#"
    [compliance.scrub]
    vendor = "twilio_lookup"
    api_url = "TWILIO"
    line_type = true
    time_limit_ms = 20000
"#;

/// The only reason of a denial: its code and its message.
fn reason(body: &Value) -> (&str, &str) {
    let reasons = body["error"]["details"]["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 1, "{body}");
    (reasons[0]["code"].as_str().unwrap(), reasons[0]["message"].as_str().unwrap())
}

async fn place(stage: &Morning, number: &str) -> (u16, Value) {
    let placed = stage.api.post("/api/v1/calls", &json!({"to": number})).await;
    (placed.status, placed.body)
}

#[tokio::test]
async fn a_number_that_is_still_theirs_is_dialled_and_asked_about_once() {
    let stage = Morning::start_with(ASKS, 100.0).await;
    stage.consent(SELLER).await;
    let (status, body) = place(&stage, SELLER).await;
    assert_eq!(status, 202, "{body}");
    stage.api.ended(body["call_id"].as_str().unwrap()).await;
    let (status, body) = place(&stage, SELLER).await;
    assert_eq!(status, 202, "{body}");
    stage.api.ended(body["call_id"].as_str().unwrap()).await;
    assert_eq!(stage.vendors.lookups(), 1, "the second time the answer is on record");
    let asked = stage.vendors.twilio_saw("the lookup", |entry| entry.event == "lookup").await;
    assert_eq!((asked.text("since"), asked.text("number")), (Some("20260921"), Some("+1212•••0113")));
    let record = stage.server.app.store.number_record(&e164(SELLER)).await.unwrap();
    let [answer] = record.reassigned.as_slice() else { panic!("{record:?}") };
    assert_eq!((answer.answer, answer.consent_date), (Reassignment::No, date(2026, 9, 21)));
    assert_eq!((answer.source.as_str(), record.line_type), ("Twilio Lookup", Some(LineType::Mobile)));
    stage.check_books(&[SELLER]).await;
}

#[tokio::test]
async fn a_number_that_changed_hands_is_not_dialled() {
    let stage = Morning::start_with(ASKS, 100.0).await;
    stage.consent(SELLER).await;
    stage.vendors.know(json!({"number": SELLER, "disconnected_on": "2026-09-21"})).await;
    let (status, body) = place(&stage, SELLER).await;
    assert_eq!((status, reason(&body).0), (403, "REASSIGNED_NUMBER"), "{body}");

    // It was given back before the person agreed: theirs, and still is.
    let earlier = "+12125550114";
    stage.consent(earlier).await;
    stage.vendors.know(json!({"number": earlier, "disconnected_on": "2026-09-20"})).await;
    let (status, body) = place(&stage, earlier).await;
    assert_eq!(status, 202, "{body}");
    stage.api.ended(body["call_id"].as_str().unwrap()).await;

    // No data is no denial, but no safe harbour either.
    let unheard_of = "+12125550115";
    stage.consent(unheard_of).await;
    stage.vendors.know(json!({"number": unheard_of, "no_data": true})).await;
    let asked = stage.api.post("/api/v1/check", &json!({"number": unheard_of})).await.body;
    assert_eq!(asked["decision"], "allow", "{asked}");
    assert!(asked["warnings"].to_string().contains("no safe harbour"), "{asked}");
    assert_eq!(stage.vendors.lookups(), 3);
    stage.check_books(&[SELLER, earlier, unheard_of]).await;
}

#[tokio::test]
async fn a_vendor_that_fails_denies_and_says_so() {
    let stage = Morning::start_with(&ASKS.replace("20000", "3000"), 100.0).await;
    stage.consent(SELLER).await;
    let faults = [
        ("server_error", "Twilio Lookup failed"),
        ("rate_limit", "Twilio Lookup is limiting our requests"),
        ("silence", "Twilio Lookup did not answer within 3000 ms"),
        ("garbage", "Twilio Lookup answered with a body that is not the documented one"),
        ("not_enabled", "error 60606"),
    ];
    for (fault, says) in faults {
        stage.vendors.break_twilio(json!({"lookups": fault})).await;
        let (status, body) = place(&stage, SELLER).await;
        let (code, message) = reason(&body);
        assert_eq!((status, code), (403, "FACT_UNKNOWN"), "{fault}: {body}");
        assert!(message.contains("rnd") && message.contains(says), "{fault}: {message}");
    }
    // Five failures in a row: the vendor is left alone, though it would answer now.
    stage.vendors.break_twilio(json!({})).await;
    let (status, body) = place(&stage, SELLER).await;
    assert_eq!((status, reason(&body).0), (403, "FACT_UNKNOWN"));
    assert!(reason(&body).1.contains("was not asked, since it failed 5 times in a row"), "{body}");
    assert_eq!((stage.vendors.lookups(), stage.vendors.dials()), (5, 0));
    let record = stage.server.app.store.number_record(&e164(SELLER)).await.unwrap();
    assert_eq!(record.reassigned, [], "a failure is no answer");
    stage.check_books(&[SELLER]).await;
}

#[tokio::test]
async fn nobody_is_asked_about_what_no_rule_asks() {
    let stage =
        Morning::start_with(&format!("{ASKS}\n[compliance]\npurposes = [\"telemarketing\", \"emergency\"]"), 100.0)
            .await;
    // Without a consent there is no day to ask about; toll-free numbers, foreign ones and emergencies need no answer.
    for number in [SELLER, "+18005550113", "+442071838750", "nonsense"] {
        let asked = stage.api.post("/api/v1/check", &json!({"number": number})).await.body;
        assert_eq!(asked["decision"], "deny", "{asked}");
    }
    stage.consent(SELLER).await;
    let emergency = json!({"number": SELLER, "purpose": "emergency"});
    assert_eq!(stage.api.post("/api/v1/check", &emergency).await.body["decision"], "allow");
    assert_eq!(stage.vendors.lookups(), 0);
}

fn client(vendors: &Vendors, password: &str) -> ScrubClient {
    let credentials = Credentials { user: ACCOUNT.to_owned(), password: Secret::new(password) };
    let api_url = vendors.twilio.base_url();
    let time_limit = Duration::from_secs(20);
    ScrubClient::new(Account { vendor: Vendor::TwilioLookup, api_url, credentials, time_limit, line_type: true })
        .unwrap()
}

#[tokio::test]
async fn the_kind_of_line_is_read_strictly() {
    let vendors = Vendors::start().await;
    let client = client(&vendors, AUTH_TOKEN);
    let kinds = [
        ("landline", Some(LineType::LandlineResidential)),
        ("mobile", Some(LineType::Mobile)),
        ("fixedVoip", Some(LineType::Mobile)),
        ("tollFree", Some(LineType::Mobile)),
        ("unknown", None),
    ];
    for (kind, line_type) in kinds {
        vendors.know(json!({"number": SELLER, "line_type": kind})).await;
        let answer = client.ask(&e164(SELLER), date(2026, 9, 21)).await.unwrap();
        assert_eq!((answer.reassigned, answer.line_type), (Reassigned::No, line_type), "{kind}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_named() {
    let vendors = Vendors::start().await;
    let refused = client(&vendors, "wrong").ask(&e164(SELLER), date(2026, 9, 21)).await.unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("Twilio Lookup refused our credentials") && said.contains("carrier.twilio"), "{said}");
    assert!(!said.contains("5550113"), "{said}");
}
