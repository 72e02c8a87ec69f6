//! HTTPS through reqwest.

use std::{
    cell::RefCell,
    error::Error,
    io,
    net::{Ipv4Addr, Ipv6Addr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Client, ClientBuilder, Url,
    header::{CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER},
};

use super::{BaseUrl, Failure, Method, NoConnection, Request, Response, Sending, Transport};
use crate::{clock::Timestamp, secret::Secret, wecom::query};

/// The longest body that is read, in bytes. A reply with one link has about 150; nothing states
/// how many links there can be (D95818).
pub const LONGEST_BODY: usize = 1024 * 1024;

/// How long an idle connection is kept: shorter than servers commonly do, so that no request is
/// sent on a connection that the server is just closing.
const IDLE: Duration = Duration::from_secs(30);

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, name lookup and TLS included; 5 s by default.
    pub connect: Duration,
    /// From sending to the last byte of the reply; 30 s by default.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(30),
        }
    }
}

/// TLS could not be set up, for instance because the system has no root certificates.
#[derive(Debug, thiserror::Error)]
#[error("HTTPS could not be set up: {reason}")]
pub struct NoHttp {
    reason: String,
}

/// A pool of connections to one base address. Every request is sent once: no redirect is
/// followed and nothing that may have reached the remote is repeated, since each costs quota.
#[derive(Clone)]
pub struct HttpTransport {
    client: Client,
    base: BaseUrl,
    total: Duration,
    last: Rc<RefCell<Option<Address>>>,
}

/// The URL of the last call, and what it was made of.
struct Address {
    path: &'static str,
    query: Vec<(&'static str, Arc<Secret<String>>)>,
    url: Url,
}

impl Address {
    /// Whether it is the address of `request`. Secrets are compared by pointer, which is safe because
    /// those kept here are not freed.
    fn is_of(&self, request: &Request) -> bool {
        let mut parts = self.query.iter().zip(&request.query);
        self.path == request.path
            && self.query.len() == request.query.len()
            && parts.all(|((name, value), part)| *name == part.0 && Arc::ptr_eq(value, &part.1))
    }
}

impl HttpTransport {
    /// Returns a transport to `base`. Proxies are taken from the environment, but never for a
    /// loopback address.
    ///
    /// # Errors
    ///
    /// If the system's root certificates cannot be read; never for plain http.
    pub fn new(base: BaseUrl, timeouts: Timeouts) -> Result<Self, NoHttp> {
        // An error only says that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = build(&base, timeouts).map_err(|error| NoHttp {
            reason: cause(&error.without_url()),
        })?;
        Ok(Self::over(client, base, timeouts))
    }

    fn over(client: Client, base: BaseUrl, timeouts: Timeouts) -> Self {
        Self {
            client,
            base,
            total: timeouts.total,
            last: Rc::default(),
        }
    }

    /// The address that it sends to.
    #[must_use]
    pub const fn base_url(&self) -> &BaseUrl {
        &self.base
    }

    /// Returns the URL of `request`. That of the last call is kept: the same token makes the same
    /// URL, and to encode and parse it again takes a tenth of the time of a call.
    fn address(&self, request: &Request) -> Url {
        let mut last = self.last.borrow_mut();
        if let Some(last) = last.as_ref().filter(|last| last.is_of(request)) {
            return last.url.clone();
        }
        let mut query = String::with_capacity(600);
        for (name, value) in &request.query {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            query::push_encoded(&mut query, value.expose());
        }
        let url = self.base.join(request.path, &query);
        // The corp secret travels in a GET; its URL is not kept.
        *last = (request.method == Method::Post).then(|| Address {
            path: request.path,
            query: request.query.clone(),
            url: url.clone(),
        });
        url
    }

    fn prepare(&self, request: Request) -> reqwest::Request {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut prepared = reqwest::Request::new(method, self.address(&request));
        if request.method == Method::Post {
            let json = HeaderValue::from_static("application/json");
            prepared.headers_mut().insert(CONTENT_TYPE, json);
            *prepared.body_mut() = Some(request.body.into());
        }
        prepared
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> Sending<'static> {
        let (client, total, path) = (self.client.clone(), self.total, request.path);
        let prepared = self.prepare(request);
        Box::pin(async move {
            let reply = client.execute(prepared).await;
            let reply = reply.map_err(|error| failure(error, path, total))?;
            read(reply, path, total).await
        })
    }
}

fn build(base: &BaseUrl, timeouts: Timeouts) -> reqwest::Result<Client> {
    builder(base, timeouts).build()
}

fn builder(base: &BaseUrl, timeouts: Timeouts) -> ClientBuilder {
    let mut builder = Client::builder()
        .user_agent(concat!("idferry/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(15))
        // Idle connections are bounded by the calls in flight, so the pool itself is not.
        .pool_max_idle_per_host(usize::MAX)
        .pool_idle_timeout(IDLE)
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false);
    if base.is_loopback() {
        // Whatever a name server says, the token must not leave this machine.
        let home = [
            (Ipv4Addr::LOCALHOST, 0).into(),
            (Ipv6Addr::LOCALHOST, 0).into(),
        ];
        builder = builder.no_proxy().resolve_to_addrs("localhost", &home);
    }
    if base.is_plain() {
        // The certificates of the system are not needed, and a bare container has none.
        builder = builder.tls_certs_only([]);
    }
    builder
}

/// Reads the body, up to [`LONGEST_BODY`]. Beside a status other than 200 it may be missing.
async fn read(
    mut reply: reqwest::Response,
    path: &'static str,
    total: Duration,
) -> Result<Response, Failure> {
    let (status, retry_after) = (reply.status().as_u16(), retry_after(&reply));
    let date = date(&reply);
    let body = match body(&mut reply, path, total).await {
        Ok(body) => body,
        Err(failure) if status == 200 => return Err(failure),
        Err(_) => Vec::new(),
    };
    Ok(Response {
        status,
        retry_after,
        date,
        body,
    })
}

/// Returns the seconds of a `Retry-After`. Its other form, a date, needs the server's clock; a
/// reply that carries one is treated as if it had none.
fn retry_after(reply: &reqwest::Response) -> Option<Duration> {
    let text = reply.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn date(reply: &reqwest::Response) -> Option<Timestamp> {
    let text = reply.headers().get(DATE)?.to_str().ok()?;
    Timestamp::parse_http_date(text)
}

async fn body(
    reply: &mut reqwest::Response,
    path: &'static str,
    total: Duration,
) -> Result<Vec<u8>, Failure> {
    let announced = reply.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > LONGEST_BODY {
        return Err(Failure::Body);
    }
    let mut body = Vec::with_capacity(announced);
    loop {
        match reply.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LONGEST_BODY => {
                return Err(Failure::Body);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(failure(error, path, total)),
        }
    }
}

/// Classifies an error of reqwest. A connection that was not made in time is no time-out of the call:
/// nothing was sent on it.
fn failure(error: reqwest::Error, path: &'static str, total: Duration) -> Failure {
    let error = error.without_url();
    let failure = if error.is_connect() || error.is_builder() {
        Failure::Connect(no_connection(&error))
    } else if error.is_timeout() {
        Failure::Timeout(total)
    } else {
        Failure::Reset
    };
    tracing::debug!(path, %failure, cause = cause(&error), "no reply");
    failure
}

/// Returns why no connection was made, from the errors beneath: by their types, else by their first
/// words.
fn no_connection(error: &reqwest::Error) -> NoConnection {
    let why = causes(error).find_map(|cause| {
        if let Some(tls) = as_tls(cause) {
            return Some(match tls {
                rustls::Error::InvalidCertificate(_) => NoConnection::Certificate,
                _ => NoConnection::Tls,
            });
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return match io.kind() {
                io::ErrorKind::ConnectionRefused => Some(NoConnection::Refused),
                io::ErrorKind::TimedOut => Some(NoConnection::Slow),
                _ => None,
            };
        }
        let words = cause.to_string();
        if words.starts_with("dns error") {
            Some(NoConnection::Dns)
        } else if words.starts_with("tunnel error: proxy auth")
            || words == "tunnel error: unsuccessful"
        {
            Some(NoConnection::Proxy)
        } else {
            None
        }
    });
    let slow = || error.is_timeout().then_some(NoConnection::Slow);
    why.or_else(slow).unwrap_or(NoConnection::Other)
}

/// Returns the TLS error in `cause`: rustls wraps it in I/O errors, and `source` does not return
/// what those contain.
fn as_tls<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    match cause.downcast_ref::<io::Error>() {
        Some(io) => as_tls(io.get_ref()?),
        None => cause.downcast_ref(),
    }
}

/// Returns the errors beneath, from the top, without reqwest's own: their text may contain the URL,
/// and with it the token.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source())
        .filter(|error| !error.is::<reqwest::Error>())
}

/// Returns the text of the innermost error.
fn cause(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map_or_else(|| String::from("unknown"), ToString::to_string)
}

#[cfg(test)]
mod tests;
