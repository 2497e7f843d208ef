//! `leads import`: the columns of `docs/evidence.md`, each row a lead that is new or is completed.

use std::collections::HashMap;
use std::io::Read;

use jiff::Timestamp;
use serde_json::Value;

use super::csv::{BadRow, Columns, Row};
use super::{ImportError, ImportMode, ImportReport, Intake};
use crate::app::leads::{LeadPatch, read_number};
use crate::compliance::tables::RuleTables;
use crate::store::{ImportedBy, LetIn, StagedLead, Store};

const COLUMNS: Columns = Columns {
    known: &[
        "number",
        "id",
        "external_id",
        "first_name",
        "last_name",
        "email",
        "state",
        "time_zone",
        "protected_line",
        "line_type",
        "last_purchase_on",
        "last_inquiry_on",
        "source",
        "status",
        "tags",
    ],
    required: &["number"],
    free_prefix: Some("custom."),
};

/// Imports a file of leads. An empty cell says nothing: what is known of a lead already stays. `bad` is told of every row that is
/// left out, as the file is read; `let_in` of every batch that is in.
pub async fn import_leads(
    store: &Store,
    tables: &RuleTables,
    file: impl Read,
    mode: ImportMode,
    by: ImportedBy<'_>,
    bad: impl FnMut(&BadRow),
    let_in: impl FnMut(LetIn),
) -> Result<ImportReport, ImportError> {
    let mut intake = Intake::open(file, &COLUMNS, mode, bad)?;
    let import = store.begin_lead_import().await?;
    while let Some(piece) = intake.next_piece(|row| read_row(row, tables, by.now))? {
        let (merged, moved) = merge(store, piece, by.now).await?;
        for row in &moved {
            intake.tell(row);
        }
        intake.tell_repeated(&import.stage(&merged).await?);
    }
    match mode {
        ImportMode::DryRun => intake.report.imported = import.preview().await?,
        ImportMode::Import => intake.report.imported = import.commit(by, let_in).await?,
    }
    Ok(intake.report)
}

/// The leads as they will be, and the rows of numbers whose leads have other numbers now.
async fn merge(
    store: &Store,
    piece: Vec<(u64, LeadPatch)>,
    now: Timestamp,
) -> Result<(Vec<StagedLead>, Vec<BadRow>), ImportError> {
    let ids: Vec<_> = piece.iter().map(|(_, patch)| patch.lead_id()).collect();
    let known = store.leads_by_ids(&ids).await?;
    let known: HashMap<_, _> = known.into_iter().map(|lead| (lead.id, lead)).collect();
    let (mut merged, mut moved) = (Vec::new(), Vec::new());
    for (line, patch) in piece {
        let old = known.get(&patch.lead_id()).cloned();
        if let Some((field, problem)) = old.as_ref().and_then(|old| patch.moved(old)) {
            moved.push(BadRow { line, problems: vec![format!("{field}: {problem}")] });
            continue;
        }
        let base = old.as_ref().map(|lead| lead.updated_at);
        merged.push(StagedLead { line, said: patch.said(), lead: patch.apply(old, now), base });
    }
    Ok((merged, moved))
}

fn read_row(mut row: Row, tables: &RuleTables, now: Timestamp) -> Result<(u64, LeadPatch), BadRow> {
    let text = |row: &Row, column| row.text(column).map(str::to_owned);
    let number = row.need("number", |text| read_number(text).map_err(str::to_owned));
    let id = row.parse("id", |text| text.parse().map_err(|_| "an id of ours is like lead_…".to_owned()));
    let status = row.parse("status", |text| {
        serde_json::from_value(Value::from(text.to_lowercase()))
            .map_err(|_| "it may be new, contacted, qualified or disqualified".to_owned())
    });
    let protected_line = row.parse("protected_line", |text| {
        serde_json::from_value(Value::from(text.to_lowercase()))
            .map_err(|_| "it may be emergency_line, patient_room or none".to_owned())
    });
    let line_type = row.parse("line_type", |text| {
        serde_json::from_value(Value::from(text.to_lowercase()))
            .map_err(|_| "it may be mobile, landline_res or landline_biz".to_owned())
    });
    let date = |text: &str| text.parse().map_err(|_| "it is no date like 2026-05-01".to_owned());
    let last_purchase_on = row.parse("last_purchase_on", date);
    let last_inquiry_on = row.parse("last_inquiry_on", date);
    let tags = row.text("tags").map(|text| {
        text.split(';').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    });
    let patch = LeadPatch {
        id,
        external_id: text(&row, "external_id"),
        number,
        first_name: text(&row, "first_name"),
        last_name: text(&row, "last_name"),
        email: text(&row, "email"),
        state: text(&row, "state").map(|state| state.to_uppercase()),
        time_zone: text(&row, "time_zone"),
        protected_line,
        line_type,
        last_purchase_on,
        last_inquiry_on,
        source: text(&row, "source"),
        status,
        tags,
        custom: row.texts_under("custom.").map(|(name, text)| (name.to_owned(), Value::from(text))).collect(),
    };
    let problems = patch.problems(tables, now).into_iter().map(|(field, problem)| format!("{field}: {problem}"));
    row.problems.extend(problems);
    if row.problems.is_empty() { Ok((row.line, patch)) } else { Err(row.into_bad()) }
}
