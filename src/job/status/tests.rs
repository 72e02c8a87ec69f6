use super::*;
use crate::store::Store;

#[test]
fn a_run_asks_again_what_retry_wants_and_a_resync_what_is_due_too() {
    let folder = tempfile::tempdir().unwrap();
    let files = JobFiles::beside(&folder.path().join("job.db"));
    let at = Timestamp::default();
    let store = Store::open(&files.job, at).unwrap();
    let db = rusqlite::Connection::open(&files.job).unwrap();
    for (origin, subjects) in [("retry", 3), ("unlinked", 7)] {
        let pass = "INSERT INTO passes (origin, states, errcodes, upto, subjects, opened_at)
            VALUES (?1, '[2]', '[]', 9, ?2, 0)";
        db.execute(pass, (origin, subjects)).unwrap();
    }
    let after = |command| {
        store.journal().begin_run(command, "", at).unwrap();
        Status::read(&files).unwrap().asked_again
    };
    assert_eq!(after("run"), 3);
    assert_eq!(after("resync"), 10);
}
