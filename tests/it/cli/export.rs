//! `retry` and `export`.

use idferry::sim::Simulator;
use serde_json::Value;

use super::{
    server::{Reply, Server},
    test_dir::{TestDir, lookups, prompt, simulator},
};

/// A finished run of 30: two rejected (610014), one parked (an unknown code).
fn finished() -> (TestDir, Simulator) {
    let simulator = simulator(prompt());
    simulator.with(|remote| {
        let unionid = |number| super::test_dir::ids(number).0;
        remote.force(&unionid(3), Some(610_014));
        remote.force(&unionid(7), Some(610_014));
        remote.force(&unionid(9), Some(987_654));
    });
    let dir = TestDir::with_fans(30);
    dir.idferry("run fans.csv").at(&simulator).exits(3);
    assert_eq!(lookups(&simulator).calls, 30);
    simulator.with(|remote| {
        for number in [3, 7, 9] {
            remote.force(&super::test_dir::ids(number).0, None);
        }
    });
    (dir, simulator)
}

#[test]
fn the_parked_are_asked_again() {
    let (dir, simulator) = finished();
    dir.idferry("retry --outcome parked").exits(0).says(
        "1 subject to be asked again, 0 wait for their first answer; `idferry run` asks them",
    );
    dir.idferry("run fans.csv").at(&simulator).exits(3);
    assert_eq!(lookups(&simulator).calls, 31);
    let results = dir.read("fans.links.csv");
    assert!(!results.contains("parked"), "{results}");
    assert_eq!(results.matches("rejected").count(), 2);
}

#[test]
fn a_code_brings_back_those_who_had_it() {
    let (dir, simulator) = finished();
    let none = "no subject has such an outcome";
    for (errcode, words) in [(610_014, "2 subjects to be asked again"), (-1, none)] {
        let retry = format!("retry --errcode {errcode}");
        dir.idferry(&retry).exits(0).says(words);
    }
    dir.idferry("run fans.csv").at(&simulator).exits(3);
    assert_eq!(lookups(&simulator).calls, 32);
    // Code and state together are those who have both.
    dir.idferry("retry --errcode 610014 --outcome parked")
        .exits(0)
        .says(none);
    dir.idferry("retry --errcode 0")
        .exits(2)
        .says("--errcode 0 is success (成功)");
}

#[test]
fn a_retry_of_nothing_in_particular_is_a_usage_error() {
    let (dir, _simulator) = finished();
    dir.idferry("retry")
        .exits(2)
        .says("retry what? For example --outcome parked");
    dir.idferry("retry --errcode many").exits(2);
    dir.idferry("retry --outcome praked")
        .exits(2)
        .says("the outcomes are queued, linked, unlinked, rejected, parked");
    dir.idferry("retry --outcome praked --outcome parked")
        .exits(2)
        .says("praked");
    assert!(!dir.names().contains(&"praked".to_owned()));
}

#[test]
fn the_results_can_be_had_at_any_time() {
    let (dir, simulator) = finished();
    let whole = dir.read("fans.links.csv");
    std::fs::remove_file(dir.path("fans.links.csv")).unwrap();
    let printed = dir.idferry("export -o -").exits(0);
    assert_eq!((printed.out, &*printed.err), (whole.clone(), ""));
    dir.idferry("export")
        .exits(0)
        .says("fans.links.csv: ")
        .prints_nothing();
    assert_eq!(dir.read("fans.links.csv"), whole);

    let only = |state: &str| {
        let line = format!("export --outcome {state} -o -");
        let out = dir.idferry(&line).exits(0).out;
        let lines: Vec<_> = out.lines().skip(1).map(str::to_owned).collect();
        let state = format!(",{state},");
        assert!(lines.iter().all(|line| line.contains(&state)), "{out}");
        lines.len()
    };
    let others = ["rejected", "parked", "queued"].map(only);
    assert_eq!(others, [2, 1, 0]);
    let (linked, unlinked) = (only("linked"), only("unlinked"));
    assert_eq!(linked + unlinked + 3, whole.lines().count() - 1);
    assert_eq!(lookups(&simulator).calls, 30, "an export asks nothing");
}

#[test]
fn a_part_of_the_results_has_a_name_of_its_own() {
    let (dir, _simulator) = finished();
    let whole = dir.read("fans.links.csv");
    let linked = |line: &&str| line.contains(",linked,");
    let corpid = whole
        .lines()
        .find(linked)
        .unwrap()
        .split(',')
        .nth(2)
        .unwrap();
    let of_corp: Vec<_> = whole.lines().filter(|line| line.contains(corpid)).collect();

    dir.idferry("export --corpid").arg(corpid).exits(0);
    let part = dir.read(&format!("fans.{corpid}.csv"));
    assert_eq!(part.lines().skip(1).collect::<Vec<_>>(), of_corp);
    dir.idferry("export -o x.jsonl --outcome rejected --outcome parked")
        .exits(0)
        .says("x.jsonl: 3 lines");
    assert_eq!(dir.read("x.jsonl").matches("\"corpid\":null").count(), 3);
    dir.idferry("export --format jsonl").exits(0);
    let json = dir.read("fans.links.jsonl");
    assert_eq!(json.lines().count(), whole.lines().count() - 1);
    // Results are no input, whatever their format.
    dir.idferry("run fans.links.jsonl --budget 0")
        .exits(2)
        .says("fans.links.jsonl is a results file of idferry");
    assert_eq!(dir.read("fans.links.csv"), whole);
}

#[test]
fn each_downstream_corp_gets_its_own_links_and_no_others() {
    let (dir, _simulator) = finished();
    let whole = dir.read("fans.links.csv");
    let corpid_of = |line: &str| line.split(',').nth(2).unwrap().to_owned();
    let links: Vec<_> = whole
        .lines()
        .filter(|line| line.contains(",linked,"))
        .collect();
    dir.idferry("export --by corpid --dir out")
        .exits(0)
        .says("out/manifest.json lists them");

    let manifest: Value = serde_json::from_str(&dir.read("out/manifest.json")).unwrap();
    let files = manifest["files"].as_array().unwrap();
    let mut lines = 0;
    for file in files {
        let (name, corpid) = (
            file["file"].as_str().unwrap(),
            file["corpid"].as_str().unwrap(),
        );
        let text = dir.read(&format!("out/{name}"));
        let own: Vec<_> = text.lines().skip(1).collect();
        let expected = links.iter().filter(|line| corpid_of(line) == corpid);
        assert_eq!(own, expected.copied().collect::<Vec<_>>(), "{corpid}");
        assert_eq!(file["lines"], own.len());
        assert_eq!(file["bytes"], text.len());
        assert_eq!(dir.mode(&format!("out/{name}")), 0o600);
        lines += own.len();
    }
    assert!(files.len() > 1 && lines == links.len(), "{manifest}");
    assert_eq!(manifest["lines"], lines);
    assert_eq!(manifest["subjects"]["rejected"], 2);

    // The line of the README by which a receiver checks the files.
    let readme = include_str!("../../../README.md");
    let check = readme.lines().find(|line| line.contains("sha256sum"));
    let shell = check.unwrap().replace("cd dealers", "cd out");
    dir.program("sh", ["-c", &*shell]).exits(0);
    let text = dir.read(&format!("out/{}", files[0]["file"].as_str().unwrap()));
    let own = format!("out/{}", files[0]["file"].as_str().unwrap());
    dir.write(&own, text.replace(",linked,", ",LINKED,"));
    dir.program("sh", ["-c", &*shell]).exits(1);
    dir.write(&own, text);

    // Again: the same bytes, over its own files; not over a stranger's.
    let before = dir.read("out/manifest.json");
    dir.idferry("export --by corpid --dir out").exits(0);
    assert_eq!(dir.read("out/manifest.json"), before);
    dir.write(&own, "mine");
    dir.idferry("export --by corpid --dir out")
        .exits(2)
        .says("name another folder with --dir, or add --overwrite");
    assert_eq!(dir.read(&own), "mine");
    // A process that is killed leaves it open whether it wrote its files.
    std::fs::remove_file(dir.path(&own)).unwrap();
    let job = rusqlite::Connection::open(dir.path("idferry.db")).unwrap();
    job.execute("UPDATE published SET mark = ''", []).unwrap();
    drop(job);
    dir.idferry("export --by corpid --dir out").exits(0);
    let job = rusqlite::Connection::open(dir.path("idferry.db")).unwrap();
    job.execute("UPDATE published SET mark = ''", []).unwrap();
    drop(job);
    dir.write("out/manifest.json", "{\"mine\": 1}");
    dir.idferry("export --by corpid --dir out")
        .exits(2)
        .says("name another file with --manifest, or add --overwrite");
}

#[test]
fn results_are_joined_with_the_lines_of_an_input() {
    let (dir, _simulator) = finished();
    let fans = dir.read("fans.csv");
    let mut lines: Vec<_> = fans.lines().skip(1).collect();
    lines.reverse();
    let crm = format!(
        "unionid;openid;name\n{};x\n",
        lines.join(";x\n").replace(',', ";")
    );
    dir.write("crm.csv", crm);
    dir.idferry("export --join crm.csv --manifest m.json")
        .exits(0)
        .says("crm.joined.csv: 30 rows, 30 of them subjects of this job");
    let joined = dir.read("crm.joined.csv");
    let whole = dir.read("fans.links.csv");
    assert_eq!(joined.lines().count(), whole.lines().count());
    for line in whole.lines().skip(1) {
        let ids: Vec<_> = line.splitn(3, ',').collect();
        let results = ids[2].replace(',', ";");
        let found = joined
            .lines()
            .any(|line| line.starts_with(ids[0]) && line.ends_with(&*results));
        assert!(found, "{line}");
    }
    let manifest: Value = serde_json::from_str(&dir.read("m.json")).unwrap();
    assert_eq!(manifest["files"][0]["file"], "crm.joined.csv");
    assert_eq!(manifest["joined"], "crm.csv");
    assert_eq!(manifest["lines"], joined.lines().count() - 1);
    // It is no input, and another corp's rows are not those of this job.
    dir.idferry("run crm.joined.csv --budget 0")
        .exits(2)
        .says("crm.joined.csv is a results file of idferry");
    dir.idferry("export --join crm.csv --corpid wpOther")
        .exits(0)
        .says("no row is a subject of this job: was the input imported with --corpid");
    dir.idferry("export --join - -o x.csv")
        .exits(2)
        .says("name a file");
    dir.idferry("export --join crm.csv -o crm.csv")
        .exits(2)
        .says("crm.csv is an input");
}

#[test]
fn without_a_state_file_there_is_nothing_to_tell() {
    let dir = TestDir::new();
    for command in [
        "status",
        "status --json",
        "export",
        "retry --outcome parked",
    ] {
        dir.idferry(command)
            .exits(2)
            .prints_nothing()
            .says("there is no job file idferry.db; `idferry run` makes one");
    }
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn refusals_are_never_written_as_unlinked() {
    let server = Server::with_token("token", |_| {
        Reply::Json(r#"{"errcode":610014,"errmsg":"no","external_userid_info":[]}"#.to_owned())
    });
    let dir = TestDir::with_fans(3);
    dir.idferry("run fans.csv")
        .with_server(server.base_url())
        .exits(3);
    let results = dir.read("fans.links.csv");
    assert_eq!(
        results.matches(",,,,rejected,610014,").count(),
        3,
        "{results}"
    );
}
