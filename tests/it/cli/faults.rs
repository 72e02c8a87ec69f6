//! A remote that misbehaves over the wire.

use std::net::{SocketAddr, TcpListener};

use idferry::sim::{Fault, Forced, SimOptions, Simulator};
use rustix::process::Signal;

use crate::scenario::{same, timeless};

use super::{
    server::{Reply, Server},
    test_dir::{TestDir, expected, ids, lookups, prompt, simulator},
};

#[test]
fn one_of_every_fault_costs_a_call_and_no_subject() {
    const SUBJECTS: usize = 60;
    let simulator = simulator(prompt());
    // Hanging costs half a minute, and the warning is a bug of ours: not those.
    let faults = [
        Fault::Busy,
        Fault::Concurrent,
        Fault::Http5xx,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::Slow,
        Fault::Cut,
        Fault::Invalid,
        Fault::TokenKilled,
    ];
    simulator.with(|remote| remote.script(faults.map(Forced::Fault)));
    let dir = TestDir::with_fans(SUBJECTS);
    dir.idferry("run fans.csv --ticket none")
        .at(&simulator)
        .exits(0);
    let drawn = simulator.stats().faults;
    assert_eq!(drawn.len(), faults.len(), "{drawn:?}");
    let subjects: Vec<_> = (0..SUBJECTS).map(ids).collect();
    let subjects = subjects
        .iter()
        .map(|(unionid, openid)| (&**unionid, &**openid));
    let world = simulator.with(|remote| expected(remote.world(), subjects));
    same(&timeless(&dir.read("fans.links.csv")), &world);
}

#[test]
fn faults_park_no_subject() {
    let mut options = SimOptions {
        faults: idferry::sim::Faults::harsh().with(Fault::Hang, 0.0),
        ..prompt()
    };
    options.concurrent = Some(50);
    let simulator = simulator(options);
    let dir = TestDir::with_fans(150);
    dir.idferry("run fans.csv --ticket none")
        .at(&simulator)
        .exits(0);
    assert!(
        simulator.stats().faults.len() >= 5,
        "{:?}",
        simulator.stats().faults
    );
    assert!(lookups(&simulator).calls > 150);
}

#[test]
fn a_closed_port_is_told_at_once_and_can_be_left_at_once() {
    let dir = TestDir::with_fans(5);
    let mut run = dir
        .idferry("run fans.csv --ticket none")
        .with_server(&closed_port())
        .start();
    run.says("the API cannot be reached (connection refused) since ");
    run.signal(Signal::INT);
    run.exits(130)
        .says("Interrupted: every answer is saved, 5 subjects left.");
}

/// An address without a listener: it is closed when this returns. Other tests use other loopback
/// addresses, so that the port stays free.
fn closed(host: &str) -> SocketAddr {
    let listener = TcpListener::bind((host, 0)).unwrap();
    listener.local_addr().unwrap()
}

fn closed_port() -> String {
    format!("http://{}", closed("127.0.0.77"))
}

#[test]
fn run_reconnects_after_an_outage() {
    let address = closed("127.0.0.78");
    let dir = TestDir::with_fans(5);
    // The credentials are those of every simulator of this seed.
    let credentials = simulator(prompt());
    let mut run = dir
        .idferry("run fans.csv --ticket none --progress json")
        .with_credentials_of(&credentials)
        .env("WECOM_BASE_URL", format!("http://{address}"))
        .start();
    run.says(r#""event":"unreachable""#);
    let simulator = Simulator::start(address, prompt()).unwrap();
    run.says(r#""event":"reached_again""#);
    run.exits(0);
    assert_eq!(lookups(&simulator).calls, 5);
}

#[test]
fn an_unlisted_code_parks_the_subject() {
    let server = Server::with_token("token", |request| {
        let known = request.field("unionid") != ids(2).0;
        let errcode = if known { 0 } else { 987_654 };
        Reply::Json(format!(r#"{{"errcode":{errcode},"errmsg":"novelty"}}"#))
    });
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv")
        .with_server(server.base_url())
        .exits(3)
        .says("Finished, but 1 subject parked. (exit 3)")
        .says("errcode 987654")
        .says("`idferry retry --outcome parked` lets the next run ask the parked");
    assert_eq!(server.lookups(), 5);
    assert!(dir.read("fans.links.csv").contains(",parked,987654,"));
}
