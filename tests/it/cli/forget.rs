//! `forget`: persons are deleted, with every byte of them.

use super::test_dir::{TestDir, fans, ids, lookups, prompt, simulator};

/// Whether the job file has `text` anywhere in its bytes.
fn has(dir: &TestDir, text: &str) -> bool {
    let bytes = std::fs::read(dir.path("idferry.db")).unwrap();
    memchr::memmem::find(&bytes, text.as_bytes()).is_some()
}

#[test]
fn forgotten_person_leaves_no_byte_in_the_job_file() {
    let simulator = simulator(prompt());
    let dir = TestDir::new();
    let lonely = ids(40).0;
    dir.write("fans.csv", fans(0..30) + &format!("{lonely},x y\n"));
    dir.idferry("run fans.csv").at(&simulator).exits(3);
    let results = dir.read("fans.links.csv");
    let linked = results
        .lines()
        .find(|line| line.contains(",linked,"))
        .unwrap();
    let fields: Vec<_> = linked.split(',').collect();
    let [unionid, openid, external_userid] = [fields[0], fields[1], fields[3]];

    // A list in any form: an external_userid finds the person, a unionid an invalid line.
    dir.write(
        "leave.txt",
        format!("name;id\nx;{external_userid}\ny;\"{lonely}\"\n"),
    );
    dir.idferry("forget --subject leave.txt")
        .exits(2)
        .says("nothing was deleted: 1 subject with ")
        .says(" and 1 invalid line would be, from idferry.db. To delete them add --yes");
    let all = [unionid, openid, external_userid, &lonely];
    assert!(all.iter().all(|id| has(&dir, id)));
    // From another folder: inputs are found all the same.
    let here = dir.path(".").canonicalize().unwrap();
    let here = here.to_str().unwrap();
    dir.idferry(&format!(
        "forget --subject {here}/leave.txt --yes --state {here}/idferry.db"
    ))
    .in_folder("/")
    .exits(0)
    .says("no byte of them is left in it")
    .says(&format!("{here}/fans.links.csv, {here}/fans.rejects.csv"))
    .says(&format!("(inputs): {here}/fans.csv"));
    assert!(!all.iter().any(|id| has(&dir, id)));
    assert!(!dir.names().contains(&"idferry.db-wal".to_owned()));

    // The others are there, and nobody is asked again.
    let subjects = &dir.status()["subjects"];
    let answered = ["linked", "unlinked"].map(|state| subjects[state].as_u64().unwrap());
    assert_eq!(answered.iter().sum::<u64>(), 29, "{subjects}");
    dir.idferry("run fans.csv").at(&simulator).exits(0);
    assert_eq!(lookups(&simulator).calls, 30);
    let left: String = results
        .lines()
        .filter(|line| line.split(',').next() != Some(unionid))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(dir.read("fans.links.csv"), left);
    // Given again, the person is a new one.
    dir.write("again.csv", format!("unionid,openid\n{unionid},{openid}\n"));
    dir.idferry("run again.csv --budget 0")
        .exits(75)
        .says("1 new subject");

    dir.idferry("forget --answered-before 2020-01-01 --yes")
        .exits(0)
        .says("0 subjects");
    dir.idferry("forget --answered-before 2100-01-01 --yes")
        .exits(0)
        .says("29 subjects");
    assert!(has(&dir, unionid), "not yet answered");
    dir.idferry("forget --everything --yes")
        .exits(0)
        .says("1 subject");
    assert!((0..31).all(|number| !has(&dir, &ids(number).0)));
    // What the calls have cost stays.
    let quota = dir.idferry("quota --json").exits(0).out;
    assert!(quota.contains("30"), "{quota}");
    dir.idferry("run fans.csv --budget 0")
        .exits(75)
        .says("30 new subjects");
}
