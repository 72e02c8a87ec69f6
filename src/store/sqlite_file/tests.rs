use super::*;

const ONE: &str = "CREATE TABLE one (x INTEGER) STRICT;";
const TWO: &str = "ALTER TABLE one ADD COLUMN y INTEGER;";

fn format(migrations: &'static [&'static str]) -> SqliteFormat {
    SqliteFormat {
        kind: FileKind {
            name: "test file",
            flag: "--test",
        },
        application_id: 0x7465_7374,
        migrations,
    }
}

fn in_folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a file?.db");
    (folder, path)
}

fn versions(path: &Path, migrations: &'static [&'static str]) -> usize {
    let (db, _held) = format(migrations).open_exclusive(path).unwrap();
    version(&db).unwrap()
}

/// Returns the error of opening for writing, after which the bytes and the mode are as before.
fn refused(path: &Path) -> StoreError {
    let before = (
        std::fs::read(path).unwrap(),
        std::fs::metadata(path).unwrap(),
    );
    let format = format(&[ONE]);
    let Err(error) = format.open_exclusive(path) else {
        panic!("{} was opened", path.display());
    };
    assert!(format.open_to_read(path).is_err());
    assert!(format.open_shared(path).is_err());
    let after = std::fs::metadata(path).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), before.0);
    assert_eq!(after.mode(), before.1.mode());
    assert_eq!(after.modified().unwrap(), before.1.modified().unwrap());
    error
}

#[test]
fn missing_migrations_are_applied_once() {
    let (_folder, path) = in_folder();
    assert_eq!(versions(&path, &[ONE]), 1);
    assert_eq!(versions(&path, &[ONE]), 1);
    assert_eq!(versions(&path, &[ONE, TWO]), 2);
    let (db, _held) = format(&[ONE, TWO]).open_shared(&path).unwrap();
    db.execute("INSERT INTO one (x, y) VALUES (1, 2)", [])
        .unwrap();
}

#[test]
fn failed_migration_leaves_nothing_behind() {
    let (_folder, path) = in_folder();
    assert_eq!(versions(&path, &[ONE]), 1);
    let broken: &'static [&'static str] = &[
        ONE,
        "ALTER TABLE one ADD COLUMN y INTEGER; INSERT INTO nowhere VALUES (1);",
    ];
    assert!(format(broken).open_exclusive(&path).is_err());
    assert_eq!(versions(&path, &[ONE]), 1);
    assert_eq!(versions(&path, &[ONE, TWO]), 2);
}

#[test]
fn file_with_unknown_migrations_is_refused() {
    let (_folder, path) = in_folder();
    for written in [2, -1] {
        let (db, held) = format(&[ONE]).open_shared(&path).unwrap();
        db.pragma_update(None, "user_version", written).unwrap();
        drop((db, held));
        let error = format(&[ONE]).open_exclusive(&path).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        let (db, _) = format(&[ONE, TWO, "", ""]).open_shared(&path).map_or_else(
            |_| (Connection::open(&path).unwrap(), None),
            |(db, held)| (db, Some(held)),
        );
        db.pragma_update(None, "user_version", 1).unwrap();
    }
}

#[test]
fn database_of_another_program_is_refused() {
    let (_folder, path) = in_folder();
    for application_id in [0, 77] {
        let db = Connection::open(&path).unwrap();
        db.pragma_update(None, "application_id", application_id)
            .unwrap();
        db.execute_batch("CREATE TABLE IF NOT EXISTS theirs (x)")
            .unwrap();
        drop(db);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let error = refused(&path).to_string();
        assert!(
            error.contains("is not idferry's: another program"),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_database_is_refused() {
    let (_folder, path) = in_folder();
    let long = "unionid,openid\n".repeat(100);
    for bytes in ["x", "unionid,openid\no1,o2\n", &long] {
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = refused(&path).to_string();
        assert!(
            error.contains("is not idferry's: it is not an SQLite"),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (path, is) in [
        (folder.path(), "a folder"),
        (Path::new("/dev/null"), "a device"),
    ] {
        let mode = std::fs::metadata(path).unwrap().mode();
        let error = format(&[ONE]).open_exclusive(path).map(drop).unwrap_err();
        assert!(error.to_string().contains(is), "{error}");
        assert_eq!(std::fs::metadata(path).unwrap().mode(), mode);
    }
}

#[test]
fn file_cut_short_is_refused() {
    let (_folder, path) = in_folder();
    versions(&path, &[ONE]);
    let whole = std::fs::metadata(&path).unwrap().len();
    for cut in [1, 2048, 4096, 5000] {
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        file.set_len(whole - cut).unwrap();
        let error = refused(&path);
        assert!(matches!(error, StoreError::Damaged(_)), "{cut}: {error}");
        std::fs::write(&path, bytes).unwrap();
    }
    versions(&path, &[ONE]);
}

#[test]
fn empty_file_becomes_ours_before_its_first_table() {
    let (_folder, path) = in_folder();
    std::fs::write(&path, "").unwrap();
    assert!(format(&["broken"]).open_exclusive(&path).is_err());
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, MODE);
    let head = FileHeader::read(&path).unwrap();
    assert_eq!(head.application_id, format(&[]).application_id);
    assert_eq!(versions(&path, &[ONE]), 1);
}

#[test]
fn one_writer_keeps_others_out_and_many_do_not() {
    let (_folder, path) = in_folder();
    let format = format(&[ONE]);
    let (one, two) = (format.open_shared(&path), format.open_shared(&path));
    assert!(one.is_ok() && two.is_ok());
    drop((one, two));
    let _one = format.open_exclusive(&path).unwrap();
    let two = format.open_exclusive(&path).map(drop);
    assert!(matches!(two, Err(StoreError::Held { .. })), "{two:?}");
}

#[test]
fn file_that_is_moved_or_replaced_is_missed() {
    let (folder, path) = in_folder();
    let (_db, held) = format(&[ONE]).open_exclusive(&path).unwrap();
    assert_eq!(held.path(), path);
    assert!(held.is_in_place());
    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    assert!(!held.is_in_place());
    std::fs::copy(&elsewhere, &path).unwrap();
    assert!(!held.is_in_place());
    std::fs::rename(&elsewhere, &path).unwrap();
    assert!(held.is_in_place());
    std::fs::remove_file(log_of(&path)).unwrap();
    assert!(!held.is_in_place());
}

#[test]
fn reader_needs_a_file_and_leaves_none_behind() {
    let (folder, path) = in_folder();
    let missing = format(&[ONE]).open_to_read(&path).map(drop);
    assert!(matches!(missing, Err(StoreError::Missing { .. })));
    versions(&path, &[ONE]);
    drop(format(&[ONE]).open_to_read(&path).unwrap());
    let names = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 1);
}
