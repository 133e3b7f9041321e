//! The integration tests of the servers and of the shipped scenarios.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "tests spawn clients that end with the test")]

mod scenario;
mod servers;
