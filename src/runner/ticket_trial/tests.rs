use super::*;
use crate::secret::Secret;

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

fn trial() -> TicketTrial {
    let ticket = Ticket::obtained(Secret::new("ticket".to_owned()), at(0)).unwrap();
    let mut trial = TicketTrial::new(at(0));
    trial.begin(ticket, at(1000));
    trial
}

fn kind(trial: &TicketTrial, standard_is_full: bool) -> CallKind {
    let paid = PaidCalls::empty(CallKind::WithTicket);
    trial.next_kind(&paid, || standard_is_full)
}

fn refusal(errcode: i64, class: Class) -> Refusal {
    let errmsg = String::new();
    Refusal {
        errcode,
        class,
        errmsg,
    }
}

#[test]
fn without_a_trial_every_call_has_the_ticket_until_it_ends() {
    let mut trial = trial();
    assert_eq!(kind(&trial, false), CallKind::WithTicket);
    assert!(!trial.is_expired(at(999)));
    assert!(trial.is_expired(at(1000)));
    trial.lay_down();
    assert_eq!(kind(&trial, true), CallKind::Standard);
    assert!(trial.until().is_none());
}

#[test]
fn on_trial_calls_are_standard_and_a_full_window_sends_a_control() {
    let mut trial = trial();
    assert_eq!(trial.doubt(at(1), at(2)), Doubt::OnTrial);
    assert_eq!(kind(&trial, false), CallKind::Standard);
    assert_eq!(trial.candidates(CallKind::Standard), Candidates::OnTrial);
    assert_eq!(kind(&trial, true), CallKind::WithTicket);
    assert_eq!(trial.candidates(CallKind::WithTicket), Candidates::Control);
}

#[test]
fn ticket_dies_of_an_answer_without_it_and_a_second_refusal_with_it() {
    let mut trial = trial();
    trial.doubt(at(1), at(2));
    trial.doubt(at(1), at(3));
    trial.subject_done(true, None, at(4));
    assert!(trial.has_ticket() && trial.is_open());
    assert_eq!(kind(&trial, false), CallKind::WithTicket);
    assert_eq!(trial.candidates(CallKind::WithTicket), Candidates::Control);
    assert_eq!(trial.doubt(at(3), at(5)), Doubt::OnTrial, "sent before");
    assert_eq!(trial.doubt(at(6), at(7)), Doubt::Dead);
    assert!(!trial.has_ticket() && !trial.is_open());
    assert_eq!(kind(&trial, false), CallKind::Standard);
    // Those that are still on trial change nothing.
    trial.subject_done(true, None, at(8));
    assert_eq!(trial.candidates(CallKind::Standard), Candidates::Any);
}

#[test]
fn passing_code_leaves_the_ticket_alive() {
    let mut trial = trial();
    trial.doubt(at(1), at(2));
    trial.subject_done(true, None, at(3));
    assert!(!trial.answered_with_ticket(at(2)), "sent before");
    assert!(trial.answered_with_ticket(at(4)));
    assert!(trial.has_ticket() && !trial.is_open());
}

#[test]
fn refusal_without_the_ticket_is_the_subjects_own() {
    let mut trial = trial();
    let bad_value = refusal(40_058, Class::Source);
    assert!(trial.suspects(&bad_value, false));
    trial.doubt(at(1), at(2));
    trial.subject_done(false, Some(40_058), at(3));
    assert!(!trial.is_open());
    assert_eq!(kind(&trial, false), CallKind::WithTicket);
    // Known, until it comes again and again.
    let suspected = [1, 2, 3, 4].map(|_| trial.suspects(&bad_value, false));
    assert_eq!(suspected, [false, false, false, true]);
    trial.answered_with_ticket(at(4));
    assert!(!trial.suspects(&bad_value, false));
}

#[test]
fn only_codes_that_are_not_plainly_about_the_subject_are_suspect() {
    use Class::*;
    let mut trial = trial();
    for class in Class::ALL {
        let is_suspect = trial.suspects(&refusal(77, class), false);
        let expected = matches!(class, Source | Downstream | Stop | Bug | Unlisted);
        assert_eq!(is_suspect, expected, "{class}");
        assert!(!trial.suspects(&refusal(77, class), true), "asked twice");
    }
}

#[test]
fn refused_control_ends_the_wait_for_a_control() {
    let mut trial = trial();
    trial.doubt(at(1), at(5));
    trial.doubt(at(3), at(6));
    assert_eq!(kind(&trial, true), CallKind::WithTicket, "sent before");
    trial.doubt(at(7), at(8));
    assert_eq!(kind(&trial, true), CallKind::Standard);
}

#[test]
fn doubt_of_an_earlier_run_is_asked_about_first() {
    let mut trial = trial();
    trial.question(at(0), false);
    assert_eq!(trial.candidates(kind(&trial, true)), Candidates::Control);
    assert_eq!(trial.doubt(at(1), at(2)), Doubt::OnTrial);
    assert_eq!(kind(&trial, false), CallKind::Standard);
    trial.question(at(2), false);
    assert!(trial.answered_with_ticket(at(3)));
    assert!(!trial.is_open());
    trial.question(at(4), true);
    assert_eq!(
        trial.doubt(at(4), at(5)),
        Doubt::Dead,
        "it was answered without"
    );
}

#[test]
fn ticket_that_is_ignored_dies_of_the_second_45009() {
    let mut trial = trial();
    assert!(!trial.over_quota(at(1), at(2), true), "the first");
    assert!(!trial.over_quota(at(1), at(3), true), "sent before");
    assert!(
        !trial.over_quota(at(60), at(61), false),
        "others explain it"
    );
    trial.answered_with_ticket(at(62));
    assert!(!trial.over_quota(at(70), at(71), true), "answered between");
    assert!(trial.over_quota(at(130), at(131), true));
    assert!(!trial.has_ticket());
}
