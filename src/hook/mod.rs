//! Holds the webhooks of others, to which the fleet posts. Layer: adapter.

pub mod webhook;
