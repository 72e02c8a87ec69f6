//! What the README shows: its first command, and lines for other tools.

use crate::scenario::{same, timeless};

use super::test_dir::{TestDir, expected, sample};
use idferry::sim::{World, WorldOptions};

#[test]
fn first_readme_command_needs_nothing_and_answers_all() {
    let dir = TestDir::new();
    std::fs::create_dir(dir.path("sample_data")).unwrap();
    std::fs::copy(sample("fans.csv"), dir.path("sample_data/fans.csv")).unwrap();

    let mut run = dir.idferry("run sample_data/fans.csv --sandbox").start();
    run.says("to be asked: 970 of 970 subjects");
    assert_eq!(dir.mode("sandbox.db"), 0o600);
    assert_eq!(dir.mode("sandbox.db-wal"), 0o600);
    run.exits(0)
        .says("1,000 lines, 970 new subjects, 30 repeated")
        .says("Finished: every subject is answered.")
        .prints_nothing();

    const RESULTS: &str = "fans.sandbox.links.csv";
    assert_eq!(
        dir.names(),
        [RESULTS, "sample_data", "sandbox.db", "sandbox.ledger.db"]
    );
    assert_eq!(dir.mode(RESULTS), 0o600);
    let first = dir.read(RESULTS);
    same(&timeless(&first), &as_the_world_is());
    for line in first.lines().skip(1) {
        let (_, resolved_at) = line.rsplit_once(',').unwrap();
        assert!(resolved_at.ends_with("+08:00"), "{line}");
    }
    if let Ok(kept) = std::fs::read_to_string(sample("expected/fans.links.csv")) {
        let kept = match kept.lines().next().unwrap().ends_with("resolved_at") {
            true => timeless(&kept),
            false => kept,
        };
        let first = timeless(&first);
        assert_eq!(first, kept, "sample_data/expected is out of date");
    }

    // The same command again makes no call and writes the same bytes.
    dir.idferry("run sample_data/fans.csv --sandbox")
        .exits(0)
        .says("already imported")
        .says("calls     0 in");
    assert_eq!(dir.read(RESULTS), first);
}

/// The lines of the README that load results into another tool, each run if the tool is here. A
/// server is that of the environment: PGHOST and so on, MYSQL_HOST and MYSQL_PWD.
#[test]
fn readme_lines_load_the_results_where_the_tool_is_installed() {
    let dir = TestDir::with_fans(10);
    dir.idferry("run fans.csv --sandbox --output fans.links.csv")
        .exits(0);
    dir.idferry("export --sandbox -o fans.links.jsonl").exits(0);
    let shell = |line: &str| {
        let mut shell = dir.program("sh", ["-c", line]);
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("PG") || name.starts_with("MYSQL") || name == "HOME" {
                shell = shell.env(&name, value);
            }
        }
        shell
    };
    // In a database of its own, or a session's own tables: nothing of the server's is touched.
    let database = "DROP DATABASE IF EXISTS idferry_readme; CREATE DATABASE idferry_readme";
    let parquet = "duckdb -csv -noheader -c \"SELECT count(*) FROM 'fans.links.parquet'\"";
    let lines = dir.read("fans.links.csv").lines().count() - 1;
    for (tool, before, after) in [
        ("duckdb", "duckdb -c 'SELECT 1'", format!("; {parquet}")),
        (
            "psql",
            "psql -wc 'SELECT 1'",
            " -Atc 'SELECT count(*) FROM links'".to_owned(),
        ),
        (
            "mysql",
            &*format!("mysql -e '{database}'"),
            "; mysql -Ne 'SELECT count(*) FROM links' crm".to_owned(),
        ),
    ] {
        if !shell(before).output().succeeded() {
            println!("skipped: no {tool} here, or no server that it reaches");
            continue;
        }
        let line = README
            .lines()
            .find(|line| line.starts_with(&format!("{tool} ")));
        let line = format!("{}{after}", line.unwrap()).replace(" crm", " idferry_readme");
        let done = shell(&line)
            .env("PGOPTIONS", "-c search_path=pg_temp")
            .exits(0);
        assert_eq!(done.out.lines().last(), Some(&*lines.to_string()), "{line}");
    }
}

const README: &str = include_str!("../../../README.md");

/// What stands in the README between three backquotes with `language`, if it begins with `first`.
fn block(language: &str, first: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let mut blocks = README.split(&fence).skip(1);
    let block = blocks.find(|block| block.starts_with(first)).unwrap();
    block.split("```").next().unwrap()
}

#[test]
fn the_cron_line_takes_75_for_a_success_and_passes_on_the_rest() {
    let dir = TestDir::new();
    // As cron hands it to the shell.
    let line = block("sh", "0 1 * * *").trim().replace("\\%", "%");
    let line = line.strip_prefix("0 1 * * *").unwrap();
    for (exits, expected) in [(0, 0), (75, 0), (3, 3), (9, 9)] {
        let script = format!("cd() {{ :; }}; idferry() {{ return {exits}; }}; {line}");
        dir.program("sh", ["-c", &script]).exits(expected);
    }
}

#[test]
fn the_units_of_the_readme_are_what_systemd_understands() {
    let dir = TestDir::new();
    if !dir
        .program("which", ["systemd-analyze"])
        .output()
        .succeeded()
    {
        println!("skipped: no systemd-analyze here");
        return;
    }
    let units = ["idferry.service", "idferry.timer"];
    for unit in units {
        let text = block("ini", &format!("# /etc/systemd/system/{unit}"));
        dir.write(
            unit,
            text.replace("/usr/local/bin/idferry", env!("CARGO_BIN_EXE_idferry")),
        );
    }
    let verify = dir.program("systemd-analyze", ["verify", "--man=no"]);
    let told = verify
        .args(
            units
                .map(|unit| dir.path(unit).to_str().unwrap().to_owned())
                .iter()
                .map(String::as_str),
        )
        .exits(0)
        .err;
    assert!(!told.contains("idferry"), "{told}");
}

/// 970 subjects in the order of their first appearance, as the sandbox's world has them.
fn as_the_world_is() -> String {
    let csv = std::fs::read_to_string(sample("fans.csv")).unwrap();
    let mut lines = csv.lines();
    let header: Vec<_> = lines.next().unwrap().split(',').collect();
    let column = |name| header.iter().position(|column| *column == name).unwrap();
    let (unionid, openid) = (column("unionid"), column("openid"));
    let mut seen = std::collections::HashSet::new();
    let subjects: Vec<_> = lines
        .map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            (fields[unionid], fields[openid])
        })
        .filter(|subject| seen.insert(*subject))
        .collect();
    assert_eq!(subjects.len(), 970);
    expected(&World::new(1, WorldOptions::default()), subjects)
}
