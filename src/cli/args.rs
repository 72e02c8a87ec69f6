//! Flags that several commands share, and what they come to once environment, file and defaults
//! are asked too.

use std::{path::PathBuf, str::FromStr};

use clap::{ArgAction, Args, ValueEnum};

use super::{Failure, environment};
use crate::{
    clock::Timestamp,
    config::{File, Run},
    gate::{Concurrency, Quota},
    intake::{Columns, Encoding, Input, ReadOptions, parse_delimiter},
    model::Limits,
    runner::OnQuota,
};

/// In the help of every command, after its own flags.
const LAST: usize = 900;

/// How much is said.
#[derive(Args)]
pub(super) struct Talk {
    /// Say less: no progress, no summary of a run that ends well.
    #[arg(short, long, global = true, display_order = LAST)]
    pub(super) quiet: bool,
    /// Log what happens; twice for more.
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = LAST + 1)]
    pub(super) verbose: u8,
    /// How log lines look.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = LogFormat::Text,
        display_order = LAST + 2
    )]
    pub(super) log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The sandbox's state file.
pub(super) const SANDBOX: &str = "sandbox.db";

/// Which state file.
#[derive(Args)]
pub(super) struct StateFile {
    /// The state file [env: IDFERRY_STATE] [default: idferry.db, with --sandbox sandbox.db].
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// The configuration file [default: idferry.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

impl StateFile {
    pub(super) fn file(&self) -> Result<File, Failure> {
        Ok(File::read(self.config.as_deref())?)
    }

    pub(super) fn path(&self, file: &Run, sandbox: bool) -> PathBuf {
        let default = if sandbox { SANDBOX } else { "idferry.db" };
        // Invented subjects come into a real file only if it is named in the same breath.
        let exported = || {
            let path = environment("IDFERRY_STATE").filter(|_| !sandbox)?;
            Some(PathBuf::from(path))
        };
        let configured = || file.state.clone().filter(|_| !sandbox);
        self.state
            .clone()
            .or_else(exported)
            .or_else(configured)
            .unwrap_or_else(|| default.into())
    }
}

/// What to read, and how.
#[derive(Args)]
pub(super) struct Inputs {
    /// CSV files (.gz and .zst too); - is standard input. Without one, a run goes on with what is
    /// queued.
    #[arg(value_name = "INPUT")]
    pub(super) inputs: Vec<std::ffi::OsString>,
    /// Header names of the columns, such as unionid=会员unionid,openid=小程序openid.
    #[arg(long, value_name = "NAME=HEADER,…")]
    columns: Option<Columns>,
    /// utf-8, gb18030, utf-16le or utf-16be [default: detected].
    #[arg(long)]
    encoding: Option<Encoding>,
    /// , ; tab or | [default: detected].
    #[arg(long, value_parser = parse_delimiter)]
    delimiter: Option<u8>,
    /// Look in this downstream corp only.
    #[arg(long, value_name = "ID")]
    corpid: Option<String>,
}

impl Inputs {
    pub(super) fn list(&self) -> Vec<Input> {
        self.inputs.iter().map(|name| Input::parse(name)).collect()
    }

    pub(super) fn options(&self, file: &Run) -> Result<ReadOptions, Failure> {
        let delimiter = file.delimiter.as_deref().map(parse_delimiter);
        let delimiter = delimiter
            .transpose()
            .map_err(|why| in_file("delimiter", &why))?;
        Ok(ReadOptions {
            columns: or_file(self.columns.clone(), file.columns.as_ref(), "columns")?
                .unwrap_or_default(),
            encoding: or_file(self.encoding, file.encoding.as_ref(), "encoding")?,
            delimiter: self.delimiter.or(delimiter),
            corpid: self.corpid.clone().or_else(|| file.corpid.clone()),
        })
    }
}

/// How much may be asked, and how fast.
#[derive(Args)]
pub(super) struct QuotaFlags {
    /// A window's limit, such as business.hour=50000 (repeatable); none lifts all of them, to a
    /// loopback address only [default: the published limits].
    #[arg(long, value_name = "NAME=N")]
    quota: Vec<String>,
    /// The share of every window left unused against clock differences [default: 0.02].
    #[arg(long, value_name = "F", value_parser = share)]
    margin: Option<f64>,
    /// A further share left to other systems of the same corp [default: 0].
    #[arg(long, value_name = "F", value_parser = share)]
    reserve: Option<f64>,
    /// How windows are counted: sliding or calendar [default: sliding].
    #[arg(long, value_name = "HOW")]
    window: Option<crate::model::WindowKind>,
    /// The most calls in flight [default: adaptive, from 4 up to 64].
    #[arg(long, value_name = "N")]
    concurrency: Option<Concurrency>,
}

impl QuotaFlags {
    pub(super) fn quota(&self, file: &Run) -> Result<Quota, Failure> {
        let mut quota = Quota {
            limits: self.limits(file)?,
            ..Quota::default()
        };
        let margin = share_or_file(self.margin, file.margin, "margin")?;
        let reserve = share_or_file(self.reserve, file.reserve, "reserve")?;
        quota.margin = margin.unwrap_or(quota.margin);
        quota.reserve = reserve.unwrap_or(quota.reserve);
        quota.counting = or_file(self.window, file.window.as_ref(), "window")?.unwrap_or_default();
        if !(0.0..1.0).contains(&(quota.margin + quota.reserve)) {
            let why = "--margin and --reserve together must leave something: below 1";
            return Err(Failure::usage(why));
        }
        Ok(quota)
    }

    fn limits(&self, file: &Run) -> Result<Limits, Failure> {
        let mut limits = Limits::published();
        for (name, limit) in &file.quota {
            let span = name.parse().map_err(|why: String| in_file("quota", &why))?;
            if *limit == 0 {
                let why = format!("{name} = 0 allows no call at all; leave it out or allow some");
                return Err(in_file("quota", &why));
            }
            limits.set(span, Some(*limit));
        }
        for flag in &self.quota {
            if flag == "none" {
                limits = Limits::none();
                continue;
            }
            let (span, limit) = window_limit(flag).map_err(Failure::usage)?;
            limits.set(span, Some(limit));
        }
        Ok(limits)
    }

    pub(super) fn concurrency(&self, file: &Run) -> Concurrency {
        let configured = || {
            file.concurrency
                .map(|calls| Concurrency::Fixed(calls.clamp(1, 1024)))
        };
        self.concurrency.or_else(configured).unwrap_or_default()
    }
}

fn window_limit(flag: &str) -> Result<(crate::model::QuotaWindow, u64), String> {
    let wrong = || {
        format!("--quota {flag}: write none, or a window and a number such as business.hour=50000")
    };
    let (name, limit) = flag.split_once('=').ok_or_else(wrong)?;
    let span = name
        .parse()
        .map_err(|why| format!("--quota {flag}: {why}"))?;
    match limit.parse() {
        Ok(limit @ 1..) => Ok((span, limit)),
        _ => Err(wrong()),
    }
}

/// When to stop.
#[derive(Args)]
pub(super) struct StopFlags {
    /// At an exhausted hour, day or month: wait, or export what there is and exit 75
    /// [default: wait].
    #[arg(long, value_enum)]
    on_quota: Option<OnQuotaFlag>,
    /// Stop after this many calls; 0 imports only.
    #[arg(long, value_name = "N")]
    pub(super) budget: Option<u64>,
    /// Stop at this time of day (+08:00).
    #[arg(long, value_name = "HH:MM", value_parser = time_of_day)]
    until: Option<jiff::civil::Time>,
    /// Stop after this long, such as 6h or 90m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_duration: Option<std::time::Duration>,
    /// The share of errors among the last 200 answers above which the run is halted
    /// [default: 0.5].
    #[arg(long, value_name = "F", value_parser = share)]
    error_budget: Option<f64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum OnQuotaFlag {
    Wait,
    Exit,
}

impl StopFlags {
    pub(super) fn on_quota(&self, file: &Run) -> Result<OnQuota, Failure> {
        match (self.on_quota, file.on_quota.as_deref()) {
            (Some(OnQuotaFlag::Wait), _) | (None, None | Some("wait")) => Ok(OnQuota::Wait),
            (Some(OnQuotaFlag::Exit), _) | (None, Some("exit")) => Ok(OnQuota::Exit),
            (None, Some(other)) => Err(in_file(
                "on_quota",
                &format!("'{other}' is neither wait nor exit"),
            )),
        }
    }

    pub(super) fn error_budget(&self, file: &Run) -> Result<f64, Failure> {
        let share = share_or_file(self.error_budget, file.error_budget, "error_budget")?;
        Ok(share.unwrap_or(0.5))
    }

    /// The earlier of `--until` and `--max-duration`.
    pub(super) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.until.map(|time| {
            let today = Timestamp::from_civil(now.civil().date().to_datetime(time));
            if today > now {
                return today;
            }
            now.next_natural_day().plus(std::time::Duration::from_secs(
                today
                    .since(Timestamp::from_civil(now.civil().date().at(0, 0, 0, 0)))
                    .as_secs(),
            ))
        });
        let after = self.max_duration.map(|span| now.plus(span));
        until.into_iter().chain(after).min()
    }
}

fn share(word: &str) -> Result<f64, String> {
    word.parse().map_err(|_| SHARE.to_owned()).and_then(a_share)
}

const SHARE: &str = "a share from 0 to 1, such as 0.02";

/// NaN, which toml can write, is none: no comparison with it ever trips.
fn a_share(number: f64) -> Result<f64, String> {
    match number {
        0.0..=1.0 => Ok(number),
        _ => Err(SHARE.to_owned()),
    }
}

fn share_or_file(flag: Option<f64>, file: Option<f64>, name: &str) -> Result<Option<f64>, Failure> {
    let checked = |number| a_share(number).map_err(|why| in_file(name, &why));
    let file = file.map(checked).transpose()?;
    Ok(flag.or(file))
}

fn time_of_day(word: &str) -> Result<jiff::civil::Time, String> {
    word.parse()
        .map_err(|_| "a time of day such as 06:30".to_owned())
}

pub(super) fn duration(word: &str) -> Result<std::time::Duration, String> {
    let span = jiff::SignedDuration::from_str(word);
    span.ok()
        .and_then(|span| std::time::Duration::try_from(span).ok())
        .ok_or_else(|| "a duration such as 6h, 90m or 45s".to_owned())
}

/// The flag's value, else what the file says, parsed.
pub(super) fn or_file<T: FromStr<Err = String>>(
    flag: Option<T>,
    file: Option<&String>,
    name: &str,
) -> Result<Option<T>, Failure> {
    match (flag, file) {
        (Some(value), _) => Ok(Some(value)),
        (None, Some(text)) => text
            .parse()
            .map(Some)
            .map_err(|why: String| in_file(name, &why)),
        (None, None) => Ok(None),
    }
}

pub(super) fn in_file(name: &str, why: &str) -> Failure {
    Failure::usage(format!("{name} in the configuration file: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_is_the_next_time_of_that_day() {
        let flags = |text: &str| StopFlags {
            on_quota: None,
            budget: None,
            until: Some(time_of_day(text).unwrap()),
            max_duration: None,
            error_budget: None,
        };
        let now = Timestamp::parse("2026-11-22T22:00+08:00").unwrap();
        let deadline = |text| flags(text).deadline(now).unwrap().rfc3339();
        assert_eq!(deadline("23:30"), "2026-11-22T23:30:00+08:00");
        assert_eq!(deadline("06:30"), "2026-11-23T06:30:00+08:00");
        assert_eq!(deadline("22:00"), "2026-11-23T22:00:00+08:00");
    }

    #[test]
    fn durations_are_as_people_write_them() {
        assert_eq!(duration("6h").unwrap().as_secs(), 21_600);
        assert_eq!(duration("1h30m").unwrap().as_secs(), 5_400);
        assert!(duration("-6h").is_err());
        assert!(duration("soon").is_err());
    }
}
