//! Reading ahead on a thread of its own: one core unpacks, cuts and validates lines while another
//! imports them.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    vec,
};

use super::{
    error::IntakeError,
    reject::RowError,
    rows::{InputLine, RowReader},
};
use crate::model::Row;

/// Most lines of a page, and most bytes of a page, text of invalid lines included.
const LINES_A_PAGE: usize = 2048;
const BYTES_A_PAGE: usize = 256 * 1024;
/// Pages read and not yet taken.
const PAGES_AHEAD: usize = 4;

/// A [`RowReader`] on a thread. If this is dropped before the end, the thread ends after its current
/// page.
pub(crate) struct ReadAhead {
    pages: Receiver<Page>,
    text: String,
    /// Where the columns of the line lent last end in `text`.
    lent: usize,
    lines: vec::IntoIter<PageLine>,
    thread: JoinHandle<RowReader>,
}

/// Lines that are handed over at once.
#[derive(Default)]
struct Page {
    /// The columns of its rows, one after the other.
    text: String,
    lines: Vec<PageLine>,
}

enum PageLine {
    /// Where its columns end in the text of the page.
    Row {
        unionid: usize,
        openid: usize,
        corpid: Option<usize>,
    },
    Invalid(Box<RowError>),
    /// Reading failed here; the last line there is.
    Failed(Box<IntakeError>),
}

impl ReadAhead {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// [`IntakeError::NoThread`].
    pub(crate) fn of(rows: RowReader) -> Result<Self, IntakeError> {
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

    /// Returns the next line, like [`RowReader::next`].
    pub(crate) fn next(&mut self) -> Result<InputLine<'_>, IntakeError> {
        let line = match self.lines.next() {
            Some(line) => line,
            None => match self.next_page() {
                Some(line) => line,
                None => return Ok(InputLine::End),
            },
        };
        match line {
            PageLine::Row {
                unionid,
                openid,
                corpid,
            } => {
                let start = std::mem::replace(&mut self.lent, corpid.unwrap_or(openid));
                Ok(InputLine::Row(Row {
                    unionid: &self.text[start..unionid],
                    openid: &self.text[unionid..openid],
                    corpid: corpid.map(|end| &self.text[openid..end]),
                }))
            }
            PageLine::Invalid(error) => Ok(InputLine::Invalid(*error)),
            PageLine::Failed(error) => Err(*error),
        }
    }

    /// Returns the first line of the next page; `None` if the thread has ended.
    fn next_page(&mut self) -> Option<PageLine> {
        let page = self.pages.recv().ok()?;
        self.text = page.text;
        self.lent = 0;
        self.lines = page.lines.into_iter();
        self.lines.next()
    }

    /// Ends the thread and returns the reader, which knows the numbers of the whole source.
    pub(crate) fn finish(self) -> RowReader {
        drop(self.pages);
        self.thread
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Reads to the end, or until the receiver of the pages is dropped.
fn read(mut rows: RowReader, pages: SyncSender<Page>) -> RowReader {
    loop {
        let mut page = Page::default();
        let has_more = page.fill(&mut rows);
        let is_empty = page.lines.is_empty();
        if is_empty || pages.send(page).is_err() || !has_more {
            return rows;
        }
    }
}

impl Page {
    /// Returns whether there may be more lines.
    fn fill(&mut self, rows: &mut RowReader) -> bool {
        self.lines.reserve_exact(LINES_A_PAGE);
        let mut invalid = 0;
        while self.lines.len() < LINES_A_PAGE && self.text.len() + invalid < BYTES_A_PAGE {
            let line = match rows.next() {
                Ok(InputLine::Row(row)) => self.keep(&row),
                Ok(InputLine::Invalid(error)) => {
                    invalid += error.fields.iter().map(String::len).sum::<usize>();
                    PageLine::Invalid(error.into())
                }
                Ok(InputLine::End) => return false,
                Err(error) => {
                    self.lines.push(PageLine::Failed(error.into()));
                    return false;
                }
            };
            self.lines.push(line);
        }
        true
    }

    fn keep(&mut self, row: &Row<'_>) -> PageLine {
        let mut append = |column: &str| {
            self.text.push_str(column);
            self.text.len()
        };
        PageLine::Row {
            unionid: append(row.unionid),
            openid: append(row.openid),
            corpid: row.corpid.map(append),
        }
    }
}
