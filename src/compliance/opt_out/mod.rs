//! Hearing an opt-out in what a person says, in English or Spanish: a curated table of phrases that counts negation and
//! quoting.
//!
//! It is made for finished transcripts: half a sentence ("stop calling me …") may still turn into something else ("… by
//! my first name").

mod pattern;
mod words;

use serde::Deserialize;

use self::pattern::Pattern;
use self::words::{Word, sentences};
use super::tables::TableError;
use crate::domain::Language;

const FILE: &str = "opt_out_phrases.toml";
const SHIPPED: &str = include_str!("../../../config/compliance/opt_out_phrases.toml");

/// The table of phrases.
#[derive(Debug, Clone)]
pub struct OptOutPhrases {
    phrases: Vec<Phrase>,
    contexts: Vec<Context>,
}

/// An opt-out that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard<'t> {
    /// The phrase of the table, by its id.
    pub phrase: String,
    pub language: Language,
    /// The words of the text that said it.
    pub words: &'t str,
}

#[derive(Debug, Clone)]
struct Phrase {
    id: String,
    language: Language,
    says: Vec<Pattern>,
    unless_followed_by: Vec<Pattern>,
    unless_after: Vec<Pattern>,
    whole_utterance: bool,
}

/// What turns phrases of one language round, or takes them out of the speaker's mouth.
#[derive(Debug, Clone)]
struct Context {
    language: Language,
    negations: Vec<Pattern>,
    no_negations: Vec<Pattern>,
    reports: Vec<Pattern>,
    own_words: Vec<Pattern>,
    links: Vec<String>,
    politeness: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    phrase: Vec<RawPhrase>,
    context: Vec<RawContext>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPhrase {
    id: String,
    language: Language,
    says: Vec<String>,
    #[serde(default)]
    unless_followed_by: Vec<String>,
    #[serde(default)]
    unless_after: Vec<String>,
    #[serde(default)]
    whole_utterance: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawContext {
    language: Language,
    negations: Vec<String>,
    no_negations: Vec<String>,
    reports: Vec<String>,
    own_words: Vec<String>,
    links: Vec<String>,
    politeness: Vec<String>,
}

impl OptOutPhrases {
    /// The table as it ships.
    pub fn shipped() -> Result<Self, TableError> {
        Self::parse(FILE, SHIPPED)
    }

    /// Reads a table of the same form.
    pub fn parse(file: &str, text: &str) -> Result<Self, TableError> {
        let raw: RawTable = toml::from_str(text)
            .map_err(|error| TableError::Syntax { file: file.to_owned(), reason: error.to_string() })?;
        let read = |row: &str, texts: &[String]| {
            let patterns = texts.iter().map(|text| Pattern::parse(text));
            patterns.collect::<Result<Vec<_>, _>>().map_err(|reason| TableError::Row {
                file: file.to_owned(),
                row: row.to_owned(),
                reason,
            })
        };
        let phrases = raw.phrase.into_iter().map(|phrase| {
            let says = read(&phrase.id, &phrase.says)?;
            let unless_followed_by = read(&phrase.id, &phrase.unless_followed_by)?;
            let unless_after = read(&phrase.id, &phrase.unless_after)?;
            let RawPhrase { id, language, whole_utterance, .. } = phrase;
            Ok(Phrase { id, language, says, unless_followed_by, unless_after, whole_utterance })
        });
        let contexts = raw.context.into_iter().map(|context| {
            let RawContext { language, negations, no_negations, reports, own_words, links, politeness } = context;
            Ok(Context {
                language,
                negations: read("negations", &negations)?,
                no_negations: read("no_negations", &no_negations)?,
                reports: read("reports", &reports)?,
                own_words: read("own_words", &own_words)?,
                links,
                politeness,
            })
        });
        Ok(Self { phrases: phrases.collect::<Result<_, _>>()?, contexts: contexts.collect::<Result<_, _>>()? })
    }

    /// The first opt-out in what one person said in one turn.
    pub fn hears_opt_out<'t>(&self, text: &'t str) -> Option<Heard<'t>> {
        let sentences = sentences(text);
        let words: usize = sentences.iter().map(Vec::len).sum();
        for sentence in &sentences {
            let mut start = 0;
            while start < sentence.len() {
                let mut next = start + 1;
                for phrase in self.phrases.iter().filter(|phrase| !phrase.whole_utterance) {
                    let longest = phrase.says.iter().filter_map(|pattern| pattern.longest(&sentence[start..])).max();
                    let Some(end) = longest.map(|longest| start + longest) else { continue };
                    if self.means_it(phrase, sentence, start, end, words) {
                        return Some(heard(phrase, &sentence[start..end], text));
                    }
                    // What was turned round as a whole is not heard in part.
                    next = next.max(end);
                }
                start = next;
            }
        }
        self.hears_whole_utterance(&sentences, text)
    }

    /// Whether the phrase from `start` to `end` is the speaker's own wish there. `all` counts the words of the
    /// utterance.
    fn means_it(&self, phrase: &Phrase, sentence: &[Word], start: usize, end: usize, all: usize) -> bool {
        let (before, said, rest) = (&sentence[..start], &sentence[start..end], &sentence[end..]);
        let goes_on = rest.first().is_some_and(|word| !word.after_pause);
        if goes_on && phrase.unless_followed_by.iter().any(|pattern| pattern.longest(rest).is_some()) {
            return false;
        }
        let ends_here =
            |pattern: &Pattern| (0..start).any(|from| pattern.longest(&before[from..]) == Some(start - from));
        if phrase.unless_after.iter().any(ends_here) {
            return false;
        }
        let Some(context) = self.contexts.iter().find(|context| context.language == phrase.language) else {
            return true;
        };
        let in_quotation = said.iter().all(|word| word.quoted) && said.len() < all;
        !context.are_anothers_words(before, in_quotation) && !context.is_negated(before, said[0].after_pause)
    }

    /// A phrase that counts only where nothing but it, and politeness, is said.
    fn hears_whole_utterance<'t>(&self, sentences: &[Vec<Word>], text: &'t str) -> Option<Heard<'t>> {
        self.phrases.iter().filter(|phrase| phrase.whole_utterance).find_map(|phrase| {
            let context = self.contexts.iter().find(|context| context.language == phrase.language)?;
            let said: Vec<Vec<Word>> = sentences
                .iter()
                .map(|sentence| {
                    sentence.iter().filter(|word| !context.politeness.contains(&word.text)).cloned().collect()
                })
                .filter(|sentence: &Vec<Word>| !sentence.is_empty())
                .collect();
            let all = !said.is_empty() && said.iter().all(|sentence| repeats(&phrase.says, sentence));
            all.then(|| heard(phrase, said.first().map_or(&[], Vec::as_slice), text))
        })
    }
}

fn heard<'t>(phrase: &Phrase, words: &[Word], text: &'t str) -> Heard<'t> {
    let span = words.first().map_or(0, |word| word.start)..words.last().map_or(0, |word| word.end);
    Heard { phrase: phrase.id.clone(), language: phrase.language, words: &text[span] }
}

/// Whether the words are one of the patterns, once or several times.
fn repeats(patterns: &[Pattern], words: &[Word]) -> bool {
    let mut rest = words;
    while !rest.is_empty() {
        match patterns.iter().filter_map(|pattern| pattern.longest(rest)).max() {
            Some(end) if end > 0 => rest = &rest[end..],
            _ => return false,
        }
    }
    true
}

impl Context {
    /// A negation stands before the phrase, with nothing but links between, and no longer text makes it none.
    fn is_negated(&self, before: &[Word], pause_before_phrase: bool) -> bool {
        if pause_before_phrase {
            return false;
        }
        let clause = before.iter().rposition(|word| word.after_pause).map_or(before, |start| &before[start..]);
        let Some((start, end)) = self.linked(&self.negations, clause) else { return false };
        // The longer of two overlapping texts is what was meant.
        let turned_back = self.no_negations.iter().any(|pattern| {
            (0..=start).any(|from| {
                let longest = pattern.longest(&clause[from..]).unwrap_or_default();
                from + longest > start && longest >= end - start
            })
        });
        !turned_back
    }

    /// Somebody else's words, or a question about them: "if I say" is longer than "I say", and counts.
    fn are_anothers_words(&self, before: &[Word], in_quotation: bool) -> bool {
        let length = |patterns| self.linked(patterns, before).map_or(0, |(start, end)| end - start);
        let (reported, own) = (length(&self.reports), length(&self.own_words));
        reported > own || (in_quotation && own == 0)
    }

    /// The longest match of these patterns after which only links come.
    fn linked(&self, patterns: &[Pattern], words: &[Word]) -> Option<(usize, usize)> {
        let matches = (0..words.len()).flat_map(|start| {
            let ends = patterns.iter().filter_map(move |pattern| pattern.longest(&words[start..]));
            ends.map(move |longest| (start, start + longest))
        });
        matches
            .filter(|(_, end)| words[*end..].iter().all(|word| self.links.contains(&word.text)))
            .max_by_key(|(start, end)| end - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPT_OUTS: &str = "
        Stop calling me.
        Please stop calling
        stop calling this number
        I told you to stop calling me!
        I said stop calling me
        I said, \"stop calling me\".
        Could you stop calling me please
        Why don't you stop calling me?
        Can't you people stop calling me
        You never stop calling me
        Didn't I tell you to stop calling us?
        I'm not interested so stop calling me
        i am not interested stop calling me
        No, stop calling me.
        no stop calling me
        quit calling my phone
        Stop these calls
        stop harassing me
        Take me off your list.
        take me off of your calling list please
        Please take me off that damn list
        remove my number from your database
        Remove me from the list
        I want to be removed from your list
        get me off this list
        delete my number
        Can you remove me?  Remove me please.
        Do not call me again.
        Don't call me again!
        don't ever call me again
        Don’t call here anymore
        never call me again
        I'm asking you not to call me
        Do not call this number anymore.
        Don't you ever call me again
        I don't want any more calls
        I do not want these sales calls
        I don't want to be called
        I don't want you calling me
        I never want to hear from you again
        no more calls please
        I revoke my consent
        You don't have my permission to call me
        I want to opt out
        How do I opt out?
        opt me out of these calls
        opt out
        unsubscribe
        Please unsubscribe me
        Put me on your do not call list
        put my number on the do-not-call list
        I'm on the national do not call registry
        leave me alone
        Cease and desist.
        lose my number
        My wife said stop calling us
        Stop.
        Stop! Stop!
        okay stop please
        Hello? I'm busy. Take me off your list. Goodbye.
        Deje de llamarme
        Por favor, dejen de llamar
        ya deje de llamarme
        pare de llamarme por favor
        No me llame más.
        no me llamen nunca más
        no me vuelvan a llamar
        No vuelva a llamar
        No, deje de llamarme
        Quíteme de su lista
        quitenme de la lista por favor
        sáqueme de la lista de llamadas
        Borre mi número
        No quiero más llamadas
        No quiero que me llamen
        ya no me llame
        Póngame en la lista de no llamar
        déjeme en paz
        Retiro mi consentimiento
        No me llame.
        ¿Por qué no dejan de llamarme?
        Ya le dije que deje de llamarme
        basta
    ";

    const NO_OPT_OUTS: &str = "
        Hello, who is this?
        I'm not interested.
        no thanks
        Don't stop calling me, I like your offers
        do not stop calling
        Please don't take me off your list
        I don't want you to take me off the list
        I'm not asking you to stop calling me
        I never said stop calling me
        I didn't say take me off your list
        I did not ask to be removed
        You don't have to stop calling me
        there is no need to take me off your list
        My boss says people always tell us 'stop calling me', is that you?
        He said stop calling me
        The last guy told me to stop calling him
        What happens if I say stop calling me?
        What if I say \"take me off your list\"?
        If someone says take me off your list what do you do
        Does the phrase \"do not call me again\" work?
        Stop calling me Bob
        Stop calling me by my first name
        Don't call me before noon
        don't call me at work
        Do not call me today, call me tomorrow
        Don't call me right now
        can you call me back later
        When you call, stop by the office
        Stop for a second, please
        Can you stop there and repeat that
        I can't stop laughing
        The bus stops at my house
        is there a list of prices
        I'd like to opt out of the premium plan
        take me off speaker
        cancel my appointment
        I stopped calling my dentist
        Put me on the list
        Is this about the do not call list
        They never call me
        nobody calls me
        Sí, me interesa
        No deje de llamarme
        no quiero que deje de llamarme
        No me llame hoy, llámeme mañana
        no me llame antes de las diez
        No me llame por la noche
        Él dijo que deje de llamarme
        ¿Qué pasa si digo deje de llamarme?
        no tiene que quitarme de la lista
        No me quite de la lista
        ¿Quién me llama?
        No entiendo
        llámeme más tarde
    ";

    fn lines(text: &str) -> impl Iterator<Item = &str> {
        text.lines().map(str::trim).filter(|line| !line.is_empty())
    }

    #[test]
    fn opt_outs_are_heard() {
        let phrases = OptOutPhrases::shipped().unwrap();
        let deaf: Vec<&str> = lines(OPT_OUTS).filter(|text| phrases.hears_opt_out(text).is_none()).collect();
        assert!(deaf.is_empty(), "{}", deaf.join("\n"));
    }

    #[test]
    fn other_words_are_not() {
        let phrases = OptOutPhrases::shipped().unwrap();
        let heard: Vec<_> =
            lines(NO_OPT_OUTS).filter_map(|text| phrases.hears_opt_out(text).map(|heard| (text, heard))).collect();
        assert!(heard.is_empty(), "{heard:#?}");
    }

    #[test]
    fn case_accents_and_punctuation_are_no_matter() {
        let phrases = OptOutPhrases::shipped().unwrap();
        for text in ["STOP CALLING ME", "stop... no: stop, calling, me", "quítenme de la lista", "QUITENME DE LA LISTA"]
        {
            assert!(phrases.hears_opt_out(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_was_heard_is_quoted_from_the_text() {
        let phrases = OptOutPhrases::shipped().unwrap();
        let heard = phrases.hears_opt_out("Well… please: Take me OFF your list, OK?").unwrap();
        assert_eq!((heard.phrase.as_str(), heard.words), ("en.take_me_off", "Take me OFF your list"));
        let heard = phrases.hears_opt_out("¡Óigame! Quíteme de su lista.").unwrap();
        assert_eq!((heard.language, heard.words), (Language::Spanish, "Quíteme de su lista"));
    }

    #[test]
    fn a_broken_table_names_the_row() {
        let broken = SHIPPED.replace("\"cease and desist\"", "\"cease (and\"");
        let error = OptOutPhrases::parse(FILE, &broken).unwrap_err().to_string();
        assert_eq!(error, "opt_out_phrases.toml: en.stop_calling: a bracket is not closed");
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,80}") {
            OptOutPhrases::shipped().unwrap().hears_opt_out(&text);
        }
    }
}
