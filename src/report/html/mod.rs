//! A job as HTML: the report, one file for itself, and the page that a run serves. Both are made of
//! the same sections, charts and texts; neither takes anything from elsewhere.

mod markup;
mod sections;
mod svg;
mod timeline;
mod words;

use markup::Markup;
use sections::MostRows;

use crate::{
    format::{date, time_of_day},
    job::Details,
};

pub(super) const STYLE: &str = include_str!("style.css");

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
    let most = MostRows {
        dealers: 500,
        runs: 100,
    };
    let mut html = Markup::default();
    begin(details, first, &mut html);
    html.raw("<main>").add(&sections::all(details, most));
    html.raw("</main>");
    end(&mut html);
    html.into_string()
}

/// The head of the document, and of the page.
fn begin(details: &Details, first: FirstLanguage, html: &mut Markup) {
    html.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"referrer\" content=\"no-referrer\">");
    html.raw("<link rel=\"icon\" href=\"data:,\">");
    html.raw("<title>idferry · ").text(name(details));
    html.raw("</title><style>").raw(STYLE);
    html.raw("</style></head><body><header><h1>idferry</h1><p class=\"job\">");
    html.text(details.status.state_file.display());
    if let Some(corp) = &details.status.corp_id {
        html.raw(" · ").text(corp);
    }
    html.raw("</p><p class=\"languages\">");
    language("en", first == FirstLanguage::English, html);
    html.raw("<label for=\"in-en\">English</label>");
    language("zh", first == FirstLanguage::Chinese, html);
    html.raw("<label for=\"in-zh\">中文</label></p></header>");
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
    html.raw("</footer></body></html>\n");
}

/// What the job is called: the stem of its file.
fn name(details: &Details) -> String {
    let stem = details.status.state_file.file_stem();
    stem.unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
