//! What was typed, to be typed again.

/// Flags that only `plan` and `rehearse` have.
const BARE: [&str; 2] = ["--json", "--keep"];
/// The same, of those that a value follows.
const VALUED: [&str; 7] = [
    "--subjects",
    "--seed",
    "--start",
    "--faults",
    "--latency",
    "--kill-every",
    "--others",
];

fn words() -> impl Iterator<Item = String> {
    let words = std::env::args_os().skip(1);
    words.map(|word| word.to_string_lossy().into_owned())
}

/// The command as it was typed.
pub(super) fn command_line() -> String {
    let words = words().map(|word| quoted(&word));
    let words = std::iter::once("idferry".to_owned()).chain(words);
    words.collect::<Vec<_>>().join(" ")
}

/// What was typed to `command`, as it is to be typed after `idferry run`: the same inputs and flags,
/// but for those that `run` does not have.
pub(super) fn for_run(command: &str) -> String {
    kept(command, words())
}

/// What was typed to name the state file, each flag after a space.
pub(super) fn state_flags() -> String {
    of_state(words())
}

fn of_state(mut words: impl Iterator<Item = String>) -> String {
    let mut flags = String::new();
    while let Some(word) = words.next() {
        let named = word.strip_prefix("--state=").map(str::to_owned);
        let file = named.or_else(|| (word == "--state").then(|| words.next()).flatten());
        if let Some(file) = file {
            flags += &format!(" --state {}", quoted(&file));
        } else if word == "--sandbox" {
            flags += " --sandbox";
        }
    }
    flags
}

fn kept(command: &str, mut words: impl Iterator<Item = String>) -> String {
    let mut kept = Vec::new();
    let (mut named, mut flags) = (false, true);
    while let Some(word) = words.next() {
        let flag = word.split('=').next().unwrap_or_default();
        if !named && word == command {
            named = true;
        } else if flags && VALUED.contains(&flag) {
            if flag == word {
                words.next();
            }
        } else if !flags || !BARE.contains(&flag) {
            flags &= word != "--";
            kept.push(quoted(&word));
        }
    }
    kept.join(" ")
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_typed_as_its_rehearsal_was() {
        let words = [
            "-v",
            "rehearse",
            "my fans.csv",
            "--seed",
            "7",
            "--faults=harsh",
            "--keep",
            "--quota",
            "business.hour=5",
            "--columns",
            "unionid=会员",
            "it's",
            "--",
            "--json",
        ];
        let typed = kept("rehearse", words.into_iter().map(str::to_owned));
        assert_eq!(
            typed,
            r"-v 'my fans.csv' --quota business.hour=5 --columns unionid=会员 'it'\''s' -- --json"
        );
        assert_eq!(kept("plan", ["plan".to_owned()].into_iter()), "");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn every_flag_that_run_does_not_have_is_left_out() {
        use clap::CommandFactory;
        let command = super::super::Cli::command();
        let flags = |name| {
            let command = command.find_subcommand(name).unwrap();
            let flags = command.get_arguments();
            flags.filter_map(|flag| Some((flag.get_long()?, flag.get_action().takes_values())))
        };
        let of_run: Vec<_> = flags("run").collect();
        for (flag, valued) in flags("rehearse").chain(flags("plan")) {
            let listed = format!("--{flag}");
            let list = if valued { &VALUED[..] } else { &BARE[..] };
            let ours = of_run.iter().any(|(of_run, _)| *of_run == flag);
            assert_eq!(list.contains(&&*listed), !ours, "{listed}");
        }
    }

    #[test]
    fn other_commands_need_the_state_file_too() {
        let of = |line: &str| of_state(line.split(' ').map(str::to_owned));
        assert_eq!(of("run fans.csv --sandbox"), " --sandbox");
        assert_eq!(of("run --state=a.db x.csv"), " --state a.db");
        assert_eq!(of("run --state a&b.db x.csv"), " --state 'a&b.db'");
        assert_eq!(of("run x.csv --stateless"), "");
    }
}
