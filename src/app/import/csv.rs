//! A CSV file as rows of named columns: RFC 4180, UTF-8, a header in the first line. Read as a stream; a row has a size limit, so
//! that a quote that is never closed does not swallow the rest of the file.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use ::csv::{ByteRecord, ReaderBuilder};

use super::ImportError;

/// A row may be this long, in bytes. A consent's text is the longest thing in one.
const ROW_LIMIT: u64 = 1 << 20;

/// A row that was left out, and everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Counted from 1, the header included.
    pub line: u64,
    pub problems: Vec<String>,
}

/// Which columns a file may and must have.
pub(super) struct Columns {
    pub known: &'static [&'static str],
    pub required: &'static [&'static str],
    /// Columns of any name after this prefix are taken too.
    pub free_prefix: Option<&'static str>,
}

/// The rows of a file.
pub(super) struct Rows<R: Read> {
    reader: ::csv::Reader<Limited<R>>,
    header: Rc<[String]>,
    since_last: Rc<Cell<u64>>,
    record: ByteRecord,
}

/// One row: its line, and the columns that are not empty.
pub(super) struct Row {
    pub line: u64,
    header: Rc<[String]>,
    fields: Vec<String>,
    /// What is wrong with it so far.
    pub problems: Vec<String>,
}

impl<R: Read> Rows<R> {
    pub(super) fn open(file: R, columns: &Columns) -> Result<Self, ImportError> {
        let since_last = Rc::new(Cell::new(0));
        let limited = Limited { inner: file, since_last: Rc::clone(&since_last) };
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(limited);
        let header = reader.byte_headers().map_err(unreadable)?;
        if header.iter().all(<[u8]>::is_empty) {
            return Err(ImportError::Empty);
        }
        let header: Vec<String> =
            header.iter().map(|name| String::from_utf8_lossy(name).trim().to_lowercase().replace(' ', "_")).collect();
        check_header(&header, columns)?;
        since_last.set(0);
        Ok(Self { reader, header: header.into(), since_last, record: ByteRecord::new() })
    }

    /// The next row, good or bad; none at the end. An error ends the file.
    pub(super) fn next(&mut self) -> Result<Option<Result<Row, BadRow>>, ImportError> {
        loop {
            let more = self.reader.read_byte_record(&mut self.record).map_err(unreadable)?;
            self.since_last.set(0);
            if !more {
                return Ok(None);
            }
            if self.record.iter().any(|field| !field.trim_ascii().is_empty()) {
                return Ok(Some(self.row()));
            }
            // A line of nothing but commas is how spreadsheets end a table.
        }
    }

    fn row(&self) -> Result<Row, BadRow> {
        let line = self.record.position().map_or(0, ::csv::Position::line);
        let bad = |problem: String| BadRow { line, problems: vec![problem] };
        if self.record.len() != self.header.len() {
            let (has, wants) = (self.record.len(), self.header.len());
            return Err(bad(format!("it has {has} fields and the header has {wants}: is a quote or a comma missing?")));
        }
        let fields: Result<Vec<String>, _> =
            self.record.iter().map(|field| std::str::from_utf8(field).map(|text| text.trim().to_owned())).collect();
        let fields = fields.map_err(|_| bad("it is not UTF-8 text".to_owned()))?;
        Ok(Row { line, header: Rc::clone(&self.header), fields, problems: Vec::new() })
    }
}

impl Row {
    /// A column, if the file has it and it is not empty here.
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        let place = self.header.iter().position(|name| name == column)?;
        Some(self.fields[place].as_str()).filter(|text| !text.is_empty())
    }

    /// The columns that begin so and are not empty, without the prefix.
    pub(super) fn texts_under(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let cells = self.header.iter().zip(&self.fields).filter(|(_, text)| !text.is_empty());
        cells.filter_map(move |(name, text)| Some((name.strip_prefix(prefix)?, text.as_str())))
    }

    /// A column read as something else; what is wrong with it is noted.
    pub(super) fn parse<T>(&mut self, column: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match read(self.text(column)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(format!("{column}: {problem}"));
                None
            }
        }
    }

    /// The same for a column that must not be empty.
    pub(super) fn need<T>(&mut self, column: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        if self.text(column).is_none() {
            self.problems.push(format!("{column}: it is empty"));
        }
        self.parse(column, read)
    }

    pub(super) fn into_bad(self) -> BadRow {
        BadRow { line: self.line, problems: self.problems }
    }
}

fn check_header(header: &[String], columns: &Columns) -> Result<(), ImportError> {
    for (place, name) in header.iter().enumerate() {
        if header[..place].contains(name) {
            return Err(ImportError::RepeatedColumn(name.clone()));
        }
        let is_free = columns.free_prefix.is_some_and(|prefix| name.len() > prefix.len() && name.starts_with(prefix));
        if !is_free && !columns.known.contains(&name.as_str()) {
            let free = columns.free_prefix.map_or_else(String::new, |prefix| format!("; any other as {prefix}NAME"));
            let hint = format!("there are {}{free}", columns.known.join(", "));
            return Err(ImportError::UnknownColumn { column: name.clone(), hint });
        }
    }
    match columns.required.iter().find(|name| !header.iter().any(|has| has == *name)) {
        Some(missing) => Err(ImportError::MissingColumn(missing)),
        None => Ok(()),
    }
}

fn unreadable(error: ::csv::Error) -> ImportError {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => ImportError::Unreadable(error),
        other => ImportError::Unreadable(io::Error::other(format!("{other:?}"))),
    }
}

/// Gives up when too much was read since the last row ended.
struct Limited<R> {
    inner: R,
    since_last: Rc<Cell<u64>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_last.get() > ROW_LIMIT {
            let text = "a row is longer than 1 MiB: is a quote opened and never closed?";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let read = self.inner.read(buffer)?;
        self.since_last.set(self.since_last.get() + read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: Columns =
        Columns { known: &["number", "name"], required: &["number"], free_prefix: Some("custom.") };

    fn read(text: &[u8]) -> Result<Vec<Result<Vec<String>, BadRow>>, ImportError> {
        let mut rows = Rows::open(text, &COLUMNS)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(row.map(|row| row.fields));
        }
        Ok(all)
    }

    #[test]
    fn rows_are_read_whatever_stands_around_them() {
        let text = "\u{feff}Number,NAME,custom.Plan\r\n 1 ,\"Smith, \"\"J\"\"\r\nJr\",x\r\n\r\n,,\r\n2,é,\r\n";
        let rows: Vec<_> = read(text.as_bytes()).unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(rows, [vec!["1", "Smith, \"J\"\r\nJr", "x"], vec!["2", "é", ""]]);
    }

    #[test]
    fn a_bad_row_is_told_by_its_line_and_the_next_is_read() {
        let rows = read(b"number,name\n\"1\nx\",a\n2\n\xff,b\n3,c\n").unwrap();
        let lines: Vec<_> = rows.iter().map(|row| row.as_ref().map_err(|bad| bad.line).err()).collect();
        assert_eq!(lines, [None, Some(4), Some(5), None]);
    }

    #[test]
    fn a_header_must_be_right() {
        let error = |text: &str| read(text.as_bytes()).err().unwrap().to_string();
        assert!(error("").contains("is empty"));
        assert!(error("name\n").contains("`number` is missing"));
        assert!(
            error("number,phone\n").contains("`phone` is not known: there are number, name; any other as custom.NAME")
        );
        assert!(error("number,Number\n").contains("stands twice"));
    }

    #[test]
    fn an_open_quote_does_not_swallow_the_file() {
        let mut text = b"number,name\n1,a\n2,\"".to_vec();
        text.resize(4 << 20, b'x');
        let mut rows = Rows::open(text.as_slice(), &COLUMNS).unwrap();
        assert!(rows.next().unwrap().unwrap().is_ok());
        assert!(rows.next().err().unwrap().to_string().contains("never closed"));
    }
}
