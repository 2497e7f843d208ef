//! The rule texts that decisions were made under, kept by their version and hash, so that a decision can be made again after the
//! tables changed.

use jiff::Timestamp;

use super::columns::{from_json, json, stamp};
use super::{Store, StoreError};
use crate::compliance::tables::RuleSet;

impl Store {
    /// Keeps a set of texts, in the order of their hash. Keeping the same set again changes nothing.
    pub async fn keep_rule_set(
        &self,
        rule_set: &RuleSet,
        files: &[(String, String)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (rule_set, files) = (rule_set.to_string(), json(&files));
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO rule_sets (rule_set, files, kept_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
                    .bind(rule_set)
                    .bind(files)
                    .bind(stamp(now))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// The texts of a rule set by the name that decisions quote: each file's name and text.
    pub async fn rule_set(&self, rule_set: &str) -> Result<Option<Vec<(String, String)>>, StoreError> {
        let rule_set = rule_set.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let files: Option<String> = sqlx::query_scalar("SELECT files FROM rule_sets WHERE rule_set = ?")
                    .bind(rule_set)
                    .fetch_optional(connection)
                    .await?;
                files.map(|files| from_json(&files, "rule_sets")).transpose()
            })
        })
        .await
    }

    /// The place of the first decision under a rule set whose kept texts no longer have its hash; none if all are sound.
    pub(super) async fn first_decision_of_changed_rules(&self) -> Result<Option<i64>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let kept: Vec<(String, String)> =
                    sqlx::query_as("SELECT rule_set, files FROM rule_sets").fetch_all(&mut *connection).await?;
                let mut first = None;
                for (name, _) in kept.iter().filter(|(name, files)| !has_its_hash(name, files)) {
                    // One under which nothing was decided yet is as bad: it stands for the next decision.
                    let at: i64 = sqlx::query_scalar(
                        "SELECT coalesce(min(seq), (SELECT coalesce(max(seq), 0) + 1 FROM decisions)) FROM decisions
                         WHERE rule_set = ?",
                    )
                    .bind(name)
                    .fetch_one(&mut *connection)
                    .await?;
                    first = Some(first.map_or(at, |first: i64| first.min(at)));
                }
                Ok(first)
            })
        })
        .await
    }
}

fn has_its_hash(name: &str, files: &str) -> bool {
    let Ok(files) = serde_json::from_str::<Vec<(String, String)>>(files) else { return false };
    let texts: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let version = name.split_once(" sha256:").map_or(name, |(version, _)| version);
    RuleSet::of(version.to_owned(), &texts).to_string() == name
}

#[cfg(test)]
mod tests {
    use super::super::{LedgerFault, LedgerFaultKind};
    use super::*;
    use crate::compliance::tables::RuleTables;
    use crate::store::testing::{at, store};

    #[tokio::test]
    async fn rule_texts_are_kept_once_and_a_change_shows() {
        let store = store().await;
        let tables = RuleTables::shipped().unwrap();
        let name = tables.rule_set.to_string();
        for n in 0..2 {
            store.keep_rule_set(&tables.rule_set, &tables.files, at(n)).await.unwrap();
        }
        assert_eq!(store.rule_set(&name).await.unwrap().unwrap(), tables.files);
        assert_eq!(store.rule_set("other").await.unwrap(), None);
        store.verify_ledger().await.unwrap();

        for sql in ["UPDATE rule_sets SET files = '[]'", "DELETE FROM rule_sets"] {
            let refused = store.write(move |connection| {
                Box::pin(async move { Ok(sqlx::query(sql).execute(connection).await?.rows_affected()) })
            });
            assert!(matches!(refused.await, Err(StoreError::Database(_))), "{sql}");
        }
        store
            .write(|connection| {
                Box::pin(async move {
                    sqlx::raw_sql(
                        "DROP TRIGGER rule_sets_stay_as_written;
                         UPDATE rule_sets SET files = replace(files, '21:00', '23:00')",
                    )
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
        let fault = store.verify_ledger().await.unwrap_err();
        assert!(
            matches!(fault, StoreError::Ledger(LedgerFault { kind: LedgerFaultKind::RulesChanged, .. })),
            "{fault:?}"
        );
    }
}
