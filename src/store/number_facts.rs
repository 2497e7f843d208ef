//! What others told us about single numbers: reassignment, scrubbed lists, line types, business relationships.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Row as _, SqliteConnection};

use super::columns::{from_json, parse_opt, stamp, word};
use super::operator_log::record_action;
use super::{Store, StoreError};
use crate::domain::E164;
use crate::domain::consent::Consent;
use crate::domain::decision::LineType;
use crate::domain::event::Actor;

/// What the reassigned-numbers database answers: was the number disconnected on or after the date asked about?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reassignment {
    Yes,
    No,
    NoData,
}

/// An answer of the reassigned-numbers database, 47 CFR 64.1200(m).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReassignedAnswer {
    /// The date that was asked about: of the consent, or the last on which the person was known to have the number.
    pub consent_date: Date,
    pub answer: Reassignment,
    pub asked_at: Timestamp,
    pub source: String,
}

/// A vendor's answer whether a number is on a do-not-call list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DncAnswer {
    /// `national`, or `state:XX`.
    pub list: String,
    pub listed: bool,
    /// The date of the list that the vendor looked at.
    pub as_of: Date,
    pub asked_at: Timestamp,
    pub source: String,
}

/// A vendor's answer what kind of line a number is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LineTypeAnswer {
    pub line_type: LineType,
    pub asked_at: Timestamp,
    pub source: String,
}

/// What an established business relationship rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationshipKind {
    /// A purchase or transaction.
    Purchase,
    /// An inquiry or application.
    Inquiry,
}

/// An established business relationship, 47 CFR 64.1200(f)(5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relationship {
    pub kind: RelationshipKind,
    /// Of the purchase or inquiry.
    pub date: Date,
}

/// What an operator says of a number from their own records. It holds for every call to the number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    pub relationships: Vec<Relationship>,
    pub line_type: Option<LineType>,
}

impl Said {
    pub fn is_nothing(&self) -> bool {
        self.relationships.is_empty() && self.line_type.is_none()
    }
}

/// What is on record about a number of which a vendor is to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberRecord {
    /// Whatever their seller, scope and expiry.
    pub consents: Vec<Consent>,
    pub relationships: Vec<Relationship>,
    pub reassigned: Vec<ReassignedAnswer>,
    pub line_type: Option<LineType>,
    /// When permission was withdrawn last.
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// What a question to a vendor depends on, read without a transaction: the decision reads it all again.
    pub async fn number_record(&self, number: &E164) -> Result<NumberRecord, StoreError> {
        let number = number.clone();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(
                    "SELECT
                        (SELECT json_group_array(json(record)) FROM consents WHERE number = ?1) AS consents,
                        (SELECT json_group_array(json_object('kind', kind, 'date', date)) FROM relationships
                            WHERE number = ?1) AS relationships,
                        (SELECT json_group_array(json_object('consent_date', consent_date, 'answer', answer,
                            'asked_at', asked_at, 'source', source)) FROM reassigned_answers WHERE number = ?1)
                            AS reassigned,
                        (SELECT json_quote(line_type) FROM line_types WHERE number = ?1) AS line_type,
                        (SELECT max(at) FROM revocations WHERE number = ?1) AS revoked_at",
                )
                .bind(number.as_str())
                .fetch_one(connection)
                .await?;
                let line_type: Option<&str> = row.try_get("line_type")?;
                Ok(NumberRecord {
                    consents: from_json(row.try_get("consents")?, "consents")?,
                    relationships: from_json(row.try_get("relationships")?, "relationships")?,
                    reassigned: from_json(row.try_get("reassigned")?, "reassigned_answers")?,
                    line_type: line_type.map(|text| from_json(text, "line_types")).transpose()?,
                    revoked_at: parse_opt(row.try_get("revoked_at")?, "revocations")?,
                })
            })
        })
        .await
    }

    pub async fn record_reassigned_answer(&self, number: &E164, answer: ReassignedAnswer) -> Result<(), StoreError> {
        let number = number.clone();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO reassigned_answers (number, consent_date, answer, asked_at, source) VALUES (?, ?, ?, ?, ?)",
                )
                .bind(number.as_str())
                .bind(answer.consent_date.to_string())
                .bind(word(&answer.answer))
                .bind(stamp(answer.asked_at))
                .bind(answer.source)
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Keeps the newest answer for each list.
    pub async fn record_dnc_answer(&self, number: &E164, answer: DncAnswer) -> Result<(), StoreError> {
        let number = number.clone();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO dnc_answers (number, list, listed, as_of, asked_at, source) VALUES (?, ?, ?, ?, ?, ?)
                     ON CONFLICT DO UPDATE SET listed = excluded.listed, as_of = excluded.as_of,
                         asked_at = excluded.asked_at, source = excluded.source
                     WHERE excluded.asked_at >= asked_at",
                )
                .bind(number.as_str())
                .bind(answer.list)
                .bind(answer.listed)
                .bind(answer.as_of.to_string())
                .bind(stamp(answer.asked_at))
                .bind(answer.source)
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Keeps the newest answer.
    pub async fn record_line_type(&self, number: &E164, answer: LineTypeAnswer) -> Result<(), StoreError> {
        let number = number.clone();
        self.write(move |connection| Box::pin(async move { save_line_type(connection, &number, answer).await })).await
    }

    /// Writes down what an operator says of a number, and in the operators' log that they did. What stands there already stays.
    pub async fn record_said(&self, number: &E164, said: Said, by: &Actor, now: Timestamp) -> Result<(), StoreError> {
        let (number, by) = (number.clone(), by.clone());
        self.write(move |connection| Box::pin(async move { save_said(connection, &number, &said, &by, now).await }))
            .await
    }
}

/// The same within the transaction of a lead that it was said with.
pub(super) async fn save_said(
    connection: &mut SqliteConnection,
    number: &E164,
    said: &Said,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    if said.is_nothing() {
        return Ok(());
    }
    for relationship in &said.relationships {
        sqlx::query(
            "INSERT INTO relationships (number, kind, date, recorded_at, door, actor) SELECT ?1, ?2, ?3, ?4, ?5, ?6
             WHERE NOT EXISTS (SELECT 1 FROM relationships WHERE (number, kind, date) = (?1, ?2, ?3))",
        )
        .bind(number.as_str())
        .bind(word(&relationship.kind))
        .bind(relationship.date.to_string())
        .bind(stamp(now))
        .bind(word(&by.door))
        .bind(&by.name)
        .execute(&mut *connection)
        .await?;
    }
    if let Some(line_type) = said.line_type {
        let source = format!("operator ({}, {})", word(&by.door), by.name);
        save_line_type(connection, number, LineTypeAnswer { line_type, asked_at: now, source }).await?;
    }
    record_action(connection, "number_facts_recorded", &json!(said), by, now).await
}

async fn save_line_type(
    connection: &mut SqliteConnection,
    number: &E164,
    answer: LineTypeAnswer,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO line_types (number, line_type, asked_at, source) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET line_type = excluded.line_type, asked_at = excluded.asked_at, source = excluded.source
         WHERE excluded.asked_at >= asked_at",
    )
    .bind(number.as_str())
    .bind(word(&answer.line_type))
    .bind(stamp(answer.asked_at))
    .bind(answer.source)
    .execute(connection)
    .await?;
    Ok(())
}
