//! The simulator over TLS, for measuring only: `idferry simulate` speaks plain HTTP, as it serves
//! nobody but this machine.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use axum::serve::Listener;
use futures_util::{StreamExt, stream::FuturesUnordered};
use idferry::{
    clock::Clock,
    model::Limits,
    sim::{Latency, SimOptions, SimulatedRemote, server},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Serves until killed; prints the same line as `idferry simulate`. On one thread, as that does.
pub(crate) fn serve(certificate: &str, key: &str) -> Result<(), Box<dyn Error>> {
    let acceptor = acceptor(certificate, key)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let remote = SimulatedRemote::new(Clock::system(), options());
            let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            println!(
                "https://{} WECOM_CORP_ID={} WECOM_CORP_SECRET={}",
                listener.local_addr()?,
                remote.corp_id(),
                remote.corp_secret()
            );
            let remote = Arc::new(Mutex::new(remote));
            let shaking = FuturesUnordered::new();
            let listener = Tls {
                listener,
                acceptor,
                shaking,
            };
            Ok(server::serve_through(listener, |stream| stream.get_ref().0, remote).await?)
        })
}

/// `--faults none --limits none --latency 0s --concurrent 0`: what the plain one is given.
fn options() -> SimOptions {
    SimOptions {
        limits: Limits::none(),
        latency: Latency::NONE,
        ..SimOptions::default()
    }
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, Box<dyn Error>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    Ok(Arc::new(config).into())
}

type Shaking = Pin<Box<dyn Future<Output = (io::Result<TlsStream<TcpStream>>, SocketAddr)> + Send>>;

/// Hands a connection on once hands are shaken, with many at a time.
struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    shaking: FuturesUnordered<Shaking>,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (socket, address) = Listener::accept(&mut self.listener) => {
                    let shake = self.acceptor.accept(socket);
                    self.shaking.push(Box::pin(async move { (shake.await, address) }));
                }
                Some((shaken, address)) = self.shaking.next() => {
                    // A client that left in the middle is not missed.
                    if let Ok(stream) = shaken {
                        return (stream, address);
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
