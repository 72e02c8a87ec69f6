//! The simulated API for other clients.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Stdio},
};

use super::test_dir::TestDir;

/// `idferry simulate`, and what it printed.
struct Served {
    child: Child,
    out: BufReader<ChildStdout>,
    line: String,
}

impl Served {
    fn start(dir: &TestDir, line: &str) -> Self {
        let mut command = dir.idferry(line).command();
        let quiet = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = quiet.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        Self { child, out, line }
    }

    /// Address, corp id and secret.
    fn told(&self) -> [&str; 3] {
        let words: Vec<_> = self.line.trim_end().split(' ').collect();
        let [url, id, secret] = words[..] else {
            panic!("{}", self.line);
        };
        let id = id.strip_prefix("WECOM_CORP_ID=").unwrap();
        let secret = secret.strip_prefix("WECOM_CORP_SECRET=").unwrap();
        [url, id, secret]
    }

    fn get(&self, path: &str) -> String {
        let host = self.told()[0].strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_prints_one_line_that_a_client_can_use() {
    let dir = TestDir::with_fans(12);
    let line = "simulate --seed 3 --faults none --latency 0s --limits business.hour=1000";
    let mut served = Served::start(&dir, line);
    let [url, id, secret] = served.told();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    dir.idferry("run fans.csv")
        .env("WECOM_BASE_URL", url)
        .env("WECOM_CORP_ID", id)
        .env("WECOM_CORP_SECRET", secret)
        .exits(0);
    let reply = served.get("/_sim/stats");
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    let (_, stats) = reply.split_once("\r\n\r\n").unwrap();
    let stats: serde_json::Value = serde_json::from_str(stats).unwrap();
    assert_eq!(stats["seed"], 3);
    assert_eq!(stats["tokens_fetched"], 1);
    let lane = &stats["lanes"]["/cgi-bin/corpgroup/unionid_to_external_userid"];
    assert_eq!(lane["calls"], 12);
    assert_eq!(lane["answered"], 12);
    assert_eq!(lane["windows"]["business.hour"]["limit"], 1000);

    let _ = served.child.kill();
    let mut rest = String::new();
    served.out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn it_cannot_be_mistaken_for_the_real_thing() {
    let dir = TestDir::new();
    let served = Served::start(&dir, "simulate");
    let [_, id, secret] = served.told();
    assert!(id.starts_with("wwsimulated") && secret.starts_with("simulated-not-a-real-secret"));
    let reply = served.get("/cgi-bin/gettoken");
    assert!(reply.contains("server: idferry-sim"));
}

#[test]
fn it_serves_loopback_addresses_only() {
    let dir = TestDir::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        dir.idferry("simulate --addr")
            .arg(address)
            .exits(2)
            .prints_nothing()
            .says("the simulator serves loopback addresses such as 127.0.0.1 only");
    }
}

#[test]
fn an_address_in_use_is_told() {
    let dir = TestDir::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    dir.idferry("simulate --addr")
        .arg(&address)
        .exits(2)
        .says(&format!(
            "cannot serve on {address}: Address already in use"
        ));
}
