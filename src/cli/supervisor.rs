//! systemd's notification socket: that the run is ready, what it does or waits for, that it drains.

use std::{
    os::unix::net::{SocketAddr, UnixDatagram},
    time::Duration,
};

use crate::{
    clock::Timestamp,
    format::count,
    report::phrases,
    runner::event::{RunEvent, Snapshot},
};

/// The status is renewed so often while nothing holds.
const EVERY: Duration = Duration::from_secs(5);

/// How much longer a stop may take than systemd allows by itself: calls in flight time out after
/// half of it.
const DRAINING: &str = "STOPPING=1\nEXTEND_TIMEOUT_USEC=60000000";

/// The same for the results, which take a minute for ten million subjects.
const EXPORTING: &str = "STATUS=writing the results\nEXTEND_TIMEOUT_USEC=600000000";

/// The supervisor, if the process was started with `NOTIFY_SOCKET`.
pub(super) struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    said: String,
    at: Timestamp,
}

impl Supervisor {
    /// Says that the run is ready to the socket named `name`, if there is one.
    pub(super) fn at(name: Option<&str>) -> Self {
        let address = name.and_then(address);
        let socket = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        let supervisor = Self {
            socket,
            said: String::new(),
            at: Timestamp::default(),
        };
        supervisor.send("READY=1");
        supervisor
    }

    /// Tells what happens in the run.
    pub(super) fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Progress(snapshot) if self.socket.is_some() => self.status(snapshot),
            RunEvent::Draining { .. } => self.send(DRAINING),
            _ => {}
        }
    }

    /// Tells that the calls are over and the results are written.
    pub(super) fn exporting(&self) {
        self.send(EXPORTING);
    }

    fn status(&mut self, snapshot: &Snapshot) {
        let status = match &snapshot.hold {
            Some(hold) => phrases::waiting(hold, snapshot.at, ", "),
            None if snapshot.at.since(self.at) < EVERY => return,
            None => {
                let (answered, all) = (snapshot.tally.answered(), snapshot.tally.total());
                format!("answered {} of {}", count(answered), count(all))
            }
        };
        self.at = snapshot.at;
        if status != self.said {
            self.send(&format!("STATUS={status}"));
            self.said = status;
        }
    }

    /// A supervisor that does not listen is not waited for.
    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

/// A path, or after `@` a name in the abstract namespace of Linux.
fn address(name: &str) -> Option<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt;
        return SocketAddr::from_abstract_name(name.as_bytes()).ok();
    }
    SocketAddr::from_pathname(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Tally,
        runner::event::{HoldReason, QuotaWindow, Waiting},
    };

    #[test]
    fn systemd_is_told_why_a_run_waits_that_it_drains_and_exports() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        // What was not sent is an error here, not a wait.
        listener.set_nonblocking(true).unwrap();
        let heard = || {
            let mut buffer = [0; 200];
            let bytes = listener.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..bytes]).into_owned()
        };
        let mut supervisor = Supervisor::at(path.to_str());
        assert_eq!(heard(), "READY=1");
        let at = Timestamp::parse("2026-11-22T12:00+08:00").unwrap();
        supervisor.event(&RunEvent::Progress(Snapshot {
            pending_ids: None,
            at,
            tally: Tally::default(),
            left: 0,
            pass: None,
            calls: 0,
            in_flight: 0,
            concurrency: 4,
            windows: Vec::new(),
            hold: Some(Waiting {
                reason: HoldReason::Window(QuotaWindow::BusinessHour),
                until: Some(at.plus(Duration::from_secs(60))),
            }),
        }));
        let status = heard();
        assert!(
            status.starts_with("STATUS=waiting: business.hour is used up"),
            "{status}"
        );
        supervisor.event(&RunEvent::Draining { in_flight: 3 });
        assert!(heard().starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC="));
        supervisor.exporting();
        assert!(heard().ends_with("\nEXTEND_TIMEOUT_USEC=600000000"));
        Supervisor::at(None).event(&RunEvent::Draining { in_flight: 1 });
    }
}
