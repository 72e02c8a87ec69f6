//! The client of idferry in a bare loop: no state file, no gate, no retries. What a run costs
//! beyond this is the price of losing nothing.

use std::{error::Error, rc::Rc};

use futures_util::{StreamExt, stream::FuturesUnordered};
use idferry::{
    clock::{Clock, Timestamp},
    intake::{Input, InputLine, ReadOptions, RowReader},
    model::{Limits, Subject, SubjectId, WindowKind},
    quota::{CallKind, Ledger, Paid},
    secret::Secret,
    wecom::{BaseUrl, Client, Endpoint, HttpTransport, Timeouts, Verdict},
};

pub(crate) fn run(
    csv: &str,
    url: &str,
    (corp, secret): (&str, &str),
    rows: u64,
    width: usize,
) -> Result<(), Box<dyn Error>> {
    let transport = HttpTransport::new(BaseUrl::parse(url)?, Timeouts::default())?;
    let client = Client::new(Rc::new(transport), corp, Secret::new(secret.to_owned()));
    let fans = Fans {
        rows: RowReader::open(&Input::parse(csv.as_ref()), &ReadOptions::default())?,
        left: rows,
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(ask_all(client, fans, width))
}

async fn ask_all(client: Client, mut fans: Fans, width: usize) -> Result<(), Box<dyn Error>> {
    let token = client.fetch_token().await?;
    let mut books = Ledger::new(Limits::none(), WindowKind::Sliding);
    let mut calls = FuturesUnordered::new();
    let clock = Clock::system();
    let (mut answered, began) = (0_u64, clock.monotonic().millis);
    loop {
        while calls.len() < width
            && let Some(subject) = fans.next()?
        {
            calls.push(client.call(
                &Endpoint::LOOKUP,
                &subject,
                &token,
                None,
                one_call(&mut books)?,
            ));
        }
        match calls.next().await {
            Some(Verdict::Answered(_)) => answered += 1,
            Some(verdict) => return Err(format!("{verdict:?}").into()),
            None => break,
        }
    }
    let millis = clock.monotonic().millis - began;
    println!("{{\"rows\": {answered}, \"millis\": {millis}}}");
    Ok(())
}

/// Nothing but a commit pays for a call; here it is one that writes nothing.
fn one_call(books: &mut Ledger) -> Result<Paid, Box<dyn Error>> {
    let permit = books.charge(Timestamp::default(), CallKind::Standard, 1);
    let permit = permit.map_err(|hold| format!("{hold:?}"))?;
    let mut purse = permit.pay(|| Ok::<(), Box<dyn Error>>(()))?;
    purse.take().ok_or_else(|| "an empty purse".into())
}

struct Fans {
    rows: RowReader,
    left: u64,
}

impl Fans {
    fn next(&mut self) -> Result<Option<Subject>, Box<dyn Error>> {
        while self.left > 0 {
            self.left -= 1;
            match self.rows.next()? {
                InputLine::Row(row) => {
                    return Ok(Some(Subject {
                        id: SubjectId(0),
                        unionid: row.unionid.into(),
                        openid: row.openid.into(),
                        corpid: row.corpid.map(Into::into),
                    }));
                }
                InputLine::Invalid(_) => {}
                InputLine::End => break,
            }
        }
        Ok(None)
    }
}
