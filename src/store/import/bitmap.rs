//! Which rows of an import are duplicates, and the ids of the others once those are left out.

/// One bit for each row of an import.
pub(super) struct Bitmap {
    /// The id of the first row.
    first: i64,
    words: Vec<u64>,
}

impl Bitmap {
    /// Returns one with no bit set, for the rows from `first` up to but not including `next`.
    pub(super) fn new(first: i64, next: i64) -> Self {
        let rows = usize::try_from(next - first).unwrap_or_default();
        Self {
            first,
            words: vec![0; rows.div_ceil(64)],
        }
    }

    pub(super) fn set(&mut self, id: i64) {
        let row = usize::try_from(id - self.first).unwrap_or_default();
        if let Some(word) = self.words.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        let row = usize::try_from(id - self.first).unwrap_or_default();
        let word = self.words.get(row / 64).copied().unwrap_or_default();
        word & (1 << (row % 64)) != 0
    }

    /// Returns how many bits are set.
    pub(super) fn count(&self) -> u64 {
        let ones = self.words.iter().map(|word| u64::from(word.count_ones()));
        ones.sum()
    }
}

/// The ids of rows once the marked ones are left out. They have no gaps, so that SQLite appends the
/// subjects without searching for their place.
pub(super) struct Renumbering<'m> {
    marked: &'m Bitmap,
    /// How many rows are marked before each word.
    before: Vec<i64>,
}

impl<'m> Renumbering<'m> {
    pub(super) fn without(marked: &'m Bitmap) -> Self {
        let before = marked.words.iter().scan(0, |sum, word| {
            let before = *sum;
            *sum += i64::from(word.count_ones());
            Some(before)
        });
        Self {
            before: before.collect(),
            marked,
        }
    }

    /// Returns the subject that the row `id` becomes. Ids of earlier imports stay as they are.
    pub(super) fn subject_of(&self, id: i64) -> i64 {
        let Ok(row) = usize::try_from(id - self.marked.first) else {
            return id;
        };
        let word = self.marked.words.get(row / 64).copied().unwrap_or_default();
        let before = self.before.get(row / 64).copied().unwrap_or_default();
        let within = (word & ((1 << (row % 64)) - 1)).count_ones();
        id - before - i64::from(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_left_over_are_numbered_without_gaps() {
        let mut marked = Bitmap::new(1001, 1301);
        for id in [1001, 1002, 1064, 1065, 1128, 1300] {
            marked.set(id);
        }
        let renumbering = Renumbering::without(&marked);
        let left = (1001..1301).filter(|id| !marked.contains(*id));
        let numbers: Vec<i64> = left.map(|id| renumbering.subject_of(id)).collect();
        let expected: Vec<i64> = (1001..1301 - 6).collect();
        assert_eq!(numbers, expected);
        assert_eq!(renumbering.subject_of(7), 7, "of an earlier import");
    }
}
