//! The faults of the remote, each with a likelihood from never to always.

use std::{fmt, str::FromStr};

use fastrand::Rng;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Fault {
    /// errcode -1, counted.
    Busy,
    /// errcode 45033 though few calls are in flight, counted like any refused call.
    Concurrent,
    /// HTTP 500, 502, 503 or 504 with a page of HTML, counted.
    Http5xx,
    /// The connection breaks before the call is counted.
    ResetBefore,
    /// The connection breaks after the call was counted and done.
    ResetAfter,
    /// Counted, and never answered.
    Hang,
    /// Answered after twenty times the usual time.
    Slow,
    /// Half of the body, then the end of the connection.
    Cut,
    /// A whole body that is not JSON.
    Invalid,
    /// errcode 0 and "ok. Warning: wrong json format. " (D90455), which a client must take for a
    /// bug of its own. In no preset.
    Warning,
    /// The token ends early: 40014 until another is fetched.
    TokenKilled,
    /// The right reply in an odd dress, such as a byte order mark; a client must read it.
    Odd,
    /// A page of HTML with status 200, counted.
    Page,
    /// HTTP 302 to a page to log in at, counted.
    Redirect,
    /// HTTP 400, 401, 403 or 404 with JSON, counted: what no waiting mends.
    Http4xx,
    /// HTTP 429, counted.
    Http429,
}

impl Fault {
    /// How many there are.
    pub const COUNT: usize = 16;

    /// All of them, each at its own index.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Busy,
        Self::Concurrent,
        Self::Http5xx,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::Hang,
        Self::Slow,
        Self::Cut,
        Self::Invalid,
        Self::Warning,
        Self::TokenKilled,
        Self::Odd,
        Self::Page,
        Self::Redirect,
        Self::Http4xx,
        Self::Http429,
    ];

    /// Its name in options and statistics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Concurrent => "concurrent",
            Self::Http5xx => "http5xx",
            Self::ResetBefore => "reset_before",
            Self::ResetAfter => "reset_after",
            Self::Hang => "hang",
            Self::Slow => "slow",
            Self::Cut => "cut",
            Self::Invalid => "invalid",
            Self::Warning => "warning",
            Self::TokenKilled => "token_killed",
            Self::Odd => "odd",
            Self::Page => "page",
            Self::Redirect => "redirect",
            Self::Http4xx => "http4xx",
            Self::Http429 => "http429",
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("no fault is called '{name}': {names}, {BURST}; or none, mild, harsh")
            })
    }
}

/// The name of the bursts in options.
const BURST: &str = "burst";

/// How likely each fault is, per call, and how much of the time bursts take up, in which every call
/// suffers the same. A call suffers at most one, so the sum of the likelihoods is at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    single: [f64; Fault::COUNT],
    burst: f64,
}

impl Faults {
    /// Returns no faults.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            single: [0.0; Fault::COUNT],
            burst: 0.0,
        }
    }

    /// Returns a little of every fault that a good client survives without losing a subject: about
    /// one call in 80.
    #[must_use]
    pub const fn mild() -> Self {
        Self::none()
            .with(Fault::Busy, 0.003)
            .with(Fault::Concurrent, 0.001)
            .with(Fault::Http5xx, 0.001)
            .with(Fault::ResetBefore, 0.001)
            .with(Fault::ResetAfter, 0.001)
            .with(Fault::Hang, 0.000_02)
            .with(Fault::Slow, 0.003)
            .with(Fault::Cut, 0.001)
            .with(Fault::Invalid, 0.001)
            .with(Fault::TokenKilled, 0.000_1)
    }

    /// Returns the faults of a bad day: about one call in five, and one minute in a hundred.
    #[must_use]
    pub const fn harsh() -> Self {
        Self::none()
            .with(Fault::Busy, 0.03)
            .with(Fault::Concurrent, 0.02)
            .with(Fault::Http5xx, 0.02)
            .with(Fault::ResetBefore, 0.01)
            .with(Fault::ResetAfter, 0.01)
            .with(Fault::Hang, 0.001)
            .with(Fault::Slow, 0.03)
            .with(Fault::Cut, 0.01)
            .with(Fault::Invalid, 0.01)
            .with(Fault::TokenKilled, 0.001)
            .with(Fault::Odd, 0.05)
            .with(Fault::Page, 0.005)
            .with(Fault::Redirect, 0.001)
            .with(Fault::Http4xx, 0.001)
            .with(Fault::Http429, 0.005)
            .bursting(0.01)
    }

    /// Returns how likely `fault` is, from 0 to 1.
    #[must_use]
    pub const fn of(&self, fault: Fault) -> f64 {
        self.single[fault as usize]
    }

    /// Returns the same faults with another likelihood of `fault`.
    #[must_use]
    pub const fn with(mut self, fault: Fault, likelihood: f64) -> Self {
        self.single[fault as usize] = likelihood;
        self
    }

    /// Returns the same faults with bursts that take up this share of the time, from 0 to 1: of
    /// -1, of 5xx, of resets, of silence, of pages of HTML, from three seconds to two hours.
    #[must_use]
    pub const fn bursting(mut self, share: f64) -> Self {
        self.burst = share;
        self
    }

    /// Returns the share of the time that bursts take up, from 0 to 1.
    #[must_use]
    pub const fn burst(&self) -> f64 {
        self.burst
    }

    /// Parses `busy=0.01,hang=0.001`: presets (`none`, `mild`, `harsh`) and changes to what is
    /// before them, starting from `none`.
    ///
    /// # Errors
    ///
    /// A sentence naming what was not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut faults = Self::none();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            faults = match part.split_once('=') {
                Some((name, share_of_time)) if name.trim() == BURST => {
                    faults.bursting(share(share_of_time.trim())?)
                }
                Some((name, likelihood)) => {
                    faults.with(Fault::named(name.trim())?, share(likelihood.trim())?)
                }
                None => preset(part)?,
            };
        }
        if faults.single.iter().sum::<f64>() > 1.0 + 1e-9 {
            return Err(format!("the faults in '{text}' add up to more than 1"));
        }
        Ok(faults)
    }

    /// Draws the fault of one call. Exactly one number is drawn per call, so that the same seed
    /// gives the same faults to the same order of arrivals.
    pub(super) fn draw(&self, rng: &mut Rng) -> Option<Fault> {
        let mut left = rng.f64();
        Fault::ALL.into_iter().find(|fault| {
            left -= self.of(*fault);
            left < 0.0
        })
    }
}

fn preset(name: &str) -> Result<Faults, String> {
    match name {
        "none" => Ok(Faults::none()),
        "mild" => Ok(Faults::mild()),
        "harsh" => Ok(Faults::harsh()),
        other => Fault::named(other).and_then(|_| {
            Err(format!(
                "'{other}' needs a likelihood, such as {other}=0.01"
            ))
        }),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("'{text}' is not a likelihood from 0 to 1")),
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for fault in Fault::ALL.into_iter().filter(|fault| self.of(*fault) > 0.0) {
            write!(f, "{comma}{}={}", fault.name(), self.of(fault))?;
            comma = ",";
        }
        if self.burst > 0.0 {
            write!(f, "{comma}{BURST}={}", self.burst)?;
            comma = ",";
        }
        if comma.is_empty() {
            f.write_str("none")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_read_what_they_print() {
        for faults in [Faults::none(), Faults::mild(), Faults::harsh()] {
            assert_eq!(Faults::parse(&faults.to_string()), Ok(faults));
        }
        let parsed = Faults::parse("mild, hang=0.5").unwrap();
        assert_eq!(parsed, Faults::mild().with(Fault::Hang, 0.5));
        let parsed = Faults::parse("none,burst=0.25").unwrap();
        assert_eq!(parsed, Faults::none().bursting(0.25));
    }

    #[test]
    fn error_about_a_fault_says_what_would_be_right() {
        assert!(
            Faults::parse("bussy=1")
                .unwrap_err()
                .contains("token_killed")
        );
        assert!(Faults::parse("busy").unwrap_err().contains("busy=0.01"));
        assert!(Faults::parse("busy=2").unwrap_err().contains("from 0 to 1"));
        assert!(
            Faults::parse("busy=0.6,cut=0.6")
                .unwrap_err()
                .contains("add up")
        );
    }

    #[test]
    fn faults_come_as_often_as_they_are_likely() {
        let mut rng = Rng::with_seed(7);
        let faults = Faults::parse("busy=0.1,cut=0.3").unwrap();
        let mut drawn = [0_u32; Fault::COUNT];
        for _ in 0..100_000 {
            if let Some(fault) = faults.draw(&mut rng) {
                drawn[fault as usize] += 1;
            }
        }
        assert!((9_500..10_500).contains(&drawn[Fault::Busy as usize]));
        assert!((29_500..30_500).contains(&drawn[Fault::Cut as usize]));
        assert_eq!(
            drawn.iter().sum::<u32>(),
            drawn[Fault::Busy as usize] + drawn[Fault::Cut as usize]
        );
    }

    #[test]
    fn always_is_always_and_never_is_never() {
        let mut rng = Rng::with_seed(7);
        let always = Faults::none().with(Fault::TokenKilled, 1.0);
        assert!((0..1000).all(|_| always.draw(&mut rng) == Some(Fault::TokenKilled)));
        assert!((0..1000).all(|_| Faults::none().draw(&mut rng).is_none()));
    }
}
