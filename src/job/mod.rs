//! What a command does, without a command line: import, run, rehearse, status, export.
//!
//! | file | |
//! | --- | --- |
//! | [`Session`] | a run, assembled in one place |
//! | [`JobFiles`] | where the job file and the ledger lie |
//! | `import`, `results` | its first and its last stage |
//! | `HandOver` | results at any time, whole or by downstream corp |
//! | `outputs` | which files they may replace |
//! | `passes` | answers that are asked for again |
//! | `ticket`, `token` | whether a ticket is used and applied for; a token for one call |
//! | `paused`, [`Steering`] | what operators ask of a run from elsewhere |
//! | `connection` | where calls go |
//! | `scratch`, [`Rehearsal`] | a copy of a job, and a run of it in virtual time |
//! | `asked`, `run_record`, [`RunList`] | what is kept of a run, and the list of them |
//! | `doctor` | what stands in the way of a run |
//! | [`Status`], [`quota`] | how a job and a corp's quota stand, as plain data |
//! | [`Error`], [`Exit`] | what ends a command early, and the exit codes |
//!
//! Nothing here prints: [`report`](crate::report) has the words, [`cli`](crate::cli) the terminal.

mod asked;
mod backup;
mod connection;
mod contract;
mod details;
mod doctor;
mod drawn;
mod error;
mod exit;
mod files;
mod forget;
mod hand_over;
mod import;
mod operator;
mod outputs;
mod passes;
mod paused;
mod probe;
pub mod quota;
mod quota_record;
mod rehearsal;
mod results;
mod run_record;
mod runs;
mod scratch;
mod session;
pub(crate) mod status;
mod steering;
pub mod ticket;
mod token;

pub(crate) use asked::QUESTION;
pub use backup::{Backup, backup};
pub(crate) use connection::Connection;
pub use connection::Credentials;
pub(crate) use contract::Contract;
pub use details::{Details, DetailsReader, RefusedSubjects};
pub use doctor::{Check, Grade};
pub(crate) use doctor::{JobState, LookedUp, check_files, look_up_one};
pub(crate) use drawn::{DrawnReport, DrawnShare, PilotReport, StaleAnswers, StalenessReport};
pub use error::Error;
pub(crate) use error::SANDBOX_FILE;
pub use exit::Exit;
pub(crate) use exit::stop_code;
pub use files::JobFiles;
pub(crate) use forget::{ForgetWhom, Forgetting};
pub(crate) use hand_over::{HandOver, default_manifest};
pub use import::{ImportedInput, ImportedLines};
pub use operator::Operator;
pub(crate) use outputs::OutputGuard;
pub use passes::Refresh;
pub use probe::{Probed, probe};
pub(crate) use rehearsal::RehearsalFindings;
pub use rehearsal::{Rehearsal, RehearsalObserver, Rehearsed, Unobserved, invent};
pub(crate) use results::{publish_report, stem};
pub use runs::{ListedRun, RunList};
pub use scratch::ScratchFolder;
pub(crate) use scratch::{ScratchCopy, ScratchUse};
pub use session::{ImportedContacts, RunOutcome, Session, SessionSettings};
pub use status::Status;
pub use steering::{Addressee, Steering};
pub use ticket::TicketPolicy;

pub use crate::store::Sample;
