//! `idferry completions` and `idferry man`: written from the command line itself.

use clap::{Command, ValueEnum as _};
use clap_complete::Shell;

use super::console::print_raw;
use crate::job::{Error, Exit};

#[derive(clap::Args)]
pub(super) struct CompletionsArgs {
    /// bash, elvish, fish, powershell or zsh.
    #[arg(value_name = "SHELL", value_parser = shell)]
    shell: Shell,
}

#[derive(clap::Args)]
pub(super) struct ManArgs {
    /// The page of this command [default: that of idferry].
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

fn shell(word: &str) -> Result<Shell, String> {
    Shell::from_str(word, true)
}

pub(super) fn completions(args: &CompletionsArgs, mut command: Command) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "idferry", &mut script);
    print_raw(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}

pub(super) fn man(args: &ManArgs, mut command: Command) -> Result<Exit, Error> {
    command.build();
    let page = match &args.command {
        None => command,
        Some(name) => match command.find_subcommand(name) {
            Some(found) => found.clone(),
            None => return Err(Error::usage(format!("there is no command `{name}`"))),
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    print_raw(&String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}
