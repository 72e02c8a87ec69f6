//! The page of a run: read-only, served on a thread of its own, so that neither an import stops the
//! page nor a slow reader the run. The two meet in the job file alone, as with `idferry status`.
//!
//! | path | |
//! | --- | --- |
//! | `/` | the page, complete in itself |
//! | `/events` | server-sent events: the sections of the page, whenever they have changed |
//! | `/status.json` | the object of `idferry status --json` |
//! | `/metrics` | numbers for Prometheus |
//! | `/healthz` | `ok` as long as the job file can be read |

mod connections;
mod host;
mod metrics;

use std::{
    convert::Infallible,
    future::IntoFuture,
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    handler::HandlerWithoutStateExt,
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use futures_util::stream;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, timeout},
};

use self::connections::BoundedListener;
use super::html;
use crate::job::{Details, Error};

/// Where details come from.
pub type DetailsSource = Box<dyn FnMut() -> Result<Details, Error> + Send>;

/// How often the job file is looked at while somebody looks at the page.
pub const EVERY: Duration = Duration::from_secs(1);
/// A stream without news says so, or else a reader that has left would not be noticed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// How long the last news may take to be delivered when the run ends.
const LAST_NEWS: Duration = Duration::from_millis(500);
/// Reading takes at most this share of the time of a processor.
const SHARE: u32 = 20;

/// What a browser may do with the page: nothing but what is in it.
const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-B1kfiAW1C4fHIDGzSi9zIOntLpu7uwEsIYn2uqBBPls='; \
    script-src 'sha256-4e3EugZR7cCkiI/QXcRDOtW9AH3Ay2OY6Do8fOdlJo8='; \
    img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page, served until this is dropped.
pub struct StatusPage {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StatusPage {
    /// Serves what `source` tells, at most `every` so often, on a listener that is bound.
    ///
    /// # Errors
    ///
    /// If the thread cannot start.
    pub fn serve(
        listener: TcpListener,
        source: DetailsSource,
        every: Duration,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let site = Arc::new(Site {
            address,
            machine: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            readings: Mutex::new(Readings {
                source,
                every,
                latest: None,
            }),
            closing: watch::Sender::new(false),
        });
        let thread = std::thread::Builder::new().name("page".to_owned());
        let thread = thread.spawn(move || {
            if let Err(why) = run(listener, site, stopped) {
                tracing::warn!(%why, "the status page has ended");
            }
        })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for StatusPage {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone if the thread has ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(listener: TcpListener, site: Arc<Site>, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = BoundedListener::new(tokio::net::TcpListener::from_std(listener)?);
        let asked = Arc::clone(&site);
        let handler = move |request: Request| {
            let site = Arc::clone(&asked);
            async move { site.answer(&request) }
        };
        let served = axum::serve(listener, handler.into_make_service()).into_future();
        let ended = async {
            let _ = stopped.await;
            site.closing.send_replace(true);
            let _ = timeout(LAST_NEWS, site.closing.closed()).await;
        };
        tokio::select! {
            served = served => served,
            () = ended => Ok(()),
        }
    })
}

/// What all requests share.
struct Site {
    address: SocketAddr,
    machine: String,
    readings: Mutex<Readings>,
    /// True once the run has ended.
    closing: watch::Sender<bool>,
}

/// The job as it was read last.
struct Readings {
    source: DetailsSource,
    every: Duration,
    /// And when it is to be read again.
    latest: Option<(Arc<Reading>, Instant)>,
}

struct Reading {
    details: Result<Details, String>,
    sections: OnceLock<String>,
}

impl Reading {
    fn sections(&self) -> &str {
        self.sections
            .get_or_init(|| html::sections(self.details.as_ref().ok()))
    }

    fn page(&self) -> String {
        html::page(self.details.as_ref().ok(), self.sections())
    }
}

impl Site {
    /// The job, read just now or a moment ago.
    fn reading(&self, fresh: bool) -> Arc<Reading> {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        if let Some((latest, due)) = &readings.latest
            && !fresh
            && began < *due
        {
            return Arc::clone(latest);
        }
        let details = (readings.source)();
        let reading = Arc::new(Reading {
            details: details.map_err(|why| why.to_string()),
            sections: OnceLock::new(),
        });
        // Now, and not when it is sent: what it costs counts.
        reading.sections();
        let (now, cost) = (Instant::now(), began.elapsed());
        let due = now + readings.every.max(cost * SHARE);
        readings.latest = Some((Arc::clone(&reading), due));
        reading
    }

    fn answer(self: Arc<Self>, request: &Request) -> Response {
        let mut response = self.route(request);
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(
            "cross-origin-resource-policy",
            HeaderValue::from_static("same-origin"),
        );
        response
    }

    fn route(self: Arc<Self>, request: &Request) -> Response {
        if !self.is_own(request) {
            let why = "this page is asked for by its address, not under another name\n";
            return plain(StatusCode::MISDIRECTED_REQUEST, why.to_owned());
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let why = "this page can only be read\n".to_owned();
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, why);
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
            return response;
        }
        match request.uri().path() {
            "/" => typed("text/html; charset=utf-8", self.reading(false).page()),
            "/events" if request.method() == Method::HEAD => events(Body::empty()),
            "/events" => events(self.stream()),
            "/status.json" => self.details(|details| {
                let json = serde_json::to_string(&details.status).unwrap_or_default();
                typed("application/json", json + "\n")
            }),
            "/metrics" => {
                self.details(|details| typed(metrics::CONTENT_TYPE, metrics::text(details)))
            }
            "/healthz" => self.details(|_| plain(StatusCode::OK, "ok\n".to_owned())),
            _ => plain(StatusCode::NOT_FOUND, "there is no such page\n".to_owned()),
        }
    }

    /// Every name by which a request asks must be an own one.
    fn is_own(&self, request: &Request) -> bool {
        let own = |host: &str| host::is_own(host, self.address, &self.machine);
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let named = request.uri().authority();
        host.to_str().is_ok_and(own) && named.is_none_or(|named| own(named.as_str()))
    }

    fn details(&self, answer: impl FnOnce(&Details) -> Response) -> Response {
        match &self.reading(false).details {
            Ok(details) => answer(details),
            Err(why) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    }

    /// The sections, now and whenever they have changed. What a reader does not take in time is left
    /// out: the next event has it all.
    fn stream(self: Arc<Self>) -> Body {
        let closing = self.closing.subscribe();
        let follower = Follower {
            site: self,
            closing,
            sent: None,
            is_over: false,
        };
        Body::from_stream(stream::unfold(follower, Follower::next))
    }
}

/// Somebody who looks at the page.
struct Follower {
    site: Arc<Site>,
    closing: watch::Receiver<bool>,
    sent: Option<Arc<Reading>>,
    is_over: bool,
}

impl Follower {
    async fn next(mut self) -> Option<(Result<String, Infallible>, Self)> {
        if self.is_over {
            return None;
        }
        let Some(sent) = self.sent.take() else {
            let reading = self.site.reading(false);
            let event = format!("retry: 2000\n{}", data(&reading));
            self.sent = Some(reading);
            return Some((Ok(event), self));
        };
        let every = self.site.every();
        let quiet_until = Instant::now() + SIGN_OF_LIFE;
        while Instant::now() < quiet_until {
            tokio::select! {
                _ = self.closing.wait_for(|closing| *closing) => self.is_over = true,
                () = sleep(every) => {}
            }
            let reading = self.site.reading(self.is_over);
            let has_news = !Arc::ptr_eq(&reading, &sent) && reading.sections() != sent.sections();
            if has_news || self.is_over {
                let event = data(&reading);
                self.sent = Some(reading);
                return Some((Ok(event), self));
            }
        }
        self.sent = Some(sent);
        Some((Ok(":\n\n".to_owned()), self))
    }
}

impl Site {
    fn every(&self) -> Duration {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.every
    }
}

fn data(reading: &Reading) -> String {
    // Markup has no line breaks of its own.
    format!("data: {}\n\n", reading.sections())
}

fn events(body: Body) -> Response {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn typed(kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn plain(status: StatusCode, text: String) -> Response {
    let mut response = typed("text/plain; charset=utf-8", text);
    *response.status_mut() = status;
    response
}
