//! `X-Twilio-Signature`: whether a webhook or a stream's upgrade really comes from Twilio. Pure: secrets and request in, verdict out.
//!
//! Twilio signs the URL that it was told to use, not the one that arrives here behind proxies; and whether a port stands in that URL
//! depends on scheme and product. So the URL is rebuilt from the configured public address, in the variants that Twilio and its SDKs
//! are known to use, and the signature must fit one of them.
//! Sources: Twilio, "Security" (usage/security), "Webhooks security"; for shared keys the SDK's request validator (twilio-python 9.13).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::forms::form_pairs;
use crate::domain::Secret;

/// The header that holds the signature.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// The header that says which shared key and algorithm signed. Absent where the account's auth token did.
pub const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";

/// The secrets that may sign. An empty secret signs nothing.
#[derive(Debug, Clone, Default)]
pub struct SignatureKeys {
    /// The account's primary auth token and, while it is being rotated, the previous one.
    pub auth_tokens: Vec<Secret>,
    pub shared_keys: Vec<SharedKey>,
}

/// A webhook shared key: a secret of its own, which Twilio names in each request that it signs.
#[derive(Debug, Clone)]
pub struct SharedKey {
    /// `webhooks_sharedkey_…`
    pub id: String,
    pub secret: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    HmacSha1,
    HmacSha256,
}

/// Everything of a request that its signature covers.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// `server.public_url`: `https://host`, possibly with port, user and path prefix.
    pub public_url: &'a str,
    /// What a trusted proxy says that it was asked for, `https://host`. Tried beside the configured one.
    pub forwarded_url: Option<&'a str>,
    /// Path and query as they came, still encoded.
    pub target: &'a str,
    pub content: SignedContent<'a>,
    /// The value of [`SIGNATURE_HEADER`].
    pub signature: Option<&'a str>,
    /// The value of [`SETTINGS_HEADER`].
    pub settings: Option<&'a str>,
}

/// What a request brings beside its URL.
#[derive(Debug, Clone, Copy)]
pub enum SignedContent<'a> {
    Get,
    /// A form is signed pair by pair; any other body by its hash in the URL (`bodySHA256`).
    Post {
        content_type: Option<&'a str>,
        body: &'a [u8],
    },
    /// A WebSocket upgrade, signed over a `wss:` (or `ws:`) URL.
    Upgrade,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error(
        "the request has no X-Twilio-Signature header: only Twilio may call this address, and a proxy must pass its headers on"
    )]
    Missing,
    #[error(
        "no secret is configured to check signatures with: set `carrier.twilio.auth_token` to the primary token of the account"
    )]
    NoSecret,
    #[error("the request is signed with a shared key that is not configured: add it to `carrier.twilio.shared_keys`")]
    UnknownKey,
    #[error(
        "the request is signed with an algorithm other than HMAC_SHA1 and HMAC_SHA256: choose one of these at Twilio"
    )]
    UnknownAlgorithm,
    #[error("the request has a body that is neither a form nor covered by a bodySHA256 in the URL")]
    BodyUnsigned,
    #[error("the body is not the one whose hash was signed: something between Twilio and here changed it")]
    BodyChanged,
    /// Without credentials, and with Twilio's own values masked.
    #[error(
        "the signature fits none of the URLs that it could be for: {}. Set `server.public_url` to the scheme, host and port \
         that Twilio was given, and `carrier.twilio.auth_token` to the primary token of the account that owns the number",
        candidates.join(", ")
    )]
    Mismatch { candidates: Vec<String> },
}

/// Checks one request. Every candidate is compared in constant time, and all of them always.
pub fn verify(keys: &SignatureKeys, request: &SignedRequest<'_>) -> Result<(), SignatureError> {
    let signature = request.signature.filter(|text| !text.is_empty()).ok_or(SignatureError::Missing)?;
    let (secrets, algorithm) = select_secrets(keys, request.settings)?;
    let form = signed_form(request)?;
    let urls = candidate_urls(request);
    let mut fits = Choice::from(0);
    for url in &urls {
        for secret in &secrets {
            fits |= sign(secret, algorithm, url, &form).as_bytes().ct_eq(signature.as_bytes());
        }
    }
    if fits.into() {
        return Ok(());
    }
    let mut candidates = Vec::new();
    for url in urls.iter().map(|url| presentable(url)) {
        if !candidates.contains(&url) {
            candidates.push(url);
        }
    }
    Err(SignatureError::Mismatch { candidates })
}

/// The signature of a request: of the URL alone, or of the URL and a form's decoded pairs, in any order.
pub fn sign(secret: &Secret, algorithm: Algorithm, url: &str, form: &[(String, String)]) -> String {
    let mut pairs: Vec<_> = form.iter().collect();
    // SDKs take the set of values of each name, in byte order.
    pairs.sort_unstable();
    pairs.dedup();
    let parts = pairs.into_iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let message = std::iter::once(url).chain(parts).map(str::as_bytes);
    let key = secret.expose().as_bytes();
    match algorithm {
        Algorithm::HmacSha1 => BASE64.encode(hmac::<Hmac<Sha1>>(key, message)),
        Algorithm::HmacSha256 => BASE64.encode(hmac::<Hmac<Sha256>>(key, message)),
    }
}

/// What a JSON body's `bodySHA256` must be: lower-case hexadecimal.
pub fn body_sha256(body: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(body).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn hmac<'a, M: Mac + KeyInit>(key: &[u8], parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// The secrets to try. The request's header only picks among configured ones; it can neither bring one nor weaken one.
fn select_secrets<'k>(
    keys: &'k SignatureKeys,
    settings: Option<&str>,
) -> Result<(Vec<&'k Secret>, Algorithm), SignatureError> {
    let setting = |name: &str| {
        let pairs = settings.unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let (secrets, algorithm): (Vec<_>, _) = match setting("algorithm") {
        None => (keys.auth_tokens.iter().collect(), Algorithm::HmacSha1),
        Some(name) => {
            let algorithm = match name {
                "HMAC_SHA1" => Algorithm::HmacSha1,
                "HMAC_SHA256" => Algorithm::HmacSha256,
                _ => return Err(SignatureError::UnknownAlgorithm),
            };
            let id = setting("key").ok_or(SignatureError::UnknownKey)?;
            let key = keys.shared_keys.iter().find(|key| key.id == id).ok_or(SignatureError::UnknownKey)?;
            (vec![&key.secret], algorithm)
        }
    };
    let secrets: Vec<_> = secrets.into_iter().filter(|secret| !secret.expose().is_empty()).collect();
    if secrets.is_empty() { Err(SignatureError::NoSecret) } else { Ok((secrets, algorithm)) }
}

/// The pairs that are part of the signed text. A body that is not a form is checked here against its signed hash.
fn signed_form(request: &SignedRequest<'_>) -> Result<Vec<(String, String)>, SignatureError> {
    let SignedContent::Post { content_type, body } = request.content else { return Ok(Vec::new()) };
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(form_pairs(body));
    }
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let hash = query.split('&').find_map(|pair| pair.strip_prefix("bodySHA256="));
    match hash {
        Some(hash) if hash == body_sha256(body) => Ok(Vec::new()),
        Some(_) => Err(SignatureError::BodyChanged),
        None if body.is_empty() => Ok(Vec::new()),
        None => Err(SignatureError::BodyUnsigned),
    }
}

/// Every URL that Twilio may have signed for this request, without repetitions.
fn candidate_urls(request: &SignedRequest<'_>) -> Vec<String> {
    let is_upgrade = matches!(request.content, SignedContent::Upgrade);
    let target = request.target.split('#').next().unwrap_or_default();
    let mut urls = Vec::new();
    for base in [Some(request.public_url), request.forwarded_url].into_iter().flatten() {
        let base = Base::parse(base, is_upgrade);
        for authority in base.authorities() {
            let path = format!("{}{target}", base.prefix);
            let url = format!("{}://{authority}{path}", base.scheme);
            let slashed = is_upgrade.then(|| format!("{}://{authority}{}", base.scheme, toggle_trailing_slash(&path)));
            for url in [Some(url), slashed].into_iter().flatten() {
                if !urls.contains(&url) {
                    urls.push(url);
                }
            }
        }
    }
    urls
}

/// `/media?x` to `/media/?x` and back.
fn toggle_trailing_slash(path_and_query: &str) -> String {
    let end = path_and_query.find('?').unwrap_or(path_and_query.len());
    let (path, query) = path_and_query.split_at(end);
    match path.strip_suffix('/') {
        Some(shorter) => format!("{shorter}{query}"),
        None => format!("{path}/{query}"),
    }
}

/// The parts of an address that variants are made of.
struct Base<'a> {
    scheme: String,
    userinfo: Option<&'a str>,
    host: &'a str,
    port: Option<&'a str>,
    prefix: &'a str,
}

impl<'a> Base<'a> {
    /// Total: what is not an address gives candidates that nothing fits, and the refusal shows them.
    fn parse(url: &'a str, is_upgrade: bool) -> Self {
        let url = url.split(['#', '?']).next().unwrap_or_default();
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (userinfo, host_and_port) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        let (host, port) = match host_and_port.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
            _ => (host_and_port, None),
        };
        let scheme = match (scheme.to_ascii_lowercase().as_str(), is_upgrade) {
            ("https", true) => "wss".to_owned(),
            ("http", true) => "ws".to_owned(),
            (scheme, _) => scheme.to_owned(),
        };
        Self { scheme, userinfo, host, port, prefix: prefix.trim_end_matches('/') }
    }

    /// As configured, without port, with the scheme's own port; each without the user and, where there is one, with.
    fn authorities(&self) -> Vec<String> {
        let default_port = if matches!(self.scheme.as_str(), "https" | "wss") { "443" } else { "80" };
        let with_port = |port: &str| format!("{}:{port}", self.host);
        let configured = self.port.map_or_else(|| self.host.to_owned(), with_port);
        let plain = [configured, self.host.to_owned(), with_port(default_port)];
        let with_user =
            self.userinfo.into_iter().flat_map(|user| plain.iter().map(move |host| format!("{user}@{host}")));
        plain.iter().cloned().chain(with_user).collect()
    }
}

/// The URL as an error may show it: without user and password; values in the query that may be somebody's data are masked
/// (Twilio's own names start with a capital letter, and a number is a run of digits).
fn presentable(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let Some((path, query)) = path_and_query.split_once('?') else {
        return format!("{scheme}://{host}{path_and_query}");
    };
    let pairs: Vec<_> = query.split('&').map(presentable_pair).collect();
    format!("{scheme}://{host}{path}?{}", pairs.join("&"))
}

fn presentable_pair(pair: &str) -> String {
    let Some((name, value)) = pair.split_once('=') else { return "•••".to_owned() };
    let is_twilios = name.starts_with(|c: char| c.is_ascii_uppercase());
    let has_number = value.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() >= 7);
    if is_twilios || has_number { format!("{name}=•••") } else { pair.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY_HASH: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    const BODY: &[u8] = br#"{"property": "value", "boolean": true}"#;
    const FORM: &str =
        "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    const APP: &str = "/myapp.php?foo=1&bar=2";

    fn keys() -> SignatureKeys {
        let shared = SharedKey { id: "webhooks_sharedkey_1".to_owned(), secret: Secret::new("12345") };
        SignatureKeys { auth_tokens: vec![Secret::new("12345")], shared_keys: vec![shared] }
    }

    fn form(body: &str) -> SignedContent<'_> {
        SignedContent::Post {
            content_type: Some("application/x-www-form-urlencoded; charset=UTF-8"),
            body: body.as_bytes(),
        }
    }

    fn json(body: &[u8]) -> SignedContent<'_> {
        SignedContent::Post { content_type: Some("application/json"), body }
    }

    fn request<'a>(base: &'a str, target: &'a str, content: SignedContent<'a>, sig: &'a str) -> SignedRequest<'a> {
        let (public_url, signature) = (base, Some(sig));
        SignedRequest { public_url, forwarded_url: None, target, content, signature, settings: None }
    }

    /// The vectors of the official SDKs' own tests, and more made with the official SDK; the token is always `12345`, and the
    /// numbers are theirs.
    #[test]
    fn what_twilio_signs_is_accepted() {
        let hashed = |rest: &str| format!("/myapp.php?{rest}bodySHA256={BODY_HASH}");
        let (json_foo, json_bare) = (hashed("foo=1&bar=2&"), hashed(""));
        let empty_json = format!("{APP}&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        let sha_app = "/myapp?bodySHA256=5ccde7145dfb8f56479710896586cb9d5911809d83afbe34627818790db0aec9";
        let sha_body = br#"{"CallSid":"CA1234567890ABCDE","Caller":"+12349013030"}"#;
        let my = "https://mycompany.com";
        let docs = FORM.replace("8675309", "8675310");
        let (digits, digits_twice) = (
            "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234",
            "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
        );
        let binding = "MessagingBinding.Address=%2B1325xxxxxxx&MessagingBinding.Address=%2B1415xxxxxxx";
        let binding_turned = "MessagingBinding.Address=%2B1415xxxxxxx&MessagingBinding.Address=%2B1325xxxxxxx";
        let utf8 = "CallSid=CA1&CallerName=Jos%C3%A9+%C3%91and%C3%BA&From=%2B14155550100&SpeechResult=%20a+b%20&ForwardedFrom=";
        let status = "/status?CallSid=CA1&CallStatus=completed&From=%2B14155550100";
        let voice = "wss://voice.example.com";
        let vectors = [
            (my, APP, form(FORM), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("https://mycompany.com:1234", APP, form(FORM), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("http://mycompany.com:1234", APP, form(FORM), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
            (my, APP, form(FORM), "kvajT1Ptam85bY51eRf/AJRuM3w="),
            ("http://mycompany.com", APP, form(FORM), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
            (my, APP, form(digits), "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
            (my, APP, form(digits_twice), "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
            (my, APP, form(binding), "83O6e2vORAoJHUNzJjDWN1jz+BA="),
            (my, APP, form(binding_turned), "83O6e2vORAoJHUNzJjDWN1jz+BA="),
            (my, &json_foo, json(BODY), "a9nBmqA0ju/hNViExpshrM61xv4="),
            (my, &json_bare, json(BODY), "y77kIzt2vzLz71DgmJGsen2scGs="),
            (my, &empty_json, json(b"{}"), "Ldidvp12m26NI7eqEvxnEpkd9Hc="),
            (my, &empty_json, json(b"{}"), "rw/jVviOgicj2+kHZULvebnA4ag="),
            (my, "/myapp.php?foo=1&bar=2&Body=It's+amazing", form(FORM), "dsq4Ehbj6cs+KdTkpF5sSSplOWw="),
            ("https://user:pass@mycompany.com", APP, form(FORM), "CukzLTc1tT5dXEDIHm/tKBanW10="),
            ("https://user:pass@mycompany.com", APP, form(FORM), "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI="),
            ("https://user@mycompany.com", APP, form(FORM), "2YRLlVAflCqxaNicjMpJcSTgzSs="),
            ("https://user:pass@mycompany.com", APP, form(FORM), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("https://example.com", APP, form(&docs), "L/OH5YylLD5NRKLltdqwSvS0BnU="),
            (my, APP, SignedContent::Get, "zYQTYrRWXE7LtzbG4PfP7/bkkGo="),
            ("https://example.com", status, SignedContent::Get, "hYg3y1cg2pgvOMNsWEntYu7KaEk="),
            ("https://example.com", "/v", form("b=1&A=2&a=3&B=4"), "KgG2sFu7DsW+32ddt2t5G+Edmx0="),
            ("https://example.com", "/voice?x=a%20b&y=%2B1", form(utf8), "NaX6HAiFUNe+BDQNomTfUlCzuEc="),
            ("https://example.com", "/v", form(""), "LPnX0eVi1Pi0fN3vjxLHcBXeRc4="),
            (voice, "/media", SignedContent::Upgrade, "jFDHVhI8XO69C49uXR3xmdZPylY="),
            (voice, "/media", SignedContent::Upgrade, "BXF4dPv/qKwfALEQ/o2fVPPvK/c="),
            (voice, "/media", SignedContent::Upgrade, "zT3E7J41/O0MIJ8mFRuffODYWF4="),
            (voice, "/media/", SignedContent::Upgrade, "jFDHVhI8XO69C49uXR3xmdZPylY="),
            ("https://voice.example.com", "/media", SignedContent::Upgrade, "jFDHVhI8XO69C49uXR3xmdZPylY="),
            ("https://voice.example.com:8443", "/media", SignedContent::Upgrade, "jFDHVhI8XO69C49uXR3xmdZPylY="),
            ("https://example.com", sha_app, json(sha_body), "hPXmLwIy3Fgqv1i9KPmH/HhQ6zo="),
        ];
        for (base, target, content, signature) in vectors {
            let verdict = verify(&keys(), &request(base, target, content, signature));
            assert_eq!(verdict, Ok(()), "{base}{target}");
        }
        let shared = Some("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256");
        for (base, target, content, signature) in [
            (my, APP, form(FORM), "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="),
            ("https://example.com", sha_app, json(sha_body), "bNW5BEDQoCNGdNC4oeTL3z8cX5HL2J/Es9KW4G8s//4="),
        ] {
            let plain = request(base, target, content, signature);
            assert_eq!(verify(&keys(), &SignedRequest { settings: shared, ..plain }), Ok(()));
            assert!(matches!(verify(&keys(), &plain), Err(SignatureError::Mismatch { .. })));
        }
    }

    /// The same table as the SDKs', the other way round: the plain URLs sign to exactly these.
    #[test]
    fn signing_gives_the_published_signatures() {
        let sign = |algorithm, url: &str, body: &str| {
            sign(&Secret::new("12345"), algorithm, url, &form_pairs(body.as_bytes()))
        };
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(sign(Algorithm::HmacSha1, url, FORM), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        assert_eq!(sign(Algorithm::HmacSha256, url, FORM), "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=");
        let port = "http://mycompany.com:1234/myapp.php?foo=1&bar=2";
        assert_eq!(sign(Algorithm::HmacSha1, port, FORM), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=");
        assert_eq!(sign(Algorithm::HmacSha1, "wss://voice.example.com/media", ""), "jFDHVhI8XO69C49uXR3xmdZPylY=");
        assert_eq!(body_sha256(BODY), BODY_HASH);
    }

    #[test]
    fn tampering_is_refused() {
        let good = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        let my = "https://mycompany.com";
        let tampered = FORM.replace("Digits=1234", "Digits=1235");
        let tests = [
            request(my, APP, form(&tampered), good),
            request(my, "/myapp.php?foo=1&bar=3", form(FORM), good),
            request("https://other.example.com", APP, form(FORM), good),
            request("http://mycompany.com", APP, form(FORM), good),
            request(my, APP, SignedContent::Get, good),
            request(my, APP, form(FORM), "RSOYDt4T1cUTdK1PDd93/VVr8B8"),
            request(my, APP, form(FORM), "rsoydt4t1cutdk1pdd93/vvr8b8="),
        ];
        for request in tests {
            let verdict = verify(&keys(), &request);
            assert!(matches!(verdict, Err(SignatureError::Mismatch { .. })), "{request:?}");
        }
        let unsigned = SignedRequest { signature: None, ..request(my, APP, form(FORM), "") };
        assert_eq!(verify(&keys(), &unsigned), Err(SignatureError::Missing));
        assert_eq!(verify(&keys(), &request(my, APP, form(FORM), "")), Err(SignatureError::Missing));
    }

    #[test]
    fn a_body_that_is_not_a_form_must_be_the_signed_one() {
        let target = format!("/myapp.php?bodySHA256={BODY_HASH}");
        let signature = "y77kIzt2vzLz71DgmJGsen2scGs=";
        let changed = request("https://mycompany.com", &target, json(b"{}"), signature);
        assert_eq!(verify(&keys(), &changed), Err(SignatureError::BodyChanged));
        let uncovered = request("https://mycompany.com", APP, json(b"{}"), "zYQTYrRWXE7LtzbG4PfP7/bkkGo=");
        assert_eq!(verify(&keys(), &uncovered), Err(SignatureError::BodyUnsigned));
    }

    #[test]
    fn during_rotation_old_and_new_token_count() {
        let keys = SignatureKeys { auth_tokens: vec![Secret::new("new"), Secret::new("12345")], ..Default::default() };
        let good = request("https://mycompany.com", APP, form(FORM), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        assert_eq!(verify(&keys, &good), Ok(()));
        let keys = SignatureKeys { auth_tokens: vec![Secret::new("new")], ..Default::default() };
        assert!(verify(&keys, &good).is_err());
    }

    #[test]
    fn the_settings_header_only_picks_among_configured_secrets() {
        let with = |settings, signature| SignedRequest {
            settings: Some(settings),
            ..request("https://mycompany.com", APP, form(FORM), signature)
        };
        let (sha1, sha256) = ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=");
        let cases = [
            ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", sha256, Ok(())),
            (" key = webhooks_sharedkey_1 , algorithm = HMAC_SHA1 ", sha1, Ok(())),
            ("", sha1, Ok(())),
            ("key=webhooks_sharedkey_2,algorithm=HMAC_SHA256", sha256, Err(SignatureError::UnknownKey)),
            ("algorithm=HMAC_SHA256", sha256, Err(SignatureError::UnknownKey)),
            ("key=webhooks_sharedkey_1,algorithm=HMAC_MD5", sha1, Err(SignatureError::UnknownAlgorithm)),
            ("key=webhooks_sharedkey_1,algorithm=none", "", Err(SignatureError::Missing)),
        ];
        for (settings, signature, expected) in cases {
            assert_eq!(verify(&keys(), &with(settings, signature)), expected, "{settings}");
        }
        let auth_only = SignatureKeys { shared_keys: Vec::new(), ..keys() };
        let shared = with("key=webhooks_sharedkey_1,algorithm=HMAC_SHA1", sha1);
        assert_eq!(verify(&auth_only, &shared), Err(SignatureError::UnknownKey));
    }

    #[test]
    fn an_empty_secret_signs_nothing() {
        let empty = Secret::new("");
        let forged = sign(&empty, Algorithm::HmacSha1, "https://mycompany.com/v", &[]);
        let keys = SignatureKeys { auth_tokens: vec![empty], ..Default::default() };
        let verdict = verify(&keys, &request("https://mycompany.com", "/v", SignedContent::Get, &forged));
        assert_eq!(verdict, Err(SignatureError::NoSecret));
    }

    #[test]
    fn a_trusted_proxys_address_is_tried_too() {
        let configured = request("http://127.0.0.1:3333", APP, form(FORM), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        assert!(verify(&keys(), &configured).is_err());
        let forwarded = SignedRequest { forwarded_url: Some("https://mycompany.com"), ..configured };
        assert_eq!(verify(&keys(), &forwarded), Ok(()));
    }

    #[test]
    fn prefix_fragment_and_odd_hosts_are_understood() {
        let urls = |base, target, content| candidate_urls(&request(base, target, content, "x"));
        let prefixed = urls("HTTPS://h.example.com/twilio/#rc=3", "/voice", SignedContent::Get);
        assert_eq!(prefixed, ["https://h.example.com/twilio/voice", "https://h.example.com:443/twilio/voice"]);
        let v6 = urls("http://[::1]:3333", "/media?x=1", SignedContent::Upgrade);
        let hosts = ["ws://[::1]:3333", "ws://[::1]", "ws://[::1]:80"];
        let expected: Vec<_> =
            hosts.iter().flat_map(|h| [format!("{h}/media?x=1"), format!("{h}/media/?x=1")]).collect();
        assert_eq!(v6, expected);
    }

    #[test]
    fn a_refusal_says_what_to_set_and_gives_nothing_away() {
        let target = "/webhooks/voice?agentId=agent_1&From=%2B12125550113&to=%2B12125550100";
        let error =
            verify(&keys(), &request("https://user:hush@voice.example.com", target, form(FORM), "bad")).unwrap_err();
        insta::assert_snapshot!(error, @r#"the signature fits none of the URLs that it could be for: https://voice.example.com/webhooks/voice?agentId=agent_1&From=•••&to=•••, https://voice.example.com:443/webhooks/voice?agentId=agent_1&From=•••&to=•••. Set `server.public_url` to the scheme, host and port that Twilio was given, and `carrier.twilio.auth_token` to the primary token of the account that owns the number"#);
    }

    proptest! {
        #[test]
        fn whatever_is_signed_is_accepted_and_nothing_panics(
            token in ".{1,20}", target in "/[!-~]{0,40}", names in proptest::collection::vec(("[ -~]{0,6}", any::<String>()), 0..6),
            base in "(https?://)?([a-z]{1,4}@)?[a-z.:0-9]{0,12}(/[a-z]{0,3})?", settings in "[ -~]{0,20}",
        ) {
            let body = serde_urlencoded::to_string(&names).unwrap();
            let keys = SignatureKeys { auth_tokens: vec![Secret::new(token)], ..Default::default() };
            let mut signed = request(&base, &target, form(&body), "x");
            let url = candidate_urls(&signed).remove(0);
            let signature = sign(&keys.auth_tokens[0], Algorithm::HmacSha1, &url, &form_pairs(body.as_bytes()));
            signed.signature = Some(&signature);
            prop_assert_eq!(verify(&keys, &signed), Ok(()));
            let _ = verify(&keys, &SignedRequest { settings: Some(&settings), ..signed });
        }
    }
}
