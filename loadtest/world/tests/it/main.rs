//! The integration tests of the simulated world, over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "tests spawn clients that end with the test")]

mod telegram_chats;
mod telegram_faults;
mod telegram_harness;
mod telegram_ledger;
mod telegram_limits;
mod telegram_messages;
mod telegram_polling;
mod telegram_protocol;
mod telegram_troubles;
mod telegram_visibility;
mod telegram_webhook;

mod checker;
mod checker_account;
mod checker_faults;
mod checker_history;
mod people;
mod provider;
mod provider_faults;
