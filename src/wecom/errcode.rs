//! What an error code means: its [`Class`], its official term, and a sentence for the operator.
//!
//! There is one table, `table.rs`. `errmsg` is not looked at: it contains the caller's address and
//! may change (D90455).

use std::fmt;

mod table;

/// What to do about a refusal. The runner decides by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Ask the same subject again later, at most three times (D90313).
    Retry,
    /// The access token is not valid: fetch another and ask again.
    Token,
    /// A limit was exceeded: stop calling this API for a while. The subject is not affected.
    Wait,
    /// Too many calls in flight: reduce them. The subject is not affected.
    Slow,
    /// This subject is refused for good.
    Subject,
    /// This subject is refused, and probably every subject of the same mini program or account.
    Source,
    /// One downstream corp cannot be asked; subjects that name it are refused.
    Downstream,
    /// Configuration or permission: end the run.
    Stop,
    /// The request itself is wrong: end the run.
    Bug,
    /// A code without a known meaning for this API: park the subject.
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

    /// Its name in log lines and reports.
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

    /// Whether `errmsg` is kept of a refusal of this class. Of the others there may be millions,
    /// and the code is enough.
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

/// One entry of the table.
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
    /// The same in English, a few words.
    pub meaning: &'static str,
    /// What the operator should do; never empty.
    pub next_step: &'static str,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(self.code).fmt(f)
    }
}

/// A code and its meaning as one line of text, also for a code without an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLine(i64);

/// Returns the line about `code`: `60020 不安全的访问IP (not allowed to access from your IP)`.
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

/// Returns the entry of `code`. That of an unknown code says so, and its `code` field is another
/// one; [`line()`] prints the right one.
#[must_use]
pub fn lookup(code: i64) -> &'static Entry {
    match table::ENTRIES.binary_search_by_key(&code, |entry| entry.code) {
        Ok(at) => &table::ENTRIES[at],
        Err(_) if (670_005..=670_035).contains(&code) => &table::CHAIN_RULES,
        Err(_) if (95_000..=95_999).contains(&code) => &table::CUSTOMER_SERVICE,
        Err(_) => &table::UNLISTED,
    }
}

/// Returns the codes of [`Class::Retry`], which are worth another try at the end of a run.
#[must_use]
pub fn retry_codes() -> Vec<i64> {
    let again = entries().iter().filter(|entry| entry.class == Class::Retry);
    again.map(|entry| entry.code).collect()
}

/// Returns every code with an entry of its own, ascending.
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
