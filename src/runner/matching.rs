//! Contacts of downstream corps are matched with subjects by their pending_ids (D98040): a hundred a
//! call, one call at a time, each answer on disk before the next call.
//!
//! A downstream corp that cannot be asked is skipped with a word, and the others are asked. What was
//! asked about and not known is remembered, and asked again after a while: its pending_id may be
//! asked for later.

mod calls;
mod tokens;

use std::{collections::HashMap, ops::Range, time::Duration};

use self::{calls::Halted, tokens::DownstreamTokens};
use super::{
    OnQuota, RunOptions, Stop, TokenAccount,
    call_account::CallAccount,
    decide::halt,
    event::{BreakerTrip, MatchingReport, StopReason},
};
use crate::{
    clock::{LedgerClock, Timestamp},
    model::PendingId,
    store::{ContactAnswer, ContactBatch, Result, Store},
    wecom::{
        Class, Client, Refusal, Token,
        downstream::{BATCH, SharingCorp},
        wire,
    },
};

/// Contacts in a row that may be refused before the input is taken for wrong: a neighbouring API locks
/// callers out for that (D97062).
const REFUSED_IN_A_ROW: usize = 20;

/// What pays for the calls, one account for each API.
pub struct MatchingAccounts<'l> {
    /// Fetches of the app's own token.
    pub tokens: TokenAccount<'l>,
    /// Calls about contacts.
    pub contacts: CallAccount<'l>,
    /// The list of downstream corps.
    pub corps: CallAccount<'l>,
    /// Their tokens.
    pub corp_tokens: CallAccount<'l>,
}

/// How contacts are matched.
pub struct MatchingOptions {
    /// When to stop, and what to do at a limit.
    pub run: RunOptions,
    /// The app's id in the upstream corp, by which the downstream corps are listed. Without it every
    /// contact is asked about with the app's own token.
    pub agentid: Option<i64>,
    /// How long contacts without a pending_id are not asked about again.
    pub unmatched_after: Duration,
}

/// The contacts of a job, on their way to be matched.
pub struct Matching<'s> {
    store: &'s mut Store,
    client: Client,
    clock: LedgerClock,
    accounts: MatchingAccounts<'s>,
    options: MatchingOptions,
    stop: Stop,
    chance: fastrand::Rng,
    deadline: Option<Timestamp>,
    token: Option<(Token, Timestamp)>,
    /// `None` if they were not listed.
    corps: Option<HashMap<String, SharingCorp>>,
    downstream_tokens: DownstreamTokens,
    report: MatchingReport,
    refused_in_a_row: usize,
}

/// Why contacts were not answered.
enum NotAnswered {
    /// Their corp cannot be asked.
    Corp(String),
    /// The call was refused.
    Refused(Refusal),
}

impl<'s> Matching<'s> {
    /// Returns the work to do.
    pub fn new(
        store: &'s mut Store,
        (client, clock): (Client, LedgerClock),
        accounts: MatchingAccounts<'s>,
        options: MatchingOptions,
        stop: Stop,
    ) -> Self {
        Self {
            chance: fastrand::Rng::with_seed(options.run.seed),
            deadline: options.run.deadline,
            store,
            client,
            clock,
            accounts,
            options,
            stop,
            token: None,
            corps: None,
            downstream_tokens: HashMap::new(),
            report: MatchingReport {
                reason: StopReason::Finished,
                calls: 0,
                skipped: Vec::new(),
            },
            refused_in_a_row: 0,
        }
    }

    /// Asks about every contact that is due. After an error everything answered is on disk.
    pub async fn drive(mut self) -> Result<MatchingReport> {
        match self.ask_all().await {
            Ok(()) => {}
            Err(Halted::Stop(reason)) => self.report.reason = *reason,
            Err(Halted::Store(error)) => return Err(error),
        }
        let Self {
            accounts, clock, ..
        } = &mut self;
        for account in [
            &mut accounts.contacts,
            &mut accounts.corps,
            &mut accounts.corp_tokens,
        ] {
            account.close(clock)?;
        }
        Ok(self.report)
    }

    async fn ask_all(&mut self) -> std::result::Result<(), Halted> {
        let wall = self.clock.clock().now();
        let before = wall.minus(self.options.unmatched_after);
        let most = u32::try_from(BATCH).unwrap_or(1);
        for mut batch in self.store.contact_groups()? {
            while self.store.next_contacts(&mut batch, most, before)? {
                if self.corps.is_none() {
                    self.list_corps().await?;
                }
                if let Some(why) = self.ask_batch(&batch).await? {
                    self.report.skipped.push((batch.corpid.clone(), why));
                    break;
                }
            }
        }
        Ok(())
    }

    /// Asks about a batch, and about ever smaller parts of it as long as it is refused for one of its
    /// ids. Returns why its corp cannot be asked, if that is so.
    async fn ask_batch(
        &mut self,
        batch: &ContactBatch,
    ) -> std::result::Result<Option<String>, Halted> {
        let whole = 0..batch.external_userids.len();
        let mut parts = vec![whole];
        while let Some(part) = parts.pop() {
            let ids = &batch.external_userids[part.clone()];
            let known = match self.ask(batch, ids).await? {
                Ok(known) => known,
                Err(NotAnswered::Corp(why)) => return Ok(Some(why)),
                Err(NotAnswered::Refused(refusal)) => {
                    if let Some(why) = self.refused(batch, part, refusal, &mut parts)? {
                        return Ok(Some(why));
                    }
                    continue;
                }
            };
            self.refused_in_a_row = 0;
            let answer = ContactAnswer::Known(&known);
            let now = self.clock.clock().now();
            self.store.settle_contacts((batch, ids), &answer, now)?;
        }
        Ok(None)
    }

    /// A call about a part of a batch was refused: for one of its ids, or as its corp cannot be asked,
    /// which is returned.
    fn refused(
        &mut self,
        batch: &ContactBatch,
        part: Range<usize>,
        refusal: Refusal,
        parts: &mut Vec<Range<usize>>,
    ) -> std::result::Result<Option<String>, Halted> {
        let is_of_corp = !batch.corpid.is_empty();
        match refusal.class {
            Class::Subject | Class::Source | Class::Unlisted if part.len() > 1 => {
                let middle = part.start.midpoint(part.end);
                parts.extend([middle..part.end, part.start..middle]);
                Ok(None)
            }
            Class::Subject | Class::Source | Class::Unlisted => {
                let answer = ContactAnswer::Refused(refusal.errcode);
                let (ids, now) = (&batch.external_userids[part], self.clock.clock().now());
                self.store.settle_contacts((batch, ids), &answer, now)?;
                self.refused_in_a_row += 1;
                if self.refused_in_a_row < REFUSED_IN_A_ROW {
                    return Ok(None);
                }
                Err(Halted::of(StopReason::Breaker(BreakerTrip {
                    errors: REFUSED_IN_A_ROW,
                    answers: REFUSED_IN_A_ROW,
                    mostly: (Some(refusal.errcode), REFUSED_IN_A_ROW),
                })))
            }
            // 48004 is about the corp whose token was sent (D90313).
            Class::Downstream if is_of_corp => Ok(Some(refusal.to_string())),
            Class::Stop if is_of_corp && self.asks_with_downstream_token(&batch.corpid) => {
                Ok(Some(refusal.to_string()))
            }
            _ => Err(Halted::of(StopReason::Refused(halt(
                refusal,
                wire::MATCH_CONTACTS,
            )))),
        }
    }

    /// Asks about `ids` of a batch, with a second token if the first is refused.
    async fn ask(
        &mut self,
        batch: &ContactBatch,
        ids: &[String],
    ) -> std::result::Result<std::result::Result<Vec<(Box<str>, PendingId)>, NotAnswered>, Halted>
    {
        let mut is_second = false;
        loop {
            let token = match self.token_for(&batch.corpid).await? {
                Ok(token) => token,
                Err(why) => return Ok(Err(NotAnswered::Corp(why))),
            };
            let chat_id = &batch.chat_id;
            let answer = self
                .call(
                    |accounts| &mut accounts.contacts,
                    |client, paid| client.match_contacts(&token, ids, chat_id, paid),
                )
                .await?;
            match answer {
                Err(refusal) if refusal.class == Class::Token && !is_second => {
                    self.drop_token(&batch.corpid);
                    is_second = true;
                }
                answer => return Ok(answer.map_err(NotAnswered::Refused)),
            }
        }
    }
}
