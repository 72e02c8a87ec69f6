//! How values are read: of flags, of the environment, of the configuration file.

use std::str::FromStr;

use crate::{
    config::RunSection,
    intake::{Columns, Encoding, ReadOptions, parse_delimiter},
    job::Error,
    model::{QuotaWindow, State},
};

/// The environment variable, if it is set, not empty and UTF-8.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(super) fn share(word: &str) -> Result<f64, String> {
    word.parse().map_err(|_| SHARE.to_owned()).and_then(a_share)
}

const SHARE: &str = "a share from 0 to 1, such as 0.02";

/// NaN, which TOML can express, is no share: every comparison with it is false.
fn a_share(number: f64) -> Result<f64, String> {
    match number {
        0.0..=1.0 => Ok(number),
        _ => Err(SHARE.to_owned()),
    }
}

pub(super) fn share_or_file(
    flag: Option<f64>,
    file: Option<f64>,
    name: &str,
) -> Result<Option<f64>, Error> {
    let checked = |number| a_share(number).map_err(|why| in_file(name, &why));
    let file = file.map(checked).transpose()?;
    Ok(flag.or(file))
}

pub(super) fn time_of_day(word: &str) -> Result<jiff::civil::Time, String> {
    word.parse()
        .map_err(|_| "a time of day such as 06:30".to_owned())
}

pub(super) fn duration(word: &str) -> Result<std::time::Duration, String> {
    let span = jiff::Span::from_str(word);
    let hours = |span: jiff::Span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours());
    span.and_then(hours)
        .ok()
        .and_then(|span| std::time::Duration::try_from(span).ok())
        .ok_or_else(|| "a duration such as 30d, 6h, 90m or 45s".to_owned())
}

/// The flag's value, else the file's, parsed.
pub(super) fn or_file<T: FromStr<Err = String>>(
    flag: Option<T>,
    file: Option<&String>,
    name: &str,
) -> Result<Option<T>, Error> {
    match (flag, file) {
        (Some(value), _) => Ok(Some(value)),
        (None, Some(text)) => text
            .parse()
            .map(Some)
            .map_err(|why: String| in_file(name, &why)),
        (None, None) => Ok(None),
    }
}

pub(super) fn in_file(name: &str, why: &str) -> Error {
    Error::usage(format!("{name} in the configuration file: {why}"))
}

/// A window and its limit, such as `business.hour=50000`; at least 1.
pub(super) fn window_limit(flag: &str) -> Result<(QuotaWindow, u64), String> {
    let form = "write none, or a window and a number such as business.hour=50000";
    window_calls(flag, form).map_err(|why| format!("--quota {flag}: {why}"))
}

/// Reads a window and a number of calls; the error says `form`, or which windows there are.
pub(super) fn window_calls(word: &str, form: &str) -> Result<(QuotaWindow, u64), String> {
    let (name, calls) = word.split_once('=').ok_or(form)?;
    let window = name.parse()?;
    match calls.parse() {
        Ok(calls @ 1..) => Ok((window, calls)),
        _ => Err(form.to_owned()),
    }
}

/// How an input is read, as far as flags say.
pub(super) struct ReadFlags {
    pub(super) columns: Option<Columns>,
    pub(super) encoding: Option<Encoding>,
    pub(super) delimiter: Option<u8>,
    pub(super) corpid: Option<String>,
    pub(super) sheet: Option<String>,
}

impl ReadFlags {
    pub(super) fn options(self, file: &RunSection) -> Result<ReadOptions, Error> {
        let delimiter = file.delimiter.as_deref().map(parse_delimiter);
        let delimiter = delimiter
            .transpose()
            .map_err(|why| in_file("delimiter", &why))?;
        Ok(ReadOptions {
            columns: or_file(self.columns, file.columns.as_ref(), "columns")?.unwrap_or_default(),
            encoding: or_file(self.encoding, file.encoding.as_ref(), "encoding")?,
            delimiter: self.delimiter.or(delimiter),
            corpid: self.corpid.or_else(|| file.corpid.clone()),
            sheet: self.sheet,
        })
    }
}

/// `--outcome`
pub(super) fn outcome(word: &str) -> Result<State, String> {
    word.parse().map_err(|_| {
        let names = State::ALL.map(State::as_str).join(", ");
        format!("the outcomes are {names}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("6h").unwrap().as_secs(), 21_600);
        assert_eq!(duration("1h30m").unwrap().as_secs(), 5_400);
        assert_eq!(duration("7d").unwrap().as_secs(), 7 * 86_400);
        assert!(duration("-6h").is_err());
        assert!(duration("soon").is_err());
    }
}
