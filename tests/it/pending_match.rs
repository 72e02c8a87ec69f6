//! The second road: external_userids of downstream corps become links by their pending_ids.

use std::{cell::Cell, fmt::Write as _, rc::Rc, time::Duration};

use idferry::{
    clock::Timestamp,
    intake::{Input, ReadOptions},
    job::{JobFiles, Session, SessionSettings},
    model::State,
    runner::{
        MatchingOptions, RunOptions, Stop,
        event::{MatchingReport, StopReason},
    },
    secret::Secret,
    sim::MemoryTransport,
    store::{StoreError, SubjectRecord},
    wecom::{
        Client,
        transport::{Request, Sending, Transport},
    },
};

use crate::scenario::{DAY, Scenario, export};

const MATCH: &str = "/cgi-bin/corpgroup/batch/external_userid_to_pending_id";

/// A job whose unlinked subjects have pending_ids, in a world where people change corps later.
fn a_job(subjects: u64) -> Scenario {
    let mut scenario = Scenario::new(subjects).configure(|setup| {
        setup.pending_ids = true;
        setup.remote.world.linked = 0.5;
        setup.remote.world.changing = 0.05;
    });
    assert!(scenario.run().finished());
    scenario.idle(30 * DAY);
    scenario
}

/// The customers that downstream corps have now, of the subjects that were unlinked: a CSV of
/// external_userids in corpids, and how many there are. `strangers` are customers who are no subjects.
fn customers(scenario: &Scenario, strangers: usize) -> (String, usize) {
    let (now, remote) = (scenario.remote_now(), scenario.sim());
    let world = remote.world();
    let (mut csv, mut count) = ("external_userid,corpid\n".to_owned(), 0);
    let mut add = |unionid: &str| {
        let person = world.person(unionid);
        for place in world.corps_of(person, now) {
            let id = world.external_userid(person, place);
            writeln!(csv, "{},{}", id.as_str(), world.corps()[place].corpid).unwrap();
            count += 1;
        }
    };
    let each = |subject: &SubjectRecord| {
        if subject.state == State::Unlinked {
            add(&subject.unionid);
        }
        Ok::<(), StoreError>(())
    };
    scenario.reader().for_each_subject(each).unwrap();
    let known = count;
    for number in 0..strangers {
        let person = world.person(&format!("oStranger{number:019}"));
        for place in world.corps_of(person, now) {
            let id = world.external_userid(person, place);
            writeln!(csv, "{},{}", id.as_str(), world.corps()[place].corpid).unwrap();
        }
    }
    (csv, known)
}

/// Kills the process at the n-th call, and counts calls.
struct Counting {
    inner: MemoryTransport,
    calls: Rc<Cell<usize>>,
    stop: Option<(usize, Stop)>,
}

impl Transport for Counting {
    fn send(&self, request: Request) -> Sending<'static> {
        if request.path == MATCH {
            self.calls.set(self.calls.get() + 1);
        }
        if let Some((at, stop)) = &self.stop
            && self.calls.get() >= *at
        {
            stop.request();
            return Box::pin(std::future::pending());
        }
        self.inner.send(request)
    }
}

/// One process. `killed_at`: it dies in its n-th call.
fn process(
    scenario: &Scenario,
    csv: &str,
    agentid: Option<i64>,
    killed_at: Option<usize>,
) -> (Option<(MatchingReport, u64)>, usize) {
    let path = scenario.folder().join("customers.csv");
    std::fs::write(&path, csv).unwrap();
    let live = scenario.session();
    let calls = Rc::new(Cell::new(0));
    let stop = Stop::default();
    let transport = Counting {
        inner: MemoryTransport::new(Rc::clone(&live.remote), Duration::from_secs(30)),
        calls: Rc::clone(&calls),
        stop: killed_at.map(|at| (at, stop.clone())),
    };
    let (corp, secret) = {
        let remote = scenario.sim();
        (remote.corp_id().to_owned(), remote.corp_secret().to_owned())
    };
    let client = Client::new(Rc::new(transport), &corp, Secret::new(secret));
    let options = MatchingOptions {
        run: RunOptions::default(),
        agentid,
        unmatched_after: 7 * DAY,
    };
    let matched = scenario.session().block_on(async {
        let files = JobFiles::beside(&scenario.state());
        let mut session = Session::open(files, SessionSettings::default(), live.clock).unwrap();
        let input = Input::parse(path.as_os_str());
        session
            .import_contacts(&input, &ReadOptions::default())
            .unwrap();
        let run = session.begin("pending match").unwrap();
        let matching = session.match_contacts(run, client, options, stop.clone());
        tokio::select! {
            biased;
            matched = matching => Some(matched.unwrap()),
            () = tokio::time::sleep(3600 * Duration::from_secs(1)), if killed_at.is_some() => None,
        }
    });
    (matched, calls.get())
}

/// Every subject has the links that the simulator's people have now, or had when it was looked up.
#[track_caller]
fn links_are_right(scenario: &Scenario, began: Timestamp) -> u64 {
    let (now, remote) = (scenario.remote_now(), scenario.sim());
    let (world, mut linked) = (remote.world(), 0);
    let each = |subject: &SubjectRecord| {
        let person = world.person(&subject.unionid);
        let at = if subject.pending_id.is_some() {
            now
        } else {
            began
        };
        let mut expected: Vec<_> = world
            .corps_of(person, at)
            .map(|place| world.external_userid(person, place).as_str().to_owned())
            .collect();
        let mut links: Vec<_> = subject
            .links
            .iter()
            .map(|link| link.external_userid.to_string())
            .collect();
        expected.sort();
        links.sort();
        assert_eq!(links, expected);
        assert_eq!(subject.state == State::Linked, !links.is_empty());
        linked += u64::from(!links.is_empty());
        Ok::<(), StoreError>(())
    };
    scenario.reader().for_each_subject(each).unwrap();
    linked
}

#[test]
fn people_whom_a_dealer_has_added_since_are_linked_by_their_pending_id() {
    for agentid in [None, Some(1_000_001)] {
        let scenario = a_job(400);
        let (csv, known) = customers(&scenario, 150);
        let (matched, calls) = process(&scenario, &csv, agentid, None);
        let (report, links) = matched.unwrap();
        assert!(matches!(report.reason, StopReason::Finished), "{report:?}");
        assert_eq!(links as usize, known);
        assert!(known > 50 && calls <= known / 50 + 10, "{calls} calls");
        let linked = links_are_right(&scenario, scenario.setup.start);
        assert_eq!(scenario.reader().tally().unwrap().of(State::Linked), linked);
        // Nobody is asked about again, and nothing is linked twice.
        let before = export(&scenario.reader());
        let (again, calls) = process(&scenario, &csv, agentid, None);
        assert_eq!((again.unwrap().1, calls), (0, 0));
        assert_eq!(export(&scenario.reader()), before);
    }
}

#[test]
fn a_matching_killed_in_a_call_asks_only_about_the_rest() {
    let scenario = a_job(400);
    let (csv, known) = customers(&scenario, 600);
    let lines = csv.lines().count() - 1;
    let (died, first) = process(&scenario, &csv, None, Some(4));
    assert!(died.is_none() || !matches!(died.unwrap().0.reason, StopReason::Finished));
    let (matched, rest) = process(&scenario, &csv, None, None);
    let (report, _) = matched.unwrap();
    assert!(matches!(report.reason, StopReason::Finished));
    assert_eq!(first, 4);
    // Batches are of one corp each: seven of them are not full.
    assert!(rest + 3 <= lines.div_ceil(100) + 7, "{rest}");
    assert!(known > 50);
    links_are_right(&scenario, scenario.setup.start);
}

#[test]
fn a_corp_that_shares_nothing_is_skipped_and_the_others_are_asked() {
    let scenario = a_job(300);
    let (mut csv, known) = customers(&scenario, 0);
    csv += "wmSomebodySomewhere0000000000000,wpNotSharing00000000000000000000\n";
    let (matched, _) = process(&scenario, &csv, Some(1_000_001), None);
    let (report, links) = matched.unwrap();
    assert!(matches!(report.reason, StopReason::Finished));
    assert_eq!(links as usize, known);
    let skipped: Vec<_> = report.skipped.iter().map(|(corp, _)| &**corp).collect();
    assert_eq!(skipped, ["wpNotSharing00000000000000000000"]);
    let names: i64 = scenario.sql("SELECT count(*) FROM corps WHERE name LIKE '模拟%'");
    assert_eq!(names, 7);
}

#[test]
fn a_lookup_that_knows_nobody_leaves_a_link_that_a_pending_id_gave() {
    let mut scenario = a_job(200);
    let (csv, known) = customers(&scenario, 0);
    let (matched, _) = process(&scenario, &csv, None, None);
    assert_eq!(matched.unwrap().1 as usize, known);
    let by_pending: i64 = scenario.sql("SELECT count(*) FROM links WHERE source = 1");
    assert_eq!(by_pending as usize, known);
    // The lookups find the same people from now on.
    crate::passes::retry(&mut scenario, &[State::Linked], None);
    assert!(scenario.run().finished());
    let by_pending: i64 =
        scenario.sql("SELECT count(*) FROM links WHERE source = 1 AND until IS NULL");
    assert_eq!(by_pending, 0);
}
