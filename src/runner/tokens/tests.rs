use std::sync::Arc;

use super::*;
use crate::secret::Secret;

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

fn token(text: &str) -> Token {
    Token {
        secret: Arc::new(Secret::new(text.to_owned())),
        expires_in: Duration::from_secs(7200),
    }
}

fn refused(errcode: i64, class: Class) -> CallError {
    CallError::Refused(Refusal {
        errcode,
        class,
        errmsg: String::new(),
    })
}

/// Fetches `text` at `second`.
fn fetch(tokens: &mut Tokens, text: &str, second: i64) {
    assert!(tokens.needs_fetch(at(second)), "{second}");
    tokens.begin_fetch(at(second));
    tokens.fetched(token(text), at(second));
}

/// Tokens of which one is proved at second 0.
fn proved() -> Tokens {
    let mut tokens = Tokens::default();
    fetch(&mut tokens, "t", 0);
    tokens.sent();
    tokens.works(1);
    tokens.completed(1);
    tokens
}

#[test]
fn one_call_proves_a_token() {
    let mut tokens = Tokens::default();
    fetch(&mut tokens, "t", 0);
    assert!(tokens.get(at(0)).is_ok());
    tokens.sent();
    assert!(tokens.get(at(0)).is_err());
    tokens.works(1);
    tokens.completed(1);
    (0..64).for_each(|_| tokens.sent());
    assert!(tokens.get(at(0)).is_ok());
    // One that replaces it in time needs no proof.
    tokens.begin_fetch(at(7000));
    tokens.fetched(token("u"), at(7000));
    tokens.sent();
    assert!(tokens.get(at(7000)).is_ok());
}

#[test]
fn tokens_that_are_lost_again_and_again_are_fetched_less_often() {
    let mut tokens = Tokens::default();
    let (mut second, mut waits, mut told) = (0, Vec::new(), 0);
    for generation in 1..=8 {
        let from = second;
        while !tokens.needs_fetch(at(second)) {
            second += 1;
        }
        waits.push(second - from);
        fetch(&mut tokens, &format!("t{generation}"), second);
        tokens.works(generation);
        told += i32::from(tokens.refused(generation, at(second)) == RefusedToken::Contested);
    }
    assert_eq!(waits, [0, 0, 0, 10, 30, 60, 60, 60]);
    assert_eq!(told, 1);
    assert!(tokens.needs_fetch(at(second + 600)));
}

#[test]
fn lost_tokens_let_a_twentieth_be_risked() {
    let mut tokens = Tokens::default();
    for generation in 1..=3 {
        fetch(&mut tokens, &format!("t{generation}"), 0);
        tokens.works(generation);
        tokens.refused(generation, at(0));
    }
    fetch(&mut tokens, "t4", 10);
    tokens.works(4);
    tokens.sent();
    assert!(tokens.get(at(10)).is_err(), "one");
    (0..20).for_each(|_| tokens.works(4));
    assert!(tokens.get(at(10)).is_ok());
    tokens.sent();
    assert!(tokens.get(at(10)).is_err(), "two");
    assert!(tokens.get(at(700)).is_ok(), "ten minutes later any");
}

#[test]
fn refused_refresh_is_repeated_while_the_token_works() {
    let mut tokens = proved();
    for attempt in 0..5 {
        let second = 6900 + attempt * 60;
        let ends = second >= 7190;
        if ends || !tokens.needs_fetch(at(second)) {
            break;
        }
        tokens.begin_fetch(at(second));
        let error = tokens.failed(refused(2_000_002, Class::Unlisted), at(second), 0.0);
        assert!(matches!(error, TokenError::Passing));
        assert!(tokens.get(at(second)).is_ok());
        assert!(!tokens.needs_fetch(at(second + 59)));
    }
    // At its end once more; then it is final.
    assert!(tokens.needs_fetch(at(7190)));
    tokens.begin_fetch(at(7190));
    let error = tokens.failed(refused(2_000_002, Class::Unlisted), at(7190), 0.0);
    assert!(matches!(error, TokenError::Refused(_)));
}

#[test]
fn wrong_secret_is_repeated_only_while_a_token_works() {
    let wrong = || refused(40_001, Class::Stop);
    let mut tokens = Tokens::default();
    tokens.begin_fetch(at(0));
    assert!(matches!(
        tokens.failed(wrong(), at(0), 0.0),
        TokenError::Refused(_)
    ));
    let mut tokens = proved();
    tokens.begin_fetch(at(6900));
    assert!(matches!(
        tokens.failed(wrong(), at(6900), 0.0),
        TokenError::Passing
    ));
    tokens.refused(1, at(6960));
    tokens.begin_fetch(at(6960));
    assert!(matches!(
        tokens.failed(wrong(), at(6960), 0.0),
        TokenError::Refused(_)
    ));
}

#[test]
fn lockout_of_gettoken_holds_an_hour_and_names_itself() {
    let mut tokens = Tokens::default();
    tokens.begin_fetch(at(0));
    let error = tokens.failed(refused(45_009, Class::Wait), at(0), 0.0);
    assert!(matches!(error, TokenError::LockedOut(45_009)));
    let hold = tokens.get(at(10)).unwrap_err();
    assert_eq!(hold.reason, HoldReason::TokenLockout);
    assert_eq!(hold.until, Some(at(3600)));
    assert!(hold.reason.is_quota());
    assert!(tokens.needs_fetch(at(3600)));
}

#[test]
fn unproved_tokens_that_are_refused_end_the_run() {
    let mut tokens = Tokens::default();
    let refused = [1, 2, 3].map(|generation| {
        fetch(&mut tokens, &format!("t{generation}"), 0);
        tokens.refused(generation, at(0))
    });
    assert_eq!(refused[2], RefusedToken::GiveUp);
    assert_eq!(tokens.refused(3, at(0)), RefusedToken::Replaced, "known");
}

#[test]
fn refusal_to_another_process_does_not_end_a_token_that_works() {
    let mut tokens = proved();
    assert!(tokens.needs_fetch(at(7000)));
    assert!(tokens.outlasts_refusal(at(9000), at(7000)));
    assert!(!tokens.needs_fetch(at(7100)) && tokens.get(at(7100)).is_ok());
    // At its end the refusal is final.
    assert!(tokens.needs_fetch(at(7190)));
    assert!(!tokens.outlasts_refusal(at(9000), at(7190)));
}
