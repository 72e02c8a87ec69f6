//! Job files with answers, for tests.

use super::{Batch, Charged, RunProgress, Settled, Store};
use crate::{
    clock::Timestamp,
    model::{Api, Link, Outcome, Row, State, SubjectId},
    quota::{Deltas, WriterId},
};

impl Store {
    /// Imports a source of these subjects: unionid, openid and corpid.
    pub(crate) fn add_subjects(&mut self, subjects: &[(&str, &str, Option<&str>)], at: Timestamp) {
        let mut import = self.import("crm.csv", None).unwrap();
        for (unionid, openid, corpid) in subjects {
            let row = Row {
                unionid,
                openid,
                corpid: *corpid,
            };
            import.add(&row).unwrap();
        }
        import.finish(subjects.len() as u64, 0, at).unwrap();
    }

    /// Settles answers, in a run of their own.
    pub(crate) fn settle(&mut self, settled: &[Settled]) {
        let began = settled.first().map(|answer| answer.at).unwrap();
        let run = self.journal().begin_run("run", "{}", began).unwrap();
        let batch = Batch {
            settled,
            cursor: None,
            progress: (run, &RunProgress::default()),
        };
        let charged = Charged {
            writer: WriterId::from_code(1),
            api: Api::Lookup,
            deltas: &Deltas::default(),
        };
        self.commit(&batch, &charged).unwrap();
    }
}

impl Settled {
    /// The first answer of a subject: `state`, with links of (corpid, external_userid).
    pub(crate) fn first(subject: i64, state: State, links: &[(&str, &str)], at: Timestamp) -> Self {
        let link = |(corpid, external_userid): &(&str, &str)| Link {
            corpid: (*corpid).into(),
            external_userid: (*external_userid).into(),
        };
        Self {
            subject: SubjectId(subject),
            was: State::Queued,
            outcome: Outcome {
                state,
                errcode: Some(0),
                attempts: 1,
                links: links.iter().map(link).collect(),
                pending_id: None,
            },
            at,
        }
    }
}
