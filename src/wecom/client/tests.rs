use std::{cell::RefCell, time::Duration};

use super::*;
use crate::{
    model::SubjectId,
    wecom::{Answer, errcode::Class, transport::Sending},
};

const UNIONID: &str = "oUnionUnionUnionUnion0000001";
const OPENID: &str = "oOpenOpenOpenOpenOpen0000001";
const TOKEN: &str = "tok/en+with=odd&characters";
const TICKET: &str = "tick-et-tick-et-tick-et";
const SECRET: &str = "shh-shh-shh-shh-shh";
const ALL: [&str; 5] = [UNIONID, OPENID, TOKEN, TICKET, SECRET];

type Canned = Result<(u16, String), Failure>;

/// Replies to every request with the same reply and keeps the requests.
struct Memory {
    canned: Canned,
    requests: RefCell<Vec<Request>>,
}

impl Memory {
    fn client(canned: Canned) -> (Rc<Self>, Client) {
        let requests = RefCell::default();
        let memory = Rc::new(Self { canned, requests });
        let transport: Rc<dyn Transport> = memory.clone();
        let client = Client::new(transport, "wwcorp", Secret::new(SECRET.into()));
        (memory, client)
    }

    fn replying(body: &str) -> (Rc<Self>, Client) {
        Self::client(Ok((200, body.to_owned())))
    }
}

impl Transport for Memory {
    fn send(&self, request: Request) -> Sending<'static> {
        self.requests.borrow_mut().push(request);
        let reply = self.canned.clone().map(|(status, body)| Response {
            status,
            retry_after: None,
            date: None,
            body: body.into_bytes(),
        });
        Box::pin(async { reply })
    }
}

fn subject(corpid: Option<&str>) -> Subject {
    Subject {
        id: SubjectId(7),
        unionid: UNIONID.into(),
        openid: OPENID.into(),
        corpid: corpid.map(Into::into),
    }
}

fn token() -> Token {
    Token {
        secret: Arc::new(Secret::new(TOKEN.into())),
        expires_in: Duration::from_secs(7200),
    }
}

fn ticket() -> Ticket {
    Ticket::obtained(Secret::new(TICKET.into()), Timestamp::from_millis(0)).unwrap()
}

fn lookup(
    client: &Client,
    corpid: Option<&str>,
    ticket: Option<&Ticket>,
) -> impl Future<Output = Verdict> + use<> {
    let paid = Paid::for_tests();
    client.call(&Endpoint::LOOKUP, &subject(corpid), &token(), ticket, paid)
}

fn assert_silent(what: &impl std::fmt::Debug) {
    let text = format!("{what:?}");
    for hidden in ALL {
        assert!(!text.contains(hidden), "{text} names {hidden}");
    }
}

#[tokio::test]
async fn lookup_posts_the_ids_and_nothing_that_is_empty() {
    let bare = format!(r#"{{"unionid":"{UNIONID}","openid":"{OPENID}"}}"#);
    let full = format!(
        r#"{{"unionid":"{UNIONID}","openid":"{OPENID}","corpid":"wpA","mass_call_ticket":"{TICKET}"}}"#
    );
    for (corpid, ticket, body) in [
        (None, None, &bare),
        (Some(""), None, &bare),
        (Some("wpA"), Some(ticket()), &full),
    ] {
        let (memory, client) = Memory::replying(r#"{"errcode":0,"errmsg":"ok"}"#);
        let verdict = lookup(&client, corpid, ticket.as_ref()).await;
        assert_eq!(verdict, Verdict::Answered(Answer::Links(vec![])));
        let requests = memory.requests.borrow();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].method, Method::Post);
        assert_eq!(requests[0].path, Endpoint::LOOKUP.path);
        assert_eq!(requests[0].query.len(), 1);
        assert_eq!(requests[0].query[0].0, "access_token");
        assert_eq!(requests[0].query[0].1.expose(), TOKEN);
        assert_eq!(String::from_utf8_lossy(&requests[0].body), *body);
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_first_poll() {
    let (memory, client) = Memory::replying(r#"{"errcode":0,"errmsg":"ok"}"#);
    drop(lookup(&client, None, None));
    assert!(memory.requests.borrow().is_empty());
}

#[tokio::test]
async fn named_corp_is_refused_instead_of_the_run() {
    let (_, client) = Memory::replying(r#"{"errcode":670001,"errmsg":"agent no warrant"}"#);
    for (corpid, class) in [
        (None, Class::Stop),
        (Some(""), Class::Stop),
        (Some("wpA"), Class::Downstream),
    ] {
        let Verdict::Refused(refusal) = lookup(&client, corpid, None).await else {
            panic!("670001 is a refusal");
        };
        assert_eq!(refusal.class, class);
    }
}

#[tokio::test]
async fn token_is_fetched_with_the_credentials_of_the_corp() {
    let (memory, client) =
        Memory::replying(r#"{"errcode":0,"errmsg":"ok","access_token":"new","expires_in":7200}"#);
    let token = client.fetch_token().await.unwrap();
    assert_eq!(token.secret.expose(), "new");
    let requests = memory.requests.borrow();
    assert_eq!(requests[0].method, Method::Get);
    assert_eq!(requests[0].path, wire::GETTOKEN);
    let query: Vec<_> = requests[0]
        .query
        .iter()
        .map(|(name, value)| (*name, value.expose().as_str()))
        .collect();
    assert_eq!(query, [("corpid", "wwcorp"), ("corpsecret", SECRET)]);
}

#[tokio::test]
async fn life_of_a_ticket_is_counted_from_the_request() {
    let (memory, client) =
        Memory::replying(r#"{"errcode":0,"errmsg":"ok","mass_call_ticket":"tick"}"#);
    let now = Timestamp::from_millis(1_000);
    let reply = client.apply_ticket(&token()).await.unwrap();
    let ticket = client.read_ticket(&reply, now, &token()).unwrap();
    assert_eq!(ticket.obtained_at(), now);
    assert_eq!(
        memory.requests.borrow()[0].path,
        wire::APPLY_MASS_CALL_TICKET
    );
}

#[tokio::test]
async fn errors_do_not_repeat_what_a_lookup_sent() {
    let encoded = super::super::query::encoded(TOKEN);
    for errcode in [-1, 40001, 40058, 45009, 60020, 77, 610_014] {
        let errmsg = format!(
            "no {UNIONID} {OPENID} access_token={TOKEN}, {encoded}, {TICKET}/{SECRET} {} from ip: 203.0.113.9",
            &TICKET[..15]
        );
        let (_, client) =
            Memory::replying(&format!(r#"{{"errcode":{errcode},"errmsg":"{errmsg}"}}"#));
        let verdict = lookup(&client, None, Some(&ticket())).await;
        assert_silent(&verdict);
        let Verdict::Refused(refusal) = &verdict else {
            panic!("{errcode} is a refusal");
        };
        let text = refusal.to_string();
        assert!(ALL.iter().all(|hidden| !text.contains(hidden)), "{text}");
        assert!(
            !text.contains(&encoded) && !text.contains(&TICKET[..15]),
            "{text}"
        );
        assert_eq!(text.contains("203.0.113.9"), refusal.class.keeps_errmsg());
    }
}

#[tokio::test]
async fn errors_do_not_repeat_what_a_credential_call_sent() {
    let errmsg = format!("secret {SECRET} and token {TOKEN}, from ip: 203.0.113.9");
    let (_, client) = Memory::replying(&format!(r#"{{"errcode":60020,"errmsg":"{errmsg}"}}"#));
    let at = Timestamp::from_millis(0);
    let reply = client.apply_ticket(&token()).await.unwrap();
    let errors = [
        client.read_ticket(&reply, at, &token()).unwrap_err(),
        Memory::replying(&format!(
            r#"{{"errcode":40001,"errmsg":"secret {SECRET}"}}"#
        ))
        .1
        .fetch_token()
        .await
        .unwrap_err(),
    ];
    for error in errors {
        assert_silent(&error);
        assert_silent(&error.to_string());
        assert!(error.to_string().contains("«…»"), "{error}");
    }
    assert_silent(&token());
    assert_silent(&ticket());
    assert_silent(&subject(None));
}

const NO_CONNECTION: Failure = Failure::Connect(crate::wecom::NoConnection::Refused);

#[tokio::test]
async fn failed_calls_say_what_happened_and_no_more() {
    let garbage = format!("<html>{TOKEN} {UNIONID} {SECRET}</html>");
    for (canned, failure) in [
        (Ok((200, garbage.clone())), Failure::Body),
        (Ok((502, garbage)), Failure::Status(502)),
        (Err(NO_CONNECTION), NO_CONNECTION),
        (Err(Failure::Reset), Failure::Reset),
    ] {
        let (_, client) = Memory::client(canned);
        let verdict = lookup(&client, None, Some(&ticket())).await;
        assert_eq!(verdict, Verdict::Failed(failure));
        let error = client.fetch_token().await.unwrap_err();
        assert_eq!(error, CallError::Failed(failure));
        assert_silent(&(verdict, error.to_string(), error));
    }
}
