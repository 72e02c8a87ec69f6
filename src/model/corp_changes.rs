//! What became of the links at a downstream corp.

use serde::Serialize;

/// Links gained and lost at one downstream corp.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CorpChanges {
    /// The downstream corp.
    pub corpid: String,
    /// Links of subjects that had none there.
    pub gained: u64,
    /// Subjects that have none there any more.
    pub lost: u64,
    /// Subjects with another external_userid there than before.
    pub changed: u64,
}
