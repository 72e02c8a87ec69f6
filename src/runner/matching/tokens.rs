//! The tokens of a matching: that of the app, and one of each downstream corp with which it is shared.

use std::collections::{HashMap, HashSet};

use super::{Matching, calls::Halted};
use crate::{
    clock::Timestamp,
    ledger::TokenRefusal,
    model::Failure,
    runner::{
        decide::halt,
        event::{FatalRefusal, StopReason},
        tokens::SHUT_OUT,
    },
    wecom::{CallError, Class, Token, errcode, wire},
};

/// By corpid: the token, and until when it is fresh.
pub(super) type DownstreamTokens = HashMap<String, (Token, Timestamp)>;

/// Fetches of a token that may fail in a row.
const TRIES: u8 = 5;

impl Matching<'_> {
    /// Returns the token to ask about contacts of `corpid` with, or why that corp cannot be asked.
    pub(super) async fn token_for(
        &mut self,
        corpid: &str,
    ) -> Result<Result<Token, String>, Halted> {
        let corps = self
            .corps
            .as_ref()
            .filter(|_| self.options.agentid.is_some());
        let Some(corps) = corps.filter(|_| !corpid.is_empty()) else {
            return self.upstream_token().await.map(Ok);
        };
        let Some(corp) = corps.get(corpid).cloned() else {
            let why =
                "the app is not shared with it, or its admin has not confirmed that yet (D95813)";
            return Ok(Err(why.to_owned()));
        };
        let now = self.clock.now();
        let kept = self.downstream_tokens.get(corpid);
        if let Some((token, _)) = kept.filter(|(_, until)| now < *until) {
            return Ok(Ok(token.clone()));
        }
        let mut is_second = false;
        loop {
            let upstream = self.upstream_token().await?;
            let fetched = self
                .call(
                    |accounts| &mut accounts.corp_tokens,
                    |client, paid| client.fetch_downstream_token(&upstream, &corp, paid),
                )
                .await?;
            match fetched {
                Ok(token) => {
                    let until = token.fresh_until(self.clock.now());
                    let kept = (token.clone(), until);
                    self.downstream_tokens.insert(corpid.to_owned(), kept);
                    return Ok(Ok(token));
                }
                Err(refusal) if refusal.class == Class::Token && !is_second => {
                    self.token = None;
                    is_second = true;
                }
                Err(refusal) => return Ok(Err(refusal.to_string())),
            }
        }
    }

    /// Whether contacts of `corpid` are asked about with a token of that corp.
    pub(super) fn asks_with_downstream_token(&self, corpid: &str) -> bool {
        self.downstream_tokens.contains_key(corpid)
    }

    /// The token was refused: another is fetched for the next call.
    pub(super) fn drop_token(&mut self, corpid: &str) {
        if self.downstream_tokens.remove(corpid).is_none() {
            self.token = None;
        }
    }

    /// Lists the downstream corps with which the app is shared, and keeps their names.
    pub(super) async fn list_corps(&mut self) -> Result<(), Halted> {
        let mut corps = HashMap::new();
        let Some(agentid) = self.options.agentid else {
            self.corps = Some(corps);
            return Ok(());
        };
        let (mut cursor, mut seen) = (String::new(), HashSet::new());
        let mut is_second = false;
        loop {
            let token = self.upstream_token().await?;
            let page = self
                .call(
                    |accounts| &mut accounts.corps,
                    |client, paid| client.list_sharing_corps(&token, agentid, &cursor, paid),
                )
                .await?;
            let page = match page {
                Ok(page) => page,
                Err(refusal) if refusal.class == Class::Token && !is_second => {
                    self.token = None;
                    is_second = true;
                    continue;
                }
                Err(refusal) => {
                    let refusal = halt(refusal, wire::LIST_APP_SHARE_INFO);
                    return Err(Halted::of(StopReason::Refused(refusal)));
                }
            };
            // A cursor that comes again would never end.
            let next = page.next().filter(|next| seen.insert((*next).to_owned()));
            let next = next.map(str::to_owned);
            corps.extend(
                page.corp_list
                    .into_iter()
                    .map(|corp| (corp.corpid.clone(), corp)),
            );
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        let named = corps.values().filter(|corp| !corp.corp_name.is_empty());
        let names: Vec<_> = named
            .map(|corp| (corp.corpid.clone(), corp.corp_name.clone()))
            .collect();
        self.store.name_corps(&names)?;
        self.corps = Some(corps);
        Ok(())
    }

    /// The app's own token.
    async fn upstream_token(&mut self) -> Result<Token, Halted> {
        let mut failures = 0;
        loop {
            let now = self.clock.now();
            if let Some((token, _)) = self.token.as_ref().filter(|(_, until)| now < *until) {
                return Ok(token.clone());
            }
            self.check_refusals(now)?;
            if let Err(hold) = self.accounts.tokens.pay(&self.clock.reading())? {
                self.wait(hold).await?;
                continue;
            }
            let fetched = self.client.fetch_token().await;
            self.accounts.tokens.completed(&self.clock.reading())?;
            let now = self.clock.now();
            match fetched {
                Ok(token) => {
                    let until = token.fresh_until(now);
                    self.token = Some((token, until));
                    failures = 0;
                }
                Err(error) => {
                    let failure = self.passing(error)?;
                    failures += 1;
                    if failures >= TRIES {
                        return Err(Halted::of(StopReason::never_reached(failure)));
                    }
                    self.back_off(failures).await?;
                }
            }
        }
    }

    /// # Errors
    ///
    /// The refusal of an earlier run, which is not repeated (D90313).
    fn check_refusals(&self, now: Timestamp) -> Result<(), Halted> {
        let refusals = self.accounts.tokens.refusals();
        let Some(refusal) = refusals.in_force(self.client.secret_digest(), now)? else {
            return Ok(());
        };
        let shown = |at| self.clock.to_wall_time(at);
        Err(Halted::of(StopReason::Refused(FatalRefusal {
            entry: errcode::lookup(refusal.errcode),
            errcode: refusal.errcode,
            errmsg: String::new(),
            bug: false,
            remembered: Some((shown(refusal.at), shown(refusal.until))),
            call: "gettoken",
        })))
    }

    /// Returns what a fetch failed with, if that may pass.
    ///
    /// # Errors
    ///
    /// The refusal, which is remembered if restarts must not repeat it.
    fn passing(&self, error: CallError) -> Result<Failure, Halted> {
        let refusal = match error {
            CallError::Failed(failure) => return Ok(failure),
            CallError::Refused(refusal) => refusal,
        };
        if matches!(refusal.class, Class::Retry | Class::Slow) {
            return Ok(Failure::Busy(refusal.errcode));
        }
        let is_locked = refusal.class == Class::Wait;
        if is_locked || refusal.is_wrong_secret() {
            let at = self.clock.now();
            self.accounts.tokens.refusals().remember(&TokenRefusal {
                errcode: refusal.errcode,
                secret: (!is_locked).then(|| self.client.secret_digest()),
                at,
                until: at.plus(SHUT_OUT),
            })?;
        }
        Err(Halted::of(StopReason::Refused(halt(
            refusal,
            wire::GETTOKEN,
        ))))
    }
}
