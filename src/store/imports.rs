//! Imports of files of records: rows are staged beside the database as they are read, however many, and become visible all at once
//! in one transaction. A staging that is cut off leaves nothing.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::columns::{from_json, json as to_json, stamp, word};
use super::leads::search_text;
use super::operator_log::record_action;
use super::{Store, StoreError};
use crate::domain::consent::Consent;
use crate::domain::event::Actor;
use crate::domain::lead::Lead;
use crate::domain::{ConsentId, LeadId};

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub new: u64,
    pub changed: u64,
    /// Rows that stood there already, the same.
    pub unchanged: u64,
}

/// A line that says again what an earlier line of the same file said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated {
    pub line: u64,
    pub first: u64,
}

/// Leads on their way in.
#[derive(Debug)]
pub struct LeadImport(Staging);

/// Consents on their way in.
#[derive(Debug)]
pub struct ConsentImport(Staging);

/// Rows in a temporary table of the writing connection: outside the database file, and gone with the process.
#[derive(Debug)]
struct Staging {
    store: Store,
    table: String,
}

/// How staged rows are let in.
struct Commit<'a> {
    /// Counts the staged rows that are there already.
    old: &'static str,
    let_in: &'static str,
    /// What the operators' log calls it.
    action: &'static str,
    /// The file they came from.
    source: &'a str,
}

impl Store {
    pub async fn begin_lead_import(&self) -> Result<LeadImport, StoreError> {
        Staging::begin(self).await.map(LeadImport)
    }

    pub async fn begin_consent_import(&self) -> Result<ConsentImport, StoreError> {
        Staging::begin(self).await.map(ConsentImport)
    }

    /// The leads of these ids that there are.
    pub async fn leads_by_ids(&self, ids: &[LeadId]) -> Result<Vec<Lead>, StoreError> {
        let ids = to_json(&ids);
        self.read(move |connection| {
            Box::pin(async move {
                let records: Vec<String> =
                    sqlx::query_scalar("SELECT record FROM leads WHERE id IN (SELECT value FROM json_each(?))")
                        .bind(ids)
                        .fetch_all(connection)
                        .await?;
                records.iter().map(|record| from_json(record, "leads")).collect()
            })
        })
        .await
    }
}

impl LeadImport {
    /// Stages leads, each with its line. Gives those whose id an earlier line had: they are left out.
    pub async fn stage(&self, leads: &[(u64, Lead)]) -> Result<Vec<Repeated>, StoreError> {
        let rows = leads.iter().map(|(line, lead)| {
            json!({
                "line": line, "id": lead.id, "number": lead.number, "status": word(&lead.status),
                "search": search_text(lead), "created_at": stamp(lead.created_at), "updated_at": stamp(lead.updated_at),
                "record": to_json(lead),
            })
        });
        self.0.stage(rows.collect()).await
    }

    /// Lets the staged leads in: new ones, and over old ones of the same ids.
    pub async fn commit(self, source: &str, by: &Actor, now: Timestamp) -> Result<Imported, StoreError> {
        const LET_IN: &str = "INSERT INTO leads (id, number, status, search, created_at, updated_at, record)
            SELECT id, row ->> 'number', row ->> 'status', row ->> 'search', row ->> 'created_at', row ->> 'updated_at',
                row ->> 'record'
            FROM temp.STAGED WHERE true ORDER BY id
            ON CONFLICT (id) DO UPDATE SET number = excluded.number, status = excluded.status, search = excluded.search,
                created_at = excluded.created_at, updated_at = excluded.updated_at, record = excluded.record
            WHERE record <> excluded.record";
        const OLD: &str = "SELECT count(*) FROM temp.STAGED WHERE id IN (SELECT id FROM leads)";
        let what = Commit { old: OLD, let_in: LET_IN, action: "leads_imported", source };
        self.0.commit(what, vec![], by, now).await
    }

    /// Forgets what was staged.
    pub async fn discard(self) -> Result<(), StoreError> {
        self.0.discard().await
    }
}

impl ConsentImport {
    /// Stages consents, each with its line. Gives those that say the same as an earlier line: they are left out.
    pub async fn stage(&self, consents: &[(u64, Consent)]) -> Result<Vec<Repeated>, StoreError> {
        let rows = consents.iter().map(|(line, consent)| {
            json!({
                "line": line, "id": consent.id, "number": consent.number, "given_at": stamp(consent.given_at),
                "record": to_json(consent),
            })
        });
        self.0.stage(rows.collect()).await
    }

    /// Lets the staged consents in. One that is on record already stays as it is.
    pub async fn commit(self, source: &str, by: &Actor, now: Timestamp) -> Result<Imported, StoreError> {
        const LET_IN: &str = "INSERT INTO consents (id, number, given_at, record, recorded_at, door, actor)
            SELECT id, row ->> 'number', row ->> 'given_at', row ->> 'record', ?1, ?2, ?3 FROM temp.STAGED WHERE true ORDER BY id
            ON CONFLICT DO NOTHING";
        const OLD: &str = "SELECT count(*) FROM temp.STAGED WHERE id IN (SELECT id FROM consents)";
        let who = vec![stamp(now), word(&by.door), by.name.clone()];
        let what = Commit { old: OLD, let_in: LET_IN, action: "consents_imported", source };
        self.0.commit(what, who, by, now).await
    }

    /// Forgets what was staged.
    pub async fn discard(self) -> Result<(), StoreError> {
        self.0.discard().await
    }

    /// Which of these ids are on record already.
    pub async fn known(&self, ids: &[ConsentId]) -> Result<u64, StoreError> {
        let ids = to_json(&ids);
        self.0
            .store
            .read(move |connection| {
                Box::pin(async move {
                    let known: i64 = sqlx::query_scalar(
                        "SELECT count(*) FROM consents WHERE id IN (SELECT value FROM json_each(?))",
                    )
                    .bind(ids)
                    .fetch_one(connection)
                    .await?;
                    Ok(u64::try_from(known).unwrap_or_default())
                })
            })
            .await
    }
}

impl Staging {
    async fn begin(store: &Store) -> Result<Self, StoreError> {
        let table = format!("staged_{}", Uuid::new_v4().simple());
        let staging = Self { store: store.clone(), table };
        // 64 MiB of pages instead of two: the rows go in at once, and meanwhile nobody else can write.
        staging.run("PRAGMA cache_size = -65536").await?;
        staging
            .run("CREATE TEMP TABLE STAGED (id TEXT NOT NULL PRIMARY KEY, line INTEGER NOT NULL, row TEXT NOT NULL) STRICT")
            .await?;
        Ok(staging)
    }

    async fn stage(&self, rows: Vec<Value>) -> Result<Vec<Repeated>, StoreError> {
        let insert = self.sql(
            "INSERT INTO temp.STAGED (id, line, row) SELECT value ->> 'id', value ->> 'line', value FROM json_each(?)
             WHERE true ORDER BY key ON CONFLICT DO NOTHING",
        );
        let repeated = self.sql(
            "SELECT value ->> 'line', staged.line FROM json_each(?) JOIN temp.STAGED AS staged ON staged.id = value ->> 'id'
             WHERE staged.line <> value ->> 'line' ORDER BY key",
        );
        let rows = to_json(&rows);
        self.store
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(sqlx::AssertSqlSafe(insert)).bind(&rows).execute(&mut *connection).await?;
                    let repeated: Vec<(i64, i64)> =
                        sqlx::query_as(sqlx::AssertSqlSafe(repeated)).bind(rows).fetch_all(connection).await?;
                    let line = |n: i64| u64::try_from(n).unwrap_or_default();
                    Ok(repeated.into_iter().map(|(n, first)| Repeated { line: line(n), first: line(first) }).collect())
                })
            })
            .await
    }

    /// `bound` are the values of `let_in`.
    async fn commit(
        self,
        Commit { old, let_in, action, source }: Commit<'_>,
        bound: Vec<String>,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Imported, StoreError> {
        let (old, let_in, by, source) = (self.sql(old), self.sql(let_in), by.clone(), source.to_owned());
        let all = self.sql("SELECT count(*) FROM temp.STAGED");
        let imported = self
            .store
            .write(move |connection| {
                Box::pin(async move {
                    let all: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(all)).fetch_one(&mut *connection).await?;
                    let old: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(old)).fetch_one(&mut *connection).await?;
                    let mut statement = sqlx::query(sqlx::AssertSqlSafe(let_in));
                    for value in bound {
                        statement = statement.bind(value);
                    }
                    let written = statement.execute(&mut *connection).await?.rows_affected();
                    let (all, old) = (u64::try_from(all).unwrap_or_default(), u64::try_from(old).unwrap_or_default());
                    let new = all - old;
                    let imported = Imported { new, changed: written - new, unchanged: all - written };
                    let detail = json!({ "source": source, "rows": imported });
                    record_action(connection, action, &detail, &by, now).await?;
                    Ok(imported)
                })
            })
            .await?;
        self.discard().await?;
        Ok(imported)
    }

    async fn discard(self) -> Result<(), StoreError> {
        self.run("DROP TABLE temp.STAGED").await
    }

    async fn run(&self, sql: &str) -> Result<(), StoreError> {
        let sql = self.sql(sql);
        self.store
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }

    /// The statement with this staging's table in it. (Its name is ours: letters and digits.)
    fn sql(&self, template: &str) -> String {
        template.replace("STAGED", &self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LeadFilter;
    use crate::store::testing::{at, consent, lead, on_disk, operator, store};

    async fn first_names(store: &Store) -> Vec<String> {
        let leads = store.list_leads(LeadFilter::default(), None, 10).await.unwrap().items;
        leads.into_iter().map(|lead| lead.first_name).collect()
    }

    #[tokio::test]
    async fn leads_come_in_all_at_once_and_a_second_time_changes_nothing() {
        for store in [store().await, on_disk().await.0] {
            let mut ada = lead(1, "+12125550113");
            let bob = Lead { first_name: "Bob".to_owned(), ..lead(2, "+12125550114") };
            let import = store.begin_lead_import().await.unwrap();
            let twice = [(2, ada.clone()), (3, bob.clone()), (4, ada.clone())];
            assert_eq!(import.stage(&twice).await.unwrap(), [Repeated { line: 4, first: 2 }]);
            assert_eq!(import.stage(&[(9, bob.clone())]).await.unwrap(), [Repeated { line: 9, first: 3 }]);
            assert!(first_names(&store).await.is_empty(), "nothing is visible yet");
            let done = import.commit("leads.csv", &operator(), at(1)).await.unwrap();
            assert_eq!(done, Imported { new: 2, changed: 0, unchanged: 0 });
            assert_eq!(first_names(&store).await.len(), 2);

            ada.first_name = "Ada B.".to_owned();
            let import = store.begin_lead_import().await.unwrap();
            import.stage(&[(2, ada.clone()), (3, bob.clone())]).await.unwrap();
            let done = import.commit("leads.csv", &operator(), at(2)).await.unwrap();
            assert_eq!(done, Imported { new: 0, changed: 1, unchanged: 1 });
            assert_eq!(store.leads_by_ids(&[ada.id, lead(7, "+12125550113").id]).await.unwrap(), [ada]);
        }
    }

    #[tokio::test]
    async fn consents_come_in_once() {
        let store = store().await;
        let one = consent(1, "+12125550113", at(0));
        for (round, wanted) in
            [Imported { new: 1, ..Imported::default() }, Imported { unchanged: 1, ..Imported::default() }]
                .into_iter()
                .enumerate()
        {
            let import = store.begin_consent_import().await.unwrap();
            assert_eq!(import.known(&[one.id]).await.unwrap(), round as u64);
            import.stage(&[(2, one.clone())]).await.unwrap();
            assert_eq!(import.commit("c.csv", &operator(), at(1)).await.unwrap(), wanted);
        }
        let import = store.begin_consent_import().await.unwrap();
        import.stage(&[(2, consent(2, "+12125550113", at(0)))]).await.unwrap();
        import.discard().await.unwrap();
        assert_eq!(store.consents_of(&one.number).await.unwrap().len(), 1);
    }
}
