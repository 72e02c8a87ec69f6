//! The ledger: what calls have cost, for every job and process of a user on this machine.
//!
//! A quota belongs to a corp, and so do its lockouts and its one ticket. The account is a set of
//! counters that only grow, one for each (corp, API, period, slot, writer), merged by taking the
//! larger; their sum over all writers is what is used. A writer is a run of a job. The job file
//! keeps the counters of its runs too ([`store`](crate::store)), and [`Ledger::merge`]
//! brings them in when it is opened: a lost ledger is rebuilt, and nothing is ever lowered.
//!
//! [`LedgerAccount::exchange`] is the one way to pay for calls. In one durable transaction it
//! writes what completed, reads what others have changed, asks the account for room
//! ([`quota`](crate::quota)) and charges.
//!
//! | file | |
//! | --- | --- |
//! | `file` | the ledger on disk, an SQLite database |
//! | `account` | the account of one API of a corp, and the exchange with it |
//! | `overview` | what an operator asks of it |
//! | `key` | whose account it is |
//! | `lockouts` | the lockouts of accounts |
//! | `observed` | limits that are lower than published |
//! | `shared` | a counter that two APIs share |
//! | `head` | its one row of the last change |
//! | `rows` | the rows of accounts and writers |
//! | `ticket` | the `mass_call_ticket` of a corp |
//! | `token` | refusals of `gettoken` |
//!
//! # Errors
//!
//! Every fallible function returns [`StoreError::Ledger`](crate::store::StoreError::Ledger), and
//! opening those of an SQLite file as well. After an error nothing of the failed transaction is in
//! the file, and no call of it is paid for.

mod account;
mod file;
mod head;
mod key;
mod lockouts;
mod observed;
mod overview;
mod rows;
mod shared;
#[cfg(test)]
mod tests;
mod ticket;
mod token;

pub use account::{Exchanged, LedgerAccount};
pub use file::Ledger;
pub use overview::WriterStatus;
pub use rows::StoredAccount;
pub(crate) use ticket::TriedTicket;
pub use ticket::{Origin, TicketRecord, TicketState, Tickets};
pub use token::{TokenRefusal, TokenRefusals};
