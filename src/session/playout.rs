//! The playout ledger: what the caller has heard of what was sent, by the marks that came back.
//!
//! Agents send a whole sentence in a burst and the carrier plays it in its own time, so bytes sent say nothing about words heard.
//! Positions are bytes of µ-law since the stream's start. A mark echo says that everything up to the mark was played; a `clear`
//! makes the carrier return all pending marks at once, so whatever comes back after a [`Playout::interrupt`] for an older mark
//! counts for nothing (Twilio's media stream page, `clear`). Between two marks the clock says how far playback must be.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::answers::Opening;
use crate::domain::audio::{mulaw_bytes, mulaw_duration};

/// Marks that may be out at once. A carrier that returns none must not make the ledger grow; the newest then takes the last place.
const MAX_MARKS: usize = 256;

/// Turns that may be unheard at once. More are counted with the last one.
const MAX_TURNS: usize = 256;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Playout {
    mark_spacing: u64,
    sent: u64,
    /// Up to here the carrier has a mark.
    marked: u64,
    /// Whether the last mark closed a turn.
    marked_end: bool,
    /// Up to here the carrier said that it played.
    heard: u64,
    /// Since when the audio after `heard` plays.
    playing_since: Instant,
    /// Audio of turns up to this one is void.
    void_through: Option<u64>,
    /// Turns in the order of their audio; the last one stays when it was heard, in case it goes on.
    turns: VecDeque<Turn>,
    marks: VecDeque<PendingMark>,
    /// The text of a turn whose audio has not come.
    text_ahead: Option<(u64, String)>,
    next_mark: u64,
    /// Sent, and thrown away by a `clear`.
    discarded: u64,
}

/// Whose audio it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    Agent,
    /// An utterance of ours, by its number: a sentence, keys.
    House(u32),
    /// Somebody who took the call over; also the hold tone. No utterance of its own in the journal.
    Operator,
}

/// One turn's audio. Its chunks may carry several ids; a text tells where the next turn begins.
#[derive(Debug)]
struct Turn {
    speaker: Speaker,
    /// What the turn is called in the journal: the id of its text, else of its first audio.
    name: u64,
    /// The id of its latest audio.
    id: u64,
    start: u64,
    end: u64,
    text: Option<String>,
    complete: bool,
    was_heard: bool,
    /// How its first piece is on its way to the caller, and up to where that is. None once it is written down.
    opening: Option<(u64, Opening)>,
}

#[derive(Debug)]
struct PendingMark {
    number: u64,
    position: u64,
    /// Sent when the agent had paused: its echo may end a turn.
    is_end: bool,
}

/// What is to follow a piece of the agent's audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It was the first of its turn: a mark, which comes back when so much audio was played.
    Begins {
        audio: Duration,
    },
    NeedsMark,
    GoesOn,
}

/// A turn that was played to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) speaker: Speaker,
    pub(super) turn: u64,
    pub(super) duration: Duration,
}

/// What a `clear` threw away.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// What was being played.
    pub(super) playing: Option<Interruption>,
    /// Utterances of ours of which nothing was heard.
    pub(super) unheard: Vec<u32>,
}

/// The turn that was cut off, by the caller talking over it or by us.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interruption {
    pub(super) speaker: Speaker,
    pub(super) turn: u64,
    pub(super) heard: Duration,
    pub(super) sent: Duration,
    pub(super) text: String,
}

impl Playout {
    pub(super) fn new(mark_spacing: Duration, now: Instant) -> Self {
        Self {
            mark_spacing: mulaw_bytes(mark_spacing),
            sent: 0,
            marked: 0,
            marked_end: true,
            heard: 0,
            playing_since: now,
            void_through: None,
            turns: VecDeque::new(),
            marks: VecDeque::new(),
            text_ahead: None,
            next_mark: 1,
            discarded: 0,
        }
    }

    pub(super) fn is_void(&self, turn: u64) -> bool {
        self.void_through.is_some_and(|void| turn <= void)
    }

    /// Whether all that was sent was heard or discarded, and no mark is out.
    pub(super) fn is_quiet(&self) -> bool {
        self.sent == self.heard && self.marks.is_empty()
    }

    /// How long the audio still plays that was sent.
    pub(super) fn remaining(&self, now: Instant) -> Duration {
        mulaw_duration(self.sent - self.position(now))
    }

    /// All that the caller heard on this stream.
    pub(super) fn total_heard(&self, now: Instant) -> Duration {
        mulaw_duration(self.position(now) - self.discarded)
    }

    /// Takes note of the agent's audio that goes out. A mark should follow the first piece of a turn, since its echo tells best when
    /// playback began, and then at the spacing.
    pub(super) fn push(&mut self, id: u64, bytes: u64, now: Instant) -> Pushed {
        let begins = self.begins_turn(id);
        let before = if begins { self.remaining(now) } else { Duration::ZERO };
        if begins {
            let ahead = self.text_ahead.take_if(|(turn, _)| *turn <= id);
            let (name, text) = ahead.map_or((id, None), |(name, text)| (name, Some(text)));
            self.begin_turn(Speaker::Agent, name, text);
        }
        if let Some(turn) = self.turns.back_mut() {
            turn.id = id;
        }
        match (begins, self.append(bytes, now)) {
            (true, _) => Pushed::Begins { audio: before + mulaw_duration(bytes) },
            (false, true) => Pushed::NeedsMark,
            (false, false) => Pushed::GoesOn,
        }
    }

    /// The same for audio of ours. `true` when a mark should follow.
    pub(super) fn push_own(&mut self, speaker: Speaker, bytes: u64, now: Instant) -> bool {
        let goes_on = self.turns.back().is_some_and(|last| last.speaker == speaker);
        let begins = !goes_on && self.turns.len() < MAX_TURNS;
        if begins {
            self.begin_turn(speaker, 0, None);
        }
        self.append(bytes, now) || begins
    }

    /// An utterance of ours has no more audio.
    pub(super) fn complete_own(&mut self, utterance: u32) {
        if let Some(turn) = self.turns.iter_mut().rev().find(|turn| turn.speaker == Speaker::House(utterance)) {
            turn.complete = true;
        }
    }

    /// Whether an utterance of ours is out that was not heard to its end.
    pub(super) fn has_own_pending(&self) -> bool {
        self.turns.iter().any(|turn| matches!(turn.speaker, Speaker::House(_)) && turn.end > self.heard)
    }

    /// Audio of the agent's turns up to this one is void from now on. What was sent goes on playing.
    pub(super) fn void(&mut self, id: u64) {
        self.void_through = self.void_through.max(Some(id));
        self.text_ahead.take_if(|(turn, _)| *turn <= id);
    }

    /// A mark within a turn, to be sent now.
    pub(super) fn mark(&mut self) -> String {
        self.new_mark(false)
    }

    /// The mark that closes what was sent; `None` when it is closed already.
    pub(super) fn end_mark(&mut self) -> Option<String> {
        (!self.marked_end).then(|| self.new_mark(true))
    }

    /// A mark came back. Names that are not ours, or of audio that was cleared, change nothing.
    pub(super) fn acknowledge(&mut self, name: &str, now: Instant) {
        let Some(number) = mark_number(name) else { return };
        let mut is_end = false;
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.number <= number) {
            self.heard = mark.position;
            self.playing_since = now;
            is_end |= mark.is_end;
        }
        let heard = self.heard;
        for turn in &mut self.turns {
            turn.complete |= turn.end < heard || (turn.end == heard && is_end);
        }
    }

    /// The next turn of which nothing is left to play, once.
    pub(super) fn poll_heard(&mut self) -> Option<Heard> {
        let heard = self.heard;
        let turn = self.turns.iter_mut().find(|turn| !turn.was_heard && turn.complete && turn.end <= heard)?;
        turn.was_heard = true;
        Some(Heard { speaker: turn.speaker, turn: turn.name, duration: mulaw_duration(turn.end - turn.start) })
    }

    /// What was pushed last is the first piece of its turn.
    pub(super) fn open(&mut self, opening: Opening) {
        if let Some(turn) = self.turns.back_mut() {
            turn.opening = Some((self.sent, opening));
        }
    }

    /// The carrier's socket has taken all that was pushed.
    pub(super) fn note_written(&mut self, now: Instant) {
        for (_, opening) in self.turns.iter_mut().filter_map(|turn| turn.opening.as_mut()) {
            opening.note_written(now);
        }
    }

    /// The next turn whose first piece was heard, once.
    pub(super) fn poll_opened(&mut self) -> Option<(u64, Opening)> {
        let heard = self.heard;
        let turn = self.turns.iter_mut().find(|turn| turn.opening.as_ref().is_some_and(|(end, _)| *end <= heard))?;
        turn.opening.take().map(|(_, opening)| (turn.name, opening))
    }

    /// Turns whose first piece nobody has reported as heard.
    pub(super) fn take_openings(&mut self) -> Vec<(u64, Opening)> {
        self.turns.iter_mut().filter_map(|turn| Some((turn.name, turn.opening.take()?.1))).collect()
    }

    /// The agent says that a turn has no more audio.
    pub(super) fn complete(&mut self, id: u64) {
        let agents = self.turns.iter_mut().rev().filter(|turn| turn.speaker == Speaker::Agent);
        if let Some(turn) = agents.into_iter().find(|turn| turn.id == id || turn.name == id) {
            turn.complete = true;
        }
    }

    /// The agent's text of a turn; it comes before or just after the turn's first audio.
    pub(super) fn say(&mut self, name: u64, text: &str) {
        let is_void = self.is_void(name);
        match self.turns.back_mut() {
            Some(turn)
                if turn.speaker == Speaker::Agent
                    && (turn.name == name || (turn.text.is_none() && name <= turn.id)) =>
            {
                turn.name = name;
                turn.text = Some(text.to_owned());
            }
            Some(_) | None if is_void => {}
            Some(_) | None => self.text_ahead = Some((name, text.to_owned())),
        }
    }

    /// The caller talked over the agent, whose audio up to turn `id` is void from now on, and so is all that is not played yet.
    pub(super) fn interrupt(&mut self, id: u64, now: Instant) -> Cut {
        self.void(id);
        self.cut(now)
    }

    /// All that is not played yet goes; the carrier is told to throw it away. What was cut off; turns played to their end before come
    /// from [`Self::poll_heard`].
    pub(super) fn cut(&mut self, now: Instant) -> Cut {
        let position = self.position(now);
        let was_playing = self.sent > self.heard;
        let playing =
            self.turns.iter().position(|turn| turn.end > position).unwrap_or(self.turns.len().saturating_sub(1));
        let interruption = self.turns.get(playing).filter(|_| was_playing).map(|turn| {
            let (heard, sent) = (position - turn.start, turn.end - turn.start);
            let text = turn.text.as_deref().map_or("", |text| heard_part(text, heard, sent));
            Interruption {
                speaker: turn.speaker,
                turn: turn.name,
                heard: mulaw_duration(heard),
                sent: mulaw_duration(sent),
                text: text.to_owned(),
            }
        });
        let mut unheard = Vec::new();
        if interruption.is_some() {
            unheard.extend(self.turns.iter().skip(playing + 1).filter_map(|turn| match turn.speaker {
                Speaker::House(utterance) => Some(utterance),
                Speaker::Agent | Speaker::Operator => None,
            }));
            self.turns.truncate(playing);
        }
        self.turns.iter_mut().for_each(|turn| turn.complete = true);
        self.discarded += self.sent - position;
        self.heard = self.sent;
        self.marked = self.sent;
        self.marked_end = true;
        self.marks.clear();
        Cut { playing: interruption, unheard }
    }

    /// Whoever was speaking has no more to say.
    pub(super) fn end_turns(&mut self) {
        self.turns.iter_mut().filter(|turn| turn.speaker == Speaker::Agent).for_each(|turn| turn.complete = true);
    }

    /// A new conversation counts its turns anew.
    pub(super) fn forget_turns(&mut self) {
        self.void_through = None;
        self.text_ahead = None;
    }

    /// How far playback is: what is known by marks, and on from there by the clock, but never beyond what was sent.
    fn position(&self, now: Instant) -> u64 {
        let since = mulaw_bytes(now.saturating_duration_since(self.playing_since));
        self.heard + since.min(self.sent - self.heard)
    }

    fn begins_turn(&self, id: u64) -> bool {
        let Some(last) = self.turns.back() else { return true };
        if last.speaker != Speaker::Agent {
            return self.turns.len() < MAX_TURNS;
        }
        let text_waits = self.text_ahead.as_ref().is_some_and(|(name, _)| *name > last.name && *name <= id);
        last.id != id && (last.text.is_none() || last.complete || text_waits) && self.turns.len() < MAX_TURNS
    }

    fn begin_turn(&mut self, speaker: Speaker, name: u64, text: Option<String>) {
        self.turns.retain(|turn| !turn.was_heard);
        let start = self.sent;
        let (id, end) = (name, start);
        self.turns.push_back(Turn {
            speaker,
            name,
            id,
            start,
            end,
            text,
            complete: false,
            was_heard: false,
            opening: None,
        });
    }

    /// Adds audio to the last turn. `true` when a mark is due by the spacing.
    fn append(&mut self, bytes: u64, now: Instant) -> bool {
        if self.sent == self.heard {
            self.playing_since = now;
        }
        self.sent += bytes;
        self.marked_end = false;
        if let Some(turn) = self.turns.back_mut() {
            turn.end = self.sent;
            turn.complete = false;
            turn.was_heard = false;
        }
        self.sent - self.marked >= self.mark_spacing
    }

    fn new_mark(&mut self, is_end: bool) -> String {
        let number = self.next_mark;
        self.next_mark += 1;
        self.marked = self.sent;
        self.marked_end = is_end;
        if self.marks.len() == MAX_MARKS {
            self.marks.pop_back();
        }
        self.marks.push_back(PendingMark { number, position: self.sent, is_end });
        format!("t{}-{number}", self.turns.back().map_or(0, |turn| turn.name))
    }
}

/// The number in the name of a mark of ours.
pub(super) fn mark_number(name: &str) -> Option<u64> {
    name.rsplit_once('-')?.1.parse().ok()
}

/// The part of a text that goes with the part of its audio that was heard: whole words, never more than its share.
fn heard_part(text: &str, heard: u64, sent: u64) -> &str {
    if heard >= sent {
        return text;
    }
    let chars = text.chars().count() as u64 * heard / sent;
    let cut = text.char_indices().nth(usize::try_from(chars).unwrap_or(usize::MAX)).map_or(text.len(), |(at, _)| at);
    let share = &text[..cut];
    if text[cut..].starts_with(char::is_whitespace) {
        return share.trim_end();
    }
    share.rfind(char::is_whitespace).map_or("", |at| share[..at].trim_end())
}
