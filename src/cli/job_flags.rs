//! Flags that name the job file, the ledger and the configuration.

use std::path::{Path, PathBuf};

use clap::Args;

use super::values::environment;
use crate::{
    config::{ConfigFile, DEFAULT_FILE, RunSection},
    job::{Error, JobFiles, SANDBOX_FILE},
};

/// Which job file.
#[derive(Args)]
pub(super) struct StateFile {
    /// The job file [env: IDFERRY_STATE] [default: idferry.db, with --sandbox sandbox.db].
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The ledger of calls, one for all jobs of a corp [env: IDFERRY_LEDGER] [default: ledger.db in
    /// $STATE_DIRECTORY, $XDG_STATE_HOME/idferry or ~/.local/state/idferry, with --sandbox
    /// sandbox.ledger.db].
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// The configuration file [default: idferry.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl StateFile {
    pub(super) fn file(&self) -> Result<ConfigFile, Error> {
        Ok(ConfigFile::read(self.config.as_deref())?)
    }

    /// The job file and the ledger.
    pub(super) fn files(&self, file: &RunSection, sandbox: bool) -> Result<JobFiles, Error> {
        let job = self.path(file, sandbox);
        let exported = || environment("IDFERRY_LEDGER").map(PathBuf::from);
        let configured = || file.ledger.clone();
        let ledger = match &self.ledger {
            Some(ledger) => ledger.clone(),
            // Simulated calls cost nothing: they are never in the ledger of real ones.
            None if sandbox => JobFiles::beside(&job).ledger,
            None => exported()
                .or_else(configured)
                .or_else(default_ledger)
                .ok_or_else(|| Error::usage(NO_LEDGER))?,
        };
        Ok(JobFiles { job, ledger })
    }

    pub(super) fn config_path(&self) -> &Path {
        self.config
            .as_deref()
            .unwrap_or_else(|| Path::new(DEFAULT_FILE))
    }

    pub(super) fn path(&self, file: &RunSection, sandbox: bool) -> PathBuf {
        let default = if sandbox { SANDBOX_FILE } else { "idferry.db" };
        // Simulated answers go to another file only if a flag names it.
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

/// Which job, the sandbox's own among them.
#[derive(Args)]
pub(super) struct JobFlags {
    #[command(flatten)]
    pub(super) state: StateFile,
    /// Use the sandbox's job file, sandbox.db.
    #[arg(long)]
    pub(super) sandbox: bool,
}

impl JobFlags {
    /// The configuration.
    pub(super) fn file(&self) -> Result<ConfigFile, Error> {
        self.state.file()
    }

    /// The job file.
    pub(super) fn path(&self) -> Result<PathBuf, Error> {
        Ok(self.state.path(&self.file()?.run, self.sandbox))
    }

    /// The job file and the ledger.
    pub(super) fn files(&self) -> Result<JobFiles, Error> {
        self.state.files(&self.file()?.run, self.sandbox)
    }
}

const NO_LEDGER: &str = "there is no place for the ledger of calls: neither HOME nor \
    XDG_STATE_HOME nor STATE_DIRECTORY is set; name a file with --ledger";

/// Where the ledger of a user lies.
fn default_ledger() -> Option<PathBuf> {
    let folder = |name| environment(name).map(PathBuf::from);
    let state = folder("STATE_DIRECTORY")
        .or_else(|| Some(folder("XDG_STATE_HOME")?.join("idferry")))
        .or_else(|| Some(folder("HOME")?.join(".local/state/idferry")));
    Some(state?.join("ledger.db"))
}
