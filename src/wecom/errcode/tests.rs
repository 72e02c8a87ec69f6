use super::*;

#[test]
fn table_is_sorted_and_complete() {
    assert!(entries().is_sorted_by(|a, b| a.code < b.code));
    for entry in entries() {
        assert!(std::ptr::eq(lookup(entry.code), entry), "{entry}");
        assert!(!entry.meaning.is_empty(), "{entry}");
        assert!(!entry.next_step.is_empty(), "{entry}");
    }
    for class in Class::ALL {
        assert!(
            entries().iter().any(|entry| entry.class == class),
            "{class}"
        );
    }
}

#[test]
fn every_class_holds_exactly_its_codes() {
    let of = |class| -> Vec<i64> {
        let listed = entries().iter().filter(|entry| entry.class == class);
        listed.map(|entry| entry.code).collect()
    };
    assert_eq!(of(Class::Retry), [-1, 6000]);
    assert_eq!(of(Class::Token), [40001, 40014, 42001]);
    assert_eq!(of(Class::Wait), [45009, 45011]);
    assert_eq!(of(Class::Slow), [45033]);
    assert_eq!(
        of(Class::Subject),
        [
            40073, 40096, 41056, 50002, 84061, 86001, 86003, 610004, 610014, 610018
        ]
    );
    assert_eq!(
        of(Class::Source),
        [40058, 60011, 610015, 610017, 845001, 845002, 845003]
    );
    assert_eq!(
        of(Class::Downstream),
        [48004, 301007, 670001, 670004, 670029, 670030]
    );
    assert_eq!(
        of(Class::Bug),
        [
            0, 40033, 40035, 40063, 40206, 41001, 41002, 41004, 41024, 41035, 44001, 81017
        ]
    );
    assert_eq!(
        of(Class::Stop),
        [
            40013, 40056, 40091, 41057, 42009, 43009, 48001, 48002, 48005, 48006, 50003, 60020,
            60031, 60214, 84074, 301002, 301042, 610016, 610019, 610020, 610021, 670002, 670003,
            701008, 701099
        ]
    );
}

#[test]
fn credential_calls_have_no_subject_to_blame() {
    use Class::*;
    // code, gettoken, apply_mass_call_ticket
    let table = [
        (-1, Retry, Retry),
        (40001, Stop, Token),
        (40013, Stop, Stop),
        (40014, Stop, Token),
        (40058, Bug, Bug),
        (42001, Stop, Token),
        (42009, Stop, Stop),
        (45009, Wait, Wait),
        (45011, Wait, Wait),
        (45033, Slow, Slow),
        (48004, Stop, Stop),
        (50002, Stop, Stop),
        (60011, Stop, Stop),
        (60020, Stop, Stop),
        (84061, Stop, Stop),
        (301007, Stop, Stop),
        (610004, Stop, Stop),
        (610015, Stop, Stop),
        (670001, Stop, Stop),
        (670004, Stop, Stop),
        (999_999, Unlisted, Unlisted),
    ];
    for (code, token, ticket) in table {
        assert_eq!(CredentialCall::Token.class_of(code), token, "{code}");
        assert_eq!(CredentialCall::Ticket.class_of(code), ticket, "{code}");
    }
}

#[test]
fn line_of_text_is_a_sentence_also_for_unknown_codes() {
    assert_eq!(
        lookup(60020).to_string(),
        "60020 不安全的访问IP (not allowed to access from your IP)"
    );
    assert_eq!(
        line(45011).to_string(),
        "45011 (too many calls; a WeChat code that WeCom's table lacks)"
    );
    assert!(line(670_020).to_string().starts_with("670020 ("));
    assert!(line(95_013).to_string().starts_with("95013 ("));
    assert_eq!(
        line(123).to_string(),
        "123 (a code that is in no published table)"
    );
    assert_eq!(lookup(i64::MIN).class, Class::Unlisted);
}
