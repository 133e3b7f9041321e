//! Starts `botfleet-loadtest`: parses the command line and runs the command. Layer: cli.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    botfleet_loadtest::cli::Cli::from_command_line().run().await
}
