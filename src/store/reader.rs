//! Reading beside whoever writes: status and export.

use std::path::Path;

use rusqlite::{Connection, Rows};

use super::{Reject, Result, RunStatus, ledger, rejects, runs, schema, tally};
use crate::{
    clock::{ClockReading, Timestamp},
    model::{Api, Link, State, Tally},
    quota::{LedgerSnapshot, Lockout},
};

/// The state file, open for reading.
pub struct Reader {
    db: Connection,
}

/// The books of the lane, as the last commit left them.
pub struct QuotaStatus {
    /// Slots and open calls.
    pub books: LedgerSnapshot,
    /// The penalty in force.
    pub block: Lockout,
    /// The clocks at that commit.
    pub reading: Option<ClockReading>,
}

/// A source that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its file name.
    pub name: String,
    /// Lines read.
    pub lines: u64,
    /// Lines that could not be subjects.
    pub rejected: u64,
    /// Subjects seen there for the first time.
    pub subjects: u64,
}

/// One subject and what is known of it. Personal: no `Debug`.
pub struct Answer {
    /// The unionid.
    pub unionid: String,
    /// The openid.
    pub openid: String,
    /// The downstream corp it asked for, if one.
    pub corpid: Option<String>,
    /// Where it stands.
    pub state: State,
    /// The reply's errcode.
    pub errcode: Option<i64>,
    /// When it was answered.
    pub at: Option<Timestamp>,
    /// Its links, by corpid and external_userid, so that their order is the same each time.
    pub links: Vec<Link>,
}

impl Reader {
    /// Opens an existing state file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`](super::StoreError::Missing),
    /// [`StoreError::Newer`](super::StoreError::Newer), or what the disk says.
    pub fn open(path: &Path) -> Result<Self> {
        let db = schema::open_to_read(path)?;
        Ok(Self { db })
    }

    /// Writes a copy as it stands to `path`, which must not exist yet.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn copy_to(&self, path: &Path) -> Result<()> {
        let path = path.to_string_lossy();
        // It writes nothing here, but query_only refuses it all the same.
        self.db.pragma_update(None, "query_only", false)?;
        let copied = self.db.execute("VACUUM INTO ?1", [path.as_ref()]);
        self.db.pragma_update(None, "query_only", true)?;
        copied?;
        Ok(())
    }

    /// How many subjects stand in each state.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn tally(&self) -> Result<Tally> {
        tally(&self.db)
    }

    /// The latest run.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn latest_run(&self) -> Result<Option<RunStatus>> {
        runs::latest(&self.db)
    }

    /// The corp the file belongs to.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn corp_id(&self) -> Result<Option<String>> {
        let corp = self
            .db
            .query_row("SELECT corp_id FROM job", [], |row| row.get(0))?;
        Ok(corp)
    }

    /// When the ticket in custody expires, if there is one that works.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn ticket_expires(&self) -> Result<Option<Timestamp>> {
        let expires: Option<i64> = self.db.query_row(
            "SELECT max(expires_at) FROM tickets WHERE ticket IS NOT NULL AND dead_at IS NULL",
            [],
            |row| row.get(0),
        )?;
        Ok(expires.map(Timestamp::from_millis))
    }

    /// The books.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn lane(&self) -> Result<QuotaStatus> {
        let (books, block, reading) = ledger::load(&self.db, Api::Lookup)?;
        Ok(QuotaStatus {
            books,
            block,
            reading,
        })
    }

    /// The sources taken in, in that order.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn sources(&self) -> Result<Vec<SourceStatus>> {
        let mut list = self.db.prepare(
            "SELECT name, lines, rejected, subjects FROM sources
             WHERE imported_at IS NOT NULL ORDER BY first_subject, id",
        )?;
        let sources = list.query_map([], |row| {
            Ok(SourceStatus {
                name: row.get(0)?,
                lines: row.get::<_, i64>(1)?.unsigned_abs(),
                rejected: row.get::<_, i64>(2)?.unsigned_abs(),
                subjects: row.get::<_, i64>(3)?.unsigned_abs(),
            })
        })?;
        Ok(sources.collect::<std::result::Result<_, _>>()?)
    }

    /// Gives every line that could not be a subject to `each`, source by source. Stops at the
    /// first error of `each`.
    ///
    /// # Errors
    ///
    /// Those of `each`, and what the disk says.
    pub fn rejects<E: From<super::StoreError>>(
        &self,
        each: impl FnMut(&Reject) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        rejects::each(&self.db, each)
    }

    /// How often each errcode stands beside a state that is not an answer.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn refusals(&self) -> Result<Vec<(State, Option<i64>, u64)>> {
        let mut list = self.db.prepare(
            "SELECT state, errcode, count(*) FROM outcomes WHERE state IN (3, 4)
             GROUP BY state, errcode ORDER BY state, count(*) DESC, errcode",
        )?;
        let refusals = list.query_map([], |row| {
            let state = State::from_code(row.get(0)?).unwrap_or(State::Parked);
            Ok((state, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs()))
        })?;
        Ok(refusals.collect::<std::result::Result<_, _>>()?)
    }

    /// Gives every subject to `each`, in order of first appearance, out of one snapshot. Those of
    /// a source that is still being taken in are not there yet: half of them may be duplicates,
    /// and all of them go away if it breaks off. Stops at the first error of `each`.
    ///
    /// # Errors
    ///
    /// Those of `each`, and what the disk says.
    pub fn answers<E>(
        &self,
        mut each: impl FnMut(&Answer) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E>
    where
        E: From<super::StoreError>,
    {
        let snapshot = self.db.unchecked_transaction().map_err(sql)?;
        let mut subjects = self.db.prepare(SUBJECTS).map_err(sql)?;
        let mut links = self.db.prepare(LINKS).map_err(sql)?;
        let mut subjects = subjects.query([]).map_err(sql)?;
        let mut links = Links::new(links.query([]).map_err(sql)?)?;
        while let Some(row) = subjects.next().map_err(sql)? {
            let answer = answer(row, &mut links)?;
            each(&answer)?;
        }
        drop(subjects);
        drop(links);
        snapshot.finish().map_err(sql)?;
        Ok(())
    }
}

const SUBJECTS: &str = "SELECT s.id, unionid, openid, corpid, state, errcode, at FROM subjects s
    LEFT JOIN corps c ON c.id = s.corp LEFT JOIN outcomes o ON o.subject = s.id
    WHERE s.id < (SELECT coalesce(min(first_subject), 9223372036854775807) FROM sources
                  WHERE imported_at IS NULL)
    ORDER BY s.id";

/// Read beside the subjects, in step: cheaper than a join that repeats each subject.
const LINKS: &str = "SELECT subject, corpid, external_userid FROM links
    JOIN corps c ON c.id = corp ORDER BY subject";

fn sql(error: rusqlite::Error) -> super::StoreError {
    error.into()
}

/// The stream of links, one ahead.
struct Links<'r> {
    rows: Rows<'r>,
    ahead: Option<(i64, Link)>,
}

impl<'r> Links<'r> {
    fn new(rows: Rows<'r>) -> Result<Self> {
        let mut links = Self { rows, ahead: None };
        links.advance()?;
        Ok(links)
    }

    fn advance(&mut self) -> Result<()> {
        self.ahead = match self.rows.next()? {
            None => None,
            Some(row) => {
                let link = Link {
                    corpid: row.get(1)?,
                    external_userid: row.get(2)?,
                };
                Some((row.get(0)?, link))
            }
        };
        Ok(())
    }

    fn of(&mut self, subject: i64) -> Result<Vec<Link>> {
        let mut links = Vec::new();
        while let Some((owner, link)) = self.ahead.take() {
            if owner != subject {
                self.ahead = Some((owner, link));
                break;
            }
            links.push(link);
            self.advance()?;
        }
        links.sort_unstable();
        Ok(links)
    }
}

fn answer(row: &rusqlite::Row<'_>, links: &mut Links<'_>) -> Result<Answer> {
    let state = row.get::<_, Option<u8>>(4)?.and_then(State::from_code);
    let at: Option<i64> = row.get(6)?;
    Ok(Answer {
        unionid: row.get(1)?,
        openid: row.get(2)?,
        corpid: row.get(3)?,
        state: state.unwrap_or(State::Queued),
        errcode: row.get(5)?,
        at: at.map(|seconds| Timestamp::from_millis(seconds * 1000)),
        links: links.of(row.get(0)?)?,
    })
}
