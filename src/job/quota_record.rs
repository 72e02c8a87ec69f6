//! The quota that a run respects, as the job file records it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    model::{Limits, QuotaWindow, WindowKind},
    quota::Quota,
};

/// `{"counting":"sliding","basic.minute":9800,…}`; windows without a limit are left out.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct QuotaRecord {
    counting: String,
    #[serde(flatten)]
    limits: BTreeMap<String, u64>,
}

impl QuotaRecord {
    /// The record of a run that respects `quota`.
    pub(super) fn of(quota: &Quota) -> Self {
        Self::with(quota.window_kind, &quota.allowed())
    }

    /// The published limits, for a job that was never run.
    pub(super) fn published() -> Self {
        Self::with(WindowKind::default(), &Limits::published())
    }

    fn with(kind: WindowKind, limits: &Limits) -> Self {
        let limits = QuotaWindow::ALL.into_iter().filter_map(|window| {
            let limit = limits.of(window)?;
            Some((window.name().to_owned(), limit))
        });
        Self {
            counting: kind.name().to_owned(),
            limits: limits.collect(),
        }
    }

    /// The record that reads `json`; nothing is limited in one that cannot be read.
    pub(super) fn from_json(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// How windows were counted.
    pub(super) fn kind(&self) -> WindowKind {
        self.counting.parse().unwrap_or_default()
    }

    /// The most calls in each window.
    pub(super) fn limits(&self) -> Limits {
        QuotaWindow::ALL
            .into_iter()
            .fold(Limits::none(), |limits, window| {
                limits.with(window, self.limits.get(window.name()).copied())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_reads_what_it_writes() {
        let mut quota = Quota {
            window_kind: WindowKind::Calendar,
            ..Quota::default()
        };
        quota.limits.set(QuotaWindow::BusinessHour, None);
        let record = QuotaRecord::from_json(&QuotaRecord::of(&quota).to_json());
        assert_eq!(record.kind(), WindowKind::Calendar);
        assert_eq!(record.limits(), quota.allowed());
        assert!(QuotaRecord::from_json("{").limits().is_none());
    }
}
