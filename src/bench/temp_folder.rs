//! The directory of a measurement, removed at its end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug)]
pub(super) struct TempFolder {
    path: PathBuf,
    next: AtomicU32,
}

impl TempFolder {
    pub(super) fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("clearline-bench-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path)?;
        Ok(Self { path, next: AtomicU32::new(0) })
    }

    /// A new directory in it.
    pub(super) fn sub(&self) -> std::io::Result<PathBuf> {
        let path = self.path.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean: it is in the directory for that.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
