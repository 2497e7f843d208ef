//! The evidence for one call as a zip archive, made in memory: a call has few decisions.

use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::app::Bundle;
use crate::store::Store;

use super::{ExportError, HTML, JSON, Texts, at, fill, rules};

/// The export as the bytes of a zip archive. Meant for the evidence of a call or of a number: the whole of it is held in memory.
pub async fn archive(store: &Store, bundle: &Bundle) -> Result<Vec<u8>, ExportError> {
    let in_memory = || Ok(Texts { path: PathBuf::from("archive"), json: Vec::new(), html: Vec::new(), written: 0 });
    let (Texts { path, json, html, .. }, _, rule_sets) = fill(store, bundle, in_memory).await?;
    let rules = rules(store, &rule_sets).await?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let texts = [(JSON, json.as_slice()), (HTML, html.as_slice())];
    let rules = rules.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
    for (name, text) in texts.into_iter().chain(rules) {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(text).map_err(at(&path))?;
    }
    Ok(zip.finish()?.into_inner())
}
