//! Ctrl-C and SIGTERM, heard from the first moment of a run to its last, on a thread of their own:
//! an import and an export keep the main one busy.

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
    Exit, Failure,
    say::{say, say_at_last},
};
use crate::runner::Stop;

/// Some senders signal a process and then its whole group: that is one wish, not two.
const ONE_WISH: Duration = Duration::from_millis(500);

/// What a signal does. Nothing in the air, it ends the process at once, which loses nothing: a
/// source is taken in whole or not at all, and a file appears under its name only when complete.
/// While calls are in the air the first one asks to stop and the next one leaves.
#[derive(Clone, Default)]
pub(super) struct Signals {
    stop: Stop,
    in_the_air: Arc<AtomicBool>,
}

impl Signals {
    /// Hears them from now on.
    pub(super) fn listen() -> Result<Self, Failure> {
        let signals = Self::default();
        let (ready, installed) = channel();
        let heard = signals.clone();
        let thread = std::thread::Builder::new().name("signals".to_owned());
        let started = thread
            .spawn(move || {
                let Err(why) = heard.serve(&ready);
                let _ = ready.send(Err(why));
            })
            .and_then(|_| installed.recv().map_err(io::Error::other)?);
        started
            .map_err(|why| Failure::internal(format!("signals cannot be heard: {why}")))
            .map(|()| signals)
    }

    /// What the run stops at.
    pub(super) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Calls leave from here: what is in the air is awaited.
    pub(super) fn drain(&self) {
        self.in_the_air.store(true, Relaxed);
    }

    /// Nothing is in the air any more.
    pub(super) fn leave_at_once(&self) {
        self.in_the_air.store(false, Relaxed);
    }

    fn serve(&self, ready: &Sender<io::Result<()>>) -> io::Result<Infallible> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut wish = Wish {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            };
            let _ = ready.send(Ok(()));
            self.hear(&mut wish).await
        })
    }

    async fn hear(&self, wish: &mut Wish) -> io::Result<Infallible> {
        wish.heard().await;
        if !self.in_the_air.load(Relaxed) {
            say("interrupted: everything committed is saved; the same command goes on");
            leave();
        }
        self.stop.request();
        say("stopping: no new calls; once more to leave at once");
        let over = tokio::time::sleep(ONE_WISH);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = &mut over => break,
                () = wish.heard() => {}
            }
        }
        wish.heard().await;
        say_at_last(
            "left at once: everything committed is saved, calls in the air may be asked again; the \
             same command goes on",
        );
        leave()
    }
}

fn leave() -> ! {
    std::process::exit(i32::from(Exit::Interrupted.code()))
}

/// Either signal.
struct Wish {
    interrupt: Signal,
    terminate: Signal,
}

impl Wish {
    async fn heard(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
