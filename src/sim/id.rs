//! Ids of the observed form, which no page documents: two letters and 30 of `A-Za-z0-9-_`.

use serde::{Serialize, Serializer};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An id of 32 ASCII characters: kind (2), owner (8), payload (22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id([u8; 32]);

impl Id {
    /// Returns an id of `kind`, two ASCII letters. Ids of one `owner` share their beginning, as
    /// real ones do.
    pub(super) fn new(kind: [u8; 2], owner: u64, payload: u128) -> Self {
        let mut text = [0; 32];
        text[..2].copy_from_slice(&kind);
        spell(u128::from(owner), &mut text[2..10]);
        spell(payload, &mut text[10..]);
        Self(text)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The id as ASCII bytes.
    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the payload of `text`; `None` if it is not of the form of an id.
    pub(super) fn payload(text: &str) -> Option<u128> {
        let payload = text.as_bytes().get(10..32)?;
        payload.iter().try_fold(0_u128, |sum, letter| {
            let digit = ALPHABET.iter().position(|known| known == letter)?;
            Some((sum << 6) | digit as u128)
        })
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Writes `number` in base 64, most significant first, cut to what fits.
fn spell(mut number: u128, text: &mut [u8]) {
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(number & 63) as usize];
        number >>= 6;
    }
}

/// Draws `length` characters, for tokens and tickets.
pub(super) fn random(rng: &mut fastrand::Rng, length: usize) -> String {
    (0..length)
        .map(|_| char::from(ALPHABET[rng.usize(..ALPHABET.len())]))
        .collect()
}
