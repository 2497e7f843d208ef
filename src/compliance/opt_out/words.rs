//! Text as the phrase table sees it: sentences of plain words, each with its place in the text.

/// One word, without case, accents and apostrophes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Where it stands in the text, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    /// A comma or dash stands before it.
    pub(super) after_pause: bool,
    /// It stands between quotation marks.
    pub(super) quoted: bool,
}

/// Splits a text at full stops, question marks and the like. Empty sentences are left out.
pub(super) fn sentences(text: &str) -> Vec<Vec<Word>> {
    let mut reader = Reader { text, sentences: vec![Vec::new()], word: None, pause: false, quoted: false };
    for (at, character) in text.char_indices() {
        reader.read(at, character);
    }
    reader.end_word(text.len());
    reader.sentences.retain(|sentence| !sentence.is_empty());
    reader.sentences
}

struct Reader<'t> {
    text: &'t str,
    sentences: Vec<Vec<Word>>,
    /// Where the word that is being read started.
    word: Option<usize>,
    pause: bool,
    quoted: bool,
}

impl Reader<'_> {
    fn read(&mut self, at: usize, character: char) {
        let in_word = self.word.is_some();
        match character {
            _ if character.is_alphanumeric() => {
                self.word.get_or_insert(at);
            }
            // Combining accents belong to the letter before them, apostrophes to the word around them.
            '\u{300}'..='\u{36f}' if in_word => {}
            '\'' | '’' | '`' if in_word && self.letter_follows(at + character.len_utf8()) => {}
            _ => {
                self.end_word(at);
                match character {
                    '.' | '!' | '?' | ';' | '\n' | '¿' | '¡' | '…' => {
                        self.sentences.push(Vec::new());
                        self.pause = false;
                    }
                    ',' | ':' | '—' | '–' | '(' | ')' => self.pause = true,
                    '"' => self.quoted = !self.quoted,
                    '“' | '«' => self.quoted = true,
                    '”' | '»' => self.quoted = false,
                    // A single quotation mark that is no apostrophe.
                    '\'' | '‘' | '’' => {
                        self.quoted = !self.quoted && self.letter_follows(at + character.len_utf8());
                    }
                    _ => {}
                }
            }
        }
    }

    fn letter_follows(&self, at: usize) -> bool {
        self.text[at..].chars().next().is_some_and(char::is_alphanumeric)
    }

    fn end_word(&mut self, end: usize) {
        let Some(start) = self.word.take() else { return };
        let text: String = self.text[start..end].chars().flat_map(plain).collect();
        let word = Word { text, start, end, after_pause: self.pause, quoted: self.quoted };
        self.pause = false;
        if let Some(sentence) = self.sentences.last_mut() {
            sentence.push(word);
        }
    }
}

/// A letter without case and accent; nothing for an apostrophe.
pub(super) fn plain(character: char) -> impl Iterator<Item = char> {
    let bare = match character {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'Á' | 'À' | 'Â' | 'Ä' | 'Ã' => Some('a'),
        'é' | 'è' | 'ê' | 'ë' | 'É' | 'È' | 'Ê' | 'Ë' => Some('e'),
        'í' | 'ì' | 'î' | 'ï' | 'Í' | 'Ì' | 'Î' | 'Ï' => Some('i'),
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' | 'Ó' | 'Ò' | 'Ô' | 'Ö' | 'Õ' => Some('o'),
        'ú' | 'ù' | 'û' | 'ü' | 'Ú' | 'Ù' | 'Û' | 'Ü' => Some('u'),
        'ñ' | 'Ñ' => Some('n'),
        _ if character.is_alphanumeric() => Some(character),
        _ => None,
    };
    bare.into_iter().flat_map(char::to_lowercase)
}
