use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn numbers_are_grouped_by_thousands() {
    let grouped = [0, 999, 1000, 98_000, 7_500_000].map(count);
    assert_eq!(grouped, ["0", "999", "1,000", "98,000", "7,500,000"]);
    assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    assert_eq!(counted(1, "line"), "1 line");
    assert_eq!(counted(1000, "line"), "1,000 lines");
}

#[test]
fn a_share_is_all_or_nothing_only_if_it_is() {
    assert_eq!(share(31_204, 100_000), "31.2 %");
    assert_eq!(share(99_999, 100_000), "99.9 %");
    assert_eq!(share(1, 100_000), "0.1 %");
    assert_eq!(share(100, 100), "100 %");
    assert_eq!(share(0, 100), "0 %");
    assert_eq!(share(0, 0), "0 %");
}

#[test]
fn a_character_takes_the_columns_that_a_terminal_gives_it() {
    for (text, taken) in [
        ("", 0),
        ("31.2 %  ██░░ · …", 16),
        ("(45009 接口调用超过限制)", 24),
        ("（、。）", 8),
        ("\u{1f600}\u{1f389}", 4),
        // One emoji of three and two joiners; a thumb and its colour.
        ("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", 2),
        ("\u{1f44d}\u{1f3fd}", 2),
        ("e\u{301}a\u{308}", 2),
        // Katakana in half width, with its mark, and in full.
        ("ｶﾀｶﾅ", 4),
        ("ｶﾞ", 2),
        ("カタカナ", 8),
        ("한국어", 6),
    ] {
        assert_eq!(columns(text), taken, "{text}");
    }
}

#[test]
fn a_long_line_is_folded_at_spaces() {
    assert_eq!(folded("a bc def", 4), ["a bc", "def"]);
    assert_eq!(folded("a  b", 4), ["a  b"]);
    assert_eq!(folded("abcdef g", 4), ["abcdef", "g"]);
    assert_eq!(folded("", 4), [""]);
}

#[test]
fn chinese_is_folded_anywhere_but_at_the_wrong_side_of_a_stop() {
    let folded = |text, width| folded(text, width).join("|");
    assert_eq!(folded("接口调用超过限制", 6), "接口调|用超过|限制");
    assert_eq!(folded("企业可信IP of it", 6), "企业可|信IP|of it");
    assert_eq!(folded("请求，重试。", 4), "请|求，|重|试。");
    assert_eq!(folded("调用（接口）", 6), "调用|（接|口）");
    assert_eq!(folded("(45009 限制)", 8), "(45009|限制)");
    assert_eq!(folded("限", 1), "限");
    // No cluster is torn apart.
    let (thumb, pair) = ("\u{1f44d}\u{1f3fd}", "\u{1f468}\u{200d}\u{1f469}");
    let text = [thumb, thumb, pair].concat();
    assert_eq!(folded(&text, 2), [thumb, thumb, pair].join("|"));
    assert_eq!(folded("か\u{3099}か", 2), "か\u{3099}|か");
}

#[test]
fn slow_rates_keep_their_decimals() {
    let rates = [1666.4, 166.4, 9.96, 8.34, 0.5, 0.02, 0.0, -1.0].map(rate);
    let shown = ["1,666", "166", "10", "8.3", "0.5", "0.02", "0.00", "0.00"];
    assert_eq!(rates, shown);
    assert_eq!(rate(f64::INFINITY), count(u64::MAX));
}

#[test]
fn a_duration_has_two_units_and_no_sixty_of_anything() {
    let shown = |seconds| duration(Duration::from_secs_f64(seconds));
    assert_eq!(shown(0.0), "0 s");
    assert_eq!(shown(0.34), "340 ms");
    assert_eq!(shown(31.4), "31 s");
    assert_eq!(shown(59.6), "1 min");
    assert_eq!(shown(1831.0), "30 min 31 s");
    assert_eq!(shown(3599.7), "1 h");
    assert_eq!(shown(20_400.0), "5 h 40 min");
    assert_eq!(shown(86_399.0), "1 d");
    assert_eq!(shown(183_600.0), "2 d 3 h");
    assert_eq!(duration(Duration::MAX), "213503982334 d 14 h");
}

#[test]
fn a_moment_has_a_date_unless_it_is_today() {
    let now = at("2026-11-22T12:10:31+08:00");
    assert_eq!(moment(at("2026-11-22T12:41:02+08:00"), now), "12:41:02");
    assert_eq!(moment(at("2026-11-22T23:59:59+08:00"), now), "23:59");
    assert_eq!(about(at("2026-11-22T12:41:02+08:00"), now), "12:41");
    assert_eq!(about(at("2027-01-01T00:00+08:00"), now), "2027-01-01 00:00");
    assert_eq!(
        moment_and_wait(at("2026-11-23T03:12+08:00"), now),
        "2026-11-23 03:12 (in 15 h 1 min)"
    );
    assert_eq!(
        moment_and_wait(at("2026-11-22T12:41:02+08:00"), now),
        "12:41:02 (in 30 min 31 s)"
    );
}

#[test]
fn colours_follow_the_environment() {
    let with = |list: &'static [(&str, &str)]| {
        move |name: &str| {
            let found = list.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    };
    let xterm: &[_] = &[("TERM", "xterm")];
    assert!(colors(true, with(xterm)));
    assert!(!colors(false, with(xterm)));
    assert!(!colors(true, with(&[("TERM", "dumb")])));
    assert!(!colors(true, with(&[("TERM", "xterm"), ("NO_COLOR", "1")])));
    assert!(colors(true, with(&[("TERM", "xterm"), ("NO_COLOR", "")])));
    assert!(!colors(true, with(&[("TERM", "xterm"), ("CLICOLOR", "0")])));
    assert!(colors(false, with(&[("CLICOLOR_FORCE", "1")])));
    assert!(!colors(
        true,
        with(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")])
    ));
    assert!(can_draw(true, with(xterm)));
    assert!(!can_draw(true, with(&[])));
    assert_eq!(Paint::new(true).good("x"), "\x1b[32mx\x1b[0m");
    assert_eq!(Paint::new(false).good("x"), "x");
}
