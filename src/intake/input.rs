//! Inputs: files and standard input, opened and unpacked.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;

use super::error::IntakeError;

/// A file or standard input, as it was named on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// A file or a named pipe.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// Returns the input that an argument names; `-` is standard input.
    pub fn parse(argument: &OsStr) -> Self {
        if argument == "-" {
            Self::Stdin
        } else {
            Self::Path(argument.into())
        }
    }

    /// Returns its name in messages and in the rejects file.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// Returns the stem of output files: `fans` for `dir/fans.csv.gz`, `stdin` for `-`.
    pub(crate) fn stem(&self) -> String {
        let Self::Path(path) = self else {
            return "stdin".to_owned();
        };
        let mut stem = PathBuf::from(path.file_name().unwrap_or(path.as_os_str()));
        if Compression::from_name(&stem).is_some() {
            stem.set_extension("");
        }
        let stem = stem.file_stem().unwrap_or(stem.as_os_str());
        stem.to_string_lossy().into_owned()
    }

    /// Whether it can be read only once (standard input, a named pipe) and thus has no digest.
    pub(crate) fn is_stream(&self) -> bool {
        match self {
            Self::Path(path) => path
                .metadata()
                .is_ok_and(|meta| !meta.is_file() && !meta.is_dir()),
            Self::Stdin => true,
        }
    }
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Returns how a file of this name is compressed.
    pub(crate) fn from_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_ascii_lowercase();
        match extension.to_str()? {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn from_magic(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

pub(super) struct Source {
    pub(super) name: Arc<str>,
    /// Its bytes, unpacked.
    pub(super) reader: Box<dyn Read + Send>,
    compression: Option<Compression>,
}

impl Source {
    pub(super) fn open(input: &Input) -> Result<Self, IntakeError> {
        let raw: Box<dyn Read + Send> = match input {
            Input::Path(path) => Box::new(open_file(path)?),
            Input::Stdin => Box::new(io::stdin()),
        };
        let unpack_error = |reason| IntakeError::Read {
            name: input.name(),
            lines: 0,
            reason,
        };
        let (reader, compression) = unpack(input, raw).map_err(unpack_error)?;
        Ok(Self {
            name: input.name().into(),
            reader,
            compression,
        })
    }

    /// Returns the error for a read that failed after `lines` lines.
    pub(super) fn failed(&self, lines: u64, reason: io::Error) -> IntakeError {
        let name = self.name.to_string();
        match self.compression {
            Some(compression) => IntakeError::Broken {
                name,
                compression: compression.as_str(),
                lines,
                reason,
            },
            None => IntakeError::Read {
                name,
                lines,
                reason,
            },
        }
    }
}

type Unpacked = (Box<dyn Read + Send>, Option<Compression>);

/// Unpacks what the first bytes, or else the name, tell to be compressed: a `.csv` can be gzip.
fn unpack(input: &Input, mut raw: Box<dyn Read + Send>) -> io::Result<Unpacked> {
    let head = read_up_to(&mut raw, 4)?;
    let by_name = || match input {
        // An empty `.gz` is reported as an empty file.
        Input::Path(path) if !head.is_empty() => Compression::from_name(path),
        _ => None,
    };
    let compression = Compression::from_magic(&head).or_else(by_name);
    let whole = Cursor::new(head).chain(raw);
    let reader: Box<dyn Read + Send> = match compression {
        // Some tools write several gzip members.
        Some(Compression::Gzip) => Box::new(MultiGzDecoder::new(whole)),
        Some(Compression::Zstd) => Box::new(zstd::Decoder::new(whole)?),
        None => Box::new(whole),
    };
    Ok((reader, compression))
}

pub(super) fn open_file(path: &Path) -> Result<File, IntakeError> {
    let name = || path.display().to_string();
    // On Unix a directory can be opened; reading it fails, with a worse message.
    if path.is_dir() {
        return Err(IntakeError::Directory { name: name() });
    }
    File::open(path).map_err(|reason| IntakeError::Open {
        name: name(),
        reason,
    })
}

/// Returns the first `limit` bytes of `reader`, fewer only at its end.
pub(super) fn read_up_to(reader: &mut dyn Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(limit).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stem_drops_folder_and_suffixes() {
        for (argument, stem) in [
            ("dir/fans.csv.gz", "fans"),
            ("fans.csv", "fans"),
            ("fans.CSV.ZST", "fans"),
            ("fans.2026-11.csv", "fans.2026-11"),
            ("fans", "fans"),
            ("-", "stdin"),
        ] {
            assert_eq!(Input::parse(argument.as_ref()).stem(), stem, "{argument}");
        }
    }

    #[test]
    fn directory_is_told_from_a_file() {
        let error = open_file(Path::new("src")).err().unwrap();
        assert!(error.to_string().starts_with("src is a directory"));
    }
}
