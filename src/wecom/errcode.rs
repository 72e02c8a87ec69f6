//! What an error code means, and to whom: code → [`Class`] → the operator's sentence.
//!
//! There is one table, `table.rs`; nothing else in the program knows a code's meaning. `errmsg`
//! is never consulted: it carries the caller's address and changes (D90455).

use std::fmt;

mod table;

/// What a refusal asks us to do. Each class is one row of the runner's decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Ask the same subject again, later and not often (the page says three times at most, D90313).
    Retry,
    /// The access token is no good: fetch another and ask once more.
    Token,
    /// A limit was crossed: nobody of this lane asks for a while; subjects unharmed.
    Wait,
    /// Too many calls at once: fewer in flight; subjects unharmed.
    Slow,
    /// This subject is refused for good.
    Subject,
    /// This subject is refused, and probably every one from the same mini program or account.
    Source,
    /// One downstream corp is out of reach; subjects that name it are refused.
    Downstream,
    /// Configuration or permission: nothing gets better by trying.
    Stop,
    /// Our own request is wrong.
    Bug,
    /// A code that nobody has classified for this API: park the subject, look at it.
    Unlisted,
}

impl Class {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Retry,
        Self::Token,
        Self::Wait,
        Self::Slow,
        Self::Subject,
        Self::Source,
        Self::Downstream,
        Self::Stop,
        Self::Bug,
        Self::Unlisted,
    ];

    /// The word of it in log lines and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Token => "token",
            Self::Wait => "wait",
            Self::Slow => "slow",
            Self::Subject => "subject",
            Self::Source => "source",
            Self::Downstream => "downstream",
            Self::Stop => "stop",
            Self::Bug => "bug",
            Self::Unlisted => "unlisted",
        }
    }

    /// Whether a person will read the server's own words about a refusal of this class. For the
    /// others there may be millions, and the code says it all.
    #[must_use]
    pub const fn keeps_errmsg(self) -> bool {
        matches!(self, Self::Stop | Self::Bug | Self::Unlisted | Self::Wait)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One row of the table.
///
/// As text: `60020 不安全的访问IP (not allowed to access from your IP)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The code; for a family of codes its first member.
    pub code: i64,
    /// What to do after a call about a subject;
    /// [`Endpoint::class_of`](super::endpoint::Endpoint::class_of) knows the exceptions.
    pub class: Class,
    /// The official term (D90313); empty if none is known.
    pub chinese: &'static str,
    /// The same for people who do not read it: a short sentence.
    pub meaning: &'static str,
    /// What the operator should do; never empty.
    pub next_step: &'static str,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(self.code).fmt(f)
    }
}

/// A code and its meaning as one line of text, also for codes that are in no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLine(i64);

/// The line about `code`: `60020 不安全的访问IP (not allowed to access from your IP)`.
#[must_use]
pub const fn line(code: i64) -> CodeLine {
    CodeLine(code)
}

impl fmt::Display for CodeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = lookup(self.0);
        match entry.chinese {
            "" => write!(f, "{} ({})", self.0, entry.meaning),
            chinese => write!(f, "{} {chinese} ({})", self.0, entry.meaning),
        }
    }
}

/// What is known about `code`. For a code that is in no table, the entry says so (its own `code`
/// field is then not `code`; [`line()`] prints the right one).
#[must_use]
pub fn lookup(code: i64) -> &'static Entry {
    match table::ENTRIES.binary_search_by_key(&code, |entry| entry.code) {
        Ok(at) => &table::ENTRIES[at],
        Err(_) if (670_005..=670_035).contains(&code) => &table::CHAIN_RULES,
        Err(_) if (95_000..=95_999).contains(&code) => &table::CUSTOMER_SERVICE,
        Err(_) => &table::UNLISTED,
    }
}

/// The codes that the page says to try again, and so worth another try at the end of a run.
#[must_use]
pub fn retry_codes() -> Vec<i64> {
    let again = entries().iter().filter(|entry| entry.class == Class::Retry);
    again.map(|entry| entry.code).collect()
}

/// Every code with an entry of its own, ascending.
#[must_use]
pub fn entries() -> &'static [Entry] {
    table::ENTRIES
}

/// The calls about credentials, which concern no subject and no downstream corp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CredentialCall {
    /// `gettoken`.
    Token,
    /// `apply_mass_call_ticket`.
    Ticket,
}

impl CredentialCall {
    /// Returns what `errcode` asks for after this call. What elsewhere refuses a subject or a
    /// downstream corp refuses the credentials here. And the call that fetches a token cannot
    /// suffer from it: 40001 is a wrong secret there, which repeated gets the address banned for
    /// an hour (D90313).
    pub(super) fn class_of(self, errcode: i64) -> Class {
        match lookup(errcode).class {
            Class::Token if self == Self::Token => Class::Stop,
            // "Invalid input", which also answers GET in place of POST (D90313).
            Class::Source if errcode == 40058 => Class::Bug,
            Class::Subject | Class::Source | Class::Downstream => Class::Stop,
            class => class,
        }
    }
}

#[cfg(test)]
mod tests;
