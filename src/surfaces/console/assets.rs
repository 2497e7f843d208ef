//! The console's scripts, style and icon, embedded in the binary. Their address holds a digest of all of them, so a browser keeps
//! each version for good and modules find each other by relative names.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::surfaces::audit::hex;

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! embedded {
    ($($name:literal: $kind:expr;)*) => {
        [$(($name, $kind, include_str!(concat!("assets/", $name)))),*]
    };
}

/// Name, content type, content.
static ASSETS: [(&str, &str, &str); 23] = embedded! {
    "console.css": "text/css; charset=utf-8";
    "icon.svg": "image/svg+xml";
    "sign_in.js": SCRIPT;
    "audio.js": SCRIPT;
    "base.js": SCRIPT;
    "feed.js": SCRIPT;
    "record.js": SCRIPT;
    "rows.js": SCRIPT;
    "live.js": SCRIPT;
    "calls.js": SCRIPT;
    "call.js": SCRIPT;
    "conversation.js": SCRIPT;
    "decision.js": SCRIPT;
    "decisions.js": SCRIPT;
    "numbers.js": SCRIPT;
    "phone.js": SCRIPT;
    "meters.js": SCRIPT;
    "step_in.js": SCRIPT;
    "time_split.js": SCRIPT;
    "timeline.js": SCRIPT;
    "health.js": SCRIPT;
    "audit.js": SCRIPT;
    "worklet.js": SCRIPT;
};

/// 16 hexadecimal digits that change with any of the files.
pub(super) static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, _, text) in &ASSETS {
        hash.update(format!("{name}\n{}\n{text}", text.len()));
    }
    let mut digest = hex(&hash.finalize());
    digest.truncate(16);
    digest
});

pub(super) async fn serve(Path((digest, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some((_, kind, text)) = ASSETS.iter().find(|(name, ..)| *name == file) else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    let etag = format!("\"{}-{file}\"", *DIGEST);
    // A page of the version before still asks by its own digest: it gets today's file, for now only.
    let cache = if digest == *DIGEST { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let head = [(header::CACHE_CONTROL, cache.to_owned()), (header::ETAG, etag.clone())];
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == etag)) {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, [(header::CONTENT_TYPE, *kind)], *text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_weighs_little() {
        let all: usize = ASSETS.iter().map(|(_, _, text)| text.len()).sum();
        assert!(all < 150 * 1024, "all files together have {all} bytes");
    }

    #[test]
    fn no_script_writes_markup() {
        for (name, _, text) in &ASSETS {
            for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text.contains(sink), "{name} uses {sink}: what callers say would become markup");
            }
        }
    }

    #[test]
    fn modules_only_import_what_is_embedded() {
        for (name, _, text) in &ASSETS {
            for rest in text.split("from \"./").skip(1) {
                let imported = rest.split('"').next().unwrap_or_default();
                assert!(ASSETS.iter().any(|(name, ..)| *name == imported), "{name} imports {imported}");
            }
        }
    }
}
