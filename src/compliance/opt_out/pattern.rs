//! The small pattern language of `opt_out_phrases.toml`: words, `(one|of these)`, `[one of these or|nothing]`, `*`.

use super::words::{Word, plain};

/// How many words a `*` may stand for.
const GAP: usize = 3;

/// A sequence of words to listen for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Item>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Word(String),
    /// One of these, each itself a pattern.
    OneOf(Vec<Pattern>),
    /// One of these or nothing.
    Maybe(Vec<Pattern>),
    Gap,
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let characters: Vec<char> = text.chars().collect();
        let mut reader = Reader { characters: &characters, at: 0 };
        let pattern = reader.sequence(&[])?;
        if pattern.0.is_empty() { Err(format!("`{text}` has no words")) } else { Ok(pattern) }
    }

    /// The end of the longest match that starts at the first word, none if there is none.
    pub(super) fn longest(&self, words: &[Word]) -> Option<usize> {
        self.ends(words, 0).into_iter().max()
    }

    /// Every place, counted in words, at which a match that starts at `from` may end.
    fn ends(&self, words: &[Word], from: usize) -> Vec<usize> {
        let mut reached = vec![from];
        for item in &self.0 {
            let mut next = Vec::new();
            for at in reached {
                match item {
                    Item::Word(word) if words.get(at).is_some_and(|heard| heard.text == *word) => next.push(at + 1),
                    Item::Word(_) => {}
                    Item::OneOf(choices) => next.extend(choices.iter().flat_map(|choice| choice.ends(words, at))),
                    Item::Maybe(choices) => {
                        next.push(at);
                        next.extend(choices.iter().flat_map(|choice| choice.ends(words, at)));
                    }
                    Item::Gap => next.extend(at..=(at + GAP).min(words.len())),
                }
            }
            next.sort_unstable();
            next.dedup();
            reached = next;
        }
        reached
    }
}

struct Reader<'c> {
    characters: &'c [char],
    at: usize,
}

impl Reader<'_> {
    fn sequence(&mut self, until: &[char]) -> Result<Pattern, String> {
        let mut items = Vec::new();
        let mut word = String::new();
        loop {
            let next = self.characters.get(self.at).copied();
            match next {
                Some(character) if character.is_alphanumeric() => word.extend(plain(character)),
                _ => {
                    if !word.is_empty() {
                        items.push(Item::Word(std::mem::take(&mut word)));
                    }
                    match next {
                        None if until.is_empty() => return Ok(Pattern(items)),
                        None => return Err("a bracket is not closed".to_owned()),
                        Some(end) if until.contains(&end) => return Ok(Pattern(items)),
                        Some(' ') => {}
                        Some('*') => items.push(Item::Gap),
                        Some('(') => items.push(Item::OneOf(self.choices(')')?)),
                        Some('[') => items.push(Item::Maybe(self.choices(']')?)),
                        Some(other) => return Err(format!("`{other}` means nothing here")),
                    }
                }
            }
            self.at += 1;
        }
    }

    fn choices(&mut self, close: char) -> Result<Vec<Pattern>, String> {
        let mut choices = Vec::new();
        loop {
            self.at += 1;
            let choice = self.sequence(&['|', close])?;
            if choice.0.is_empty() {
                return Err("a choice has no words".to_owned());
            }
            choices.push(choice);
            if self.characters.get(self.at) == Some(&close) {
                return Ok(choices);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::sentences;
    use super::*;

    fn longest(pattern: &str, text: &str) -> Option<usize> {
        let words = sentences(text).pop().unwrap_or_default();
        Pattern::parse(pattern).unwrap().longest(&words)
    }

    #[test]
    fn patterns_match_the_longest_way() {
        assert_eq!(longest("stop [the|all the] (calls|calling) [me]", "stop all the calls me x"), Some(5));
        assert_eq!(longest("take me off * list", "take me off that damn list list"), Some(7));
        assert_eq!(longest("take me off * list", "take me off of your big old calling list"), None);
        assert_eq!(longest("(a|a b) c [of (x|y)]", "a b c of y"), Some(5));
        assert_eq!(longest("no", "know"), None);
    }

    #[test]
    fn broken_patterns_are_refused() {
        for text in ["", "  ", "(a", "a|b", "[a|]", "a)", "a, b", "()"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
