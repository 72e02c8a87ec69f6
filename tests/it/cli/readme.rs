//! The command that the README begins with.

use super::test_dir::{TestDir, expected, same_lines, sample, timeless};
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
    run.output()
        .exits(0)
        .says("1,000 lines, 970 new subjects, 30 repeated")
        .says("Finished: every subject is answered.")
        .prints_nothing();

    assert_eq!(
        dir.names(),
        [
            "fans.sandbox.links.csv",
            "sample_data",
            "sandbox.db",
            "sandbox.ledger.db"
        ]
    );
    assert_eq!(dir.mode("fans.sandbox.links.csv"), 0o600);
    let first = dir.read("fans.sandbox.links.csv");
    same_lines(&timeless(&first), &as_the_world_is());
    for line in first.lines().skip(1) {
        let (_, resolved_at) = line.rsplit_once(',').unwrap();
        assert!(resolved_at.ends_with("+08:00"), "{line}");
    }
    if let Ok(kept) = std::fs::read_to_string(sample("expected/fans.links.csv")) {
        let kept = match kept.lines().next().unwrap().ends_with("resolved_at") {
            true => timeless(&kept),
            false => kept,
        };
        assert_eq!(
            timeless(&first),
            kept,
            "sample_data/expected is out of date"
        );
    }

    // Invocation again, it makes no call and writes the same bytes.
    dir.idferry("run sample_data/fans.csv --sandbox")
        .output()
        .exits(0)
        .says("already imported")
        .says("calls     0 in");
    assert_eq!(dir.read("fans.sandbox.links.csv"), first);
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
