//! Starts `botfleet-loadtest`: parses the command line and runs the command. Layer: cli.

use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    botfleet_loadtest::cli::Cli::parse().run().await
}
