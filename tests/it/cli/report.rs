//! One HTML file that says how a job went.

use idferry::{
    job::{JobFiles, Rehearsal, TicketPolicy, Unobserved, invent},
    model::QuotaWindow,
    store::{Reader, StoreError, SubjectRecord},
};

use super::test_dir::TestDir;

/// Sixteen days of a job that a small daily quota keeps waiting.
fn sixteen_days() -> TestDir {
    let dir = TestDir::new();
    let mut rehearsal = Rehearsal {
        ticket: TicketPolicy::None,
        ..Rehearsal::default()
    };
    let limits = rehearsal.quota.limits;
    rehearsal.quota.limits = limits.with(QuotaWindow::BusinessDay, Some(40));
    let job = dir.path("idferry.db");
    invent(&job, 16 * 39, 1, rehearsal.start).unwrap();
    let rehearsed = rehearsal.play(&job, &mut Unobserved).unwrap();
    let days = rehearsed.took.as_secs() / 86_400;
    assert!((14..=17).contains(&days), "{days} days");
    std::fs::rename(JobFiles::beside(&job).ledger, dir.path("ledger.db")).unwrap();
    dir
}

#[test]
fn report_of_sixteen_days_is_small_and_names_nobody() {
    let dir = sixteen_days();
    let report = dir.idferry("report --ledger ledger.db -o -").exits(0).out;
    assert!(report.len() < 300_000, "{} bytes", report.len());
    for part in ["business.day is used up", "等待", "wide\"><svg", "624"] {
        assert!(report.contains(part), "no {part}");
    }
    for foreign in ["http://", "https://", "src=", "<script"] {
        assert!(!report.contains(foreign), "{foreign}");
    }
    let reader = Reader::open(&dir.path("idferry.db")).unwrap();
    let mut seen = 0;
    let named = reader.for_each_subject(|subject: &SubjectRecord| {
        seen += 1;
        let links = subject.links.iter().map(|link| &*link.external_userid);
        for id in [&*subject.unionid, &*subject.openid]
            .into_iter()
            .chain(links)
        {
            assert!(!report.contains(id));
        }
        Ok::<(), StoreError>(())
    });
    named.unwrap();
    assert_eq!(seen, 624);
}

#[test]
fn report_replaces_its_own_file_and_nobody_elses() {
    let dir = TestDir::with_fans(3);
    dir.idferry("run fans.csv --budget 0").exits(75);
    dir.idferry("report").exits(0);
    assert_eq!(dir.mode("fans.report.html"), 0o600);
    // A process that is killed leaves it open whether it wrote its file.
    let forget_marks = || {
        let job = rusqlite::Connection::open(dir.path("idferry.db")).unwrap();
        job.execute("UPDATE published SET mark = ''", []).unwrap();
    };
    forget_marks();
    dir.idferry("report").exits(0);
    forget_marks();
    dir.write("fans.report.html", "mine");
    dir.idferry("report").exits(2);
    dir.write("mine.html", "mine");
    let refused = dir.idferry("report --output mine.html").exits(2);
    refused.says("was not written by the job of");
    dir.idferry("report --output fans.csv").exits(2);
    assert_eq!(dir.read("mine.html"), "mine");
}
