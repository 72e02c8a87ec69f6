//! The page of a run: read-only, complete in itself, and nobody's but its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use idferry::{
    job::{DetailsReader, JobFiles, Rehearsal, Unobserved, invent},
    report::listen::StatusPage,
    store::{Reader, StoreError, SubjectRecord},
};
use rustix::process::Signal;

use super::test_dir::TestDir;

const SUBJECTS: u64 = 200;

/// The page of a job in which nothing is answered yet.
fn page(job: &Path) -> StatusPage {
    invent(job, SUBJECTS, 1, Rehearsal::default().start).unwrap();
    let mut reader = DetailsReader::of(JobFiles::beside(job));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let read = Box::new(move || reader.read());
    StatusPage::serve(listener, read, Duration::from_millis(5)).unwrap()
}

/// Sends a request line and headers; returns the connection.
fn ask(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("{request}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Head and body of what is answered.
fn answer(address: SocketAddr, request: &str) -> (String, String) {
    let mut answer = String::new();
    ask(address, request).read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn get(address: SocketAddr, path: &str) -> (String, String) {
    answer(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}"))
}

fn body(address: SocketAddr, path: &str) -> String {
    let (head, body) = get(address, path);
    assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
    body
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks(3).flat_map(|three| {
        let byte = |at| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        (0..4).map(move |digit| match digit <= three.len() {
            true => char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]),
            false => '=',
        })
    });
    digits.collect()
}

/// How a policy names what stands between the tags of `element`.
fn hash_of(page: &str, element: &str) -> String {
    let (_, rest) = page.split_once(&format!("<{element}>")).unwrap();
    let (text, rest) = rest.split_once(&format!("</{element}>")).unwrap();
    assert!(!rest.contains(&format!("<{element}")), "two of {element}");
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    format!("{element}-src 'sha256-{}';", base64(digest.as_ref()))
}

#[test]
fn page_is_complete_and_its_policy_allows_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(&folder.path().join("fans.db"));
    let (head, html) = get(page.address(), "/");
    for element in ["style", "script"] {
        let hash = hash_of(&html, element);
        assert!(head.contains(&hash), "{hash} is not in {head}");
    }
    for header in [
        "content-security-policy: default-src 'none'; ",
        "frame-ancestors 'none'",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "content-type: text/html; charset=utf-8",
    ] {
        assert!(head.contains(header), "no {header} in {head}");
    }
    for foreign in ["://", "src=", "style=", "onclick="] {
        assert!(!html.contains(foreign), "{foreign} in the page");
    }
    assert!(html.contains("待查询") && html.contains("to be asked"));
}

#[test]
fn only_own_names_are_answered_and_nothing_but_reading() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(&folder.path().join("fans.db"));
    let address = page.address();
    let status = |request: &str| {
        let (head, body) = answer(address, request);
        let code: u16 = head[9..12].parse().unwrap();
        assert_eq!(code == 200, body.starts_with("ok\n") || body.is_empty());
        code
    };
    let own = format!("Host: {address}");
    assert_eq!(status(&format!("GET /healthz HTTP/1.1\r\n{own}")), 200);
    assert_eq!(status(&format!("HEAD / HTTP/1.1\r\n{own}")), 200);
    assert_eq!(status("GET /healthz HTTP/1.1\r\nHost: evil.example"), 421);
    let foreign = format!("GET http://evil.example/healthz HTTP/1.1\r\n{own}");
    assert_eq!(status(&foreign), 421);
    assert_eq!(status("GET /healthz HTTP/1.0"), 421);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} /healthz HTTP/1.1\r\n{own}\r\nContent-Length: 0");
        assert_eq!(status(&request), 405, "{method}");
    }
    assert_eq!(status(&format!("GET /idferry.db HTTP/1.1\r\n{own}")), 404);
}

/// Every unionid, openid and external_userid of a job.
fn personal_ids(job: &Path) -> Vec<String> {
    let mut ids = Vec::new();
    let reader = Reader::open(job).unwrap();
    let listed = reader.for_each_subject(|subject: &SubjectRecord| {
        ids.extend([subject.unionid.clone(), subject.openid.clone()]);
        let links = subject.links.iter();
        ids.extend(links.map(|link| link.external_userid.to_string()));
        Ok::<(), StoreError>(())
    });
    listed.unwrap();
    ids
}

#[test]
fn events_tell_what_a_run_changes_and_nothing_names_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let job = folder.path().join("fans.db");
    let page = page(&job);
    let address = page.address();
    let events = ask(address, &format!("GET /events HTTP/1.1\r\nHost: {address}"));
    let mut events = BufReader::new(events).lines().map(Result::unwrap);
    let nothing = format!("<b>0</b> / {SUBJECTS} ");
    let everything = format!("<b>{SUBJECTS}</b> / {SUBJECTS} ");
    assert!(events.any(|line| line.starts_with("data: ") && line.contains(&nothing)));

    // Readers of the page are no reason for the run to wait.
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(address)).collect();
    Rehearsal::default().play(&job, &mut Unobserved).unwrap();
    // A stream without news says so.
    let news = events.find(|line| line == ":" || line.contains(&everything));
    assert!(news.is_some_and(|line| line.starts_with("data: ")));

    let ids = personal_ids(&job);
    assert!(ids.len() > 400);
    for path in ["/", "/metrics", "/status.json", "/healthz"] {
        let body = body(address, path);
        assert!(!ids.iter().any(|id| body.contains(id)), "an id in {path}");
    }
    drop(silent);
}

#[test]
fn metrics_and_status_are_as_their_readers_expect() {
    let folder = tempfile::tempdir().unwrap();
    let job = folder.path().join("fans.db");
    let page = page(&job);
    Rehearsal::default().play(&job, &mut Unobserved).unwrap();
    let metrics = body(page.address(), "/metrics");
    assert!(metrics.ends_with("# EOF\n"));
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, number) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("idferry_"), "{line}");
        assert!(number.parse::<f64>().is_ok(), "{line}");
        assert!(name.contains('{') == name.ends_with('}'), "{line}");
    }
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in\n{metrics}"));
        line.trim().parse::<f64>().unwrap()
    };
    let states = ["linked", "unlinked", "rejected", "parked"];
    let answered = states.map(|state| value(&format!("idferry_subjects{{state=\"{state}\"}}")));
    assert_eq!(answered.iter().sum::<f64>(), 200.0);
    assert!(value("idferry_calls_total") >= 200.0);

    let status = body(page.address(), "/status.json");
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["version"], 1);
    assert_eq!(status["subjects"]["queued"], 0);
}

#[test]
fn run_serves_its_page_while_it_waits_and_leaves_one_file() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let command = "run fans.csv --ticket none --quota business.hour=5 --margin 0 --listen 0";
    let mut run = dir.idferry(command).at(&simulator).start();
    let said = run.says("status page: http://127.0.0.1:");
    let address = said.trim_end_matches('/').rsplit('/').next().unwrap();
    let address: SocketAddr = address.parse().unwrap();
    run.until("the page says that it waits", || {
        let status = body(address, "/status.json");
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["state"] == "waiting" && status["waiting"]["code"] == "window business.hour"
    });
    let html = body(address, "/");
    assert!(html.contains("full, room at ") && html.contains("business.hour 额度已用完"));
    let taken = format!("run --listen {address} --state other.db fans.csv");
    dir.idferry(&taken).exits(2).says("name another port");
    run.signal(Signal::INT);
    run.exits(130);
    assert!(!dir.names().iter().any(|name| name.contains("-wal")));
    dir.idferry("run fans.csv --listen nowhere")
        .exits(2)
        .says("9464");
}
