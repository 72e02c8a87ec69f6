//! External_userids of downstream corps, as `idferry pending match` reads them.

use std::io;

use super::{
    buffer::ReadBuffer,
    error::IntakeError,
    header::{DELIMITERS, names_of, normalized, shown},
    id::{parse_corpid, parse_letters},
    input::{Input, Source, read_up_to},
    options::ReadOptions,
    records::{NextRecord, Records},
    rows::{SAMPLE, plain_text, refuse_other_formats, sheet_text},
    validate::is_blank_record,
    xlsx::is_zip,
};
use crate::model::Contact;

/// The longest external_userid and chat_id, in bytes.
const LONGEST: usize = 128;

/// What a source held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ContactLines {
    /// Lines, the header not counted.
    pub(crate) lines: u64,
    /// Those that cannot be asked about, and the first of them with the reason.
    pub(crate) invalid: u64,
    pub(crate) first_invalid: Option<(u64, String)>,
}

/// The columns of a source.
struct ContactColumns {
    external_userid: usize,
    corpid: Option<usize>,
    chat_id: Option<usize>,
}

/// Reads `input` and passes every external_userid to `each`, until an error of `each`. The corpid of
/// the options is that of lines without one.
///
/// # Errors
///
/// If it cannot be opened or read, or has no column `external_userid`.
pub(crate) fn read_contacts<E: From<IntakeError>>(
    input: &Input,
    options: &ReadOptions,
    mut each: impl FnMut(&Contact<'_>) -> Result<(), E>,
) -> Result<ContactLines, E> {
    let (source, mut records) = open(input, options)?;
    let columns = locate(&source, &mut records, options)?;
    let mut read = ContactLines::default();
    loop {
        let record = records
            .next()
            .map_err(|why| E::from(source.failed(read.lines, why)))?;
        let contact = match record {
            NextRecord::End => return Ok(read),
            NextRecord::Whole { .. } if is_blank_record(&records) => continue,
            NextRecord::Whole { nul: true, .. } => Err("it contains a NUL".to_owned()),
            NextRecord::Whole { .. } => contact(&records, &columns, options),
            NextRecord::Damaged { reason, .. } => Err(reason.to_string()),
        };
        read.lines += 1;
        match contact {
            Ok(contact) => each(&contact)?,
            Err(why) => {
                read.invalid += 1;
                let line = records.line();
                read.first_invalid.get_or_insert((line, why));
            }
        }
    }
}

fn open(input: &Input, options: &ReadOptions) -> Result<(Source, Records), IntakeError> {
    let mut source = Source::open(input)?;
    let sample = read_up_to(&mut source.reader, SAMPLE);
    let sample = sample.map_err(|error| source.failed(0, error))?;
    let reader = std::mem::replace(&mut source.reader, Box::new(io::empty()));
    let is_sheet = is_zip(&sample);
    let text = if is_sheet {
        sheet_text(&mut source, sample, reader, options)?
    } else {
        refuse_other_formats(&source, &sample)?;
        plain_text(sample, reader, options)
    };
    let buffer = ReadBuffer::new(text.reader);
    let records = match is_sheet {
        true => Records::of_sheet(buffer),
        false => Records::new(buffer),
    };
    let mut records = records.map_err(|error| source.failed(0, error))?;
    let line = String::from_utf8_lossy(records.first_line()).into_owned();
    let finds = |delimiter: &&u8| {
        let mut names = line.split(char::from(**delimiter));
        names.any(|name| plain(name) == plain("external_userid"))
    };
    let detected = DELIMITERS.iter().find(finds).copied().unwrap_or(b',');
    let delimiter = options.delimiter.filter(|_| !is_sheet);
    records.set_delimiter(delimiter.unwrap_or(if is_sheet { b',' } else { detected }));
    Ok((source, records))
}

/// A name without case, spaces and underscores.
fn plain(name: &str) -> String {
    normalized(name).replace('_', "")
}

fn locate(
    source: &Source,
    records: &mut Records,
    options: &ReadOptions,
) -> Result<ContactColumns, IntakeError> {
    let name = source.name.to_string();
    match records.next().map_err(|error| source.failed(0, error))? {
        NextRecord::Whole { .. } => {}
        NextRecord::Damaged { .. } => return Err(IntakeError::NoHeader { name }),
        NextRecord::End => return Err(IntakeError::EmptyFile { name }),
    }
    let names = names_of(records);
    let find = |wanted: &str| {
        let mut names = names.iter();
        names.position(|name| plain(name) == plain(wanted))
    };
    let corpid = options.columns.corpid.as_deref().unwrap_or("corpid");
    let Some(external_userid) = find("external_userid") else {
        return Err(IntakeError::NoContacts {
            name,
            found: shown(&names),
        });
    };
    Ok(ContactColumns {
        external_userid,
        corpid: find(corpid),
        chat_id: find("chat_id"),
    })
}

fn contact<'r>(
    records: &'r Records,
    columns: &ContactColumns,
    options: &'r ReadOptions,
) -> Result<Contact<'r>, String> {
    let cell = |column: usize| records.field(column).unwrap_or_default();
    let id = |column: usize, what: &str| {
        let id = parse_letters(cell(column)).map_err(|why| format!("{what} {why}"))?;
        match id.len() > LONGEST {
            true => Err(format!("{what} is longer than {LONGEST} bytes")),
            false => Ok(id),
        }
    };
    let external_userid = id(columns.external_userid, "external_userid")?;
    if external_userid.is_empty() {
        return Err("external_userid is empty".to_owned());
    }
    let chat_id = columns.chat_id.map(|column| id(column, "chat_id"));
    let corpid = columns.corpid.map(|column| id(column, "corpid"));
    let corpid = corpid.transpose()?.filter(|corpid| !corpid.is_empty());
    let corpid = corpid.or(options.corpid.as_deref()).unwrap_or_default();
    if !corpid.is_empty() {
        parse_corpid(corpid).map_err(|why| format!("corpid {why}"))?;
    }
    Ok(Contact {
        corpid,
        external_userid,
        chat_id: chat_id.transpose()?.unwrap_or_default(),
    })
}
