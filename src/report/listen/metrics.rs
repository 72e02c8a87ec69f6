//! The numbers of a job for Prometheus. Labels are windows, states, reasons and errcodes, of which
//! there are few; no dealer and no person is one.

use std::{collections::BTreeMap, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{
    clock::Timestamp,
    job::{Details, status::Status},
    model::State,
};

/// The type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge>;
type Seconds = Family<Labels, Counter<f64, AtomicU64>>;

/// Returns the text.
pub(super) fn text(details: &Details) -> String {
    let mut registry = Registry::with_prefix("idferry");
    subjects(details, &mut registry);
    quota(&details.status, &mut registry);
    run(details, &mut registry);
    moments(&details.status, &mut registry);
    let mut text = String::new();
    let _ = encode(&mut text, &registry);
    text
}

fn subjects(details: &Details, registry: &mut Registry) {
    let status = &details.status;
    let (by_state, refused) = (Gauges::default(), Gauges::default());
    for state in State::ALL {
        let labels = vec![("state", state.to_string())];
        set(&by_state, labels, status.subjects.of(state));
    }
    for refusal in &details.refusals {
        let code = refusal
            .errcode
            .map_or_else(String::new, |code| code.to_string());
        let labels = vec![("state", refusal.state.to_string()), ("errcode", code)];
        set(&refused, labels, refusal.subjects);
    }
    registry.register("subjects", "Subjects by state", by_state);
    registry.register(
        "refused_subjects",
        "Rejected and parked subjects by errcode",
        refused,
    );
    let links = details.dealers.iter().map(|(_, links)| links).sum();
    single("links", "Links that stand", links, registry);
    let dealers = details.dealers.len() as u64;
    single("dealers", "Downstream corps with links", dealers, registry);
    let again = status.asked_again;
    single(
        "asked_again",
        "Answers to be asked for again",
        again,
        registry,
    );
}

fn quota(status: &Status, registry: &mut Registry) {
    let (used, limits) = (Gauges::default(), Gauges::default());
    for window in &status.windows {
        let labels = || vec![("window", window.window.to_string())];
        set(&used, labels(), window.used);
        set(&limits, labels(), window.limit);
    }
    registry.register("window_calls", "Calls charged in each window", used);
    registry.register("window_limit", "The most calls in each window", limits);
}

fn run(details: &Details, registry: &mut Registry) {
    let status = &details.status;
    let calls: Counter = Counter::default();
    calls.inc_by(status.run.as_ref().map_or(0, |run| run.calls));
    registry.register("calls", "Calls completed in this run", calls);
    single(
        "running",
        "Whether a run is at work or waits",
        status.running.into(),
        registry,
    );
    let waiting = Gauges::default();
    if let Some(wait) = &status.waiting {
        set(&waiting, vec![("reason", wait.code.clone())], 1);
    }
    registry.register("waiting", "Why the run waits just now", waiting);
    let mut waits: BTreeMap<&str, u64> = BTreeMap::new();
    for sample in details
        .samples
        .iter()
        .filter(|sample| !sample.hold.is_empty())
    {
        *waits.entry(&sample.hold).or_default() += sample.millis;
    }
    let waited = Seconds::default();
    for (reason, millis) in waits {
        let labels = vec![("reason", reason.to_owned())];
        let span = std::time::Duration::from_millis(millis);
        waited.get_or_create(&labels).inc_by(span.as_secs_f64());
    }
    registry.register(
        "waited_seconds",
        "How long the runs of this job waited",
        waited,
    );
}

/// Moments, in seconds since the epoch; left out where there is none.
fn moments(status: &Status, registry: &mut Registry) {
    let seen = status.run.as_ref().map(|run| run.seen_at);
    let wait = status.waiting.as_ref().and_then(|wait| wait.until);
    let lockout = status.block.as_ref().map(|lockout| lockout.until);
    for (name, help, at) in [
        ("seen", "When the run last wrote to the job file", seen),
        ("waiting_until", "When the wait ends", wait),
        (
            "locked_out_until",
            "When one probe may be sent (45009)",
            lockout,
        ),
        (
            "ticket_expires",
            "When the ticket expires",
            status.ticket_expires_at,
        ),
        ("finish", "When everything will be answered", status.eta),
    ] {
        if let Some(at) = at.filter(|at| *at < Timestamp::MAX) {
            let seconds = at.as_millis().div_euclid(1000).unsigned_abs();
            single(
                &format!("{name}_timestamp_seconds"),
                help,
                seconds,
                registry,
            );
        }
    }
}

fn set(gauges: &Gauges, labels: Labels, number: u64) {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    gauges.get_or_create(&labels).set(number);
}

fn single(name: &str, help: &str, number: u64, registry: &mut Registry) {
    let gauge: Gauge = Gauge::default();
    gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
    registry.register(name, help, gauge);
}
