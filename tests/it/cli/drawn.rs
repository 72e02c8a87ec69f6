//! `run --pilot` and `resync --sample`: some subjects, drawn at random.

use super::test_dir::{TestDir, lookups, prompt, simulator};

#[test]
fn pilot_asks_those_it_drew_and_tells_of_the_others() {
    let simulator = simulator(prompt());
    let dir = TestDir::with_fans(60);
    let pilot = |flags: &str| {
        let line = format!("run fans.csv --pilot 20 {flags}");
        dir.idferry(&line).at(&simulator)
    };
    // Too small a budget: the same command asks the others of the same twenty.
    pilot("--budget 8")
        .exits(75)
        .says("pilot     8 of 20 drawn at random were asked");
    pilot("")
        .exits(0)
        .says("Finished: those drawn are asked, the others are not yet.")
        .says("pilot     20 of 20 drawn at random were asked")
        .says("are linked: ")
        .says("others    40 subjects: 40 calls, ");
    assert_eq!(lookups(&simulator).calls, 20);
    let results = dir.read("fans.links.csv");
    assert_eq!(results.matches(",queued,").count(), 40);
    // Their answers count.
    dir.idferry("run fans.csv").at(&simulator).exits(0);
    assert_eq!(lookups(&simulator).calls, 60);
    pilot("").exits(0);

    let json = dir
        .idferry("resync --sample 7 --progress json")
        .at(&simulator)
        .exits(0)
        .err;
    assert_eq!(lookups(&simulator).calls, 67);
    let ended: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(ended["drawn"]["of"], "sample", "{ended}");
    assert_eq!(ended["drawn"]["asked"], 7);
    assert_eq!(ended["drawn"]["linked"]["changed"], 0);
    dir.idferry("run --pilot 0").exits(2);
}
