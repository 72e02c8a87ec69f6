//! How numbers, durations and moments are written for people; the only place that does.

use std::time::Duration;

use crate::clock::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const NEVER: u64 = 1_000_000 * DAY;

/// `1,234,567`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 subject`, `1,234 subjects`
pub(crate) fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// `31.2 %`; exactly 0 % and 100 % are kept for nothing and for all.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let permille = share_of(part, whole) * 1000.0;
    match (part, whole) {
        (0, _) | (_, 0) => "0 %".into(),
        (part, whole) if part >= whole => "100 %".into(),
        _ => format!("{:.1} %", permille.round().clamp(1.0, 999.0) / 10.0),
    }
}

/// `part / whole`, between 0 and 1.
#[expect(clippy::cast_precision_loss, reason = "only looked at")]
pub(crate) fn share_of(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (part as f64 / whole as f64).clamp(0.0, 1.0)
}

/// A rate a second: `166`, `8.3`, `0.02`
pub(crate) fn rate(per_second: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, not negative, and saturating"
    )]
    match per_second {
        calls if calls >= 9.95 => count(calls.round() as u64),
        calls if calls >= 0.095 => format!("{calls:.1}"),
        calls => format!("{:.2}", calls.max(0.0)),
    }
}

/// At most two units, rounded to the nearest of the lesser one: `2 d 3 h`, `5 h 40 min`,
/// `30 min 31 s`, `31 s`, `340 ms`; `never` beyond a million days.
pub(crate) fn duration(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    // Rounded before it is split, so that no "60 min" comes out.
    let seconds = millis.saturating_add(500) / 1000;
    let minutes = seconds.saturating_add(MINUTE / 2) / MINUTE;
    let hours = seconds.saturating_add(HOUR / 2) / HOUR;
    if millis == 0 {
        "0 s".into()
    } else if millis < 1000 {
        format!("{millis} ms")
    } else if seconds < MINUTE {
        format!("{seconds} s")
    } else if seconds < HOUR {
        two_units(seconds, MINUTE, "min", "s")
    } else if minutes < DAY / MINUTE {
        two_units(minutes, 60, "h", "min")
    } else if seconds <= NEVER {
        two_units(hours, 24, "d", "h")
    } else {
        "never".into()
    }
}

fn two_units(number: u64, base: u64, large: &str, small: &str) -> String {
    match (number / base, number % base) {
        (whole, 0) => format!("{whole} {large}"),
        (whole, rest) => format!("{whole} {large} {rest} {small}"),
    }
}

/// The time of day at +08:00: `12:04:30`
pub(crate) fn time_of_day(at: Timestamp) -> String {
    at.civil().strftime("%H:%M:%S").to_string()
}

/// The date at +08:00: `2026-11-22`
pub(crate) fn date(at: Timestamp) -> String {
    at.civil().date().to_string()
}

/// A moment to come, at +08:00, as seen at `now`: with seconds if it is less than an hour away,
/// with the date if it is not today.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    let form = match (at.civil().date() == now.civil().date(), at.since(now)) {
        (true, away) if away.as_secs() < HOUR => "%H:%M:%S",
        (true, _) => "%H:%M",
        (false, away) if away.as_secs() < HOUR => "%Y-%m-%d %H:%M:%S",
        (false, _) => "%Y-%m-%d %H:%M",
    };
    at.civil().strftime(form).to_string()
}

/// A moment that is only estimated, to the minute: `13:20`, `2026-11-23 03:12`
pub(crate) fn about(at: Timestamp, now: Timestamp) -> String {
    let today = at.civil().date() == now.civil().date();
    let form = if today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.civil().strftime(form).to_string()
}

/// `12:41:02 (in 30 min 31 s)`
pub(crate) fn moment_and_wait(at: Timestamp, now: Timestamp) -> String {
    format!("{} (in {})", moment(at, now), duration(at.since(now)))
}

#[cfg(test)]
mod tests {
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
    fn share_is_0_or_100_percent_only_if_exact() {
        assert_eq!(share(31_204, 100_000), "31.2 %");
        assert_eq!(share(99_999, 100_000), "99.9 %");
        assert_eq!(share(1, 100_000), "0.1 %");
        assert_eq!(share(100, 100), "100 %");
        assert_eq!(share(0, 100), "0 %");
        assert_eq!(share(0, 0), "0 %");
    }

    #[test]
    fn slow_rates_keep_their_decimals() {
        let rates = [1666.4, 166.4, 9.96, 8.34, 0.5, 0.02, 0.0, -1.0].map(rate);
        let shown = ["1,666", "166", "10", "8.3", "0.5", "0.02", "0.00", "0.00"];
        assert_eq!(rates, shown);
        assert_eq!(rate(f64::INFINITY), count(u64::MAX));
    }

    #[test]
    fn duration_has_two_units_and_never_sixty_of_one() {
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
        assert_eq!(shown(86_400e6), "1000000 d");
        assert_eq!(duration(Duration::MAX), "never");
    }

    #[test]
    fn moment_has_a_date_unless_it_is_today() {
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
}
