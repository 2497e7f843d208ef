//! One line of a list file: a number, bare or split, and in change lists whether it is added or deleted.
//!
//! The registry's flat files say `201,5551234` or, in older descriptions, `2015551234`; its change lists add `A` or `D` and a date,
//! in an order that no public page fixes. States ship CSV with columns of their own. So: the number comes first, anything may
//! follow, and in a change list exactly one later field says add or delete.

use serde::{Deserialize, Serialize};

use super::name::{NanpNumber, NotNanp};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The whole list: what it does not name is not listed.
    Full,
    /// What was added and deleted since the last file.
    Changes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Add,
    Delete,
}

/// What a line says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// Blank, or a comment (`#`).
    Nothing,
    /// Words: the head of a table, where it stands before the first number.
    Words,
    Number {
        number: NanpNumber,
        action: Option<Action>,
    },
}

/// Why a line holds no number that could be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadLine {
    #[error("not a number like 2015551234, 201,5551234 or +12015551234")]
    NotANumber,
    #[error("{0} digits, a number has ten")]
    Digits(usize),
    #[error("no area code begins with 0 or 1")]
    AreaCode,
    #[error("no exchange (the fourth to sixth digit) begins with 0 or 1")]
    Exchange,
    #[error("a number of another country: these lists hold numbers of +1 only")]
    OtherCountry,
    #[error("more than one number in a line")]
    SeveralNumbers,
    #[error("longer than {MAX_LINE} bytes")]
    TooLong,
    #[error("says neither A (add) nor D (delete), as the lines of a change list do")]
    NoAction,
    #[error("says both A (add) and D (delete)")]
    TwoActions,
    #[error("says A or D, although the file began as a full list")]
    ActionInFull,
}

/// The longest line that is read, in bytes.
pub(super) const MAX_LINE: usize = 1024;

/// Reads one line, without its line break.
pub(super) fn parse_line(line: &[u8]) -> Result<Line, BadLine> {
    // The two forms of the registry, which are nearly all lines there are.
    let line = line.trim_ascii();
    let plain = match line {
        [digits @ ..] if digits.len() == 10 => ten_digits(digits.iter().copied()),
        [a, b, c, b',', rest @ ..] if rest.len() == 7 => {
            ten_digits([*a, *b, *c].into_iter().chain(rest.iter().copied()))
        }
        _ => None,
    };
    if let Some(digits) = plain {
        return Ok(Line::Number { number: number(digits)?, action: None });
    }
    match line.first() {
        None | Some(b'#') => return Ok(Line::Nothing),
        _ if line.len() > MAX_LINE => return Err(BadLine::TooLong),
        _ => {}
    }
    let mut fields = line.split(|byte| matches!(byte, b',' | b';' | b'\t' | b'|')).map(unquoted).peekable();
    let first = fields.next().unwrap_or_default();
    if !first.first().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'(')) {
        let has_words = line.iter().any(u8::is_ascii_alphabetic);
        return if has_words { Ok(Line::Words) } else { Err(BadLine::NotANumber) };
    }
    // Fixed columns: the number, blanks, and whatever else.
    let (first, columns) = match first.split_at_checked(10) {
        Some((digits, rest)) if rest.first() == Some(&b' ') && digits.iter().all(u8::is_ascii_digit) => (digits, rest),
        _ => (first, [].as_slice()),
    };
    let (head, count) = digits_of(first)?;
    let digits = match (first[0], count, fields.peek()) {
        (b'+', 11, _) if head[0] != 1 => return Err(BadLine::OtherCountry),
        (_, 11, _) if head[0] == 1 => tail(&head, 1),
        (_, 10, _) if first[0] != b'+' => tail(&head, 0),
        (_, 3, Some(rest)) => {
            let (local, count) = digits_of(rest)?;
            if count != 7 {
                return Err(BadLine::Digits(3 + count));
            }
            fields.next();
            let mut digits = [0; 10];
            digits[..3].copy_from_slice(&head[..3]);
            digits[3..].copy_from_slice(&local[..7]);
            digits
        }
        (b'+', _, _) if head[0] != 1 => return Err(BadLine::OtherCountry),
        _ => return Err(BadLine::Digits(count)),
    };
    let number = number(digits)?;
    let mut action = None;
    for field in columns.split(u8::is_ascii_whitespace).chain(fields) {
        match field {
            _ if is_a_number(field) => return Err(BadLine::SeveralNumbers),
            _ => match (action_of(field), action) {
                (Some(said), Some(before)) if said != before => return Err(BadLine::TwoActions),
                (Some(said), _) => action = Some(said),
                (None, _) => {}
            },
        }
    }
    Ok(Line::Number { number, action })
}

fn number(digits: [u8; 10]) -> Result<NanpNumber, BadLine> {
    NanpNumber::from_digits(digits).map_err(|error| match error {
        NotNanp::AreaCode => BadLine::AreaCode,
        NotNanp::Exchange => BadLine::Exchange,
    })
}

fn ten_digits(bytes: impl Iterator<Item = u8>) -> Option<[u8; 10]> {
    let mut digits = [0; 10];
    let mut fine = true;
    for (digit, byte) in digits.iter_mut().zip(bytes) {
        *digit = byte.wrapping_sub(b'0');
        fine &= *digit <= 9;
    }
    fine.then_some(digits)
}

fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    match field {
        [b'"', inner @ .., b'"'] => inner.trim_ascii(),
        _ => field,
    }
}

/// The digits of a field (the first sixteen), and how many there are. Only what people put between digits may stand there too.
fn digits_of(field: &[u8]) -> Result<([u8; 16], usize), BadLine> {
    let (mut digits, mut count) = ([0; 16], 0);
    for byte in field {
        match byte {
            b'0'..=b'9' => {
                if let Some(digit) = digits.get_mut(count) {
                    *digit = byte - b'0';
                }
                count += 1;
            }
            b'+' | b'(' | b')' | b'-' | b'.' | b' ' => {}
            _ => return Err(BadLine::NotANumber),
        }
    }
    if count == 0 { Err(BadLine::NotANumber) } else { Ok((digits, count)) }
}

fn tail(digits: &[u8; 16], from: usize) -> [u8; 10] {
    std::array::from_fn(|at| digits[from + at])
}

/// Ten digits in a row (or eleven from 1) that could be a second number. A date or a count is shorter.
fn is_a_number(field: &[u8]) -> bool {
    let digits = field.strip_prefix(b"+").unwrap_or(field);
    let digits = if digits.len() == 11 { digits.strip_prefix(b"1").unwrap_or(digits) } else { digits };
    digits.len() == 10
        && ten_digits(digits.iter().copied()).is_some_and(|digits| NanpNumber::from_digits(digits).is_ok())
}

fn action_of(field: &[u8]) -> Option<Action> {
    let is = |words: &[&str]| words.iter().any(|word| field.eq_ignore_ascii_case(word.as_bytes()));
    if is(&["A", "ADD", "ADDED"]) {
        Some(Action::Add)
    } else if is(&["D", "DEL", "DELETE", "DELETED"]) {
        Some(Action::Delete)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> Option<(String, Option<Action>)> {
        match parse_line(line.as_bytes()) {
            Ok(Line::Number { number, action }) => Some((number.to_e164().as_str().to_owned(), action)),
            _ => None,
        }
    }

    #[test]
    fn every_form_that_publishers_use_is_the_same_number() {
        for line in [
            "2125550113",
            "212,5550113",
            "212,5550113\r",
            " 2125550113 ",
            "+12125550113",
            "12125550113",
            "(212) 555-0113",
            "212-555-0113",
            "212.555.0113",
            "+1 212 555 0113",
            "\"212\",\"5550113\"",
            "\"2125550113\"",
            "212, 555-0113",
            "212;5550113",
            "212\t5550113",
            "2125550113,2024-11-01,NY",
            "2125550113   20241101",
            "212|5550113|20241101",
        ] {
            assert_eq!(taken(line), Some(("+12125550113".to_owned(), None)), "{line}");
        }
    }

    #[test]
    fn a_change_says_add_or_delete_in_any_later_field() {
        for (line, action) in [
            ("212,5550113,A", Action::Add),
            ("212,5550113,D,2026-11-20", Action::Delete),
            ("2125550113,2026-11-20 10:11:12,a", Action::Add),
            ("2125550113 D", Action::Delete),
            ("212,5550113,\"DELETE\"", Action::Delete),
        ] {
            assert_eq!(taken(line), Some(("+12125550113".to_owned(), Some(action))), "{line}");
        }
        assert_eq!(parse_line(b"2125550113,A,D").err(), Some(BadLine::TwoActions));
    }

    #[test]
    fn a_bad_line_says_why() {
        for (line, why) in [
            ("212555011", BadLine::Digits(9)),
            ("212,555011", BadLine::Digits(9)),
            ("21255501133", BadLine::Digits(11)),
            ("212", BadLine::Digits(3)),
            ("0125550113", BadLine::AreaCode),
            ("112,5550113", BadLine::AreaCode),
            ("2121550113", BadLine::Exchange),
            ("+442079460000", BadLine::OtherCountry),
            ("+22125550113", BadLine::OtherCountry),
            ("212555o113", BadLine::NotANumber),
            ("2125550113,2125550114", BadLine::SeveralNumbers),
            ("2125550113 +12125550114", BadLine::SeveralNumbers),
            ("212555011\u{661}", BadLine::NotANumber),
        ] {
            assert_eq!(parse_line(line.as_bytes()).err(), Some(why), "{line}");
        }
        assert_eq!(parse_line(&[b'2'; MAX_LINE + 1]).err(), Some(BadLine::TooLong));
    }

    #[test]
    fn blank_lines_comments_and_words_are_no_numbers() {
        assert!(matches!(parse_line(b""), Ok(Line::Nothing)));
        assert!(matches!(parse_line(b" \r"), Ok(Line::Nothing)));
        assert!(matches!(parse_line(b"# 2125550113"), Ok(Line::Nothing)));
        assert!(matches!(parse_line(b"AreaCode,PhoneNumber"), Ok(Line::Words)));
        assert_eq!(parse_line(b",5550113").err(), Some(BadLine::NotANumber));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)) {
            let _ = parse_line(&bytes);
        }

        #[test]
        fn almost_numbers_break_it_neither(line in "[0-9+(), .AD\"-]{0,24}") {
            let _ = parse_line(line.as_bytes());
        }
    }
}
