//! What operators ask of a run while it is at work: rows that another process writes beside the one that
//! holds the file, and that stay until they are withdrawn.

use rusqlite::{Connection, params};

use super::error::Result;
use crate::clock::Timestamp;

/// What an operator may ask of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Send nothing.
    Pause,
    /// Send at most so many calls a minute.
    Rate(u64),
    /// Have at most so many calls in flight.
    Concurrency(u16),
    /// End with work left. Of the present run only: the next one forgets it.
    Stop,
}

/// A wish, who has it and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What is asked.
    pub wish: Wish,
    /// Who asks, as `user@host`.
    pub by: String,
    /// The process by which.
    pub pid: u32,
    /// When, wall time.
    pub at: Timestamp,
}

/// The wishes in force, at most one of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wishes(pub Vec<Asked>);

impl Wish {
    /// Its name in JSON and in the job file.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Rate(_) => "rate",
            Self::Concurrency(_) => "concurrency",
            Self::Stop => "stop",
        }
    }

    /// The number that is asked for.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Pause | Self::Stop => None,
            Self::Rate(calls) => Some(calls),
            Self::Concurrency(calls) => Some(u64::from(calls)),
        }
    }

    /// `None` for what no version before this one wrote.
    fn from_row(code: &str, number: Option<i64>) -> Option<Self> {
        let number = number.and_then(|number| u64::try_from(number).ok());
        Some(match code {
            "pause" => Self::Pause,
            "stop" => Self::Stop,
            "rate" => Self::Rate(number?.max(1)),
            "concurrency" => Self::Concurrency(u16::try_from(number?).ok()?.max(1)),
            _ => return None,
        })
    }
}

impl Wishes {
    /// The first wish that `is_meant`.
    pub(crate) fn find(&self, is_meant: impl Fn(Wish) -> bool) -> Option<&Asked> {
        self.0.iter().find(|asked| is_meant(asked.wish))
    }

    /// Who wants the run to send nothing.
    pub(crate) fn pause(&self) -> Option<&Asked> {
        self.find(|wish| wish == Wish::Pause)
    }

    /// Who wants the run to end.
    pub(crate) fn stop(&self) -> Option<&Asked> {
        self.find(|wish| wish == Wish::Stop)
    }

    /// The number of the wish that has one by `number`.
    fn number_of<N>(&self, number: impl Fn(Wish) -> Option<N>) -> Option<N> {
        self.0.iter().find_map(|asked| number(asked.wish))
    }

    /// The most calls a minute.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.number_of(|wish| match wish {
            Wish::Rate(calls) => Some(calls),
            _ => None,
        })
    }

    /// The most calls in flight.
    pub(crate) fn concurrency(&self) -> Option<u16> {
        self.number_of(|wish| match wish {
            Wish::Concurrency(calls) => Some(calls),
            _ => None,
        })
    }
}

/// Reads the wishes in force.
pub(super) fn load(db: &Connection) -> Result<Wishes> {
    let mut list = db
        .prepare_cached("SELECT wish, number, asked_by, pid, asked_at FROM wishes ORDER BY wish")?;
    let rows = list.query_map([], |row| {
        let wish = Wish::from_row(&row.get::<_, String>(0)?, row.get(1)?);
        Ok(wish.zip(Some((row.get(2)?, row.get(3)?, row.get(4)?))))
    })?;
    let mut wishes = Wishes::default();
    for row in rows {
        if let Some((wish, (by, pid, at))) = row? {
            let at = Timestamp::from_millis(at);
            wishes.0.push(Asked { wish, by, pid, at });
        }
    }
    Ok(wishes)
}

/// Adds a wish; an older one of its kind is forgotten.
pub(super) fn ask(db: &Connection, asked: &Asked) -> Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO wishes VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            asked.wish.code(),
            asked.wish.number().map(u64::cast_signed),
            asked.by,
            asked.pid,
            asked.at.as_millis(),
        ],
    )?;
    Ok(())
}

/// Withdraws the wishes with these codes. Returns how many there were.
pub(super) fn withdraw(db: &Connection, codes: &[&str]) -> Result<usize> {
    let mut withdrawn = 0;
    for code in codes {
        withdrawn += db.execute("DELETE FROM wishes WHERE wish = ?1", [code])?;
    }
    Ok(withdrawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Reader, Store};

    fn asked(wish: Wish) -> Asked {
        Asked {
            wish,
            by: "alice@host".to_owned(),
            pid: 7,
            at: Timestamp::from_millis(5),
        }
    }

    #[test]
    fn a_wish_is_written_beside_the_process_that_holds_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.db");
        let store = Store::open(&path, Timestamp::default()).unwrap();
        let beside = || Reader::open(&path).unwrap();
        beside().ask(&asked(Wish::Rate(60))).unwrap();
        beside().ask(&asked(Wish::Rate(1200))).unwrap();
        beside().ask(&asked(Wish::Pause)).unwrap();
        let wishes = store.wishes().unwrap();
        assert_eq!(wishes.rate(), Some(1200));
        assert_eq!(wishes.pause(), Some(&asked(Wish::Pause)));
        assert_eq!(beside().withdraw(&["pause", "stop"]).unwrap(), 1);
        drop(store);
        // Nothing holds it: no log is left beside it.
        beside().ask(&asked(Wish::Stop)).unwrap();
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1);
        let store = Store::open(&path, Timestamp::default()).unwrap();
        let wishes = store.wishes().unwrap();
        assert_eq!(wishes.0, [asked(Wish::Rate(1200)), asked(Wish::Stop)]);
        store
            .journal()
            .begin_run("run", "", Timestamp::default())
            .unwrap();
        assert_eq!(
            store.wishes().unwrap().stop(),
            None,
            "it was of another run"
        );
    }
}
