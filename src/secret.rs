//! A value that cannot be printed.

use zeroize::Zeroize;

/// Holds a corp secret, a token or a ticket. It implements neither `Debug` nor `Display`, so code
/// that logs it or puts it into an error does not compile. Its memory is zeroed when it is dropped.
///
/// ```compile_fail
/// let secret = idferry::secret::Secret::new(String::from("s"));
/// println!("{secret:?}");
/// ```
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value that must not be printed.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value, to be sent or written to the job file and for nothing else.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
