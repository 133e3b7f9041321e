//! The `botfleet` binary.

use std::process::ExitCode;

use botfleet::cli::{self, Cli};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    cli::execute(Cli::parse()).await
}
