//! Which rows of an import are no subjects of their own, and the numbers of those that are.

/// One bit for each row of this import: whether it falls on an earlier subject.
pub(super) struct Bitmap {
    first: i64,
    bits: Vec<u64>,
}

impl Bitmap {
    pub(super) fn new(first: i64, next: i64) -> Self {
        let rows = usize::try_from(next - first).unwrap_or_default();
        Self {
            first,
            bits: vec![0; rows.div_ceil(64)],
        }
    }

    pub(super) fn set(&mut self, id: i64) {
        let row = usize::try_from(id - self.first).unwrap_or_default();
        if let Some(word) = self.bits.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    /// Whether `id` was marked.
    pub(super) fn has(&self, id: i64) -> bool {
        let row = usize::try_from(id - self.first).unwrap_or_default();
        let word = self.bits.get(row / 64).copied().unwrap_or_default();
        word & (1 << (row % 64)) != 0
    }

    /// How many were.
    pub(super) fn count(&self) -> u64 {
        self.bits
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }
}

/// The ids of rows once the marked ones are left out: subjects are numbered without gaps, so that
/// SQLite appends them without looking for their place.
pub(super) struct Renumbering<'m> {
    marks: &'m Bitmap,
    /// How many are marked before each word.
    before: Vec<i64>,
}

impl<'m> Renumbering<'m> {
    pub(super) fn of(marks: &'m Bitmap) -> Self {
        let before = marks.bits.iter().scan(0, |marked, word| {
            let before = *marked;
            *marked += i64::from(word.count_ones());
            Some(before)
        });
        Self {
            before: before.collect(),
            marks,
        }
    }

    /// The subject that the row `id` became; those of earlier imports are what they were.
    pub(super) fn of_row(&self, id: i64) -> i64 {
        let Ok(row) = usize::try_from(id - self.marks.first) else {
            return id;
        };
        let word = self.marks.bits.get(row / 64).copied().unwrap_or_default();
        let before = self.before.get(row / 64).copied().unwrap_or_default();
        let within = (word & ((1 << (row % 64)) - 1)).count_ones();
        id - before - i64::from(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_numbered_without_gaps() {
        let mut marks = Bitmap::new(1001, 1301);
        for id in [1001, 1002, 1064, 1065, 1128, 1300] {
            marks.set(id);
        }
        let places = Renumbering::of(&marks);
        let kept = (1001..1301).filter(|id| !marks.has(*id));
        let numbers: Vec<i64> = kept.map(|id| places.of_row(id)).collect();
        let expected: Vec<i64> = (1001..1301 - 6).collect();
        assert_eq!(numbers, expected);
        assert_eq!(places.of_row(7), 7, "of an earlier import");
    }
}
