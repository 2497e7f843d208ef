//! Imports of files of records: rows are staged beside the database as they are read, however many, and then let in, a batch after the
//! other in the order of the file. A staging that is cut off leaves nothing; a letting-in that is cut off leaves whole batches, each
//! with its entry in the operators' log, and the same file again brings in the rest.
//!
//! SQLite lets one process write at a time, so between batches the lock is left alone for longer than a waiting process sleeps
//! between two tries: a server next door writes after at most one batch, however long the file.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::columns::{from_json, json as to_json, stamp, word};
use super::leads::search_text;
use super::number_facts::{ReassignedAnswer, Said};
use super::operator_log::record_action;
use super::{Store, StoreError};
use crate::domain::LeadId;
use crate::domain::consent::Consent;
use crate::domain::event::Actor;
use crate::domain::lead::Lead;

/// Rows that are let in together: a tenth of a second's work on a small machine, which is what others may have to wait.
const BATCH: i64 = 2_000;

/// How long others have the lock between two batches. A process that finds it taken tries again every 100 ms at the longest
/// (`sqliteDefaultBusyCallback` in SQLite's main.c).
const BREATH: Duration = Duration::from_millis(110);

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub new: u64,
    pub changed: u64,
    /// Rows that stood there already, the same.
    pub unchanged: u64,
    /// Rows left out since somebody else changed or erased their record while the file was read: the same file again knows better.
    pub overtaken: u64,
}

impl AddAssign for Imported {
    fn add_assign(&mut self, more: Self) {
        self.new += more.new;
        self.changed += more.changed;
        self.unchanged += more.unchanged;
        self.overtaken += more.overtaken;
    }
}

/// How far the letting-in has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LetIn {
    /// Of `rows` good rows.
    pub done: u64,
    pub rows: u64,
    /// The last line of the file that is in; 0 before the first.
    pub through_line: u64,
    pub imported: Imported,
}

impl fmt::Display for LetIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.done {
            0 => f.write_str("nothing of the file is in"),
            done => write!(f, "{done} of {} rows are in, through line {}", self.rows, self.through_line),
        }
    }
}

/// The letting-in broke off. What came before is in, and stays.
#[derive(Debug, thiserror::Error)]
#[error("{cause}; {so_far}. Import the file again: what is in stays as it is, and the rest comes in")]
pub struct CutShort {
    pub so_far: LetIn,
    #[source]
    pub cause: StoreError,
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
#[derive(Clone, Copy)]
struct Kind {
    /// Says what letting in rows `?1` to `?2` will do, before it is done.
    preview: &'static str,
    /// The same two bounds, and then who and when.
    let_in: &'static str,
    /// What the operators' log calls it.
    action: &'static str,
}

/// Who lets rows in, from which file, and when.
#[derive(Debug, Clone, Copy)]
pub struct ImportedBy<'a> {
    pub source: &'a str,
    pub by: &'a Actor,
    pub now: Timestamp,
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

const LEADS: Kind = Kind {
    preview: "SELECT count(*),
            count(*) FILTER (WHERE leads.id IS NULL AND row ->> 'base' IS NULL),
            count(*) FILTER (WHERE leads.updated_at = row ->> 'base' AND (leads.record <> row ->> 'record'
                OR EXISTS (SELECT 1 FROM json_each(row, '$.said.relationships') AS said WHERE NOT EXISTS (
                    SELECT 1 FROM relationships AS known WHERE known.number = row ->> 'number'
                        AND known.kind = said.value ->> 'kind' AND known.date = said.value ->> 'date'))
                OR row ->> '$.said.line_type' > coalesce(
                    (SELECT line_type FROM line_types WHERE line_types.number = row ->> 'number'), ''))),
            count(*) FILTER (WHERE leads.updated_at IS NOT row ->> 'base')
        FROM temp.STAGED AS staged LEFT JOIN leads ON leads.id = staged.id WHERE staged.rowid BETWEEN ?1 AND ?2",
    // A kind of line may have been found out since a file was written: a file makes it stricter only (landline_biz, landline_res, mobile:
    // their names stand in that order). To say it for good there are the command and the API.
    //
    // What is said of the numbers comes first: as long as the leads are not written, their base tells which rows still hold.
    let_in: "INSERT INTO relationships (number, kind, date, recorded_at, door, actor)
        SELECT DISTINCT row ->> 'number', said.value ->> 'kind', said.value ->> 'date', ?3, ?4, ?5
        FROM temp.STAGED AS staged LEFT JOIN leads ON leads.id = staged.id,
            json_each(row, '$.said.relationships') AS said
        WHERE staged.rowid BETWEEN ?1 AND ?2 AND leads.updated_at IS row ->> 'base' AND NOT EXISTS (
            SELECT 1 FROM relationships AS known WHERE known.number = row ->> 'number'
                AND known.kind = said.value ->> 'kind' AND known.date = said.value ->> 'date');
        INSERT INTO line_types (number, line_type, asked_at, source)
        SELECT row ->> 'number', row ->> '$.said.line_type', ?3, 'operator (' || ?4 || ', ' || ?5 || ')'
        FROM temp.STAGED AS staged LEFT JOIN leads ON leads.id = staged.id
        WHERE staged.rowid BETWEEN ?1 AND ?2 AND leads.updated_at IS row ->> 'base'
            AND row ->> '$.said.line_type' IS NOT NULL ORDER BY staged.rowid
        ON CONFLICT DO UPDATE SET line_type = excluded.line_type, asked_at = excluded.asked_at, source = excluded.source
        WHERE excluded.line_type > line_types.line_type;
        INSERT INTO leads (id, number, status, search, created_at, updated_at, record)
        SELECT staged.id, row ->> 'number', row ->> 'status', row ->> 'search', row ->> 'created_at', row ->> 'updated_at',
            row ->> 'record'
        FROM temp.STAGED AS staged LEFT JOIN leads ON leads.id = staged.id
        WHERE staged.rowid BETWEEN ?1 AND ?2 AND leads.updated_at IS row ->> 'base' ORDER BY staged.id
        ON CONFLICT (id) DO UPDATE SET number = excluded.number, status = excluded.status, search = excluded.search,
            created_at = excluded.created_at, updated_at = excluded.updated_at, record = excluded.record
        WHERE record <> excluded.record",
    action: "leads_imported",
};

const CONSENTS: Kind = Kind {
    preview: "SELECT count(*), count(*) FILTER (WHERE consents.id IS NULL),
            count(*) FILTER (WHERE consents.id IS NOT NULL AND row ->> 'rnd' IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM reassigned_answers AS known WHERE known.number = row ->> 'number'
                    AND known.consent_date = row ->> '$.rnd.consent_date' AND known.asked_at = row ->> '$.rnd.asked_at')), 0
        FROM temp.STAGED AS staged LEFT JOIN consents ON consents.id = staged.id WHERE staged.rowid BETWEEN ?1 AND ?2",
    let_in: "INSERT INTO reassigned_answers (number, consent_date, answer, asked_at, source)
        SELECT DISTINCT row ->> 'number', row ->> '$.rnd.consent_date', row ->> '$.rnd.answer', row ->> '$.rnd.asked_at',
            row ->> '$.rnd.source'
        FROM temp.STAGED AS staged WHERE staged.rowid BETWEEN ?1 AND ?2 AND row ->> 'rnd' IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM reassigned_answers AS known WHERE known.number = row ->> 'number'
                AND known.consent_date = row ->> '$.rnd.consent_date' AND known.asked_at = row ->> '$.rnd.asked_at');
        INSERT INTO consents (id, number, given_at, record, recorded_at, door, actor)
        SELECT id, row ->> 'number', row ->> 'given_at', row ->> 'record', ?3, ?4, ?5
        FROM temp.STAGED AS staged WHERE staged.rowid BETWEEN ?1 AND ?2 ORDER BY id ON CONFLICT DO NOTHING",
    action: "consents_imported",
};

/// A lead on its way in.
#[derive(Debug, Clone, PartialEq)]
pub struct StagedLead {
    pub line: u64,
    pub lead: Lead,
    /// What its row says of the number.
    pub said: Said,
    /// When the lead was last changed that this one was made from; none where there was none.
    pub base: Option<Timestamp>,
}

/// A consent on its way in.
#[derive(Debug, Clone, PartialEq)]
pub struct StagedConsent {
    pub line: u64,
    pub consent: Consent,
    /// What its row says that the Reassigned Numbers Database answered.
    pub rnd: Option<ReassignedAnswer>,
}

impl LeadImport {
    /// Stages leads. Gives those whose id an earlier line had: they are left out.
    pub async fn stage(&self, leads: &[StagedLead]) -> Result<Vec<Repeated>, StoreError> {
        let rows = leads.iter().map(|StagedLead { line, lead, said, base }| {
            json!({
                "line": line, "id": lead.id, "number": lead.number, "status": word(&lead.status),
                "search": search_text(lead), "created_at": stamp(lead.created_at), "updated_at": stamp(lead.updated_at),
                "record": to_json(lead), "said": said, "base": base.map(stamp),
            })
        });
        self.0.stage(rows.collect()).await
    }

    /// Lets the staged leads in, telling `told` after every batch: new ones, and over old ones of the same ids.
    pub async fn commit(self, by: ImportedBy<'_>, told: impl FnMut(LetIn)) -> Result<Imported, CutShort> {
        self.0.commit(LEADS, by, told).await
    }

    /// Says what letting them in would do, and forgets them.
    pub async fn preview(self) -> Result<Imported, StoreError> {
        self.0.preview(LEADS).await
    }
}

impl ConsentImport {
    /// Stages consents. Gives those that say the same as an earlier line: they are left out.
    pub async fn stage(&self, consents: &[StagedConsent]) -> Result<Vec<Repeated>, StoreError> {
        let rows = consents.iter().map(|StagedConsent { line, consent, rnd }| {
            let rnd = rnd.as_ref().map(|answer| {
                json!({
                    "consent_date": answer.consent_date, "answer": word(&answer.answer), "asked_at": stamp(answer.asked_at),
                    "source": answer.source,
                })
            });
            json!({
                "line": line, "id": consent.id, "number": consent.number, "given_at": stamp(consent.given_at),
                "record": to_json(consent), "rnd": rnd,
            })
        });
        self.0.stage(rows.collect()).await
    }

    /// Lets the staged consents in, telling `told` after every batch. One that is on record already stays as it is.
    pub async fn commit(self, by: ImportedBy<'_>, told: impl FnMut(LetIn)) -> Result<Imported, CutShort> {
        self.0.commit(CONSENTS, by, told).await
    }

    /// Says what letting them in would do, and forgets them.
    pub async fn preview(self) -> Result<Imported, StoreError> {
        self.0.preview(CONSENTS).await
    }
}

impl Staging {
    async fn begin(store: &Store) -> Result<Self, StoreError> {
        let table = format!("staged_{}", Uuid::new_v4().simple());
        let staging = Self { store: store.clone(), table };
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
                    Ok(repeated
                        .into_iter()
                        .map(|(n, first)| Repeated { line: count(n), first: count(first) })
                        .collect())
                })
            })
            .await
    }

    async fn commit(self, kind: Kind, by: ImportedBy<'_>, mut told: impl FnMut(LetIn)) -> Result<Imported, CutShort> {
        let mut so_far = LetIn::default();
        // The rows of the table are numbered as they were staged, which is in the order of the file.
        let last = self.last_row().await.map_err(|cause| CutShort { so_far, cause })?;
        so_far.rows = count(last);
        let mut first = 1;
        while first <= last {
            if first > 1 {
                tokio::time::sleep(BREATH).await;
            }
            let until = last.min(first + BATCH - 1);
            match self.let_in(kind, by, (first, until), so_far).await {
                Ok(more) => so_far = more,
                Err(cause) => {
                    // What could not be let in is of no use; that it stays until the process ends does no harm.
                    let _ = self.discard().await;
                    return Err(CutShort { so_far, cause });
                }
            }
            told(so_far);
            first = until + 1;
        }
        self.discard().await.map_err(|cause| CutShort { so_far, cause })?;
        Ok(so_far.imported)
    }

    /// Lets one batch in, and writes it into the operators' log in the same transaction.
    async fn let_in(
        &self,
        kind: Kind,
        ImportedBy { source, by, now }: ImportedBy<'_>,
        (first, until): (i64, i64),
        so_far: LetIn,
    ) -> Result<LetIn, StoreError> {
        let (preview, let_in) = (self.sql(kind.preview), self.sql(kind.let_in));
        let lines = self.sql("SELECT line FROM temp.STAGED WHERE rowid = ?");
        let (by, source) = (by.clone(), source.to_owned());
        self.store
            .write(move |connection| {
                Box::pin(async move {
                    let imported = previewed(connection, preview, (first, until)).await?;
                    let mut statement = sqlx::query(sqlx::AssertSqlSafe(let_in)).bind(first).bind(until);
                    for value in [stamp(now), word(&by.door), by.name.clone()] {
                        statement = statement.bind(value);
                    }
                    statement.execute(&mut *connection).await?;
                    let line: i64 =
                        sqlx::query_scalar(sqlx::AssertSqlSafe(lines)).bind(until).fetch_one(&mut *connection).await?;
                    let mut now_in = LetIn { done: count(until), through_line: count(line), ..so_far };
                    now_in.imported += imported;
                    let detail = json!({
                        "source": source, "rows": imported, "through_line": line, "rows_left": now_in.rows - now_in.done,
                    });
                    record_action(connection, kind.action, &detail, &by, now).await?;
                    Ok(now_in)
                })
            })
            .await
    }

    async fn last_row(&self) -> Result<i64, StoreError> {
        let sql = self.sql("SELECT coalesce(max(rowid), 0) FROM temp.STAGED");
        self.store
            .write(move |connection| {
                Box::pin(async move { Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await?) })
            })
            .await
    }

    async fn preview(self, kind: Kind) -> Result<Imported, StoreError> {
        let preview = self.sql(kind.preview);
        let imported =
            self.store.write(move |connection| Box::pin(previewed(connection, preview, (0, i64::MAX)))).await?;
        self.discard().await?;
        Ok(imported)
    }

    async fn discard(&self) -> Result<(), StoreError> {
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

/// What letting in the rows of these numbers will do.
async fn previewed(
    connection: &mut SqliteConnection,
    preview: String,
    (first, until): (i64, i64),
) -> Result<Imported, StoreError> {
    let (all, new, changed, overtaken): (i64, i64, i64, i64) =
        sqlx::query_as(sqlx::AssertSqlSafe(preview)).bind(first).bind(until).fetch_one(connection).await?;
    let unchanged = count(all - new - changed - overtaken);
    Ok(Imported { new: count(new), changed: count(changed), unchanged, overtaken: count(overtaken) })
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::LineType;
    use crate::store::testing::{at, consent, lead, on_disk, operator, store};
    use crate::store::{LeadFilter, LineTypeAnswer};

    async fn first_names(store: &Store) -> Vec<String> {
        let leads = store.list_leads(LeadFilter::default(), None, 10).await.unwrap().items;
        leads.into_iter().map(|lead| lead.first_name).collect()
    }

    fn staged(line: u64, lead: &Lead) -> StagedLead {
        StagedLead { line, lead: lead.clone(), said: Said::default(), base: None }
    }

    async fn commit_leads(import: LeadImport, seconds: i64) -> Imported {
        let by = operator();
        import.commit(ImportedBy { source: "leads.csv", by: &by, now: at(seconds) }, |_| {}).await.unwrap()
    }

    #[tokio::test]
    async fn leads_become_visible_when_they_are_let_in_and_a_second_time_changes_nothing() {
        for store in [store().await, on_disk().await.0] {
            let mut ada = lead(1, "+12125550113");
            let bob = Lead { first_name: "Bob".to_owned(), ..lead(2, "+12125550114") };
            let import = store.begin_lead_import().await.unwrap();
            let twice = [staged(2, &ada), staged(3, &bob), staged(4, &ada)];
            assert_eq!(import.stage(&twice).await.unwrap(), [Repeated { line: 4, first: 2 }]);
            assert_eq!(import.stage(&[staged(9, &bob)]).await.unwrap(), [Repeated { line: 9, first: 3 }]);
            assert!(first_names(&store).await.is_empty(), "nothing is visible yet");
            assert_eq!(commit_leads(import, 1).await, Imported { new: 2, ..Imported::default() });
            assert_eq!(first_names(&store).await.len(), 2);

            let base = Some(ada.updated_at);
            ada.first_name = "Ada B.".to_owned();
            let import = store.begin_lead_import().await.unwrap();
            let again = [StagedLead { base, ..staged(2, &ada) }, StagedLead { base, ..staged(3, &bob) }];
            import.stage(&again).await.unwrap();
            assert_eq!(commit_leads(import, 2).await, Imported { changed: 1, unchanged: 1, ..Imported::default() });
            assert_eq!(store.leads_by_ids(&[ada.id, lead(7, "+12125550113").id]).await.unwrap(), [ada]);
        }
    }

    #[tokio::test]
    async fn a_file_makes_a_kind_of_line_stricter_only() {
        let store = store().await;
        let ada = lead(1, "+12125550113");
        let import = async |line_type, base, seconds| {
            let stage = async || {
                let import = store.begin_lead_import().await.unwrap();
                let said = Said { line_type: Some(line_type), ..Said::default() };
                import.stage(&[StagedLead { said, base, ..staged(2, &ada) }]).await.unwrap();
                import
            };
            let previewed = stage().await.preview().await.unwrap();
            let imported = commit_leads(stage().await, seconds).await;
            assert_eq!(previewed, imported);
            imported.changed
        };
        let known = async || store.number_record(&ada.number).await.unwrap().line_type.unwrap();
        import(LineType::LandlineBusiness, None, 1).await;
        let base = Some(ada.updated_at);
        assert_eq!(import(LineType::LandlineResidential, base, 2).await, 1);
        assert_eq!(import(LineType::LandlineBusiness, base, 3).await, 0);
        assert_eq!(known().await, LineType::LandlineResidential);
        assert_eq!(import(LineType::Mobile, base, 4).await, 1);
        assert_eq!(import(LineType::LandlineBusiness, base, 5).await, 0, "the same old file again");
        assert_eq!(known().await, LineType::Mobile);
        let by_hand =
            LineTypeAnswer { line_type: LineType::LandlineBusiness, asked_at: at(6), source: "by hand".to_owned() };
        store.record_line_type(&ada.number, by_hand).await.unwrap();
        assert_eq!(known().await, LineType::LandlineBusiness, "the command may");
    }

    #[tokio::test]
    async fn what_somebody_else_changed_or_erased_meanwhile_is_left_to_them() {
        let store = store().await;
        let [ada, bob, eve] = [1, 2, 3].map(|n| lead(n, &format!("+1212555011{n}")));
        store.upsert_leads(vec![ada.clone(), bob.clone()]).await.unwrap();
        let import = store.begin_lead_import().await.unwrap();
        let file = |lead: &Lead| Lead { first_name: "File".to_owned(), updated_at: at(5), ..lead.clone() };
        let base = Some(ada.updated_at);
        let rows = [
            StagedLead { base, ..staged(2, &file(&ada)) },
            StagedLead { base, ..staged(3, &file(&bob)) },
            staged(4, &file(&eve)),
        ];
        import.stage(&rows).await.unwrap();
        store.delete_lead(ada.id).await.unwrap();
        let theirs = |lead: &Lead| Lead { first_name: "Theirs".to_owned(), updated_at: at(6), ..lead.clone() };
        store.upsert_leads(vec![theirs(&bob), theirs(&eve)]).await.unwrap();
        assert_eq!(commit_leads(import, 7).await, Imported { overtaken: 3, ..Imported::default() });
        assert_eq!(first_names(&store).await, ["Theirs", "Theirs"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_file_comes_in_batches_and_one_cut_short_says_how_far_it_came() {
        let store = store().await;
        let count = u64::try_from(BATCH).unwrap() * 2 + 10;
        let leads: Vec<_> = (0..count).map(|n| staged(n + 2, &lead(u128::from(n), "+12125550113"))).collect();
        let import = store.begin_lead_import().await.unwrap();
        import.stage(&leads).await.unwrap();
        // The third batch cannot be written.
        let last = leads.last().unwrap().lead.id;
        let trap = format!(
            "CREATE TRIGGER trap BEFORE INSERT ON leads WHEN NEW.id = '{last}' BEGIN SELECT RAISE (ABORT, 'no'); END"
        );
        let run = |sql: String| {
            let store = store.clone();
            async move {
                let done = store.write(|connection| {
                    Box::pin(async move {
                        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await?;
                        Ok(())
                    })
                });
                done.await.unwrap();
            }
        };
        run(trap).await;
        let (by, mut told) = (operator(), Vec::new());
        let imported_by = ImportedBy { source: "leads.csv", by: &by, now: at(1) };
        let cut = import.commit(imported_by, |so_far| told.push(so_far)).await.unwrap_err();
        let in_two = u64::try_from(BATCH).unwrap() * 2;
        assert_eq!((cut.so_far.done, cut.so_far.rows, cut.so_far.through_line), (in_two, count, in_two + 1));
        assert!(cut.to_string().contains(&format!("{in_two} of {count} rows are in, through line")), "{cut}");
        assert_eq!((told.len(), told.last()), (2, Some(&cut.so_far)));
        let stands: i64 = store
            .read(|connection| {
                Box::pin(
                    async move { Ok(sqlx::query_scalar("SELECT count(*) FROM leads").fetch_one(connection).await?) },
                )
            })
            .await
            .unwrap();
        assert_eq!(u64::try_from(stands).unwrap(), in_two, "whole batches, and no part of the one that failed");
        let log = store.operator_actions(crate::store::ActionFilter::default(), 10).await.unwrap();
        let left: Vec<_> = log.iter().map(|entry| entry.detail["rows_left"].clone()).collect();
        assert_eq!(left, [json!(10), json!(BATCH + 10)], "the log says what is not in");

        // The same file again brings in the rest.
        run("DROP TRIGGER trap".to_owned()).await;
        let import = store.begin_lead_import().await.unwrap();
        let based = leads.iter().cloned().enumerate().map(|(n, row)| {
            let base = (u64::try_from(n).unwrap() < in_two).then_some(row.lead.updated_at);
            StagedLead { base, ..row }
        });
        import.stage(&based.collect::<Vec<_>>()).await.unwrap();
        let wanted = Imported { new: 10, unchanged: in_two, ..Imported::default() };
        assert_eq!(commit_leads(import, 2).await, wanted);
    }

    #[tokio::test]
    async fn consents_come_in_once() {
        let (store, by) = (store().await, operator());
        let imported_by = ImportedBy { source: "c.csv", by: &by, now: at(1) };
        let one = consent(1, "+12125550113", at(0));
        for wanted in [Imported { new: 1, ..Imported::default() }, Imported { unchanged: 1, ..Imported::default() }] {
            let import = store.begin_consent_import().await.unwrap();
            import.stage(&[StagedConsent { line: 2, consent: one.clone(), rnd: None }]).await.unwrap();
            assert_eq!(import.commit(imported_by, |_| {}).await.unwrap(), wanted);
        }
        let import = store.begin_consent_import().await.unwrap();
        import
            .stage(&[StagedConsent { line: 2, consent: consent(2, "+12125550113", at(0)), rnd: None }])
            .await
            .unwrap();
        assert_eq!(import.preview().await.unwrap(), Imported { new: 1, ..Imported::default() });
        assert_eq!(store.consents_of(&one.number).await.unwrap().len(), 1);
    }
}
