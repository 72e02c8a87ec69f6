//! What a seed draws: a job, a remote, an operator and everything that goes wrong.

use std::time::Duration;

use fastrand::Rng;
use idferry::{
    clock::Timestamp,
    gate::Concurrency,
    job::TicketPolicy,
    model::{Limits, QuotaWindow, WindowKind},
    quota::Quota,
    runner::{CommitPolicy, OnQuota, RunOptions},
    sim::{self, Fault, Faults, Latency, LockoutRules, TicketAgain},
};

use crate::scenario::Scenario;

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 3600;
pub(super) const DAY: u64 = 86_400;

/// Which window is small enough to be met again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scale {
    Minute,
    Hour,
    Day,
    Month,
}

impl Scale {
    /// Waits of days and weeks in steps of half a minute are most of what the seeds would cost.
    fn longest_sleep(self) -> Duration {
        Duration::from_secs(match self {
            // Only a lockout makes these wait for days.
            Self::Minute => 10 * MINUTE,
            Self::Hour => 30,
            Self::Day => 10 * MINUTE,
            Self::Month => HOUR,
        })
    }
}

/// The clocks are moved, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jump {
    /// The date is set.
    Wall(i64),
    /// The machine is suspended.
    Suspend(i64),
    /// The machine reboots: only the wall clock tells how long it was down.
    Reboot,
}

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// At the n-th event.
    Event(u64),
    /// Before the n-th process that follows another.
    Between(u64),
}

/// The run is stopped once so many subjects are answered, and resumed so many seconds later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) answered: u64,
    pub(super) seconds: u64,
}

/// A scenario, as random.
#[derive(Debug, Clone)]
pub(super) struct RandomScenario {
    pub(super) seed: u64,
    pub(super) subjects: u64,
    pub(super) start: Timestamp,
    pub(super) scale: Scale,
    /// In the order of the windows.
    pub(super) limits: [Option<u64>; QuotaWindow::COUNT],
    pub(super) margin: f64,
    pub(super) reserve: f64,
    pub(super) calendar: bool,
    pub(super) latency_millis: (u64, u64),
    pub(super) faults: Faults,
    pub(super) crowd: Option<u32>,
    pub(super) count_refused: bool,
    pub(super) others: f64,
    pub(super) lockout_rules: LockoutRules,
    pub(super) token_life: u64,
    pub(super) ticket: bool,
    pub(super) ticket_again: TicketAgain,
    pub(super) rejected: f64,
    pub(super) kill_every: Option<u64>,
    pub(super) concurrency: Concurrency,
    pub(super) rehearsed: bool,
    pub(super) call_timeout: u64,
    pub(super) budget: Option<u64>,
    pub(super) max_seconds: Option<u64>,
    pub(super) exits: bool,
    pub(super) idle: u64,
    pub(super) pauses: Vec<Pause>,
    pub(super) jumps: Vec<(When, Jump)>,
}

impl RandomScenario {
    pub(super) fn of(seed: u64) -> Self {
        let mut chance = Rng::with_seed(seed);
        for _ in 0..4 {
            chance.u64(..);
        }
        let chance = &mut chance;
        let scale = draw_scale(chance);
        let kill_every = one_in(chance, 2).then(|| chance.u64(1..=20));
        let subjects = draw_subjects(chance, scale, kill_every);
        let calendar = one_in(chance, 4);
        let limits = draw_limits(chance, scale, subjects);
        let mut random = Self {
            seed,
            subjects,
            start: Timestamp::from_millis(1_795_309_200_000 + chance.i64(0..40 * 86_400_000)),
            scale,
            limits,
            margin: chance.choice([0.0, 0.0, 0.0, 0.02]).unwrap(),
            reserve: 0.0,
            calendar,
            latency_millis: chance.choice([(0, 0), (20, 80), (20, 3000)]).unwrap(),
            faults: draw_faults(chance),
            crowd: one_in(chance, 6).then(|| chance.u32(3..50)),
            count_refused: !one_in(chance, 4),
            others: 0.0,
            lockout_rules: LockoutRules::Mild,
            token_life: match chance.u64(0..4) {
                0 => chance.u64(30..7200),
                _ => 7200,
            },
            ticket: one_in(chance, 5),
            ticket_again: TicketAgain::Refuse,
            rejected: chance.choice([0.0, 0.0, 0.05, 0.2]).unwrap(),
            kill_every,
            concurrency: draw_concurrency(chance),
            rehearsed: one_in(chance, 3),
            call_timeout: chance.choice([10, 30, 30]).unwrap(),
            budget: one_in(chance, 8).then(|| chance.u64(subjects / 12 + 1..subjects + 2)),
            max_seconds: one_in(chance, 8).then(|| draw_max_seconds(chance, scale)),
            exits: one_in(chance, 6),
            idle: chance.u64(1..20 * HOUR),
            pauses: draw_pauses(chance, subjects, scale),
            jumps: Vec::new(),
        };
        random.draw_others(chance);
        random.draw_jumps(chance);
        random.keep_in_bounds();
        if one_in(chance, 2) {
            random.lockout_rules = LockoutRules::Strict;
        }
        if one_in(chance, 5) {
            let share = chance.choice([0.01, 0.05, 0.3]).unwrap();
            random.faults = random.faults.bursting(share);
        }
        random
    }

    fn draw_others(&mut self, chance: &mut Rng) {
        if !one_in(chance, 6) {
            return;
        }
        // A share of what the narrowest window lets through.
        let rates = QuotaWindow::ALL
            .iter()
            .zip(self.limits)
            .filter_map(|(window, limit)| Some(limit? as f64 / window.span().as_secs_f64()));
        let narrowest = rates.fold(f64::INFINITY, f64::min);
        self.others = narrowest * chance.choice([0.02, 0.1, 0.3, 0.9]).unwrap();
        self.reserve = chance.choice([0.0, 0.1, 0.4]).unwrap();
    }

    fn draw_jumps(&mut self, chance: &mut Rng) {
        if !one_in(chance, 2) {
            return;
        }
        // Across a reboot only the wall clock tells the time: if it was set forward meanwhile,
        // there is no way to know.
        let reboots = one_in(chance, 2);
        for _ in 0..chance.usize(1..8) {
            let when = if chance.bool() {
                When::Event(chance.u64(1..3000))
            } else {
                When::Between(chance.u64(1..30))
            };
            let most = chance.choice([5_000, 300_000, 9 * 3_600_000]).unwrap();
            let jump = match chance.u32(0..4) {
                0 if !self.calendar && !reboots => Jump::Wall(chance.i64(1..most)),
                1 if !self.calendar => Jump::Wall(-chance.i64(1..most)),
                2 if reboots => Jump::Reboot,
                _ => Jump::Suspend(chance.i64(1..most)),
            };
            self.jumps.push((when, jump));
        }
    }

    fn keep_in_bounds(&mut self) {
        if self.kill_every.is_some() && self.scale >= Scale::Day {
            // A kill over-counts what was in flight.
            self.concurrency = Concurrency::Fixed(self.subjects.min(3) as u16);
            self.rehearsed = false;
            self.kill_every = self.kill_every.map(|commits| commits.max(6));
        }
        if self.kill_every.is_some() && self.rehearsed {
            self.concurrency = Concurrency::Fixed(2);
        }
        if self.scale == Scale::Month {
            self.budget = None;
            self.max_seconds = None;
        }
    }

    /// The scenario, before its first run.
    pub(super) fn scenario(&self) -> Scenario {
        let limits = Limits::from(self.limits);
        let counting = match self.calendar {
            true => WindowKind::Calendar,
            false => WindowKind::Sliding,
        };
        Scenario::new(self.subjects).skewed().configure(|setup| {
            setup.remote = self.remote(limits, counting);
            setup.quota = Quota {
                limits,
                remote: limits,
                margin: self.margin,
                reserve: self.reserve,
                window_kind: counting,
            };
            setup.concurrency = self.concurrency;
            if self.ticket {
                setup.ticket = TicketPolicy::Apply;
            }
            setup.start = self.start;
        })
    }

    fn remote(&self, limits: Limits, counting: WindowKind) -> sim::SimOptions {
        let (min, max) = self.latency_millis;
        let mut options = sim::SimOptions {
            seed: self.seed,
            limits,
            window_kind: counting,
            count_refused: self.count_refused,
            other_traffic: self.others,
            lockout_rules: self.lockout_rules,
            concurrent: self.crowd,
            faults: self.faults,
            latency: Latency {
                min: Duration::from_millis(min),
                max: Duration::from_millis(max),
            },
            token_life: Duration::from_secs(self.token_life),
            ticket_again: self.ticket_again,
            ..sim::SimOptions::default()
        };
        options.world.rejected = self.rejected;
        options
    }

    /// How the run that begins at `now` is to be driven.
    pub(super) fn options(&self, now: Timestamp, runs: u64) -> RunOptions {
        let deadline = |seconds| now.plus(Duration::from_secs(seconds));
        RunOptions {
            budget: self.budget,
            deadline: self.max_seconds.map(deadline),
            on_quota: match self.exits {
                true => OnQuota::Exit,
                false => OnQuota::Wait,
            },
            call_timeout: Duration::from_secs(self.call_timeout),
            longest_sleep: self.scale.longest_sleep(),
            commit_policy: match self.rehearsed {
                true => CommitPolicy::rehearsed(),
                false => CommitPolicy::default(),
            },
            seed: self.seed ^ (runs << 32),
            ..RunOptions::default()
        }
    }

    /// The most calls there can be in flight.
    pub(super) fn most_in_flight(&self) -> u64 {
        match self.concurrency {
            Concurrency::Adaptive => 64,
            Concurrency::Fixed(calls) => u64::from(calls),
        }
    }

    pub(super) fn is_faultless(&self) -> bool {
        self.faults == Faults::none() && self.crowd.is_none()
    }

    /// Nothing goes wrong at all: one call a subject.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_faultless()
            && self.kill_every.is_none()
            && self.others == 0.0
            && self.jumps.is_empty()
            && self.token_life == 7200
            && !self.ticket
    }
}

fn one_in(chance: &mut Rng, many: u32) -> bool {
    chance.u32(0..many) == 0
}

fn draw_scale(chance: &mut Rng) -> Scale {
    match chance.u32(0..20) {
        0..7 => Scale::Minute,
        7..14 => Scale::Hour,
        14..19 => Scale::Day,
        _ => Scale::Month,
    }
}

fn draw_subjects(chance: &mut Rng, scale: Scale, kill_every: Option<u64>) -> u64 {
    match (scale, kill_every) {
        (Scale::Month, _) => chance.u64(40..200),
        (_, Some(commits)) => chance.u64(40..100 + 30 * commits),
        (_, None) => chance.u64(100..2000),
    }
}

/// The window of `scale` is met a few times; those below it are small, those above it are wide or
/// not there.
fn draw_limits(chance: &mut Rng, scale: Scale, subjects: u64) -> [Option<u64>; QuotaWindow::COUNT] {
    let (times, below) = match scale {
        Scale::Minute => (chance.u64(2..40), 1),
        Scale::Hour => (chance.u64(2..20), chance.u64(1..12)),
        Scale::Day => (chance.u64(2..8), chance.u64(1..6)),
        Scale::Month => (chance.u64(2..3), chance.u64(2..10)),
    };
    let small = (subjects / times).max(1);
    let lower = (small / below).max(1);
    let wide = |chance: &mut Rng| match chance.u32(0..3) {
        0 => None,
        1 => Some(subjects * 2),
        _ => Some(subjects * 100),
    };
    let lowest = (lower / chance.u64(1..8)).max(1);
    let [minute, hour, business, day, month] = match scale {
        Scale::Minute => [
            Some(small),
            wide(chance),
            wide(chance),
            wide(chance),
            wide(chance),
        ],
        Scale::Hour => {
            let other = Some(small * chance.u64(1..3));
            let (basic, business) = if chance.bool() {
                (Some(small), other)
            } else {
                (other, Some(small))
            };
            [Some(lower), basic, business, wide(chance), wide(chance)]
        }
        Scale::Day => [
            Some(lowest),
            Some(lower * chance.u64(1..4)),
            Some(lower),
            Some(small),
            wide(chance),
        ],
        Scale::Month => [
            Some(lowest.max(3)),
            Some(lower),
            Some(lower),
            Some((small / chance.u64(2..12)).max(2)),
            Some(small),
        ],
    };
    // The windows of the IP count the same calls, as there is one corp behind it.
    match one_in(chance, 4) {
        true => [None, None, business, day, month, minute, hour],
        false => [minute, hour, business, day, month, None, None],
    }
}

fn draw_faults(chance: &mut Rng) -> Faults {
    match chance.u32(0..8) {
        0..4 => Faults::none(),
        4 => Faults::mild(),
        5 => Faults::harsh(),
        _ => {
            let listed = Fault::ALL.into_iter().filter(|it| *it != Fault::Warning);
            let fault = chance.choice(listed.collect::<Vec<_>>()).unwrap();
            let most = match fault {
                Fault::TokenKilled => 0.02,
                Fault::Hang => 0.1,
                _ => 0.3,
            };
            Faults::none().with(fault, chance.f64() * most)
        }
    }
}

fn draw_concurrency(chance: &mut Rng) -> Concurrency {
    match chance.u32(0..2) {
        0 => Concurrency::Adaptive,
        _ => Concurrency::Fixed(chance.choice([1, 2, 5, 16, 64, 200]).unwrap()),
    }
}

fn draw_max_seconds(chance: &mut Rng, scale: Scale) -> u64 {
    match scale {
        Scale::Minute => chance.u64(2 * MINUTE..20 * MINUTE),
        Scale::Hour => chance.u64(HOUR / 2..5 * HOUR),
        Scale::Day => chance.u64(6 * HOUR..2 * DAY),
        Scale::Month => chance.u64(5 * DAY..20 * DAY),
    }
}

fn draw_pauses(chance: &mut Rng, subjects: u64, scale: Scale) -> Vec<Pause> {
    if !one_in(chance, 4) {
        return Vec::new();
    }
    let longest = match scale {
        Scale::Minute => 5 * MINUTE,
        Scale::Hour => 3 * HOUR,
        Scale::Day => 2 * DAY,
        Scale::Month => 10 * DAY,
    };
    let mut pauses: Vec<_> = (0..chance.usize(1..4))
        .map(|_| Pause {
            answered: chance.u64(0..subjects),
            seconds: chance.u64(0..longest),
        })
        .collect();
    pauses.sort_by_key(|pause| pause.answered);
    pauses
}
