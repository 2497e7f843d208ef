//! What the do-not-call lists on disk and the scrubbing vendors say of a number, joined into the gate's facts.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::compliance::facts::{Facts, ListFact, ListSays};
use crate::compliance::own_lists::states_with_own_list;
use crate::compliance::tables::RuleTables;
use crate::lists::{ListAnswer, ListName, Listing};
use crate::store::DncAnswer;

/// What is known from one list.
#[derive(Default)]
struct Known {
    /// Listed, by whatever answer says so; `None` where nobody could tell.
    listed: Option<bool>,
    /// The newest version of the list that was asked.
    as_of: Option<Date>,
    /// The list is on disk and cannot be read. A vendor's word does not make up for it: what the file would say is not known.
    is_unreadable: bool,
}

impl Known {
    fn hear(&mut self, listed: bool, as_of: Date) {
        self.listed = Some(self.listed == Some(true) || listed);
        self.as_of = self.as_of.max(Some(as_of));
    }

    fn listed(&self) -> Option<bool> {
        self.listed.filter(|listed| *listed || !self.is_unreadable)
    }
}

/// Sets the facts `national_dnc`, `state_dnc`, `dnc_list_date` and `lists`.
///
/// The national list is needed for every number, a state's own where the called party may be there. A number on any other state's
/// list counts as listed too. The date is that of the oldest list needed.
pub(super) fn tell(facts: &mut Facts, on_disk: &[ListAnswer], from_vendors: &[DncAnswer], tables: &RuleTables) {
    let own = states_with_own_list(facts, tables);
    let needed: Vec<_> = [ListName::National].into_iter().chain(own.into_iter().map(ListName::State)).collect();
    let mut known: BTreeMap<ListName, Known> = needed.iter().map(|list| (*list, Known::default())).collect();
    for answer in on_disk {
        let list = known.entry(answer.list).or_default();
        match (&answer.listing, &answer.entry) {
            (Listing::Listed, Some(entry)) => list.hear(true, entry.as_of),
            (Listing::NotListed, Some(entry)) => list.hear(false, entry.as_of),
            (Listing::NotCovered, _) => {}
            (Listing::Unreadable(_), _) | (_, None) => list.is_unreadable = true,
        }
    }
    for answer in from_vendors {
        if let Ok(list) = answer.list.parse() {
            known.entry(list).or_default().hear(answer.listed, answer.as_of);
        }
    }

    let mut of_states = known.iter().filter(|(list, _)| matches!(list, ListName::State(_)));
    let is_listed = of_states.clone().any(|(_, known)| known.listed() == Some(true));
    let is_unknown =
        of_states.any(|(list, known)| known.is_unreadable || (known.listed.is_none() && needed.contains(list)));
    facts.state_dnc = if is_listed { Some(true) } else { (!is_unknown).then_some(false) };
    facts.national_dnc = known[&ListName::National].listed();
    facts.dnc_list_date = needed.iter().filter_map(|list| known[list].as_of).min();
    facts.lists = evidence(&needed, on_disk, &known);
}

/// The lists that bear on the answer: those that are needed, and others that list the number or cannot be read.
fn evidence(needed: &[ListName], on_disk: &[ListAnswer], known: &BTreeMap<ListName, Known>) -> Vec<ListFact> {
    let bears = |answer: &&ListAnswer| {
        needed.contains(&answer.list) || matches!(answer.listing, Listing::Listed | Listing::Unreadable(_))
    };
    let asked = on_disk.iter().filter(bears).map(|answer| ListFact {
        list: answer.list.to_string(),
        says: match &answer.listing {
            Listing::Listed => ListSays::Listed,
            Listing::NotListed => ListSays::NotListed,
            Listing::NotCovered => ListSays::NotCovered,
            Listing::Unreadable(fault) => ListSays::Unreadable(fault.clone()),
        },
        as_of: answer.entry.as_ref().map(|entry| entry.as_of),
        version: answer.version.to_string(),
    });
    let is_missing =
        |list: &&ListName| known[*list].listed.is_none() && on_disk.iter().all(|answer| answer.list != **list);
    let missing = needed.iter().filter(is_missing).map(|list| ListFact {
        list: list.to_string(),
        says: ListSays::Missing,
        as_of: None,
        version: String::new(),
    });
    asked.chain(missing).collect()
}
