//! Limits a repeated report to one a minute, and counts the suppressed ones. Layer `policy`.

use std::time::Duration;

use tokio::time::Instant;

/// Shortest time between two reports.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// When the report was made last, and how often it has been suppressed since.
#[derive(Debug, Default)]
pub struct Hush {
    said: Option<Instant>,
    kept_back: u64,
}

impl Hush {
    /// Counts an occurrence. When it is to be reported, returns how many were suppressed before it; otherwise `None`.
    pub fn happened(&mut self) -> Option<u64> {
        if self.said.is_some_and(|said| said.elapsed() < AGAIN_AFTER) {
            self.kept_back += 1;
            return None;
        }
        self.said = Some(Instant::now());
        Some(std::mem::take(&mut self.kept_back))
    }

    /// Ends the series. Returns how many were suppressed since the last report, if there was one.
    pub fn over(&mut self) -> Option<u64> {
        self.said.take().map(|_| std::mem::take(&mut self.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_goes_on_is_said_once_a_minute_and_counted() {
        let mut hush = Hush::default();
        assert_eq!(hush.over(), None);
        let mut said = Vec::new();
        for _ in 0..121 {
            said.extend(hush.happened());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(said, [0, 59, 59]);
        assert_eq!((hush.over(), hush.over()), (Some(0), None));
        assert_eq!(hush.happened(), Some(0), "what begins anew is said at once");
    }
}
