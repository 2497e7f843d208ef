//! A scanner for JSON of the simplest kind: finds a value in a message without building a tree, and gives up (`None`, "ask serde")
//! at the first thing that is not as plain as the wire usually is. It never says that a text is malformed.

use std::ops::Range;

use memchr::memchr2;

/// A key that comes twice is for serde to judge.
pub(super) fn set_once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.is_none().then(|| *slot = Some(value))
}

/// Walks JSON of the simplest kind. Every method gives up with `None` at the first thing it does not expect.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Whether nothing but white space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.at == self.text.len()
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &'a [u8] {
        &self.text[range]
    }

    /// An object, whose members `member` reads: it gets the key and must consume the value.
    pub(super) fn object(&mut self, mut member: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            member(self, &self.text[key])?;
            if self.peek()? == b',' {
                self.at += 1;
            } else {
                return self.expect(b'}');
            }
        }
    }

    /// A string without escapes and control characters; the range between its quotes.
    pub(super) fn string(&mut self) -> Option<Range<usize>> {
        self.expect(b'"')?;
        let rest = &self.text[self.at..];
        let len = memchr2(b'"', b'\\', rest).filter(|end| rest[*end] == b'"')?;
        // Written as a sum, so that the compiler can take many bytes at a time.
        let controls: usize = rest[..len].iter().map(|b| usize::from(*b < 0x20)).sum();
        let range = self.at..self.at + len;
        self.at = range.end + 1;
        (controls == 0).then_some(range)
    }

    /// A string or a plain whole number.
    pub(super) fn skip_scalar(&mut self) -> Option<()> {
        if self.peek()? == b'"' {
            return self.string().map(drop);
        }
        let digits = self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let has_leading_zero = digits > 1 && self.text[self.at] == b'0';
        self.at += digits;
        (digits > 0 && !has_leading_zero).then_some(())
    }

    /// A plain whole number.
    pub(super) fn number(&mut self) -> Option<u64> {
        self.skip_space();
        let start = self.at;
        self.skip_scalar()?;
        std::str::from_utf8(&self.text[start..self.at]).ok()?.parse().ok()
    }

    /// Anything, as long as its strings are without escapes and it is not nested deeper than `depth`.
    pub(super) fn skip_value(&mut self, depth: u8) -> Option<()> {
        let inner = depth.checked_sub(1)?;
        match self.peek()? {
            b'{' => self.object(|scanner, _| scanner.skip_value(inner)),
            b'[' => self.skip_array(inner),
            b'"' => self.string().map(drop),
            _ => self.skip_word(),
        }
    }

    fn skip_array(&mut self, depth: u8) -> Option<()> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            return self.expect(b']');
        }
        loop {
            self.skip_value(depth)?;
            if self.peek()? == b',' {
                self.at += 1;
            } else {
                return self.expect(b']');
            }
        }
    }

    /// A plain whole number, `true`, `false` or `null`.
    fn skip_word(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        match [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word)) {
            Some(word) => {
                self.at += word.len();
                Some(())
            }
            None => self.skip_scalar(),
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }
}
