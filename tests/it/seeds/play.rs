//! Plays a drawn world to its end, over as many lives as it takes, and checks every invariant.

use std::{cell::RefCell, collections::BTreeMap, hash::Hasher, path::Path, rc::Rc, time::Duration};

use idferry::{
    clock::{Clock, ClockSkew},
    export::{Filter, write_csv},
    gate::LockoutLevel,
    job::{Rehearsed, ScratchFolder, invent},
    model::{Limits, Link, QuotaWindow, State, Tally},
    runner::{Stop, event::StopReason},
    sim::{Faults, Remote, Stats, World},
    store::{Answer, Reader, StoreError},
};

use super::{
    draw::Drawn,
    mutate::{Bug, Mutation},
    watch::Watch,
};

const LOOKUP: &str = "/cgi-bin/corpgroup/unionid_to_external_userid";
/// Plays after which a job does not end.
const PLAYS: u64 = 500;
/// Where no job can be a year later.
const LONGEST: Duration = Duration::from_secs(3 * 365 * 86_400);

/// What came of it.
#[derive(Debug, PartialEq)]
pub(super) struct Played {
    pub(super) stats: Stats,
    pub(super) events: (u64, u64),
    pub(super) export: Vec<u8>,
    pub(super) plays: u64,
    pub(super) kills: u64,
    pub(super) penalties: u64,
    pub(super) took: Duration,
    /// Not finished: shut out for thirty days.
    pub(super) given_up: bool,
}

/// Plays `drawn` and answers what came of it, or the invariant that broke.
pub(super) fn play(drawn: &Drawn, mutation: &mut Mutation) -> Result<Played, String> {
    let scratch = ScratchFolder::new().map_err(text)?;
    let path = scratch.job_file();
    invent(&path, drawn.subjects, drawn.seed, drawn.start).map_err(text)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(text)?;
    let played = runtime.block_on(play_on(drawn, mutation, &path))?;
    check(drawn, &played, &path)?;
    Ok(played)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

async fn play_on(drawn: &Drawn, mutation: &mut Mutation, path: &Path) -> Result<Played, String> {
    let skew: &'static ClockSkew = Box::leak(Box::default());
    let clock = Clock::starting_at(drawn.start).skewed(skew);
    let remote = Rc::new(RefCell::new(Remote::new(clock, drawn.remote())));
    let began = remote.borrow().now();
    let one_too_many = mutation.bug == Some(Bug::OneTooMany);
    let mut watch = Watch::new(drawn, mutation, path, Rc::clone(&remote), clock, skew);
    let (mut plays, mut given_up) = (0, false);
    loop {
        plays += 1;
        let mut rehearsal = drawn.rehearsal(clock.now(), plays);
        if one_too_many {
            raise(&mut rehearsal.quota.limits);
        }
        watch.stop = Stop::default();
        let (remote, stop) = (Rc::clone(&remote), watch.stop.clone());
        let rehearsed = rehearsal
            .play_on(path, clock, remote, stop, &mut watch)
            .await
            .map_err(text)?;
        watch.check_disk(true);
        watch.between();
        if let Some(broken) = watch.broken.take() {
            return Err(broken);
        }
        let rung = Reader::open(path)
            .and_then(|reader| reader.lane())
            .map_err(text)?
            .block
            .rung;
        match next(drawn, &rehearsed, &mut watch, rung, clock)? {
            Next::Ended => break,
            Next::GivenUp => {
                given_up = true;
                break;
            }
            Next::After(seconds) => tokio::time::sleep(seconds).await,
        }
        if plays >= PLAYS {
            return Err(format!("no end after {PLAYS} plays"));
        }
        if watch.remote.borrow().now().since(began) > LONGEST {
            return Err(format!("no end after {} s", LONGEST.as_secs()));
        }
    }
    let took = remote.borrow().now().since(began);
    let stats = remote.borrow().stats();
    Ok(Played {
        stats,
        events: (watch.events, watch.hash.finish()),
        export: export(path)?,
        plays,
        kills: watch.kills,
        penalties: watch.penalties,
        took,
        given_up,
    })
}

fn raise(limits: &mut Limits) {
    for span in QuotaWindow::ALL {
        limits.set(span, limits.of(span).map(|limit| limit + 1));
    }
}

enum Next {
    Ended,
    GivenUp,
    After(Duration),
}

/// What the operator does when a play has ended.
fn next(
    drawn: &Drawn,
    rehearsed: &Rehearsed,
    watch: &mut Watch<'_>,
    rung: LockoutLevel,
    clock: Clock,
) -> Result<Next, String> {
    let rest = Duration::from_secs(drawn.rest);
    let ending = &rehearsed.report.ending;
    let unless = |expected: bool| {
        let why = || format!("ended with {ending:?}");
        expected.then_some(Next::After(rest)).ok_or_else(why)
    };
    match ending {
        StopReason::Finished => Ok(Next::Ended),
        StopReason::Quota(_) if rung == LockoutLevel::Month => Ok(Next::GivenUp),
        StopReason::Quota(waiting) => {
            let until = waiting.until.map(|until| until.since(clock.now()));
            let left = until.unwrap_or_default() + Duration::from_millis(1);
            unless(drawn.exits).map(|_| Next::After(left))
        }
        StopReason::Interrupted => {
            let pause = drawn.pauses.get(watch.pauses);
            watch.pauses += 1;
            let seconds = pause.map(|pause| Duration::from_secs(pause.seconds));
            seconds
                .map(Next::After)
                .ok_or_else(|| "interrupted by nobody".into())
        }
        StopReason::Budget => unless(drawn.budget.is_some()),
        StopReason::Time => unless(drawn.max_seconds.is_some()),
        StopReason::Unreachable(_)
        | StopReason::TokensRefused
        | StopReason::Refused(_)
        | StopReason::Breaker(_) => unless(drawn.faults != Faults::none()),
    }
}

fn export(path: &Path) -> Result<Vec<u8>, String> {
    let reader = Reader::open(path).map_err(text)?;
    let mut bytes = Vec::new();
    write_csv(&reader, &mut bytes, &Filter::default()).map_err(text)?;
    Ok(bytes)
}

/// The invariants that are about the end.
fn check(drawn: &Drawn, played: &Played, path: &Path) -> Result<(), String> {
    check_meter(drawn, played)?;
    check_answers(drawn, played, path)?;
    check_calls(drawn, played)?;
    if export(path)? != played.export {
        return Err("two exports differ".into());
    }
    Ok(())
}

/// 2. No window of the remote was exceeded by lookups. Limits this small may shut out gettoken,
///    which every life calls once; that is another lane.
fn check_meter(drawn: &Drawn, played: &Played) -> Result<(), String> {
    let lane = played
        .stats
        .lanes
        .get(LOOKUP)
        .filter(|lane| lane.blocks > 0);
    match lane {
        Some(lane) if drawn.others == 0.0 => Err(format!("a window was exceeded: {lane:?}")),
        _ => Ok(()),
    }
}

/// 3. Every subject is in exactly one terminal state, and its links are the truth.
fn check_answers(drawn: &Drawn, played: &Played, path: &Path) -> Result<(), String> {
    let options = drawn.remote();
    let world = World::new(options.seed, options.world);
    let reader = Reader::open(path).map_err(text)?;
    let (mut tally, mut wrong) = (Tally::default(), None);
    let each = |answer: &Answer| -> Result<(), StoreError> {
        tally.add(answer.state, 1);
        if let Err(why) = check_answer(drawn, &world, answer) {
            let why = format!("subject {} ({}): {why}", tally.total(), answer.state);
            wrong.get_or_insert(why);
        }
        Ok(())
    };
    reader.answers(each).map_err(text)?;
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let kept = reader.tally().map_err(text)?;
    if kept != tally {
        return Err(format!("{kept:?} is kept and {tally:?} is there"));
    }
    if tally.total() != drawn.subjects {
        return Err(format!("{} subjects are there", tally.total()));
    }
    if !played.given_up && tally.of(State::Queued) > 0 {
        return Err(format!("finished with {} queued", tally.of(State::Queued)));
    }
    Ok(())
}

fn check_answer(drawn: &Drawn, world: &World, answer: &Answer) -> Result<(), String> {
    let person = world.person(&answer.unionid);
    let rejection = world.rejection(person, &answer.openid);
    let mut truth: Vec<Link> = world
        .corps_of(person)
        .map(|place| Link {
            corpid: world.corps()[place].corpid.as_str().into(),
            external_userid: world.external_userid(person, place).as_str().into(),
        })
        .collect();
    truth.sort_unstable();
    let right = match answer.state {
        State::Queued => answer.links.is_empty() && answer.at.is_none(),
        State::Parked => drawn.faults != Faults::none() && answer.links.is_empty(),
        State::Rejected => rejection.is_some() && answer.errcode == rejection,
        State::Linked => rejection.is_none() && !truth.is_empty() && answer.links == truth,
        State::Unlinked => rejection.is_none() && truth.is_empty() && answer.links.is_empty(),
    };
    if right {
        return Ok(());
    }
    Err(format!(
        "errcode {:?}, links {:?}, but the truth is {rejection:?}, {truth:?}",
        answer.errcode, answer.links
    ))
}

/// 5. One call per subject, plus the retries and, per crash, what was in the air.
fn check_calls(drawn: &Drawn, played: &Played) -> Result<(), String> {
    let none = BTreeMap::new();
    let faults = if drawn.is_faultless() {
        &none
    } else {
        &played.stats.faults
    };
    let Some(lane) = played.stats.lanes.get(LOOKUP) else {
        return if drawn.subjects == 0 || played.given_up {
            Ok(())
        } else {
            Err("no call".into())
        };
    };
    let width = drawn.width();
    let tokens = if drawn.is_quiet() {
        0
    } else {
        played.stats.tokens_fetched
    };
    // A token that has died, like a ticket, is found out by everything in the air.
    let most = drawn.subjects
        + faults.values().sum::<u64>()
        + lane.refused_45009
        + lane.refused_45033
        + (played.kills + tokens + u64::from(drawn.ticket)) * width;
    let least = if played.given_up { 0 } else { drawn.subjects };
    let reset = faults.get("reset_before").copied().unwrap_or_default();
    if lane.calls > most || lane.calls + reset < least {
        return Err(format!(
            "{} calls, at most {most} are explained",
            lane.calls
        ));
    }
    if drawn.is_quiet() && lane.calls != drawn.subjects {
        return Err(format!("{} calls where nothing went wrong", lane.calls));
    }
    Ok(())
}
