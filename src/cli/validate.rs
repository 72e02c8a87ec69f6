//! Whether the settings of the configuration can be used, before they are.

use super::{
    address::connection,
    args::{Inputs, QuotaFlags, StopFlags, ticket_policy},
    contract::contract,
    progress::ProgressMode,
    refresh::RefreshFlags,
    values::or_file,
};
use crate::{
    clock::Clock,
    config::ConfigFile,
    job::{Connection, Error, SessionSettings},
};

/// Returns what a run without flags would respect, and where it would call.
///
/// # Errors
///
/// A usage error that names the first setting that no run could use.
pub(super) fn settings(file: &ConfigFile) -> Result<(SessionSettings, Connection), Error> {
    let run = &file.run;
    let connection = connection(false, None, &file.wecom)?;
    Inputs::default().options(run)?;
    contract(None, file)?;
    or_file::<ProgressMode>(None, run.progress.as_ref(), "progress")?;
    let settings = SessionSettings {
        quota: QuotaFlags::default().quota_at(&connection, run)?,
        concurrency: QuotaFlags::default().concurrency(run),
        ticket: ticket_policy(None, run)?,
        options: StopFlags::default().options(run, Clock::system().now())?,
        refresh: Some(RefreshFlags::default().refresh(run)?),
        ..SessionSettings::default()
    };
    Ok((settings, connection))
}
