//! Merging sorted streams.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::store::error::Result;

/// The hash of a subject and its id.
pub(super) type Pair = (u64, i64);

/// Items in ascending order.
pub(super) trait SortedStream {
    type Item: Copy + Ord;

    fn next(&mut self) -> Result<Option<Self::Item>>;
}

/// The items of several streams in ascending order.
pub(super) struct Merge<S: SortedStream> {
    streams: Vec<S>,
    /// The least item, and the index of its stream.
    head: Option<(S::Item, usize)>,
    /// The least item of each other stream.
    others: BinaryHeap<Reverse<(S::Item, usize)>>,
}

impl<S: SortedStream> Merge<S> {
    pub(super) fn new(mut streams: Vec<S>) -> Result<Self> {
        let mut others = BinaryHeap::new();
        for (index, stream) in streams.iter_mut().enumerate() {
            if let Some(item) = stream.next()? {
                others.push(Reverse((item, index)));
            }
        }
        Ok(Self {
            streams,
            head: others.pop().map(|Reverse(head)| head),
            others,
        })
    }

    pub(super) fn peek(&self) -> Option<S::Item> {
        self.head.map(|(item, _)| item)
    }

    pub(super) fn next(&mut self) -> Result<Option<S::Item>> {
        let Some((item, index)) = self.head else {
            return Ok(None);
        };
        let next = self.streams[index].next()?.map(|next| (next, index));
        // In most cases the same stream has the next item, or is the only one: the heap is not
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
        Ok(Some(item))
    }
}
