//! Looking numbers up in the lists that are in force.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::bitmap::{Bitmap, BitmapFile, Identity};
use super::manifest::{ListEntry, Manifest};
use super::name::{ListName, NanpNumber};
use crate::domain::E164;
use crate::domain::phone::Npa;

/// The lists of one folder. Cheap to ask: the files that were asked for stay open, one for each area code, and their pages are the
/// operating system's.
#[derive(Debug)]
pub struct Lists {
    root: PathBuf,
    current: Mutex<Arc<Snapshot>>,
}

/// What one list says of a number.
#[derive(Debug, Clone)]
pub struct ListAnswer {
    pub list: ListName,
    pub listing: Listing,
    /// The list that was asked; none where the manifest itself cannot be read.
    pub entry: Option<Arc<ListEntry>>,
    /// [`ListEntry::version`]; empty where there is no entry.
    pub version: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    Listed,
    NotListed,
    /// The list was not subscribed to for this area code: it says nothing.
    NotCovered,
    /// A file is missing or damaged; says which and how.
    Unreadable(String),
}

impl ListAnswer {
    /// No list can be asked. Which lists there would be is not known then; every call needs the national one.
    pub fn unreadable(fault: String) -> Self {
        Self { list: ListName::National, listing: Listing::Unreadable(fault), entry: None, version: "".into() }
    }
}

impl Lists {
    /// The lists below this folder, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { current: Mutex::new(Arc::new(Snapshot::load(&root))), root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The lists in force at this moment. Whatever import has ended before is in it.
    pub fn current(&self) -> Arc<Snapshot> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if !current.is_in_force(&self.root) {
            *current = Arc::new(Snapshot::load(&self.root));
        }
        Arc::clone(&current)
    }

    /// What each list says of a number, in no order.
    pub fn look_up(&self, number: &E164) -> Vec<ListAnswer> {
        let snapshot = self.current();
        let answers = snapshot.look_up(number);
        let is_broken = answers.iter().any(|answer| matches!(answer.listing, Listing::Unreadable(_)));
        if is_broken && !snapshot.is_in_force(&self.root) {
            // An import that ended in between has taken the files away: the new ones answer.
            return self.current().look_up(number);
        }
        answers
    }
}

/// The lists of one manifest.
#[derive(Debug)]
pub struct Snapshot {
    /// The manifest's file, kept open so that its inode number cannot be given to another.
    manifest: Option<(File, Stamp)>,
    /// The folders of the files in force: a file that is taken away changes them.
    folders: Vec<(File, Stamp)>,
    lists: Result<Vec<LoadedList>, String>,
}

#[derive(Debug)]
struct LoadedList {
    name: ListName,
    entry: Arc<ListEntry>,
    version: Arc<str>,
    files: BTreeMap<u16, LoadedFile>,
}

#[derive(Debug)]
struct LoadedFile {
    path: PathBuf,
    identity: Identity,
    open: OnceLock<BitmapFile>,
}

/// What changes when a file is replaced or changed, or when a folder's entries are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl From<Metadata> for Stamp {
    fn from(metadata: Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Snapshot {
    fn load(root: &Path) -> Self {
        let mut snapshot = Self { manifest: None, folders: Vec::new(), lists: Ok(Vec::new()) };
        snapshot.lists = snapshot.read(root);
        if let Err(fault) = &snapshot.lists {
            tracing::error!(fault, "the do-not-call lists cannot be read: calls that need them are denied");
        }
        snapshot
    }

    fn read(&mut self, root: &Path) -> Result<Vec<LoadedList>, String> {
        let path = Manifest::path(root);
        let fault = |reason: String| format!("{} {reason}", path.display());
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if has_lists(root) {
                    Err(fault("is missing: import the lists again".to_owned()))
                } else {
                    Ok(Vec::new())
                };
            }
            Err(error) => return Err(fault(format!("cannot be read: {error}"))),
        };
        let unread = |error: io::Error| fault(format!("cannot be read: {error}"));
        let stamp = file.metadata().map_err(unread)?.into();
        let text = io::read_to_string(&file).map_err(unread)?;
        self.manifest = Some((file, stamp));
        let manifest = Manifest::parse(text.as_bytes()).map_err(fault)?;
        let lists: Vec<_> =
            manifest.lists.into_iter().map(|(name, entry)| LoadedList::new(root, name, entry)).collect();
        let mut folders: Vec<_> = lists.iter().flat_map(LoadedList::folders).collect();
        folders.sort_unstable();
        folders.dedup();
        // A folder that is missing is found out by whoever needs a file in it.
        let watched = folders.into_iter().filter_map(|folder| {
            let folder = File::open(folder).ok()?;
            let stamp = folder.metadata().ok()?.into();
            Some((folder, stamp))
        });
        self.folders = watched.collect();
        Ok(lists)
    }

    /// Whether this still is what is on disk.
    fn is_in_force(&self, root: &Path) -> bool {
        let there = fs::metadata(Manifest::path(root)).ok().map(Stamp::from);
        there == self.manifest.as_ref().map(|(_, stamp)| *stamp)
            && self
                .folders
                .iter()
                .all(|(folder, stamp)| folder.metadata().is_ok_and(|metadata| Stamp::from(metadata) == *stamp))
    }

    /// Each list in force, or why there is none that can be read.
    pub fn entries(&self) -> Result<impl Iterator<Item = (ListName, &Arc<ListEntry>)>, &str> {
        let lists = self.lists.as_ref().map_err(String::as_str)?;
        Ok(lists.iter().map(|list| (list.name, &list.entry)))
    }

    /// What each list says of a number, in no order. No list knows numbers outside `+1`.
    pub fn look_up(&self, number: &E164) -> Vec<ListAnswer> {
        let Ok(number) = NanpNumber::try_from(number) else { return Vec::new() };
        match &self.lists {
            Ok(lists) => lists.iter().map(|list| list.answer(number)).collect(),
            Err(fault) => vec![ListAnswer::unreadable(fault.clone())],
        }
    }

    /// Reads every file of every list and says what is wrong with each that is not as it was written.
    pub fn verify(&self) -> Vec<String> {
        let lists = match &self.lists {
            Ok(lists) => lists,
            Err(fault) => return vec![fault.clone()],
        };
        let mut faults = Vec::new();
        for list in lists {
            for (npa, file) in &list.files {
                let sha256 = &list.entry.bitmaps[npa].sha256;
                if let Err(reason) = Bitmap::read(&file.path, file.identity, sha256) {
                    faults.push(format!("{} {reason}", file.path.display()));
                }
            }
        }
        faults
    }
}

impl LoadedList {
    fn new(root: &Path, name: ListName, entry: ListEntry) -> Self {
        let files = entry
            .files(name)
            .map(|(npa, bitmap, path)| {
                let identity = Identity { list: name, npa, generation: bitmap.generation };
                (npa.as_u16(), LoadedFile { path: root.join(path), identity, open: OnceLock::new() })
            })
            .collect();
        Self { name, files, version: entry.version().into(), entry: Arc::new(entry) }
    }

    fn folders(&self) -> impl Iterator<Item = &Path> {
        self.files.values().filter_map(|file| file.path.parent())
    }

    fn answer(&self, number: NanpNumber) -> ListAnswer {
        ListAnswer {
            list: self.name,
            listing: self.look_up(number),
            entry: Some(Arc::clone(&self.entry)),
            version: Arc::clone(&self.version),
        }
    }

    /// What is on the list is listed, also where the list does not claim to cover the area code.
    fn look_up(&self, number: NanpNumber) -> Listing {
        let npa: Npa = number.npa();
        let found = match self.files.get(&npa.as_u16()) {
            Some(file) => file.contains(number),
            None => Ok(false),
        };
        match found {
            Ok(true) => Listing::Listed,
            Ok(false) if self.entry.coverage.covers(npa) => Listing::NotListed,
            Ok(false) => Listing::NotCovered,
            Err(fault) => {
                tracing::error!(list = %self.name, fault, "a do-not-call list cannot be read");
                Listing::Unreadable(fault)
            }
        }
    }
}

impl LoadedFile {
    fn contains(&self, number: NanpNumber) -> Result<bool, String> {
        let fault = |reason| format!("{} {reason}", self.path.display());
        if let Some(file) = self.open.get() {
            return file.contains(number).map_err(fault);
        }
        let file = BitmapFile::open(&self.path, self.identity).map_err(fault)?;
        self.open.get_or_init(|| file).contains(number).map_err(fault)
    }
}

/// Whether there are files of lists without a manifest.
fn has_lists(root: &Path) -> bool {
    let Ok(entries) = fs::read_dir(root) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_str().and_then(ListName::of_folder).is_some())
}
