//! Which lines of the files count: heads of tables are passed over, bad lines counted and named, and each file is of one kind.

use super::ListsError;
use super::line::{Action, BadLine, Kind, Line, parse_line};
use super::name::NanpNumber;
use super::source::PlacedLine;

/// How many bad lines are kept to be shown; the others are only counted.
const SHOWN: usize = 20;

/// The lines that could not be taken.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct BadLines {
    pub total: u64,
    /// `list.txt line 7: …`, the first of them. The text of the line is not shown: it may hold a number.
    pub shown: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Intake {
    /// As it was said, or as the first number shows it.
    pub kind: Option<Kind>,
    /// Letters `A` and `D` mean something else, since somebody said that the list is full.
    ignores_actions: bool,
    /// No number was read in this file yet.
    in_head: bool,
    pub bad: BadLines,
}

impl Intake {
    pub(super) fn new(kind: Option<Kind>) -> Self {
        Self { kind, ignores_actions: kind == Some(Kind::Full), in_head: true, bad: BadLines::default() }
    }

    /// The number of a line and what to do with it. A bad line is written down.
    pub(super) fn take(&mut self, line: &PlacedLine<'_>) -> Option<(NanpNumber, Action)> {
        self.in_head |= line.line == 1;
        match parse_line(line.bytes) {
            Ok(Line::Number { number, action }) => {
                self.in_head = false;
                let action = action.filter(|_| !self.ignores_actions);
                let of_line = if action.is_some() { Kind::Changes } else { Kind::Full };
                match (*self.kind.get_or_insert(of_line), action) {
                    (Kind::Full, None) => return Some((number, Action::Add)),
                    (Kind::Changes, Some(action)) => return Some((number, action)),
                    (Kind::Full, Some(_)) => self.note(line, BadLine::ActionInFull),
                    (Kind::Changes, None) => self.note(line, BadLine::NoAction),
                }
            }
            Ok(Line::Words) if !self.in_head => self.note(line, BadLine::NotANumber),
            Ok(Line::Words | Line::Nothing) => {}
            Err(why) => self.note(line, why),
        }
        None
    }

    pub(super) fn must_be_full(&self, line: &PlacedLine<'_>) -> Result<(), ListsError> {
        if self.kind == Some(Kind::Changes) {
            return Err(ListsError::OnlyFull { name: line.file.to_owned() });
        }
        Ok(())
    }

    fn note(&mut self, line: &PlacedLine<'_>, why: BadLine) {
        self.bad.total += 1;
        if self.bad.shown.len() < SHOWN {
            self.bad.shown.push(format!("{} line {}: {why}", line.file, line.line));
        }
    }
}
