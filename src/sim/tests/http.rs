use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
};

use super::{
    super::{Fault, Latency, Simulator, server::serve_through},
    *,
};

fn start() -> Simulator {
    let options = SimOptions {
        latency: Latency::NONE,
        ..SimOptions::default()
    };
    Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).unwrap()
}

/// One exchange on a connection of its own: all that was received, and how it ended.
fn exchange(simulator: &Simulator, request: &str) -> (String, std::io::Result<()>) {
    exchange_with(&simulator.base_url().replace("http://", ""), request)
}

fn exchange_with(address: &str, request: &str) -> (String, std::io::Result<()>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut seen = Vec::new();
    let end = stream.read_to_end(&mut seen).map(|_| ());
    (String::from_utf8_lossy(&seen).into_owned(), end)
}

fn get(simulator: &Simulator, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    exchange(simulator, &request).0
}

fn post(simulator: &Simulator, path: &str, body: &str) -> (String, std::io::Result<()>) {
    let length = body.len();
    exchange(
        simulator,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ),
    )
}

fn body(response: &str) -> Value {
    read(response.split_once("\r\n\r\n").unwrap().1.as_bytes())
}

fn lookup(simulator: &Simulator) -> (String, std::io::Result<()>) {
    let (id, secret) = (simulator.corp_id(), simulator.corp_secret());
    let token = get(
        simulator,
        &format!(
            "{}?corpid={id}&corpsecret={secret}",
            SimEndpoint::Token.path()
        ),
    );
    let token = body(&token)["access_token"].as_str().unwrap().to_owned();
    let path = format!("{}?access_token={token}", SimEndpoint::Lookup.path());
    post(simulator, &path, &subject(1).to_string())
}

fn suffer(fault: Fault) -> (String, std::io::Result<()>) {
    let simulator = start();
    simulator.with(|remote| remote.script([Forced::Fault(fault)]));
    lookup(&simulator)
}

#[test]
fn reply_over_http_has_the_headers_of_a_real_one() {
    let simulator = start();
    let (seen, end) = lookup(&simulator);
    assert!(end.is_ok());
    assert!(seen.starts_with("HTTP/1.1 200 OK\r\n"), "{seen}");
    for header in [
        "content-type: application/json; charset=UTF-8\r\n",
        "error-code: 0\r\n",
        "error-msg: ok\r\n",
        "server: idferry-sim\r\n",
    ] {
        assert!(seen.contains(header), "{seen}");
    }
    assert_eq!(code(&body(&seen)), 0);
}

#[test]
fn reset_is_a_reset_of_the_connection() {
    for fault in [Fault::ResetBefore, Fault::ResetAfter] {
        let (seen, end) = suffer(fault);
        assert_eq!(seen, "");
        assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn cut_body_is_shorter_than_its_content_length() {
    let (seen, _) = suffer(Fault::Cut);
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let length: usize = length.parse().unwrap();
    assert!(
        !body.is_empty() && body.len() < length,
        "{} < {length}",
        body.len()
    );
}

#[test]
fn http_error_is_a_page() {
    let (seen, _) = suffer(Fault::Http5xx);
    assert!(
        seen.starts_with("HTTP/1.1 50") && seen.contains("<html>"),
        "{seen}"
    );
}

#[test]
fn debug_endpoints_show_counts_and_set_faults() {
    let simulator = start();
    lookup(&simulator).1.unwrap();
    let stats = body(&get(&simulator, "/_sim/stats"));
    let lane = &stats["lanes"][SimEndpoint::Lookup.path()];
    assert_eq!(
        (&lane["counted"], &lane["answered"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        lane["windows"]["business.month"],
        json!({ "limit": 7_500_000, "calls": 1, "peak": 1, "other_peak": 1, "lockouts": 0 })
    );
    assert_eq!(serde_json::to_value(simulator.stats()).unwrap(), stats);
    assert!(
        post(&simulator, "/_sim/faults", "busy=1")
            .0
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        post(&simulator, "/_sim/faults", "bussy=1")
            .0
            .contains("no fault is called")
    );
    assert!(get(&simulator, "/_sim/unknown").starts_with("HTTP/1.1 404"));
    assert!(get(&simulator, "/cgi-bin/nowhere").starts_with("HTTP/1.1 404"));
}

#[test]
fn only_loopback_addresses_are_served() {
    let started = Simulator::start(SocketAddr::from(([0, 0, 0, 0], 0)), SimOptions::default());
    let error = started.err().unwrap().to_string();
    assert!(
        error.contains("loopback") && error.contains("0.0.0.0:0"),
        "{error}"
    );
}

#[test]
fn dropped_simulator_serves_no_more() {
    let simulator = start();
    let address = simulator.base_url().replace("http://", "");
    drop(simulator);
    assert!(TcpStream::connect(address).is_err());
}

/// Sockets in a wrapper, as those of a listener that speaks TLS are.
struct Wrapping(tokio::net::TcpListener);

impl axum::serve::Listener for Wrapping {
    type Io = Box<tokio::net::TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (socket, address) = axum::serve::Listener::accept(&mut self.0).await;
        (Box::new(socket), address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// Serves in a wrapper on `address`, on a thread of its own; returns the bound address.
fn wrapped(
    address: [u8; 4],
    faults: &[Fault],
) -> (String, std::thread::JoinHandle<std::io::Result<()>>) {
    let listener = std::net::TcpListener::bind((std::net::IpAddr::from(address), 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let bound = listener.local_addr().unwrap().to_string();
    let mut remote = SimulatedRemote::new(Clock::system(), SimOptions::default());
    remote.script(faults.iter().map(|fault| Forced::Fault(*fault)));
    let remote = Arc::new(Mutex::new(remote));
    let serving = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = Wrapping(tokio::net::TcpListener::from_std(listener)?);
            serve_through(listener, |wrapped| wrapped, remote).await
        })
    });
    (bound, serving)
}

#[test]
fn listener_that_wraps_its_sockets_serves_the_same() {
    let (address, _) = wrapped([127, 0, 0, 1], &[]);
    let request = "GET /_sim/stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (seen, end) = exchange_with(&address, request);
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    assert!(end.is_ok());
}

#[test]
fn reset_reaches_through_a_wrapper() {
    let (address, _) = wrapped([127, 0, 0, 1], &[Fault::ResetBefore]);
    let path = SimEndpoint::Lookup.path();
    let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    let (seen, end) = exchange_with(&address, &request);
    assert_eq!(seen, "");
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn listener_bound_beyond_loopback_is_not_served() {
    let (_, serving) = wrapped([0, 0, 0, 0], &[]);
    let error = serving.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("loopback"), "{error}");
}
