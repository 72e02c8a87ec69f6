//! No secret, no token, no ticket, nobody's id in anything that is printed.

use idferry::sim::{Fault, Faults, SimOptions, WorldOptions};

use super::{
    server::{Reply, Server},
    test_dir::{Output, TestDir, fans, ids, prompt, simulator},
};

const TALK: [&str; 2] = ["-vvv --log-format text", "-vvv --log-format json"];
const TOKEN: &str = "token-that-nobody-may-see";
const TICKET: &str = "ticket-that-nobody-may-see";
const SECRET: &str = "made-up-secret";

/// That neither stream has any of `words`, nor any id that `fans` and simulated worlds are made of.
#[track_caller]
fn is_clean(done: &Output, words: &[&str]) {
    for word in words.iter().chain(&["oUnion0", "oOpen0", "wmEJ"]) {
        for stream in [&done.out, &done.err] {
            assert!(!stream.contains(word), "'{word}' is in:\n{stream}");
        }
    }
}

/// A server that repeats whatever it was sent, as gateways under repair do.
fn parrot(errcode: i64) -> Server {
    Server::with_token(TOKEN, move |request| {
        if request.is_application() {
            let ticket = format!(r#"{{"errcode":0,"errmsg":"ok","mass_call_ticket":"{TICKET}"}}"#);
            return Reply::Json(ticket);
        }
        let words = format!("{} {}", request.line, request.body.replace('"', "'"));
        Reply::Json(format!(
            r#"{{"errcode":{errcode},"errmsg":"{words} {SECRET}"}}"#
        ))
    })
}

#[test]
fn a_good_run_and_a_bad_day_print_no_id_and_no_secret() {
    for talk in TALK {
        for faults in [Faults::none(), Faults::harsh().with(Fault::Hang, 0.0)] {
            let simulator = simulator(SimOptions { faults, ..prompt() });
            let dir = TestDir::with_fans(40);
            let done = dir
                .idferry(&format!("run fans.csv {talk} --ticket apply"))
                .at(&simulator)
                .output();
            is_clean(&done.exits(0), &[simulator.corp_secret()]);
            let results = dir.read("fans.links.csv");
            assert!(
                results.contains("wmEJ"),
                "the ids to look for are others:\n{results}"
            );
        }
    }
}

#[test]
fn a_wrong_secret_is_not_repeated() {
    let simulator = simulator(prompt());
    for talk in TALK {
        let dir = TestDir::with_fans(5);
        let done = dir
            .idferry(&format!("run fans.csv {talk}"))
            .at(&simulator)
            .env("WECOM_CORP_SECRET", "guessed-secret")
            .output();
        is_clean(&done.exits(4), &["guessed-secret", simulator.corp_secret()]);
    }
}

#[test]
fn what_a_server_repeats_is_taken_out_of_its_words() {
    // Halted, parked, and shut out: the three whose words are read.
    for (errcode, exit) in [(60_020, 4), (987_654, 3), (45_009, 75)] {
        for talk in TALK {
            let server = parrot(errcode);
            let dir = TestDir::with_fans(3);
            let done = dir
                .idferry(&format!(
                    "run fans.csv {talk} --ticket apply --max-duration 1s"
                ))
                .with_server(server.base_url())
                .output();
            is_clean(&done.exits(exit), &[TOKEN, TICKET, SECRET]);
            let status = dir.idferry("status").output();
            is_clean(&status, &[TOKEN, TICKET, SECRET]);
            let status = dir.idferry("status --json").output();
            is_clean(&status, &[TOKEN, TICKET, SECRET]);
        }
    }
}

#[test]
fn refusals_and_rejects_print_no_id() {
    let simulator = simulator(SimOptions {
        world: WorldOptions {
            rejected: 0.2,
            ..WorldOptions::default()
        },
        ..prompt()
    });
    let dir = TestDir::new();
    let (unionid, _) = ids(99);
    dir.write("fans.csv", format!("{}{unionid},oOpen0*\n", fans(0..40)));
    for command in [
        "run fans.csv",
        "retry --outcome rejected",
        "export -o x.csv",
    ] {
        let done = dir
            .idferry(&format!("{command} -vvv"))
            .at(&simulator)
            .output();
        is_clean(&done, &[simulator.corp_secret()]);
    }
    let bad = TestDir::new();
    bad.write("bad.csv", format!("unionid,openid\n{unionid},oOpen0*\n"));
    is_clean(&bad.idferry("run bad.csv -vvv").output().exits(2), &[]);
}

#[test]
fn secret_is_not_in_arguments_nor_token_on_disk() {
    let answers = |request: &super::server::Request| match request.field("unionid") == ids(0).0 {
        true => Reply::Json(r#"{"errcode":0,"errmsg":"ok"}"#.to_owned()),
        false => Reply::Hang,
    };
    let server = Server::with_token(TOKEN, answers);
    let dir = TestDir::with_fans(3);
    let mut run = dir
        .idferry("run fans.csv --ticket none")
        .with_server(server.base_url())
        .start();
    run.until("an answer on disk", || {
        let status = dir.idferry("status --json").output();
        status.out.contains(r#""unlinked":1"#)
    });
    let arguments = std::fs::read(format!("/proc/{}/cmdline", run.pid())).unwrap();
    let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
    assert!(
        arguments.ends_with("run fans.csv --ticket none "),
        "{arguments}"
    );
    nowhere(&dir, &[TOKEN, SECRET]);
    run.kill().was_killed();
    nowhere(&dir, &[TOKEN, SECRET]);

    // The ticket is kept, for its owner's eyes only; the token beside it is not.
    let server = parrot(0);
    dir.idferry("run fans.csv --ticket apply")
        .with_server(server.base_url())
        .output()
        .exits(0);
    nowhere(&dir, &[TOKEN, SECRET]);
    assert_eq!(dir.mode("idferry.db"), 0o600);
}

/// That no file on the dir holds any of `words`.
#[track_caller]
fn nowhere(dir: &TestDir, words: &[&str]) {
    let names = dir.names();
    assert!(names.len() > 1);
    for name in names {
        let bytes = std::fs::read(dir.path(&name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for word in words {
            assert!(!text.contains(word), "'{word}' is in {name}");
        }
    }
}
