//! A stream in memory for tungstenite: it reads what we read already, and writes to where we keep what is to be written.

use std::io::{self, Read, Write};

#[derive(Debug)]
pub(super) struct Fed<'a> {
    pub(super) bytes: &'a [u8],
    /// Behind the bytes the connection ends; otherwise more is to come.
    pub(super) is_end: bool,
    pub(super) written: &'a mut Vec<u8>,
}

impl Read for Fed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && !self.is_end {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.bytes.read(into)
    }
}

impl Write for Fed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
