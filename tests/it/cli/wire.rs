//! What goes over the wire, as the server sees it.

use insta::assert_snapshot;

use super::{
    server::{Reply, Request, Server},
    test_dir::{TestDir, ids},
};

const EMPTY: &str = r#"{"errcode":0,"errmsg":"ok","external_userid_info":[]}"#;

/// Line, headers and body, without the port.
fn as_seen(request: &Request, base_url: &str) -> String {
    let port = base_url.rsplit(':').next().unwrap();
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.replace(port, "PORT")))
        .collect();
    headers.sort();
    format!(
        "{}\n{}\n\n{}",
        request.line,
        headers.join("\n"),
        request.body
    )
}

#[test]
fn a_run_fetches_one_token_and_sends_one_lookup_for_a_subject() {
    let server = Server::with_token("a+b/c=", |_| Reply::Json(EMPTY.to_owned()));
    let dir = TestDir::with_fans(1);
    dir.idferry("run fans.csv --ticket none")
        .with_server(server.base_url())
        .exits(0);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_snapshot!(as_seen(&seen[0], server.base_url()), @r"
    GET /cgi-bin/gettoken?corpid=ww0123456789abcdef&corpsecret=made-up-secret HTTP/1.1
    accept: */*
    host: 127.0.0.1:PORT
    user-agent: idferry/0.1.0
    ");
    assert_snapshot!(as_seen(&seen[1], server.base_url()), @r#"
    POST /cgi-bin/corpgroup/unionid_to_external_userid?access_token=a%2Bb%2Fc%3D HTTP/1.1
    accept: */*
    content-length: 82
    content-type: application/json
    host: 127.0.0.1:PORT
    user-agent: idferry/0.1.0

    {"unionid":"oUnion0000000000000000000000","openid":"oOpen00000000000000000000000"}
    "#);
}

#[test]
fn a_corpid_is_sent_if_there_is_one_and_left_out_if_not() {
    let server = Server::with_token("token", |_| Reply::Json(EMPTY.to_owned()));
    let dir = TestDir::new();
    let ((first, open), (second, also_open)) = (ids(1), ids(2));
    let csv = format!("unionid,openid,corpid\n{first},{open},\n{second},{also_open},wpDealer\n");
    dir.write("fans.csv", csv);
    dir.idferry("run fans.csv --ticket none --concurrency 1")
        .with_server(server.base_url())
        .exits(0);
    let lookups = server.seen().into_iter().filter(Request::is_lookup);
    let bodies: Vec<_> = lookups.map(|lookup| lookup.body).collect();
    assert_snapshot!(bodies.join("\n"), @r#"
    {"unionid":"oUnion0000000000000000000001","openid":"oOpen00000000000000000000001"}
    {"unionid":"oUnion0000000000000000000002","openid":"oOpen00000000000000000000002","corpid":"wpDealer"}
    "#);
}

#[test]
fn ticket_is_applied_for_once_and_sent_with_every_call() {
    let server = Server::with_token("token", |request| {
        Reply::Json(match request.is_application() {
            true => r#"{"errcode":0,"errmsg":"ok","mass_call_ticket":"the-one-ticket"}"#.to_owned(),
            false => EMPTY.to_owned(),
        })
    });
    let dir = TestDir::with_fans(40);
    let run = |line: &str| {
        let line = format!("run fans.csv --ticket apply --quota business.day=25 {line}");
        dir.idferry(&line).with_server(server.base_url()).output()
    };
    run("--budget 30").exits(75).says("obtained and stored");
    run("").exits(0);
    let seen = server.seen();
    let applications: Vec<_> = seen
        .iter()
        .filter(|request| request.is_application())
        .collect();
    assert_eq!(applications.len(), 1);
    assert_eq!(
        applications[0].line,
        "GET /cgi-bin/corp/apply_mass_call_ticket?access_token=token HTTP/1.1"
    );
    let lookups: Vec<_> = seen.iter().filter(|request| request.is_lookup()).collect();
    assert_eq!(lookups.len(), 40);
    for lookup in &lookups[30..] {
        assert_eq!(lookup.field("mass_call_ticket"), "the-one-ticket");
    }
}

#[test]
fn the_prefix_of_a_gateway_is_kept() {
    let server = Server::start(|request| {
        assert!(
            request.line.contains(" /wecom/cgi-bin/"),
            "{}",
            request.line
        );
        Reply::Json(match request.is_gettoken() {
            true => r#"{"errcode":0,"access_token":"token","expires_in":7200}"#.to_owned(),
            false => EMPTY.to_owned(),
        })
    });
    let dir = TestDir::with_fans(2);
    let gateway = format!("{}/wecom/", server.base_url());
    dir.idferry("run fans.csv").with_server(&gateway).exits(0);
    assert_eq!(server.lookups(), 2);
}
