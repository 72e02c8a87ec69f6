//! What the remote's refusals (45009) mean to the account: lockouts, and limits that are lower than
//! published.

use super::Account;
use crate::{
    clock::Timestamp,
    model::QuotaWindow,
    quota::{CallCount, CallKind, Lockout, QuotaRefusal, RefusedAt, observed::kept_below},
};

/// What refusals tell of other corps and APIs, until that is on disk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ToldByRefusals {
    /// A window of the IP explains the lockout that was imposed.
    pub(super) locks_ip: bool,
    /// Another API counts in the same business windows.
    pub(super) shares_counter: bool,
}

impl Account {
    /// A call was refused with 45009. Returns the lockout if it is new: calls sent before a lockout
    /// was known belong to it.
    ///
    /// Its level is that of the shortest window that is all but full by the remote's limits, or the
    /// next one up after a probe.
    pub fn impose_lockout(&mut self, refusal: QuotaRefusal) -> Option<Lockout> {
        self.refusals.push(refusal);
        let before = self.lockout;
        if before.is_active() && refusal.sent < before.until {
            return None;
        }
        let explained = if before.is_active() {
            None
        } else {
            self.nearly_full(refusal.now, refusal.kind)
        };
        let mut before = before;
        if !before.is_active() {
            // Without the call that was refused.
            let used = |window: QuotaWindow| self.completed_in(refusal.now, window);
            before.refused_at = RefusedAt::of(refusal.kind, used);
        }
        self.told.locks_ip = explained.is_some_and(QuotaWindow::is_of_ip);
        self.lockout = before.next(explained, &refusal);
        Some(self.lockout)
    }

    /// A standard call was refused with 45009 at `now`. Returns whether nothing but a counter that this
    /// account shares with `other` explains that: with the calls of both, and not without, a business
    /// window is all but full. From here on they count together.
    pub(crate) fn shares_counter_with(&mut self, other: &mut Self, now: Timestamp) -> bool {
        if self.limits.is_shared || self.lockout.is_active() {
            return false;
        }
        if self.nearly_full(now, CallKind::Standard).is_some() {
            return false;
        }
        let mut is_full = |window: QuotaWindow| {
            let both = self.used(now, window) + other.used(now, window);
            let limit = self.limits.remote.of(window);
            window.is_business() && limit.is_some_and(|limit| both >= limit - limit / 100)
        };
        self.told.shares_counter = QuotaWindow::ALL.into_iter().any(&mut is_full);
        self.limits.is_shared = self.told.shares_counter;
        other.limits.is_shared = self.told.shares_counter;
        self.told.shares_counter
    }

    /// A call that was sent at `sent` got past the limits. Returns whether it was the probe of a
    /// lockout, which is over then.
    pub fn clear_lockout(&mut self, sent: Timestamp) -> bool {
        let is_over = self.lockout.is_active() && sent >= self.lockout.until;
        if is_over {
            let Lockout {
                level, refused_at, ..
            } = self.lockout;
            self.observed = refused_at.observation(level.period(), &self.limits.remote);
            self.lockout = Lockout::default();
            self.refusals.clear();
        }
        is_over
    }

    /// Keeps the windows below limits that are lower than published, and never above those allowed.
    pub(crate) fn learn(&mut self, learnt: Vec<(QuotaWindow, u64)>) {
        if learnt == self.limits.learnt {
            return;
        }
        self.limits.learnt = learnt;
        let kept = self.limits.learnt.iter().map(|it| (it.0, kept_below(it.1)));
        let lowest = kept.fold(self.limits.allowed, |limits, (window, kept)| {
            let limit = limits.of(window).map_or(kept, |limit| limit.min(kept));
            limits.with(window, Some(limit))
        });
        for window in &mut self.windows {
            window.set_limit(lowest.of(window.window()));
        }
    }

    /// Limits of the remote that are lower than published, and how many calls were refused at.
    #[must_use]
    pub fn learnt(&self) -> &[(QuotaWindow, u64)] {
        &self.limits.learnt
    }

    /// Whether the lockout in force was met far below every limit of the remote.
    #[must_use]
    pub fn is_used_elsewhere(&self) -> bool {
        let refused_at = self.lockout.refused_at;
        self.lockout.is_active() && refused_at.is_far_below(&self.limits.remote)
    }

    /// Calls completed in `window`, but for one.
    fn completed_in(&mut self, now: Timestamp, window: QuotaWindow) -> u64 {
        let window = &mut self.windows[window as usize];
        window.expire(now);
        window.completed().saturating_sub(1)
    }

    /// The shortest window within 1 % of the remote's limit, of those that count a call of `kind`.
    fn nearly_full(&mut self, now: Timestamp, kind: CallKind) -> Option<QuotaWindow> {
        let one = CallCount::of(kind, 1);
        let full = QuotaWindow::ALL.into_iter().filter(|window| {
            let used = self.used(now, *window);
            let limit = self.limits.remote.of(*window);
            self.windows[*window as usize].counted(one) > 0
                && limit.is_some_and(|limit| used >= limit - limit / 100)
        });
        full.min_by_key(|window| window.period())
    }
}
