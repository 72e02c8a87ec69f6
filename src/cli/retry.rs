//! `idferry retry`: chosen answers are asked for again by the next run.

use std::time::Duration;

use super::{
    console::{ask, say},
    job_flags::JobFlags,
    next_command::NextCommand,
    values::{duration, outcome},
};
use crate::{
    clock::{Clock, Timestamp},
    format::{count, counted},
    job::{Error, Exit},
    model::State,
    store::{Pass, PassOrigin, Selection, Store},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Ask subjects with this outcome again: parked, rejected, unlinked or linked (repeatable)
    /// [default with --errcode: parked and rejected].
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = outcome)]
    outcomes: Vec<State>,
    /// Only outcomes with this errcode (repeatable).
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    errcode: Vec<i64>,
    /// Only answers that are older than this, such as 30d or 12h.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Option<Duration>,
    /// No more than so many subjects, the first ones.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Take back what earlier retries asked for and no run has worked off.
    #[arg(long, conflicts_with_all = ["outcomes", "errcode", "older_than", "limit"])]
    cancel: bool,
    #[command(flatten)]
    job: JobFlags,
    /// Assume yes to all prompts.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args, next: &NextCommand) -> Result<Exit, Error> {
    let path = args.job.path()?;
    let now = Clock::system().now();
    let selection = if args.cancel {
        None
    } else {
        Some(args.selection(now)?)
    };
    if !path.exists() {
        return Err(Store::missing(&path).into());
    }
    let note = &mut |note| say(&format!("{note}"));
    let mut store = Store::open_noting(&path, now, note)?;
    let Some(selection) = selection else {
        return cancel(&store, now);
    };
    let chosen = store.passes().count(&selection)?;
    let chosen = args.limit.map_or(chosen, |limit| chosen.min(limit));
    if chosen == 0 {
        say("no subject has such an outcome; nothing is asked again");
        return Ok(Exit::Done);
    }
    if args.needs_consent() && !consents(chosen)? {
        say("nothing is asked again");
        return Ok(Exit::Done);
    }
    store.open_pass(PassOrigin::Retry, &selection, args.limit, now)?;
    say(&format!(
        "{} to be asked again, {} wait for their first answer; `{}` asks them. Old answers stay until \
         new ones come; `{}` takes this back",
        counted(chosen, "subject"),
        count(store.tally().of(State::Queued)),
        next.run(),
        next.on_same_job("retry --cancel"),
    ));
    Ok(Exit::Done)
}

impl Args {
    fn selection(&self, now: Timestamp) -> Result<Selection, Error> {
        if self.outcomes.is_empty() && self.errcode.is_empty() {
            return Err(Error::usage(
                "retry what? For example --outcome parked, or --errcode 610017",
            ));
        }
        if self.errcode.contains(&0) {
            return Err(Error::usage(
                "--errcode 0 is success (成功): name answers to ask again by --outcome linked or \
                 --outcome unlinked",
            ));
        }
        if self.outcomes.contains(&State::Queued) {
            return Err(Error::usage(
                "queued subjects have no answer yet: `idferry run` asks them",
            ));
        }
        let states = match self.outcomes.is_empty() {
            true => vec![State::Rejected, State::Parked],
            false => self.outcomes.clone(),
        };
        Ok(Selection {
            states,
            errcodes: self.errcode.clone(),
            before: self.older_than.map(|age| now.minus(age)),
        })
    }

    /// Asking answered subjects again costs quota for what is known.
    fn needs_consent(&self) -> bool {
        let is_answered = |state| matches!(state, &State::Linked | &State::Unlinked);
        !self.yes && !self.job.sandbox && self.outcomes.iter().any(is_answered)
    }
}

fn consents(subjects: u64) -> Result<bool, Error> {
    let subjects = counted(subjects, "answered subject");
    ask(&format!("ask {subjects} again, one call each?")).ok_or_else(|| {
        Error::usage(format!(
            "{subjects} would be asked again, one call each: type it again with --yes"
        ))
    })
}

fn cancel(store: &Store, now: Timestamp) -> Result<Exit, Error> {
    let passes = store.passes();
    let open = passes.unfinished()?.into_iter();
    let open: Vec<_> = open
        .filter(|pass| pass.origin == PassOrigin::Retry)
        .collect();
    for pass in &open {
        passes.close(pass.id, now)?;
    }
    say(&match open.iter().map(Pass::left).sum() {
        0 => "there is no retry to take back".to_owned(),
        left => format!(
            "{} are not asked again; what was answered anew stays",
            counted(left, "subject")
        ),
    });
    Ok(Exit::Done)
}
