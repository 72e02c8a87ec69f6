//! The same command typed again goes on where it stopped.

use idferry::runner::event::Ending;

use crate::world::{World, lookups};

#[test]
fn a_quiet_run_asks_every_subject_once() {
    let told = World::new(3_000).run();
    assert!(matches!(told.rehearsed.report.ending, Ending::Finished));
    assert_eq!(lookups(&told.rehearsed.stats).calls, 3_000);
    assert_eq!(told.rehearsed.report.calls, 3_000);
}

#[test]
fn a_run_killed_after_every_commit_comes_to_the_same_results() {
    let undisturbed = World::new(400).run();
    let mut world = World::new(400).kill_every(1);
    let killed = world.run();
    assert_eq!(undisturbed.export, killed.export);
    assert!(killed.rehearsed.kills > 100, "{}", killed.rehearsed.kills);
}
