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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::domain::Purpose;
    use crate::domain::decision::Voice;

    const OLD: Date = date(2026, 10, 1);
    const NEW: Date = date(2026, 11, 20);

    fn on_disk(list: &str, listing: Listing, as_of: Date) -> ListAnswer {
        let entry = json!({"generation": 1, "as_of": as_of, "imported_at": Timestamp::UNIX_EPOCH, "coverage": "all", "numbers": 1,
            "sources": [], "bitmaps": {}});
        let entry = Some(Arc::new(serde_json::from_value(entry).unwrap()));
        ListAnswer { list: list.parse().unwrap(), listing, entry, version: "1 abc".into() }
    }

    fn from_vendor(list: &str, listed: bool, as_of: Date) -> DncAnswer {
        let asked_at = Timestamp::UNIX_EPOCH;
        DncAnswer { list: list.to_owned(), listed, as_of, asked_at, source: "vendor".to_owned() }
    }

    /// The three facts and the lists named, for a number of Texas, which keeps a list of its own, or of New York.
    fn told(
        npa: &str,
        disk: &[ListAnswer],
        vendors: &[DncAnswer],
    ) -> (Option<bool>, Option<bool>, Option<Date>, String) {
        let tables = RuleTables::shipped().unwrap();
        let mut facts = Facts::unknown(format!("+1{npa}5550113").as_str(), Purpose::Telemarketing, Voice::Ai);
        tell(&mut facts, disk, vendors, &tables);
        let lists: Vec<_> = facts.lists.iter().map(|list| format!("{} {:?}", list.list, list.says)).collect();
        (facts.national_dnc, facts.state_dnc, facts.dnc_list_date, lists.join(", "))
    }

    #[test]
    fn nothing_asked_is_nothing_known() {
        assert_eq!(told("512", &[], &[]), (None, None, None, "national Missing, state:TX Missing".to_owned()));
        assert_eq!(told("212", &[], &[]), (None, Some(false), None, "national Missing".to_owned()));
    }

    #[test]
    fn the_oldest_needed_list_dates_the_answer() {
        let (national, texas) =
            (on_disk("national", Listing::NotListed, NEW), on_disk("state:TX", Listing::NotListed, OLD));
        let both = [national, texas];
        assert_eq!(
            told("512", &both, &[]),
            (Some(false), Some(false), Some(OLD), "national NotListed, state:TX NotListed".to_owned())
        );
        assert_eq!(told("212", &both, &[]), (Some(false), Some(false), Some(NEW), "national NotListed".to_owned()));
        let fresh = [from_vendor("state:TX", false, NEW)];
        assert_eq!(told("512", &both, &fresh).2, Some(NEW), "a vendor looked at a newer version of the same list");
    }

    #[test]
    fn on_any_list_is_listed() {
        let fine = on_disk("national", Listing::NotListed, NEW);
        let texas = on_disk("state:TX", Listing::Listed, OLD);
        let (_, state, as_of, lists) = told("212", &[fine.clone(), texas], &[]);
        assert_eq!((state, as_of), (Some(true), Some(NEW)));
        assert_eq!(lists, "national NotListed, state:TX Listed");
        assert_eq!(told("212", std::slice::from_ref(&fine), &[from_vendor("national", true, OLD)]).0, Some(true));
        assert_eq!(told("212", &[fine], &[from_vendor("state:FL", true, OLD)]).1, Some(true));
        let vendors = [from_vendor("national", false, NEW), from_vendor("state:TX", false, NEW)];
        assert_eq!(told("512", &[], &vendors), (Some(false), Some(false), Some(NEW), String::new()));
    }

    #[test]
    fn a_list_that_cannot_be_read_or_does_not_cover_is_not_known() {
        let broken = |list| on_disk(list, Listing::Unreadable("x.bits is damaged".to_owned()), NEW);
        let fine = on_disk("national", Listing::NotListed, NEW);
        assert_eq!(told("212", &[broken("national")], &[from_vendor("national", false, NEW)]).0, None);
        assert_eq!(told("212", &[broken("national")], &[from_vendor("national", true, NEW)]).0, Some(true));
        assert_eq!(told("212", &[ListAnswer::unreadable("gone".to_owned())], &[]).0, None);
        let (_, state, _, lists) = told("212", &[fine.clone(), broken("state:TX")], &[]);
        assert_eq!(state, None, "it could hold this number");
        assert!(lists.contains("x.bits is damaged"), "{lists}");
        let uncovered = on_disk("national", Listing::NotCovered, NEW);
        assert_eq!(
            told("212", std::slice::from_ref(&uncovered), &[]),
            (None, Some(false), None, "national NotCovered".to_owned())
        );
        assert_eq!(told("212", &[uncovered], &[from_vendor("national", false, NEW)]).0, Some(false));
        let other = on_disk("state:TX", Listing::NotCovered, NEW);
        assert_eq!(told("212", &[fine, other], &[]).1, Some(false), "New York does not need it");
    }
}
