//! The integration tests of servers, scenarios and reports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "tests spawn clients that end with the test")]

mod omission;
mod report;
mod scenario;
mod servers;
