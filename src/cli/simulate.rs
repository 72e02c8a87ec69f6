//! `idferry simulate`: the simulated API, for any WeCom client that takes a base URL.

use std::{io::Write, net::SocketAddr, time::Duration};

use super::values::duration;
use crate::{
    job::{Error, Exit},
    model::{Limits, WindowKind},
    sim::{self, Faults, Latency, Simulator},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The loopback address to serve on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddr,
    /// Seed of its people, its random choices and its credentials.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How it misbehaves: none, mild, harsh, or KNOB=P,… (busy, concurrent, http5xx,
    /// reset_before, reset_after, hang, slow, cut, invalid, warning, token_killed, odd, page,
    /// redirect, http4xx, http429; burst, a share of the time).
    #[arg(long, default_value = "mild")]
    faults: Faults,
    /// The quota it enforces: published, none, or NAME=N,… (business.hour=500).
    #[arg(long, default_value = "published")]
    limits: Limits,
    /// How it counts windows: sliding or calendar.
    #[arg(long, default_value = "sliding")]
    window: WindowKind,
    /// How long it takes to answer, such as 20ms-80ms or 0s.
    #[arg(long, default_value = "20ms-80ms", value_parser = latency)]
    latency: Latency,
    /// Concurrent calls of one API before 45033; 0 for no limit.
    #[arg(long, default_value_t = 50, value_name = "N")]
    concurrent: u32,
    /// Lifetime of an access token.
    #[arg(long, default_value = "7200s", value_parser = duration)]
    token_life: Duration,
    /// Lookups a second by other systems of the same corp.
    #[arg(long, default_value_t = 0.0, value_name = "RATE")]
    others: f64,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let options = sim::SimOptions {
        seed: args.seed,
        limits: args.limits,
        window_kind: args.window,
        faults: args.faults,
        latency: args.latency,
        concurrent: (args.concurrent > 0).then_some(args.concurrent),
        token_life: args.token_life,
        other_traffic: args.others,
        ..sim::SimOptions::default()
    };
    let simulator = Simulator::start(args.addr, options)
        .map_err(|why| Error::usage(format!("cannot serve on {}: {why}", args.addr)))?;
    let line = format!(
        "{} WECOM_CORP_ID={} WECOM_CORP_SECRET={}",
        simulator.base_url(),
        simulator.corp_id(),
        simulator.corp_secret()
    );
    let mut out = std::io::stdout();
    // It serves even if nothing reads the line.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    let served = simulator.wait();
    served.map_err(|why| Error::internal(format!("serving failed: {why}")))?;
    Ok(Exit::Done)
}

pub(super) fn latency(word: &str) -> Result<Latency, String> {
    let (min, max) = word.split_once('-').unwrap_or((word, word));
    let (min, max) = (duration(min)?, duration(max)?);
    if min > max {
        return Err("the first must not be longer than the second".to_owned());
    }
    Ok(Latency { min, max })
}
