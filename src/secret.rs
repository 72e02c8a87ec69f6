//! A value that cannot be printed.

use zeroize::Zeroize;

/// Holds a corp secret, a token or a ticket. It implements neither `Debug` nor `Display`, so a
/// log line or an error that tries to spell it out does not compile; it is wiped when dropped.
///
/// ```compile_fail
/// let secret = idferry::secret::Secret::new(String::from("s"));
/// println!("{secret:?}");
/// ```
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes custody of `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the wire and for the state file and for nothing else.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
