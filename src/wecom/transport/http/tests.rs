use std::{cell::RefCell, net::SocketAddr, rc::Rc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::secret::Secret;

/// What the test server does with one request.
#[derive(Clone)]
enum Act {
    /// Sends these bytes and keeps the connection.
    Reply(String),
    /// Sends these bytes and closes the connection.
    ReplyAndClose(String),
    /// Closes the connection without a reply.
    Close,
    /// Never replies.
    Hang,
}

/// A server that does one thing per request and keeps what it read, with the number of the
/// connection.
struct Server {
    address: SocketAddr,
    read: Rc<RefCell<Vec<(usize, String)>>>,
}

impl Server {
    async fn playing(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let read: Rc<RefCell<Vec<(usize, String)>>> = Rc::default();
        let acts = Rc::new(RefCell::new(acts.into_iter()));
        let kept = Rc::clone(&read);
        tokio::task::spawn_local(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (acts, kept) = (Rc::clone(&acts), Rc::clone(&kept));
                tokio::task::spawn_local(async move {
                    serve(stream, |request| {
                        kept.borrow_mut().push((connection, request));
                        acts.borrow_mut().next().unwrap_or(Act::Close)
                    })
                    .await;
                });
            }
        });
        Self { address, read }
    }

    fn transport(&self) -> HttpTransport {
        to(self.address, Timeouts::default())
    }
}

async fn serve(mut stream: TcpStream, mut act: impl FnMut(String) -> Act) {
    while let Some(request) = request(&mut stream).await {
        match act(request) {
            Act::Reply(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            Act::ReplyAndClose(bytes) => return stream.write_all(bytes.as_bytes()).await.unwrap(),
            Act::Close => return,
            Act::Hang => std::future::pending().await,
        }
    }
}

/// One whole request; none once the client has closed the connection.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(text);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => text.push_str(&String::from_utf8_lossy(&buffer[..read])),
        }
    }
}

fn to(address: SocketAddr, timeouts: Timeouts) -> HttpTransport {
    let base = BaseUrl::parse(&format!("http://{address}")).unwrap();
    HttpTransport::new(base, timeouts).unwrap()
}

fn reply(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn post(token: &str) -> Request {
    Request {
        method: Method::Post,
        path: "/cgi-bin/x",
        query: vec![("access_token", Arc::new(Secret::new(token.into())))],
        body: br#"{"a":1}"#.to_vec(),
    }
}

#[tokio::test(flavor = "local")]
async fn every_token_is_sent_as_it_is() {
    let ok = Act::Reply(reply("200 OK", "{}"));
    let server = Server::playing(vec![ok; 4]).await;
    let transport = server.transport();
    let token = |text: &str| Arc::new(Secret::new(text.to_owned()));
    let (one, other) = (token("one"), token("other"));
    for token in [&one, &one, &other, &one] {
        let mut request = post("");
        request.query = vec![("access_token", Arc::clone(token))];
        transport.send(request).await.unwrap();
    }
    let read = server.read.borrow();
    let sent: Vec<_> = read
        .iter()
        .map(|(_, request)| request.lines().next())
        .collect();
    let line = |token| Some(format!("POST /cgi-bin/x?access_token={token} HTTP/1.1"));
    let expected = ["one", "one", "other", "one"].map(line);
    assert_eq!(sent, expected.each_ref().map(Option::as_deref));
}

async fn failing(act: Act) -> Failure {
    let server = Server::playing(vec![act]).await;
    match server.transport().send(post("t")).await {
        Ok(response) => panic!("HTTP {}", response.status),
        Err(failure) => failure,
    }
}

#[tokio::test(flavor = "local")]
async fn request_arrives_as_it_was_made() {
    let ok = Act::Reply(reply("200 OK", "{}"));
    let server = Server::playing(vec![ok.clone(), ok]).await;
    let transport = server.transport();
    transport.send(post("a+b/c=d&e#f?g h%密")).await.unwrap();
    let get = Request {
        method: Method::Get,
        path: "/cgi-bin/gettoken",
        query: vec![
            ("corpid", Arc::new(Secret::new("ww1".into()))),
            ("corpsecret", Arc::new(Secret::new("s-_.~".into()))),
        ],
        body: vec![],
    };
    transport.send(get).await.unwrap();
    let read = server.read.borrow();
    let (posted, got) = (&read[0].1, &read[1].1);
    let line = "POST /cgi-bin/x?access_token=a%2Bb%2Fc%3Dd%26e%23f%3Fg%20h%25%E5%AF%86 HTTP/1.1";
    assert!(posted.starts_with(line), "{posted}");
    assert!(posted.contains("content-type: application/json\r\n"));
    assert!(posted.contains(concat!("user-agent: idferry/", env!("CARGO_PKG_VERSION"))));
    assert!(posted.ends_with("\r\n\r\n{\"a\":1}"));
    let line = "GET /cgi-bin/gettoken?corpid=ww1&corpsecret=s-_.~ HTTP/1.1";
    assert!(got.starts_with(line), "{got}");
    assert!(!got.contains("content-type"));
}

#[tokio::test(flavor = "local")]
async fn connection_is_reused() {
    let ok = Act::Reply(reply("200 OK", "{}"));
    let server = Server::playing(vec![ok; 20]).await;
    let transport = server.transport();
    for _ in 0..20 {
        transport.send(post("t")).await.unwrap();
    }
    assert!(server.read.borrow().iter().all(|(by, _)| *by == 0));
    assert_eq!(server.read.borrow().len(), 20);
}

#[tokio::test(flavor = "local")]
async fn any_status_is_a_response_and_no_redirect_is_followed() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let cut = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 99\r\n\r\n<html>";
    let server = Server::playing(vec![
        Act::Reply(reply("404 Not Found", "nothing here")),
        Act::Reply(moved.into()),
        Act::ReplyAndClose(cut.into()),
    ])
    .await;
    let transport = server.transport();
    for (status, body) in [(404, "nothing here"), (302, ""), (502, "")] {
        let response = transport.send(post("t")).await.unwrap();
        assert_eq!(response.status, status);
        assert_eq!(response.body, body.as_bytes());
    }
    assert_eq!(server.read.borrow().len(), 3);
}

#[tokio::test(flavor = "local")]
async fn broken_connection_is_a_reset_and_nothing_is_repeated() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"errcode\":0,";
    let head = "HTTP/1.1 200 O";
    for act in [
        Act::Close,
        Act::ReplyAndClose(cut.into()),
        Act::ReplyAndClose(head.into()),
        Act::ReplyAndClose("what is HTTP?\r\n\r\n".into()),
    ] {
        assert_eq!(failing(act).await, Failure::Reset);
    }
    let ok = Act::Reply(reply("200 OK", "{}"));
    let server = Server::playing(vec![ok.clone(), Act::Close, ok]).await;
    let transport = server.transport();
    assert!(transport.send(post("t")).await.is_ok());
    assert_eq!(transport.send(post("t")).await.err(), Some(Failure::Reset));
    assert_eq!(
        server.read.borrow().len(),
        2,
        "on a used connection neither"
    );
}

#[tokio::test(flavor = "local")]
async fn body_of_more_than_a_mebibyte_is_not_read() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n{".to_owned();
    assert_eq!(failing(Act::Reply(announced)).await, Failure::Body);
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(LONGEST_BODY + 1));
    assert_eq!(failing(Act::ReplyAndClose(endless)).await, Failure::Body);
    let most = "x".repeat(LONGEST_BODY);
    let server = Server::playing(vec![Act::Reply(reply("200 OK", &most))]).await;
    let response = server.transport().send(post("t")).await.unwrap();
    assert_eq!(response.body.len(), LONGEST_BODY);
}

#[tokio::test(flavor = "local")]
async fn late_reply_is_a_timeout_of_the_configured_length() {
    let timeouts = Timeouts {
        total: Duration::from_millis(50),
        ..Timeouts::default()
    };
    let server = Server::playing(vec![
        Act::Hang,
        Act::Reply("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".into()),
    ])
    .await;
    let transport = to(server.address, timeouts);
    for _ in 0..2 {
        let failure = transport.send(post("t")).await.err();
        assert_eq!(failure, Some(Failure::Timeout(timeouts.total)));
    }
}

#[tokio::test(flavor = "local")]
async fn refused_connection_names_no_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = to(address, Timeouts::default()).send(post("tok-en")).await;
    let failure = failure.err().unwrap();
    assert_eq!(failure, Failure::Connect(NoConnection::Refused));
    assert!(!format!("{failure} {failure:?}").contains("tok-en"));
}

/// A resolver that finds no name.
struct EmptyResolver;

impl reqwest::dns::Resolve for EmptyResolver {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async { Err(io::Error::other("no such name").into()) })
    }
}

/// Starts a server for one caller with a self-signed certificate, or in plain HTTP.
fn untrusted_server(speaks_tls: bool) -> SocketAddr {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    use std::io::Write;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        if !speaks_tls {
            return stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .unwrap();
        }
        let certificate = include_bytes!("tests/self_signed.pem");
        let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
        let key =
            PrivateKeyDer::from_pem_slice(include_bytes!("tests/self_signed.key.pem")).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let mut server = rustls::ServerConnection::new(config.into()).unwrap();
        // The caller hangs up.
        let _ = server.complete_io(&mut stream);
    });
    address
}

async fn not_reached(transport: HttpTransport) -> Failure {
    let failure = transport.send(post("tok-en")).await.err().unwrap();
    assert!(!format!("{failure} {failure:?}").contains("tok-en"));
    failure
}

#[tokio::test(flavor = "local")]
async fn reasons_for_no_connection_are_told_apart() {
    let over_tls = |speaks_tls| {
        let base = BaseUrl::parse(&format!("https://{}", untrusted_server(speaks_tls))).unwrap();
        HttpTransport::new(base, Timeouts::default()).unwrap()
    };
    let certificate = Failure::Connect(NoConnection::Certificate);
    assert_eq!(not_reached(over_tls(true)).await, certificate);
    let no_tls = Failure::Connect(NoConnection::Tls);
    assert_eq!(not_reached(over_tls(false)).await, no_tls);

    let base = BaseUrl::parse("https://unknown.invalid").unwrap();
    let timeouts = Timeouts::default();
    let builder = builder(&base, timeouts).no_proxy();
    let client = builder.dns_resolver(EmptyResolver).build().unwrap();
    let lost = HttpTransport::over(client, base, timeouts);
    assert_eq!(not_reached(lost).await, Failure::Connect(NoConnection::Dns));
}

#[tokio::test(flavor = "local")]
async fn refusal_of_a_proxy_is_no_connection() {
    let server = Server::playing(vec![Act::Reply(reply("403 Forbidden", ""))]).await;
    let base = BaseUrl::official();
    let proxy = reqwest::Proxy::https(format!("http://{}", server.address)).unwrap();
    let timeouts = Timeouts::default();
    let client = builder(&base, timeouts).proxy(proxy).build().unwrap();
    let behind = HttpTransport::over(client, base, timeouts);
    let proxy = Failure::Connect(NoConnection::Proxy);
    assert_eq!(not_reached(behind).await, proxy);
}

/// Takes one connection as a SOCKS 5 proxy; returns the host that is asked for, and the first byte that
/// is to be sent there.
fn socks_proxy() -> (SocketAddr, std::thread::JoinHandle<(Vec<u8>, u8)>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let read = |bytes: usize| {
            let mut buffer = vec![0; bytes];
            (&stream).read_exact(&mut buffer).unwrap();
            buffer
        };
        let greeting = read(2);
        read(greeting[1].into());
        (&stream).write_all(&[5, 0]).unwrap();
        assert_eq!(read(4), [5, 1, 0, 3], "connect to a name");
        let length = read(1)[0];
        let host = read(length.into());
        read(2);
        (&stream)
            .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .unwrap();
        (host, read(1)[0])
    });
    (address, proxy)
}

#[tokio::test(flavor = "local")]
async fn calls_go_through_a_socks_proxy_encrypted() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (address, server) = socks_proxy();
    let (base, timeouts) = (BaseUrl::official(), Timeouts::default());
    let proxy = reqwest::Proxy::all(format!("socks5h://{address}")).unwrap();
    let client = builder(&base, timeouts).proxy(proxy).build().unwrap();
    not_reached(HttpTransport::over(client, base, timeouts)).await;
    let (host, first) = server.join().unwrap();
    assert_eq!(host, b"qyapi.weixin.qq.com");
    assert_eq!(first, 0x16, "a TLS handshake");
}

#[tokio::test(flavor = "local")]
async fn cause_in_the_log_contains_no_url() {
    let client = build(&BaseUrl::official(), Timeouts::default()).unwrap();
    let dead = "http://127.0.0.1:1/cgi-bin/x?access_token=tok-en";
    let error = client.get(dead).send().await.unwrap_err();
    assert!(
        error.to_string().contains("tok-en"),
        "reqwest's own text does"
    );
    assert!(!cause(&error).contains("tok-en"), "{}", cause(&error));
}

#[test]
fn transport_to_the_official_address_can_be_made_twice() {
    assert!(HttpTransport::new(BaseUrl::official(), Timeouts::default()).is_ok());
    assert!(
        HttpTransport::new(BaseUrl::official(), Timeouts::default()).is_ok(),
        "twice"
    );
}
