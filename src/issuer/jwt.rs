//! Signed tokens (RFC 7515, 7517, 7519): taken apart, checked against a key, and read.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// Longer than any access token that makes sense.
const TOKEN_MAX: usize = 16 * 1024;

/// How far clocks may differ, in seconds.
const LEEWAY_S: i64 = 30;

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub subject: String,
    pub scopes: Vec<String>,
}

/// Why a token is not accepted. The texts may be told to its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is not a signed JWT")]
    Malformed,
    #[error("the token's signature algorithm is not one of RS256, ES256, EdDSA")]
    Algorithm,
    #[error("the token was signed with a key that the authorization server does not publish")]
    UnknownKey,
    #[error("the authorization server's keys cannot be fetched at the moment")]
    NoKeys,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is meant for another audience")]
    Audience,
    #[error("the token has expired, or is not valid yet")]
    Expired,
    #[error("the token lacks a claim that is needed: iss, aud, exp and sub")]
    Claims,
}

/// A token taken apart, not yet believed.
#[derive(Debug)]
pub(super) struct Token {
    header: Header,
    claims: Value,
    signed: String,
    signature: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Jwks {
    keys: Vec<Jwk>,
}

/// A public key. Members that its kind does not have are empty.
#[derive(Debug, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

impl Jwks {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key that this token names; the only fitting one where it names none.
    pub(super) fn find(&self, token: &Token) -> Option<&Jwk> {
        let mut fitting = self.keys.iter().filter(|key| key.fits(&token.header));
        match &token.header.kid {
            Some(_) => fitting.next(),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

impl Jwk {
    fn fits(&self, header: &Header) -> bool {
        let kind = match header.alg.as_str() {
            "RS256" => self.kty == "RSA",
            "ES256" => self.kty == "EC" && self.crv.as_deref() == Some("P-256"),
            _ => self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519"),
        };
        let named = header.kid.is_none() || header.kid == self.kid;
        let meant = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.alg.as_deref().is_none_or(|alg| alg == header.alg);
        kind && named && meant
    }

    fn check(&self, alg: &str, signed: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::UnknownKey);
        let outcome = match alg {
            "RS256" => {
                let key = RsaPublicKeyComponents { n: part(&self.n)?, e: part(&self.e)? };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            }
            "ES256" => {
                let point = [&[4][..], &part(&self.x)?, &part(&self.y)?].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            _ => UnparsedPublicKey::new(&ED25519, part(&self.x)?).verify(signed, signature),
        };
        outcome.map_err(|_| TokenError::Signature)
    }
}

impl Token {
    pub(super) fn parse(text: &str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_MAX {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Malformed)?;
        if !matches!(header.alg.as_str(), "RS256" | "ES256" | "EdDSA") {
            return Err(TokenError::Algorithm);
        }
        // What we do not understand and are told to understand makes the token useless to us.
        let is_jwt = header.typ.as_deref().is_none_or(|typ| {
            let typ = typ.to_ascii_lowercase();
            matches!(typ.trim_start_matches("application/"), "jwt" | "at+jwt")
        });
        if header.crit.is_some() || !is_jwt {
            return Err(TokenError::Malformed);
        }
        let claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Malformed)?;
        Ok(Self { header, claims, signed: signed.to_owned(), signature: decode(signature)? })
    }

    pub(super) fn verify(&self, key: &Jwk, issuer: &str, audience: &str, now: Timestamp) -> Result<Claims, TokenError> {
        key.check(&self.header.alg, self.signed.as_bytes(), &self.signature)?;
        let text = |name: &str| self.claims[name].as_str().filter(|text| !text.is_empty());
        if text("iss").ok_or(TokenError::Claims)? != issuer {
            return Err(TokenError::Issuer);
        }
        let meant_for_us = match &self.claims["aud"] {
            Value::String(one) => one == audience,
            Value::Array(several) => several.iter().any(|one| one == audience),
            _ => return Err(TokenError::Claims),
        };
        if !meant_for_us {
            return Err(TokenError::Audience);
        }
        self.check_time(now.as_second())?;
        let subject = text("sub").filter(|subject| subject.len() <= 200).ok_or(TokenError::Claims)?.to_owned();
        let scopes = match (&self.claims["scope"], &self.claims["scp"]) {
            (Value::String(scopes), _) => scopes.split(' ').map(str::to_owned).collect(),
            (_, Value::Array(scopes)) => scopes.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        Ok(Claims { subject, scopes })
    }

    fn check_time(&self, now: i64) -> Result<(), TokenError> {
        let expires = seconds(&self.claims["exp"]).ok_or(TokenError::Claims)?;
        let not_before = match &self.claims["nbf"] {
            Value::Null => i64::MIN,
            claim => seconds(claim).ok_or(TokenError::Claims)?,
        };
        let valid = now < expires.saturating_add(LEEWAY_S) && now >= not_before.saturating_sub(LEEWAY_S);
        if valid { Ok(()) } else { Err(TokenError::Expired) }
    }
}

/// A time claim: seconds, which may have a fraction.
fn seconds(claim: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "a float that is out of range saturates, which is as good")]
    claim.as_i64().or_else(|| claim.as_f64().map(|seconds| seconds as i64))
}
