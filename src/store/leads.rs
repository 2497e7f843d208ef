//! Leads: the people and businesses that the operator may call.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::columns::{Cursor, Listing, from_json, json, stamp, word};
use super::number_facts::{Said, save_said};
use super::{Store, StoreError};
use crate::domain::event::Actor;
use crate::domain::lead::{Lead, LeadStatus};
use crate::domain::{E164, LeadId};

/// Which leads to list. What is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct LeadFilter {
    pub number: Option<E164>,
    pub status: Option<LeadStatus>,
    /// Part of the name, e-mail or a tag, in any case.
    pub text: Option<String>,
}

impl Store {
    /// Writes leads, all or none: new ones, and over the old ones with the same ids.
    pub async fn upsert_leads(&self, leads: Vec<Lead>) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                for lead in &leads {
                    save_lead(connection, lead).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Writes what `change` makes of the lead with this id (none if there is none yet), and what is said of its number, in one
    /// transaction. Gives the lead as it is now, and whether it is new; or, with nothing written, why `change` refused.
    pub async fn change_lead<E: Send + 'static>(
        &self,
        id: LeadId,
        said: Said,
        by: &Actor,
        now: Timestamp,
        change: impl FnOnce(Option<Lead>) -> Result<Lead, E> + Send + 'static,
    ) -> Result<Result<(Lead, bool), E>, StoreError> {
        let by = by.clone();
        self.write(move |connection| {
            Box::pin(async move {
                let old = load_lead(connection, id).await?;
                let is_new = old.is_none();
                let lead = match change(old) {
                    Ok(lead) => lead,
                    Err(refused) => return Ok(Err(refused)),
                };
                save_lead(connection, &lead).await?;
                save_said(connection, &lead.number, &said, &by, now).await?;
                Ok(Ok((lead, is_new)))
            })
        })
        .await
    }

    pub async fn lead(&self, id: LeadId) -> Result<Option<Lead>, StoreError> {
        self.read(move |connection| Box::pin(load_lead(connection, id))).await
    }

    /// Says whether there was one. Calls and decisions keep its id.
    pub async fn delete_lead(&self, id: LeadId) -> Result<bool, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let deleted =
                    sqlx::query("DELETE FROM leads WHERE id = ?").bind(id.to_string()).execute(connection).await?;
                Ok(deleted.rows_affected() == 1)
            })
        })
        .await
    }

    /// Leads, newest first.
    pub async fn list_leads(
        &self,
        filter: LeadFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Listing<Lead>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut query = QueryBuilder::<Sqlite>::new("SELECT record FROM leads WHERE true");
                if let Some(number) = &filter.number {
                    query.push(" AND number = ").push_bind(number.as_str().to_owned());
                }
                if let Some(status) = filter.status {
                    query.push(" AND status = ").push_bind(word(&status));
                }
                if let Some(text) = &filter.text {
                    // Not LIKE: its wildcards would have to be escaped.
                    query.push(" AND instr(search, ").push_bind(text.to_lowercase()).push(") > 0");
                }
                if let Some(after) = &after {
                    query.push(" AND (created_at, id) < (").push_bind(after.at().to_owned());
                    query.push(", ").push_bind(after.id().to_owned()).push(")");
                }
                query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit.saturating_add(1));
                let records: Vec<String> = query.build_query_scalar().fetch_all(connection).await?;
                let leads = records.iter().map(|record| from_json(record, "leads")).collect::<Result<Vec<_>, _>>()?;
                Ok(Listing::cut(leads, limit, |lead: &Lead| Cursor::new(lead.created_at, lead.id)))
            })
        })
        .await
    }
}

async fn load_lead(connection: &mut SqliteConnection, id: LeadId) -> Result<Option<Lead>, StoreError> {
    let record: Option<String> = sqlx::query_scalar("SELECT record FROM leads WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    record.map(|record| from_json(&record, "leads")).transpose()
}

pub(super) async fn save_lead(connection: &mut SqliteConnection, lead: &Lead) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO leads (id, number, status, search, created_at, updated_at, record) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET number = excluded.number, status = excluded.status, search = excluded.search,
             created_at = excluded.created_at, updated_at = excluded.updated_at, record = excluded.record",
    )
    .bind(lead.id.to_string())
    .bind(lead.number.as_str())
    .bind(word(&lead.status))
    .bind(search_text(lead))
    .bind(stamp(lead.created_at))
    .bind(stamp(lead.updated_at))
    .bind(json(lead))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) fn search_text(lead: &Lead) -> String {
    let mut text = format!("{} {}\n{}", lead.first_name, lead.last_name, lead.email.as_deref().unwrap_or_default());
    for tag in &lead.tags {
        text.push('\n');
        text.push_str(tag);
    }
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{at, lead, number, store};

    async fn names(store: &Store, filter: LeadFilter) -> Vec<String> {
        let leads = store.list_leads(filter, None, 10).await.unwrap().items;
        leads.into_iter().map(|lead| lead.first_name).collect()
    }

    #[tokio::test]
    async fn leads_are_found_by_number_status_and_any_part_of_their_names() {
        let store = store().await;
        let mut ada = lead(1, "+12125550113");
        ada.first_name = "Ada".to_owned();
        ada.tags = vec!["Investor%".to_owned()];
        let mut bob = lead(2, "+12125550114");
        bob.first_name = "Bob".to_owned();
        bob.status = LeadStatus::Qualified;
        bob.created_at = at(7);
        store.upsert_leads(vec![ada.clone(), bob.clone()]).await.unwrap();

        let all = LeadFilter::default;
        assert_eq!(names(&store, all()).await, ["Bob", "Ada"]);
        assert_eq!(names(&store, LeadFilter { number: Some(number("+12125550113")), ..all() }).await, ["Ada"]);
        assert_eq!(names(&store, LeadFilter { status: Some(LeadStatus::Qualified), ..all() }).await, ["Bob"]);
        assert_eq!(names(&store, LeadFilter { text: Some("iNVEST".to_owned()), ..all() }).await, ["Ada"]);
        assert_eq!(names(&store, LeadFilter { text: Some("%".to_owned()), ..all() }).await, ["Ada"]);

        let first = store.list_leads(all(), None, 1).await.unwrap();
        let second = store.list_leads(all(), first.next, 1).await.unwrap();
        assert_eq!((&second.items, &second.next), (&vec![ada.clone()], &None));

        ada.status = LeadStatus::Contacted;
        store.upsert_leads(vec![ada.clone()]).await.unwrap();
        assert_eq!(store.lead(ada.id).await.unwrap(), Some(ada.clone()));
        assert!(store.delete_lead(ada.id).await.unwrap());
        assert_eq!(store.lead(ada.id).await.unwrap(), None);
    }
}
