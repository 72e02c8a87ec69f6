//! SHA-256, by which the receiver of a file tells that it arrived whole.

use std::fmt::Write;

use ring::digest::{Context, SHA256};

/// A digest being computed.
pub(super) struct Sha256(Context);

impl Sha256 {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns it as `sha256sum` prints it.
    pub(super) fn hex(self) -> String {
        let digest = self.0.finish();
        digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}
