//! Decides what follows the end of a worker. Part of `launcher`; pure: time and chance are arguments.
//!
//! | how the worker ended | then |
//! |---|---|
//! | 0 | the launcher ends with 0: somebody asked the worker to end |
//! | 1 or 2, and no worker was ever up | the launcher ends likewise: a person has to mend something first |
//! | anything else | the next start: at once, or after a growing wait in a loop of crashes |
//!
//! A worker that lived for [`UP_AFTER`] was up. A row of crashes is over once a worker lived for [`STEADY_AFTER`]:
//! workers that die soon after they were up are a loop as well. The first end in a row costs no wait. An end with
//! [`DEAD_INCARNATION`], which says that a new start is all that is needed, costs none up to the third end in a row.

use std::fmt;
use std::time::Duration;

use botfleet_actors::policy::backoff::BackoffSettings;

/// Exit code of a worker whose incarnation others declared dead: the incarnation never revives, a new start joins anew.
///
/// # Source
/// `sysexits.h`, `EX_TEMPFAIL`.
pub(crate) const DEAD_INCARNATION: u8 = 75;

/// Exit code of a worker that failed after it was at work.
///
/// # Source
/// `sysexits.h`, `EX_SOFTWARE`.
pub(crate) const FAILED_AT_WORK: u8 = 70;

/// Life after which a worker counts as up: from then on, exit codes 1 and 2 no longer end the launcher.
pub(super) const UP_AFTER: Duration = Duration::from_secs(10);

/// Life of a worker that ends the row of crashes before it.
const STEADY_AFTER: Duration = Duration::from_mins(5);

/// Number of ends in a row up to which an end with [`DEAD_INCARNATION`] costs no wait.
const FREE_REJOINS: u32 = 3;

/// The end of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The worker ended by itself, with this exit code.
    Code(u8),
    /// The worker was ended by this signal.
    Signal(u8),
}

impl Ending {
    /// Returns the exit code with which a process tells of another one's end, as shells do.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// The launcher's next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The launcher ends, with this exit code.
    End(u8),
    /// The launcher starts a worker after this wait.
    StartAfter(Duration),
}

/// Record of the workers' ends so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Restarts {
    backoff: BackoffSettings,
    in_a_row: u32,
    was_up: bool,
}

impl Restarts {
    /// Notes that a worker ended after `lived`, and returns the next step; `random` is uniform in 0..1.
    pub(super) fn ended(&mut self, how: Ending, lived: Duration, random: f64) -> Next {
        self.was_up |= lived >= UP_AFTER;
        if lived >= STEADY_AFTER {
            self.in_a_row = 0;
        }
        match how {
            Ending::Code(0) => return Next::End(0),
            Ending::Code(code @ (1 | 2)) if !self.was_up => return Next::End(code),
            _ => {}
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let free = if how == Ending::Code(DEAD_INCARNATION) { FREE_REJOINS } else { 1 };
        Next::StartAfter(match self.in_a_row.saturating_sub(free) {
            0 => Duration::ZERO,
            waits => self.backoff.wait(waits, random),
        })
    }

    /// Returns the number of ends in a row without a worker that lived for long.
    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: Ending = Ending::Signal(9);
    const SOON: Duration = Duration::from_secs(1);

    #[test]
    fn a_crash_is_followed_by_a_start_at_once() {
        let mut restarts = Restarts::default();
        assert_eq!(restarts.ended(KILLED, SOON, 1.0), Next::StartAfter(Duration::ZERO));
        assert_eq!(restarts.ended(KILLED, STEADY_AFTER, 1.0), Next::StartAfter(Duration::ZERO));
        assert_eq!(restarts.ended(Ending::Code(101), STEADY_AFTER, 1.0), Next::StartAfter(Duration::ZERO));
    }

    #[test]
    fn a_worker_that_dies_soon_after_it_was_up_waits_longer_each_time() {
        let mut restarts = Restarts::default();
        let wait = |restarts: &mut Restarts| match restarts.ended(KILLED, UP_AFTER, 1.0) {
            Next::StartAfter(wait) => wait,
            Next::End(code) => panic!("ended with {code}"),
        };
        let waits: Vec<_> = (0..20).map(|_| wait(&mut restarts)).collect();
        assert!(waits.is_sorted() && waits[1] > Duration::ZERO, "{waits:?}");
        assert_eq!(waits.last(), Some(&Duration::from_secs(30)));
    }

    #[test]
    fn a_loop_of_crashes_waits_longer_each_time_up_to_half_a_minute() {
        let mut restarts = Restarts::default();
        let waits: Vec<_> = (0..20)
            .map(|_| match restarts.ended(KILLED, SOON, 1.0) {
                Next::StartAfter(wait) => wait,
                Next::End(code) => panic!("ended with {code}"),
            })
            .collect();
        assert!(waits[1..].iter().all(|wait| *wait >= Duration::from_millis(200)) && waits.is_sorted(), "{waits:?}");
        assert_eq!(waits.last(), Some(&Duration::from_secs(30)));
        assert_eq!(restarts.in_a_row(), 20);
        assert_eq!(restarts.ended(KILLED, STEADY_AFTER, 1.0), Next::StartAfter(Duration::ZERO), "the row is over");
    }

    #[test]
    fn waits_of_several_launchers_are_spread() {
        let wait = |random| {
            let mut restarts = Restarts::default();
            restarts.ended(KILLED, SOON, random);
            restarts.ended(KILLED, SOON, random)
        };
        assert_ne!(wait(0.0), wait(0.9));
    }

    #[test]
    fn a_dead_incarnation_joins_anew_at_once_unless_it_goes_on_and_on() {
        let mut restarts = Restarts::default();
        let dead = Ending::Code(DEAD_INCARNATION);
        for _ in 0..FREE_REJOINS {
            assert_eq!(restarts.ended(dead, SOON, 1.0), Next::StartAfter(Duration::ZERO));
        }
        assert_eq!(restarts.ended(dead, SOON, 1.0), Next::StartAfter(Duration::from_millis(200)));
    }

    #[test]
    fn what_a_person_must_mend_ends_the_launcher_with_the_same_code() {
        for code in [1, 2] {
            assert_eq!(Restarts::default().ended(Ending::Code(code), SOON, 0.5), Next::End(code));
        }
        let mut restarts = Restarts::default();
        restarts.ended(KILLED, SOON, 0.5);
        assert_eq!(restarts.ended(Ending::Code(2), SOON, 0.5), Next::End(2), "none was ever up");
    }

    #[test]
    fn a_fleet_that_was_up_is_started_again_until_its_files_are_mended() {
        let mut restarts = Restarts::default();
        restarts.ended(KILLED, UP_AFTER, 0.5);
        assert!(matches!(restarts.ended(Ending::Code(2), SOON, 0.5), Next::StartAfter(_)));
        assert!(matches!(restarts.ended(Ending::Code(1), SOON, 0.5), Next::StartAfter(_)));
    }

    #[test]
    fn an_end_in_good_order_is_the_end() {
        assert_eq!(Restarts::default().ended(Ending::Code(0), SOON, 0.5), Next::End(0));
        assert_eq!(Restarts::default().ended(Ending::Code(0), UP_AFTER, 0.5), Next::End(0));
    }

    #[test]
    fn an_end_by_signal_is_told_as_shells_tell_it() {
        assert_eq!((KILLED.exit_code(), Ending::Code(75).exit_code()), (137, 75));
    }
}
