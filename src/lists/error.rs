//! `ListsError`: why a list was not imported, told so that a person knows what to do. Nothing was changed then.

use std::io;
use std::path::PathBuf;

use jiff::civil::Date;
use zip::result::ZipError;

use super::name::ListName;

/// Why a list was not imported. Whatever was in force before still is.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    #[error("cannot {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("another import into {} is running: wait until it has ended, then try again", root.display())]
    Busy { root: PathBuf },
    #[error("{} {reason}: restore it from a backup, or remove it and import every list again", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{} is damaged: import the full list of {list}; changes cannot be applied to it ({reason})", path.display())]
    DamagedBase { list: ListName, path: PathBuf, reason: String },
    #[error("{} is not a zip archive that can be read: download it again", path.display())]
    Zip {
        path: PathBuf,
        #[source]
        source: ZipError,
    },
    #[error("{} holds no file: nothing was imported", path.display())]
    EmptyArchive { path: PathBuf },
    #[error("{name} is {what}, not a text with one number a line: download the flat (text) form of the list")]
    NotFlatText { name: String, what: &'static str },
    #[error(
        "{name} holds no number: nothing was imported (for a change list without changes, say so with --kind changes)"
    )]
    NoNumbers { name: String },
    #[error(
        "{name} is a change list (its lines say A or D), and there is no full list of {list} to apply it to: import the full \
         list first, or say --kind full if these letters mean something else"
    )]
    NoFullList { list: ListName, name: String },
    #[error(
        "the changes are as of {given}, the list of {list} in force is as of {have}: changes are applied in the order of their dates"
    )]
    Backwards { list: ListName, have: Date, given: Date },
    #[error("{name} is a change list (its lines say A or D), and this list is imported whole only")]
    OnlyFull { name: String },
    #[error("--area-codes says what a full list covers, and {name} is a change list")]
    CoverageOfChanges { name: String },
}

impl ListsError {
    /// Adds what was being done, and to what, to an error of the operating system.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
