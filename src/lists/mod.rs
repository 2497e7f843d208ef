//! Do-not-call lists on disk: the national registry's and those that states keep, imported as their publishers ship them.
//!
//! A list is one file of bits for each area code, `LIST/GENERATION/NPA.bits`, and one `manifest.json` above all lists says which
//! files are in force. An import writes a new generation beside the old one and then replaces the manifest by one rename, so that
//! a reader sees the old list or the new one, and never a part of either. Files of a generation are never changed. A reader looks
//! at the manifest's place before each decision: a finished import binds the next one.
//!
//! What cannot be read, or is not what was written, is an answer of its own ([`Listing::Unreadable`]), which the gate takes for an
//! unknown fact. The company's own list and the litigators are not here but in the store.

mod bitmap;
mod error;
mod import;
mod intake;
mod line;
mod manifest;
mod name;
mod reader;
mod source;

pub use error::ListsError;
pub use import::{Import, Imported, import, sweep};
pub use intake::BadLines;
pub use line::Kind;
pub use manifest::{Coverage, ListEntry, Source};
pub use name::{ListName, ListNameError, NanpNumber};
pub use reader::{ListAnswer, Listing, Lists, Snapshot};
pub use source::{Progress, read_numbers};

#[cfg(test)]
mod tests;
