//! Starts a worker, passes signals on, and starts the next one. Part of `launcher`.
//!
//! The launcher passes a first signal on, and the worker takes the time that it needs to end. A second signal is passed
//! on too and ends a worker at once; a worker that does not end even then is killed.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::graves::Graves;
use super::restarts::{Ending, Next, Restarts};
use super::worker::Worker;
use crate::cli::output::say;
use crate::cli::signals::Signals;

/// Time after a second signal, after which a worker that goes on is killed.
const KILL_AFTER: Duration = Duration::from_secs(2);

/// Most time to tell the cluster of the last worker's end.
const TELL_WITHIN: Duration = Duration::from_secs(1);

/// Wait between tries to start a process, when the system refuses one.
const START_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Number of ends in a row that a person has to look into: from then on they are logged as errors.
const LOOP_OF: u32 = 5;

/// Keeps a worker running until a signal ends it, or it ends in a way that no new start mends.
///
/// # Errors
/// When the first worker cannot be started, or the system does not tell how a worker ended.
pub(crate) async fn supervise(graves: Graves) -> anyhow::Result<ExitCode> {
    let code = keep_running(&graves).await?;
    graves.close(TELL_WITHIN).await;
    Ok(ExitCode::from(code))
}

async fn keep_running(graves: &Graves) -> anyhow::Result<u8> {
    let mut signals = Signals::listen()?;
    let mut restarts = Restarts::default();
    let mut first = true;
    loop {
        let launch = fastrand::i64(1..);
        let mut worker = match Worker::start(launch) {
            Ok(worker) => worker,
            Err(error) if first => return Err(error),
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "no worker runs, it is tried again");
                tokio::select! {
                    () = sleep(START_AGAIN_AFTER) => continue,
                    _ = signals.next() => return Ok(0),
                }
            }
        };
        first = false;
        // Without a reader of stdout the worker itself decides whether it goes on.
        let _ = say(&format!("worker     {}", worker.pid()));
        worker.go().await;
        let (ending, asked) = watch(&mut worker, &mut signals).await?;
        graves.bury(launch);
        if asked {
            return Ok(ending.exit_code());
        }
        let wait = match restarts.ended(ending, worker.lived(), fastrand::f64()) {
            Next::End(code) => return Ok(code),
            Next::StartAfter(wait) => wait,
        };
        tell_of(&worker, ending, restarts.in_a_row(), wait);
        tokio::select! {
            () = sleep(wait) => {}
            _ = signals.next() => return Ok(ending.exit_code()),
        }
    }
}

/// Waits for the worker's end; returns how it ended, and whether a signal had asked for that.
async fn watch(worker: &mut Worker, signals: &mut Signals) -> io::Result<(Ending, bool)> {
    let mut asked = 0;
    let mut kill_at = None;
    loop {
        tokio::select! {
            ending = worker.ended() => return Ok((ending?, asked > 0)),
            signal = signals.next() => {
                asked += 1;
                worker.signal(signal);
                if asked == 2 {
                    kill_at = Some(Instant::now() + KILL_AFTER);
                }
            }
            () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                worker.signal(rustix::process::Signal::KILL);
                kill_at = None;
            }
        }
    }
}

fn tell_of(worker: &Worker, ending: Ending, in_a_row: u32, wait: Duration) {
    let (lived_ms, wait_ms) = (worker.lived().as_millis() as u64, wait.as_millis() as u64);
    if in_a_row >= LOOP_OF {
        tracing::error!(
            worker.pid = worker.pid(),
            ending = %ending,
            lived_ms,
            in_a_row,
            wait_ms,
            "the worker ends again and again, it is started once more after the wait"
        );
    } else {
        tracing::warn!(
            worker.pid = worker.pid(),
            ending = %ending,
            lived_ms,
            in_a_row,
            wait_ms,
            "the worker ended, it is started again"
        );
    }
}
