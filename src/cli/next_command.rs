//! The command to type next, rebuilt from the parsed arguments.

use std::ffi::OsStr;

use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};

/// The flags that name the job file, by their ids.
const JOB_FILE: [&str; 3] = ["state", "config", "sandbox"];

/// The command that continues the job, and those arguments given on the command line that it takes,
/// in their order.
#[derive(Default)]
pub(super) struct NextCommand {
    /// `run` or `resync`.
    name: String,
    given: Vec<Given>,
}

/// An argument, as it is typed.
struct Given {
    /// Its place on the command line.
    place: usize,
    id: String,
    words: Vec<String>,
    is_input: bool,
}

impl NextCommand {
    /// What `matches`, of any subcommand, has in common with `run`, by which the job continues.
    pub(super) fn of(run: &Command, matches: &ArgMatches) -> Self {
        let ids: Vec<_> = matches.ids().collect();
        let common = run.get_arguments().filter(|arg| {
            let id = arg.get_id();
            ids.contains(&id) && matches.value_source(id.as_str()) == Some(ValueSource::CommandLine)
        });
        let mut given: Vec<_> = common.flat_map(|arg| given(arg, matches)).collect();
        given.sort_by_key(|given| given.place);
        let name = run.get_name().to_owned();
        Self { name, given }
    }

    /// The value of the flag for the setting `key`, if it was given.
    pub(super) fn value(&self, key: &str) -> Option<String> {
        let given = self.given.iter().find(|given| given.id == key)?;
        given.words.last().cloned()
    }

    /// `idferry run` with the arguments.
    pub(super) fn run(&self) -> String {
        joined([format!("idferry {}", self.name), self.arguments()])
    }

    /// `idferry run INPUT` with the arguments, for commands without inputs of their own.
    pub(super) fn run_with(&self, input: &str) -> String {
        joined(["idferry run".to_owned(), input.to_owned(), self.arguments()])
    }

    /// The arguments alone.
    pub(super) fn arguments(&self) -> String {
        let escaped = |given: &&Given| {
            let first = given.words.first();
            given.is_input && first.is_some_and(|word| word.starts_with('-') && word != "-")
        };
        if !self.given.iter().any(|given| escaped(&given)) {
            return quoted(self.given.iter());
        }
        let (inputs, flags): (Vec<_>, Vec<_>) = self.given.iter().partition(|given| given.is_input);
        joined([
            quoted(flags.into_iter()),
            "--".to_owned(),
            quoted(inputs.into_iter()),
        ])
    }

    /// `command` on the same job file.
    pub(super) fn on_same_job(&self, command: &str) -> String {
        let flags = self.given.iter();
        let flags = flags.filter(|given| JOB_FILE.contains(&&*given.id));
        joined([format!("idferry {command}"), quoted(flags)])
    }
}

/// Each occurrence of `arg` in `matches`.
fn given(arg: &Arg, matches: &ArgMatches) -> Vec<Given> {
    let id = arg.get_id().as_str();
    let one = |place, words| Given {
        place,
        id: id.to_owned(),
        words,
        is_input: arg.is_positional(),
    };
    let mut places = matches.indices_of(id).into_iter().flatten();
    let flag = arg.get_long().map(|long| format!("--{long}"));
    if !arg.get_action().takes_values() {
        let times = match arg.get_action() {
            ArgAction::Count => usize::from(matches.get_count(id)),
            _ => 1,
        };
        let words = std::iter::repeat_n(flag.unwrap_or_default(), times);
        return vec![one(places.next().unwrap_or_default(), words.collect())];
    }
    let values = matches.get_raw(id).into_iter().flatten();
    let value = |value: &OsStr| value.to_string_lossy().into_owned();
    values
        .zip(places)
        .map(|(raw, place)| one(place, flag.iter().cloned().chain([value(raw)]).collect()))
        .collect()
}

fn quoted<'g>(given: impl Iterator<Item = &'g Given>) -> String {
    let words = given.flat_map(|given| &given.words);
    words
        .map(|word| shell_quoted(word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// A word as a POSIX shell reads it back.
fn shell_quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=,:@+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The next command after `line`, whose arguments are separated by bars.
    fn after(line: &str) -> NextCommand {
        let mut command = super::super::Cli::command();
        command.build();
        let words = std::iter::once("idferry").chain(line.split('|'));
        let matches = command.clone().try_get_matches_from(words).unwrap();
        let (_, matches) = matches.subcommand().unwrap();
        NextCommand::of(command.find_subcommand("run").unwrap(), matches)
    }

    /// A value that the flag of `run` takes.
    fn sample(flag: &str) -> &'static str {
        match flag {
            "columns" => "unionid=会员,openid=o",
            "encoding" => "gb18030",
            "delimiter" => ";",
            "corpid" => "wpDealer",
            "state" | "ledger" | "config" | "output" | "rejects" | "changes" | "contract" => {
                "a b.file"
            }
            "sheet" => "Sheet 1",
            "base-url" => "http://127.0.0.1:1",
            "ticket" => "stored",
            "quota" => "business.hour=5",
            "margin" | "reserve" | "error-budget" => "0.1",
            "window" => "calendar",
            "concurrency" | "budget" | "pilot" => "7",
            "listen" => "127.0.0.1:9464",
            "on-quota" => "exit",
            "until" => "06:30",
            "max-duration" => "90m",
            "progress" => "lines",
            "log-format" => "json",
            "log-file" => "run.log",
            other => panic!("give --{other} a value in this test"),
        }
    }

    #[test]
    fn every_flag_of_run_comes_back_from_each_command_that_takes_it() {
        let mut command = super::super::Cli::command();
        command.build();
        let run = command.find_subcommand("run").unwrap();
        let takes = |name: &str, flag: &str| {
            let command = command.find_subcommand(name).unwrap();
            let mut flags = command.get_arguments();
            flags.any(|arg| arg.get_long() == Some(flag))
        };
        let flags = run.get_arguments().filter_map(|arg| {
            let long = arg.get_long().filter(|long| *long != "help")?;
            Some((long, arg.get_action().takes_values()))
        });
        let flags: Vec<_> = flags.collect();
        assert!(flags.len() > 20, "{flags:?}");
        for name in ["run", "plan", "rehearse"] {
            for (flag, valued) in flags.iter().filter(|(flag, _)| takes(name, flag)) {
                let value = if *valued { sample(flag) } else { "" };
                let bar = if *valued { "|" } else { "" };
                let next = after(&format!("{name}|in.csv|--{flag}{bar}{value}")).run();
                let value = if *valued {
                    shell_quoted(value)
                } else {
                    String::new()
                };
                let expected = format!("idferry run in.csv --{flag} {value}");
                assert_eq!(next, expected.trim_end(), "{name}");
            }
        }
    }

    #[test]
    fn flags_that_run_does_not_have_are_left_out() {
        let next = after(
            "rehearse|my fans.csv|--seed|7|--faults=harsh|--keep|--quota|business.hour=5|\
             --quota|business.day=9|--json|it's",
        );
        assert_eq!(
            next.run(),
            r"idferry run 'my fans.csv' --quota business.hour=5 --quota business.day=9 'it'\''s'"
        );
    }

    #[test]
    fn inputs_that_look_like_flags_come_last() {
        let next = after("run|--margin|0|--|--json");
        assert_eq!(next.run(), "idferry run --margin 0 -- --json");
        assert_eq!(after("run|-|--yes").run(), "idferry run - --yes");
    }

    #[test]
    fn other_commands_get_the_flags_that_name_the_job_file() {
        let retry = |line| after(line).on_same_job("retry --outcome parked");
        assert_eq!(
            retry("run|fans.csv|--sandbox"),
            "idferry retry --outcome parked --sandbox"
        );
        assert_eq!(
            retry("run|--state=a&b.db|x.csv"),
            "idferry retry --outcome parked --state 'a&b.db'"
        );
        assert_eq!(after("plan|--json").run(), "idferry run");
        assert_eq!(
            after("rehearse|--subjects|5").run_with("INPUT.csv"),
            "idferry run INPUT.csv"
        );
        assert_eq!(shell_quoted(""), "''");
    }
}
