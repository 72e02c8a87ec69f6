//! Flags of a resync: how old answers may get.

use std::time::Duration;

use clap::Args;

use super::values::{duration, in_file};
use crate::{
    config::RunSection,
    job::{Error, Refresh},
};

/// How old answers may get.
#[derive(Args, Default)]
pub(super) struct RefreshFlags {
    /// Ask unlinked subjects again once their answer is older than this; 0s for never
    /// [default: 7d].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    unlinked_after: Option<Duration>,
    /// The same for linked subjects [default: 30d].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    linked_after: Option<Duration>,
}

impl RefreshFlags {
    pub(super) fn refresh(&self, file: &RunSection) -> Result<Refresh, Error> {
        let usual = Refresh::default();
        let after = |flag: Option<Duration>, file: &Option<String>, name: &str, usual| {
            let file = file.as_deref().map(duration).transpose();
            let file = file.map_err(|why| in_file(name, &why))?;
            Ok::<_, Error>(flag.or(file).unwrap_or(usual))
        };
        Ok(Refresh {
            unlinked_after: after(
                self.unlinked_after,
                &file.unlinked_after,
                "unlinked_after",
                usual.unlinked_after,
            )?,
            linked_after: after(
                self.linked_after,
                &file.linked_after,
                "linked_after",
                usual.linked_after,
            )?,
        })
    }
}

/// What a run is for.
pub(super) enum RunKind {
    /// What is new, or only so many of them.
    Run { pilot: Option<u64> },
    /// What is new, and answers that have grown old; or only so many of the answers.
    Resync {
        refresh: RefreshFlags,
        sample: Option<u64>,
    },
}

impl RunKind {
    pub(super) const fn command(&self) -> &'static str {
        match self {
            Self::Run { .. } => "run",
            Self::Resync { .. } => "resync",
        }
    }

    pub(super) fn refresh(&self, file: &RunSection) -> Result<Option<Refresh>, Error> {
        match self {
            Self::Run { .. } => Ok(None),
            Self::Resync { refresh, .. } => refresh.refresh(file).map(Some),
        }
    }

    /// How many subjects are drawn at random, if not all are asked.
    pub(super) const fn draw(&self) -> Option<u64> {
        match self {
            Self::Run { pilot } => *pilot,
            Self::Resync { sample, .. } => *sample,
        }
    }
}
