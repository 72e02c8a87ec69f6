//! `idferry config`: every default written out, and where each value comes from.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt};

use clap::Subcommand;

use super::{
    console::{print, say},
    job_flags::StateFile,
    next_command::NextCommand,
    values::environment,
};
use crate::{
    config::settings::{SETTINGS, Setting, template, written},
    job::{Error, Exit},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: ConfigAction,
}

#[derive(Subcommand)]
enum ConfigAction {
    /// Write a configuration file with every default in it, commented out.
    Init(StateFile),
    /// Show each setting and where it comes from: flag, environment, file or default.
    Show(StateFile),
}

pub(super) fn run(args: &Args, next: &NextCommand) -> Result<Exit, Error> {
    match &args.action {
        ConfigAction::Init(files) => init(files),
        ConfigAction::Show(files) => show(files, next),
    }
}

fn init(files: &StateFile) -> Result<Exit, Error> {
    let path = files.config_path();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(template().as_bytes()));
    let path = path.display();
    written.map_err(|why| match why.kind() {
        std::io::ErrorKind::AlreadyExists => Error::usage(format!(
            "{path} exists and is left as it is; name another file with --config"
        )),
        _ => Error::usage(format!("{path} cannot be written: {why}")),
    })?;
    say(&format!(
        "{path}: every default, commented out; remove the # before what you change"
    ));
    Ok(Exit::Done)
}

fn show(files: &StateFile, next: &NextCommand) -> Result<Exit, Error> {
    // What cannot be used is said first.
    files.file()?;
    let file = written(files.config_path())?;
    let mut text = String::new();
    for setting in SETTINGS {
        let Setting { section, key, .. } = setting;
        let flag = next.value(key).map(|value| (value, "flag"));
        let exported = setting.variable.and_then(environment);
        let exported = exported.map(|value| (masked(key, value), "environment"));
        let in_file = file.get(&format!("{section}.{key}")).cloned();
        let in_file = in_file.map(|value| (value, "file"));
        let default = setting.default.trim_matches(['(', ')', '"']).to_owned();
        let found = flag.or(exported).or(in_file);
        let (value, origin) = found.unwrap_or((default, "default"));
        text += &format!("{:24} {origin:11} {value}\n", format!("{section}.{key}"));
    }
    print(&text);
    Ok(Exit::Done)
}

fn masked(key: &str, value: String) -> String {
    match key {
        "corp_secret" => "(set)".to_owned(),
        _ => value,
    }
}
