use super::*;

const CORP: &str = "ww1";
const TEXT: &str = "a-ticket-that-nobody-reads-aloud";

fn bytes(text: &str) -> Secret<Vec<u8>> {
    Secret::new(text.as_bytes().to_vec())
}

#[test]
fn ticket_is_imported_from_what_an_editor_saves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let now = Clock::system().now();
    let reply = format!("\u{feff}{{\"errcode\":0,\"mass_call_ticket\":\"{TEXT}\"}}\r\n");
    for saved in [format!("\u{feff}{TEXT}\r\n"), reply] {
        import(&path, CORP, bytes(&saved), now, Clock::system()).unwrap();
        let tickets = Ledger::open(&path).unwrap();
        let latest = Tickets::of(&tickets, CORP).latest().unwrap().unwrap();
        assert_eq!(latest.ticket.unwrap().expose(), TEXT);
    }
}

#[test]
fn known_ticket_whose_seven_days_are_over_is_not_imported_as_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let now = Clock::system().now();
    let ledger = Ledger::open(&path).unwrap();
    let tickets = Tickets::of(&ledger, CORP);
    let (text, old) = (Secret::new(TEXT.to_owned()), now.minus(2 * Ticket::LIFE));
    tickets.import(&text, old, Ticket::LIFE).unwrap();
    let why = import(&path, CORP, bytes(TEXT), now, Clock::system()).unwrap_err();
    assert_eq!(why.exit, Exit::Usage);
    assert!(why.message.contains("is not within the last seven"));
}

#[test]
fn ticket_in_a_reply_that_nobody_has_read_is_shown_and_nothing_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    assert_eq!(status(&path, CORP, Clock::system()).unwrap().state, "none");
    assert!(!path.exists());
    let ledger = Ledger::open(&path).unwrap();
    let tickets = Tickets::of(&ledger, CORP);
    tickets.record_application(Clock::system().now()).unwrap();
    let shown = || status(&path, CORP, Clock::system()).unwrap();
    assert_eq!(shown().state, "unanswered");
    let reply = format!(r#"{{"errcode":0,"mass_call_ticket":"{TEXT}"}}"#);
    tickets.keep_reply(200, &bytes(&reply)).unwrap();
    assert_eq!((shown().state, shown().characters), ("works", Some(32)));
    assert!(tickets.unread_reply().unwrap().is_some(), "a run reads it");
}
