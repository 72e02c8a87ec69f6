use std::{cell::RefCell, rc::Rc, time::Duration};

use super::*;
use crate::{
    clock::{Clock, Timestamp},
    model::{QuotaWindow, SubjectId},
    quota::Paid,
    secret::Secret,
    sim::{MemoryTransport, SimOptions, SimulatedRemote},
    wecom::{Client, Token, Verdict},
};

const ALL: [&Endpoint; 2] = [&Endpoint::LOOKUP, &Endpoint::PENDING_ID];

fn subject(corpid: Option<&str>) -> Subject {
    Subject {
        id: SubjectId(7),
        unionid: "oUnion0000000000000000000001".into(),
        openid: "oOpen00000000000000000000001".into(),
        corpid: corpid.map(Into::into),
    }
}

fn ticket() -> Ticket {
    Ticket::obtained(Secret::new("tick".into()), Timestamp::from_millis(0)).unwrap()
}

/// A client of a simulator, and a token.
struct Bench {
    simulator: Rc<RefCell<SimulatedRemote>>,
    client: Client,
    token: Token,
}

impl Bench {
    async fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::parse("2026-11-22T09:00").unwrap());
        let simulator = SimulatedRemote::new(clock, SimOptions::default());
        let secret = Secret::new(simulator.corp_secret().to_owned());
        let corp_id = simulator.corp_id().to_owned();
        let simulator = Rc::new(RefCell::new(simulator));
        let transport = MemoryTransport::new(Rc::clone(&simulator), Duration::from_secs(10));
        let client = Client::new(Rc::new(transport), &corp_id, secret);
        let token = client.fetch_token().await.unwrap();
        Self {
            simulator,
            client,
            token,
        }
    }

    async fn call(&self, endpoint: &'static Endpoint, subject: &Subject) -> Verdict {
        let ticket = (!endpoint.accepts_ticket).then(ticket);
        let paid = Paid::for_tests();
        let call = self
            .client
            .call(endpoint, subject, &self.token, ticket.as_ref(), paid);
        call.await
    }

    async fn lookup(&self, subject: &Subject) -> Verdict {
        self.call(&Endpoint::LOOKUP, subject).await
    }

    /// Calls that `endpoint` has counted in `window`.
    fn counted(&self, endpoint: &Endpoint, window: QuotaWindow) -> u64 {
        let stats = self.simulator.borrow().stats();
        let lane = stats.lanes.get(endpoint.path);
        lane.map_or(0, |lane| lane.windows[window.name()].calls)
    }
}

fn answer(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_endpoint_has_a_quota_and_a_path_of_its_own() {
    for endpoint in ALL {
        assert_eq!(Endpoint::of(endpoint.api).unwrap().path, endpoint.path);
        assert_eq!(
            endpoint.path,
            format!("/cgi-bin/corpgroup/{}", endpoint.api.name())
        );
    }
    assert_eq!(ALL.map(|endpoint| endpoint.api.code()), [1, 2]);
}

#[test]
fn body_holds_only_what_the_endpoint_accepts() {
    let ids = r#""unionid":"oUnion0000000000000000000001","openid":"oOpen00000000000000000000001""#;
    let [bare, full] =
        ["", r#","corpid":"wpA","mass_call_ticket":"tick""#].map(|rest| format!("{{{ids}{rest}}}"));
    for (endpoint, corpid, ticket, expected) in [
        (&Endpoint::LOOKUP, None, None, &bare),
        (&Endpoint::LOOKUP, Some(""), None, &bare),
        (&Endpoint::LOOKUP, Some("wpA"), Some(ticket()), &full),
        (&Endpoint::PENDING_ID, None, None, &bare),
        (&Endpoint::PENDING_ID, Some("wpA"), Some(ticket()), &bare),
    ] {
        let body = endpoint.body(&subject(corpid), ticket.as_ref());
        assert_eq!(String::from_utf8_lossy(&body), *expected);
    }
}

#[test]
fn downstream_corp_is_blamed_only_if_it_was_named() {
    use Class::*;
    // code, lookup in all corps, lookup in one corp, pending_id
    let table = [
        (-1, Retry, Retry, Retry),
        (40001, Token, Token, Token),
        (40013, Stop, Downstream, Stop),
        (40058, Source, Source, Source),
        (42009, Stop, Stop, Stop),
        (45009, Wait, Wait, Wait),
        (45033, Slow, Slow, Slow),
        (48004, Stop, Downstream, Stop),
        (50002, Subject, Subject, Subject),
        (60011, Source, Source, Source),
        (60020, Stop, Stop, Stop),
        (84061, Subject, Subject, Subject),
        (301007, Stop, Downstream, Stop),
        (610004, Subject, Subject, Subject),
        (610015, Source, Source, Source),
        (670001, Stop, Downstream, Stop),
        (670004, Stop, Downstream, Stop),
        (999_999, Unlisted, Unlisted, Unlisted),
    ];
    for (code, everywhere, in_one, pending) in table {
        assert_eq!(Endpoint::LOOKUP.class_of(code, false), everywhere, "{code}");
        assert_eq!(Endpoint::LOOKUP.class_of(code, true), in_one, "{code}");
        for names_corp in [false, true] {
            let class = Endpoint::PENDING_ID.class_of(code, names_corp);
            assert_eq!(class, pending, "{code}");
        }
    }
}

#[test]
fn success_without_a_pending_id_is_no_answer() {
    for body in [
        r#"{"errcode":0,"errmsg":"ok"}"#,
        r#"{"errcode":0,"errmsg":"ok","pending_id":null}"#,
        r#"{"errcode":0,"errmsg":"ok","pending_id":""}"#,
        r#"{"errcode":0,"errmsg":"ok","external_userid_info":[]}"#,
    ] {
        let reply = decode_pending_id(body).unwrap();
        assert_eq!((reply.errcode, reply.answer), (0, None), "{body}");
    }
    let body = r#"{"errcode":0,"errmsg":"ok","pending_id":"pdA","new":1}"#;
    let answer = decode_pending_id(body).unwrap().answer.unwrap();
    assert_eq!(answer, Answer::PendingId(PendingId("pdA".into())));
    assert_eq!(format!("{answer:?}"), "PendingId(PendingId(…))");
    assert!(decode_pending_id(r#"{"errcode":0,"pending_id":7}"#).is_err());
}

#[tokio::test(start_paused = true)]
async fn both_endpoints_answer_over_the_same_client() {
    let bench = Bench::new().await;
    let (links, pending_id) = {
        let simulator = bench.simulator.borrow();
        let world = simulator.world();
        let person = world.person(&subject(None).unionid);
        let pending_id = world.pending_id(person).as_str().to_owned();
        (
            world.corps_of(person, Timestamp::default()).count(),
            pending_id,
        )
    };
    // Whatever corp the row names: this API has no such field.
    let elsewhere = subject(Some("wpNoSuchCorp"));
    let pending = answer(bench.call(&Endpoint::PENDING_ID, &elsewhere).await);
    assert_eq!(pending, Answer::PendingId(PendingId(pending_id.into())));
    let Answer::Links(found) = answer(bench.lookup(&subject(None)).await) else {
        panic!("a lookup answers with links");
    };
    assert_eq!(found.len(), links);
    let Verdict::Refused(refusal) = bench.lookup(&elsewhere).await else {
        panic!("a corp that does not exist is refused");
    };
    assert_eq!(refusal.class, Class::Downstream);
}

#[tokio::test(start_paused = true)]
async fn each_endpoint_counts_in_its_own_windows_without_a_ticket() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        answer(bench.call(&Endpoint::PENDING_ID, &subject(None)).await);
    }
    for window in QuotaWindow::ALL {
        assert_eq!(bench.counted(&Endpoint::PENDING_ID, window), 3, "{window}");
        assert_eq!(bench.counted(&Endpoint::LOOKUP, window), 0, "{window}");
    }
}

#[tokio::test(start_paused = true)]
async fn refused_token_has_the_same_class_at_both_endpoints() {
    let bench = Bench::new().await;
    bench.simulator.borrow_mut().kill_token();
    for endpoint in ALL {
        let Verdict::Refused(refusal) = bench.call(endpoint, &subject(None)).await else {
            panic!("40014 is a refusal");
        };
        assert_eq!((refusal.errcode, refusal.class), (40014, Class::Token));
    }
}
