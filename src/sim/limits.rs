//! The five windows and what each of them allows.

use std::{fmt, str::FromStr, time::Duration};

/// One window of the frequency limits (D90454, D95818).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Window {
    /// Any call of one API by one corp, 60 s.
    BasicMinute,
    /// Any call of one API by one corp, 60 min.
    BasicHour,
    /// A lookup without a valid ticket, 60 min.
    BusinessHour,
    /// A lookup without a valid ticket, one day.
    BusinessDay,
    /// A lookup without a valid ticket, 30 days.
    BusinessMonth,
}

impl Window {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// All of them, each at its own index.
    pub const ALL: [Self; Self::COUNT] = [
        Self::BasicMinute,
        Self::BasicHour,
        Self::BusinessHour,
        Self::BusinessDay,
        Self::BusinessMonth,
    ];

    /// Its name in options and statistics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BasicMinute => "basic.minute",
            Self::BasicHour => "basic.hour",
            Self::BusinessHour => "business.hour",
            Self::BusinessDay => "business.day",
            Self::BusinessMonth => "business.month",
        }
    }

    /// How long it is; a month is 30 days (D90454).
    #[must_use]
    pub const fn span(self) -> Duration {
        Duration::from_secs(match self {
            Self::BasicMinute => 60,
            Self::BasicHour | Self::BusinessHour => 3_600,
            Self::BusinessDay => 86_400,
            Self::BusinessMonth => 30 * 86_400,
        })
    }

    /// Whether it is one of those that a valid ticket lifts (D96250).
    #[must_use]
    pub const fn is_business(self) -> bool {
        !matches!(self, Self::BasicMinute | Self::BasicHour)
    }

    /// The default value of the page (D90454 of 2023/08/28, D95818 of 2024/03/11).
    #[must_use]
    pub const fn published(self) -> u64 {
        match self {
            Self::BasicMinute => 10_000,
            Self::BasicHour => 150_000,
            Self::BusinessHour => 100_000,
            Self::BusinessDay => 480_000,
            Self::BusinessMonth => 7_500_000,
        }
    }
}

/// Calls allowed in each window; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([Option<u64>; Window::COUNT]);

impl Limits {
    /// What the pages say.
    #[must_use]
    pub fn published() -> Self {
        Self(Window::ALL.map(|window| Some(window.published())))
    }

    /// No window refuses anything.
    #[must_use]
    pub const fn none() -> Self {
        Self([None; Window::COUNT])
    }

    /// What `window` allows.
    #[must_use]
    pub const fn of(&self, window: Window) -> Option<u64> {
        self.0[window as usize]
    }

    /// The same limits with another one for `window`.
    #[must_use]
    pub const fn with(mut self, window: Window, limit: Option<u64>) -> Self {
        self.0[window as usize] = limit;
        self
    }

    /// Reads `basic.minute=5,business.hour=none`: changes to what is published, in order; the
    /// words `published` and `none` set all five.
    ///
    /// # Errors
    ///
    /// A sentence naming what was not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut limits = Self::published();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            limits = match (part, part.split_once('=')) {
                ("published", _) => Self::published(),
                ("none", _) => Self::none(),
                (_, Some((name, limit))) => limits.with(window(name)?, number(limit)?),
                (_, None) => return Err(format!("'{part}' is not a limit such as basic.minute=5")),
            };
        }
        Ok(limits)
    }
}

fn window(name: &str) -> Result<Window, String> {
    Window::ALL
        .into_iter()
        .find(|window| window.name() == name.trim())
        .ok_or_else(|| {
            let names = Window::ALL.map(Window::name).join(", ");
            format!("no window is called '{name}': {names}")
        })
}

fn number(text: &str) -> Result<Option<u64>, String> {
    match text.trim() {
        "none" => Ok(None),
        digits => digits
            .replace('_', "")
            .parse()
            .map(Some)
            .map_err(|_| format!("'{digits}' is neither a number of calls nor 'none'")),
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::published()
    }
}

impl FromStr for Limits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, window) in Window::ALL.into_iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match self.of(window) {
                Some(limit) => write!(f, "{comma}{}={limit}", window.name())?,
                None => write!(f, "{comma}{}=none", window.name())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_what_they_print() {
        let limits = Limits::parse("basic.minute=5,business.hour=none").unwrap();
        assert_eq!(limits.of(Window::BasicMinute), Some(5));
        assert_eq!(limits.of(Window::BusinessHour), None);
        assert_eq!(limits.of(Window::BusinessDay), Some(480_000));
        assert_eq!(Limits::parse(&limits.to_string()), Ok(limits));
        assert_eq!(Limits::parse("none"), Ok(Limits::none()));
    }

    #[test]
    fn a_wrong_limit_is_told_what_would_be_right() {
        assert!(
            Limits::parse("basic.day=5")
                .unwrap_err()
                .contains("basic.minute")
        );
        assert!(
            Limits::parse("basic.minute=few")
                .unwrap_err()
                .contains("'few'")
        );
        assert!(Limits::parse("fast").is_err());
    }
}
