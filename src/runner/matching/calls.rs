//! One call of a matching: paid for, made, and made again while that is of use.

use std::time::Duration;

use super::{Matching, MatchingAccounts, OnQuota};
use crate::{
    clock::Timestamp,
    model::Failure,
    quota::{CallKind, Hold, Paid, QuotaRefusal},
    runner::{
        call_account::CallAccount,
        decide::backoff,
        event::{StopReason, Waiting},
    },
    store::StoreError,
    wecom::{CallError, Class, Client, Refusal},
};

/// How often a call is made that the service fails, some minutes in all.
const TRIES: u8 = 12;
/// The longest sleep, so that clocks are looked at.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// A wait whose end is not known.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why nothing more is asked.
pub(super) enum Halted {
    Stop(Box<StopReason>),
    Store(StoreError),
}

impl Halted {
    pub(super) fn of(reason: StopReason) -> Self {
        Self::Stop(Box::new(reason))
    }
}

impl From<StoreError> for Halted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

type Account<'s> = for<'a> fn(&'a mut MatchingAccounts<'s>) -> &'a mut CallAccount<'s>;

impl<'s> Matching<'s> {
    /// Makes a call that `account` pays for until the API answers or refuses it.
    pub(super) async fn call<T, F: Future<Output = Result<T, CallError>>>(
        &mut self,
        account: Account<'s>,
        make: impl Fn(&Client, Paid) -> F,
    ) -> Result<Result<T, Refusal>, Halted> {
        let mut failures = 0;
        loop {
            let paid = self.pay(account).await?;
            let sent = self.clock.now();
            self.report.calls += 1;
            let reply = make(&self.client, paid).await;
            let now = self.clock.now();
            account(&mut self.accounts).completed(now);
            let failure = match reply {
                Ok(answer) => {
                    account(&mut self.accounts).answered(sent);
                    return Ok(Ok(answer));
                }
                Err(CallError::Failed(failure)) => failure,
                Err(CallError::Refused(refusal)) => match refusal.class {
                    Class::Retry | Class::Slow => Failure::Busy(refusal.errcode),
                    Class::Wait => {
                        self.locked_out(account, sent);
                        continue;
                    }
                    Class::Token => return Ok(Err(refusal)),
                    _ => {
                        account(&mut self.accounts).answered(sent);
                        return Ok(Err(refusal));
                    }
                },
            };
            failures += 1;
            if failures >= TRIES || failure.is_permanent() {
                return Err(Halted::of(StopReason::never_reached(failure)));
            }
            self.back_off(failures).await?;
        }
    }

    /// Waits after so many failures.
    pub(super) async fn back_off(&mut self, failures: u8) -> Result<(), Halted> {
        let pause = backoff(failures, self.chance.f64()).max(LOOK_AGAIN);
        self.sleep_until(self.clock.now().plus(pause)).await
    }

    fn locked_out(&mut self, account: Account<'s>, sent: Timestamp) {
        let now = self.clock.now();
        let refusal = QuotaRefusal {
            sent,
            kind: CallKind::Standard,
            now,
            remote: self.clock.to_remote_time(now),
            jitter: self.chance.f64(),
        };
        account(&mut self.accounts).locked_out(refusal);
    }

    async fn pay(&mut self, account: Account<'s>) -> Result<Paid, Halted> {
        loop {
            self.check_limits()?;
            match account(&mut self.accounts).pay(&mut self.clock)? {
                Ok(paid) => return Ok(paid),
                Err(hold) => self.wait(hold).await?,
            }
        }
    }

    /// # Errors
    ///
    /// The reason to stop, if the operator's limits end it here.
    fn check_limits(&self) -> Result<(), Halted> {
        let budget = self.options.run.budget;
        if budget.is_some_and(|budget| self.report.calls >= budget) {
            return Err(Halted::of(StopReason::Budget));
        }
        let wall = self.clock.clock().now();
        match self.deadline.is_some_and(|deadline| wall >= deadline) {
            true => Err(Halted::of(StopReason::Time)),
            false => Ok(()),
        }
    }

    /// Waits as long as `hold` says; at an exhausted hour or longer only if the operator wants that.
    pub(super) async fn wait(&mut self, hold: Hold) -> Result<(), Halted> {
        let now = self.clock.now();
        let until = hold.until.unwrap_or_else(|| now.plus(LOOK_AGAIN));
        let is_long = until.since(now) > 2 * Duration::from_secs(60);
        if hold.reason.is_quota() && is_long && self.options.run.on_quota == OnQuota::Exit {
            return Err(Halted::of(StopReason::Quota(Waiting {
                reason: hold.reason,
                until: Some(self.clock.to_wall_time(until)),
            })));
        }
        self.sleep_until(until).await
    }

    /// Sleeps a while of the time until `until`.
    async fn sleep_until(&mut self, until: Timestamp) -> Result<(), Halted> {
        loop {
            self.check_limits()?;
            let left = until.since(self.clock.now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = self.stop.requested() => return Err(Halted::of(StopReason::Interrupted)),
                () = tokio::time::sleep(left.min(LONGEST_SLEEP)) => {}
            }
        }
    }
}
