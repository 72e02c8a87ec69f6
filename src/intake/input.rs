//! One input on disk or on standard input, and the plain bytes in it.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use flate2::read::MultiGzDecoder;

use super::IntakeError;

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// A file (or a pipe with a name).
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// The input an argument means: `-` is standard input.
    #[must_use]
    pub fn parse(argument: &OsStr) -> Self {
        if argument == "-" {
            Self::Stdin
        } else {
            Self::Path(argument.into())
        }
    }

    /// What messages and the rejects file call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// What output files are named after: `fans` for `dir/fans.csv.gz`, `stdin` for `-`.
    #[must_use]
    pub fn stem(&self) -> String {
        let Self::Path(path) = self else {
            return "stdin".to_owned();
        };
        let mut stem = PathBuf::from(path.file_name().unwrap_or(path.as_os_str()));
        if Compression::named(&stem).is_some() {
            stem.set_extension("");
        }
        let stem = stem.file_stem().unwrap_or(stem.as_os_str());
        stem.to_string_lossy().into_owned()
    }

    /// Whether it can be read once only (standard input, a named pipe), so that it has no digest.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Path(path) => path
                .metadata()
                .is_ok_and(|meta| !meta.is_file() && !meta.is_dir()),
            Self::Stdin => true,
        }
    }
}

/// How a source is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn named(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_ascii_lowercase();
        match extension.to_str()? {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn begins(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// An opened input: its bytes unpacked, its raw bytes counted.
pub(super) struct Source {
    pub(super) name: Arc<str>,
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) compression: Option<Compression>,
    /// Raw bytes read so far.
    pub(super) bytes: Arc<AtomicU64>,
    /// Raw bytes altogether, if it is a plain file.
    pub(super) total: Option<u64>,
}

impl Source {
    pub(super) fn open(input: &Input) -> Result<Self, IntakeError> {
        let (raw, total): (Box<dyn Read + Send>, _) = match input {
            Input::Path(path) => {
                let file = open_file(path)?;
                let meta = file.metadata().ok().filter(std::fs::Metadata::is_file);
                (Box::new(file), meta.map(|meta| meta.len()))
            }
            Input::Stdin => (Box::new(io::stdin()), None),
        };
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            raw,
            bytes: Arc::clone(&bytes),
        };
        let unpack_error = |reason| IntakeError::Read {
            name: input.name(),
            lines: 0,
            reason,
        };
        let (reader, compression) = unpack(input, counted).map_err(unpack_error)?;
        Ok(Self {
            name: input.name().into(),
            reader,
            compression,
            bytes,
            total,
        })
    }

    /// The error for a read that failed after `lines` lines.
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

/// Unpacks by the first bytes, else by the name: a `.csv` may well be gzip.
fn unpack(input: &Input, mut raw: Counted) -> io::Result<Unpacked> {
    let head = read_up_to(&mut raw, 4)?;
    let by_name = || match input {
        // An empty `.gz` is an empty file, which is the better message.
        Input::Path(path) if !head.is_empty() => Compression::named(path),
        _ => None,
    };
    let compression = Compression::begins(&head).or_else(by_name);
    let whole = Cursor::new(head).chain(raw);
    let reader: Box<dyn Read + Send> = match compression {
        // Some tools write one member per block, so one is not the end.
        Some(Compression::Gzip) => Box::new(MultiGzDecoder::new(whole)),
        Some(Compression::Zstd) => Box::new(zstd::Decoder::new(whole)?),
        None => Box::new(whole),
    };
    Ok((reader, compression))
}

/// Opens `path` for reading, with the errors an operator can act on.
pub(super) fn open_file(path: &Path) -> Result<File, IntakeError> {
    let name = || path.display().to_string();
    // Opening a directory succeeds on Unix and fails on the first read, with a worse message.
    if path.is_dir() {
        return Err(IntakeError::Directory { name: name() });
    }
    File::open(path).map_err(|reason| IntakeError::Open {
        name: name(),
        reason,
    })
}

/// The first `limit` bytes of `reader`, fewer only at its end.
pub(super) fn read_up_to(reader: &mut dyn Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(limit).read_to_end(&mut head)?;
    Ok(head)
}

struct Counted {
    raw: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(buffer)?;
        self.bytes.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_named_after_the_stem() {
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
    fn a_directory_is_told_from_a_file() {
        let error = open_file(Path::new("src")).err().unwrap();
        assert!(error.to_string().starts_with("src is a directory"));
    }
}
