//! A job as HTML: the report, one file for itself, and the page that a run serves. Both are made of
//! the same sections, charts and texts; neither takes anything from elsewhere.

mod markup;
mod sections;
mod svg;
mod timeline;
mod words;

use markup::Markup;
use sections::Extent;

use crate::{
    format::{date, time_of_day},
    job::Details,
};

/// The style sheet of both.
const STYLE: &str = include_str!("style.css");
/// What the page does by itself: hears the events, remembers the language.
const SCRIPT: &str = include_str!("page.js");

/// The language that is shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FirstLanguage {
    /// English.
    #[default]
    English,
    /// Chinese.
    Chinese,
}

/// Returns the report.
pub(crate) fn report(details: &Details, first: FirstLanguage) -> String {
    let extent = Extent {
        dealers: 500,
        runs: 100,
        is_live: false,
    };
    let mut html = Markup::default();
    begin(Some(details), first, &mut html);
    as_of(details, &mut html);
    html.raw("<main>").add(&sections::all(details, extent));
    html.raw("</main>");
    end(&mut html);
    html.raw("</body></html>\n");
    html.into_string()
}

/// Returns the page of a run with these sections; the script brings newer ones.
pub(super) fn page(details: Option<&Details>, sections: &str) -> String {
    let mut html = Markup::default();
    begin(details, FirstLanguage::English, &mut html);
    html.raw("<p id=\"lost\" hidden>").say(&words::LOST);
    html.raw("</p><main>");
    let mut page = html.into_string();
    page.push_str(sections);
    let mut html = Markup::default();
    html.raw("</main>");
    end(&mut html);
    html.raw("<script>").raw(SCRIPT);
    html.raw("</script></body></html>\n");
    page + &html.into_string()
}

/// Returns the parts of the page that change, in one line.
pub(super) fn sections(details: Option<&Details>) -> String {
    let extent = Extent {
        dealers: 12,
        runs: 8,
        is_live: true,
    };
    let mut html = Markup::default();
    match details {
        Some(details) => {
            as_of(details, &mut html);
            html.add(&sections::all(details, extent));
        }
        None => {
            html.raw("<section id=\"now\" data-title=\"idferry\">");
            html.say(&words::STARTING).raw("</section>");
        }
    }
    html.into_string()
}

/// The head of the document, and of the page.
fn begin(details: Option<&Details>, first: FirstLanguage, html: &mut Markup) {
    html.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"referrer\" content=\"no-referrer\">");
    html.raw("<link rel=\"icon\" href=\"data:,\">");
    html.raw("<title>idferry");
    if let Some(details) = details {
        html.raw(" · ").text(name(details));
    }
    html.raw("</title><style>").raw(STYLE);
    html.raw("</style></head><body><header><h1>idferry</h1><p class=\"job\">");
    if let Some(details) = details {
        html.text(details.status.state_file.display());
        if let Some(corp) = &details.status.corp_id {
            html.raw(" · ").text(corp);
        }
    }
    html.raw("</p><p class=\"languages\">");
    language("en", first == FirstLanguage::English, html);
    html.raw("<label for=\"in-en\">English</label>");
    language("zh", first == FirstLanguage::Chinese, html);
    html.raw("<label for=\"in-zh\">中文</label></p></header>");
}

fn as_of(details: &Details, html: &mut Markup) {
    let now = details.status.now;
    let moment = format!("{} {}", date(now), time_of_day(now));
    html.raw("<p id=\"as-of\">").say(&words::as_of(&moment));
    html.raw("</p>");
}

fn language(name: &'static str, is_first: bool, html: &mut Markup) {
    html.raw("<input type=\"radio\" name=\"language\" id=\"in-");
    html.raw(name).raw("\"");
    html.raw(if is_first { " checked>" } else { ">" });
}

fn end(html: &mut Markup) {
    html.raw("<footer>").say(&words::BY_CLOCK).raw(" ");
    html.say(&words::NO_PERSONS).raw(" idferry ");
    html.raw(env!("CARGO_PKG_VERSION"));
    html.raw("</footer>");
}

/// What the job is called: the stem of its file.
fn name(details: &Details) -> String {
    let stem = details.status.state_file.file_stem();
    stem.unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
