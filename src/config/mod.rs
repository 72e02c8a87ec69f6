//! The configuration file `idferry.toml`, and credentials.
//!
//! A setting is taken from the flag, else the environment, else this file, else the default that
//! the module it belongs to declares.

pub(crate) mod settings;
mod words;

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    job::{Credentials, Error},
    secret::Secret,
};

/// More bytes than a configuration, or a secret, has.
const CONFIG_MAX: u64 = 1 << 20;
const SECRET_MAX: u64 = 64 << 10;

/// The file that is read if it exists.
pub(crate) const DEFAULT_FILE: &str = "idferry.toml";

/// `idferry.toml`. The names are those of the flags, with `_` for `-`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    /// Credentials and address.
    pub(crate) wecom: WecomSection,
    /// What `run` would take as flags.
    pub(crate) run: RunSection,
    /// `--contract`: a table of measure to the rest of its rule.
    pub(crate) contract: BTreeMap<String, String>,
}

/// `[wecom]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WecomSection {
    /// The upstream corp.
    pub(crate) corp_id: Option<String>,
    /// Its app's secret. Better kept out of this file.
    pub(crate) corp_secret: Option<String>,
    /// A file that holds it.
    pub(crate) corp_secret_file: Option<PathBuf>,
    /// The API's address.
    pub(crate) base_url: Option<String>,
}

/// `[run]`
// fields: one for each flag.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RunSection {
    /// `--state`
    pub(crate) state: Option<PathBuf>,
    pub(crate) ledger: Option<PathBuf>,
    /// `--ticket`
    pub(crate) ticket: Option<String>,
    /// `--concurrency`
    pub(crate) concurrency: Option<u16>,
    /// `--quota`, a table of window to limit.
    pub(crate) quota: BTreeMap<String, u64>,
    /// `--margin`
    pub(crate) margin: Option<f64>,
    /// `--reserve`
    pub(crate) reserve: Option<f64>,
    /// `--window`
    pub(crate) window: Option<String>,
    /// `--on-quota`
    pub(crate) on_quota: Option<String>,
    /// `--error-budget`
    pub(crate) error_budget: Option<f64>,
    /// `--progress`
    pub(crate) progress: Option<String>,
    /// `--listen`
    pub(crate) listen: Option<String>,
    /// `--columns`
    pub(crate) columns: Option<String>,
    /// `--encoding`
    pub(crate) encoding: Option<String>,
    /// `--delimiter`
    pub(crate) delimiter: Option<String>,
    /// `--corpid`
    pub(crate) corpid: Option<String>,
    /// `--unlinked-after`
    pub(crate) pending_ids: Option<bool>,
    pub(crate) unlinked_after: Option<String>,
    /// `--linked-after`
    pub(crate) linked_after: Option<String>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file that was named cannot be read.
    #[error("the configuration {} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        why: std::io::Error,
    },
    /// It is not valid.
    #[error("the configuration {} is not valid: {why}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and why; shows no values.
        why: String,
    },
    /// Credentials are missing.
    #[error(
        "no {0} is set. Put the corp's id in WECOM_CORP_ID and its app's secret in \
         WECOM_CORP_SECRET (or the path of a file that holds it in WECOM_CORP_SECRET_FILE), or \
         both under [wecom] in idferry.toml; to try without any, add --sandbox"
    )]
    NoCredentials(&'static str),
    /// Two places name different credentials.
    #[error(
        "there are two different {0}s: WECOM_CORP_ID, WECOM_CORP_SECRET, WECOM_CORP_SECRET_FILE and \
         [wecom] in idferry.toml must agree; leave one of them out"
    )]
    TwoCredentials(&'static str),
    /// The file that holds the secret cannot be read.
    #[error("the secret's file {} cannot be read: {why}", path.display())]
    NoSecretFile {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        why: std::io::Error,
    },
    /// Nothing is in it.
    #[error("the secret's file {} is empty; put the app's secret in it", path.display())]
    EmptySecretFile {
        /// The file.
        path: PathBuf,
    },
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl ConfigFile {
    /// Reads `path`, or [`DEFAULT_FILE`] if it exists. Returns an error if a named file cannot be
    /// read, or a file is not valid.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let named = path.is_some();
        let path = path.unwrap_or_else(|| Path::new(DEFAULT_FILE));
        let text = match read_bounded(path, CONFIG_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && !named => {
                return Ok(Self::default());
            }
            Err(why) => {
                let path = path.to_owned();
                return Err(ConfigError::Unreadable { path, why });
            }
        };
        let invalid = |why| ConfigError::Invalid {
            path: path.to_owned(),
            why,
        };
        let file: Self = toml::from_str(&text).map_err(|error| {
            // The message alone: the excerpt that toml would print may show a secret.
            let (line, place) = place(&text, error.span());
            invalid(format!(
                "{} ({place})",
                words::in_words(error.message(), line)
            ))
        })?;
        match &file.run.state {
            Some(state) if state.as_os_str().is_empty() => Err(invalid("state is empty".into())),
            _ => Ok(file),
        }
    }
}

/// Reads a file of at most `most` bytes. A named pipe would wait for its writer, a device may never
/// end.
fn read_bounded(path: &Path, most: u64) -> io::Result<String> {
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(io::Error::other("it is a pipe or a device, not a file"));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        let kib = most >> 10;
        return Err(io::Error::other(format!("it has more than {kib} KiB")));
    }
    Ok(text)
}

/// The line of an error, and its number in words.
fn place(text: &str, span: Option<std::ops::Range<usize>>) -> (&str, String) {
    let before = span.and_then(|span| text.get(..span.start));
    let Some(before) = before else {
        return ("", "somewhere".to_owned());
    };
    let number = before.matches('\n').count();
    let line = text.lines().nth(number).unwrap_or_default();
    (line, format!("line {}", number + 1))
}

/// Returns the credentials in `environment`, else those in the file.
pub(crate) fn credentials(
    environment: impl Fn(&str) -> Option<String>,
    file: &WecomSection,
) -> Result<Credentials, ConfigError> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let corp_ids = [set("WECOM_CORP_ID"), file.corp_id.clone()];
    let corp_id = the_only("corp id", corp_ids.into_iter().flatten())?;
    let exported = set("WECOM_CORP_SECRET_FILE").map(PathBuf::from);
    let files = exported.iter().chain(&file.corp_secret_file);
    let mut secrets = files
        .map(|path| read_secret(path))
        .collect::<Result<Vec<_>, _>>()?;
    secrets.extend(set("WECOM_CORP_SECRET"));
    secrets.extend(file.corp_secret.clone());
    let corp_secret = the_only("corp secret", secrets.into_iter())?;
    Ok(Credentials {
        corp_id,
        corp_secret: Secret::new(corp_secret),
    })
}

/// Returns the one value that all of `values` have, without the white space around it, which a
/// shell or a template leaves behind.
fn the_only(
    what: &'static str,
    values: impl Iterator<Item = String>,
) -> Result<String, ConfigError> {
    let trimmed = values.map(|value| value.trim().to_owned());
    let mut values = trimmed.filter(|value| !value.is_empty());
    let first = values.next().ok_or(ConfigError::NoCredentials(what))?;
    if values.any(|value| value != first) {
        return Err(ConfigError::TwoCredentials(what));
    }
    Ok(first)
}

fn read_secret(path: &Path) -> Result<String, ConfigError> {
    let text = read_bounded(path, SECRET_MAX).map_err(|why| ConfigError::NoSecretFile {
        path: path.to_owned(),
        why,
    })?;
    match text.trim() {
        "" => Err(ConfigError::EmptySecretFile {
            path: path.to_owned(),
        }),
        secret => Ok(secret.to_owned()),
    }
}

#[cfg(test)]
mod tests;
