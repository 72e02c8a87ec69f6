//! What the bar prints as the finish is when it is finished: jobs that quotas hold, result at a
//! tenth, at half and at nine tenths. And the schedule itself: no slower than the rules demand.

use std::{cell::RefCell, rc::Rc, time::Duration};

use idferry::{
    clock::Timestamp,
    gate::Concurrency,
    job::{Rehearsal, RehearsalObserver, Rehearsed, ScratchFolder, TicketPolicy, invent},
    model::{Limits, State, Tally, WindowKind},
    plan::{forecast, ideal_seconds},
    quota::{CallKind, ForecastInput, Quota},
    runner::{
        CommitPolicy,
        event::{RunEvent, StopReason},
    },
    sim::{Latency, SimulatedRemote},
};

use crate::scenario::at;

/// Keeps the finish that would be printed when so much was answered.
#[derive(Default)]
struct Bar {
    tally: Tally,
    finish: Option<Timestamp>,
    /// Answered in hundredths, and the finish printed then.
    printed: Vec<(u64, Timestamp)>,
}

impl Bar {
    const POINTS: [u64; 3] = [10, 50, 90];

    fn see(&mut self, tally: Tally) {
        self.tally = tally;
        let next = Self::POINTS.get(self.printed.len());
        let answered = tally.answered() * 100;
        if let (Some(hundredths), Some(finish)) = (next, self.finish)
            && answered >= hundredths * tally.total()
        {
            self.printed.push((*hundredths, finish));
        }
    }

    fn foretell(&mut self, outlook: &ForecastInput) {
        let foretold = forecast(outlook, self.tally.of(State::Queued));
        self.finish = Some(foretold.finish);
    }
}

impl RehearsalObserver for Bar {
    fn event(&mut self, event: &RunEvent, _remote: &Rc<RefCell<SimulatedRemote>>) {
        match event {
            RunEvent::Started { tally } => self.see(*tally),
            RunEvent::Progress(snapshot) => self.see(snapshot.tally),
            RunEvent::ForecastInput(outlook) => self.foretell(outlook),
            _ => {}
        }
    }
}

/// A job that nothing disturbs.
struct Job {
    play: Rehearsal,
    subjects: u64,
}

impl Job {
    fn new(subjects: u64) -> Self {
        let mut play = Rehearsal::default();
        play.quota.margin = 0.0;
        play.start = at("2026-11-22T09:17:23+08:00");
        play.options.commit_policy = CommitPolicy::rehearsed();
        Self { play, subjects }
    }

    /// The same limits for the remote and for us; those not named are published.
    fn limits(mut self, limits: &str) -> Self {
        self.play.remote.limits = limits.parse::<Limits>().unwrap();
        for one in limits.split(',') {
            let (name, calls) = one.split_once('=').unwrap();
            let (span, calls) = (name.parse().unwrap(), calls.parse().unwrap());
            self.play.quota.limits.set(span, Some(calls));
        }
        self
    }

    fn latency_millis(mut self, min: u64, max: u64) -> Self {
        let (min, max) = (Duration::from_millis(min), Duration::from_millis(max));
        self.play.remote.latency = Latency { min, max };
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Rehearsal)) -> Self {
        change(&mut self.play);
        self
    }

    fn run(&self) -> (Rehearsed, Bar) {
        let scratch = ScratchFolder::new().unwrap();
        let path = scratch.job_file();
        invent(&path, self.subjects, 7, self.play.start).unwrap();
        let mut bar = Bar::default();
        let rehearsed = self.play.play(&path, &mut bar).unwrap();
        assert!(matches!(rehearsed.report.reason, StopReason::Finished));
        let lane = &rehearsed.stats.lanes[idferry::wecom::Endpoint::LOOKUP.path];
        assert_eq!((lane.lockouts, lane.calls), (0, self.subjects));
        (rehearsed, bar)
    }

    /// Every finish printed is within 2 % of the time it all took.
    fn is_foretold(&self) -> Rehearsed {
        let (rehearsed, bar) = self.run();
        assert_eq!(bar.printed.len(), Bar::POINTS.len());
        let took = rehearsed.took.as_secs_f64();
        for (hundredths, finish) in &bar.printed {
            let off = (finish.as_millis() - rehearsed.ended.as_millis()) as f64 / 1000.0;
            assert!(
                off.abs() <= took * 0.02,
                "at {hundredths} % the finish printed was {off:+.0} s off, of {took:.0} s"
            );
        }
        rehearsed
    }

    /// Finishes within 1.01 times what any scheduler needs, and a minute: the one over which the
    /// pace spreads the first window. A charge is kept from its answer on, as the remote may count
    /// till then, so that every minute's window turns one latency later.
    fn is_no_slower_than_it_must(&self) {
        let (rehearsed, _) = self.run();
        let limits = self.play.quota.allowed();
        let ideal = ideal_seconds(&limits, CallKind::Standard, self.subjects);
        let latency = match self.play.remote.latency.max.as_secs_f64() {
            short if short < 0.1 => 0.0,
            long => long * (ideal / 60.0 + 1.0),
        };
        let took = rehearsed.took.as_secs_f64();
        let most = ideal * 1.01 + 60.0 + latency;
        assert!(took <= most, "{took:.0} s, ideal {ideal:.0} s");
    }
}

const HOUR: u64 = 3600;

#[test]
fn a_job_that_the_hour_holds_is_foretold() {
    let job = Job::new(8_000).limits("basic.minute=100,business.hour=500");
    assert!(job.is_foretold().took > Duration::from_secs(15 * HOUR));
}

#[test]
fn a_job_that_the_day_holds_is_foretold() {
    let job = Job::new(6_000).limits("basic.minute=60,business.hour=400,business.day=1000");
    assert!(job.is_foretold().took > Duration::from_secs(5 * 24 * HOUR));
}

#[test]
fn a_job_with_a_ticket_is_foretold() {
    let job = Job::new(12_000)
        .limits("basic.minute=100,basic.hour=800,business.hour=100,business.day=200")
        .with(|play| play.ticket = TicketPolicy::Apply);
    let took = job.is_foretold().took;
    assert!((13 * HOUR..16 * HOUR).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn a_job_whose_ticket_ends_on_the_way_is_foretold() {
    let job = Job::new(9_000)
        .limits("basic.minute=30,basic.hour=50,business.hour=40,business.day=300")
        .with(|play| play.ticket = TicketPolicy::Apply);
    assert!(job.is_foretold().took > Duration::from_secs(7 * 24 * HOUR));
}

#[test]
fn a_job_with_a_margin_is_foretold() {
    let job = Job::new(8_000).limits("basic.minute=100,business.hour=500");
    let job = job.with(|play| play.quota.margin = Quota::default().margin);
    job.is_foretold();
}

#[test]
fn a_job_with_slow_answers_is_foretold() {
    let job = Job::new(8_000).limits("basic.minute=100,business.hour=500");
    job.latency_millis(20, 3000).is_foretold();
}

#[test]
fn a_job_that_only_the_minute_holds_is_foretold() {
    Job::new(8_000).limits("basic.minute=300").is_foretold();
}

#[test]
fn a_hundred_thousand_take_as_long_as_they_must() {
    Job::new(100_000).is_no_slower_than_it_must();
}

#[test]
fn hundred_thousand_slow_answers_meet_the_ideal_time() {
    let job = Job::new(100_000).latency_millis(20, 3000);
    let job = job.with(|play| {
        play.concurrency = Concurrency::Fixed(512);
        // What is charged ahead takes room: as much as in reality.
        play.options.commit_policy = CommitPolicy::default();
    });
    job.is_no_slower_than_it_must();
}

#[test]
fn hundred_thousand_by_calendar_meet_the_ideal_time() {
    let job = Job::new(100_000).with(|play| {
        play.quota.window_kind = WindowKind::Calendar;
        play.remote.window_kind = WindowKind::Calendar;
    });
    job.is_no_slower_than_it_must();
}

/// The limits that bind are those of the page, so that nothing here is only true of small ones.
#[test]
fn the_limits_above_are_the_published_ones() {
    assert_eq!(Job::new(1).play.quota.limits, Limits::published());
}
