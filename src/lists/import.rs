//! An import: files are read into bitmaps, the bitmaps written as a new generation, and the manifest replaced.
//!
//! Whatever happens before the manifest's rename leaves files that no manifest names, which the next import or start removes; what
//! happens after it leaves files that no manifest names any more. One import at a time: the lock is the operating system's, and
//! goes with the process that holds it.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;

use super::ListsError;
use super::bitmap::{Bitmap, Identity};
use super::intake::{BadLines, Intake};
use super::line::{Action, Kind};
use super::manifest::{BitmapEntry, Coverage, ListEntry, Manifest, Source, generation_folder, path_of, sync_folder};
use super::name::{ListName, NanpNumber};
use super::source::{PlacedLine, Progress, SourceFile, read_files};
use crate::domain::phone::Npa;

const LOCK: &str = ".lock";

/// What to import.
#[derive(Debug, Clone)]
pub struct Import {
    pub list: ListName,
    /// One list in one or more files.
    pub files: Vec<PathBuf>,
    pub as_of: Date,
    /// `None`: as the first number of the files shows it.
    pub kind: Option<Kind>,
    /// What a full list covers. `None`: for the national list the area codes that occur in it, since it is subscribed to by area
    /// code; for a state's list every number, since it is shipped whole.
    pub coverage: Option<Coverage>,
}

/// What an import did.
#[derive(Debug, Clone)]
pub struct Imported {
    pub kind: Kind,
    /// The list as it is now.
    pub entry: ListEntry,
    /// The list as it was before.
    pub before: Option<ListEntry>,
    /// Numbers that were not on the list before these changes; for a full list all of them.
    pub added: u64,
    /// Numbers that the changes took off the list.
    pub removed: u64,
    pub bad: BadLines,
}

/// Imports a list. Nothing is changed unless all of it succeeds.
///
/// Needs a megabyte of memory for each area code that occurs, and as much on disk while the old list is still there.
pub fn import(
    root: &Path,
    request: &Import,
    now: Timestamp,
    progress: &mut dyn FnMut(Progress),
) -> Result<Imported, ListsError> {
    create_folder(root)?;
    let _lock = lock(root)?;
    let mut manifest = Manifest::load(root)?.unwrap_or_default();
    remove_unnamed(root, &manifest)?;

    let before = manifest.lists.get(&request.list).cloned();
    let mut draft = Draft::new(root, request, before.as_ref());
    let sources = read_files(&request.files, |line| draft.take(&line), progress)?;
    let kind = draft.finish(&sources)?;
    tracing::debug!(added = draft.added, removed = draft.removed, "the files are read");

    let (added, removed) = (draft.added, draft.removed);
    let bad = std::mem::take(&mut draft.intake.bad);
    let entry = draft.write(kind, sources, now, progress).inspect_err(|_| {
        // A full disk, most likely: what was written so far must not keep it full.
        let _ = remove_unnamed(root, &manifest);
    })?;
    manifest.lists.insert(request.list, entry.clone());
    manifest.clone().replace(root)?;
    // The import has happened. What cannot be removed now is removed later.
    if let Err(error) = remove_unnamed(root, &manifest) {
        tracing::warn!(%error, "the files of the list before could not be removed");
    }
    tracing::debug!("the files of the list before are removed");
    Ok(Imported { kind, entry, before, added, removed, bad })
}

/// Removes what an import that was cut short left behind. Does nothing while another one runs, or where no list was imported.
pub fn sweep(root: &Path) -> Result<(), ListsError> {
    if !Manifest::path(root).exists() {
        return Ok(());
    }
    let _lock = match lock(root) {
        Err(ListsError::Busy { .. }) => return Ok(()),
        lock => lock?,
    };
    match Manifest::load(root)? {
        Some(manifest) => remove_unnamed(root, &manifest),
        None => Ok(()),
    }
}

fn create_folder(path: &Path) -> Result<(), ListsError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(ListsError::io("create the folder", path))
}

/// Held as long as the file is open.
fn lock(root: &Path) -> Result<File, ListsError> {
    let path = root.join(LOCK);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(ListsError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ListsError::Busy { root: root.to_owned() }),
        Err(TryLockError::Error(error)) => Err(ListsError::io("lock", path)(error)),
    }
}

/// Removes every file of every list that the manifest does not name. Only for the holder of the lock.
fn remove_unnamed(root: &Path, manifest: &Manifest) -> Result<(), ListsError> {
    let named: BTreeSet<PathBuf> = manifest
        .lists
        .iter()
        .flat_map(|(list, entry)| entry.files(*list).map(|(_, _, path)| root.join(path)))
        .collect();
    match fs::remove_file(Manifest::next_path(root)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(ListsError::io("remove", Manifest::next_path(root))(error));
        }
        _ => {}
    }
    for list in entries(root)?.into_iter().filter(|path| list_of(path).is_some()) {
        for generation in entries(&list)?.into_iter().filter(|path| is_generation(path)) {
            let mut keeps_any = false;
            for file in entries(&generation)? {
                if named.contains(&file) {
                    keeps_any = true;
                } else {
                    fs::remove_file(&file).map_err(ListsError::io("remove", file))?;
                }
            }
            if !keeps_any {
                fs::remove_dir(&generation).map_err(ListsError::io("remove", generation))?;
            }
        }
    }
    Ok(())
}

fn list_of(path: &Path) -> Option<ListName> {
    path.file_name().and_then(|name| name.to_str()).and_then(ListName::of_folder)
}

fn is_generation(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u64>().is_ok())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ListsError> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
    read().map_err(ListsError::io("read the folder", folder))
}

/// A list as it is read, in memory.
struct Draft<'a> {
    root: &'a Path,
    request: &'a Import,
    /// What changes are applied to.
    before: Option<&'a ListEntry>,
    intake: Intake,
    is_checked: bool,
    /// By area code minus 200.
    bitmaps: Vec<Option<Bitmap>>,
    added: u64,
    removed: u64,
}

impl<'a> Draft<'a> {
    fn new(root: &'a Path, request: &'a Import, before: Option<&'a ListEntry>) -> Self {
        Self {
            root,
            request,
            before,
            intake: Intake::new(request.kind),
            is_checked: false,
            bitmaps: std::iter::repeat_with(|| None).take(800).collect(),
            added: 0,
            removed: 0,
        }
    }

    fn take(&mut self, line: &PlacedLine<'_>) -> Result<(), ListsError> {
        let Some((number, action)) = self.intake.take(line) else { return Ok(()) };
        if !self.is_checked {
            self.check(line.file)?;
        }
        let bitmap = self.bitmap(number)?;
        match action {
            Action::Add => {
                let is_new = bitmap.insert(number);
                self.added += u64::from(is_new);
            }
            Action::Delete => {
                let was_there = bitmap.remove(number);
                self.removed += u64::from(was_there);
            }
        }
        Ok(())
    }

    /// Whether a file of this kind may be imported now.
    fn check(&mut self, name: &str) -> Result<(), ListsError> {
        self.is_checked = true;
        if self.intake.kind != Some(Kind::Changes) {
            return Ok(());
        }
        let (list, given) = (self.request.list, self.request.as_of);
        if self.request.coverage.is_some() {
            return Err(ListsError::CoverageOfChanges { name: name.to_owned() });
        }
        match self.before {
            None => Err(ListsError::NoFullList { list, name: name.to_owned() }),
            Some(before) if given < before.as_of => Err(ListsError::Backwards { list, have: before.as_of, given }),
            Some(_) => Ok(()),
        }
    }

    /// A file without a number is a list only where it was said to be a change list.
    fn finish(&mut self, sources: &[SourceFile]) -> Result<Kind, ListsError> {
        let name = sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ");
        if !self.is_checked && self.request.kind != Some(Kind::Changes) {
            return Err(ListsError::NoNumbers { name });
        }
        self.check(&name)?;
        Ok(self.intake.kind.expect("a number showed the kind, or it was said"))
    }

    /// The bits of the number's area code: for changes those that are in force, when it is first met.
    fn bitmap(&mut self, number: NanpNumber) -> Result<&mut Bitmap, ListsError> {
        let npa = number.npa();
        let place = &mut self.bitmaps[usize::from(npa.as_u16() - 200)];
        match place {
            Some(bitmap) => Ok(bitmap),
            None => {
                let base = self.before.filter(|_| self.intake.kind == Some(Kind::Changes));
                Ok(place.insert(read_base(self.root, self.request.list, npa, base)?))
            }
        }
    }

    fn write(
        self,
        kind: Kind,
        sources: Vec<SourceFile>,
        now: Timestamp,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ListEntry, ListsError> {
        let Import { list, as_of, .. } = *self.request;
        let generation = self.before.map_or(0, |before| before.generation) + 1;
        let folder = self.root.join(generation_folder(list, generation));
        create_folder(&folder)?;
        let base = self.before.filter(|_| kind == Kind::Changes);
        let mut bitmaps = base.map(|base| base.bitmaps.clone()).unwrap_or_default();
        let drafts = (200_u16..).zip(self.bitmaps).filter_map(|(npa, bitmap)| Some((npa, bitmap?)));
        let drafts: Vec<_> = drafts.collect();
        let total = drafts.len() as u64;
        for (done, (code, mut bitmap)) in (1..).zip(drafts) {
            let npa = Npa::try_from(code).expect("200 and more");
            let identity = Identity { list, npa, generation };
            let path = self.root.join(path_of(identity));
            let sealed = bitmap.write(&path, identity).map_err(ListsError::io("write", path))?;
            bitmaps.insert(code, BitmapEntry { generation, numbers: sealed.numbers, sha256: sealed.sha256 });
            tracing::debug!(npa = %npa, "a file of bits is written");
            progress(Progress::Writing { done, total });
        }
        // The names of the files, of their folder and of the list's folder.
        sync_folder(&folder)?;
        sync_folder(&self.root.join(list.folder()))?;
        sync_folder(self.root)?;
        let coverage = match (base, &self.request.coverage, list) {
            (Some(base), _, _) => base.coverage.clone(),
            (None, Some(coverage), _) => coverage.clone(),
            (None, None, ListName::National) => Coverage::AreaCodes(bitmaps.keys().copied().collect()),
            (None, None, ListName::State(_)) => Coverage::All,
        };
        let mut all_sources = base.map(|base| base.sources.clone()).unwrap_or_default();
        all_sources.extend(sources.into_iter().map(|SourceFile { name: file, sha256 }| Source {
            file,
            sha256,
            kind,
            as_of,
        }));
        let numbers = bitmaps.values().map(|bitmap| bitmap.numbers).sum();
        Ok(ListEntry { generation, as_of, imported_at: now, coverage, numbers, sources: all_sources, bitmaps })
    }
}

fn read_base(root: &Path, list: ListName, npa: Npa, base: Option<&ListEntry>) -> Result<Bitmap, ListsError> {
    let Some(entry) = base.and_then(|base| base.bitmaps.get(&npa.as_u16())) else { return Ok(Bitmap::empty()) };
    let identity = Identity { list, npa, generation: entry.generation };
    let path = root.join(path_of(identity));
    Bitmap::read(&path, identity, &entry.sha256).map_err(|reason| ListsError::DamagedBase {
        list,
        path,
        reason: reason.to_string(),
    })
}
