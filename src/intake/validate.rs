//! The checks that a line can be a subject, which cost no call.

use super::{
    header::Header,
    id::{has_usual_length, is_blank, parse_corpid, parse_id, parse_letters},
    records::Records,
    reject::RejectReason,
};
use crate::model::Row;

/// What is wrong with a field of a line.
pub(super) struct FieldError {
    /// The index of the column; `None` if it is the whole line.
    pub(super) column: Option<usize>,
    pub(super) reason: RejectReason,
}

impl FieldError {
    pub(super) const NUL: Self = Self {
        column: None,
        reason: RejectReason::Nul,
    };
}

/// Returns the row in the current record. `corpid` is the filter of the whole source, which the row
/// must not contradict.
pub(super) fn row<'a>(
    records: &'a Records,
    header: &Header,
    corpid: Option<&'a str>,
) -> Result<Row<'a>, FieldError> {
    let in_column = |column| {
        move |reason| FieldError {
            column: Some(column),
            reason,
        }
    };
    let id = |column| {
        let bytes = field(records, column).map(|bytes| header.unescaped(bytes));
        bytes.and_then(parse_id).map_err(in_column(column))
    };
    let (unionid, openid) = (id(header.unionid)?, id(header.openid)?);
    let corpid = match header.corpid {
        Some(column) => row_corpid(records, header, corpid).map_err(in_column(column))?,
        None => corpid,
    };
    Ok(Row {
        unionid,
        openid,
        corpid,
    })
}

/// Whether an id of `row` has a length that ids have not had so far.
pub(super) fn is_unusual(row: &Row<'_>) -> bool {
    !has_usual_length(row.unionid) || !has_usual_length(row.openid)
}

/// Whether all fields of the current record are blank, as in the `,,,` that Excel writes below a
/// table.
pub(super) fn is_blank_record(records: &Records) -> bool {
    (0..records.fields()).all(|column| is_blank(records.field(column).unwrap_or_default()))
}

fn row_corpid<'a>(
    records: &'a Records,
    header: &Header,
    filter: Option<&'a str>,
) -> Result<Option<&'a str>, RejectReason> {
    // An empty corpid is none, and so is one that the line is too short to have.
    let own = header.corpid.and_then(|column| records.field(column));
    let own = parse_letters(header.unescaped(own.unwrap_or_default()))?;
    if own.is_empty() {
        return Ok(filter);
    }
    let own = parse_corpid(own)?;
    match filter {
        Some(filter) if filter != own => Err(RejectReason::OtherCorp),
        _ => Ok(Some(own)),
    }
}

fn field(records: &Records, column: usize) -> Result<&[u8], RejectReason> {
    let fields = records.fields();
    records.field(column).ok_or(RejectReason::Absent { fields })
}
