//! Ctrl-C, SIGTERM and SIGHUP, from the first moment of a run to its last, on a thread of their own: an
//! import or an export keeps the main one busy.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    console::{final_message, say},
    log_file,
};
use crate::{
    job::{Error, Exit},
    report::phrases::RESUME,
    runner::Stop,
};

/// Some senders signal a process and then its whole group: signals this close are one.
const DEBOUNCE: Duration = Duration::from_millis(500);

/// An import that waits for a line, of a pipe, ends after this.
const IMPORT_ENDS: Duration = Duration::from_secs(2);

/// What a signal does. With no call in flight it exits immediately, which loses nothing: an input
/// is imported whole or not at all, and a file appears under its name only when complete. An import
/// is asked to stop first, so that the run can record its end. With calls in flight the first signal
/// asks the run to stop and the next one exits.
#[derive(Clone, Default)]
pub(super) struct Signals {
    stop: Stop,
    in_flight: Arc<AtomicBool>,
    importing: Arc<AtomicBool>,
}

impl Signals {
    /// Obeys signals from now on.
    pub(super) fn listen() -> Result<Self, Error> {
        let signals = Self::default();
        let (ready, installed) = channel();
        let handler = signals.clone();
        let thread = std::thread::Builder::new().name("signals".to_owned());
        let started = thread
            .spawn(move || {
                let Err(why) = handler.serve(&ready);
                let _ = ready.send(Err(why));
            })
            .and_then(|_| installed.recv().map_err(io::Error::other)?);
        started
            .map_err(|why| Error::internal(format!("signals cannot be handled: {why}")))
            .map(|()| signals)
    }

    /// What the first signal asks to stop.
    pub(super) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Whether an input is being imported from here on.
    pub(super) fn set_importing(&self, importing: bool) {
        self.importing.store(importing, Relaxed);
    }

    /// From here on calls are in flight, for which a first signal waits.
    pub(super) fn calls_started(&self) {
        self.in_flight.store(true, Relaxed);
    }

    /// No call is in flight any more.
    pub(super) fn calls_finished(&self) {
        self.in_flight.store(false, Relaxed);
    }

    fn serve(&self, ready: &Sender<io::Result<()>>) -> io::Result<Infallible> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut signals = TerminationSignals {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hangup: match ignores_hangup() {
                    true => None,
                    false => Some(signal(SignalKind::hangup())?),
                },
            };
            let mut reopening = signal(SignalKind::user_defined2())?;
            tokio::spawn(async move {
                while reopening.recv().await.is_some() {
                    log_file::reopen();
                }
            });
            let _ = ready.send(Ok(()));
            self.obey(&mut signals).await
        })
    }

    async fn obey(&self, signals: &mut TerminationSignals) -> io::Result<Infallible> {
        signals.next().await;
        if self.importing.load(Relaxed) {
            self.stop.request();
            tokio::time::sleep(IMPORT_ENDS).await;
        }
        let is_busy = self.in_flight.load(Relaxed) && !self.importing.load(Relaxed);
        if !is_busy {
            say(&format!(
                "interrupted: everything committed is saved; {RESUME}"
            ));
            exit();
        }
        self.stop.request();
        say("stopping: no new calls; interrupt again to exit immediately");
        let over = tokio::time::sleep(DEBOUNCE);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = &mut over => break,
                () = signals.next() => {}
            }
        }
        signals.next().await;
        final_message(&format!(
            "exited immediately: everything committed is saved, calls in flight may be repeated; \
             {RESUME}"
        ));
        exit()
    }
}

fn exit() -> ! {
    std::process::exit(i32::from(Exit::Interrupted.code()))
}

/// Whether this process was started with SIGHUP ignored, as by `nohup`: then the end of a terminal
/// is not to end it. Told by Linux only.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 0 is signal 1.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

/// Any of the signals that end a process.
struct TerminationSignals {
    interrupt: Signal,
    terminate: Signal,
    /// The terminal is gone.
    hangup: Option<Signal>,
}

impl TerminationSignals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(()) = received(self.hangup.as_mut()) => {}
        }
    }
}

async fn received(signal: Option<&mut Signal>) -> Option<()> {
    signal?.recv().await
}
