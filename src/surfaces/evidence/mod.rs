//! An export of evidence as a folder or an archive: `evidence.json` for programs, `evidence.html` for people and printers, the rule
//! texts, and in a folder on request the whole chain of hashes.

mod archive;
mod json;
mod page;

pub use archive::archive;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::app::{Bundle, Entry, PersonRecords, Replayer};
use crate::domain::E164;
use crate::store::{DecisionFilter, OperatorAction, Store, StoreError};

/// The names of an export's two texts.
const JSON: &str = "evidence.json";
const HTML: &str = "evidence.html";

/// Ledger rows read at a time for the chain.
const CHAIN_PAGE: u32 = 1_000;

/// Why an export came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{} cannot be written: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there is no decision for that: nothing was exported")]
    Nothing,
    #[error("the page cannot be written")]
    Page(#[from] askama::Error),
    #[error("the archive cannot be made")]
    Archive(#[from] zip::result::ZipError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How much was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    pub decisions: u64,
    pub people: u64,
}

/// Whether the hashed lines of all other decisions go with the export, so that the chain can be computed without the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    Left,
    Taken,
}

/// The two texts of an export, written side by side as decisions are read.
struct Texts<W> {
    /// Where they are, for errors.
    path: PathBuf,
    json: W,
    html: W,
    written: u64,
}

/// Writes the export into a folder that does not exist yet.
pub async fn export(store: &Store, bundle: &Bundle, path: &Path, chain: Chain) -> Result<Exported, ExportError> {
    let (texts, exported, rule_sets) = fill(store, bundle, || Texts::in_new_folder(path)).await?;
    texts.close()?;
    for (name, text) in rules(store, &rule_sets).await? {
        let file = path.join(name);
        let folder = file.parent().unwrap_or(path);
        fs::DirBuilder::new().mode(0o700).recursive(true).create(folder).map_err(at(folder))?;
        let mut out = new_file(&file)?;
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(at(&file))?;
    }
    if chain == Chain::Taken {
        write_chain(store, path, bundle.head.count).await?;
    }
    Ok(exported)
}

/// Writes both texts where `make` says, once there is something to write. Gives back which rule sets were in force, too.
async fn fill<W: Write>(
    store: &Store,
    bundle: &Bundle,
    make: impl FnOnce() -> Result<Texts<W>, ExportError>,
) -> Result<(Texts<W>, Exported, BTreeSet<String>), ExportError> {
    let mut replayer = Replayer::new(store);
    let mut page = bundle.entries_after(store, &mut replayer, 0).await?;
    if page.is_empty() {
        return Err(ExportError::Nothing);
    }
    let mut texts = make()?;
    texts.begin(bundle)?;
    let mut people: BTreeSet<E164> = bundle.numbers();
    let mut rule_sets = BTreeSet::new();
    while let Some(last) = page.last() {
        let seq = last.recorded.seq;
        for entry in &page {
            texts.add(entry)?;
            people.extend(entry.recorded.subject.as_ref().and_then(|subject| subject.number.number()).cloned());
            rule_sets.insert(entry.recorded.decision.rule_set.clone());
        }
        page = bundle.entries_after(store, &mut replayer, seq).await?;
    }
    texts.begin_people()?;
    let mut count = 0;
    for number in people {
        texts.add_person(&PersonRecords::of(store, number).await?, count == 0)?;
        count += 1;
    }
    texts.end(bundle, &bundle.actions(store).await?)?;
    let exported = Exported { decisions: texts.written, people: count };
    Ok((texts, exported, rule_sets))
}

impl Texts<BufWriter<File>> {
    fn in_new_folder(path: &Path) -> Result<Self, ExportError> {
        fs::DirBuilder::new().mode(0o700).create(path).map_err(at(path))?;
        let json = new_file(&path.join(JSON))?;
        let html = new_file(&path.join(HTML))?;
        Ok(Self { path: path.to_owned(), json, html, written: 0 })
    }

    fn close(mut self) -> Result<(), ExportError> {
        self.json.flush().and_then(|()| self.html.flush()).map_err(at(&self.path))
    }
}

impl<W: Write> Texts<W> {
    fn begin(&mut self, bundle: &Bundle) -> Result<(), ExportError> {
        let page = page::opening(bundle)?;
        let head = json::head(bundle);
        let head = head.strip_suffix('}').expect("the head is an object");
        self.write(&format!("{head}, \"decisions\": [\n"), &page)
    }

    fn add(&mut self, entry: &Entry) -> Result<(), ExportError> {
        let comma = if self.written == 0 { "" } else { ",\n" };
        let page = page::entry(entry)?;
        self.written += 1;
        self.write(&format!("{comma}{}", json::entry(entry)), &page)
    }

    fn begin_people(&mut self) -> Result<(), ExportError> {
        self.write("\n], \"people\": [\n", "<h2>Permissions and refusals on record</h2>\n")
    }

    fn add_person(&mut self, person: &PersonRecords, first: bool) -> Result<(), ExportError> {
        let comma = if first { "" } else { ",\n" };
        let page = page::person(person)?;
        self.write(&format!("{comma}{}", json::person(person)), &page)
    }

    fn end(&mut self, bundle: &Bundle, actions: &[OperatorAction]) -> Result<(), ExportError> {
        let page = page::closing(bundle, actions)?;
        self.write(&format!("\n], \"operator_actions\": {}}}\n", json::actions(actions)), &page)
    }

    fn write(&mut self, json: &str, html: &str) -> Result<(), ExportError> {
        let written = self.json.write_all(json.as_bytes()).and_then(|()| self.html.write_all(html.as_bytes()));
        written.map_err(at(&self.path))
    }
}

/// The kept texts of the rule sets, each with its name within the export: every set is in a folder named by the first digits of
/// its hash.
async fn rules(store: &Store, rule_sets: &BTreeSet<String>) -> Result<Vec<(String, String)>, ExportError> {
    let mut texts = Vec::new();
    for name in rule_sets {
        let Some(files) = store.rule_set(name).await? else { continue };
        let hash = name.rsplit_once("sha256:").map_or(name.as_str(), |(_, hash)| hash);
        let folder = hash.get(..16).unwrap_or(hash);
        texts.extend(files.into_iter().map(|(file, text)| {
            let file = file.replace(['/', '\\', ' ', '\''], "_");
            (format!("rules/{folder}/{file}"), text)
        }));
    }
    Ok(texts)
}

/// The hashed line of every decision up to the head, a line each. They name nobody: number and facts are in them as hashes.
async fn write_chain(store: &Store, path: &Path, count: i64) -> Result<(), ExportError> {
    let file = path.join("chain.txt");
    let mut out = new_file(&file)?;
    let mut seq = 0;
    loop {
        let page = store.decisions_after(DecisionFilter::default(), seq, CHAIN_PAGE).await?;
        let Some(last) = page.last() else { break };
        seq = last.seq;
        for recorded in page.iter().filter(|recorded| recorded.seq <= count) {
            writeln!(out, "{}", recorded.hashed_line).map_err(at(&file))?;
        }
    }
    out.flush().map_err(at(&file))
}

fn new_file(path: &Path) -> Result<BufWriter<File>, ExportError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map(BufWriter::new).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Io { path, source }
}
