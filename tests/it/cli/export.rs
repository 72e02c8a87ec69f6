//! `retry` and `export`.

use idferry::sim::Simulator;

use super::{
    desk::{Desk, lookups, prompt, simulator},
    server::{Reply, Server},
};

/// A finished run of 30: two rejected (610014), one parked (an unknown code).
fn finished() -> (Desk, Simulator) {
    let simulator = simulator(prompt());
    simulator.with(|remote| {
        let unionid = |number| super::desk::ids(number).0;
        remote.force(&unionid(3), Some(610_014));
        remote.force(&unionid(7), Some(610_014));
        remote.force(&unionid(9), Some(987_654));
    });
    let desk = Desk::with_fans(30);
    desk.idferry("run fans.csv").at(&simulator).done().exits(3);
    assert_eq!(lookups(&simulator).calls, 30);
    simulator.with(|remote| {
        for number in [3, 7, 9] {
            remote.force(&super::desk::ids(number).0, None);
        }
    });
    (desk, simulator)
}

#[test]
fn the_parked_are_asked_again() {
    let (desk, simulator) = finished();
    desk.idferry("retry --outcome parked")
        .done()
        .exits(0)
        .says("1 subject put back in the queue, 1 queued now; `idferry run` looks them up");
    desk.idferry("run fans.csv").at(&simulator).done().exits(3);
    assert_eq!(lookups(&simulator).calls, 31);
    let results = desk.read("fans.links.csv");
    assert_eq!(
        (
            results.matches("parked").count(),
            results.matches("rejected").count()
        ),
        (0, 2)
    );
}

#[test]
fn a_code_brings_back_those_who_had_it() {
    let (desk, simulator) = finished();
    desk.idferry("retry --errcode 610014")
        .done()
        .exits(0)
        .says("2 subjects put back");
    desk.idferry("retry --errcode 610014")
        .done()
        .exits(0)
        .says("0 subjects put back");
    desk.idferry("retry --errcode -1")
        .done()
        .exits(0)
        .says("0 subjects put back");
    desk.idferry("run fans.csv").at(&simulator).done().exits(3);
    assert_eq!(lookups(&simulator).calls, 32);
    // Code and state together are those who have both.
    desk.idferry("retry --errcode 0 --outcome parked")
        .done()
        .exits(0)
        .says("0 subjects put back");
}

#[test]
fn a_retry_of_nothing_in_particular_is_a_usage_error() {
    let (desk, _simulator) = finished();
    desk.idferry("retry")
        .done()
        .exits(2)
        .says("retry what? For example --outcome parked");
    desk.idferry("retry --errcode many").done().exits(2);
    desk.idferry("retry --outcome praked")
        .done()
        .exits(2)
        .says("the outcomes are queued, linked, unlinked, rejected, parked");
    desk.idferry("retry --outcome praked --outcome parked")
        .done()
        .exits(2)
        .says("praked");
    assert!(
        !desk.names().contains(&"praked".to_owned()),
        "{:?}",
        desk.names()
    );
}

#[test]
fn the_results_can_be_had_at_any_time() {
    let (desk, simulator) = finished();
    let whole = desk.read("fans.links.csv");
    std::fs::remove_file(desk.path("fans.links.csv")).unwrap();
    let printed = desk.idferry("export -o -").done().exits(0);
    assert_eq!((printed.out, &*printed.err), (whole.clone(), ""));
    desk.idferry("export")
        .done()
        .exits(0)
        .says("fans.links.csv: ")
        .prints_nothing();
    assert_eq!(desk.read("fans.links.csv"), whole);

    let only = |state: &str| {
        let line = format!("export --outcome {state} -o -");
        let out = desk.idferry(&line).done().exits(0).out;
        let lines: Vec<_> = out.lines().skip(1).map(str::to_owned).collect();
        assert!(
            lines
                .iter()
                .all(|line| line.contains(&format!(",{state},"))),
            "{out}"
        );
        lines.len()
    };
    assert_eq!(
        (only("rejected"), only("parked"), only("queued")),
        (2, 1, 0)
    );
    let (linked, unlinked) = (only("linked"), only("unlinked"));
    assert_eq!(linked + unlinked + 3, whole.lines().count() - 1);
    assert_eq!(lookups(&simulator).calls, 30, "an export asks nothing");
}

#[test]
fn without_a_state_file_there_is_nothing_to_tell() {
    let desk = Desk::new();
    for command in [
        "status",
        "status --json",
        "export",
        "retry --outcome parked",
    ] {
        desk.idferry(command)
            .done()
            .exits(2)
            .prints_nothing()
            .says("there is no state file idferry.db; `idferry run` makes one");
    }
    assert_eq!(desk.names(), [""; 0]);
}

#[test]
fn refusals_are_never_written_as_unlinked() {
    let server = Server::with_token("token", |_| {
        Reply::Json(r#"{"errcode":610014,"errmsg":"no","external_userid_info":[]}"#.to_owned())
    });
    let desk = Desk::with_fans(3);
    desk.idferry("run fans.csv")
        .asking(server.base_url())
        .done()
        .exits(3);
    let results = desk.read("fans.links.csv");
    assert_eq!(
        results.matches(",,,,rejected,610014,").count(),
        3,
        "{results}"
    );
}
