//! Where the leads of a number live, in the gate's words. The number is what rings: its addresses bind every call to it, whichever
//! lead the call is asked for, and whether one is named at all.

use crate::compliance::facts::{Address, Facts};
use crate::compliance::place::StateCode;
use crate::store::LeadAddress;

/// Sets the facts `known_state`, `known_zone` and `other_addresses`.
pub(super) fn tell(facts: &mut Facts, addresses: &[LeadAddress]) {
    let known = known(addresses);
    for address in addresses {
        let state = match address.state.as_deref().map(str::parse::<StateCode>).transpose() {
            Ok(state) => state,
            // An address that cannot be read is no reason to leave its state's rules out.
            Err(error) => {
                facts.why_unknown.insert("known_state".to_owned(), format!("In the lead's address, {error}"));
                None
            }
        };
        let zone = address.time_zone.clone();
        if known == Some(address) {
            (facts.known_state, facts.known_zone) = (state, zone);
        } else {
            facts.other_addresses.push(Address { state, zone });
        }
    }
}

/// The one address that may narrow where the called party is: that of the lead that the request names, else the only one there is.
/// Of two that differ nobody says which holds.
pub(super) fn known(addresses: &[LeadAddress]) -> Option<&LeadAddress> {
    addresses.iter().find(|address| address.is_of_request).or(match addresses {
        [only] => Some(only),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::domain::decision::Voice;
    use crate::domain::{LeadId, Purpose};

    fn address(state: &str, zone: Option<&str>, is_of_request: bool) -> LeadAddress {
        LeadAddress {
            lead_id: LeadId::from_uuid(Uuid::from_u128(1)),
            is_of_request,
            state: Some(state.to_owned()),
            time_zone: zone.map(str::to_owned),
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// The state that may narrow, and those that only add.
    fn told(addresses: &[LeadAddress]) -> (Option<String>, Vec<String>, bool) {
        let mut facts = Facts::unknown("+12125550113", Purpose::Telemarketing, Voice::Ai);
        tell(&mut facts, addresses);
        let others =
            facts.other_addresses.iter().map(|other| other.state.map_or("-".to_owned(), |code| code.to_string()));
        let others = others.collect();
        (facts.known_state.map(|code| code.to_string()), others, facts.why_unknown.contains_key("known_state"))
    }

    #[test]
    fn only_one_address_narrows_and_all_are_told() {
        let [ny, tx] = ["NY", "TX"].map(|state| address(state, None, false));
        let named = address("TX", Some("America/Denver"), true);
        assert_eq!(told(&[]), (None, vec![], false));
        assert_eq!(told(std::slice::from_ref(&ny)), (Some("NY".to_owned()), vec![], false));
        assert_eq!(told(&[ny.clone(), tx.clone()]), (None, vec!["NY".to_owned(), "TX".to_owned()], false));
        assert_eq!(
            told(&[ny.clone(), tx, named]),
            (Some("TX".to_owned()), vec!["NY".to_owned(), "TX".to_owned()], false)
        );
        let unreadable = address("TEXAS", None, false);
        assert_eq!(told(&[ny, unreadable]), (None, vec!["NY".to_owned(), "-".to_owned()], true));
    }
}
