//! Draws one line of progress, on a terminal only. Layer: harness.

use std::future::Future;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

/// How often the line is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(250);

/// Runs `work` while a line on stderr shows the progress; without a terminal, only runs `work`.
///
/// # Cancel safety
/// As cancel-safe as `work`.
pub async fn during<T>(work: impl Future<Output = T>, tell: impl Fn() -> String) -> T {
    if !stderr().is_terminal() {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval(DRAWN_EVERY);
    loop {
        tokio::select! {
            biased;
            done = &mut work => {
                draw("");
                return done;
            }
            _ = ticks.tick() => draw(&tell()),
        }
    }
}

/// Replaces the line; a terminal that cannot be written to is no fault.
fn draw(text: &str) {
    let mut err = stderr().lock();
    let _ = write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush());
}
