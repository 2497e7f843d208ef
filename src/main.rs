//! Parses the command line, calls boot, maps the error to an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use clearline::boot;
use clearline::surfaces::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    boot::run(cli).unwrap_or_else(|error| {
        eprintln!("clearline: {error:#}");
        ExitCode::FAILURE
    })
}
