//! Tokens made with keys of our own, and the published example of RFC 7515.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::jwt::{Jwks, Token};
use super::{Issuer, TokenError};

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "https://voice.example.com/mcp";

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "agent-7", "exp": now().as_second() + 60, "scope": "calls:read nonsense"})
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

struct Signer(Ed25519KeyPair);

impl Signer {
    fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    fn key(&self) -> Value {
        let x = BASE64.encode(self.0.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "x": x})
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({"alg": "EdDSA", "kid": "k1", "typ": "at+jwt"}), claims)
    }

    fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let signature = BASE64.encode(self.0.sign(text.as_bytes()).as_ref());
        format!("{text}.{signature}")
    }
}

fn verify(keys: &Value, token: &str) -> Result<super::Claims, TokenError> {
    let keys: Jwks = serde_json::from_value(json!({ "keys": keys })).unwrap();
    let token = Token::parse(token)?;
    token.verify(keys.find(&token).ok_or(TokenError::UnknownKey)?, ISSUER, AUDIENCE, now())
}

#[test]
fn a_token_for_us_is_read() {
    let signer = Signer::new();
    let read = verify(&json!([signer.key()]), &signer.sign(&claims())).unwrap();
    assert_eq!((read.subject.as_str(), read.scopes), ("agent-7", vec!["calls:read".to_owned(), "nonsense".to_owned()]));
    let mut several = claims();
    several["aud"] = json!(["https://other.example.com", AUDIENCE]);
    several["exp"] = serde_json::from_str(&format!("{}.5", now().as_second())).unwrap();
    assert!(verify(&json!([signer.key()]), &signer.sign(&several)).is_ok());
}

#[test]
fn every_check_that_fails_says_which() {
    let signer = Signer::new();
    let keys = json!([signer.key()]);
    let with = |name: &str, value: Value| {
        let mut changed = claims();
        changed[name] = value;
        verify(&keys, &signer.sign(&changed))
    };
    let second = now().as_second();
    assert_eq!(with("iss", json!("https://auth.example.com/")), Err(TokenError::Issuer));
    assert_eq!(with("aud", json!("https://voice.example.com")), Err(TokenError::Audience));
    assert_eq!(with("aud", json!(["https://other.example.com"])), Err(TokenError::Audience));
    assert_eq!(with("aud", Value::Null), Err(TokenError::Claims));
    assert_eq!(with("exp", json!(second - 60)), Err(TokenError::Expired));
    assert_eq!(with("exp", json!("2099-01-01")), Err(TokenError::Claims));
    assert_eq!(with("exp", Value::Null), Err(TokenError::Claims));
    assert_eq!(with("nbf", json!(second + 60)), Err(TokenError::Expired));
    assert_eq!(with("nbf", json!("soon")), Err(TokenError::Claims));
    assert_eq!(with("sub", json!("")), Err(TokenError::Claims));

    let header = |header: Value| verify(&keys, &signer.sign_with(&header, &claims()));
    assert_eq!(header(json!({"alg": "none"})), Err(TokenError::Algorithm));
    assert_eq!(header(json!({"alg": "HS256"})), Err(TokenError::Algorithm));
    assert_eq!(header(json!({"alg": "EdDSA", "kid": "k2"})), Err(TokenError::UnknownKey));
    assert_eq!(header(json!({"alg": "RS256", "kid": "k1"})), Err(TokenError::UnknownKey));
    assert_eq!(header(json!({"alg": "EdDSA", "crit": ["exp"]})), Err(TokenError::Malformed));
    assert_eq!(header(json!({"alg": "EdDSA", "typ": "secevent+jwt"})), Err(TokenError::Malformed));
    assert!(header(json!({"alg": "EdDSA"})).is_ok(), "one key, and no id to tell it by");

    let other = Signer::new();
    assert_eq!(verify(&keys, &other.sign(&claims())), Err(TokenError::Signature));
    let two = json!([signer.key(), {"kty": "OKP", "crv": "Ed25519", "kid": "k2", "x": other.key()["x"]}]);
    assert_eq!(
        verify(&two, &signer.sign_with(&json!({"alg": "EdDSA"}), &claims())),
        Err(TokenError::UnknownKey),
        "which of two keys is not to be guessed"
    );
    for text in ["", "a", "a.b", "a.b.c", "!!.e30.x", &"a".repeat(20_000)] {
        assert_eq!(verify(&keys, text), Err(TokenError::Malformed), "{text}");
    }
}

#[test]
fn elliptic_curve_and_rsa_signatures_are_checked() {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let key = json!({"kty": "EC", "crv": "P-256", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])});
    let text = unsigned(&json!({"alg": "ES256"}), &claims());
    let signature = BASE64.encode(pair.sign(&random, text.as_bytes()).unwrap().as_ref());
    assert!(verify(&json!([key]), &format!("{text}.{signature}")).is_ok());
    assert_eq!(verify(&json!([key]), &format!("{text}.{}", BASE64.encode([0; 64]))), Err(TokenError::Signature));

    // RFC 7515, appendix A.2: a valid signature over claims that are not for us.
    let rsa = json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert_eq!(verify(&json!([rsa]), token), Err(TokenError::Issuer), "past the signature");
    let (text, _) = token.rsplit_once('.').unwrap();
    assert_eq!(verify(&json!([rsa]), &format!("{text}.{}", BASE64.encode([1; 256]))), Err(TokenError::Signature));
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_only_after_a_while() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let signer = Signer::new();
    let fetched = Arc::new(AtomicUsize::new(0));
    let document = json!({"keys": [signer.key()]}).to_string();
    let router = Router::new()
        .route(
            "/.well-known/jwks.json",
            get(|State(fetched): State<Arc<AtomicUsize>>| async move {
                fetched.fetch_add(1, Ordering::SeqCst);
                document
            }),
        )
        .with_state(Arc::clone(&fetched));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let tasks = TaskTracker::new();
    tasks.spawn(async move { axum::serve(listener, router).await });

    let mut claims = claims();
    claims["iss"] = json!(issuer);
    claims["exp"] = json!(now().as_second() + 10_000);
    let (good, stranger) = (signer.sign(&claims), signer.sign_with(&json!({"alg": "EdDSA", "kid": "new"}), &claims));
    let server = Issuer::new(&issuer, AUDIENCE, "").unwrap();
    let later = |seconds| now() + SignedDuration::from_secs(seconds);
    for second in [0, 1, 2] {
        assert!(server.verify(&good, later(second)).await.is_ok());
        assert_eq!(server.verify(&stranger, later(second)).await, Err(TokenError::UnknownKey));
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    assert_eq!(server.verify(&stranger, later(31)).await, Err(TokenError::UnknownKey));
    assert_eq!(fetched.load(Ordering::SeqCst), 2, "an unknown key is looked for again");
    assert!(server.verify(&good, later(640)).await.is_ok());
    assert_eq!(fetched.load(Ordering::SeqCst), 3, "old keys are fetched anew");

    let nobody = Issuer::new("http://127.0.0.1:9", AUDIENCE, "").unwrap();
    assert_eq!(nobody.verify(&good, now()).await, Err(TokenError::NoKeys));
}
