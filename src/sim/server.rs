//! The remote over HTTP, on a loopback address and nowhere else.
//!
//! Doors for looking and steering, which the real remote has not:
//! `GET /_sim/stats` (JSON), `POST /_sim/kill_token`, `POST /_sim/faults` (body as for
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
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::sleep,
};

use self::fault_injector::{FaultInjector, FaultyConnection};
use super::{
    call::{ApiAnswer, ApiCall, Query, Reply, ResponseBody},
    options::SimOptions,
    remote::SimulatedRemote,
    stats::Stats,
};
use crate::{clock::Clock, wecom::transport::Method};

/// The remote as one thread or several share it.
pub type Shared = Arc<Mutex<SimulatedRemote>>;

/// How long a hung call is held open: longer than any client waits.
const HUNG: Duration = Duration::from_secs(600);
/// Bodies longer than this are refused.
const LONGEST_BODY: usize = 64 * 1024;

/// Serves `remote` on the current runtime until that ends.
///
/// # Errors
///
/// If `listener` is bound to anything but a loopback address.
pub async fn serve(listener: TcpListener, remote: Shared) -> io::Result<()> {
    serve_through(listener, |stream| stream, remote).await
}

/// The same through a listener that wraps its sockets, such as one that speaks TLS. `socket` finds
/// the socket in a connection: a reset is one of that, whatever is spoken on top.
///
/// # Errors
///
/// If `listener` is bound to anything but a loopback address.
pub async fn serve_through<L>(
    listener: L,
    socket: fn(&L::Io) -> &TcpStream,
    remote: Shared,
) -> io::Result<()>
where
    L: Listener<Addr = SocketAddr>,
{
    loopback_only(listener.local_addr()?)?;
    let handler = move |ConnectInfo(wound): ConnectInfo<FaultInjector>, request: Request| {
        let remote = Arc::clone(&remote);
        async move { handle(&remote, &wound, request).await }
    };
    let service = handler.into_make_service_with_connect_info::<FaultInjector>();
    axum::serve(FaultyConnection::new(listener, socket), service)
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
    wound: &FaultInjector,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return response(Reply::page(413));
    };
    if let Some(door) = head.uri.path().strip_prefix("/_sim/") {
        return open_door(&mut lock(remote), &head.method, door, &body);
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
    deliver(answer, wound).await
}

async fn deliver(answer: ApiAnswer, wound: &FaultInjector) -> Response {
    let delay = if answer.what == ResponseBody::Hang {
        HUNG
    } else {
        answer.delay
    };
    if !delay.is_zero() {
        sleep(delay).await;
    }
    match answer.what {
        ResponseBody::Reply(reply) => response(reply),
        ResponseBody::Cut(reply) => {
            wound.cut(reply.body.len() / 2 + 1);
            response(reply)
        }
        ResponseBody::Reset | ResponseBody::Hang | ResponseBody::Down => {
            wound.sever();
            Response::default()
        }
    }
}

fn open_door(
    remote: &mut SimulatedRemote,
    method: &HttpMethod,
    door: &str,
    body: &[u8],
) -> Response {
    match (method, door) {
        (&HttpMethod::GET, "stats") => match serde_json::to_vec_pretty(&remote.stats()) {
            Ok(stats) => told(StatusCode::OK, stats),
            Err(error) => told(StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into()),
        },
        (&HttpMethod::POST, "kill_token") => {
            remote.kill_token();
            told(StatusCode::OK, b"{}".to_vec())
        }
        (&HttpMethod::POST, "faults") => match String::from_utf8_lossy(body).parse() {
            Ok(faults) => {
                remote.set_faults(faults);
                told(StatusCode::OK, b"{}".to_vec())
            }
            Err(error) => told(StatusCode::BAD_REQUEST, error.into()),
        },
        _ => told(StatusCode::NOT_FOUND, b"no such door".to_vec()),
    }
}

fn told(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

/// Headers as seen on real replies (fact sheet §8), but for the server's name.
fn response(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("idferry-sim"));
    if reply.status != 200 {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        return response;
    }
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert("error-code", HeaderValue::from(reply.errcode));
    if let Ok(errmsg) = HeaderValue::from_str(reply.errmsg.trim_end()) {
        headers.insert("error-msg", errmsg);
    }
    response
}

/// A remote served on a thread of its own, until this is dropped.
pub struct Simulator {
    remote: Shared,
    address: SocketAddr,
    corp_id: String,
    corp_secret: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Simulator {
    /// Begins to serve on `address`; port 0 takes a free one.
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

    /// The corpid that it accepts.
    #[must_use]
    pub fn corp_id(&self) -> &str {
        &self.corp_id
    }

    /// The corpsecret that it accepts.
    #[must_use]
    pub fn corp_secret(&self) -> &str {
        &self.corp_secret
    }

    /// What it saw so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        lock(&self.remote).stats()
    }

    /// Looks at the remote, or steers it.
    pub fn with<T>(&self, look: impl FnOnce(&mut SimulatedRemote) -> T) -> T {
        look(&mut lock(&self.remote))
    }

    /// Serves until the process is ended or serving fails.
    ///
    /// # Errors
    ///
    /// What serving failed with.
    pub fn wait(mut self) -> io::Result<()> {
        self.join(None)
    }

    fn join(&mut self, stop: Option<oneshot::Sender<()>>) -> io::Result<()> {
        if let Some(stop) = stop {
            // Nobody listens if the thread has ended by itself.
            let _ = stop.send(());
        }
        let joined = self.thread.take().map_or(Ok(Ok(())), JoinHandle::join);
        joined.unwrap_or_else(|_| Err(io::Error::other("the simulator's thread panicked")))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let stop = self.stop.take();
        // Whether serving ended well no longer matters to anybody.
        let _ = self.join(stop);
    }
}

fn run(
    listener: std::net::TcpListener,
    remote: Shared,
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
