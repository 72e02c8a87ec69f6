//! Runs a random scenario to its end, over as many runs and processes as it takes, and returns
//! what it met or the invariant that broke.

use std::{
    any::Any, cell::RefCell, collections::BTreeMap, hash::Hasher, panic::AssertUnwindSafe, rc::Rc,
    time::Duration,
};

use idferry::{
    model::{QuotaWindow, State},
    quota::LockoutLevel,
    runner::event::StopReason,
    sim::{Faults, Stats},
    store::{StoreError, SubjectRecord},
    wecom::Endpoint,
};

use super::{
    monitor::Monitor,
    planted::{Bug, Planted},
    random_scenario::RandomScenario,
};
use crate::scenario::{RunResult, Scenario};

/// Runs after which a job is taken not to end.
const RUNS: u64 = 500;
/// No job takes longer, in virtual time.
const LONGEST: Duration = Duration::from_secs(3 * 365 * 86_400);

/// What a scenario met.
#[derive(Debug, PartialEq)]
pub(super) struct Met {
    pub(super) stats: Stats,
    pub(super) events: (u64, u64),
    pub(super) export: String,
    pub(super) runs: u64,
    pub(super) kills: u64,
    pub(super) lockouts: u64,
    pub(super) took: Duration,
    /// Not finished: locked out for thirty days.
    pub(super) given_up: bool,
}

/// Runs `random` and returns what it met, or the invariant that broke.
pub(super) fn run(random: &RandomScenario, planted: Planted) -> Result<Met, String> {
    let running = AssertUnwindSafe(|| run_to_the_end(random, planted));
    std::panic::catch_unwind(running).map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

fn run_to_the_end(random: &RandomScenario, planted: Planted) -> Met {
    let one_too_many = planted.bug == Some(Bug::OneTooMany);
    let mut scenario = random.scenario();
    scenario.start();
    let began = scenario.remote_now();
    let monitor = Monitor::new(random.clone(), planted, &scenario);
    let monitor = Rc::new(RefCell::new(monitor));
    let (mut runs, mut given_up) = (0, false);
    let result = loop {
        runs += 1;
        scenario.setup.options = random.options(scenario.now(), runs);
        if one_too_many {
            raise(&mut scenario);
        }
        scenario = attach(scenario, random, &monitor);
        let result = scenario.run();
        monitor.borrow_mut().between_processes();
        let level = scenario.account().snapshot.lockout.level;
        match next(random, &result, &mut monitor.borrow_mut(), level) {
            Next::Ended => break result,
            Next::GivenUp => {
                given_up = true;
                break result;
            }
            Next::After(span) => scenario.idle(span),
        }
        assert!(runs < RUNS, "no end after {RUNS} runs");
        let took = scenario.remote_now().since(began);
        assert!(took < LONGEST, "no end after {} s", LONGEST.as_secs());
    };
    // What the last planted bug did to the job file must be seen too.
    scenario.check(&result);
    let monitor = monitor.borrow();
    let met = Met {
        events: (monitor.events, monitor.hash.finish()),
        runs,
        kills: monitor.kills,
        lockouts: monitor.lockouts,
        took: scenario.remote_now().since(began),
        given_up,
        stats: result.stats,
        export: result.export,
    };
    refusals_are_right(random, &scenario);
    calls_are_explained(random, &met);
    assert!(
        given_up || result.tally.of(State::Queued) == 0,
        "finished with some queued"
    );
    met
}

fn attach(scenario: Scenario, random: &RandomScenario, monitor: &Rc<RefCell<Monitor>>) -> Scenario {
    let (events, kills) = (Rc::clone(monitor), Rc::clone(monitor));
    scenario
        .kill_every(random.kill_every.unwrap_or(0))
        .on_event(move |event, remote, stop| events.borrow_mut().event(event, remote, stop))
        .on_kill(move || kills.borrow_mut().killed())
}

fn raise(scenario: &mut Scenario) {
    let remote = scenario.setup.remote.limits;
    for window in QuotaWindow::ALL {
        let raised = remote.of(window).map(|limit| limit + 1);
        scenario.setup.quota.limits.set(window, raised);
    }
}

enum Next {
    Ended,
    GivenUp,
    After(Duration),
}

/// What the operator does when a run has ended.
fn next(
    random: &RandomScenario,
    result: &RunResult,
    monitor: &mut Monitor,
    level: LockoutLevel,
) -> Next {
    let ending = &result.report.reason;
    let idle = |expected: bool| {
        assert!(expected, "ended with {ending:?}");
        Next::After(Duration::from_secs(random.idle))
    };
    match ending {
        StopReason::Finished => Next::Ended,
        StopReason::Quota(_) if level == LockoutLevel::Month => Next::GivenUp,
        StopReason::Quota(waiting) => {
            idle(random.exits);
            let until = waiting.until.map(|until| until.since(result.ended));
            Next::After(until.unwrap_or_default() + Duration::from_millis(1))
        }
        StopReason::Interrupted => {
            let pause = random.pauses.get(monitor.pauses);
            monitor.pauses += 1;
            let pause = pause.expect("interrupted without a pause");
            Next::After(Duration::from_secs(pause.seconds))
        }
        StopReason::Budget => idle(random.budget.is_some()),
        StopReason::Time => idle(random.max_seconds.is_some()),
        StopReason::Unreachable(_)
        | StopReason::NotTheApi(_)
        | StopReason::JobFileMoved(_)
        | StopReason::TokensRefused
        | StopReason::Asked(_)
        | StopReason::Refused(_)
        | StopReason::Breaker(_) => idle(random.faults != Faults::none()),
    }
}

/// Rejected are those that the simulator rejects, with its errcode; parked only those that met a
/// fault.
fn refusals_are_right(random: &RandomScenario, scenario: &Scenario) {
    let remote = scenario.sim();
    let world = remote.world();
    let each = |answer: &SubjectRecord| {
        match answer.state {
            State::Rejected => {
                let person = world.person(&answer.unionid);
                assert_eq!(answer.errcode, world.rejection(person, &answer.openid));
            }
            State::Parked => assert!(random.faults != Faults::none(), "parked without a fault"),
            State::Queued | State::Linked | State::Unlinked => {}
        }
        Ok::<(), StoreError>(())
    };
    scenario.reader().for_each_subject(each).unwrap();
}

/// One call per subject, plus the retries and, per kill, what was in flight.
fn calls_are_explained(random: &RandomScenario, met: &Met) {
    let none = BTreeMap::new();
    let faults = match random.is_faultless() {
        true => &none,
        false => &met.stats.faults,
    };
    let Some(lane) = met.stats.lanes.get(Endpoint::LOOKUP.path) else {
        assert!(random.subjects == 0 || met.given_up, "no call");
        return;
    };
    let tokens = match random.is_quiet() {
        true => 0,
        false => met.stats.tokens_fetched,
    };
    // A token that has expired, like a ticket, is met by everything in flight.
    let most = random.subjects
        + faults.values().sum::<u64>()
        + lane.refused_45009
        + lane.refused_45033
        + (met.kills + tokens + u64::from(random.ticket)) * random.most_in_flight();
    let least = if met.given_up { 0 } else { random.subjects };
    let reset = faults.get("reset_before").copied().unwrap_or_default();
    let explained = lane.calls <= most && lane.calls + reset >= least;
    assert!(
        explained,
        "{} calls, at most {most} are explained",
        lane.calls
    );
    if random.is_quiet() {
        assert_eq!(lane.calls, random.subjects, "nothing went wrong");
    }
}
