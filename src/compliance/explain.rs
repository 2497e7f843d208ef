//! A decision in plain words, for a terminal.

use std::fmt::Write as _;

use super::tables::RuleTables;
use crate::domain::Decision;
use crate::domain::decision::{Outcome, Place, Reason};

/// The whole decision as text: the answer, every reason with its citation, the local times considered, when to try
/// again, warnings, and what it rests on. It holds no number; whoever prints it says whose it is.
pub fn explain(decision: &Decision, tables: &RuleTables) -> String {
    let mut text = String::new();
    match &decision.outcome {
        Outcome::Allow { code } => {
            line(&mut text, format_args!("ALLOWED ({code})"));
            if !decision.basis.is_empty() {
                line(&mut text, format_args!("  under {}", decision.basis));
            }
        }
        Outcome::Deny { reasons, .. } => {
            let count = reasons.len();
            let word = if count == 1 { "reason" } else { "reasons" };
            line(&mut text, format_args!("DENIED, {count} {word}"));
            for reason in reasons {
                explain_reason(&mut text, reason);
            }
        }
    }
    if !decision.places.is_empty() {
        line(&mut text, format_args!("Local times considered"));
        for place in &decision.places {
            line(&mut text, format_args!("  {}  {} ({})", place.state, clock(&place.local_time), place.zone));
        }
    }
    if let Outcome::Deny { next_permissible_at, .. } = &decision.outcome {
        explain_next(&mut text, decision, *next_permissible_at, tables);
    }
    for warning in &decision.warnings {
        line(&mut text, format_args!("Note: {warning}"));
    }
    line(&mut text, format_args!("Rules {}", decision.rule_set));
    line(
        &mut text,
        format_args!("Profile {}; time zones {}; decided at {}", decision.profile, decision.tzdb, decision.decided_at),
    );
    text
}

/// The decision in a sentence or two, without its law but for what allows it.
pub(super) fn sentence(decision: &Decision) -> String {
    let Outcome::Deny { reasons, next_permissible_at } = &decision.outcome else {
        return format!("Allowed under {}.", decision.basis);
    };
    let mut text = "Denied.".to_owned();
    if let Some(first) = reasons.first() {
        let _ = write!(text, " {}", first.message);
    }
    match reasons.len() {
        0 | 1 => {}
        2 => text.push_str(" And 1 more reason."),
        more => {
            let _ = write!(text, " And {} more reasons.", more - 1);
        }
    }
    match next_permissible_at {
        Some(at) => {
            let _ = write!(text, " It may be tried again from {at}.");
        }
        None => text.push_str(" Waiting alone does not help."),
    }
    text
}

fn explain_reason(text: &mut String, reason: &Reason) {
    line(text, format_args!("  {}  {}", reason.code, reason.message));
    line(text, format_args!("      {} (rule {})", reason.citation, reason.rule));
}

fn explain_next(text: &mut String, decision: &Decision, next: Option<jiff::Timestamp>, tables: &RuleTables) {
    let Some(next) = next else {
        let waiting = decision.reasons().iter().all(|reason| reason.code.is_about_time());
        let why =
            if waiting { "there is no permissible moment in the next 62 days" } else { "waiting alone does not help" };
        line(text, format_args!("No time to try again: {why}."));
        return;
    };
    line(text, format_args!("May be tried again from {next}, which is"));
    let mut shown: Vec<&str> = Vec::new();
    for Place { zone, .. } in &decision.places {
        if shown.contains(&zone.as_str()) {
            continue;
        }
        shown.push(zone);
        if let Some(known) = tables.zone(zone) {
            line(text, format_args!("  {} in {zone}", next.to_zoned(known.tz).strftime("%H:%M:%S on %A %F")));
        }
    }
}

/// `13:00:00 on Tuesday 2026-12-01` of an RFC 9557 time; the text itself if it is none.
fn clock(local_time: &str) -> String {
    match local_time.split('[').next().and_then(|local| local.get(..19)).map(str::parse::<jiff::civil::DateTime>) {
        Some(Ok(at)) => at.strftime("%H:%M:%S on %A %F").to_string(),
        _ => local_time.to_owned(),
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "{words}");
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::compliance::facts::{Facts, Reassigned};
    use crate::compliance::gate::evaluate;
    use crate::compliance::profile::Profile;
    use crate::domain::Purpose;
    use crate::domain::decision::Voice;

    fn explained(number: &str, at: &str) -> String {
        let tables = RuleTables::shipped().unwrap();
        let mut facts = Facts::unknown(number, Purpose::Informational, Voice::Human);
        facts.litigator = Some(false);
        facts.reassigned = Some(Reassigned::No);
        let at: Timestamp = at.parse().unwrap();
        let text = explain(&evaluate(&facts, &tables, &Profile::default(), at), &tables);
        assert!(!text.contains("5550113"), "no number is printed");
        text.replace(&tables.rule_set.to_string(), "RULESET").replace(&tables.tzdb, "TZDB")
    }

    #[test]
    fn a_denial_says_why_and_when_to_try_again() {
        assert_eq!(
            explained("+14235550113", "2026-12-01T13:15:00Z"),
            "DENIED, 1 reason\n  \
             OUTSIDE_HOURS_FEDERAL  It is 07:15 on Tuesday 2026-12-01 in America/Chicago: rule US.house_hours allows calls from 08:00 \
             to 21:00 that day.\n      \
             house policy: no federal hours rule for calls that sell nothing (rule calling_hours_federal)\n\
             Local times considered\n  \
             TN  08:15:00 on Tuesday 2026-12-01 (America/New_York)\n  \
             TN  07:15:00 on Tuesday 2026-12-01 (America/Chicago)\n\
             May be tried again from 2026-12-01T14:00:00Z, which is\n  \
             09:00:00 on Tuesday 2026-12-01 in America/New_York\n  \
             08:00:00 on Tuesday 2026-12-01 in America/Chicago\n\
             Rules RULESET\n\
             Profile conservative; time zones TZDB; decided at 2026-12-01T13:15:00Z\n"
        );
    }

    #[test]
    fn an_allowed_call_says_under_what() {
        let text = explained("+12125550113", "2026-12-01T18:00:00Z");
        assert!(
            text.starts_with("ALLOWED (ALLOW)\n  under no consent rule for live calls dialled by hand\n"),
            "{text}"
        );
        assert!(!text.contains("tried again"), "{text}");
    }

    #[test]
    fn a_number_that_is_none_cannot_be_tried_again() {
        let text = explained("+1212555011", "2026-12-01T18:00:00Z");
        assert!(text.contains("No time to try again: waiting alone does not help.\n"), "{text}");
        assert!(!text.contains("Local times"), "{text}");
    }
}
