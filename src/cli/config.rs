//! `idferry config`: every default written out, and where each value comes from.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt};

use clap::Subcommand;

use super::{
    console::{print, say},
    job_flags::StateFile,
    next_command::NextCommand,
    validate,
    values::environment,
};
use crate::{
    config::{
        self, ConfigError,
        settings::{SETTINGS, Setting, template, written},
    },
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
    /// Show each setting and where it comes from: flag, environment, file or default; exit 2 if no run
    /// could use them.
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
    let written = options.open(path).and_then(|mut file| {
        let written = file.write_all(template().as_bytes());
        // Half of it would be in the way of the next attempt.
        written.inspect_err(|_| drop(std::fs::remove_file(path)))
    });
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
    let config = files.file()?;
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
    validate::settings(&config)?;
    match config::credentials(environment, &config.wecom) {
        Ok(_) | Err(ConfigError::NoCredentials(_)) => Ok(Exit::Done),
        Err(why) => Err(why.into()),
    }
}

fn masked(key: &str, value: String) -> String {
    match key {
        "corp_secret" => "(set)".to_owned(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::ConfigFile,
        job::{Contract, Refresh, SessionSettings},
    };

    #[test]
    fn the_defaults_that_are_written_out_are_those_of_a_run() {
        let lines = template();
        let set = lines
            .lines()
            .filter_map(|line| match line.strip_prefix("# ") {
                Some(line) => (line.contains(" = ") && !line.contains(" =    #")).then_some(line),
                None => Some(line),
            });
        let set = set.filter(|line| !line.contains('`') && !line.contains(", as \""));
        let file: ConfigFile = toml::from_str(&set.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(file.run.quota.len(), 7);
        let (settings, connection) = validate::settings(&file).unwrap();
        let (unset, usual) = validate::settings(&ConfigFile::default()).unwrap();
        assert_eq!(connection.address(), usual.address());
        assert_eq!(settings.refresh, Some(Refresh::default()));
        let shown = |settings: &SessionSettings| {
            let SessionSettings {
                quota,
                options,
                ticket,
                ..
            } = settings;
            format!(
                "{quota:?} {ticket:?} {:?} {}",
                options.on_quota, options.error_budget
            )
        };
        assert_eq!(shown(&settings), shown(&unset));
        assert_eq!(shown(&settings), shown(&SessionSettings::default()));
        let rules = SETTINGS
            .iter()
            .filter(|setting| setting.section == "contract");
        for rule in rules {
            Contract::default()
                .require(&format!("{} > 1", rule.key))
                .unwrap();
        }
    }

    #[test]
    fn the_readme_names_every_key_of_the_section_run() {
        let readme = include_str!("../../README.md");
        let (_, keys) = readme.split_once("[run]    ").unwrap();
        let (keys, _) = keys.split_once("```").unwrap();
        for setting in SETTINGS.iter().filter(|setting| setting.section == "run") {
            assert!(keys.contains(setting.key), "{}", setting.key);
        }
    }
}
