//! The signatures of webhooks, as each vendor makes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::Sha256;

/// `X-Twilio-Signature` (docs: usage/security): HMAC-SHA1 over the URL and the sorted form parameters.
///
/// `url` is the URL as it was configured; `params` are a form's decoded parameters, none for a GET or a socket.
pub(super) fn twilio(auth_token: &str, url: &str, params: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = params.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut mac = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(signed_url(url).as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The URL as it is signed: no fragment, no user and password; the port is kept on `http` and dropped on `https`.
fn signed_url(url: &str) -> String {
    let url = url.split('#').next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((name, port)) if matches!(scheme, "https" | "wss") && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    format!("{scheme}://{host}{path}")
}

/// `ElevenLabs-Signature`: HMAC-SHA256 over the time, a dot and the body.
pub(super) fn elevenlabs(secret: &str, unix_seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{unix_seconds}.{body}").as_bytes());
    format!("t={unix_seconds},v0={}", hex(&mac.finalize().into_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The vectors of Twilio's own libraries and documentation, token 12345.
    #[test]
    fn the_published_vectors() {
        let p = params(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ]);
        let repeated = params(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        let none = params(&[]);
        let cases = [
            ("https://mycompany.com/myapp.php?foo=1&bar=2", &p, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("https://mycompany.com:1234/myapp.php?foo=1&bar=2", &p, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("https://user:pass@mycompany.com/myapp.php?foo=1&bar=2#rc=3", &p, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", &p, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
            ("https://mycompany.com/myapp.php?foo=1&bar=2", &repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
            ("https://mycompany.com/myapp.php?foo=1&bar=2", &none, "zYQTYrRWXE7LtzbG4PfP7/bkkGo="),
            ("wss://voice.example.com/media", &none, "jFDHVhI8XO69C49uXR3xmdZPylY="),
        ];
        for (url, params, expected) in cases {
            assert_eq!(twilio("12345", url, params), expected, "{url}");
        }
    }

    #[test]
    fn the_elevenlabs_signature_is_the_vendors() {
        let body = r#"{"type":"post_call_transcription","data":{}}"#;
        let expected = "t=1700000000,v0=6f63229c4c17b7adb882899091e036ca1b6abcd57ee5673a8e16e3fbca80764e";
        assert_eq!(elevenlabs("wsec_test", 1_700_000_000, body), expected);
    }
}
