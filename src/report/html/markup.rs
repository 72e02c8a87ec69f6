//! HTML and SVG under construction. Only literals are markup: whatever is known at run time alone is
//! escaped, because names of files and words of servers are anybody's.

use std::fmt::{self, Display, Write};

use super::words::Bilingual;

/// A piece of HTML.
#[derive(Debug, Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// Adds markup.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds a text or the value of an attribute.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        let _ = write!(Escaping(&mut self.0), "{text}");
        self
    }

    /// Adds a coordinate, with one decimal at most.
    pub(super) fn number(&mut self, number: f64) -> &mut Self {
        let tenths = (number * 10.0).round() / 10.0;
        let _ = write!(self.0, "{tenths}");
        self
    }

    /// Adds a text in both languages, of which the reader sees one.
    pub(super) fn say(&mut self, text: &Bilingual) -> &mut Self {
        if text.en == text.zh {
            return self.text(&text.en);
        }
        self.raw("<span lang=\"en\">").text(&text.en);
        self.raw("</span><span lang=\"zh\">").text(&text.zh);
        self.raw("</span>")
    }

    /// Adds another piece.
    pub(super) fn add(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// Returns the HTML.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

struct Escaping<'m>(&'m mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // A line of an event stream ends with either.
                '\n' | '\r' => self.0.push(' '),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}
