//! Integration tests of the `botfleet` package: one binary, real parts.
mod store_contract;
mod store_open;
mod llm_adapter;
mod scripted_http;
mod telegram_adapter;
mod telegram_decode;
mod check_command;
mod config;
mod layers;
