//! The exchange with the ledger, and the time that goes with it.

use std::time::Duration;

use super::{LOOK_AT_OTHERS, Runner, lanes};
use crate::{
    ledger::Exchanged,
    quota::{CallKind, Hold},
    runner::event::RunEvent,
    store::{Batch, Charged, Result},
};

impl Runner<'_> {
    /// The one commit: writes completed calls to the ledger and charges those that are wanted, then
    /// settles answers. The inner error is the hold if none of the wanted calls fits.
    ///
    /// A crash between the two charges calls whose answers are asked for again: it over-counts.
    pub(super) fn commit(
        &mut self,
        want: Option<(CallKind, u32)>,
    ) -> Result<std::result::Result<(), Hold>> {
        let exchanged = self.exchange(want)?;
        self.report_limits();
        let progress = self.progress();
        let lowest = self.lane.calls.lowest(self.lane.queue.lowest());
        let cursor = self.lane.pending.advance(self.lane.queue.cursor(lowest));
        let batch = Batch {
            settled: self.lane.pending.sorted(),
            cursor,
            progress: (self.job.run, &progress),
        };
        let charged = Charged {
            writer: self.lane.ledger.writer(),
            api: self.lane.gate.api(),
            deltas: &exchanged.written,
        };
        self.job.store.commit(&batch, &charged)?;
        self.lane.committed();
        Ok(exchanged.paid.map(|paid| {
            if paid.calls() > 0 {
                self.lane.pending.paid_mut().add(paid);
            }
        }))
    }

    /// Forgets charges that no window counts any more, if it is time.
    pub(super) fn forget_charges(&mut self) -> Result<()> {
        if !self.clock.clearance_is_due() {
            return Ok(());
        }
        let now = self.clock.now();
        self.lane.ledger.forget(now)?;
        self.job.store.forget_counters(now)
    }

    fn exchange(&mut self, want: Option<(CallKind, u32)>) -> Result<Exchanged> {
        loop {
            let reading = self.clock.reading();
            let account = self.lane.gate.account_mut();
            let exchanged = self.lane.ledger.exchange(account, want, &reading)?;
            let Some(ahead) = exchanged.ahead else {
                return Ok(exchanged);
            };
            let advanced = self.clock.catch_up(&ahead);
            self.clock_moved(advanced);
        }
    }

    /// Tells of limits that have turned out to be lower than published.
    fn report_limits(&mut self) {
        for (window, calls) in self.lane.gate.newly_learnt(self.clock.now()) {
            self.tell(RunEvent::LimitLearnt { window, calls });
        }
    }

    /// While nothing is sent, others may change what an account holds, and this run gives a sign of
    /// life every minute.
    pub(super) fn exchange_while_waiting(&mut self) -> Result<()> {
        self.exchange_if_due()?;
        self.on_other_lane(Self::exchange_if_due)?;
        Ok(())
    }

    fn exchange_if_due(&mut self) -> Result<()> {
        let now = self.clock.reading().at;
        let hold = self.lane.hold;
        let is_of_the_account = hold.is_some_and(|hold| hold.reason.is_of_the_account());
        // The other lane of this run changes the ledger all the time.
        let may_be_news =
            self.other.is_none() || self.lane.ledger.is_silent_for(LOOK_AT_OTHERS, now);
        let is_due = match is_of_the_account && may_be_news {
            true => self.lane.ledger.is_due(now)?,
            false => self.lane.ledger.is_silent(now),
        };
        if is_due {
            let _nothing_wanted = self.commit(None)?;
        }
        Ok(())
    }

    /// Takes the remote's clock from the latest reply, if one has come.
    pub(super) fn hear_date(&mut self) {
        let Some(date) = self.client.take_date() else {
            return;
        };
        let heard = self.clock.hear(date);
        self.clock_moved(heard.advanced);
        self.reports.clock(heard.wall_ahead_millis, date);
    }

    /// Ledger time has moved forward by what had passed before this run.
    fn clock_moved(&mut self, by: Duration) {
        if by.is_zero() {
            return;
        }
        self.reports.clock_moved(by);
        let now = self.clock.now();
        for lane in lanes::all(&mut self.lane, &mut self.other) {
            lane.trial.clock_moved(by);
            lane.gate.account_mut().redate(now);
        }
    }
}
