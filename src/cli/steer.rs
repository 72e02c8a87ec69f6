//! `idferry pause`, `resume`, `throttle` and `stop`: what is asked of a run from elsewhere.

use std::str::FromStr;

use super::{console::say, job_flags::JobFlags, next_command::NextCommand};
use crate::{
    format::counted,
    job::{Addressee, Error, Exit, Steering},
    store::Wish,
};

/// How much a run is throttled.
#[derive(clap::Args)]
pub(super) struct ThrottleArgs {
    /// `off` lifts every throttle.
    #[arg(value_name = "off", value_parser = ["off"], conflicts_with_all = ["rate", "concurrency"])]
    off: Option<String>,
    /// At most so many calls a second or minute, such as 20/s or 600/m.
    #[arg(long, value_name = "N/s")]
    rate: Option<CallRate>,
    /// At most so many calls in flight.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: Option<u16>,
    #[command(flatten)]
    job: JobFlags,
}

/// Calls a minute.
#[derive(Clone, Copy)]
struct CallRate(u64);

impl FromStr for CallRate {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let form = || "a number of calls a second or a minute, such as 20/s or 600/m".to_owned();
        let (calls, per) = word.split_once('/').ok_or_else(form)?;
        let calls: u32 = calls.parse().map_err(|_| form())?;
        let calls = match per {
            "s" => u64::from(calls) * 60,
            "m" | "min" => u64::from(calls),
            _ => return Err(form()),
        };
        (calls > 0)
            .then_some(Self(calls))
            .ok_or_else(|| format!("0 sends nothing: that is `idferry pause`; or {}", form()))
    }
}

pub(super) fn pause(job: &JobFlags, next: &NextCommand) -> Result<Exit, Error> {
    let job = open(job)?;
    job.ask(Wish::Pause)?;
    let resume = next.on_same_job("resume");
    say(&match job.addressee()? {
        Addressee::Run(pid) => {
            format!(
                "the run of pid {pid} sends nothing more within a second; `{resume}` lets it continue"
            )
        }
        Addressee::NextRun => {
            format!("no run is at work; the next one waits before its first call until `{resume}`")
        }
    });
    Ok(Exit::Done)
}

pub(super) fn resume(job: &JobFlags) -> Result<Exit, Error> {
    let job = open(job)?;
    let was_paused = job.withdraw(&[Wish::Pause.code()])?;
    say(match (was_paused, job.addressee()?) {
        (false, _) => "it was not paused",
        (true, Addressee::Run(_)) => "the run continues within a second",
        (true, Addressee::NextRun) => "no run is at work; the next one sends at once",
    });
    Ok(Exit::Done)
}

pub(super) fn stop(job: &JobFlags) -> Result<Exit, Error> {
    let job = open(job)?;
    let Addressee::Run(pid) = job.addressee()? else {
        say("no run is at work: there is nothing to stop");
        return Ok(Exit::Done);
    };
    job.ask(Wish::Stop)?;
    say(&format!(
        "the run of pid {pid} sends no more calls, waits for those in flight and exits with {}",
        Exit::WorkLeft.code()
    ));
    Ok(Exit::Done)
}

pub(super) fn throttle(args: &ThrottleArgs, next: &NextCommand) -> Result<Exit, Error> {
    let rate = args.rate.map(|CallRate(calls)| Wish::Rate(calls));
    let concurrency = args.concurrency.map(Wish::Concurrency);
    let wishes: Vec<_> = rate.into_iter().chain(concurrency).collect();
    if wishes.is_empty() && args.off.is_none() {
        return Err(Error::usage(
            "throttle to what? --rate 20/s, --concurrency 4, or off",
        ));
    }
    let job = open(&args.job)?;
    if args.off.is_some() {
        let codes = [Wish::Rate(1).code(), Wish::Concurrency(1).code()];
        say(match job.withdraw(&codes)? {
            true => "no longer throttled",
            false => "it was not throttled",
        });
        return Ok(Exit::Done);
    }
    for wish in &wishes {
        job.ask(*wish)?;
    }
    let most = wishes.iter().map(|wish| match *wish {
        Wish::Concurrency(calls) => format!("at most {} in flight", counted(calls.into(), "call")),
        wish => {
            let calls = counted(wish.number().unwrap_or_default(), "call");
            format!("at most {calls} a minute")
        }
    });
    let (most, off) = (
        most.collect::<Vec<_>>().join(" and "),
        next.on_same_job("throttle off"),
    );
    let who = match job.addressee()? {
        Addressee::Run(pid) => format!("the run of pid {pid}, within a second"),
        Addressee::NextRun => "no run is at work; the next one".to_owned(),
    };
    say(&format!("{who}: {most}, also in later runs, until `{off}`"));
    Ok(Exit::Done)
}

fn open(job: &JobFlags) -> Result<Steering, Error> {
    Steering::open(&job.path()?)
}
