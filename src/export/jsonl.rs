//! The results as JSON Lines: one object a line, with the columns of the CSV as its keys, in their
//! order. What there is not is null; the errcode is a number. Ids are as they are, since nothing
//! runs them.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::{
    error::ExportError,
    line::{ResultLine, TimestampText},
};

/// Writes lines of the results as JSON.
pub(super) struct JsonLines<W: Write> {
    out: BufWriter<W>,
    resolved_at: TimestampText,
}

/// The columns, in their order.
#[derive(Serialize)]
struct ResultObject<'a> {
    unionid: &'a str,
    openid: &'a str,
    corpid: Option<&'a str>,
    external_userid: Option<&'a str>,
    pending_id: Option<&'a str>,
    state: &'static str,
    errcode: Option<i64>,
    resolved_at: Option<&'a str>,
}

impl<W: Write> JsonLines<W> {
    /// `buffer` bytes are written at once.
    pub(super) fn new(out: W, buffer: usize) -> Self {
        Self {
            out: BufWriter::with_capacity(buffer, out),
            resolved_at: TimestampText::default(),
        }
    }

    pub(super) fn line(&mut self, line: &ResultLine<'_>) -> Result<(), ExportError> {
        let present = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let object = ResultObject {
            unionid: line.unionid,
            openid: line.openid,
            corpid: present(line.corpid),
            external_userid: present(line.external_userid),
            pending_id: present(line.pending_id),
            state: line.state.as_str(),
            errcode: line.errcode,
            resolved_at: Some(self.resolved_at.of(line.at)).filter(|text| !text.is_empty()),
        };
        serde_json::to_writer(&mut self.out, &object).map_err(io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Returns the writer, after the last line.
    pub(super) fn finish(self) -> Result<W, ExportError> {
        let inner = self.out.into_inner();
        Ok(inner.map_err(io::IntoInnerError::into_error)?)
    }
}
