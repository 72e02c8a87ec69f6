//! The windows of the frequency limits: names, spans, published limits. Facts only: how calls are
//! counted in them is the business of the client ([`crate::gate`]) and of the simulator, each with
//! arithmetic of its own.

use std::{fmt, str::FromStr, time::Duration};

/// A length over which calls are counted; windows of one period count in the same slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Period {
    /// 60 s.
    Minute = 1,
    /// 60 min.
    Hour = 2,
    /// 24 h.
    Day = 3,
    /// 31 days: the page does not say how a month is counted (D95818), and a calendar month can
    /// have as many.
    Month = 4,
}

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Hour, Self::Day, Self::Month];

    /// Its number in the ledger.
    #[must_use]
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// The period numbered `code` in the ledger, if there is one.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.code() == code)
    }

    /// Its length.
    #[must_use]
    pub const fn span(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Month => 31 * 86_400,
        })
    }
}

/// One window of the frequency limits (D90454, D95818).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QuotaWindow {
    /// Every call of one API by one corp, 60 s.
    BasicMinute,
    /// Every call of one API by one corp, 60 min.
    BasicHour,
    /// Calls without a ticket, 60 min.
    BusinessHour,
    /// Calls without a ticket, one day.
    BusinessDay,
    /// Calls without a ticket, one month.
    BusinessMonth,
    /// Every call of one API by all corps behind one IP, 60 s.
    IpMinute,
    /// Every call of one API by all corps behind one IP, 60 min.
    IpHour,
}

impl QuotaWindow {
    /// How many there are.
    pub const COUNT: usize = 7;

    /// All of them, each at its own index.
    pub const ALL: [Self; Self::COUNT] = [
        Self::BasicMinute,
        Self::BasicHour,
        Self::BusinessHour,
        Self::BusinessDay,
        Self::BusinessMonth,
        Self::IpMinute,
        Self::IpHour,
    ];

    /// Its name in flags, files and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BasicMinute => "basic.minute",
            Self::BasicHour => "basic.hour",
            Self::BusinessHour => "business.hour",
            Self::BusinessDay => "business.day",
            Self::BusinessMonth => "business.month",
            Self::IpMinute => "ip.minute",
            Self::IpHour => "ip.hour",
        }
    }

    /// Whether a valid ticket lifts it (D96250).
    #[must_use]
    pub const fn is_business(self) -> bool {
        matches!(
            self,
            Self::BusinessHour | Self::BusinessDay | Self::BusinessMonth
        )
    }

    /// The window of the IP that counts in slots of `period`, if there is one.
    #[must_use]
    pub fn of_ip(period: Period) -> Option<Self> {
        [Self::IpMinute, Self::IpHour]
            .into_iter()
            .find(|window| window.period() == period)
    }

    /// Whether it counts the calls of all corps behind one IP (D90454).
    #[must_use]
    pub const fn is_of_ip(self) -> bool {
        matches!(self, Self::IpMinute | Self::IpHour)
    }

    /// The period over which it counts.
    #[must_use]
    pub const fn period(self) -> Period {
        match self {
            Self::BasicMinute | Self::IpMinute => Period::Minute,
            Self::BasicHour | Self::BusinessHour | Self::IpHour => Period::Hour,
            Self::BusinessDay => Period::Day,
            Self::BusinessMonth => Period::Month,
        }
    }

    /// The length of its period.
    #[must_use]
    pub const fn span(self) -> Duration {
        self.period().span()
    }

    /// The published limit in calls (D90454 of 2023/08/28, D95818 of 2024/03/11): "default values
    /// that the platform may change".
    #[must_use]
    pub const fn published(self) -> u64 {
        match self {
            Self::BasicMinute => 10_000,
            Self::BasicHour => 150_000,
            Self::BusinessHour => 100_000,
            Self::BusinessDay => 480_000,
            Self::BusinessMonth => 7_500_000,
            Self::IpMinute => 20_000,
            Self::IpHour => 600_000,
        }
    }
}

impl fmt::Display for QuotaWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for QuotaWindow {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let window = Self::ALL.into_iter().find(|window| window.name() == name);
        window.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no window is called '{name}': {names}")
        })
    }
}

/// Where a window begins; the pages do not say (D90454).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowKind {
    /// One span before each call.
    #[default]
    Sliding,
    /// At the natural minute, hour, day or calendar month (UTC+8).
    Calendar,
}

impl WindowKind {
    /// Its name in flags, files and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sliding => "sliding",
            Self::Calendar => "calendar",
        }
    }
}

impl FromStr for WindowKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let kind = [Self::Sliding, Self::Calendar];
        let kind = kind.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| format!("'{name}' is neither 'sliding' nor 'calendar'"))
    }
}

/// The most calls in each window; `None` where nothing limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([Option<u64>; QuotaWindow::COUNT]);

impl Limits {
    /// What the pages say.
    #[must_use]
    pub fn published() -> Self {
        Self(QuotaWindow::ALL.map(|window| Some(window.published())))
    }

    /// No limit at all: for loopback addresses only.
    #[must_use]
    pub const fn none() -> Self {
        Self([None; QuotaWindow::COUNT])
    }

    /// The limit of one window.
    #[must_use]
    pub const fn of(&self, window: QuotaWindow) -> Option<u64> {
        self.0[window as usize]
    }

    /// Sets the limit of one window.
    pub const fn set(&mut self, window: QuotaWindow, limit: Option<u64>) {
        self.0[window as usize] = limit;
    }

    /// Returns the same limits with another one for `window`.
    #[must_use]
    pub const fn with(mut self, window: QuotaWindow, limit: Option<u64>) -> Self {
        self.set(window, limit);
        self
    }

    /// Returns the limits after `change` was applied to each that is set.
    #[must_use]
    pub fn map(self, change: impl Fn(u64) -> u64) -> Self {
        Self(self.0.map(|limit| limit.map(&change)))
    }

    /// Returns the limits of calls that no business window counts.
    #[must_use]
    pub fn basic(mut self) -> Self {
        for window in QuotaWindow::ALL {
            if window.is_business() {
                self.set(window, None);
            }
        }
        self
    }

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

impl From<[Option<u64>; QuotaWindow::COUNT]> for Limits {
    /// The limits in the order of [`QuotaWindow::ALL`].
    fn from(limits: [Option<u64>; QuotaWindow::COUNT]) -> Self {
        Self(limits)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::published()
    }
}

impl FromStr for Limits {
    type Err = String;

    /// Reads `basic.minute=5,business.hour=none`: changes to what is published, in order; the
    /// words `published` and `none` set all of them.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut limits = Self::published();
        let parts = text.split(',').map(str::trim);
        for part in parts.filter(|part| !part.is_empty()) {
            limits = match (part, part.split_once('=')) {
                ("published", _) => Self::published(),
                ("none", _) => Self::none(),
                (_, Some((name, limit))) => limits.with(name.trim().parse()?, number(limit)?),
                (_, None) => return Err(format!("'{part}' is not a limit such as basic.minute=5")),
            };
        }
        Ok(limits)
    }
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

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, window) in QuotaWindow::ALL.into_iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match self.of(window) {
                Some(limit) => write!(f, "{comma}{window}={limit}")?,
                None => write!(f, "{comma}{window}=none")?,
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
        let limits: Limits = "basic.minute=5,business.hour=none".parse().unwrap();
        assert_eq!(limits.of(QuotaWindow::BasicMinute), Some(5));
        assert_eq!(limits.of(QuotaWindow::BusinessHour), None);
        assert_eq!(limits.of(QuotaWindow::BusinessDay), Some(480_000));
        assert_eq!(limits.to_string().parse(), Ok(limits));
        assert_eq!("none".parse(), Ok(Limits::none()));
    }

    #[test]
    fn wrong_limit_names_the_right_ones() {
        let error = |text: &str| text.parse::<Limits>().unwrap_err();
        assert!(error("basic.day=5").contains("basic.minute"));
        assert!(error("basic.minute=few").contains("'few'"));
        assert!("fast".parse::<Limits>().is_err());
    }
}
