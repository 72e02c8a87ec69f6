//! Which names this server answers to. A page of another site can make a browser ask 127.0.0.1 under
//! a name of its own (DNS rebinding); what it cannot do is to ask for it by number.

use std::net::{IpAddr, SocketAddr};

/// Whether a request for `host`, with or without a port, is meant for the server at `own`, which is
/// on the machine called `machine`.
pub(super) fn is_own(host: &str, own: SocketAddr, machine: &str) -> bool {
    let name = without_port(host);
    let number = name.trim_start_matches('[').trim_end_matches(']');
    let number: Option<IpAddr> = number.parse().ok();
    let is_loopback = own.ip().is_loopback();
    match number {
        Some(number) => !is_loopback || number.is_loopback(),
        None if name.eq_ignore_ascii_case("localhost") => true,
        None => !is_loopback && !machine.is_empty() && name.eq_ignore_ascii_case(machine),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_localhost_and_the_machines_name_are_answered() {
        let loopback = "127.0.0.1:9464".parse().unwrap();
        let open = "0.0.0.0:9464".parse().unwrap();
        let own = |host, own| is_own(host, own, "server1");
        for host in ["127.0.0.1:9464", "localhost", "LOCALHOST:1", "[::1]:9464"] {
            assert!(own(host, loopback) && own(host, open), "{host}");
        }
        for host in ["10.0.0.7:9464", "server1:9464", "[fe80::1]"] {
            assert!(!own(host, loopback) && own(host, open), "{host}");
        }
        for host in [
            "",
            "evil.example:9464",
            "127.0.0.1.evil.example",
            "localhost.",
        ] {
            assert!(!own(host, loopback) && !own(host, open), "{host}");
        }
    }
}
