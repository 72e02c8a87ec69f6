//! What became of links since a moment: read off when they began and ended.

use rusqlite::{Connection, Row};

use super::{
    Store,
    error::{Result, StoreError},
    passes::seconds,
    reader::Reader,
};
use crate::{
    clock::Timestamp,
    model::{CorpChanges, Link, State},
};

/// A link that was gained or lost, and how its subject stands now. It holds personal ids and therefore
/// has no `Debug`.
pub struct Change {
    /// The unionid of the subject.
    pub unionid: String,
    /// Its openid.
    pub openid: String,
    /// The link.
    pub link: Link,
    /// Whether it was gained; else it was lost.
    pub added: bool,
    /// The state of the subject.
    pub state: State,
    /// The errcode of its last reply.
    pub errcode: Option<i64>,
    /// When its answer was known, to the second.
    pub at: Option<Timestamp>,
}

impl Reader<'_> {
    /// Passes every link that stands now and did not at `since`, or the other way round, to `each`, in
    /// the order of subjects, until an error of `each`. A link that was lost and found again in between
    /// is no change. Reads every link.
    pub fn for_each_change<E: From<StoreError>>(
        &self,
        since: Timestamp,
        mut each: impl FnMut(&Change) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut changes = self.db.prepare(CHANGES).map_err(StoreError::from)?;
        let mut rows = changes.query([seconds(since)]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            each(&change(row).map_err(StoreError::from)?)?;
        }
        Ok(())
    }

    /// Returns the changes since a moment at each downstream corp that had any, by corpid.
    pub fn changes_by_corp(&self, since: Timestamp) -> Result<Vec<CorpChanges>> {
        let mut list = self.db.prepare(CHANGES_BY_CORP)?;
        let corps = list.query_map([seconds(since)], |row| {
            let number =
                |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
            Ok(CorpChanges {
                corpid: row.get(0)?,
                gained: number(1)?,
                lost: number(2)?,
                changed: number(3)?,
            })
        })?;
        Ok(corps.collect::<std::result::Result<_, _>>()?)
    }
}

impl Store {
    /// Makes sure that a moment is kept since which changes have to be published: at the first time the
    /// end of all links so far.
    pub(crate) fn begin_changes(&self) -> Result<()> {
        match self.changes_since()? {
            Some(_) => Ok(()),
            None => self.changes_published(),
        }
    }

    /// Returns since when changes have to be published; `None` if they never were.
    pub(crate) fn changes_since(&self) -> Result<Option<Timestamp>> {
        let sql = "SELECT changes_since FROM job";
        let since: Option<i64> = self.db.query_row(sql, [], |row| row.get(0))?;
        Ok(since.map(|seconds| Timestamp::from_millis(seconds * 1000)))
    }

    /// Records that every change so far was published. Reads every link.
    pub(crate) fn changes_published(&self) -> Result<()> {
        self.db.execute(
            "UPDATE job SET changes_since = max(coalesce(changes_since, 0),
                (SELECT coalesce(max(max(since, coalesce(until, 0))) + 1, 0) FROM links))",
            [],
        )?;
        Ok(())
    }
}

/// Returns the earliest second at which a link may begin or end from here on: none of the changes that
/// were published, whatever the wall clock says.
pub(super) fn earliest(db: &Connection) -> Result<i64> {
    let mut find = db.prepare_cached("SELECT coalesce(changes_since, 0) FROM job")?;
    Ok(find.query_row([], |row| row.get(0))?)
}

/// A link of a subject may have stood several times: what counts is whether it stood then and now.
/// The rows come in the order of the key, so that nothing is sorted.
const CHANGES: &str = "
    SELECT unionid, openid, corpid, external_userid, stands, state, errcode, at
    FROM (SELECT subject, links.corp AS corp, external_userid,
                 max(until IS NULL) AS stands,
                 max(since < ?1 AND (until IS NULL OR until >= ?1)) AS stood
          FROM links GROUP BY subject, links.corp, external_userid HAVING stands <> stood)
    AS l JOIN subjects s ON s.id = l.subject JOIN corps c ON c.id = l.corp
    LEFT JOIN outcomes o ON o.subject = s.id";

const CHANGES_BY_CORP: &str = "
    SELECT corpid, sum(added AND NOT removed), sum(removed AND NOT added), sum(added AND removed)
    FROM (SELECT corp, max(stands AND NOT stood) AS added, max(stood AND NOT stands) AS removed
          FROM (SELECT subject, corp, external_userid,
                       max(until IS NULL) AS stands,
                       max(since < ?1 AND (until IS NULL OR until >= ?1)) AS stood
                FROM links GROUP BY subject, corp, external_userid)
          GROUP BY subject, corp)
    JOIN corps c ON c.id = corp
    GROUP BY corp HAVING sum(added OR removed) > 0 ORDER BY corpid";

fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let state = row.get::<_, Option<u8>>(5)?.and_then(State::from_code);
    let at: Option<i64> = row.get(7)?;
    Ok(Change {
        unionid: row.get(0)?,
        openid: row.get(1)?,
        link: Link {
            corpid: row.get(2)?,
            external_userid: row.get(3)?,
        },
        added: row.get(4)?,
        state: state.unwrap_or(State::Queued),
        errcode: row.get(6)?,
        at: at.map(|seconds| Timestamp::from_millis(seconds * 1000)),
    })
}
