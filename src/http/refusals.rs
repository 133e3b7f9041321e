//! Tells in the log who was refused: wrong proofs, missing permissions, too many requests. Layer `http`. Keeps I12.
//!
//! A flood writes a few lines a minute. Metrics count all of it.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::Request;

use super::client_address::Client;
use super::headers::REQUEST_ID;
use crate::operate::failure::Code;

/// Most lines in a minute.
const LINES_A_MINUTE: u32 = 10;

/// The minute.
const MINUTE: Duration = Duration::from_secs(60);

/// Longest id of a request that is written.
const REQUEST_MAX: usize = 200;

/// The sender of a request.
#[derive(Debug)]
pub(super) struct Sender {
    address: Option<IpAddr>,
    request: Option<String>,
}

impl Sender {
    /// Reads who sent a request.
    pub(super) fn of(request: &Request) -> Self {
        let id = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok());
        Self {
            address: request.extensions().get::<Client>().and_then(Client::address),
            request: id.map(|id| id.chars().take(REQUEST_MAX).collect()),
        }
    }
}

/// Counts the lines of the present minute.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    began: Option<Instant>,
    told: u32,
    untold: u64,
}

impl Minute {
    /// Returns whether there is room for a line, and how many had none in the minute before.
    fn room(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.duration_since(began) >= MINUTE) {
            (self.began, self.told) = (Some(now), 0);
        }
        if self.told == LINES_A_MINUTE {
            self.untold += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

impl Refusals {
    /// Tells of a refused request, unless the minute has too many already. Other failures are no refusals.
    pub(super) fn tell(&self, code: Code, route: &str, sender: &Sender) {
        if !matches!(code.status(), 401 | 403 | 429) {
            return;
        }
        let room = self.0.lock().unwrap_or_else(PoisonError::into_inner).room(Instant::now());
        let Some(untold) = room else { return };
        let address = sender.address.map_or_else(|| "local socket".to_owned(), |address| address.to_string());
        let request = sender.request.as_deref().unwrap_or_default();
        tracing::warn!(
            code = code.as_str(),
            route,
            client.address = address,
            request.id = request,
            untold,
            "refused a request"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_a_few_lines_a_minute_and_tells_how_many_it_left_out() {
        let (mut minute, began) = (Minute::default(), Instant::now());
        let told = (0..1_000).filter_map(|_| minute.room(began)).collect::<Vec<_>>();
        assert_eq!(told, [0; LINES_A_MINUTE as usize]);
        assert_eq!(minute.room(began + MINUTE), Some(990));
        assert_eq!(minute.room(began + MINUTE), Some(0));
    }
}
