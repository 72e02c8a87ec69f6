//! The right reply in an odd dress, as gateways hand replies on: a client must read it all the
//! same.

use std::{borrow::Cow, io::Read};

use fastrand::Rng;
use flate2::{Compression, read::GzEncoder};

use super::call::{Oddity, Reply};

impl Reply {
    /// Returns the same reply, dressed by chance.
    pub(super) fn made_odd(self, rng: &mut Rng) -> Self {
        let oddity = rng.choice(Oddity::ALL);
        oddity.map_or(self.clone(), |oddity| self.dressed(oddity))
    }

    fn dressed(mut self, oddity: Oddity) -> Self {
        self.oddity = Some(oddity);
        let errcode = format!("\"errcode\":{}", self.errcode);
        let errmsg = format!("\"errmsg\":\"{}\"", self.errmsg);
        match oddity {
            Oddity::Bom => drop(self.body.splice(..0, *b"\xef\xbb\xbf")),
            Oddity::TextErrcode => {
                self.replace(&errcode, format!("\"errcode\":\"{}\"", self.errcode));
            }
            Oddity::NullErrmsg => self.replace(&errmsg, "\"errmsg\":null"),
            Oddity::NotUtf8 => {
                let bytes = b"\"errmsg\":\"\xb3\xc9\xb9\xa6\"";
                if let Some(place) = find(&self.body, errmsg.as_bytes()) {
                    drop(self.body.splice(place..place + errmsg.len(), *bytes));
                }
            }
            Oddity::MoreFields => {
                self.replace(
                    &errcode,
                    format!("\"trace\":{{\"errcode\":7}},{errcode},\"more\":[1,null]"),
                );
            }
            Oddity::Spacious => self.replace(&errcode, format!("\r\n\t {errcode}\r\n ")),
            Oddity::Gzip => self.body = packed(&self.body),
            Oddity::Plain | Oddity::Chunked | Oddity::Closing => {}
        }
        self
    }

    /// Replaces the first `text` in the body.
    fn replace<'t>(&mut self, text: &str, by: impl Into<Cow<'t, str>>) {
        if let Some(place) = find(&self.body, text.as_bytes()) {
            let bytes = by.into().into_owned().into_bytes();
            drop(self.body.splice(place..place + text.len(), bytes));
        }
    }
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    // Reading from memory cannot fail.
    let _ = GzEncoder::new(body, Compression::fast()).read_to_end(&mut packed);
    packed
}

fn find(body: &[u8], text: &[u8]) -> Option<usize> {
    body.windows(text.len()).position(|part| part == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dress_but_those_of_http_changes_the_body() {
        for oddity in Oddity::ALL {
            let reply = Reply::success("ok", |_| ());
            let is_of_http = matches!(oddity, Oddity::Plain | Oddity::Chunked | Oddity::Closing);
            let dressed = reply.clone().dressed(oddity);
            assert_eq!(dressed.body == reply.body, is_of_http, "{oddity:?}");
        }
    }
}
