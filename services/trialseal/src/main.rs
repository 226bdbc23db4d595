//! `trialseal`: clinical-trial data, sealed under live consent and provable offline.

use clap::Parser;
use std::process::ExitCode;
use trialseal::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("trialseal: {error:#}");
            ExitCode::FAILURE
        }
    }
}
