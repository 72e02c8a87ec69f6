//! Everything idferry is measured against, side by side in one sitting.
//!
//! ```sh
//! cargo bench --bench compare                       # 1,000,000 rows, a quarter of an hour
//! ROWS=10000000 cargo bench --bench compare         # the long one, 8 GB of disk
//! ONLY=import,export ROUNDS=5 cargo bench --bench compare
//! ONLY=huge cargo bench --bench compare             # 100,000,000 rows, 30 GB of disk
//! BENCH_PIP=1 cargo bench --bench compare           # installs aiohttp and uvloop for the peer
//! ```
//!
//! The inputs are made in a temporary folder (`BENCH_DIR`), the server is `idferry simulate` on
//! loopback, contenders take turns (A B A B …) and the result is a Markdown table of medians and
//! ratios. `measure.py` conducts, as Python can wait for a process and be told its CPU time and
//! peak memory, and each section of the table has a file beside it. This program is only what
//! needs Rust: the generator of inputs, the bare client loop that a run is compared with, and the
//! simulator over TLS.
//!
//! Needs python3; wrk, curl, GNU parallel, sqlite3 and openssl are left out with a note where
//! missing.

#![allow(clippy::print_stdout, reason = "a bench talks to its caller")]

mod bare;
mod rows;
mod tls;

use std::{env, error::Error, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["rows", rows, twice, path] => rows::write_first(rows.parse()?, twice.parse()?, path),
        ["part", first, rows, twice, path] => {
            rows::write_part(first.parse()?, rows.parse()?, twice.parse()?, path)
        }
        ["nightly", rows, twice, lines, path] => {
            rows::write_nightly(rows.parse()?, twice.parse()?, lines.parse()?, path)
        }
        ["bare", csv, url, corp, secret, rows, width] => {
            bare::run(csv, url, (corp, secret), rows.parse()?, width.parse()?)
        }
        ["tls-serve", certificate, key] => tls::serve(certificate, key),
        // Whatever else cargo passes on (--bench, a filter) changes nothing.
        _ => conduct(),
    }
}

fn conduct() -> Result<(), Box<dyn Error>> {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/measure.py");
    let status = Command::new("python3")
        .arg(here)
        .env("IDFERRY", env!("CARGO_BIN_EXE_idferry"))
        .env("COMPARE", env::current_exe()?)
        // Its modules would leave their compiled selves in the source tree.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| format!("measure.py: {status}").into())
}
