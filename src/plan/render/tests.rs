use super::{super::PlannedSubjects, *};
use crate::{
    model::{Limits, WindowKind},
    quota::{Account, CallKind, ForecastInput},
};

fn morning() -> Timestamp {
    Timestamp::parse("2026-11-22T09:17:23+08:00").unwrap()
}

fn computed_with(limits: Limits, calls: u64, ticket_until: Option<Timestamp>) -> Plan {
    let input = ForecastInput {
        account: Account::new(limits, WindowKind::Sliding),
        now: morning(),
        kind: ticket_until.map_or(CallKind::Standard, |_| CallKind::WithTicket),
        ticket_until,
        locked_until: Timestamp::default(),
        per_second: None,
    };
    let subjects = PlannedSubjects {
        lines: calls + 117,
        rejected: 17,
        subjects: calls + 100,
        answered: 100,
        calls,
    };
    Plan::compute(subjects, &input, false, morning(), "members.csv")
}

#[test]
fn ticket_that_cannot_be_had_any_more_is_not_advised() {
    let account = Account::new(Limits::published(), WindowKind::Sliding);
    let input = ForecastInput {
        account,
        now: morning(),
        kind: CallKind::Standard,
        ticket_until: None,
        locked_until: Timestamp::default(),
        per_second: None,
    };
    let subjects = PlannedSubjects {
        calls: 7_500_000,
        ..PlannedSubjects::default()
    };
    let plan = Plan::compute(subjects, &input, true, morning(), "members.csv");
    assert_eq!(plan.command, "idferry run members.csv");
    let text = render(&plan, morning());
    assert!(
        !text.contains("With a ticket") && !text.contains("Apply"),
        "{text}"
    );
    assert!(plan.advice.contains("applied for already"));
}

fn computed(calls: u64) -> Plan {
    computed_with(Limits::published(), calls, None)
}

#[test]
fn seven_and_a_half_million_calls_need_the_ticket() {
    let plan = computed(7_500_000);
    let text = render(&plan, morning());
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
    insta::assert_snapshot!(text, @r"
        Plan of 2026-11-22T09:17:23+08:00

          lines          7,500,117
          rejected              17
          subjects       7,500,100
          answered             100
          calls          7,500,000

        Without a ticket  15 d 3 h      2026-12-07T12:39:48+08:00
          business.hour   holds 2 d 4 h in all, on days 1-16
          business.day    holds 12 d 11 h in all, on days 1-16
          month wall      not reached

        With a ticket     2 d 1 h       2026-11-24T10:42:13+08:00
          basic.hour      holds 1 d 13 h in all, on days 1-3
          ticket          6 d 23 h usable: enough

        calls
           7.5 M ┤       ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░████
                 ┤      ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░█████████
                 ┤      ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░████████████████
                 ┤     ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░█████████████████████
                 ┤    ░░░░░░░░░░░░░░░░░░░░░░░░░░░░████████████████████████████
           3.8 M ┤   ░░░░░░░░░░░░░░░░░░░░░░░░█████████████████████████████████
                 ┤   ░░░░░░░░░░░░░░░░░████████████████████████████████████████
                 ┤   ░░░░░░░░░░░░░████████████████████████████████████████████
                 ┤   ░░░░░░░░█████████████████████████████████████████████████
                 ┤   ░████████████████████████████████████████████████████████
               0 └─────────────────────────────┬─────────────────────────────┬
                 now                        7.6 d                        15.1 d
                  ░ with a ticket
                  █ no ticket

        Apply for the ticket: done in 2 d 1 h instead of 15 d 3 h. A ticket can
        be obtained once, within 3 months of the authorisation, and lives 7 days
        (D96250): apply when the input is complete.

          idferry run members.csv --ticket apply
        ");
}

#[test]
fn nightly_job_needs_no_ticket() {
    insta::assert_snapshot!(render(&computed(50_000), morning()), @r"
        Plan of 2026-11-22T09:17:23+08:00

          lines             50,117
          rejected              17
          subjects          50,100
          answered             100
          calls             50,000

        Without a ticket  5 min 1 s     2026-11-22T09:22:23+08:00
          basic.minute    holds 1 s in all, on day 1
          month wall      not reached

        With a ticket     5 min 1 s     2026-11-22T09:22:23+08:00
          basic.minute    holds 1 s in all, on day 1
          ticket          6 d 23 h usable: enough

        calls
            50 k ┤                                                         ███
                 ┤                                                   █████████
                 ┤                                             ███████████████
                 ┤                                       █████████████████████
                 ┤                                 ███████████████████████████
            25 k ┤                           █████████████████████████████████
                 ┤                     ███████████████████████████████████████
                 ┤               █████████████████████████████████████████████
                 ┤         ███████████████████████████████████████████████████
                 ┤   █████████████████████████████████████████████████████████
               0 └─────────────────────────────┬─────────────────────────────┬
                 now                      2.5 min                       5.0 min
                  ░ with a ticket
                  █ no ticket

        Today's quota is enough: done in 5 min 1 s without a ticket. A ticket
        can be obtained once, within 3 months of the authorisation, and lives 7
        days (D96250): keep it.

          idferry run members.csv
        ");
}

#[test]
fn calls_that_the_ticket_leaves_are_counted() {
    let plan = computed(30_000_000);
    assert!(!plan.with_ticket.as_ref().unwrap().fits);
    assert_eq!(plan.command, "idferry run members.csv --ticket apply");
    insta::assert_snapshot!(plan.advice, @"Apply for the ticket: done in 17 d 1 h instead of 108 d 11 h. Even so 4,950,000 subjects are left when it ends and take 10 d 2 h more. A ticket can be obtained once, within 3 months of the authorisation, and lives 7 days (D96250): apply when the input is complete.");
}

#[test]
fn stored_ticket_is_not_applied_for_again() {
    let until = morning().plus(Duration::from_secs(86_400));
    let plan = computed_with(Limits::published(), 7_500_000, Some(until));
    assert_eq!(plan.command, "idferry run members.csv");
    insta::assert_snapshot!(plan.advice, @"A ticket is stored and will be used: done in 9 d 1 h. Even so 3,900,000 subjects are left when it ends and take 8 d 1 h more.");
}

#[test]
fn plan_without_calls_is_an_export() {
    insta::assert_snapshot!(render(&computed(0), morning()), @r"
        Plan of 2026-11-22T09:17:23+08:00

          lines                117
          rejected              17
          subjects             100
          answered             100
          calls                  0

        Nothing to ask: every subject is answered.

          idferry export
        ");
}

#[test]
fn ticket_that_gains_little_is_kept() {
    let limits = Limits::none().with(QuotaWindow::BasicHour, Some(1_000));
    let plan = computed_with(limits, 100_000, None);
    assert_eq!(plan.command, "idferry run members.csv");
    insta::assert_snapshot!(plan.advice, @"A ticket would gain little: 4 d 3 h without, 4 d 3 h with one. A ticket can be obtained once, within 3 months of the authorisation, and lives 7 days (D96250): keep it.");
}

#[test]
fn job_that_never_ends_has_no_date() {
    let limits = Limits::published().with(QuotaWindow::BasicHour, Some(0));
    let plan = computed_with(limits, 100_000, None);
    assert_eq!(plan.without_ticket.finish, None);
    assert!(!plan.with_ticket.as_ref().unwrap().fits);
    assert!(render(&plan, morning()).contains("never"));
}

#[test]
fn json_has_the_documented_fields() {
    let json = serde_json::to_string_pretty(&computed(7_500_001)).unwrap();
    insta::assert_snapshot!(json, @r#"
        {
          "lines": 7500118,
          "rejected": 17,
          "subjects": 7500101,
          "answered": 100,
          "calls": 7500001,
          "without_ticket": {
            "seconds": 2679517,
            "finish": "2026-12-23T09:36:00+08:00",
            "binding": "business.month",
            "month_wall": "2026-12-07T12:39:48+08:00"
          },
          "with_ticket": {
            "seconds": 180589,
            "finish": "2026-11-24T11:27:12+08:00",
            "fits": true,
            "left_over": 0
          },
          "advice": "Apply for the ticket: done in 2 d 2 h instead of 31 d. A ticket can be obtained once, within 3 months of the authorisation, and lives 7 days (D96250): apply when the input is complete."
        }
        "#);
}

#[test]
fn days_are_formatted_as_ranges() {
    assert_eq!(ranges(&[0]), "day 1");
    assert_eq!(ranges(&[0, 1, 2, 6]), "days 1-3, 7");
    assert_eq!(ranges(&[0, 2, 4, 6, 8]), "days 1, 3, 5, 7, …");
}
