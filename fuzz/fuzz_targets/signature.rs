//! Any request can be checked, never a panic: what was signed for a request is accepted, with another secret it is refused, and a
//! refusal shows neither secret nor signature. The input is four lines: public URL, path and query, settings header, form body.
#![no_main]

use clearline::domain::Secret;
use clearline::protocol::twilio::forms::form_pairs;
use clearline::protocol::twilio::signature::{
    Algorithm, SignatureError, SignatureKeys, SignedContent, SignedRequest, sign, verify,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (public_url, target, settings, body) = (line(), line(), line(), line());
    let token = Secret::new("the-secret-of-the-fuzz-target");
    let keys = |secret: &Secret| SignatureKeys { auth_tokens: vec![secret.clone()], shared_keys: Vec::new() };
    let content =
        SignedContent::Post { content_type: Some("application/x-www-form-urlencoded"), body: body.as_bytes() };
    let mut request = SignedRequest {
        public_url,
        forwarded_url: None,
        target,
        content,
        signature: Some(text),
        settings: Some(settings),
    };
    if let Err(error) = verify(&keys(&token), &request) {
        assert!(!error.to_string().contains(token.expose()));
    }
    for content in [SignedContent::Get, SignedContent::Upgrade] {
        let _ = verify(&keys(&token), &SignedRequest { content, ..request });
    }
    // An ordinary address and path: what is signed for it fits, whatever the form.
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-./".contains(&b));
    if !is_plain(public_url) || !is_plain(target) || public_url.is_empty() || public_url.contains('/') {
        return;
    }
    let (base, path) = (format!("https://{public_url}"), format!("/{target}"));
    let signature = sign(&token, Algorithm::HmacSha1, &format!("{base}{path}"), &form_pairs(body.as_bytes()));
    (request.public_url, request.target) = (&base, &path);
    (request.signature, request.settings) = (Some(signature.as_str()), None);
    assert_eq!(verify(&keys(&token), &request), Ok(()));
    let refusal = verify(&keys(&Secret::new("another-secret")), &request);
    assert!(matches!(refusal, Err(SignatureError::Mismatch { .. })));
});
