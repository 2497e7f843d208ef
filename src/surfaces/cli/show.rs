//! Records of people for a person at a terminal: leads, and permissions with whether they count today.

use jiff::Timestamp;

use crate::app::PersonRecords;
use crate::domain::consent::{Consent, ConsentKind};
use crate::domain::lead::{Lead, ProtectedLine};

use super::out::{Paint, line};

/// A lead on one line.
pub fn lead_line(lead: &Lead) -> String {
    let name = format!("{} {}", lead.first_name, lead.last_name);
    let status = format!("{:?}", lead.status).to_lowercase();
    format!("{}  {:16}  {:24}  {:12}  {}", lead.id, lead.number.as_str(), name.trim(), status, lead.tags.join(", "))
}

/// A lead with everything that is known.
pub fn lead(lead: &Lead, paint: Paint) {
    line(paint.bold(lead_line(lead)));
    let place = [lead.state.as_deref(), lead.time_zone.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let place = if place.is_empty() {
        "none: the gate considers every zone and state of the area code".to_owned()
    } else {
        format!("{place} (the gate narrows the local times with it)")
    };
    line(format!("  verified address  {place}"));
    if let Some(kind) = protected(lead.protected_line) {
        line(format!("  protected line    {kind}: an AI voice may call it with consent only"));
    }
    for (name, text) in [("e-mail", &lead.email), ("source", &lead.source)] {
        if let Some(text) = text {
            line(format!("  {name:17} {text}"));
        }
    }
    for (name, value) in &lead.custom {
        line(format!("  {name:17} {value}"));
    }
    line(paint.dim(format!("  first seen {}, last changed {}", lead.created_at, lead.updated_at)));
}

fn protected(line: ProtectedLine) -> Option<&'static str> {
    match line {
        ProtectedLine::None => None,
        ProtectedLine::EmergencyLine => Some("an emergency line"),
        ProtectedLine::PatientRoom => Some("a guest's or patient's room"),
    }
}

/// Every permission for a number with its proof, whether it counts, and what that means.
pub fn permissions(person: &PersonRecords, seller: &str, now: Timestamp, paint: Paint) {
    let revoked_at = person.dnc.revocations.iter().map(|revocation| revocation.at).max();
    line(paint.bold(format!("Permissions on record for {}", person.number.as_str())));
    let mut counting: Vec<&Consent> = Vec::new();
    for recorded in &person.consents {
        let consent = &recorded.consent;
        let objection = objection(consent, seller, revoked_at, now);
        let kind = match consent.kind {
            ConsentKind::Written => "written consent",
            ConsentKind::Express => "express consent",
        };
        line(format!("{}  {kind} for {}", paint.bold(consent.id), consent.seller));
        match &objection {
            None => {
                line(paint.green("  counts today"));
                counting.push(consent);
            }
            Some(why) => line(paint.red(format!("  does not count: {why}"))),
        }
        line(format!(
            "  covers {}; given {} by {}",
            consent.scope.join(", "),
            consent.given_at,
            consent.evidence.method
        ));
        line(format!("  \u{201c}{}\u{201d}", consent.evidence.text));
        proof(consent, paint);
        line(paint.dim(format!("  recorded {} by {}", recorded.recorded_at, recorded.recorded_by)));
    }
    for revocation in &person.dnc.revocations {
        let words =
            if revocation.words.is_empty() { String::new() } else { format!(": \u{201c}{}\u{201d}", revocation.words) };
        line(paint.red(format!("withdrawn {} ({}){words}", revocation.at, revocation.channel)));
    }
    conclusion(person, &counting, paint);
}

fn proof(consent: &Consent, paint: Paint) {
    let evidence = &consent.evidence;
    let pieces = [
        ("page", &evidence.url),
        ("from address", &evidence.ip),
        ("with", &evidence.user_agent),
        ("certificate", &evidence.certificate_id),
        ("certificate at", &evidence.certificate_url),
    ];
    for (name, text) in pieces {
        if let Some(text) = text {
            line(format!("  {name} {text}"));
        }
    }
    line(paint.dim(format!("  SHA-256 of the words {}", evidence.text_sha256)));
    if let Some(at) = consent.expires_at {
        line(format!("  good until {at}"));
    }
}

/// Why a consent does not count at an instant; none if it does.
fn objection(consent: &Consent, seller: &str, revoked_at: Option<Timestamp>, now: Timestamp) -> Option<String> {
    if consent.seller != seller {
        return Some(format!("it names another seller than this one (seller.name is \u{201c}{seller}\u{201d})"));
    }
    if consent.given_at > now {
        return Some("it is of a later time than now".to_owned());
    }
    if let Some(at) = consent.expires_at.filter(|at| *at <= now) {
        return Some(format!("it ended {at}"));
    }
    let withdrawn = revoked_at.filter(|at| consent.given_at <= *at)?;
    Some(format!("permission was withdrawn later, {withdrawn}"))
}

fn conclusion(person: &PersonRecords, counting: &[&Consent], paint: Paint) {
    let listed = person.dnc.entries.iter().find(|entry| entry.removed.is_none());
    if let Some(entry) = listed {
        line(paint.red(format!(
            "The number is on the internal do-not-call list since {}: no permission outweighs that (47 CFR 64.1200(d)).",
            entry.added_at
        )));
        return;
    }
    let sells = |consent: &&&Consent| {
        consent.kind == ConsentKind::Written && consent.scope.iter().any(|token| token == "telemarketing")
    };
    if counting.iter().any(|consent| sells(&consent)) {
        line(paint.green(
            "An AI sales call may rest on it, as far as permission goes; `clearline check` says what else binds.",
        ));
    } else if counting.is_empty() {
        let none = if person.consents.is_empty() { "There is none" } else { "None counts today" };
        line(paint.yellow(format!("{none}: calls that need one are denied (CONSENT_ codes).")));
    } else {
        line(paint.yellow(
            "Enough for calls that sell nothing. An AI sales call needs a written consent that covers telemarketing (47 CFR \
             64.1200(a)(2)-(3)).",
        ));
    }
}
