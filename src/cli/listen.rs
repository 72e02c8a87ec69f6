//! `--listen`: where the page of a run is served.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    str::FromStr,
};

use super::{console::say, values::or_file};
use crate::{
    config::RunSection,
    job::{DetailsReader, Error, JobFiles},
    report::listen::{EVERY, StatusPage},
};

#[derive(clap::Args)]
pub(super) struct ListenFlag {
    /// Serve a read-only status page there, /metrics (Prometheus), /status.json and /healthz: a port of
    /// the loopback address, or an address such as 0.0.0.0:9464 [default: off].
    #[arg(long, value_name = "ADDR")]
    listen: Option<ListenAddress>,
}

/// A port, or an address with one.
#[derive(Clone, Copy)]
struct ListenAddress(SocketAddr);

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let port = text.strip_prefix("localhost:").unwrap_or(text);
        let loopback = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let address = port.parse().map(loopback).or_else(|_| text.parse());
        address.map(Self).map_err(|_| {
            format!("'{text}' is not a port such as 9464 or an address such as 127.0.0.1:9464")
        })
    }
}

impl ListenFlag {
    /// Takes the address, before anything is done; `None` without one.
    pub(super) fn bind(&self, file: &RunSection) -> Result<Option<TcpListener>, Error> {
        let Some(ListenAddress(address)) = or_file(self.listen, file.listen.as_ref(), "listen")?
        else {
            return Ok(None);
        };
        let bound = TcpListener::bind(address).map_err(|why| {
            Error::usage(format!(
                "--listen {address}: {why}. Another run may serve its page there: name another port, \
                 or 0 for any that is free"
            ))
        });
        bound.map(Some)
    }
}

/// Serves the page of the run in this process, from its job file; says where, unless `quiet`.
pub(super) fn serve(
    listener: Option<TcpListener>,
    files: &JobFiles,
    quiet: bool,
) -> Result<Option<StatusPage>, Error> {
    let Some(listener) = listener else {
        return Ok(None);
    };
    let mut reader = DetailsReader::of(files.clone());
    let page = StatusPage::serve(listener, Box::new(move || reader.read()), EVERY)?;
    let address = page.address();
    if !quiet {
        say(&format!("status page: http://{address}/"));
        if !address.ip().is_loopback() {
            say(
                "whoever can reach that address can read the page; it names no follower and no secret",
            );
        }
    }
    Ok(Some(page))
}
