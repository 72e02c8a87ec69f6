//! Stand-in until the gate is merged; only [`Paid`] is looked at from here.

/// A permit whose charge has been committed: one request may be sent for it.
pub struct Paid(());

#[cfg(test)]
impl Paid {
    /// A paid claim that nobody paid for.
    pub(crate) const fn for_tests() -> Self {
        Self(())
    }
}
