//! The digest by which an imported file is recognised when the same command runs again.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use xxhash_rust::xxh3::Xxh3;

use super::{
    encoding::Encoding,
    error::IntakeError,
    input::{Input, open_file},
    options::ReadOptions,
};

/// Bytes read at a time: many enough that system calls do not matter, few enough for the cache.
const CHUNK: usize = 1 << 20;

/// Returns the digest of the raw bytes of a file and of the options that change how it is read. Not
/// for pipes, which it would empty: see [`Input::is_stream`].
///
/// # Errors
///
/// [`IntakeError::Open`], [`IntakeError::Directory`] or [`IntakeError::Read`].
pub(crate) fn digest(path: &Path, options: &ReadOptions) -> Result<[u8; 16], IntakeError> {
    let input = Input::Path(path.to_owned());
    let file = open_file(path)?;
    let mut hash = Xxh3::new();
    hash_options(&mut hash, options);
    hash_file(&mut hash, file).map_err(|reason| IntakeError::Read {
        name: input.name(),
        lines: 0,
        reason,
    })?;
    Ok(hash.digest128().to_be_bytes())
}

fn hash_file(hash: &mut Xxh3, mut file: File) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => hash.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Hashes every option after its length, so that no two sets of options give the same bytes.
fn hash_options(hash: &mut Xxh3, options: &ReadOptions) {
    let columns = &options.columns;
    let delimiter = options.delimiter.map(|byte| char::from(byte).to_string());
    let parts = [
        columns.unionid.as_deref(),
        columns.openid.as_deref(),
        columns.corpid.as_deref(),
        options.encoding.map(Encoding::as_str),
        delimiter.as_deref(),
        options.corpid.as_deref(),
        options.sheet.as_deref(),
    ];
    for part in parts {
        // The length of an absent option is one that no present option can have.
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        hash.update(&length.to_be_bytes());
        hash.update(part.unwrap_or_default().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn digest_changes_with_the_bytes_and_with_the_options() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"unionid,openid\n").unwrap();
        let plain = digest(file.path(), &ReadOptions::default()).unwrap();
        assert_eq!(plain, digest(file.path(), &ReadOptions::default()).unwrap());
        let (mut corp, mut column) = (ReadOptions::default(), ReadOptions::default());
        corp.corpid = Some("wpA".into());
        column.columns = "corpid=wpA".parse().unwrap();
        let of_corp = digest(file.path(), &corp).unwrap();
        assert_ne!(plain, of_corp);
        assert_ne!(of_corp, digest(file.path(), &column).unwrap());
        file.write_all(b"\n").unwrap();
        assert_ne!(plain, digest(file.path(), &ReadOptions::default()).unwrap());
    }

    #[test]
    fn missing_file_has_no_digest() {
        let error = digest(Path::new("nowhere/fans.csv"), &ReadOptions::default());
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("cannot open nowhere/fans.csv:"));
    }
}
