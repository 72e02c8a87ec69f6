//! The nouns. No I/O, no clock of their own, nothing of ours imported.

mod api;
mod contact;
mod corp_changes;
mod failure;
mod link;
mod outcome;
mod pending_id;
mod subject;
mod window;

pub use api::Api;
pub use contact::Contact;
pub use corp_changes::CorpChanges;
pub use failure::{Failure, NoConnection};
pub use link::Link;
pub use outcome::{Outcome, State, Tally};
pub use pending_id::PendingId;
pub(crate) use subject::RejectOrigin;
pub use subject::{Row, Subject, SubjectId};
pub use window::{Limits, Period, QuotaWindow, WindowKind};
