use super::*;

#[test]
fn the_table_is_sorted_and_complete() {
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
fn every_class_holds_exactly_the_codes_of_the_fact_sheet() {
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
fn a_code_means_what_its_call_makes_it_mean() {
    let (all, one) = (
        WecomCall::Convert { corpid: false },
        WecomCall::Convert { corpid: true },
    );
    // code, gettoken, ticket, lookup everywhere, lookup in one downstream corp
    let table = [
        (-1, Class::Retry, Class::Retry, Class::Retry, Class::Retry),
        (40001, Class::Stop, Class::Token, Class::Token, Class::Token),
        (
            40013,
            Class::Stop,
            Class::Stop,
            Class::Stop,
            Class::Downstream,
        ),
        (40014, Class::Stop, Class::Token, Class::Token, Class::Token),
        (40058, Class::Bug, Class::Bug, Class::Source, Class::Source),
        (42001, Class::Stop, Class::Token, Class::Token, Class::Token),
        (42009, Class::Stop, Class::Stop, Class::Stop, Class::Stop),
        (45009, Class::Wait, Class::Wait, Class::Wait, Class::Wait),
        (45011, Class::Wait, Class::Wait, Class::Wait, Class::Wait),
        (45033, Class::Slow, Class::Slow, Class::Slow, Class::Slow),
        (
            48004,
            Class::Stop,
            Class::Stop,
            Class::Stop,
            Class::Downstream,
        ),
        (
            50002,
            Class::Stop,
            Class::Stop,
            Class::Subject,
            Class::Subject,
        ),
        (
            60011,
            Class::Stop,
            Class::Stop,
            Class::Source,
            Class::Source,
        ),
        (60020, Class::Stop, Class::Stop, Class::Stop, Class::Stop),
        (
            84061,
            Class::Stop,
            Class::Stop,
            Class::Subject,
            Class::Subject,
        ),
        (
            301007,
            Class::Stop,
            Class::Stop,
            Class::Stop,
            Class::Downstream,
        ),
        (
            610004,
            Class::Stop,
            Class::Stop,
            Class::Subject,
            Class::Subject,
        ),
        (
            610015,
            Class::Stop,
            Class::Stop,
            Class::Source,
            Class::Source,
        ),
        (
            670001,
            Class::Stop,
            Class::Stop,
            Class::Stop,
            Class::Downstream,
        ),
        (
            670004,
            Class::Stop,
            Class::Stop,
            Class::Stop,
            Class::Downstream,
        ),
        (
            999_999,
            Class::Unlisted,
            Class::Unlisted,
            Class::Unlisted,
            Class::Unlisted,
        ),
    ];
    for (code, gettoken, ticket, anywhere, in_one) in table {
        assert_eq!(class_of(code, WecomCall::Gettoken), gettoken, "{code}");
        assert_eq!(class_of(code, WecomCall::Ticket), ticket, "{code}");
        assert_eq!(class_of(code, all), anywhere, "{code}");
        assert_eq!(class_of(code, one), in_one, "{code}");
    }
}

#[test]
fn a_line_reads_like_a_sentence_even_for_codes_nobody_knows() {
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
