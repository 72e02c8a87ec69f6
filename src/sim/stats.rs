//! What the remote saw, for whoever looks through the door.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything counted since the remote began. Flat: nothing in it grows with the subjects.
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
    /// Requests for a path nobody knows.
    pub not_found: u64,
}

/// One API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LaneStats {
    /// Calls that arrived and were not reset before the books saw them.
    pub calls: u64,
    /// Calls counted in the windows, those of others included.
    pub counted: u64,
    /// Calls of other systems of the same corp.
    pub others: u64,
    /// Calls answered with errcode 0.
    pub answered: u64,
    /// Calls refused for a window or a block.
    pub refused_45009: u64,
    /// Calls refused for too many at once, by the limit or by a fault.
    pub refused_45033: u64,
    /// Most calls in the air at once.
    pub peak_in_air: u64,
    /// Blocks imposed: above 0, the client crossed a limit.
    pub blocks: u64,
    /// By name of window.
    pub windows: BTreeMap<&'static str, WindowStats>,
}

/// One window of one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct WindowStats {
    /// Calls allowed; `None` is no limit.
    pub limit: Option<u64>,
    /// Calls in it as of the last one.
    pub calls: u64,
    /// Most calls ever in it.
    pub peak: u64,
    /// Blocks imposed for crossing it.
    pub blocks: u64,
}
