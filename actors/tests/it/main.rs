//! Tests of the actors over the testkit: a store in memory, scripted Telegram and providers, paused time. The number in
//! a test's name is the invariant's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acts;
mod budgets;
mod conversation;
mod decree;
mod delivery;
mod explore;
mod failures;
mod forever;
mod freshness;
mod gateway;
mod guards;
mod intake;
mod lingering;
mod live_config;
mod notices;
mod operator_orders;
mod ownership;
mod ownership_moves;
mod ownership_storm;
mod physics;
mod provider_health;
mod rights;
mod sending;
mod silence;
mod speaking;
mod stops;
mod supervision;
mod webhook;
mod wedges;
