//! The numbers of one area code as bits, and the file that holds them.
//!
//! A file has one block for each thousand numbers of each exchange, 200 to 999: 1,000 bits and a checksum. A lookup is one positional
//! read of one block, from the page cache as a rule, and is certain of what it read: the checksum counts the list, area code,
//! generation and block in, so that a damaged block, or a file that is in the wrong place, is found out by whoever reads it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crc32fast::Hasher;
use sha2::{Digest as _, Sha256};

use super::name::{ListName, NanpNumber};
use crate::domain::phone::Npa;

/// Ten blocks an exchange.
const BLOCKS: usize = 800 * 10;
/// Bytes of one block's bits.
const BITS: usize = 1_000 / 8;
const BLOCK: usize = BITS + size_of::<u32>();
/// The size of every file.
const FILE: usize = BLOCKS * BLOCK;

/// What a file holds, by its place. Part of every checksum in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub list: ListName,
    pub npa: Npa,
    pub generation: u64,
}

impl Identity {
    fn seed(self) -> u32 {
        let mut hasher = Hasher::new();
        hasher.update(self.list.to_string().as_bytes());
        hasher.update(&self.npa.as_u16().to_le_bytes());
        hasher.update(&self.generation.to_le_bytes());
        hasher.finalize()
    }
}

/// Why a file cannot answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("has {0} bytes instead of {FILE}")]
    Size(u64),
    #[error("is damaged: a checksum is wrong")]
    Checksum,
    #[error("is damaged: it is not the file that the manifest names")]
    Hash,
}

fn checksum(seed: u32, block: usize, bits: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(&u32::try_from(block).expect("8,000 blocks").to_le_bytes());
    hasher.update(bits);
    hasher.finalize()
}

fn is_whole(seed: u32, block: usize, bytes: &[u8]) -> bool {
    let (bits, sum) = bytes.split_at(BITS);
    checksum(seed, block, bits).to_le_bytes() == sum
}

/// Where a number's bit is: the block, the byte within it, and the byte with this bit set.
fn place(number: NanpNumber) -> (usize, usize, u8) {
    let (thousand, rest) = (number.line() / 1000, number.line() % 1000);
    (usize::from(number.exchange() * 10 + thousand), usize::from(rest / 8), 1 << (rest % 8))
}

/// The numbers of one area code, in memory while a list is imported.
pub(super) struct Bitmap {
    /// As in the file; the checksums are right only after `seal`.
    bytes: Box<[u8]>,
}

/// What became of a bitmap that was written.
pub(super) struct Sealed {
    pub numbers: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

impl Bitmap {
    pub(super) fn empty() -> Self {
        Self { bytes: vec![0; FILE].into() }
    }

    /// Whether the number was not there before.
    pub(super) fn insert(&mut self, number: NanpNumber) -> bool {
        let (byte, mask) = self.byte_of(number);
        let is_new = *byte & mask == 0;
        *byte |= mask;
        is_new
    }

    /// Whether the number was there.
    pub(super) fn remove(&mut self, number: NanpNumber) -> bool {
        let (byte, mask) = self.byte_of(number);
        let was_there = *byte & mask != 0;
        *byte &= !mask;
        was_there
    }

    fn byte_of(&mut self, number: NanpNumber) -> (&mut u8, u8) {
        let (block, byte, mask) = place(number);
        (&mut self.bytes[block * BLOCK + byte], mask)
    }

    /// Reads a whole file and proves every block of it, and that it is the file of this hash.
    pub(super) fn read(path: &Path, identity: Identity, sha256: &str) -> Result<Self, Unreadable> {
        let file = open(path)?;
        let mut bytes = vec![0; FILE];
        file.read_exact_at(&mut bytes, 0)?;
        let seed = identity.seed();
        if !bytes.chunks_exact(BLOCK).enumerate().all(|(block, bytes)| is_whole(seed, block, bytes)) {
            return Err(Unreadable::Checksum);
        }
        if hex(&Sha256::digest(&bytes)) != sha256 {
            return Err(Unreadable::Hash);
        }
        Ok(Self { bytes: bytes.into() })
    }

    /// Writes a new file, to the disk.
    pub(super) fn write(&mut self, path: &Path, identity: Identity) -> io::Result<Sealed> {
        let seed = identity.seed();
        let mut numbers = 0;
        for (block, bytes) in self.bytes.chunks_exact_mut(BLOCK).enumerate() {
            let (bits, sum) = bytes.split_at_mut(BITS);
            numbers += bits.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
            sum.copy_from_slice(&checksum(seed, block, bits).to_le_bytes());
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all_at(&self.bytes, 0)?;
        file.sync_all()?;
        Ok(Sealed { numbers, sha256: hex(&Sha256::digest(&self.bytes)) })
    }
}

/// A file of bits, open for lookups.
#[derive(Debug)]
pub(super) struct BitmapFile {
    file: File,
    seed: u32,
}

impl BitmapFile {
    pub(super) fn open(path: &Path, identity: Identity) -> Result<Self, Unreadable> {
        Ok(Self { file: open(path)?, seed: identity.seed() })
    }

    pub(super) fn contains(&self, number: NanpNumber) -> Result<bool, Unreadable> {
        let (block, byte, mask) = place(number);
        let mut bytes = [0; BLOCK];
        self.file.read_exact_at(&mut bytes, (block * BLOCK) as u64)?;
        if !is_whole(self.seed, block, &bytes) {
            return Err(Unreadable::Checksum);
        }
        Ok(bytes[byte] & mask != 0)
    }
}

fn open(path: &Path) -> Result<File, Unreadable> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size == FILE as u64 { Ok(file) } else { Err(Unreadable::Size(size)) }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
