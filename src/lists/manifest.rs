//! The manifest: which files of which list are in force, what each list covers and where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ListsError;
use super::bitmap::{Identity, hex};
use super::line::Kind;
use super::name::ListName;
use crate::domain::phone::Npa;

const FILE: &str = "manifest.json";
/// Becomes `FILE` by one rename.
const NEXT: &str = "manifest.json.next";
const FORMAT: u32 = 1;

/// Which lists are in force.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Manifest {
    pub lists: BTreeMap<ListName, ListEntry>,
}

/// The manifest as a file. The digest finds out any byte that was changed since.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFile {
    format: u32,
    /// SHA-256 of `lists` as JSON without blanks, in hex.
    digest: String,
    lists: Manifest,
}

/// A list in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListEntry {
    /// Counts the imports of this list.
    pub generation: u64,
    /// The publisher's date.
    pub as_of: Date,
    pub imported_at: Timestamp,
    pub coverage: Coverage,
    pub numbers: u64,
    /// The full list and the changes since, in the order of their import.
    pub sources: Vec<Source>,
    /// By area code.
    pub(super) bitmaps: BTreeMap<u16, BitmapEntry>,
}

/// For which numbers a list can say "not listed".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Every number.
    All,
    /// Only these area codes: the registry is subscribed to by area code.
    AreaCodes(BTreeSet<u16>),
}

/// A file that a list came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, without folders.
    pub file: String,
    /// In hex.
    pub sha256: String,
    pub kind: Kind,
    pub as_of: Date,
}

/// A file of bits in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BitmapEntry {
    /// The import that wrote it; later ones that changed nothing in it keep it.
    pub generation: u64,
    pub numbers: u64,
    /// In hex.
    pub sha256: String,
}

impl Coverage {
    pub fn covers(&self, npa: Npa) -> bool {
        match self {
            Self::All => true,
            Self::AreaCodes(codes) => codes.contains(&npa.as_u16()),
        }
    }
}

impl ListEntry {
    /// The generation, and one hash for all that the list says: the hash of every file counts in.
    pub fn version(&self) -> String {
        let json = serde_json::to_vec(self).expect("an entry serialises");
        format!("{} {}", self.generation, &hex(&Sha256::digest(&json))[..16])
    }

    /// Area code, and the path below the folder of all lists, of every file in force.
    pub(super) fn files(&self, list: ListName) -> impl Iterator<Item = (Npa, &BitmapEntry, PathBuf)> {
        self.bitmaps.iter().filter_map(move |(npa, bitmap)| {
            let npa = Npa::try_from(*npa).ok()?;
            Some((npa, bitmap, path_of(Identity { list, npa, generation: bitmap.generation })))
        })
    }
}

/// Where a file of bits is, below the folder of all lists.
pub(super) fn path_of(identity: Identity) -> PathBuf {
    generation_folder(identity.list, identity.generation).join(format!("{}.bits", identity.npa))
}

pub(super) fn generation_folder(list: ListName, generation: u64) -> PathBuf {
    Path::new(&list.folder()).join(generation.to_string())
}

impl Manifest {
    pub(super) fn path(root: &Path) -> PathBuf {
        root.join(FILE)
    }

    /// Where a new manifest is written before it takes the place of the old one.
    pub(super) fn next_path(root: &Path) -> PathBuf {
        root.join(NEXT)
    }

    /// The manifest in force; none before the first import.
    pub(super) fn load(root: &Path) -> Result<Option<Self>, ListsError> {
        let path = Self::path(root);
        match fs::read(&path) {
            Ok(bytes) => Self::parse(&bytes).map(Some).map_err(|reason| ListsError::Damaged { path, reason }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ListsError::io("read", path)(error)),
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file: ManifestFile = serde_json::from_slice(bytes).map_err(|error| format!("is damaged ({error})"))?;
        if file.format != FORMAT {
            return Err(format!("is of format {}, this program reads {FORMAT}", file.format));
        }
        if file.lists.digest() != file.digest {
            return Err("is damaged (it is not what was written)".to_owned());
        }
        Ok(file.lists)
    }

    /// Puts this manifest in force, to the disk: the one moment at which an import becomes visible.
    pub(super) fn replace(self, root: &Path) -> Result<(), ListsError> {
        let (path, next) = (Self::path(root), Self::next_path(root));
        let file = ManifestFile { format: FORMAT, digest: self.digest(), lists: self };
        let mut text = serde_json::to_vec_pretty(&file).expect("a manifest serialises");
        text.push(b'\n');
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
            file.write_all(&text)?;
            file.sync_all()
        };
        write().map_err(ListsError::io("write", &next))?;
        tracing::debug!("the new manifest is written");
        fs::rename(&next, &path).map_err(ListsError::io("replace", &path))?;
        sync_folder(root)?;
        tracing::debug!("the new manifest is in force");
        Ok(())
    }

    fn digest(&self) -> String {
        hex(&Sha256::digest(serde_json::to_vec(self).expect("a manifest serialises")))
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), ListsError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(ListsError::io("write", path))
}
