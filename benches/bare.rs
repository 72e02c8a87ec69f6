//! The client of idferry in a bare loop: no job file, no gate, no retries. What a run costs
//! beyond this is the price of keeping every answer.

use std::{error::Error, rc::Rc};

use futures_util::{StreamExt, stream::FuturesUnordered};
use idferry::{
    clock::{Clock, Timestamp},
    intake::{Input, InputLine, ReadOptions, RowReader},
    model::{Limits, Subject, SubjectId, WindowKind},
    quota::{Account, CallKind, Paid},
    secret::Secret,
    wecom::{BaseUrl, Client, Endpoint, HttpTransport, Timeouts, Verdict},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Looks up the first `calls` rows of a table without invalid lines, `width` calls in flight; returns
/// the seconds from the first call to the last answer.
pub(crate) fn run(
    csv: &str,
    url: &str,
    (corp, secret): (&str, &str),
    calls: u64,
    width: usize,
) -> Result<f64> {
    let transport = HttpTransport::new(BaseUrl::parse(url)?, Timeouts::default())?;
    let client = Client::new(Rc::new(transport), corp, Secret::new(secret.to_owned()));
    let rows = RowReader::open(&Input::parse(csv.as_ref()), &ReadOptions::default())?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(look_up(&client, rows, calls, width))
}

async fn look_up(client: &Client, mut rows: RowReader, calls: u64, width: usize) -> Result<f64> {
    let token = client.fetch_token().await?;
    let mut account = Account::new(Limits::none(), WindowKind::Sliding);
    let (mut in_flight, mut answered) = (FuturesUnordered::new(), 0);
    let (clock, mut left) = (Clock::system(), calls);
    let began = clock.monotonic().millis;
    while answered < calls {
        while left > 0 && in_flight.len() < width {
            let subject = next_subject(&mut rows)?;
            in_flight.push(client.call(
                &Endpoint::LOOKUP,
                &subject,
                &token,
                None,
                pay(&mut account)?,
            ));
            left -= 1;
        }
        match in_flight.next().await {
            Some(Verdict::Answered(_)) => answered += 1,
            verdict => return Err(format!("{verdict:?}").into()),
        }
    }
    let millis = u32::try_from(clock.monotonic().millis - began)?;
    Ok(f64::from(millis) / 1000.0)
}

/// Only a commit pays for a call; this one writes nothing.
fn pay(account: &mut Account) -> Result<Paid> {
    let permit = account.charge(Timestamp::default(), CallKind::Standard, 1);
    let permit = permit.map_err(|hold| format!("{hold:?}"))?;
    let mut paid = permit.pay(|| Ok::<(), Box<dyn Error>>(()))?;
    paid.take().ok_or_else(|| "no call was paid".into())
}

fn next_subject(rows: &mut RowReader) -> Result<Subject> {
    match rows.next()? {
        InputLine::Row(row) => Ok(Subject {
            id: SubjectId(0),
            unionid: row.unionid.into(),
            openid: row.openid.into(),
            corpid: row.corpid.map(Into::into),
        }),
        InputLine::Invalid(_) | InputLine::End => {
            Err("the table has an invalid line, or ends early".into())
        }
    }
}
