//! The command line: one file per command, and what they share.

mod args;
mod enrol;
mod error;
mod exit;
mod export;
mod job;
mod log;
mod plan;
mod rehearse;
mod rejects;
mod remote;
mod reporter;
mod results;
mod retry;
mod run;
mod say;
mod signals;
mod simulate;
mod status;
mod ticket;
mod timeline;
mod typed;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::Failure;
pub use exit::Exit;
use say::say;

/// Ferries WeChat (unionid, openid) pairs to WeCom external_userids: exact about quota, unable to
/// lose an answer. Type the same command again to go on where it stopped.
#[derive(Parser)]
#[command(name = "idferry", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    talk: args::Talk,
}

#[derive(Subcommand)]
enum Command {
    /// Import the inputs, look every subject up, export. The same command again goes on.
    Run(Box<run::Args>),
    /// How long it would take, with and without a ticket. Sends nothing, changes nothing.
    Plan(plan::Args),
    /// The same run against the simulator in memory: weeks in seconds.
    Rehearse(Box<rehearse::Args>),
    /// What the job does, why it waits, and how much quota is left. Reads beside a run.
    Status(status::Args),
    /// Put chosen outcomes back in the queue.
    Retry(retry::Args),
    /// Write the results as they stand. Reads beside a run.
    Export(export::Args),
    /// Serve the simulated WeCom API on a loopback address, for any client.
    Simulate(simulate::Args),
}

/// Runs the command line and answers with its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let usage = error.use_stderr();
            let exit = if usage { Exit::Usage } else { Exit::Done };
            return ExitCode::from(exit.code());
        }
    };
    let talk = cli.talk;
    let done = match cli.command {
        Command::Run(args) => run::run(*args, &talk),
        Command::Plan(args) => plan::run(&args),
        Command::Rehearse(args) => rehearse::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Retry(args) => retry::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    };
    let exit = done.unwrap_or_else(|failure| {
        say(&format!("idferry: {failure}"));
        failure.exit
    });
    ExitCode::from(exit.code())
}

/// The environment, as UTF-8 where it is that. An empty variable is an unset one.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
