//! The numbers of one area code as bits, and the file that holds them.
//!
//! A file has one block for each exchange, 200 to 999: 10,000 bits and a checksum. A lookup is one positional read of one block,
//! from the page cache as a rule, and is certain of what it read: the checksum counts the list, area code, generation and exchange
//! in, so that a damaged block, or a file that is in the wrong place, is found out by whoever reads it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crc32fast::Hasher;
use sha2::{Digest as _, Sha256};

use super::name::{ListName, NanpNumber};
use crate::domain::phone::Npa;

const EXCHANGES: usize = 800;
/// Bytes of one exchange's bits.
const BITS: usize = 10_000 / 8;
const BLOCK: usize = BITS + size_of::<u32>();
/// The size of every file.
const FILE: usize = EXCHANGES * BLOCK;

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

fn checksum(seed: u32, exchange: usize, bits: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(&u32::try_from(exchange).expect("800 exchanges").to_le_bytes());
    hasher.update(bits);
    hasher.finalize()
}

fn is_whole(seed: u32, exchange: usize, block: &[u8]) -> bool {
    let (bits, sum) = block.split_at(BITS);
    checksum(seed, exchange, bits).to_le_bytes() == sum
}

/// Where a number's bit is within its block.
fn bit(number: NanpNumber) -> (usize, u8) {
    (usize::from(number.line() / 8), 1 << (number.line() % 8))
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
        let (byte, mask) = bit(number);
        (&mut self.bytes[usize::from(number.exchange()) * BLOCK + byte], mask)
    }

    /// Reads a whole file and proves every block of it, and that it is the file of this hash.
    pub(super) fn read(path: &Path, identity: Identity, sha256: &str) -> Result<Self, Unreadable> {
        let file = open(path)?;
        let mut bytes = vec![0; FILE];
        file.read_exact_at(&mut bytes, 0)?;
        let seed = identity.seed();
        if !bytes.chunks_exact(BLOCK).enumerate().all(|(exchange, block)| is_whole(seed, exchange, block)) {
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
        for (exchange, block) in self.bytes.chunks_exact_mut(BLOCK).enumerate() {
            let (bits, sum) = block.split_at_mut(BITS);
            numbers += bits.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
            sum.copy_from_slice(&checksum(seed, exchange, bits).to_le_bytes());
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
        let exchange = usize::from(number.exchange());
        let mut block = [0; BLOCK];
        self.file.read_exact_at(&mut block, (exchange * BLOCK) as u64)?;
        if !is_whole(self.seed, exchange, &block) {
            return Err(Unreadable::Checksum);
        }
        let (byte, mask) = bit(number);
        Ok(block[byte] & mask != 0)
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
