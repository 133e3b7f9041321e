//! Integration tests of the `botfleet` package: one binary, real parts.
mod check_command;
mod config;
mod fleet_control;
mod fleet_conversation;
mod fleet_process;
mod fleet_stage;
mod layers;
mod llm_adapter;
mod llm_budget;
mod llm_gateway;
mod scripted_http;
mod store_contract;
mod store_open;
mod telegram_adapter;
mod telegram_decode;
