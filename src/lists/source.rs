//! Reads list files line by line, plain or zipped, in one pass and with bounded memory; and their hash.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use memchr::memchr;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use super::ListsError;
use super::bitmap::hex;
use super::intake::{BadLines, Intake};
use super::line::MAX_LINE;
use crate::domain::E164;

/// How far an import has come.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// Bytes of the files read, of so many. The second is 0 for a pipe.
    Reading { done: u64, total: u64 },
    /// Files of bits written, of so many.
    Writing { done: u64, total: u64 },
}

/// A line, and where it stands.
pub(super) struct PlacedLine<'a> {
    /// `list.txt`, or `list.zip/201.txt`.
    pub file: &'a str,
    /// From 1.
    pub line: u64,
    /// Without its line break; cut off somewhere beyond `MAX_LINE`.
    pub bytes: &'a [u8],
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub name: String,
    /// In hex.
    pub sha256: String,
}

const BUFFER: usize = 1 << 20;

/// The first bytes of an archive, and of an archive without entries.
const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Hands every line of the files to `on_line`.
pub(super) fn read_files(
    files: &[PathBuf],
    mut on_line: impl FnMut(PlacedLine<'_>) -> Result<(), ListsError>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<SourceFile>, ListsError> {
    let total = files.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum();
    let done = Cell::new(0);
    let mut report = || progress(Progress::Reading { done: done.get(), total });
    let mut sources = Vec::new();
    for path in files {
        let failed = || ListsError::io("read", path);
        let name = name_of(path);
        let mut file = Counted::open(path, &done).map_err(failed())?;
        let mut head = Vec::new();
        file.by_ref().take(4).read_to_end(&mut head).map_err(failed())?;
        let sha256 = if ZIP.contains(&head.as_slice()) {
            read_archive(path, &name, &done, &mut on_line, &mut report)?;
            hash(path).map_err(failed())?
        } else {
            let mut sha256 = Sha256::new();
            let text = Cursor::new(head).chain(file);
            read_text(text, &name, |bytes| sha256.update(bytes), &mut on_line, &mut report)
                .map_err(|broken| broken.of(path))?;
            hex(&sha256.finalize())
        };
        sources.push(SourceFile { name, sha256 });
    }
    Ok(sources)
}

/// Reads the numbers of a list that is not kept here. Of bad lines as many are kept as an import would show.
pub fn read_numbers(file: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(Vec<E164>, BadLines), ListsError> {
    let mut intake = Intake::new(None);
    let mut numbers = Vec::new();
    let files = [file.to_owned()];
    read_files(
        &files,
        |line| {
            if let Some((number, _)) = intake.take(&line) {
                numbers.push(number.to_e164());
            }
            intake.must_be_full(&line)
        },
        progress,
    )?;
    if numbers.is_empty() {
        return Err(ListsError::NoNumbers { name: name_of(file) });
    }
    Ok((numbers, intake.bad))
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn hash(path: &Path) -> io::Result<String> {
    let mut sha256 = Sha256::new();
    io::copy(&mut File::open(path)?, &mut HashWriter(&mut sha256))?;
    Ok(hex(&sha256.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_archive(
    path: &Path,
    name: &str,
    done: &Cell<u64>,
    on_line: &mut impl FnMut(PlacedLine<'_>) -> Result<(), ListsError>,
    report: &mut dyn FnMut(),
) -> Result<(), ListsError> {
    let not_zip = |source| ListsError::Zip { path: path.to_owned(), source };
    let file = Counted::open(path, done).map_err(ListsError::io("read", path))?;
    let mut archive = ZipArchive::new(file).map_err(not_zip)?;
    let mut is_empty = true;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(not_zip)?;
        let entry_name = entry.name().map_err(not_zip)?.into_owned();
        let base = entry_name.rsplit('/').next().unwrap_or_default();
        // What some systems put beside the files.
        if entry.is_dir() || base.starts_with('.') || entry_name.starts_with("__MACOSX/") {
            continue;
        }
        is_empty = false;
        let name = format!("{name}/{entry_name}");
        read_text(entry, &name, |_| (), on_line, report).map_err(|broken| broken.of(path))?;
    }
    if is_empty { Err(ListsError::EmptyArchive { path: path.to_owned() }) } else { Ok(()) }
}

enum Broken {
    Read(io::Error),
    Lists(ListsError),
}

impl Broken {
    fn of(self, path: &Path) -> ListsError {
        match self {
            Self::Read(source) => ListsError::io("read", path)(source),
            Self::Lists(error) => error,
        }
    }
}

/// Reads one text. What is longer than a buffer without a line break is one line, and too long.
fn read_text(
    mut text: impl Read,
    name: &str,
    mut on_bytes: impl FnMut(&[u8]),
    on_line: &mut impl FnMut(PlacedLine<'_>) -> Result<(), ListsError>,
    report: &mut dyn FnMut(),
) -> Result<(), Broken> {
    let mut buffer = vec![0; BUFFER];
    // How much of the buffer's start is a line that is not at its end yet.
    let (mut kept, mut line) = (0, 0_u64);
    let mut hand_over = |bytes: &[u8]| {
        line += 1;
        let bytes = if line == 1 { first_line(bytes, name)? } else { bytes };
        on_line(PlacedLine { file: name, line, bytes })
    };
    loop {
        let count = match text.read(&mut buffer[kept..]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Broken::Read(error)),
        };
        if count == 0 {
            break;
        }
        on_bytes(&buffer[kept..kept + count]);
        let end = kept + count;
        let (mut start, mut from) = (0, kept);
        while let Some(length) = memchr(b'\n', &buffer[from..end]) {
            hand_over(&buffer[start..from + length]).map_err(Broken::Lists)?;
            start = from + length + 1;
            from = start;
        }
        buffer.copy_within(start..end, 0);
        // Of a line that is too long anyway, only so much is kept as shows it.
        kept = (end - start).min(2 * MAX_LINE);
        report();
    }
    if kept > 0 {
        hand_over(&buffer[..kept]).map_err(Broken::Lists)?;
    }
    Ok(())
}

/// Takes a byte-order mark off, and tells files that are no flat text.
fn first_line<'a>(line: &'a [u8], name: &str) -> Result<&'a [u8], ListsError> {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let what = match line.trim_ascii_start() {
        [b'<', ..] => "an XML file",
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "a UTF-16 file",
        [b'P', b'K', 3, 4, ..] => "an archive within an archive",
        _ => return Ok(line),
    };
    Err(ListsError::NotFlatText { name: name.to_owned(), what })
}

/// A file whose bytes are counted as they are read.
struct Counted<'a> {
    file: File,
    done: &'a Cell<u64>,
}

impl<'a> Counted<'a> {
    fn open(path: &Path, done: &'a Cell<u64>) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, done })
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.done.set(self.done.get() + count as u64);
        Ok(count)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}
