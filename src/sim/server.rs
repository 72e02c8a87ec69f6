//! The remote over HTTP, on a loopback address and nowhere else.
//!
//! Debug endpoints, which the real remote does not have: `GET /_sim/stats` (JSON),
//! `POST /_sim/kill_token`, `POST /_sim/faults` (body as for
//! [`Faults::parse`](super::Faults::parse)).

mod fault_injector;

use std::{
    future::IntoFuture,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request},
    handler::HandlerWithoutStateExt,
    http::{HeaderValue, Method as HttpMethod, StatusCode, header},
    response::Response,
    serve::Listener,
};
use futures_util::stream;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::sleep,
};

use self::fault_injector::{FaultInjector, FaultyListener};
use super::{
    call::{ApiAnswer, ApiCall, Oddity, Query, Reply, ResponseBody},
    options::SimOptions,
    remote::SimulatedRemote,
    stats::Stats,
};
use crate::{clock::Clock, wecom::transport::Method};

/// A remote that threads share.
pub type SharedRemote = Arc<Mutex<SimulatedRemote>>;

/// How long a hung call stays open: longer than any client waits.
const HANG: Duration = Duration::from_secs(600);
/// Bodies longer than this are refused.
const LONGEST_BODY: usize = 64 * 1024;

/// Serves `remote` until the current runtime ends.
///
/// # Errors
///
/// If `listener` is bound to anything but a loopback address.
pub async fn serve(listener: TcpListener, remote: SharedRemote) -> io::Result<()> {
    serve_through(listener, |stream| stream, remote).await
}

/// Serves `remote` through a listener that wraps its sockets, such as one for TLS. `socket` returns
/// the socket of a connection, which is what a reset breaks.
///
/// # Errors
///
/// If `listener` is bound to anything but a loopback address.
pub async fn serve_through<L>(
    listener: L,
    socket: fn(&L::Io) -> &TcpStream,
    remote: SharedRemote,
) -> io::Result<()>
where
    L: Listener<Addr = SocketAddr>,
{
    loopback_only(listener.local_addr()?)?;
    let handler = move |ConnectInfo(injector): ConnectInfo<FaultInjector>, request: Request| {
        let remote = Arc::clone(&remote);
        async move { handle(&remote, &injector, request).await }
    };
    let service = handler.into_make_service_with_connect_info::<FaultInjector>();
    axum::serve(FaultyListener::new(listener, socket), service)
        .into_future()
        .await
}

fn loopback_only(address: SocketAddr) -> io::Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let message =
        format!("the simulator serves loopback addresses such as 127.0.0.1 only, not {address}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn lock(remote: &Mutex<SimulatedRemote>) -> MutexGuard<'_, SimulatedRemote> {
    remote.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(
    remote: &Mutex<SimulatedRemote>,
    injector: &FaultInjector,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return response(Reply::page(413));
    };
    if let Some(name) = head.uri.path().strip_prefix("/_sim/") {
        return debug_endpoint(&mut lock(remote), &head.method, name, &body);
    }
    let call = ApiCall {
        method: if head.method == HttpMethod::GET {
            Method::Get
        } else {
            Method::Post
        },
        path: head.uri.path(),
        query: Query::Raw(head.uri.query().unwrap_or_default()),
        body: &body,
    };
    let answer = {
        let mut remote = lock(remote);
        let now = remote.now();
        remote.answer(now, &call)
    };
    let mut response = deliver(answer, injector).await;
    let date = HeaderValue::from_str(&lock(remote).now().http_date());
    if let Ok(date) = date {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn deliver(answer: ApiAnswer, injector: &FaultInjector) -> Response {
    let delay = if answer.body == ResponseBody::Hang {
        HANG
    } else {
        answer.delay
    };
    if !delay.is_zero() {
        sleep(delay).await;
    }
    match answer.body {
        ResponseBody::Reply(reply) => response(reply),
        ResponseBody::Cut(reply) => {
            injector.cut(reply.body.len() / 2 + 1);
            response(reply)
        }
        ResponseBody::Reset | ResponseBody::Hang | ResponseBody::Down => {
            injector.reset();
            Response::default()
        }
    }
}

fn debug_endpoint(
    remote: &mut SimulatedRemote,
    method: &HttpMethod,
    name: &str,
    body: &[u8],
) -> Response {
    match (method, name) {
        (&HttpMethod::GET, "stats") => match serde_json::to_vec_pretty(&remote.stats()) {
            Ok(stats) => plain(StatusCode::OK, stats),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into()),
        },
        (&HttpMethod::POST, "kill_token") => {
            remote.kill_token();
            plain(StatusCode::OK, b"{}".to_vec())
        }
        (&HttpMethod::POST, "faults") => match String::from_utf8_lossy(body).parse() {
            Ok(faults) => {
                remote.set_faults(faults);
                plain(StatusCode::OK, b"{}".to_vec())
            }
            Err(error) => plain(StatusCode::BAD_REQUEST, error.into()),
        },
        _ => plain(StatusCode::NOT_FOUND, b"no such debug endpoint".to_vec()),
    }
}

fn plain(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

/// Returns a body without a length, in pieces of a few bytes.
fn in_chunks(body: Vec<u8>) -> Body {
    let pieces: Vec<_> = body.chunks(7).map(|piece| Ok(piece.to_vec())).collect();
    Body::from_stream(stream::iter::<Vec<io::Result<Vec<u8>>>>(pieces))
}

/// Sets the headers that real replies have, but for the name of the server.
fn response(reply: Reply) -> Response {
    let body = match reply.oddity {
        Some(Oddity::Chunked) => in_chunks(reply.body),
        _ => Body::from(reply.body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("idferry-sim"));
    if let Some(wait) = reply.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    if reply.status == 302 {
        headers.insert(header::LOCATION, HeaderValue::from_static("/login"));
    }
    if reply.oddity == Some(Oddity::Closing) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if reply.status != 200 {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        return response;
    }
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    if reply.oddity == Some(Oddity::Gzip) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let content_type = match reply.oddity {
        Some(Oddity::Plain) => HeaderValue::from_static("text/plain"),
        _ => json,
    };
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert("error-code", HeaderValue::from(reply.errcode));
    if let Ok(errmsg) = HeaderValue::from_str(reply.errmsg.trim_end()) {
        headers.insert("error-msg", errmsg);
    }
    response
}

/// A remote that a thread of its own serves until this is dropped.
pub struct Simulator {
    remote: SharedRemote,
    address: SocketAddr,
    corp_id: String,
    corp_secret: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Simulator {
    /// Starts to serve on `address`; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// If `address` is not a loopback address, or cannot be bound.
    pub fn start(address: SocketAddr, options: SimOptions) -> io::Result<Self> {
        loopback_only(address)?;
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let remote = SimulatedRemote::new(Clock::system(), options);
        let (corp_id, corp_secret) = (remote.corp_id().to_owned(), remote.corp_secret().to_owned());
        let remote = Arc::new(Mutex::new(remote));
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&remote);
        let thread = std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || run(listener, served, stopped))?;
        Ok(Self {
            remote,
            address,
            corp_id,
            corp_secret,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The corpid that `gettoken` accepts.
    #[must_use]
    pub fn corp_id(&self) -> &str {
        &self.corp_id
    }

    /// The corpsecret that `gettoken` accepts.
    #[must_use]
    pub fn corp_secret(&self) -> &str {
        &self.corp_secret
    }

    /// Returns everything counted so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        lock(&self.remote).stats()
    }

    /// Calls `look` with the remote.
    pub fn with<T>(&self, look: impl FnOnce(&mut SimulatedRemote) -> T) -> T {
        look(&mut lock(&self.remote))
    }

    /// Serves until the process is ended or serving fails.
    ///
    /// # Errors
    ///
    /// The error that serving failed with.
    pub fn wait(mut self) -> io::Result<()> {
        self.join(None)
    }

    fn join(&mut self, stop: Option<oneshot::Sender<()>>) -> io::Result<()> {
        if let Some(stop) = stop {
            // The receiver is gone if the thread has ended by itself.
            let _ = stop.send(());
        }
        let joined = self.thread.take().map_or(Ok(Ok(())), JoinHandle::join);
        joined.unwrap_or_else(|_| Err(io::Error::other("the simulator's thread panicked")))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let stop = self.stop.take();
        // There is no caller left to report an error to.
        let _ = self.join(stop);
    }
}

fn run(
    listener: std::net::TcpListener,
    remote: SharedRemote,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        tokio::select! {
            served = serve(listener, remote) => served,
            _ = stopped => Ok(()),
        }
    })
}
