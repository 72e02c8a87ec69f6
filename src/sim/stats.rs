//! What the remote counted, as `GET /_sim/stats` shows it.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything counted since the start. Nothing in it grows with the number of subjects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    /// The seed of world and chance.
    pub seed: u64,
    /// By API path; only those that were called.
    pub lanes: BTreeMap<&'static str, LaneStats>,
    /// How often each fault was drawn, forced ones included.
    pub faults: BTreeMap<&'static str, u64>,
    /// Access tokens handed out, the same one again included.
    pub tokens_fetched: u64,
    /// `gettoken` calls with a wrong or missing corpid or secret.
    pub tokens_failed: u64,
    /// Tokens that died before their time.
    pub tokens_killed: u64,
    /// Ticket applications, granted or not.
    pub ticket_applications: u64,
    /// Requests for an unknown path.
    pub not_found: u64,
}

/// What was counted of one API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LaneStats {
    /// Calls that arrived and were not reset before they were counted.
    pub calls: u64,
    /// Calls counted in the windows, those of other systems included.
    pub counted: u64,
    /// Calls of other systems of the same corp.
    pub others: u64,
    /// Calls answered with errcode 0.
    pub answered: u64,
    /// Calls refused for a limit or a lockout.
    pub refused_45009: u64,
    /// Calls refused for too many in flight, by the limit or by a fault.
    pub refused_45033: u64,
    /// The most calls in flight.
    pub peak_in_flight: u64,
    /// Lockouts imposed: above 0, the client exceeded a limit.
    pub lockouts: u64,
    /// By the name of the window.
    pub windows: BTreeMap<&'static str, WindowStats>,
}

/// What was counted in one window of one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct WindowStats {
    /// Calls allowed; `None` is no limit.
    pub limit: Option<u64>,
    /// Calls in it as of the last call.
    pub calls: u64,
    /// The most calls ever in it.
    pub peak: u64,
    /// The most there were in it on the other reading: by the calendar where it slides, and the other
    /// way round.
    pub other_peak: u64,
    /// Lockouts imposed for exceeding it.
    pub lockouts: u64,
}
