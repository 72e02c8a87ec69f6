//! The rejects file: every line of every source that could not be a subject, as the state file
//! keeps them, so that it can be written again at any time and is the same bytes each time.

use std::{io, path::Path};

use super::Failure;
use crate::{
    export::{ExportError, Target, publish_rejects},
    store::Reader,
};

/// Writes the file if there is anything to write.
pub(super) fn publish(reader: &Reader, path: &Path) -> Result<(), Failure> {
    let path = path.to_owned();
    match publish_rejects(reader, &Target::File(path.clone())) {
        Ok(_) => Ok(()),
        Err(ExportError::Store(why)) => Err(why.into()),
        Err(why) => {
            let reason = match why {
                ExportError::Folder { why, .. }
                | ExportError::Full(why)
                | ExportError::Write(why) => why,
                ExportError::IsFolder { .. } => io::ErrorKind::IsADirectory.into(),
                ExportError::NoFolder { .. } => io::ErrorKind::NotFound.into(),
                ExportError::ClosedPipe | ExportError::Store(_) => io::ErrorKind::BrokenPipe.into(),
            };
            Err(Failure::usage(format!(
                "cannot write the rejects to {}: {reason}. Make room there, or name another place \
                 with --rejects",
                path.display()
            )))
        }
    }
}
