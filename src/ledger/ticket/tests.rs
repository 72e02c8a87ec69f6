use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

fn text(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);

#[test]
fn application_is_made_once_and_after_no_import() {
    let ledger = Ledger::in_memory().unwrap();
    let tickets = Tickets::of(&ledger, "ww1");
    assert!(tickets.record_application(at(1)).unwrap());
    assert!(!tickets.record_application(at(2)).unwrap());
    tickets.withdraw_application().unwrap();
    assert!(
        tickets.record_application(at(3)).unwrap(),
        "it was not sent"
    );
    let imported = Tickets::of(&ledger, "ww2");
    imported.import(&text("t"), at(1), WEEK).unwrap();
    assert!(!imported.record_application(at(2)).unwrap());
    let state = tickets.latest().unwrap().unwrap().state(at(4), WEEK / 168);
    assert_eq!(state, TicketState::Unanswered(at(3)));
}

#[test]
fn reply_is_kept_in_room_that_was_made_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let tickets = Tickets::of(&ledger, "ww1");
    tickets.record_application(at(1)).unwrap();
    let size = || {
        let log = folder.path().join("ledger.db-wal");
        let files = [path.clone(), log].map(|file| std::fs::metadata(file).map_or(0, |m| m.len()));
        files.iter().sum::<u64>()
    };
    let before = size();
    tickets
        .keep_reply(200, &Secret::new(vec![b'x'; 4096]))
        .unwrap();
    assert_eq!(size(), before);
    let (status, body) = tickets.unread_reply().unwrap().unwrap();
    assert_eq!((status, body.expose().len()), (200, 4096));
}

#[test]
fn ticket_that_is_known_keeps_its_date_and_a_new_one_is_not_in_doubt() {
    let ledger = Ledger::in_memory().unwrap();
    let tickets = Tickets::of(&ledger, "ww1");
    let import = |ticket, second| tickets.import(&text(ticket), at(second), WEEK).unwrap();
    assert_eq!(import("t", 100), at(100));
    assert_eq!(import("t", 500), at(100));
    let sql = "INSERT INTO charges (corp, api, period, slot, writer, standard, with_ticket,
                   revision) VALUES ('ww1', 1, 2, 0, 7, 3, 40, 1)";
    ledger.run(|db| db.execute(sql, [])).unwrap();
    let dead = |name: &str, obtained| {
        let (text, obtained_at) = (&text(name), at(obtained));
        let tried = TriedTicket { text, obtained_at };
        tickets.mark_dead(&tried, at(600)).unwrap();
    };
    dead("t", 100);
    let in_doubt = || {
        ledger
            .run(|db| rows::is_ticket_in_doubt(db, "ww1"))
            .unwrap()
    };
    assert!(in_doubt());
    import("u", 700);
    assert!(!in_doubt());
    let counted = ledger.run(|db| {
        let sql = "SELECT standard, with_ticket FROM charges";
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    });
    assert_eq!(counted.unwrap(), (43, 0), "for good");
}

#[test]
fn marks_are_of_the_ticket_that_was_tried_and_replies_of_the_application() {
    let ledger = Ledger::in_memory().unwrap();
    let tickets = Tickets::of(&ledger, "ww1");
    assert!(tickets.record_application(at(1)).unwrap());
    tickets.import(&text("new"), at(5), WEEK).unwrap();
    // The reply comes only now, and its ticket is in use elsewhere.
    tickets
        .keep_reply(200, &Secret::new(b"r".to_vec()))
        .unwrap();
    tickets.save(&text("old"), at(1).plus(WEEK)).unwrap();
    let sql =
        "INSERT INTO charges (corp, api, period, slot, writer, standard, with_ticket, revision)
               VALUES ('ww1', 1, 2, 0, 7, 3, 40, 1)";
    ledger.run(|db| db.execute(sql, [])).unwrap();
    let old = text("old");
    let tried = TriedTicket {
        text: &old,
        obtained_at: at(1),
    };
    tickets.doubt(&tried, Some(at(6)), true).unwrap();
    tickets.mark_dead(&tried, at(7)).unwrap();
    let latest = tickets.latest().unwrap().unwrap();
    assert_eq!(latest.ticket.as_ref().unwrap().expose(), "new");
    assert!(latest.is_usable() && latest.doubted_at.is_none());
    // Nothing else says that its calls count.
    let counted = ledger.run(|db| {
        let sql = "SELECT standard, with_ticket FROM charges";
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    });
    assert_eq!(counted.unwrap(), (43, 0));
    // A ticket whose text was forgotten is found dead all the same.
    tickets.forget().unwrap();
    let new = text("new");
    let tried = TriedTicket {
        text: &new,
        obtained_at: at(5),
    };
    tickets.mark_dead(&tried, at(8)).unwrap();
    assert_eq!(tickets.latest().unwrap().unwrap().dead_at, Some(at(8)));
}

#[test]
fn nothing_of_a_forgotten_ticket_stays_in_the_files() {
    fn tickets(ledger: &Ledger) -> Tickets<'_> {
        Tickets::of(ledger, "ww1")
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    // As long as some pages, so that it moves between them as its row changes.
    let secret = "A-ticket".repeat(625);
    {
        let ledger = Ledger::open(&path).unwrap();
        let of = tickets(&ledger);
        of.record_application(at(1)).unwrap();
        of.keep_reply(200, &Secret::new(secret.clone().into_bytes()))
            .unwrap();
        of.save(&text(&secret), at(2)).unwrap();
        of.import(&text(&secret), at(3), WEEK).unwrap();
    }
    let ledger = Ledger::open(&path).unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT * FROM tickets")
        .unwrap();
    ledger.run(|db| db.busy_timeout(Duration::ZERO)).unwrap();
    let why = tickets(&ledger).forget().unwrap_err();
    assert!(matches!(why, StoreError::LogInUse { .. }));
    drop(reader);
    tickets(&ledger).forget().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("A-ticket"));
    }
}
