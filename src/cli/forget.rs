//! `idferry forget`: persons are deleted, and their bytes.

use std::path::{Path, PathBuf};

use super::{
    console::{agrees, say},
    job_flags::JobFlags,
};
use crate::{
    clock::Timestamp,
    format::counted,
    job::{Error, Exit, ForgetWhom, Forgetting},
};

/// Most files of a folder that are named one by one.
const MOST_NAMED: usize = 8;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    whom: Whom,
    /// Assume yes to the question.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    job: JobFlags,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// Everybody who has a unionid, openid or external_userid that is in this file, such as a CSV.
    #[arg(long, value_name = "FILE")]
    subject: Option<PathBuf>,
    /// Everybody whose answer is older, such as 2026-11-22 or 2026-11-22T09:00+08:00.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    answered_before: Option<Timestamp>,
    /// Everybody.
    #[arg(long)]
    everything: bool,
}

impl Whom {
    fn resolved(&self) -> ForgetWhom {
        match (&self.subject, self.answered_before) {
            (Some(list), _) => ForgetWhom::ListedIn(list.clone()),
            (None, Some(at)) => ForgetWhom::AnsweredBefore(at),
            // The group requires one of the three.
            (None, None) => ForgetWhom::Everybody,
        }
    }
}

/// The files in a sentence: of a folder with many only how many.
fn by_folder(files: &[String]) -> Vec<String> {
    let folder = |file: &String| Path::new(file).parent().map(Path::to_owned);
    let mut named = Vec::new();
    for together in files.chunk_by(|one, other| folder(one) == folder(other)) {
        match together {
            [first, ..] if together.len() > MOST_NAMED => {
                let folder = folder(first).unwrap_or_default();
                named.push(format!("{} files in {}", together.len(), folder.display()));
            }
            few => named.extend_from_slice(few),
        }
    }
    named
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let path = args.job.path()?;
    let note = &mut |note| say(&format!("{note}"));
    let forgetting = Forgetting::find(&path, &args.whom.resolved(), note)?;
    let found = forgetting.found;
    let what = format!(
        "{} with {} and {}",
        counted(found.subjects, "subject"),
        counted(found.links, "link"),
        counted(found.rejects, "invalid line")
    );
    let path = path.display();
    if !args.yes && !agrees(&format!("Delete {what} from {path}, for good?")) {
        return Err(Error::usage(format!(
            "nothing was deleted: {what} would be, from {path}. To delete them add --yes"
        )));
    }
    let left = forgetting.delete()?;
    say(&format!(
        "{path}: {what} deleted; no byte of them is left in it"
    ));
    for (files, what) in [
        (
            left.outputs,
            "written by this job; delete them, then write them again",
        ),
        (left.inputs, "inputs"),
    ] {
        if !files.is_empty() {
            let files = by_folder(&files).join(", ");
            say(&format!("may still hold them ({what}): {files}"));
        }
    }
    say("backups may hold them too");
    Ok(Exit::Done)
}
