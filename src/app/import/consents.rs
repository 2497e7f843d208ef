//! `consent import`: the columns of `docs/evidence.md`, each row a permission as it was given. The same permission again, from the
//! same file or another, is the same record.

use std::io::Read;

use jiff::Timestamp;

use super::csv::{BadRow, Columns, Row};
use super::{ImportError, ImportMode, ImportReport, Intake};
use crate::app::leads::read_number;
use crate::app::record_consent::NewConsent;
use crate::domain::consent::{ConsentEvidence, ConsentKind};
use crate::store::{ImportedBy, LetIn, StagedConsent, Store};

const COLUMNS: Columns = Columns {
    known: &[
        "number",
        "kind",
        "scope",
        "given_at",
        "method",
        "text",
        "text_sha256",
        "seller",
        "expires_at",
        "url",
        "ip",
        "user_agent",
        "certificate_id",
        "certificate_url",
        "rnd_checked_on",
    ],
    required: &["number", "kind", "scope", "given_at", "method", "text"],
    free_prefix: None,
};

/// Imports a file of consents. `seller` stands for the rows that name none. `bad` is told of every row that is left out, as the
/// file is read; `let_in` of every batch that is in.
pub async fn import_consents(
    store: &Store,
    seller: &str,
    file: impl Read,
    mode: ImportMode,
    by: ImportedBy<'_>,
    bad: impl FnMut(&BadRow),
    let_in: impl FnMut(LetIn),
) -> Result<ImportReport, ImportError> {
    let mut intake = Intake::open(file, &COLUMNS, mode, bad)?;
    let import = store.begin_consent_import().await?;
    while let Some(piece) = intake.next_piece(|row| read_row(row, seller, by.now))? {
        let staged: Vec<_> = piece.into_iter().map(|(line, consent)| staged(line, consent)).collect();
        intake.tell_repeated(&import.stage(&staged).await?);
    }
    match mode {
        ImportMode::DryRun => intake.report.imported = import.preview().await?,
        ImportMode::Import => intake.report.imported = import.commit(by, let_in).await?,
    }
    Ok(intake.report)
}

fn read_row(mut row: Row, seller: &str, now: Timestamp) -> Result<(u64, NewConsent), BadRow> {
    let text = |row: &Row, column| row.text(column).map(str::to_owned);
    let instant = |text: &str| {
        text.parse::<Timestamp>()
            .map_err(|_| "it is no instant with its zone, like 2026-09-21T14:30:00-04:00".to_owned())
    };
    let number = row.need("number", |text| read_number(text).map_err(str::to_owned));
    let kind = row.need("kind", |text| match text.to_lowercase().as_str() {
        "express" => Ok(ConsentKind::Express),
        "written" => Ok(ConsentKind::Written),
        _ => Err("it may be express or written".to_owned()),
    });
    let given_at = row.need("given_at", instant);
    let expires_at = row.parse("expires_at", instant);
    let rnd_checked_on =
        row.parse("rnd_checked_on", |text| text.parse().map_err(|_| "it is no date like 2026-11-20".to_owned()));
    let scope = row.text("scope").unwrap_or_default();
    let scope = scope.split(';').map(str::trim).filter(|token| !token.is_empty()).map(str::to_owned).collect();
    let evidence = ConsentEvidence {
        method: text(&row, "method").unwrap_or_default(),
        text: text(&row, "text").unwrap_or_default(),
        text_sha256: text(&row, "text_sha256").unwrap_or_default().to_lowercase(),
        url: text(&row, "url"),
        ip: text(&row, "ip"),
        user_agent: text(&row, "user_agent"),
        certificate_id: text(&row, "certificate_id"),
        certificate_url: text(&row, "certificate_url"),
    };
    let seller = text(&row, "seller").unwrap_or_else(|| seller.to_owned());
    // What could not be read stands for something harmless, so that everything else is looked at too.
    let consent = NewConsent {
        number: number.unwrap_or_else(|| "+12125550100".parse().expect("a number")),
        kind: kind.unwrap_or(ConsentKind::Express),
        scope,
        seller: Some(seller),
        given_at: given_at.unwrap_or(Timestamp::MIN),
        expires_at,
        evidence,
        rnd_checked_on,
    };
    row.problems.extend(consent.problems(now).into_iter().map(|(field, problem)| format!("{field}: {problem}")));
    if row.problems.is_empty() { Ok((row.line, consent)) } else { Err(row.into_bad()) }
}

fn staged(line: u64, consent: NewConsent) -> StagedConsent {
    let rnd = consent.rnd_answer();
    StagedConsent { line, rnd, consent: consent.into_its_own_record() }
}
