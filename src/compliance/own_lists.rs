//! Which do-not-call lists a call needs beside the national one: those of the states that the called party may be in.

use super::facts::Facts;
use super::number::Number;
use super::place::StateCode;
use super::tables::RuleTables;
use super::tables::jurisdictions::DncList;

/// The states of the area code and of every known address that keep a list of their own.
pub fn states_with_own_list(facts: &Facts, tables: &RuleTables) -> Vec<StateCode> {
    let of_number = Number::classify(facts.number.as_str(), tables).us_area().and_then(|area| area.state);
    let of_addresses = facts.other_addresses.iter().filter_map(|address| address.state).chain(facts.known_state);
    let keeps_own =
        |code: &StateCode| tables.state(*code).is_some_and(|state| state.jurisdiction.says.dnc == DncList::Own);
    let mut states: Vec<_> = of_number.into_iter().chain(of_addresses).filter(keeps_own).collect();
    states.sort_unstable();
    states.dedup();
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Purpose;
    use crate::domain::decision::Voice;

    #[test]
    fn the_area_code_and_the_address_count() {
        let tables = RuleTables::shipped().unwrap();
        let states = |number: &str, address: Option<&str>| {
            let mut facts = Facts::unknown(number, Purpose::Telemarketing, Voice::Ai);
            facts.known_state = address.map(|code| code.parse().unwrap());
            states_with_own_list(&facts, &tables).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(states("+12125550113", None), [""; 0], "New York relies on the national list");
        assert_eq!(states("+15125550113", None), ["TX"]);
        assert_eq!(states("+15125550113", Some("TX")), ["TX"]);
        assert_eq!(states("+12125550113", Some("FL")), ["FL"]);
        assert_eq!(states("+15125550113", Some("FL")), ["FL", "TX"]);
        assert_eq!(states("+442079460000", None), [""; 0]);
    }
}
