//! The command line: parses, calls [`job`](crate::job), prints what [`report`](crate::report) says.
//!
//! One file for each command. Beside them: `args` and `values` (flags that commands
//! share, and how they are read), `job_flags` (which job), `address` (where calls go), `operator` (prompts and progress), `outputs` (which files are inputs, which are replaced), `progress` (which reporter), `log_file`, `supervisor` (systemd), `validate` (the configuration), `console` (standard error), `signals`, `open_files` (the limit of them), `refresh` (how old answers may get),
//! `next_command` (the command to type next).

mod address;
mod args;
mod backup;
mod config;
mod console;
mod contract;
mod doctor;
mod export;
mod forget;
mod generate;
mod job_flags;
mod listen;
mod log_file;
mod next_command;
mod open_files;
mod operator;
mod outputs;
mod pending;
mod pending_ids;
mod plan;
mod progress;
mod quota;
mod refresh;
mod rehearse;
mod report;
mod resync;
mod retry;
mod run;
mod runs;
mod signals;
mod simulate;
mod status;
mod steer;
mod supervisor;
mod ticket;
mod validate;
mod values;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{job::Exit, report::style};
use next_command::NextCommand;

/// Converts WeChat (unionid, openid) pairs to WeCom external_userids, within every quota and
/// without losing an answer. Re-run the same command to resume.
#[derive(Parser)]
#[command(name = "idferry", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Import the inputs, look every subject up, export. Re-run the same command to resume.
    Run(Box<run::RunArgs>),
    /// As run, and ask again for answers that have grown old; for a nightly cron job.
    Resync(Box<resync::Args>),
    /// Estimate how long a run takes, with and without a ticket. Sends nothing, changes nothing.
    Plan(Box<plan::Args>),
    /// Run against an in-memory simulator in virtual time: weeks in seconds.
    Rehearse(Box<rehearse::Args>),
    /// Show what the job does, why it waits, and how much quota is left, also during a run.
    Status(status::Args),
    /// Let the run of this job, or the next one, send nothing until it is resumed.
    Pause(job_flags::JobFlags),
    /// Let a paused run continue.
    Resume(job_flags::JobFlags),
    /// Slow the run of this job down, or lift that again.
    Throttle(steer::ThrottleArgs),
    /// End the run of this job with work left: calls in flight are awaited.
    Stop(job_flags::JobFlags),
    /// Ask for chosen answers again with the next run; old ones stay until new ones come.
    Retry(retry::Args),
    /// Write the results so far, also during a run.
    Export(export::Args),
    /// The second road: external_userids of downstream corps become links, by their pending_ids.
    Pending(pending::Args),
    /// Show the corp's quota over all jobs and processes; note calls made elsewhere.
    Quota(quota::Args),
    /// Show, apply for, import or forget the corp's one mass_call_ticket (大批量调用凭据).
    Ticket(ticket::Args),
    /// List the runs of this job: when, calls, how they ended, what they waited for.
    Runs(runs::Args),
    /// Write one HTML file: how the job went, against the limits, also during a run.
    Report(report::Args),
    /// Copy the job file, also during a run.
    Backup(backup::Args),
    /// Check what a run needs, with the next step for each thing that is missing; one call.
    Doctor(doctor::Args),
    /// Write a configuration file with every default, or show where each value comes from.
    Config(config::Args),
    /// Print the completions of a shell.
    Completions(generate::CompletionsArgs),
    /// Print the manual page, of idferry or of one command.
    Man(generate::ManArgs),
    /// Delete persons from the job file, and every byte of them; ledger and ticket stay.
    Forget(forget::Args),
    /// Serve the simulated WeCom API on a loopback address, for any client.
    Simulate(simulate::Args),
}

/// A core dump would hold the secret, the token and the ticket. Linux alone knows this; what it refuses
/// is no reason not to run.
fn forbid_core_dumps() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Runs the command line; returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    forbid_core_dumps();
    let (cli, next) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            return ExitCode::from(exit.code());
        }
    };
    let done = match cli.command {
        Command::Run(args) => run::run(*args, &next),
        Command::Resync(args) => resync::run(*args, &next),
        Command::Plan(args) => plan::run(&args, &next),
        Command::Rehearse(args) => rehearse::run(&args, &next),
        Command::Status(args) => status::run(&args),
        Command::Pause(args) => steer::pause(&args, &next),
        Command::Resume(args) => steer::resume(&args),
        Command::Throttle(args) => steer::throttle(&args, &next),
        Command::Stop(args) => steer::stop(&args),
        Command::Retry(args) => retry::run(&args, &next),
        Command::Export(args) => export::run(&args),
        Command::Pending(args) => pending::run(args),
        Command::Quota(args) => quota::run(&args),
        Command::Ticket(args) => ticket::run(args),
        Command::Runs(args) => runs::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Config(args) => config::run(&args, &next),
        Command::Completions(args) => generate::completions(&args, Cli::command()),
        Command::Man(args) => generate::man(&args, Cli::command()),
        Command::Forget(args) => forget::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    };
    let exit = done.unwrap_or_else(|error| {
        let message = error.to_string();
        console::say(&format!("idferry: {}", style::printable(&message)));
        error.exit
    });
    ExitCode::from(exit.code())
}

fn parse() -> Result<(Cli, NextCommand), clap::Error> {
    let mut command = Cli::command();
    // Global flags become arguments of every subcommand.
    command.build();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    let (name, mut given) = matches.subcommand().unwrap_or(("", &matches));
    // Of `config show`, the flags of `show`.
    while let Some((_, inner)) = given.subcommand() {
        given = inner;
    }
    // Whatever else was typed, a run continues the job.
    let resumed = if name == "resync" { name } else { "run" };
    let next = match command.find_subcommand(resumed) {
        Some(resumed) => NextCommand::of(resumed, given),
        None => NextCommand::default(),
    };
    Ok((Cli::from_arg_matches(&matches)?, next))
}
