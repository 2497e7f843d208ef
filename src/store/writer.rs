//! The one task that writes. It owns the only writing connection, takes jobs from a bounded queue and runs those that wait
//! together in one transaction: one `BEGIN IMMEDIATE`, a savepoint a job, one commit, then all the answers (group commit).
//!
//! The commit is the dear part (it waits for the disk: `synchronous=FULL`, so that what was answered survives a power cut),
//! and sharing it is what makes thousands of gated decisions a second possible. Under light load a job is a batch of its own
//! and waits for nobody. Since jobs run in the task and not in their caller, a caller that goes away (a dropped request)
//! cannot leave a transaction half done.
//!
//! Overflow rule of the queue: callers wait for room.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::StoreError;

/// Jobs that may wait. Each is a caller that waits for its answer, so this bounds memory, not latency.
const QUEUE: usize = 1024;

/// Jobs that share one commit at most. Beyond this the commit's share of a job is small and the first one waits too long.
const BATCH: usize = 128;

/// Work inside the transaction.
pub(super) type Work<'c, T> = BoxFuture<'c, Result<T, StoreError>>;

/// Where jobs are handed in. Dropping every clone, or `stop`, ends the task after what is queued.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    stop: CancellationToken,
    stopped: CancellationToken,
}

/// Runs the work and puts its result aside for the caller. An error undoes what it wrote.
type Run = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, ()> + Send>;

struct Job {
    run: Run,
    committed: oneshot::Sender<Result<(), StoreError>>,
}

/// Makes a writer and the task to be spawned for it. `options` are for opening the connection anew after a disk fault that
/// made SQLite give up its transaction; a database in memory has none, since it would be lost with its connection.
pub(super) fn writer(
    connection: SqliteConnection,
    options: Option<SqliteConnectOptions>,
) -> (Writer, impl Future<Output = ()> + Send) {
    let (jobs, queue) = mpsc::channel(QUEUE);
    let writer = Writer { jobs, stop: CancellationToken::new(), stopped: CancellationToken::new() };
    let (stop, stopped) = (writer.stop.clone(), writer.stopped.clone().drop_guard());
    let task = async move {
        run(connection, options, queue, stop).await;
        drop(stopped);
    };
    (writer, task)
}

impl Writer {
    /// Runs `work` in a transaction and answers once it is committed and on disk. An `Err` of the work undoes all it wrote.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        let (put_result, result) = oneshot::channel();
        let (committed, is_committed) = oneshot::channel();
        let run = boxed(move |connection| {
            async move {
                let result = work(connection).await;
                let outcome = result.as_ref().map(|_| ()).map_err(StoreError::clone);
                // A caller that went away does not undo what it asked for.
                let _ = put_result.send(result);
                outcome
            }
            .boxed()
        });
        let job = Job { run, committed };
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        is_committed.await.map_err(|_| StoreError::Closed)??;
        result.await.map_err(|_| StoreError::Panicked)?
    }

    /// Takes no more jobs, and answers when those already taken are on disk and the connection is closed.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.stopped.cancelled().await;
    }
}

/// Tells the compiler that the closure works for any lifetime of the connection.
fn boxed<F>(run: F) -> Run
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, ()> + Send + 'static,
{
    Box::new(run)
}

async fn run(
    mut connection: SqliteConnection,
    options: Option<SqliteConnectOptions>,
    mut queue: mpsc::Receiver<Job>,
    stop: CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let taken = tokio::select! {
            biased;
            () = stop.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
            taken = queue.recv_many(&mut batch, BATCH) => taken,
        };
        if taken == 0 {
            break;
        }
        let (runs, answers): (Vec<_>, Vec<_>) = batch.drain(..).map(|job| (job.run, job.committed)).unzip();
        let outcome = run_batch(&mut connection, runs).await;
        for answer in answers {
            // A caller that went away needs no answer.
            let _ = answer.send(outcome.clone());
        }
        match (&outcome, &options) {
            (Ok(()) | Err(StoreError::Locked), _) | (_, None) => {}
            (Err(error), Some(options)) => {
                tracing::error!(%error, "a store transaction failed; nothing of it was kept");
                if let Ok(fresh) = options.connect().await {
                    connection = fresh;
                }
            }
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the store's connection did not close cleanly");
    }
}

/// One transaction. An error means that nothing of the batch was kept.
async fn run_batch(connection: &mut SqliteConnection, runs: Vec<Run>) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for run in runs {
        let mut savepoint = transaction.begin().await?;
        let outcome = AssertUnwindSafe(async { run(&mut savepoint).await }).catch_unwind().await;
        match outcome.unwrap_or(Err(StoreError::Panicked)) {
            Ok(()) => savepoint.commit().await?,
            // After some errors (a full disk, say) SQLite has given up the whole transaction and knows no savepoint any more.
            // The batch failed then, and the error that did it says why.
            Err(cause) => savepoint.rollback().await.map_err(|_| cause)?,
        }
    }
    transaction.commit().await?;
    Ok(())
}
