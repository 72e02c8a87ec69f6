use std::time::Duration;

use super::*;
use crate::report::QuotaWindow;
use crate::{
    model::Tally,
    report::{HoldReason, Waiting, tests::at},
    runner::event::{BreakerTrip, FatalRefusal},
    wecom::{
        errcode::Class,
        transport::{Failure, NoConnection},
    },
};

fn lookup(code: i64) -> &'static Entry {
    match code {
        60020 => &Entry {
            code: 60020,
            class: Class::Stop,
            chinese: "不安全的访问IP",
            meaning: "not allowed to access from your IP",
            next_step: "add the address to the app's trusted IPs (企业可信IP), wait a minute",
        },
        40058 => &Entry {
            code: 40058,
            class: Class::Subject,
            chinese: "不合法的参数",
            meaning: "an invalid parameter",
            next_step: "check these ids at their source",
        },
        _ => &Entry {
            code: 0,
            class: Class::Unlisted,
            chinese: "",
            meaning: "a code that is in no published table",
            next_step: "look the code up, then retry these subjects or leave them parked",
        },
    }
}

fn summary(ending: StopReason, exit: Exit, queued: u64) -> Summary {
    let mut tally = Tally::default();
    tally.set(State::Queued, queued);
    tally.set(State::Linked, 61_204);
    tally.set(State::Unlinked, 38_102);
    let window = |window, used, limit| WindowUse {
        window,
        used,
        limit,
    };
    Summary {
        changes: None,
        drawn: None,
        obstacles: Obstacles::default(),
        report: RunReport {
            pending_ids: None,
            left: queued,
            kept: 0,
            reason: ending,
            tally,
            calls: 99_412,
            took: Duration::from_secs(603),
            used_elsewhere: false,
            waits: vec![("window", Duration::from_secs(90))],
        },
        ended_at: at("12:14:03"),
        results: Some(("crm.links.csv".into(), 101_304)),
        rejects: None,
        refusals: Vec::new(),
        lookup,
        windows: vec![
            window(QuotaWindow::BasicMinute, 9_800, 9_800),
            window(QuotaWindow::BasicHour, 99_412, 147_000),
            window(QuotaWindow::BusinessDay, 99_412, 470_400),
            window(QuotaWindow::BusinessMonth, 0, 7_350_000),
        ],
        ticket: None,
        address: "https://qyapi.weixin.qq.com".into(),
        command: "idferry run crm.csv".into(),
        retry_command: "idferry retry --outcome parked".into(),
        exit,
        paint: Paint::new(false),
    }
}

fn stopped(ending: StopReason) -> String {
    summary(ending, Exit::WorkLeft, 52_000).to_string()
}

/// What follows the counts, which are the same each time.
fn first_and_next(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let next = text.split_once("Next:").map_or("", |(_, next)| next);
    format!("{first}{next}")
}

#[test]
fn finished_run_has_counts_and_results_file() {
    insta::assert_snapshot!(summary(StopReason::Finished, Exit::Done, 0), @"
    Finished: every subject is answered.

      linked    61,204   61.6 %
      unlinked  38,102   38.4 %

      calls     99,412 in 10 min 3 s (165 a second)
      quota     99,412 of 147,000 basic.hour
                99,412 of 470,400 business.day
      results   crm.links.csv (101,304 lines)
    ");
}

#[test]
fn run_with_parked_subjects_names_retry() {
    let mut summary = summary(StopReason::Finished, Exit::SomeRefused, 0);
    summary.report.tally.set(State::Rejected, 612);
    summary.report.tally.set(State::Parked, 82);
    summary.rejects = Some(("crm.rejects.csv".into(), 1));
    summary.refusals = vec![
        (State::Rejected, Some(40058), 612),
        (State::Parked, None, 80),
        (State::Parked, Some(610_099), 1),
        (State::Parked, Some(610_100), 1),
        (State::Parked, Some(610_101), 1),
        (State::Parked, Some(610_102), 1),
    ];
    insta::assert_snapshot!(summary, @r"
    Finished, but 612 subjects rejected, 82 subjects parked, 1 input line invalid. (exit 3)

      linked     61,204   61.2 %
      unlinked   38,102   38.1 %
      rejected      612    0.6 %
      parked         82    0.1 %

      calls     99,412 in 10 min 3 s (165 a second)
      quota     99,412 of 147,000 basic.hour
                99,412 of 470,400 business.day
      results   crm.links.csv (101,304 lines)
      rejects   crm.rejects.csv (1 invalid line)

      rejected  612  errcode 40058 不合法的参数 (an invalid parameter)
                     -> check these ids at their source
      parked     80  no readable reply in any attempt
                     -> retry them once the network and the API work again
      parked      1  errcode 610099 (a code that is in no published table)
                     -> look the code up, then retry these subjects or leave them
                        parked
      parked      1  errcode 610100 (a code that is in no published table)
                     -> look the code up, then retry these subjects or leave them
                        parked
      parked      1  errcode 610101 (a code that is in no published table)
                     -> look the code up, then retry these subjects or leave them
                        parked
      and 1 other code

    Next:
      `idferry retry --outcome parked` lets the next run ask the parked subjects
      again; then
        idferry run crm.csv
      crm.rejects.csv says what is wrong with each invalid line; correct them in the
      input and run it again
    ");
}

#[test]
fn run_out_of_quota_names_the_time_to_resume() {
    let ending = StopReason::Quota(Waiting {
        reason: HoldReason::Window(QuotaWindow::BusinessDay),
        until: Some(at("17:54:03")),
    });
    let mut summary = summary(ending, Exit::WorkLeft, 52_000);
    summary.ticket = Some(TicketState::Works(
        Timestamp::parse("2026-11-29T12:00+08:00").unwrap(),
    ));
    insta::assert_snapshot!(summary, @"
    Stopped: business.day is used up, 52,000 subjects left. (exit 75)

      queued     52,000   34.4 %
      linked     61,204   40.5 %
      unlinked   38,102   25.2 %

      calls     99,412 in 10 min 3 s (165 a second)
      quota     99,412 of 147,000 basic.hour
                99,412 of 470,400 business.day
      ticket    works until 2026-11-29 12:00 (in 7 d)
      results   crm.links.csv (101,304 lines)

    Next:
      come back at 17:54 (in 5 h 40 min) and re-run the same command to resume
        idferry run crm.csv
    ");
}

#[test]
fn every_stop_says_how_to_resume() {
    let texts = [
        StopReason::Budget,
        StopReason::Time,
        StopReason::Interrupted,
    ]
    .map(|ending| first_and_next(&stopped(ending)));
    insta::assert_snapshot!(texts.concat(), @"
    Stopped: the budget of calls is used up, 52,000 subjects left. (exit 75)
      come back at any time and re-run the same command to resume
        idferry run crm.csv
    Stopped: the time is up, 52,000 subjects left. (exit 75)
      come back at any time and re-run the same command to resume
        idferry run crm.csv
    Interrupted: every answer is saved, 52,000 subjects left. (exit 75)
      re-run the same command to resume
        idferry run crm.csv
    ");
}

#[test]
fn unreachable_address_is_named_with_what_to_check() {
    let connect = |why| StopReason::Unreachable(Failure::Connect(why));
    let texts = [
        connect(NoConnection::Dns),
        connect(NoConnection::Refused),
        connect(NoConnection::Slow),
        StopReason::NotTheApi(Failure::Connect(NoConnection::Certificate)),
        connect(NoConnection::Tls),
        connect(NoConnection::Proxy),
        connect(NoConnection::Other),
        StopReason::Unreachable(Failure::Timeout(Duration::from_secs(30))),
        StopReason::NotTheApi(Failure::Status(404)),
        StopReason::Unreachable(Failure::Status(502)),
        StopReason::NotTheApi(Failure::Body),
        StopReason::Unreachable(Failure::Busy(-1)),
    ]
    .map(|ending| {
        let exit = Exit::of(&ending, &Tally::default(), 0);
        let when = match exit {
            Exit::WorkLeft => ", or in ten minutes,",
            _ => "",
        };
        let resume =
            format!("  then{when} re-run the same command to resume\n    idferry run crm.csv\n");
        let text = first_and_next(&summary(ending, exit, 52_000).to_string());
        text.strip_suffix(&resume).unwrap().to_owned()
    });
    insta::assert_snapshot!(texts.concat(), @"
    Stopped: the API cannot be reached (name not found), 52,000 subjects left. (exit 75)
      the name in https://qyapi.weixin.qq.com cannot be looked up: check --base-url
      (WECOM_BASE_URL) and this machine's name servers (DNS)
    Stopped: the API cannot be reached (connection refused), 52,000 subjects left. (exit 75)
      nothing listens at https://qyapi.weixin.qq.com: check --base-url
      (WECOM_BASE_URL), the firewall and the proxy (HTTPS_PROXY)
    Stopped: the API cannot be reached (no connection in time), 52,000 subjects left. (exit 75)
      no connection to https://qyapi.weixin.qq.com can be made: check the network,
      the firewall and the proxy (HTTPS_PROXY)
    Halted: the API cannot be trusted (certificate not accepted), 52,000 subjects left. (exit 4)
      the certificate that https://qyapi.weixin.qq.com shows is not accepted: check
      this machine's clock; if a proxy of your company inspects traffic, add its CA
      to the system's certificates (or name them in SSL_CERT_FILE); and check
      --base-url (WECOM_BASE_URL)
    Stopped: the API cannot be reached (no TLS connection), 52,000 subjects left. (exit 75)
      https://qyapi.weixin.qq.com does not speak TLS correctly: check --base-url
      (WECOM_BASE_URL), its port, and the proxy (HTTPS_PROXY)
    Stopped: the API cannot be reached (turned away by the proxy), 52,000 subjects left. (exit 75)
      the proxy (HTTPS_PROXY) does not let calls to https://qyapi.weixin.qq.com
      through: check its address, user and password, and what it allows
    Stopped: the API cannot be reached (no connection), 52,000 subjects left. (exit 75)
      check the network, the proxy (HTTPS_PROXY) and --base-url (WECOM_BASE_URL),
      now https://qyapi.weixin.qq.com
    Stopped: the API does not answer (no reply within 30 s), 52,000 subjects left. (exit 75)
      https://qyapi.weixin.qq.com takes calls and does not answer them: check
      --base-url (WECOM_BASE_URL), the firewall and the proxy (HTTPS_PROXY)
    Halted: what answers is not the WeCom API (HTTP 404), 52,000 subjects left. (exit 4)
      https://qyapi.weixin.qq.com answers, but is not the WeCom API: check
      --base-url (WECOM_BASE_URL) and the proxy (HTTPS_PROXY)
    Stopped: the API is out of order (HTTP 502), 52,000 subjects left. (exit 75)
      https://qyapi.weixin.qq.com, or a gateway before it, is out of order: wait, or
      check --base-url (WECOM_BASE_URL)
    Halted: what answers is not the WeCom API (HTTP 200, no valid JSON), 52,000 subjects left. (exit 4)
      https://qyapi.weixin.qq.com answers, but is not the WeCom API: check
      --base-url (WECOM_BASE_URL) and the proxy (HTTPS_PROXY)
    Stopped: the API is out of order (errcode -1), 52,000 subjects left. (exit 75)
      the API is busy (errcode -1): wait a while
    ");
}

#[test]
fn refusal_quotes_server_and_names_seen_address() {
    let halt = FatalRefusal {
        entry: lookup(60020),
        errcode: 60020,
        errmsg: "not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info \
                 at https://open.work.weixin.qq.com/devtool/query?e=60020\x1b[31m"
            .into(),
        remembered: None,
        bug: false,
        call: "gettoken",
    };
    let text = summary(StopReason::Refused(halt), Exit::Halted, 100_000).to_string();
    insta::assert_snapshot!(first_and_next(&text), @r#"
    Halted: the API refused gettoken with errcode 60020 不安全的访问IP (not allowed to access from your IP). (exit 4)
      the server's words: "not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=60020[31m"
      the server saw the call come from 203.0.113.7
      add the address to the app's trusted IPs (企业可信IP), wait a minute
      then re-run the same command to resume
        idferry run crm.csv
    "#);
}

#[test]
fn refusal_without_term_or_words_is_a_sentence() {
    let halt = FatalRefusal {
        entry: lookup(123),
        errcode: 123,
        errmsg: String::new(),
        remembered: None,
        bug: false,
        call: "unionid_to_external_userid",
    };
    let text = summary(StopReason::Refused(halt), Exit::Halted, 100_000).to_string();
    insta::assert_snapshot!(first_and_next(&text), @"
    Halted: the API refused unionid_to_external_userid with errcode 123 (a code that is in no published table). (exit 4)
      look the code up, then retry these subjects or leave them parked
      then re-run the same command to resume
        idferry run crm.csv
    ");
}

#[test]
fn tripped_breaker_points_at_the_input() {
    let trip = |errcode| BreakerTrip {
        errors: 120,
        answers: 200,
        mostly: (errcode, 118),
    };
    let text = summary(StopReason::Breaker(trip(Some(40058))), Exit::ErrorBudget, 1).to_string();
    insta::assert_snapshot!(first_and_next(&text), @"
    Halted: 120 of the last 200 answers were errors, 118 of them errcode 40058 不合法的参数 (an invalid parameter), 1 subject left. (exit 5)
      the input is probably not what it should be: see the refusals above, and check
      that unionid and openid of a line belong to one person and one mini program
      (WeCom locks out callers with many errors; --error-budget allows more)
      with the input corrected, re-run the same command to resume
        idferry run crm.csv
    ");
    let text = summary(StopReason::Breaker(trip(None)), Exit::ErrorBudget, 1).to_string();
    assert!(text.contains("118 of them no readable reply"), "{text}");
}

#[test]
fn nothing_to_look_up_is_finished() {
    let mut summary = summary(StopReason::Finished, Exit::Done, 0);
    summary.report.tally = Tally::default();
    summary.report.calls = 0;
    summary.windows.clear();
    summary.results = None;
    insta::assert_snapshot!(summary, @"
    Finished: there was nothing to look up.

      calls     0 in 10 min 3 s
    ");
}
