//! Connections that a handler can break.
//!
//! A handler must give hyper a response, but a stream may fail to write it. So every connection
//! shares a number with its handler, and its next write obeys it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The next write is whole.
const NO_FAULT: usize = usize::MAX;
/// The next write sends nothing and resets the connection.
const RESET: usize = usize::MAX - 1;

/// How many bytes the next write of a connection leaves out, or one of the numbers above.
#[derive(Clone)]
pub(super) struct FaultInjector(Arc<AtomicUsize>);

impl FaultInjector {
    /// The next write sends nothing and resets the connection.
    pub(super) fn reset(&self) {
        self.0.store(RESET, Relaxed);
    }

    /// The next write leaves out its last `bytes` bytes; then the connection ends.
    pub(super) fn cut(&self, bytes: usize) {
        self.0.store(bytes, Relaxed);
    }
}

impl<L: Listener<Addr = SocketAddr>> Connected<IncomingStream<'_, FaultyListener<L>>>
    for FaultInjector
{
    fn connect_info(stream: IncomingStream<'_, FaultyListener<L>>) -> Self {
        stream.io().injector.clone()
    }
}

/// Accepts connections that can be broken; `socket` returns the socket of one.
pub(super) struct FaultyListener<L: Listener> {
    listener: L,
    socket: fn(&L::Io) -> &TcpStream,
}

impl<L: Listener> FaultyListener<L> {
    pub(super) const fn new(listener: L, socket: fn(&L::Io) -> &TcpStream) -> Self {
        Self { listener, socket }
    }
}

impl<L: Listener<Addr = SocketAddr>> Listener for FaultyListener<L> {
    type Io = FaultyStream<L::Io>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = self.listener.accept().await;
        let socket = self.socket;
        // Without it small replies wait for the client's acknowledgement; where it cannot be had
        // they are only slower.
        let _ = socket(&stream).set_nodelay(true);
        let injector = FaultInjector(Arc::new(AtomicUsize::new(NO_FAULT)));
        let stream = FaultyStream {
            stream,
            socket,
            injector,
        };
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// One connection. Writes are not vectored, so that head and body of a small reply are one write.
pub(super) struct FaultyStream<S> {
    stream: S,
    socket: fn(&S) -> &TcpStream,
    injector: FaultInjector,
}

impl<S: AsyncRead + Unpin> AsyncRead for FaultyStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FaultyStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let keep = match self.injector.0.load(Relaxed) {
            NO_FAULT => return Pin::new(&mut self.stream).poll_write(cx, buf),
            RESET => {
                // A reset in place of an orderly end; if the system refuses that, an orderly end.
                let _ = (self.socket)(&self.stream).set_zero_linger();
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            left_out => buf.len().saturating_sub(left_out),
        };
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, &buf[..keep]))?;
        if written == keep {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
