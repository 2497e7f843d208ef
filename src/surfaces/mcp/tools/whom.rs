//! Whom a tool is about: a number, or the number of a lead.

use crate::domain::{E164, LeadId, Purpose};

use super::super::args::{Field, Kind, optional};
use super::super::failure::Failure;
use super::super::tool::Asked;

pub(super) const PURPOSES: Kind = Kind::Word(&["telemarketing", "informational", "healthcare", "emergency"]);

pub(super) const NUMBER: Field = optional("number", Kind::Number, "The number in E.164 form. Give this or lead_id.");
pub(super) const LEAD: Field =
    optional("lead_id", Kind::Lead, "A lead, whose number is taken. Give this or the number.");
pub(super) const PURPOSE: Field =
    optional("purpose", PURPOSES, "What the call is for by law. Default telemarketing, the strictest.");

/// The number that is meant: the argument `field`, else that of the lead.
pub(super) async fn number(asked: &Asked, field: &str) -> Result<(E164, Option<LeadId>), Failure> {
    let lead_id = asked.args.lead("lead_id");
    let number = asked.args.number(field);
    match (number, lead_id) {
        (Some(number), lead_id) => Ok((number, lead_id)),
        (None, Some(lead_id)) => {
            let lead = asked.app().store.lead(lead_id).await?;
            let lead = lead.ok_or_else(|| no_such_lead(lead_id))?;
            Ok((lead.number, Some(lead_id)))
        }
        (None, None) => Err(Failure::invalid_argument(field, "nothing", "a number like +12125550113, or a lead_id")),
    }
}

pub(super) fn no_such_lead(id: LeadId) -> Failure {
    Failure::new("lead_not_found", format!("There is no lead {id}."), "Look the lead up.").next(&["search_leads"])
}

pub(super) fn purpose(asked: &Asked) -> Purpose {
    asked.args.word("purpose").unwrap_or(Purpose::Telemarketing)
}
