//! Something that is said at most once a minute, with how often it was kept back. Layer `policy`.

use std::time::Duration;

use tokio::time::Instant;

/// Said again after this.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// When it was said last.
#[derive(Debug, Default)]
pub struct Hush {
    said: Option<Instant>,
    kept_back: u64,
}

impl Hush {
    /// It happened: how often it was kept back before, when it is to be said now.
    pub fn happened(&mut self) -> Option<u64> {
        if self.said.is_some_and(|said| said.elapsed() < AGAIN_AFTER) {
            self.kept_back += 1;
            return None;
        }
        self.said = Some(Instant::now());
        Some(std::mem::take(&mut self.kept_back))
    }

    /// It is over: how often it was kept back since it was said last, if it was said at all.
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
