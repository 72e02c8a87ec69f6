use std::sync::{Arc, Mutex};

use indicatif::TermLike;

use super::*;
use crate::report::{
    Failure, NoConnection, QuotaWindow,
    tests::{eta, held, outlook, snapshot, tally, trouble},
};

/// A terminal of eighty columns that keeps all it was sent.
#[derive(Debug, Clone, Default)]
struct Terminal(Arc<Mutex<String>>);

impl Terminal {
    fn push(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().push_str(text);
        Ok(())
    }

    fn sent(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        80
    }
    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.push(&"^".repeat(lines))
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, line: &str) -> io::Result<()> {
        self.push(&format!("{line}\n"))
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.push(text)
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn bar(paint: bool) -> (Bar, Terminal) {
    of_width(|| 80, paint)
}

fn of_width(width: fn() -> usize, paint: bool) -> (Bar, Terminal) {
    let terminal = Terminal::default();
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    (Bar::on(target, width, Paint::new(paint), eta()), terminal)
}

/// Two snapshots and an outlook, on a terminal of this width.
fn under_way(width: fn() -> usize) -> Bar {
    let (mut bar, _) = of_width(width, false);
    bar.event(&RunEvent::Progress(snapshot("12:00:00", 70_000)));
    bar.event(&RunEvent::Progress(snapshot("12:00:10", 71_660)));
    bar.event(&RunEvent::ForecastInput(Box::new(outlook())));
    bar
}

#[test]
fn bar_shows_share_rate_and_finish_in_eighty_columns() {
    insta::assert_snapshot!(under_way(|| 80).texts().join("\n"), @"
    71.7 %  ███████░░░  71,660 / 100,000 · 166/s · done about 12:04 (in 4 min 43 s)
    basic.minute    ██████████  9,800 / 9,800
    business.hour   ███████░░░  71,660 / 98,000
    ");
}

#[test]
fn headline_adapts_to_the_width_of_the_terminal() {
    let headlines = [
        under_way(|| 120),
        under_way(|| 100),
        under_way(|| 64),
        under_way(|| 48),
    ];
    let headlines = headlines.map(|bar| bar.texts().swap_remove(0));
    insta::assert_snapshot!(headlines.join("\n"), @"
    71.7 %  █████████████████████░░░░░░░░░  71,660 / 100,000 · 166 calls/s · done about 12:04 (in 4 min 43 s)
    71.7 %  ██████████████░░░░░░  71,660 / 100,000 · 166 calls/s · done about 12:04 (in 4 min 43 s)
    71.7 %  ███████░░░  71,660 / 100,000 · 166/s · done about 12:04
    71.7 %  ███████░░░  71,660 / 100,000
    ");
}

/// Fifteen days, millions of subjects, the longest reasons.
#[test]
fn no_line_of_the_longest_job_exceeds_eighty_columns() {
    let millions = |at| Snapshot {
        tally: tally(5_168_796, 1_753_403, 577_801),
        ..at
    };
    let mut bar = Bar::on(
        ProgressDrawTarget::hidden(),
        || 80,
        Paint::new(false),
        Box::new(|_, _| Some(Duration::from_secs(15 * 86_400 + 11_000))),
    );
    bar.event(&RunEvent::Progress(millions(snapshot("12:00:00", 0))));
    bar.event(&RunEvent::Progress(millions(snapshot("12:00:10", 1_660))));
    bar.event(&RunEvent::ForecastInput(Box::new(outlook())));
    let mut texts = bar.texts();
    let month = HoldReason::Window(QuotaWindow::BusinessMonth);
    let refused = trouble(Failure::Connect(NoConnection::Refused));
    for (reason, until) in [
        (month, "2026-12-18T12:41:02+08:00"),
        (HoldReason::Lockout, "2026-11-23T00:00:00+08:00"),
        (HoldReason::Concurrency, "2026-11-23T00:00:00+08:00"),
        (HoldReason::Outage(refused), "2026-11-23T00:00:00+08:00"),
    ] {
        let until = Timestamp::parse(until).ok();
        let hold = Some(Waiting { reason, until });
        let at = Snapshot {
            hold,
            ..millions(snapshot("23:29:29", 98_000))
        };
        bar.event(&RunEvent::Progress(at));
        texts.extend(bar.texts().into_iter().skip(1));
    }
    for line in &texts {
        assert!(columns(line) <= 80, "{} columns: {line}", columns(line));
    }
    texts.dedup();
    insta::assert_snapshot!(texts.join("\n"), @"
    31.1 %  ███░░░░░░░  2,331,204 / 7,500,000 · 166/s · done about 2026-12-07 15:03
    basic.minute    ██████████  9,800 / 9,800
    business.hour   ██████████  98,000 / 98,000
    waiting: business.month is used up · resumes at 2026-12-18 12:41 (in 25 d 13 h)
    basic.minute    ██████████  9,800 / 9,800
    business.hour   ██████████  98,000 / 98,000
    waiting: blocked by the API (45009 接口调用超过限制)
      resumes at 2026-11-23 00:00:00 (in 30 min 31 s)
    basic.minute    ██████████  9,800 / 9,800
    business.hour   ██████████  98,000 / 98,000
    waiting: the API bears no more calls at once (45033 接口并发调用超过限制)
      resumes at 2026-11-23 00:00:00 (in 30 min 31 s)
    basic.minute    ██████████  9,800 / 9,800
    business.hour   ██████████  98,000 / 98,000
    waiting: the API cannot be reached (connection refused) since 12:42:06
      resumes at 2026-11-23 00:00:00 (in 30 min 31 s)
    ");
}

#[test]
fn bar_says_why_it_waits() {
    let (mut bar, _) = bar(false);
    let day = HoldReason::Window(QuotaWindow::BusinessDay);
    bar.event(&RunEvent::ForecastInput(Box::new(outlook())));
    bar.event(&RunEvent::Progress(held(
        "12:00:00", 50_000, day, "17:40:00",
    )));
    insta::assert_snapshot!(bar.texts().join("\n"), @"
    50.0 %  █████░░░░░  50,000 / 100,000
    basic.minute    ██████████  9,800 / 9,800
    business.hour   █████░░░░░  50,000 / 98,000
    business.day    █░░░░░░░░░  50,000 / 470,400
    waiting: business.day is used up · resumes at 17:40 (in 5 h 40 min)
    ");
    let block = held("12:00:01", 50_000, HoldReason::Lockout, "12:01:04");
    bar.event(&RunEvent::Progress(block));
    bar.event(&RunEvent::Draining { in_flight: 3 });
    insta::assert_snapshot!(bar.texts().join("\n"), @"
    50.0 %  █████░░░░░  50,000 / 100,000
    basic.minute    ██████████  9,800 / 9,800
    business.hour   █████░░░░░  50,000 / 98,000
    waiting: blocked by the API (45009 接口调用超过限制)
      resumes at 12:01:04 (in 1 min 3 s)
    stopping: no new calls, waiting for 3 calls in flight
    ");
}

#[test]
fn no_rate_before_the_first_completed_call() {
    let (mut bar, _) = bar(false);
    bar.event(&RunEvent::Progress(snapshot("12:00:00", 0)));
    bar.event(&RunEvent::Progress(snapshot("12:00:10", 0)));
    assert_eq!(bar.texts()[0], "   0 %  ░░░░░░░░░░  0 / 100,000");
}

#[test]
fn short_waits_are_not_shown() {
    let (mut bar, _) = bar(false);
    let token = held("12:00:00", 0, HoldReason::Token, "12:00:01");
    bar.event(&RunEvent::Progress(token));
    assert!(!bar.texts().concat().contains("waiting"));
}

#[test]
fn bar_is_coloured_and_removed_at_the_end() {
    let (mut bar, terminal) = bar(true);
    let day = HoldReason::Window(QuotaWindow::BusinessDay);
    bar.event(&RunEvent::ForecastInput(Box::new(outlook())));
    bar.event(&RunEvent::Progress(snapshot("12:00:00", 50_000)));
    terminal.sent();
    bar.event(&RunEvent::Progress(held(
        "12:00:10", 90_000, day, "17:40:00",
    )));
    let sent = terminal.sent();
    assert!(sent.contains("waiting: business.day is used up"), "{sent}");
    assert!(sent.contains("\x1b[33m"), "{sent}");
    bar.event(&RunEvent::TicketRejected);
    assert!(terminal.sent().contains("the ticket no longer works"));
    bar.finish();
    assert!(!terminal.sent().contains('█'));
    bar.writer().flush().unwrap();
}

#[test]
fn bar_is_redrawn_only_when_due() {
    let (mut bar, terminal) = bar(false);
    bar.event(&RunEvent::Progress(snapshot("12:00:00", 50_000)));
    terminal.sent();
    bar.event(&RunEvent::Progress(snapshot("12:00:00", 50_001)));
    assert_eq!(terminal.sent(), "");
}

#[test]
fn lines_too_wide_are_cut_and_never_wrap() {
    let terminal = Terminal::default();
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let mut bar = Bar::on(target, || 120, Paint::new(false), eta());
    bar.event(&RunEvent::Progress(snapshot("12:00:00", 70_000)));
    bar.event(&RunEvent::Progress(snapshot("12:00:10", 71_660)));
    terminal.sent();
    // It has just been made smaller.
    bar.event(&RunEvent::ForecastInput(Box::new(outlook())));
    let (line, sent) = (bar.headline(120), terminal.sent());
    assert!(columns(&line) > 80, "{line}");
    assert!(!sent.contains(&line), "{sent}");
    let seen: String = line.chars().take(80).collect();
    assert!(sent.contains(seen.trim_end()), "{sent}");
}
