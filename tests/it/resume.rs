//! The same command typed again goes on where it stopped.

use crate::world::World;

#[test]
fn a_quiet_run_asks_every_subject_once() {
    let mut world = World::new(3_000);
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.lookups().calls, 3_000);
    assert_eq!(told.report.calls, 3_000);
    assert_eq!(world.heap().lookups().count(), 3_000);
}

#[test]
fn a_run_killed_after_every_commit_comes_to_the_same_results() {
    let undisturbed = World::new(400).run();
    let killed = World::new(400).dying_every(1).run();
    assert_eq!(undisturbed.results(), killed.results());
    assert!(killed.kills > 100, "{}", killed.kills);
}
