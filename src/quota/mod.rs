//! How many calls may be sent, as pure arithmetic over the time it is given: windows, the account
//! of calls charged in them, lockouts, and what is paid for.
//!
//! A call is *charged* in every window that counts it, all or none, before it is sent:
//! [`Account::charge`] finds room or returns the [`Hold`]. The charge becomes [`PaidCalls`] only by
//! a commit that succeeded, and a request takes one [`Paid`] call by value. What is durable of it
//! is the business of [`crate::ledger`].
//!
//! | file | |
//! | --- | --- |
//! | `limits` | margin and reserve, and when a charge leaves its window |
//! | `window` | one window: charges in slots that leave one after the other |
//! | `account` | all windows at once, and the calls in flight |
//! | `changes` | what the account takes from the ledger and gives to it |
//! | `count` | calls by what they were charged as |
//! | `lockout` | the ladder of 45009 (D90454) |
//! | `observed` | what refusals tell of the remote's limits |
//! | `permit` | paid before sent |
//! | `writer` | who charges: a run of a job, or another system |
//! | `hold` | the one reason for waiting |
//! | `forecast_input` | what a forecast needs of all this |

mod account;
mod changes;
mod count;
mod forecast_input;
mod hold;
mod limits;
mod lockout;
mod observed;
mod permit;
#[cfg(test)]
mod properties;
mod window;
mod writer;

pub use account::Account;
pub use changes::{AccountSnapshot, Deltas, SharedCalls, SlotCalls};
pub use count::CallCount;
pub use forecast_input::ForecastInput;
pub use hold::{Hold, HoldReason, Trouble};
pub use limits::Quota;
pub(crate) use limits::{oldest_kept, slot_of};
pub use lockout::{Lockout, LockoutLevel, Probe, QuotaRefusal};
pub use observed::RefusedAt;
pub(crate) use permit::BLOCK;
pub use permit::{CallKind, Paid, PaidCalls, Permit};
pub use window::SlidingWindow;
pub use writer::{WriterCounters, WriterId};
