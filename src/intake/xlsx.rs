//! Excel workbooks: a sheet becomes CSV in a temporary file, a row of it the record on the line of
//! its number, so that all that follows is the same for both.
//!
//! A workbook is an archive that is read from its end: a copy of it, and the sheet, are in temporary
//! files without a name while it is read. Its table of texts, which Excel keeps apart from the sheets, is
//! in memory; it is as large as the texts of the workbook that differ.
//!
//! Cells are text here as they are in the workbook: numbers with all their digits, dates and times in
//! ISO 8601, truth values and errors as Excel shows them.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
};

use calamine::{Cell, DataRef, ExcelDateTime, Reader, SheetType, Xlsx, XlsxCellReader, XlsxError};

use super::{error::IntakeError, records::ROW_END};

/// Most rows and columns of a sheet: Excel's own limits.
const MOST_ROWS: u32 = 1 << 20;
const MOST_COLUMNS: u32 = 1 << 14;

/// Whether a source that begins with `sample` may be a workbook: it is a zip archive.
pub(super) fn is_zip(sample: &[u8]) -> bool {
    sample.starts_with(b"PK\x03\x04")
}

/// A sheet as CSV.
pub(super) struct SheetText {
    /// The name of the sheet.
    pub(super) name: String,
    /// UTF-8, with commas; each row ends with [`ROW_END`].
    pub(super) csv: File,
}

/// Reads `sheet`, or the first one, of the workbook in `bytes`, which is called `name` in errors.
pub(super) fn read_sheet(
    name: &str,
    mut bytes: impl Read,
    sheet: Option<&str>,
) -> Result<SheetText, IntakeError> {
    let failed = |reason: String| IntakeError::Workbook {
        name: name.to_owned(),
        reason,
    };
    // An archive is read from its end, which a stream does not have.
    let file = spooled(&mut bytes).map_err(|error| failed(error.to_string()))?;
    let workbook = Xlsx::new(BufReader::new(file));
    let mut workbook = workbook.map_err(|error| failed(explained(&error)))?;
    let sheet = chosen(name, &workbook, sheet)?;
    let cells = workbook.worksheet_cells_reader(&sheet);
    let mut cells = cells.map_err(|error| failed(explained(&error)))?;
    let csv = to_csv(&mut cells).map_err(failed)?;
    Ok(SheetText { name: sheet, csv })
}

fn spooled(bytes: &mut impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(bytes, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// What is wrong with a workbook, without the words of its format.
fn explained(error: &XlsxError) -> String {
    match error {
        XlsxError::FileNotFound(_) | XlsxError::RelationshipNotFound => {
            "it is a zip archive, but no workbook".to_owned()
        }
        error => error.to_string(),
    }
}

/// Returns the name of the sheet to read.
fn chosen<RS: Read + Seek>(
    name: &str,
    workbook: &Xlsx<RS>,
    wanted: Option<&str>,
) -> Result<String, IntakeError> {
    let sheets = workbook.sheets_metadata().iter();
    let sheets = sheets.filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let names: Vec<_> = sheets.map(|sheet| sheet.name.clone()).collect();
    let is_wanted = |sheet: &&String| wanted.is_none_or(|wanted| wanted == *sheet);
    names.iter().find(is_wanted).cloned().ok_or_else(|| {
        let quoted = names.iter().map(|sheet| format!("'{sheet}'"));
        IntakeError::NoSheet {
            name: name.to_owned(),
            wanted: wanted.unwrap_or_default().to_owned(),
            found: quoted.collect::<Vec<_>>().join(", "),
        }
    })
}

/// Writes the cells, which come row by row and within a row from left to right.
fn to_csv<RS: Read + Seek>(cells: &mut XlsxCellReader<'_, RS>) -> Result<File, String> {
    let disk = |error: io::Error| error.to_string();
    let mut csv = BufWriter::new(tempfile::tempfile().map_err(disk)?);
    let (mut row, mut column, mut text) = (0, 0, String::new());
    while let Some(cell) = cells.next_cell().map_err(|error| explained(&error))? {
        let (at_row, at_column) = cell.get_position();
        if at_row < row || at_row >= MOST_ROWS || at_column >= MOST_COLUMNS {
            return Err(format!("row {} is out of place", u64::from(at_row) + 1));
        }
        while row < at_row {
            csv.write_all(&[ROW_END]).map_err(disk)?;
            (row, column) = (row + 1, 0);
        }
        if at_column < column {
            return Err(format!("the cells of row {} are out of order", at_row + 1));
        }
        while column < at_column {
            csv.write_all(b",").map_err(disk)?;
            column += 1;
        }
        text.clear();
        push_text(&mut text, &cell);
        if text.contains(char::from(ROW_END)) {
            text = text.replace(char::from(ROW_END), " ");
        }
        write_cell(&mut csv, &text).map_err(disk)?;
    }
    csv.write_all(&[ROW_END]).map_err(disk)?;
    let mut csv = csv.into_inner().map_err(|error| disk(error.into_error()))?;
    csv.seek(SeekFrom::Start(0)).map_err(disk)?;
    Ok(csv)
}

fn write_cell(csv: &mut impl Write, text: &str) -> io::Result<()> {
    if text.contains(['"', ',', '\n', '\r']) {
        write!(csv, "\"{}\"", text.replace('"', "\"\""))
    } else {
        csv.write_all(text.as_bytes())
    }
}

/// Appends the text of a cell.
fn push_text(text: &mut String, cell: &Cell<DataRef<'_>>) {
    // Writing to a String cannot fail.
    let _ = match cell.get_value() {
        DataRef::Int(number) => write!(text, "{number}"),
        // The shortest digits that give the same number again, without an exponent.
        DataRef::Float(number) => write!(text, "{number}"),
        DataRef::String(string) => text.write_str(string),
        DataRef::SharedString(string) => text.write_str(string),
        DataRef::Bool(true) => text.write_str("TRUE"),
        DataRef::Bool(false) => text.write_str("FALSE"),
        DataRef::DateTime(at) => push_time(text, at),
        DataRef::DateTimeIso(iso) | DataRef::DurationIso(iso) => text.write_str(iso),
        DataRef::Error(error) => write!(text, "{error}"),
        DataRef::Empty => Ok(()),
    };
}

/// Appends a date, a date and a time, or a time alone, as its number says; a span of time as its
/// number of days, which is what the workbook has.
fn push_time(text: &mut String, at: &ExcelDateTime) -> std::fmt::Result {
    if !at.is_datetime() {
        return write!(text, "{}", at.as_f64());
    }
    let (year, month, day, hour, minute, second, milli) = at.to_ymd_hms_milli();
    let (has_date, has_time) = (at.as_f64() >= 1.0, at.as_f64().fract() != 0.0);
    if has_date {
        write!(text, "{year:04}-{month:02}-{day:02}")?;
    }
    if has_date && has_time {
        text.push('T');
    }
    if has_time || !has_date {
        write!(text, "{hour:02}:{minute:02}:{second:02}")?;
    }
    if milli > 0 {
        write!(text, ".{milli:03}")?;
    }
    Ok(())
}

/// Returns the letters of a column, from 0: A, Z, AA.
pub(super) fn column_letters(mut column: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(
            b'A' + u8::try_from(column % 26).unwrap_or_default(),
        ));
        match column / 26 {
            0 => return letters.into_iter().rev().collect(),
            more => column = more - 1,
        }
    }
}

#[cfg(test)]
mod tests;
