//! The store as a whole: opening, permissions, survival of a kill, shutdown.

use std::fs;

use futures_util::future::join_all;
use tokio_util::task::TaskTracker;

use super::open::MIGRATOR;
use super::testing::{Scratch, allow_if_free, at, call_id, created, gate_request, on_disk, operator};
use super::{Store, StoreError};

async fn refusal(url: &str) -> StoreError {
    Store::open(url, &TaskTracker::new()).await.expect_err("this cannot be opened")
}

#[tokio::test]
async fn only_sqlite_addresses_are_understood() {
    for url in ["", "postgres://host/db", "sqlite://", "sqlite://a.db?mode=ro", "/var/lib/a.db"] {
        assert!(matches!(refusal(url).await, StoreError::BadUrl), "{url}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_and_their_directory_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let directory = scratch.directory().join("data").join("deeper");
    let url = format!("sqlite://{}/store.sqlite3", directory.display());
    let store = Store::open(&url, &TaskTracker::new()).await.unwrap();
    store.append(vec![(call_id(1), at(0), created("+12125550113"))]).await.unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.clone()), 0o700);
    let files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("store.sqlite3-wal")), "{files:?}");
    for file in files {
        assert_eq!(mode(file.clone()), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn the_writer_waits_for_the_disk_and_keeps_references() {
    let (store, _scratch) = on_disk().await;
    let pragmas = store.write(|connection| {
        Box::pin(async move {
            let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
            let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
            let foreign_keys: bool = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(connection).await?;
            Ok((journal, synchronous, foreign_keys))
        })
    });
    assert_eq!(pragmas.await.unwrap(), ("wal".to_owned(), 2, true));
    let written = store.read(|connection| {
        Box::pin(async move { Ok(sqlx::query("DELETE FROM leads").execute(connection).await?.rows_affected()) })
    });
    assert!(matches!(written.await, Err(StoreError::ReadOnly)), "readers cannot write");
}

#[tokio::test]
async fn opening_again_changes_nothing() {
    let (store, scratch) = on_disk().await;
    store.append(vec![(call_id(1), at(0), created("+12125550113"))]).await.unwrap();
    let before = store.events_of(call_id(1)).await.unwrap();
    store.close().await;
    for _ in 0..2 {
        let store = scratch.open().await;
        assert_eq!(store.events_of(call_id(1)).await.unwrap(), before);
        store.close().await;
    }
    let in_the_directory = fs::read_dir("src/store/migrations").unwrap().count();
    assert_eq!(MIGRATOR.iter().count(), in_the_directory, "a migration was added: touch open.rs to compile it in");
}

#[tokio::test]
async fn two_that_open_a_new_file_at_once_both_get_it() {
    let scratch = Scratch::new();
    let stores = join_all((0..4).map(|_| scratch.open())).await;
    for store in stores {
        assert_eq!(store.ledger_head().await.unwrap().count, 0);
    }
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let scratch = Scratch::new();
    fs::write(scratch.database(), "this is a letter, long enough to be taken for a database header, but it is none")
        .unwrap();
    let before = fs::read(scratch.database()).unwrap();
    assert!(matches!(refusal(&scratch.url()).await, StoreError::NotADatabase { path } if path == scratch.database()));
    assert_eq!(fs::read(scratch.database()).unwrap(), before);

    let scratch = Scratch::new();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scratch.database()).create_if_missing(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE recipes (name TEXT)").execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let before = fs::read(scratch.database()).unwrap();
    assert!(matches!(refusal(&scratch.url()).await, StoreError::NotOurs { .. }));
    assert_eq!(fs::read(scratch.database()).unwrap(), before);
}

#[tokio::test]
async fn a_newer_programs_database_is_refused() {
    let (store, scratch) = on_disk().await;
    store
        .write(|connection| {
            Box::pin(async move {
                sqlx::raw_sql(
                    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     VALUES (9000, 'from the future', TRUE, x'00', 0)",
                )
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    store.close().await;
    assert!(matches!(refusal(&scratch.url()).await, StoreError::NewerThanProgram { version: 9000 }));
}

#[tokio::test]
async fn a_place_that_cannot_be_is_said_so() {
    let scratch = Scratch::new();
    fs::write(scratch.directory().join("file"), "").unwrap();
    let url = format!("sqlite://{}/file/store.sqlite3", scratch.directory().display());
    let error = refusal(&url).await;
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    let directory = format!("sqlite://{}", scratch.directory().display());
    assert!(matches!(refusal(&directory).await, StoreError::Unreachable { .. }));
}

#[tokio::test]
async fn a_lock_held_by_somebody_else_is_said_so_and_outlived() {
    let (store, scratch) = on_disk().await;
    let impatient = store.write(|connection| {
        Box::pin(async move {
            sqlx::query("PRAGMA busy_timeout = 1").execute(connection).await?;
            Ok(())
        })
    });
    impatient.await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scratch.database());
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let lock = sqlx::Connection::begin_with(&mut other, "BEGIN IMMEDIATE").await.unwrap();
    assert!(matches!(store.record_done_with("a", at(0)).await, Err(StoreError::Locked)));
    store.ping().await.expect("reading goes on");
    lock.rollback().await.unwrap();
    store.record_done_with("a", at(0)).await.unwrap();
}

/// What a killed process leaves is what stands in its files: they are copied while it runs, as a kill would leave them.
#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let (store, scratch) = on_disk().await;
    store.append(vec![(call_id(1), at(0), created("+12125550113"))]).await.unwrap();
    let decided = store.decide(gate_request("+12125550113"), at(0), allow_if_free).await.unwrap();

    let after = Scratch::new();
    for suffix in ["", "-wal"] {
        let name = format!("store.sqlite3{suffix}");
        fs::copy(scratch.directory().join(&name), after.directory().join(&name)).unwrap();
    }
    let restarted = after.open().await;
    assert_eq!(restarted.load_open_calls().await.unwrap().len(), 1);
    let recorded = restarted.decision(decided.decision_id).await.unwrap().unwrap();
    assert_eq!(recorded.decision, decided.decision);
    assert_eq!(restarted.verify_ledger().await.unwrap(), store.ledger_head().await.unwrap());
    let again = restarted.decide(gate_request("+12125550113"), at(1), allow_if_free).await.unwrap();
    assert!(again.reservation.is_none(), "the slot is still held");
}

#[tokio::test]
async fn closing_finishes_what_was_asked_for_and_ends_the_task() {
    let scratch = Scratch::new();
    let tasks = TaskTracker::new();
    let store = Store::open(&scratch.url(), &tasks).await.unwrap();
    let asked = join_all((0..300).map(|n| {
        let store = store.clone();
        async move { store.record_done_with(&n.to_string(), at(0)).await }
    }));
    let (answers, ()) = tokio::join!(asked, store.close());
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(StoreError::Closed))), "{answers:?}");
    tasks.close();
    tasks.wait().await;
    assert!(matches!(store.record_done_with("late", at(0)).await, Err(StoreError::Closed)));
    assert!(matches!(store.ping().await, Err(StoreError::Closed)));

    let reopened = scratch.open().await;
    let kept: i64 = reopened
        .read(|connection| {
            Box::pin(async move {
                Ok(sqlx::query_scalar("SELECT count(*) FROM webhook_tokens").fetch_one(connection).await?)
            })
        })
        .await
        .unwrap();
    assert_eq!(usize::try_from(kept).unwrap(), taken);
}

#[tokio::test]
async fn dropping_the_last_clone_ends_the_task() {
    let tasks = TaskTracker::new();
    let store = Store::open("sqlite::memory:", &tasks).await.unwrap();
    store.ping().await.unwrap();
    drop(store.clone());
    store.ping().await.unwrap();
    drop(store);
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn a_failing_job_undoes_its_own_work_only() {
    let (store, _scratch) = on_disk().await;
    let fail = store.write(|connection| {
        Box::pin(async move {
            sqlx::query("INSERT INTO webhook_tokens VALUES ('failed', '')").execute(connection).await?;
            Err::<(), _>(StoreError::NumberBusy)
        })
    });
    let operator = operator();
    let (before, failed, after) =
        tokio::join!(store.record_done_with("before", at(0)), fail, store.stop_outbound("", &operator, at(0)));
    assert!(before.is_ok() && after.is_ok());
    assert!(matches!(failed, Err(StoreError::NumberBusy)));
    assert!(!store.is_done_with("failed").await.unwrap());
    assert!(store.is_done_with("before").await.unwrap());
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_half_done_work() {
    let (store, _scratch) = on_disk().await;
    let mut abandoned = Box::pin(store.decide(gate_request("+12125550113"), at(0), allow_if_free));
    assert!(futures_util::poll!(&mut abandoned).is_pending(), "handed in, not yet answered");
    drop(abandoned);
    let next = store.decide(gate_request("+12125550113"), at(1), allow_if_free).await.unwrap();
    assert!(next.reservation.is_none(), "the abandoned request holds the slot until its lease ends");
    assert_eq!(store.verify_ledger().await.unwrap().count, 2);
}

/// SQLite may answer a full disk by giving up the whole transaction, with the work of others in it.
#[tokio::test]
async fn a_full_disk_is_said_so_and_no_answer_is_a_lie() {
    let (store, _scratch) = on_disk().await;
    let full = store.write(|connection| {
        Box::pin(async move {
            // SQLite takes a limit below the file's size as that size.
            sqlx::query("PRAGMA max_page_count = 1").execute(connection).await?;
            Ok(())
        })
    });
    full.await.unwrap();
    let big = store.write(|connection| {
        Box::pin(async move {
            sqlx::query("INSERT INTO settings VALUES ('big', hex(zeroblob(1000000)))").execute(connection).await?;
            Ok(())
        })
    });
    let (before, big, after) =
        tokio::join!(store.record_done_with("before", at(0)), big, store.record_done_with("after", at(0)));
    assert!(matches!(big, Err(StoreError::DiskFull)), "{big:?}");
    for (token, answer) in [("before", before), ("after", after)] {
        let kept = store.is_done_with(token).await.unwrap();
        assert_eq!(answer.is_ok(), kept, "{token}: {answer:?}");
    }
}
