//! Measures idferry against its peers: `cargo bench --bench compare`.
//!
//! `compare.py` runs the contenders in turns, as Python can wait for a process and read its CPU
//! time and peak memory; README.md shows how to call it and what it measured. This program is what
//! needs Rust: the generator of inputs, the client of idferry in a bare loop, and the simulator
//! over TLS.

#![allow(clippy::print_stdout, reason = "compare.py reads the output")]

mod bare;

use std::{
    env,
    error::Error,
    fs::File,
    io::{self, BufWriter, Write},
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex},
};

use axum::serve::Listener;
use fastrand::Rng;
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

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["rows", first, count, repeated, path] => {
            write_rows(first.parse()?, count.parse()?, repeated.parse()?, path)
        }
        ["bare", csv, url, corp, secret, rows, width] => {
            let seconds = bare::run(csv, url, (corp, secret), rows.parse()?, width.parse()?)?;
            println!("{seconds}");
            Ok(())
        }
        ["tls-serve", certificate, key] => serve_tls(certificate, key),
        // Cargo passes --bench, and a filter if there is one.
        _ => compare(),
    }
}

fn compare() -> Result<()> {
    let status = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare.py"))
        .env("IDFERRY", env!("CARGO_BIN_EXE_idferry"))
        .env("COMPARE", env::current_exe()?)
        .status()?;
    let failed = || format!("compare.py: {status}").into();
    status.success().then_some(()).ok_or_else(failed)
}

/// Writes the rows from `first` on; `repeated` of a thousand repeat an earlier row.
fn write_rows(first: u64, count: u64, repeated: u64, path: &str) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(b"unionid,openid\n")?;
    for row in first..first + count {
        let mut rng = Rng::with_seed(!row.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let repeats = row > 0 && rng.u64(..1000) < repeated;
        let subject = if repeats { rng.u64(..row) } else { row };
        file.write_all(&row_of(subject))?;
    }
    Ok(file.flush()?)
}

/// Two ids as WeChat makes them, 'o' and 27 characters each: a function of the number alone.
fn row_of(subject: u64) -> [u8; 58] {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut rng = Rng::with_seed(subject.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut row = [b'o'; 58];
    for range in [1..28, 30..57] {
        row[range].fill_with(|| LETTERS[rng.usize(..LETTERS.len())]);
    }
    (row[28], row[57]) = (b',', b'\n');
    row
}

/// Serves until killed and prints the same line as `idferry simulate`, which has no TLS because
/// it serves loopback only. On one thread, as that does.
fn serve_tls(certificate: &str, key: &str) -> Result<()> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain =
        CertificateDer::pem_file_iter(certificate)?.collect::<std::result::Result<_, _>>()?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    let acceptor = Arc::new(config).into();
    // `--faults none --limits none --latency 0s --concurrent 0`.
    let options = SimOptions {
        limits: Limits::none(),
        latency: Latency::NONE,
        ..SimOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let remote = SimulatedRemote::new(Clock::system(), options);
        let tcp = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let (address, corp, secret) = (tcp.local_addr()?, remote.corp_id(), remote.corp_secret());
        println!("https://{address} WECOM_CORP_ID={corp} WECOM_CORP_SECRET={secret}");
        let listener = TlsListener { tcp, acceptor };
        let remote = Arc::new(Mutex::new(remote));
        Ok(server::serve_through(listener, |stream| stream.get_ref().0, remote).await?)
    })
}

/// One handshake after the other: all connections of a turn are opened at its start.
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (socket, address) = Listener::accept(&mut self.tcp).await;
            // A client may leave during the handshake.
            if let Ok(stream) = self.acceptor.accept(socket).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
