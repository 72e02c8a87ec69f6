//! Merging sorted streams of pairs.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::store::error::Result;

/// The hash of a subject and its id.
pub(super) type Pair = (u64, i64);

/// Pairs in ascending order.
pub(super) trait PairStream {
    fn next(&mut self) -> Result<Option<Pair>>;
}

/// The pairs of several streams in ascending order.
pub(super) struct Merge<S> {
    streams: Vec<S>,
    /// The least pair, and the index of its stream.
    head: Option<(Pair, usize)>,
    /// The least pair of each other stream.
    others: BinaryHeap<Reverse<(Pair, usize)>>,
}

impl<S: PairStream> Merge<S> {
    pub(super) fn new(mut streams: Vec<S>) -> Result<Self> {
        let mut others = BinaryHeap::new();
        for (index, stream) in streams.iter_mut().enumerate() {
            if let Some(pair) = stream.next()? {
                others.push(Reverse((pair, index)));
            }
        }
        Ok(Self {
            streams,
            head: others.pop().map(|Reverse(head)| head),
            others,
        })
    }

    pub(super) fn peek(&self) -> Option<Pair> {
        self.head.map(|(pair, _)| pair)
    }

    pub(super) fn next(&mut self) -> Result<Option<Pair>> {
        let Some((pair, index)) = self.head else {
            return Ok(None);
        };
        let next = self.streams[index].next()?.map(|next| (next, index));
        // In most cases the same stream has the next pair, or is the only one: the heap is not
        // changed then.
        self.head = match next {
            None => self.others.pop().map(|Reverse(head)| head),
            Some(next) => Some(match self.others.peek_mut() {
                Some(mut least) if least.0 < next => {
                    std::mem::replace(&mut *least, Reverse(next)).0
                }
                _ => next,
            }),
        };
        Ok(Some(pair))
    }
}
