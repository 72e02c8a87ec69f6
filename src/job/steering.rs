//! Steering of a run from elsewhere: a wish is a row in its job file.

use std::path::Path;

use super::{error::Error, status};
use crate::{
    clock::Clock,
    store::{Asked, Reader, Wish},
};

/// Who may have to obey a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressee {
    /// The run that is at work, in this process.
    Run(u32),
    /// None is at work: the next one.
    NextRun,
}

/// Writes wishes into a job file, beside a run or for the next one.
pub struct Steering {
    reader: Reader<'static>,
    clock: Clock,
}

impl Steering {
    /// Opens an existing job file.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub fn open(job: &Path) -> Result<Self, Error> {
        Ok(Self {
            reader: Reader::open(job)?,
            clock: Clock::system(),
        })
    }

    /// Returns who obeys.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn addressee(&self) -> Result<Addressee, Error> {
        let run = self.reader.latest_run()?;
        let running = run.filter(status::is_running);
        Ok(running.map_or(Addressee::NextRun, |run| Addressee::Run(run.pid)))
    }

    /// Writes a wish of this process's user.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn ask(&self, wish: Wish) -> Result<(), Error> {
        let asked = Asked {
            wish,
            by: user_and_host(),
            pid: std::process::id(),
            at: self.clock.now(),
        };
        Ok(self.reader.ask(&asked)?)
    }

    /// Withdraws the wishes with these [codes](Wish::code). Returns whether there were any.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn withdraw(&self, codes: &[&str]) -> Result<bool, Error> {
        Ok(self.reader.withdraw(codes)? > 0)
    }
}

/// `alice@host`
fn user_and_host() -> String {
    let set = |name| std::env::var(name).ok().filter(|user| !user.is_empty());
    let user = set("USER").or_else(|| set("LOGNAME"));
    let user = user.unwrap_or_else(|| format!("uid{}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    format!("{user}@{}", system.nodename().to_string_lossy())
}
