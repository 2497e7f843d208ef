//! Opening the database: where it is, how it is kept (0600, WAL, FULL), and whether it is ours and of a schema we know.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqliteConnection, SqlitePool};

use super::StoreError;
use super::error::sqlite_code;

/// The schema's steps. `sqlx::migrate!` would list them, for the price of building SQLite a second time, for the compiler.
pub(super) static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let step = |version, name, sql| Migration::new(version, name, MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![
        step(1, "initial".into(), include_str!("migrations/0001_initial.sql").into_sql_str()),
        step(3, "evidence".into(), include_str!("migrations/0003_evidence.sql").into_sql_str()),
        step(5, "mcp".into(), include_str!("migrations/0005_mcp.sql").into_sql_str()),
        step(6, "console".into(), include_str!("migrations/0006_console.sql").into_sql_str()),
        step(20, "memories".into(), include_str!("migrations/0020_memories.sql").into_sql_str()),
        step(21, "transfer limits".into(), include_str!("migrations/0021_transfer_limits.sql").into_sql_str()),
        step(
            22,
            "calls by disposition".into(),
            include_str!("migrations/0022_calls_by_disposition.sql").into_sql_str(),
        ),
    ])
});

/// `PRAGMA application_id` of our files, set by the first migration.
const APPLICATION_ID: i64 = 0x436C_726C;

/// How long a statement waits for another process (an import on the command line, say) before it gives up as `Locked`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const READERS: u32 = 4;

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    Memory,
}

impl Place {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        if url == "sqlite::memory:" {
            return Ok(Self::Memory);
        }
        match url.strip_prefix("sqlite://") {
            Some(path) if !path.is_empty() && !path.contains('?') => Ok(Self::File(path.into())),
            _ => Err(StoreError::BadUrl),
        }
    }

    /// `synchronous=FULL` waits for the disk at every commit, so that a decision, an attempt or an opt-out that was answered is
    /// still there after a power cut. `NORMAL` would be enough for the journal alone, but the setting is one of the connection,
    /// and with the writer's group commit the wait is shared.
    ///
    /// `secure_delete` overwrites what is deleted, so that an erased person's words do not stay in free pages of the file.
    pub(super) fn options(&self) -> SqliteConnectOptions {
        match self {
            Self::Memory => self.bare_options(),
            Self::File(_) => {
                let options = self.bare_options().pragma("secure_delete", "ON");
                options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
            }
        }
    }

    /// Without the settings that SQLite writes into the file.
    fn bare_options(&self) -> SqliteConnectOptions {
        let options =
            SqliteConnectOptions::new().busy_timeout(BUSY_TIMEOUT).foreign_keys(true).disable_statement_logging();
        match self {
            Self::Memory => options.in_memory(true),
            Self::File(path) => options.filename(path),
        }
    }
}

/// Makes the file where there is none, and opens it for writing with its schema up to date.
pub(super) async fn open_writer(place: &Place) -> Result<SqliteConnection, StoreError> {
    if let Place::File(path) = place {
        create_file(path).map_err(|source| StoreError::Unreachable { path: path.clone(), source: Arc::new(source) })?;
        check_owner(path).await?;
    }
    let mut connection = place.options().connect().await?;
    migrate(&mut connection).await?;
    Ok(connection)
}

/// Connections that cannot write. None for a database in memory, which only its one connection can see.
pub(super) async fn open_readers(place: &Place) -> Result<Option<SqlitePool>, StoreError> {
    if *place == Place::Memory {
        return Ok(None);
    }
    let pool = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_with(place.options().pragma("query_only", "ON"))
        .await?;
    Ok(Some(pool))
}

/// SQLite gives its side files (`-wal`, `-shm`) the permissions of the main one, so it is enough to make that one ourselves.
fn create_file(path: &Path) -> io::Result<()> {
    let mut directory = fs::DirBuilder::new();
    let mut file = fs::OpenOptions::new();
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut directory, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        directory.recursive(true).create(parent)?;
    }
    file.write(true).create(true).truncate(false).open(path)?;
    Ok(())
}

/// Refuses a file that holds something else, before anything is written to it.
async fn check_owner(path: &Path) -> Result<(), StoreError> {
    let (application_id, tables) =
        identify(path).await.map_err(|error| match sqlite_code(&error).map(|code| code & 0xff) {
            Some(11 | 26) => StoreError::NotADatabase { path: path.to_owned() },
            Some(14) => StoreError::Unreachable { path: path.to_owned(), source: Arc::new(io::Error::other(error)) },
            _ => error.into(),
        })?;
    let ours = application_id == APPLICATION_ID || (application_id == 0 && tables == 0);
    if ours { Ok(()) } else { Err(StoreError::NotOurs { path: path.to_owned() }) }
}

async fn identify(path: &Path) -> Result<(i64, i64), sqlx::Error> {
    let mut connection = Place::File(path.to_owned()).bare_options().connect().await?;
    let tables = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut connection).await?;
    let application_id = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok((application_id, tables))
}

/// All migrations in one exclusive transaction: of two processes that start at once, the second finds the first one's work done.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN EXCLUSIVE").await?;
    MIGRATOR.run_direct(None, &mut *transaction, false).await?;
    transaction.commit().await?;
    Ok(())
}
