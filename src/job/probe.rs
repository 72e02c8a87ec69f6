//! One call in spite of a lockout, to find out whether it is still in force.

use std::time::Duration;

use super::{error::Error, exit::Exit, files::JobFiles, token};
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    ledger::{Ledger, LedgerAccount},
    model::{Api, Limits, Subject, WindowKind},
    quota::{Account, CallKind, LockoutLevel, Paid, QuotaRefusal, WriterId},
    store::Reader,
    wecom::{Client, Endpoint, Token, Verdict, errcode::Class},
};

/// The writer of a probe in the ledger.
const NAME: &str = "idferry quota probe";

/// What a probe found.
pub enum Probed {
    /// The corp is not locked out: nothing was sent.
    NotLockedOut,
    /// The call got past the limits, with this reply: the lockout is over.
    Over(String),
    /// The call was refused (45009): the lockout is taken for one of `level`, until this time.
    Refused(LockoutLevel, Timestamp),
    /// This reply does not tell: the lockout stands.
    Unknown(String),
}

/// Asks about a subject of the job, charged in the ledger as any other call.
///
/// # Errors
///
/// If the job has no subject to ask about, no token is to be had, a window is full, or a file cannot
/// be read or written.
pub async fn probe(files: &JobFiles, client: &Client, timeout: Duration) -> Result<Probed, Error> {
    let reader = Reader::open(&files.job)?;
    if let Some(corp) = reader.corp_id()?
        && !corp.eq_ignore_ascii_case(client.corp_id())
    {
        let job = files.name();
        let message = format!("{job} belongs to {corp}: name another job file with --state");
        return Err(Error {
            exit: Exit::OtherState,
            message,
        });
    }
    let subject = reader.subject_to_ask()?.ok_or_else(|| {
        let job = files.name();
        Error::usage(format!(
            "a probe asks about a subject, and {job} has none that is queued or answered: name \
             another job file with --state"
        ))
    })?;
    let ledger = Ledger::open(&files.ledger)?;
    let stored = ledger.load(client.corp_id(), Api::Lookup)?;
    if !stored.snapshot.lockout.is_active() {
        return Ok(Probed::NotLockedOut);
    }
    let mut clock = ledger.resume_clock(Clock::system())?;
    let who = (NAME, timeout);
    let token = token::fetch(&ledger, client, &mut clock, who).await?;
    ledger.probe_now(client.corp_id(), Api::Lookup, clock.now())?;
    let account = LedgerAccount::of(&ledger, client.corp_id(), Api::Lookup, WriterId::random());
    let mut prober = Prober {
        ledger: account.named(NAME, timeout),
        account: Account::new(Limits::published(), WindowKind::Sliding),
        clock,
    };
    let (paid, sent) = prober.pay()?;
    let verdict = prober.ask(client, &subject, &token, paid).await;
    prober.conclude(verdict, sent)
}

struct Prober<'l> {
    ledger: LedgerAccount<'l>,
    account: Account,
    clock: LedgerClock,
}

impl Prober<'_> {
    /// Pays for the call; returns when.
    fn pay(&mut self) -> Result<(Paid, Timestamp), Error> {
        let sent = self.clock.now();
        let paid = self.exchange(Some((CallKind::Standard, 1)))?;
        Ok((
            paid.ok_or_else(|| Error::internal("no call was paid for"))?,
            sent,
        ))
    }

    fn exchange(&mut self, want: Option<(CallKind, u32)>) -> Result<Option<Paid>, Error> {
        loop {
            let now = self.clock.reading();
            let exchanged = self.ledger.exchange(&mut self.account, want, &now)?;
            if let Some(ahead) = exchanged.ahead {
                self.clock.catch_up(&ahead);
                continue;
            }
            return match exchanged.paid {
                Ok(mut paid) => Ok(paid.take()),
                Err(hold) => Err(Error {
                    exit: Exit::WorkLeft,
                    message: format!("no probe now: {}", hold.reason),
                }),
            };
        }
    }

    async fn ask(&self, client: &Client, subject: &Subject, token: &Token, paid: Paid) -> Verdict {
        let lookup = &Endpoint::LOOKUP;
        client.call(lookup, subject, token, None, paid).await
    }

    /// Writes to the ledger what the reply says of the lockout.
    fn conclude(mut self, verdict: Verdict, sent: Timestamp) -> Result<Probed, Error> {
        let now = self.clock.now();
        self.account.complete(now, CallKind::Standard);
        let class = match &verdict {
            Verdict::Answered(_) => None,
            Verdict::Refused(refusal) => Some(refusal.class),
            Verdict::Failed(_) => Some(Class::Retry),
        };
        let probed = match class {
            Some(Class::Wait) => {
                self.account.impose_lockout(QuotaRefusal {
                    sent,
                    kind: CallKind::Standard,
                    now,
                    remote: self.clock.to_remote_time(now),
                    jitter: 1.0,
                });
                let lockout = self.account.lockout();
                Probed::Refused(lockout.level, self.clock.to_wall_time(lockout.until))
            }
            // They may be said before the limits are looked at.
            Some(Class::Retry | Class::Slow | Class::Token) => Probed::Unknown(words(&verdict)),
            _ => {
                self.account.clear_lockout(sent);
                Probed::Over(words(&verdict))
            }
        };
        self.exchange(None)?;
        Ok(probed)
    }
}

/// The reply, without ids.
fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Answered(_) => "the call was answered".into(),
        Verdict::Refused(refusal) => format!("the call was refused for another reason ({refusal})"),
        Verdict::Failed(failure) => format!("no reply ({failure})"),
    }
}
