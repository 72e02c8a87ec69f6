//! Lines read ahead on a thread of their own: one core unpacks, cuts and judges them while the
//! other takes them in.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    vec,
};

use crate::model::Row;

use super::{IntakeError, Line, RowError, RowReader};

/// Lines handed over at once, unless they are long: bad ones are kept as they are.
const LINES_A_PAGE: usize = 2048;
const BYTES_A_PAGE: usize = 256 * 1024;
/// Pages read and not yet taken.
const PAGES_AHEAD: usize = 4;

/// [`RowReader`] behind a thread. Dropped before the end, the thread ends with its next page.
pub struct ReadAhead {
    pages: Receiver<Page>,
    text: String,
    /// What was lent so far ends here.
    lent: usize,
    lines: vec::IntoIter<Kept>,
    thread: JoinHandle<RowReader>,
}

#[derive(Default)]
struct Page {
    /// The columns of its rows, one after the other.
    text: String,
    lines: Vec<Kept>,
}

/// A line, or what ended them.
enum Kept {
    /// Where its columns end in the text of the page.
    Row {
        unionid: usize,
        openid: usize,
        corpid: Option<usize>,
    },
    Bad(Box<RowError>),
    Failed(Box<IntakeError>),
}

impl ReadAhead {
    /// Begins to read on.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn of(rows: RowReader) -> Result<Self, IntakeError> {
        let (send, pages) = sync_channel(PAGES_AHEAD);
        let name = Arc::clone(rows.name());
        let thread = Builder::new()
            .name("intake".to_owned())
            .spawn(|| read(rows, send))
            .map_err(|reason| IntakeError::NoThread {
                name: name.to_string(),
                reason,
            })?;
        Ok(Self {
            pages,
            text: String::new(),
            lent: 0,
            lines: Vec::new().into_iter(),
            thread,
        })
    }

    /// As [`RowReader::next`].
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::should_implement_trait, reason = "an Iterator cannot lend")]
    pub fn next(&mut self) -> Result<Line<'_>, IntakeError> {
        let kept = match self.lines.next() {
            Some(kept) => kept,
            None => match self.next_page() {
                Some(kept) => kept,
                None => return Ok(Line::End),
            },
        };
        match kept {
            Kept::Row {
                unionid,
                openid,
                corpid,
            } => {
                let begins = std::mem::replace(&mut self.lent, corpid.unwrap_or(openid));
                Ok(Line::Row(Row {
                    unionid: &self.text[begins..unionid],
                    openid: &self.text[unionid..openid],
                    corpid: corpid.map(|ends| &self.text[openid..ends]),
                }))
            }
            Kept::Bad(error) => Ok(Line::Bad(*error)),
            Kept::Failed(error) => Err(*error),
        }
    }

    /// The first line of the next page. The thread has ended if there is none.
    fn next_page(&mut self) -> Option<Kept> {
        let page = self.pages.recv().ok()?;
        (self.text, self.lent) = (page.text, 0);
        self.lines = page.lines.into_iter();
        self.lines.next()
    }

    /// The rows after their last line, for what they know of the whole.
    #[must_use]
    pub fn ended(self) -> RowReader {
        drop(self.pages);
        self.thread
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Reads to the end, or until nobody takes the pages any more.
fn read(mut rows: RowReader, pages: SyncSender<Page>) -> RowReader {
    loop {
        let mut page = Page::default();
        let goes_on = page.fill(&mut rows);
        let is_empty = page.lines.is_empty();
        if is_empty || pages.send(page).is_err() || !goes_on {
            return rows;
        }
    }
}

impl Page {
    /// Answers whether there may be more.
    fn fill(&mut self, rows: &mut RowReader) -> bool {
        self.lines.reserve_exact(LINES_A_PAGE);
        let mut bad = 0;
        while self.lines.len() < LINES_A_PAGE && self.text.len() + bad < BYTES_A_PAGE {
            let kept = match rows.next() {
                Ok(Line::Row(row)) => self.keep(&row),
                Ok(Line::Bad(error)) => {
                    bad += error.fields.iter().map(String::len).sum::<usize>();
                    Kept::Bad(error.into())
                }
                Ok(Line::End) => return false,
                Err(error) => {
                    self.lines.push(Kept::Failed(error.into()));
                    return false;
                }
            };
            self.lines.push(kept);
        }
        true
    }

    fn keep(&mut self, row: &Row<'_>) -> Kept {
        let mut append = |column: &str| {
            self.text.push_str(column);
            self.text.len()
        };
        Kept::Row {
            unionid: append(row.unionid),
            openid: append(row.openid),
            corpid: row.corpid.map(append),
        }
    }
}
