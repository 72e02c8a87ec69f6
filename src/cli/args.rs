//! Flags that several commands share, and how they are resolved: flag, environment, file, default.

use std::{path::PathBuf, str::FromStr};

use clap::{ArgAction, Args, ValueEnum};

use super::values::{
    ReadFlags, duration, in_file, or_file, share, share_or_file, time_of_day, window_limit,
};
use crate::{
    clock::Timestamp,
    config::RunSection,
    format::count,
    gate::Concurrency,
    intake::{Columns, Encoding, Input, ReadOptions, parse_delimiter},
    job::{Connection, Error, TicketPolicy},
    model::{Limits, WindowKind},
    quota::Quota,
    report::log::LogFormat,
    runner::{OnQuota, RunOptions},
};

/// In the help, after the other flags.
const LAST: usize = 900;

/// How much is printed.
#[derive(Args)]
pub(super) struct OutputFlags {
    /// Print less: no progress, and no summary of a run that succeeds.
    #[arg(short, long, display_order = LAST)]
    pub(super) quiet: bool,
    /// Log what happens; repeat for more.
    #[arg(short, long, action = ArgAction::Count, display_order = LAST + 1)]
    pub(super) verbose: u8,
    /// Format of log lines.
    #[arg(
        long,
        value_enum,
        default_value_t = LogFormatFlag::Text,
        display_order = LAST + 2
    )]
    log_format: LogFormatFlag,
    /// Append log lines to this file; SIGUSR2 opens it again, for logrotate.
    #[arg(long, value_name = "FILE", display_order = LAST + 3)]
    pub(super) log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormatFlag {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl OutputFlags {
    pub(super) const fn log_format(&self) -> LogFormat {
        match self.log_format {
            LogFormatFlag::Text => LogFormat::Text,
            LogFormatFlag::Json => LogFormat::Json,
        }
    }
}

/// Where a run writes.
#[derive(Args)]
pub(super) struct FileFlags {
    /// Where the results go; - is standard output, .gz and .zst are compressed [default: INPUT's
    /// stem + .links.csv, with --sandbox .sandbox.links.csv].
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Where invalid lines go [default: INPUT's stem + .rejects.csv, with --sandbox
    /// .sandbox.rejects.csv].
    #[arg(long, value_name = "FILE")]
    pub(super) rejects: Option<PathBuf>,
    /// Write the links that this run gained and lost to FILE, with a column change.
    #[arg(long, value_name = "FILE")]
    pub(super) changes: Option<PathBuf>,
    /// Replace existing files that this job did not write; never an input or the job file.
    #[arg(long)]
    pub(super) overwrite: bool,
}

/// What to read, and how.
#[derive(Args, Default)]
pub(super) struct Inputs {
    /// CSV files (.gz and .zst too) and Excel workbooks (.xlsx); - is standard input. Without any, a run resumes the queue.
    #[arg(value_name = "INPUT")]
    inputs: Vec<std::ffi::OsString>,
    /// Header names of the columns, such as unionid=会员unionid,openid=小程序openid.
    #[arg(long, value_name = "NAME=HEADER,…")]
    columns: Option<Columns>,
    /// utf-8, gb18030, utf-16le or utf-16be [default: detected].
    #[arg(long)]
    encoding: Option<Encoding>,
    /// , ; tab or | [default: detected].
    #[arg(long, value_parser = parse_delimiter)]
    delimiter: Option<u8>,
    /// The sheet of a workbook [default: the first].
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Look in this downstream corp only.
    #[arg(long, value_name = "ID")]
    corpid: Option<String>,
}

impl Inputs {
    /// The inputs that were named, files that idferry wrote among them.
    pub(super) fn list(&self) -> Vec<Input> {
        self.inputs.iter().map(|name| Input::parse(name)).collect()
    }

    pub(super) fn options(&self, file: &RunSection) -> Result<ReadOptions, Error> {
        let flags = ReadFlags {
            columns: self.columns.clone(),
            encoding: self.encoding,
            delimiter: self.delimiter,
            corpid: self.corpid.clone(),
            sheet: self.sheet.clone(),
        };
        flags.options(file)
    }
}

/// How many calls are made, and how fast.
#[derive(Args, Default)]
pub(super) struct QuotaFlags {
    /// The limit of a window, such as business.hour=50000 (repeatable); none removes all limits, for
    /// loopback addresses only [default: the published limits].
    #[arg(long, value_name = "NAME=N")]
    quota: Vec<String>,
    /// The share of every window left unused to allow for clock differences [default: 0.02].
    #[arg(long, value_name = "F", value_parser = share)]
    margin: Option<f64>,
    /// A further share left to other systems of the same corp [default: 0].
    #[arg(long, value_name = "F", value_parser = share)]
    reserve: Option<f64>,
    /// How windows are counted: sliding or calendar [default: sliding].
    #[arg(long, value_name = "HOW")]
    window: Option<WindowKind>,
    /// The most calls in flight [default: adaptive, from 4 up to 64].
    #[arg(long, value_name = "N")]
    concurrency: Option<Concurrency>,
}

impl QuotaFlags {
    pub(super) fn quota(&self, file: &RunSection) -> Result<Quota, Error> {
        let mut quota = Quota {
            limits: self.limits(file)?,
            ..Quota::default()
        };
        let margin = share_or_file(self.margin, file.margin, "margin")?;
        let reserve = share_or_file(self.reserve, file.reserve, "reserve")?;
        quota.margin = margin.unwrap_or(quota.margin);
        quota.reserve = reserve.unwrap_or(quota.reserve);
        quota.window_kind =
            or_file(self.window, file.window.as_ref(), "window")?.unwrap_or_default();
        if !(0.0..1.0).contains(&(quota.margin + quota.reserve)) {
            let why = "--margin and --reserve together must leave something: below 1";
            return Err(Error::usage(why));
        }
        Ok(quota)
    }

    /// The quota of calls that go over `connection`.
    ///
    /// # Errors
    ///
    /// If it allows more than is published, and these calls leave the machine.
    pub(super) fn quota_at(
        &self,
        connection: &Connection,
        file: &RunSection,
    ) -> Result<Quota, Error> {
        let mut quota = self.quota(file)?;
        if connection.is_loopback() {
            quota.remote = quota.limits;
        } else {
            check_published(&quota)?;
        }
        Ok(quota)
    }

    fn limits(&self, file: &RunSection) -> Result<Limits, Error> {
        let mut limits = Limits::published();
        for (name, limit) in &file.quota {
            let window = name.parse().map_err(|why: String| in_file("quota", &why))?;
            if *limit == 0 {
                let why = format!("{name} = 0 allows no call at all; leave it out or allow some");
                return Err(in_file("quota", &why));
            }
            limits.set(window, Some(*limit));
        }
        for flag in &self.quota {
            if flag == "none" {
                limits = Limits::none();
                continue;
            }
            let (window, limit) = window_limit(flag).map_err(Error::usage)?;
            limits.set(window, Some(limit));
        }
        Ok(limits)
    }

    pub(super) fn concurrency(&self, file: &RunSection) -> Concurrency {
        let configured = || {
            file.concurrency
                .map(|calls| Concurrency::Fixed(calls.clamp(1, 1024)))
        };
        self.concurrency.or_else(configured).unwrap_or_default()
    }
}

/// # Errors
///
/// If a window is allowed more calls than published.
fn check_published(quota: &Quota) -> Result<(), Error> {
    let Some(window) = quota.above_published() else {
        return Ok(());
    };
    let given = quota.limits.of(window);
    let given = given.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    Err(Error::usage(format!(
        "--quota {window}={given}: the API allows {} and locks callers out for up to thirty days \
         (D90454); more is for loopback addresses and --sandbox",
        count(window.published())
    )))
}

/// When to stop.
#[derive(Args, Default)]
pub(super) struct StopFlags {
    /// When an hour, day or month is used up: wait, or export what there is and exit 75
    /// [default: wait].
    #[arg(long, value_enum)]
    on_quota: Option<OnQuotaFlag>,
    /// Stop after this many calls; 0 only imports.
    #[arg(long, value_name = "N")]
    budget: Option<u64>,
    /// Stop at this time of day (+08:00).
    #[arg(long, value_name = "HH:MM", value_parser = time_of_day)]
    until: Option<jiff::civil::Time>,
    /// Stop after this long, such as 6h or 90m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_duration: Option<std::time::Duration>,
    /// Halt if more than this share of the last 200 answers are errors [default: 0.5].
    #[arg(long, value_name = "F", value_parser = share)]
    error_budget: Option<f64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum OnQuotaFlag {
    Wait,
    Exit,
}

impl StopFlags {
    /// The options of a run that begins at `now`.
    pub(super) fn options(&self, file: &RunSection, now: Timestamp) -> Result<RunOptions, Error> {
        let share = share_or_file(self.error_budget, file.error_budget, "error_budget")?;
        let defaults = RunOptions::default();
        Ok(RunOptions {
            budget: self.budget,
            deadline: self.deadline(now),
            on_quota: self.on_quota(file)?,
            error_budget: share.unwrap_or(defaults.error_budget),
            ..defaults
        })
    }

    fn on_quota(&self, file: &RunSection) -> Result<OnQuota, Error> {
        match (self.on_quota, file.on_quota.as_deref()) {
            (Some(OnQuotaFlag::Wait), _) | (None, None | Some("wait")) => Ok(OnQuota::Wait),
            (Some(OnQuotaFlag::Exit), _) | (None, Some("exit")) => Ok(OnQuota::Exit),
            (None, Some(other)) => Err(in_file(
                "on_quota",
                &format!("'{other}' is neither wait nor exit"),
            )),
        }
    }

    /// The earlier of `--until` and `--max-duration`.
    fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.until.map(|time| next_time_of_day(time, now));
        let after = self.max_duration.map(|span| now.plus(span));
        until.into_iter().chain(after).min()
    }
}

/// The next moment after `now` at which clocks at +08:00 show `time`.
fn next_time_of_day(time: jiff::civil::Time, now: Timestamp) -> Timestamp {
    let date = now.civil().date();
    let today = Timestamp::from_civil(date.to_datetime(time));
    if today > now {
        return today;
    }
    let midnight = Timestamp::from_civil(date.at(0, 0, 0, 0));
    let since_midnight = std::time::Duration::from_secs(today.since(midnight).as_secs());
    now.next_natural_day().plus(since_midnight)
}

/// `--ticket`
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum TicketFlag {
    /// Use a stored one; apply only if today's quota cannot finish the job and you agree.
    Auto,
    /// The same, and you agree.
    Apply,
    /// Use a stored one; never apply.
    Stored,
    /// The same, and switch to one that `idferry ticket apply` or `import` stores meanwhile.
    Postpone,
    /// Never send one.
    None,
}

impl FromStr for TicketFlag {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        <Self as ValueEnum>::from_str(word, false)
    }
}

/// The policy of the flag, else of the file, else the default.
pub(super) fn ticket_policy(
    flag: Option<TicketFlag>,
    file: &RunSection,
) -> Result<TicketPolicy, Error> {
    Ok(match or_file(flag, file.ticket.as_ref(), "ticket")? {
        Some(TicketFlag::Auto) => TicketPolicy::Auto,
        Some(TicketFlag::Apply) => TicketPolicy::Apply,
        Some(TicketFlag::Stored) => TicketPolicy::Stored,
        Some(TicketFlag::Postpone) => TicketPolicy::Postpone,
        Some(TicketFlag::None) => TicketPolicy::None,
        None => TicketPolicy::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_is_the_next_such_time_of_day() {
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
}
