//! What a run reports while it goes on, and at its end.

use super::{Runner, lanes};
use crate::{
    model::State,
    quota::ForecastInput,
    runner::{
        event::{PassProgress, PendingIdProgress, RunEvent, RunReport, Snapshot, StopReason},
        progress::worth_reporting,
    },
    store::{Result, RunProgress},
};

impl Runner<'_> {
    /// What `status` shows.
    pub(super) fn progress(&mut self) -> RunProgress {
        let waiting = self.other.as_ref().and_then(|lane| lane.waiting);
        let hold = self.reports.hold().or(waiting);
        let calls = lanes::all(&mut self.lane, &mut self.other)
            .map(|lane| lane.gate.account().completed())
            .sum();
        RunProgress {
            seen_at: self.clock.wall_now(),
            calls,
            hold: hold.map(|hold| hold.reason.to_string()),
            hold_code: hold.map(|hold| hold.reason.full_code()),
            hold_until: hold.and_then(|hold| hold.until),
        }
    }

    /// Reports how the run stands, if it is time or the reason for waiting has changed.
    pub(super) fn report(&mut self) -> Result<()> {
        if !self.lane.is_of_lookups() {
            self.report_wait();
            return Ok(());
        }
        let is_settled = self.lane.pending.answers() == 0;
        let due = self.reports.due(self.lane.hold, &self.clock, is_settled);
        if due.snapshot {
            let kind = self.next_kind();
            let windows = self.lane.gate.windows(self.clock.now(), kind);
            let pending_ids = self.pending_ids();
            self.reports.snapshot(Snapshot {
                at: self.clock.wall_now(),
                windows,
                pending_ids,
                tally: self.job.store.tally(),
                left: self.left(),
                pass: self.lane.queue.pass().map(PassProgress::of),
                calls: self.lane.gate.account().completed(),
                in_flight: self.lane.calls.lookups(),
                concurrency: self.lane.gate.concurrency(),
                hold: due.hold,
            });
        }
        if due.forecast {
            self.forget_charges()?;
            let input = ForecastInput {
                kind: self.next_kind(),
                account: self.lane.gate.account().clone(),
                now: self.clock.now(),
                ticket_until: self.lane.trial.until(),
                locked_until: self.lane.gate.account().lockout().until,
                per_second: self.lane.calls.rate().per_second(),
            };
            self.reports
                .report(&RunEvent::ForecastInput(Box::new(input)));
        }
        if due.hold_changed || due.forecast {
            let progress = self.progress();
            let journal = self.job.store.journal();
            journal.save_progress(self.job.run, &progress, 0)?;
        }
        Ok(())
    }

    /// Gives back what was paid for and not sent, and closes the ledger.
    pub(super) fn finish(mut self) -> Result<RunReport> {
        self.close_lane()?;
        self.on_other_lane(Self::close_lane)?;
        if !self.job.store.is_in_place() {
            // The last answers came after it was looked for.
            self.stopping.reason = None;
            self.job_file_is_gone();
        }
        self.reports.snapshot_is_due();
        self.lane.hold = None;
        self.report()?;
        Ok(RunReport {
            reason: self.reason_of_end(),
            pending_ids: self.pending_ids(),
            tally: self.job.store.tally(),
            left: self.left(),
            kept: self.lane.pending.kept(),
            calls: self.lane.gate.account().completed(),
            took: self.clock.took(),
            used_elsewhere: self.lane.gate.is_used_elsewhere(),
            waits: self.reports.waits(),
        })
    }

    /// Gives back what the lane has paid for and not sent.
    fn close_lane(&mut self) -> Result<()> {
        self.lane.gate.give_back(self.lane.pending.take_paid());
        let _closed = self.commit(None)?;
        self.lane.waiting = None;
        Ok(())
    }

    /// Why the run ends: what stopped it, or a lane of it before its work was done.
    fn reason_of_end(&mut self) -> StopReason {
        let lanes = lanes::all(&mut self.lane, &mut self.other);
        let ended = lanes.filter_map(|lane| lane.ended.take());
        let early = ended.filter(|reason| !matches!(reason, StopReason::Finished));
        let early = early.reduce(|first, _| first);
        let stopped = self.stopping.reason.take();
        stopped.or(early).unwrap_or(StopReason::Finished)
    }

    /// How it stands with pending_ids, if they are asked for.
    fn pending_ids(&mut self) -> Option<PendingIdProgress> {
        let unlinked = self.job.store.tally().of(State::Unlinked);
        let (now, lane) = (self.clock.now(), self.other.as_mut()?);
        Some(lane.pending_ids(now, unlinked))
    }

    /// Notes why the other lane than that of the lookups waits; the next snapshot tells it.
    fn report_wait(&mut self) {
        let waiting = worth_reporting(self.lane.waiting, self.lane.hold, &self.clock);
        if waiting != self.lane.waiting {
            self.lane.waiting = waiting;
            self.reports.snapshot_is_due();
        }
    }

    /// Reports what happened in the lane.
    pub(super) fn tell(&mut self, event: RunEvent) {
        let event = match self.lane.is_of_lookups() {
            true => event,
            false => RunEvent::OfPendingIds(Box::new(event)),
        };
        self.reports.report(&event);
    }
}
