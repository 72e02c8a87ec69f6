//! The corp's quota over all jobs and processes, as plain data.

use std::path::Path;

use serde::Serialize;

use super::error::Error;
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    ledger::Ledger,
    model::{Api, Limits, QuotaWindow, WindowKind},
    quota::Account,
    store::StoreError,
};

/// The account of one API of a corp. In JSON, times are RFC 3339 at +08:00.
#[derive(Debug, Serialize)]
pub struct AccountStatus {
    /// The upstream corp.
    pub corp_id: String,
    /// The API's name.
    pub api: &'static str,
    /// The windows, with the published limits.
    pub windows: Vec<WindowRoom>,
    /// The lockout in force: its limit, and when one probe may be sent.
    pub lockout: Option<(&'static str, String)>,
    /// That lockout was met far below every limit.
    pub used_elsewhere: bool,
    /// Who has charged calls.
    pub users: Vec<UserStatus>,
}

/// Use of a window.
#[derive(Debug, Serialize)]
pub struct WindowRoom {
    /// The window's name.
    pub window: &'static str,
    /// Calls charged in it.
    pub used: u64,
    /// The published limit, or a lower one that refusals have told.
    pub limit: u64,
    /// Whether it is lower than published.
    pub is_learnt: bool,
    /// What is left of it.
    pub left: u64,
    /// When there is room again, if there is none.
    pub room_at: Option<String>,
}

/// A job or another system.
#[derive(Debug, Serialize)]
pub struct UserStatus {
    /// The path of the job file, or the name of the system.
    pub name: String,
    /// Calls completed, as long as the ledger keeps them: two months.
    pub calls: u64,
    /// Calls in flight.
    pub in_flight: u64,
    /// When it last charged.
    pub seen_at: String,
}

/// Reads every account of the ledger at `path`, of `corp` alone if it is given. The file is not changed.
///
/// # Errors
///
/// If the ledger cannot be read.
pub fn accounts(path: &Path, corp: Option<&str>) -> Result<Vec<AccountStatus>, Error> {
    let ledger = match Ledger::open_to_read(path) {
        Ok(ledger) => ledger,
        Err(StoreError::Missing { .. }) => return Ok(Vec::new()),
        Err(why) => return Err(why.into()),
    };
    let clock = ledger.clock(Clock::system())?;
    let accounts = ledger.accounts()?.into_iter();
    let accounts = accounts.filter(|(id, _)| corp.is_none_or(|corp| corp.eq_ignore_ascii_case(id)));
    accounts
        .map(|(corp, api)| account(&ledger, &clock, corp, api))
        .collect()
}

fn account(
    ledger: &Ledger,
    clock: &LedgerClock,
    corp: String,
    api: Api,
) -> Result<AccountStatus, Error> {
    let stored = ledger.load(&corp, api)?;
    let limits = match api.has_business_limits() {
        true => Limits::published(),
        false => Limits::published().basic(),
    };
    let mut account = Account::restore(limits, WindowKind::Sliding, &stored.snapshot);
    let now = clock.now();
    let shown = |at: Timestamp| clock.to_wall_time(at).rfc3339();
    let windows = QuotaWindow::ALL.into_iter().filter_map(|window| {
        let limit = account.limits().of(window)?;
        let used = account.used(now, window);
        let left = limit.saturating_sub(used);
        let frees = || account.frees_at(window);
        let room_at = if left == 0 { frees().map(shown) } else { None };
        Some(WindowRoom {
            window: window.name(),
            used,
            limit,
            is_learnt: limit < window.published(),
            left,
            room_at,
        })
    });
    let windows = windows.collect();
    let lockout = account.lockout();
    let users = ledger
        .users(&corp, api)?
        .into_iter()
        .map(|user| UserStatus {
            name: user.name,
            calls: user.calls,
            in_flight: user.in_flight,
            seen_at: shown(user.seen_at),
        });
    Ok(AccountStatus {
        api: api.name(),
        windows,
        lockout: lockout
            .is_active()
            .then(|| (lockout.level.code(), shown(lockout.until))),
        users: users.collect(),
        used_elsewhere: account.is_used_elsewhere(),
        corp_id: corp,
    })
}

/// Charges calls that were made elsewhere.
///
/// # Errors
///
/// If the ledger cannot be written.
pub fn note(
    path: &Path,
    corp: &str,
    window: QuotaWindow,
    calls: u64,
    by: &str,
) -> Result<(), Error> {
    let ledger = Ledger::open(path)?;
    let now = ledger.resume_clock(Clock::system())?.now();
    let noted = (window.period(), calls);
    Ok(ledger.note((corp, Api::Lookup), by, noted, now)?)
}
