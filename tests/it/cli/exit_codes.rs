//! What each exit code says; 8 is in `job_file`, 9 in `held`, 130 in `signals`, 2 in `settings` and
//! `input`.

use idferry::sim::SimOptions;

use crate::scenario::timeless;

use super::{
    server::{Reply, Server},
    test_dir::{TestDir, fans, lookups, prompt, rejecting, simulator},
};

#[test]
fn zero_is_everything_answered() {
    let (dir, simulator) = TestDir::with_simulator(30);
    dir.idferry("run fans.csv").at(&simulator).exits(0);
    assert_eq!(lookups(&simulator).calls, 30);
    assert_eq!(dir.names(), ["fans.csv", "fans.links.csv", "idferry.db"]);
}

#[test]
fn three_is_finished_with_refusals() {
    let simulator = simulator(rejecting(0.1));
    let dir = TestDir::with_fans(60);
    dir.idferry("run fans.csv")
        .at(&simulator)
        .exits(3)
        .says("Finished, but ")
        .says("subjects rejected. (exit 3)");
    assert_eq!(lookups(&simulator).calls, 60, "a refusal is asked once");
    let results = timeless(&dir.read("fans.links.csv"));
    for line in results.lines().filter(|line| line.contains("rejected")) {
        let code = line.rsplit(',').next().unwrap();
        assert!(["610014", "40073", "610018"].contains(&code), "{line}");
    }
}

#[test]
fn four_is_a_wrong_secret_after_one_try() {
    let (dir, simulator) = TestDir::with_simulator(30);
    dir.idferry("run fans.csv")
        .at(&simulator)
        .env("WECOM_CORP_SECRET", "guessed")
        .exits(4)
        .says("Halted: the API refused gettoken with errcode 40001")
        .says("re-run the same command to resume\n    idferry run fans.csv\n");
    assert_eq!(simulator.stats().tokens_failed, 1);
    assert_eq!(lookups(&simulator).calls, 0);
    // The right secret resumes it.
    dir.idferry("run fans.csv").at(&simulator).exits(0);
}

#[test]
fn four_is_an_untrusted_address_which_is_named() {
    let server = Server::with_token("token", |_| {
        let errmsg = "not allow to access from your ip, hint: [1764000000123456789], \
                      from ip: 203.0.113.7, more info at \
                      https://open.work.weixin.qq.com/devtool/query?e=60020";
        Reply::Json(format!(r#"{{"errcode":60020,"errmsg":"{errmsg}"}}"#))
    });
    let dir = TestDir::with_fans(30);
    dir.idferry("run fans.csv --concurrency 1")
        .with_server(server.base_url())
        .exits(4)
        .says("errcode 60020 不安全的访问IP (not allowed to access from your IP)")
        .says("the server saw the call come from 203.0.113.7")
        .says("企业可信IP");
    assert_eq!(server.lookups(), 1);
    assert_eq!(
        dir.read("fans.links.csv").matches(",queued,,").count(),
        30,
        "no subject is at fault"
    );
}

#[test]
fn five_is_more_errors_than_the_budget_bears() {
    let simulator = simulator(rejecting(1.0));
    let dir = TestDir::with_fans(1_000);
    dir.idferry("run fans.csv --concurrency 4")
        .at(&simulator)
        .exits(5)
        .says("Halted: 200 of the last 200 answers were errors")
        .says("--error-budget");
    let calls = lookups(&simulator).calls;
    assert!((200..=204).contains(&calls), "{calls} calls");
}

#[test]
fn eight_is_the_state_of_another_corp() {
    let [ours, theirs] = [1, 2].map(|seed| simulator(SimOptions { seed, ..prompt() }));
    let dir = TestDir::with_fans(10);
    dir.idferry("run fans.csv --budget 5").at(&ours).exits(75);
    let (our_id, their_id) = (ours.corp_id(), theirs.corp_id());
    let told = format!("belongs to corp {our_id}, the credentials to {their_id}");
    let done = dir.idferry("run fans.csv").at(&theirs);
    done.exits(8).says(&told);
    // Their input is not imported either.
    dir.write("theirs.csv", fans(10..20));
    dir.idferry("run theirs.csv").at(&theirs).exits(8);
    dir.idferry("run theirs.csv --budget 0")
        .at(&theirs)
        .exits(8);
    assert!(theirs.stats().lanes.is_empty(), "nothing was sent");
    let results = dir.idferry("export -o -").exits(0).out;
    let (first, theirs) = (super::test_dir::ids(9).0, super::test_dir::ids(10).0);
    assert!(results.contains(&first) && !results.contains(&theirs));
}

#[test]
fn a_slip_in_the_corp_id_does_not_spoil_the_file() {
    let (dir, simulator) = TestDir::with_simulator(10);
    dir.idferry("run fans.csv")
        .at(&simulator)
        .env("WECOM_CORP_ID", "wwslip")
        .exits(4);
    dir.idferry("run fans.csv").at(&simulator).exits(0);
    let status = dir.idferry("status").exits(0).out;
    assert!(status.contains(simulator.corp_id()), "{status}");
    // From here the file is that corp's.
    dir.idferry("retry --outcome linked --outcome unlinked --yes")
        .exits(0);
    dir.idferry("run fans.csv")
        .at(&simulator)
        .env("WECOM_CORP_ID", "wwslip")
        .exits(8);
}

#[test]
fn eight_is_the_state_of_a_newer_version() {
    let dir = TestDir::with_fans(10);
    dir.idferry("run fans.csv --budget 0").exits(75);
    // `user_version` of the format: four bytes at 60, the highest first.
    let mut bytes = std::fs::read(dir.path("idferry.db")).unwrap();
    bytes[60..64].copy_from_slice(&1_000_u32.to_be_bytes());
    dir.write("idferry.db", bytes);
    let retry = "retry --outcome parked";
    for command in ["run fans.csv", "status", "export -o -", retry] {
        dir.idferry(command)
            .exits(8)
            .says("was written by a newer version of idferry; update idferry");
    }
}

#[test]
fn seventy_five_is_a_budget_used_up() {
    let (dir, simulator) = TestDir::with_simulator(20);
    dir.idferry("run fans.csv --budget 7")
        .at(&simulator)
        .exits(75)
        .says("Stopped: the budget of calls is used up, 13 subjects left. (exit 75)")
        .says("re-run the same command to resume");
    assert_eq!(lookups(&simulator).calls, 7);
    dir.idferry("run fans.csv --budget 13")
        .at(&simulator)
        .exits(0);
    assert_eq!(lookups(&simulator).calls, 20);
}

#[test]
fn a_budget_of_nothing_needs_neither_network_nor_credentials() {
    let dir = TestDir::with_fans(20);
    dir.idferry("run fans.csv --budget 0")
        .exits(75)
        .says("20 new subjects")
        .says("20 subjects left");
    assert_eq!(dir.read("fans.links.csv").matches(",queued,,").count(), 20);
}

#[test]
fn a_run_without_input_asks_what_is_queued() {
    let (dir, simulator) = TestDir::with_simulator(20);
    dir.idferry("run fans.csv --budget 0").exits(75);
    dir.idferry("run").at(&simulator).exits(0);
    assert_eq!(lookups(&simulator).calls, 20);
    assert_eq!(dir.names(), ["fans.csv", "fans.links.csv", "idferry.db"]);
    assert!(!dir.read("fans.links.csv").contains("queued"));
}

#[test]
fn a_run_without_input_needs_a_queue() {
    let dir = TestDir::new();
    for command in ["run", "run --sandbox", "run --state nowhere.db"] {
        dir.idferry(command)
            .exits(2)
            .says("to resume: name an INPUT, or another file with --state");
    }
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn a_run_that_cannot_begin_has_ended_all_the_same() {
    let dir = TestDir::new();
    dir.write("no_subjects.csv", "name,city\nx,y\n");
    dir.idferry("run no_subjects.csv")
        .with_server("http://127.0.0.1:1")
        .exits(2);
    let status = dir.status();
    assert_eq!(status["running"], false, "{status}");
    assert_eq!(status["run"]["exit_code"], 2, "{status}");
}

#[test]
fn seventy_five_is_time_that_is_up() {
    let (dir, simulator) = TestDir::with_simulator(20);
    dir.idferry("run fans.csv --max-duration 0s")
        .at(&simulator)
        .exits(75)
        .says("Stopped: the time is up, 20 subjects left. (exit 75)");
    assert_eq!(lookups(&simulator).calls, 0);
}

#[test]
fn later_deadline_stops_nothing() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let now = idferry::clock::Clock::system().now();
    let far_off = now.plus(std::time::Duration::from_secs(12 * 3_600));
    let until = &far_off.rfc3339()[11..16];
    let command = format!("run fans.csv --max-duration 6h --until {until}");
    dir.idferry(&command).at(&simulator).exits(0);
}
