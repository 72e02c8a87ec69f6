//! An access token for one call outside of a run: charged and refused as those of runs are.

use std::time::Duration;

use super::{error::Error, exit::Exit};
use crate::{
    clock::LedgerClock,
    ledger::{Ledger, LedgerAccount},
    model::Api,
    quota::{Quota, WriterId},
    runner::{NoToken, TokenAccount},
    wecom::{CallError, Client, Token, errcode},
};

/// Fetches the token; `name` is the command under which it is charged.
pub(super) async fn fetch(
    ledger: &Ledger,
    client: &Client,
    clock: &mut LedgerClock,
    (name, timeout): (&str, Duration),
) -> Result<Token, Error> {
    let stored = ledger.load(client.corp_id(), Api::Token)?;
    let account = LedgerAccount::of(ledger, client.corp_id(), Api::Token, WriterId::random());
    let account = account.named(name, timeout);
    let mut account = TokenAccount::open(account, &Quota::default(), &stored.snapshot);
    let fetched = account.fetch_one(client, clock).await?;
    fetched.map_err(|why| no_token(&why, clock))
}

fn no_token(why: &NoToken, clock: &LedgerClock) -> Error {
    let (exit, why) = match why {
        NoToken::Remembered(refusal) => {
            let entry = errcode::lookup(refusal.errcode);
            let exit = match refusal.secret {
                Some(_) => Exit::Halted,
                None => Exit::WorkLeft,
            };
            let [at, until] = [refusal.at, refusal.until].map(|at| clock.to_wall_time(at));
            let why = format!(
                "errcode {} {} ({}) at {at} is not repeated before {until}, as that gets the address \
                 banned for an hour (D90313)",
                refusal.errcode, entry.chinese, entry.meaning
            );
            (exit, why)
        }
        NoToken::Full(hold) => (Exit::WorkLeft, hold.reason.to_string()),
        NoToken::Failed(why @ CallError::Refused(_)) => (Exit::Halted, why.to_string()),
        NoToken::Failed(why @ CallError::Failed(_)) => (Exit::WorkLeft, why.to_string()),
    };
    Error {
        exit,
        message: format!("no access token, so nothing was sent: {why}"),
    }
}
