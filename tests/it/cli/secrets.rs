//! No secret, token, ticket or id in anything that is printed.

use idferry::sim::{Fault, Faults, SimOptions};

use super::{
    server::{Reply, Server},
    test_dir::{Output, TestDir, fans, ids, prompt, rejecting, simulator},
};

const TALK: [&str; 2] = ["-vvv --log-format text", "-vvv --log-format json"];
const TOKEN: &str = "token-that-must-not-be-printed";
const TICKET: &str = "ticket-that-must-not-be-printed";
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
            let done = dir.idferry(&format!("run fans.csv {talk} --ticket apply"));
            is_clean(&done.at(&simulator).exits(0), &[simulator.corp_secret()]);
            let results = dir.read("fans.links.csv");
            assert!(results.contains("wmEJ"), "other ids:\n{results}");
        }
    }
}

#[test]
fn a_wrong_secret_is_not_repeated() {
    let simulator = simulator(prompt());
    for talk in TALK {
        let dir = TestDir::with_fans(5);
        let done = dir.idferry(&format!("run fans.csv {talk}")).at(&simulator);
        let done = done.env("WECOM_CORP_SECRET", "guessed-secret").exits(4);
        is_clean(&done, &["guessed-secret", simulator.corp_secret()]);
    }
}

#[test]
fn what_a_server_repeats_is_taken_out_of_its_words() {
    // Halted, parked and locked out: the errmsg of each is used.
    for (errcode, exit) in [(60_020, 4), (987_654, 3), (45_009, 75)] {
        for talk in TALK {
            let server = parrot(errcode);
            let dir = TestDir::with_fans(3);
            let command = format!("run fans.csv {talk} --ticket apply --max-duration 1s");
            let done = dir.idferry(&command).with_server(server.base_url());
            is_clean(&done.exits(exit), &[TOKEN, TICKET, SECRET]);
            for status in ["status", "status --json"] {
                is_clean(&dir.idferry(status).output(), &[TOKEN, TICKET, SECRET]);
            }
        }
    }
}

#[test]
fn refusals_and_rejects_print_no_id() {
    let simulator = simulator(rejecting(0.2));
    let dir = TestDir::new();
    let (unionid, _) = ids(99);
    dir.write("fans.csv", format!("{}{unionid},oOpen0*\n", fans(0..40)));
    let retry = "retry --outcome rejected";
    for command in ["run fans.csv", retry, "export -o x.csv"] {
        let done = dir.idferry(&format!("{command} -vvv")).at(&simulator);
        is_clean(&done.output(), &[simulator.corp_secret()]);
    }
    let bad = TestDir::new();
    bad.write("bad.csv", format!("unionid,openid\n{unionid},oOpen0*\n"));
    let run = bad.idferry("run bad.csv -vvv");
    let refused = run.with_server("http://127.0.0.1:1").exits(2);
    is_clean(&refused.says("bad.csv"), &[]);
}

#[test]
fn secret_is_not_in_arguments_nor_token_on_disk() {
    let answers = |request: &super::server::Request| match request.field("unionid") == ids(0).0 {
        true => Reply::Json(r#"{"errcode":0,"errmsg":"ok"}"#.to_owned()),
        false => Reply::Hang,
    };
    let server = Server::with_token(TOKEN, answers);
    let dir = TestDir::with_fans(3);
    let command = dir.idferry("run fans.csv --ticket none");
    let mut run = command.with_server(server.base_url()).start();
    run.until("an answer on disk", || {
        dir.status()["subjects"]["unlinked"] == 1
    });
    let arguments = std::fs::read(format!("/proc/{}/cmdline", run.pid())).unwrap();
    let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
    assert!(arguments.ends_with("run fans.csv --ticket none "));
    nowhere(&dir, &[TOKEN, SECRET]);
    run.kill().was_killed();
    nowhere(&dir, &[TOKEN, SECRET]);

    // The ticket is stored, in a file that only its owner may read; the token is not.
    let server = parrot(0);
    dir.write("more.csv", fans(0..40));
    dir.idferry("run more.csv --ticket apply --quota business.day=30 --margin 0")
        .with_server(server.base_url())
        .exits(0)
        .says("obtained and stored");
    nowhere(&dir, &[TOKEN, SECRET]);
    assert_eq!(dir.mode("idferry.db"), 0o600);
}

/// That no file in the folder holds any of `words`.
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

#[cfg(target_os = "linux")]
#[test]
fn process_that_holds_secrets_leaves_no_core_dump() {
    use std::os::unix::fs::MetadataExt;
    // Linux gives what belongs to a process that may not be dumped to root.
    let mut served = TestDir::new().idferry("simulate").unprivileged().start();
    let status = format!("/proc/{}/status", served.pid());
    served.until("root's", || {
        std::fs::metadata(&status).is_ok_and(|of| of.uid() == 0)
    });
    served.kill();
}
