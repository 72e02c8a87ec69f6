//! Reading links in step with their subjects.

use rusqlite::Rows;

use super::error::Result;
use crate::model::Link;

/// The links in the order of their subjects, the next one read ahead.
pub(super) struct LinkCursor<'r> {
    rows: Rows<'r>,
    next: Option<(i64, Link)>,
}

impl<'r> LinkCursor<'r> {
    pub(super) fn new(rows: Rows<'r>) -> Result<Self> {
        let mut links = Self { rows, next: None };
        links.advance()?;
        Ok(links)
    }

    fn advance(&mut self) -> Result<()> {
        self.next = match self.rows.next()? {
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

    /// Returns the links of `subject`, which must not be asked for before a lower one.
    pub(super) fn of(&mut self, subject: i64) -> Result<Vec<Link>> {
        let mut links = Vec::new();
        while let Some((_, link)) = self.next.take_if(|(owner, _)| *owner == subject) {
            links.push(link);
            self.advance()?;
        }
        links.sort_unstable();
        Ok(links)
    }
}
