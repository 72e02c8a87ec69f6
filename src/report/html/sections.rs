//! The parts that page and report share, each a section with an id of its own.

use std::{collections::BTreeMap, time::Duration};

use super::{
    markup::Markup,
    svg, timeline,
    words::{self, Bilingual},
};
use crate::{
    format::{count, date, share, share_of, time_of_day},
    job::{Details, ListedRun},
    model::State,
};

/// How much is shown.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) dealers: usize,
    pub(super) runs: usize,
    /// Whether the recent past has a chart of its own.
    pub(super) is_live: bool,
}

/// All sections, one after the other.
pub(super) fn all(details: &Details, most: Extent) -> Markup {
    let mut html = Markup::default();
    head(details, &mut html);
    section(
        "timeline",
        &words::TIMELINE,
        &mut html,
        |html| match details.samples.is_empty() {
            true => note(&words::NO_CALLS, html),
            false => charts(details, most.is_live, html),
        },
    );
    html.raw("<div class=\"two\">");
    section("quota", &words::QUOTA, &mut html, |html| {
        quota(details, html);
    });
    section("outcomes", &words::OUTCOMES, &mut html, |html| {
        outcomes(details, html);
    });
    section("dealers", &words::DEALERS, &mut html, |html| {
        dealers(details, most.dealers, html);
    });
    section("errors", &words::ERRORS, &mut html, |html| {
        errors(details, html);
    });
    section("waits", &words::WAITS, &mut html, |html| {
        waits(details, html);
    });
    section("inputs", &words::INPUTS, &mut html, |html| {
        inputs(details, html);
    });
    html.raw("</div>");
    section("runs", &words::RUNS, &mut html, |html| {
        runs(details, most.runs, html);
    });
    html
}

fn section(
    id: &'static str,
    title: &Bilingual,
    html: &mut Markup,
    content: impl FnOnce(&mut Markup),
) {
    html.raw("<section id=\"").raw(id).raw("\"><h2>");
    html.say(title).raw("</h2>");
    content(html);
    html.raw("</section>");
}

/// What it does and why, how far it has come, and when it will be done.
fn head(details: &Details, html: &mut Markup) {
    let status = &details.status;
    let (state, class) = words::run_state(status);
    let tally = &status.subjects;
    html.raw("<section id=\"now\" data-title=\"");
    html.text(share(tally.answered(), tally.total()));
    html.raw(" · idferry\"><p class=\"state ").raw(class);
    html.raw("\"><i></i><b>").say(&state).raw("</b>");
    if let Some(why) = words::what_it_does(status) {
        html.raw("<span class=\"why\">").say(&why).raw("</span>");
    }
    html.raw("</p><p class=\"share\">");
    html.text(share(tally.answered(), tally.total()));
    html.raw("</p>");
    stacked_outcomes(details, html);
    html.raw("<p class=\"of\"><b>")
        .text(count(tally.answered()));
    html.raw("</b> / ").text(count(tally.total())).raw(" ");
    html.say(&words::ANSWERED);
    if let Some(finish) = words::finish(details) {
        html.raw("<span class=\"finish\">");
        html.say(&finish).raw("</span>");
    }
    html.raw("</p><dl>");
    for (name, number) in figures(details) {
        html.raw("<div><dt>").say(name).raw("</dt><dd>");
        html.text(number).raw("</dd></div>");
    }
    html.raw("</dl></section>");
}

fn charts(details: &Details, is_live: bool, html: &mut Markup) {
    if !is_live || !timeline::goes_back(details) {
        return timeline::draw(details, false, html);
    }
    note(&words::RECENTLY, html);
    timeline::draw(details, true, html);
    html.raw("<hr>");
    note(&words::ALL_ALONG, html);
    timeline::draw(details, false, html);
}

fn figures(details: &Details) -> Vec<(&'static Bilingual, String)> {
    let status = &details.status;
    let mut figures = Vec::new();
    let queued = status.subjects.of(State::Queued);
    if queued > 0 {
        figures.push((&words::LEFT_TO_ASK, count(queued)));
    }
    if status.asked_again > 0 {
        figures.push((&words::ASKED_AGAIN, count(status.asked_again)));
    }
    if status.running {
        let minute = status.now.minus(Duration::from_secs(90));
        let latest = details.samples.iter().filter(|sample| sample.at >= minute);
        let calls = latest.map(|sample| sample.calls).sum();
        figures.push((&words::CALLS_NOW, count(calls)));
    }
    if let Some(run) = &status.run {
        figures.push((&words::CALLS_OF_RUN, count(run.calls)));
    }
    let calls: u64 = details.samples.iter().map(|sample| sample.calls).sum();
    let answered: u64 = details.samples.iter().map(|sample| sample.answered).sum();
    if answered > 0 {
        #[expect(clippy::cast_precision_loss, reason = "only looked at")]
        let each = calls as f64 / answered as f64;
        figures.push((&words::CALLS_PER_SUBJECT, format!("{each:.3}")));
    }
    let links: u64 = details.dealers.iter().map(|(_, links)| links).sum();
    if links > 0 {
        figures.push((&words::LINKS, count(links)));
    }
    figures
}

fn stacked_outcomes(details: &Details, html: &mut Markup) {
    let tally = &details.status.subjects;
    let answered = State::ALL.into_iter().skip(1);
    let parts: Vec<_> = answered
        .map(|state| {
            let share = share_of(tally.of(state), tally.total());
            (words::state_class(state), share)
        })
        .collect();
    svg::stacked(&parts, html);
}

fn quota(details: &Details, html: &mut Markup) {
    let status = &details.status;
    if status.windows.is_empty() {
        note(&words::NO_LIMITS, html);
    }
    for window in &status.windows {
        let used = share_of(window.used, window.limit);
        let class = if window.left == 0 { "full" } else { "used" };
        html.raw("<div class=\"gauge\"><p><b>").text(window.window);
        html.raw("</b><span>").text(count(window.used));
        html.raw(" / ").text(count(window.limit));
        html.raw("</span></p>");
        svg::stacked(&[(class, used)], html);
        html.raw("<p class=\"soft\"><span>");
        html.say(&words::window(window.window));
        html.raw("</span><span>");
        let room = words::room(&count(window.left), window.room_at, status.now);
        html.say(&room).raw("</span></p></div>");
    }
}

fn outcomes(details: &Details, html: &mut Markup) {
    let tally = &details.status.subjects;
    html.raw("<table><thead><tr><th></th><th class=\"n\">");
    html.say(&words::SUBJECTS).raw("</th><th class=\"n\">");
    html.say(&words::SHARE).raw("</th></tr></thead><tbody>");
    for state in State::ALL {
        let subjects = tally.of(state);
        html.raw("<tr><td><i class=\"key ");
        html.raw(words::state_class(state)).raw("\"></i><b>");
        html.say(&words::state(state)).raw("</b><small>");
        html.say(&words::state_meaning(state));
        html.raw("</small></td><td class=\"n\">");
        html.text(count(subjects)).raw("</td><td class=\"n\">");
        html.text(share(subjects, tally.total()));
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table>");
}

fn errors(details: &Details, html: &mut Markup) {
    const MOST: usize = 30;
    if details.refusals.is_empty() {
        return note(&words::NO_ERRORS, html);
    }
    html.raw("<table><tbody>");
    for refused in details.refusals.iter().take(MOST) {
        let (why, next) = words::refusal(refused);
        html.raw("<tr><td><i class=\"key ");
        html.raw(words::state_class(refused.state))
            .raw("\"></i><b>");
        html.say(&why).raw("</b><small>");
        html.say(&words::state(refused.state)).raw(" · ");
        html.text(next).raw("</small></td><td class=\"n\">");
        html.text(count(refused.subjects)).raw("</td></tr>");
    }
    html.raw("</tbody></table>");
    more(details.refusals.len(), MOST, html);
}

fn dealers(details: &Details, most: usize, html: &mut Markup) {
    if details.dealers.is_empty() {
        return note(&words::NO_LINKS, html);
    }
    let highest = details.dealers.first().map_or(0, |(_, links)| *links);
    html.raw("<table><thead><tr><th>").say(&words::DEALER);
    html.raw("</th><th></th><th class=\"n\">")
        .say(&words::LINKS);
    html.raw("</th></tr></thead><tbody>");
    for (corpid, links) in details.dealers.iter().take(most) {
        html.raw("<tr><td class=\"id\">").text(corpid);
        html.raw("</td><td class=\"barcell\">");
        svg::stacked(&[("used", share_of(*links, highest))], html);
        html.raw("</td><td class=\"n\">").text(count(*links));
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table>");
    more(details.dealers.len(), most, html);
}

fn waits(details: &Details, html: &mut Markup) {
    let mut waits: BTreeMap<&str, u64> = BTreeMap::new();
    let waited = details
        .samples
        .iter()
        .filter(|sample| !sample.hold.is_empty());
    for sample in waited {
        *waits.entry(&sample.hold).or_default() += sample.millis;
    }
    waits.retain(|_, millis| *millis >= 1000);
    if waits.is_empty() {
        return note(&words::NO_WAITS, html);
    }
    let mut waits: Vec<_> = waits.into_iter().collect();
    waits.sort_by_key(|(_, millis)| std::cmp::Reverse(*millis));
    html.raw("<table><tbody>");
    for (code, millis) in waits {
        html.raw("<tr><td><i class=\"key ");
        html.raw(words::wait_class(code).unwrap_or("rest"));
        html.raw("\"></i>").say(&words::wait_name(code));
        html.raw("</td><td class=\"n\">");
        html.say(&words::span(Duration::from_millis(millis)));
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table>");
}

fn inputs(details: &Details, html: &mut Markup) {
    const MOST: usize = 10;
    let inputs = &details.status.inputs;
    html.raw("<table><thead><tr><th></th>");
    for name in [&words::LINES, &words::NEW, &words::INVALID] {
        html.raw("<th class=\"n\">").say(name).raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
    for input in inputs.iter().rev().take(MOST) {
        html.raw("<tr><td class=\"id\">")
            .text(&input.name)
            .raw("</td>");
        for number in [input.lines, input.subjects, input.rejected] {
            html.raw("<td class=\"n\">")
                .text(count(number))
                .raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>");
    more(inputs.len(), MOST, html);
}

fn runs(details: &Details, most: usize, html: &mut Markup) {
    if details.runs.is_empty() {
        return note(&words::NO_RUNS, html);
    }
    html.raw("<table><thead><tr><th>").say(&words::STARTED);
    html.raw("</th><th>").say(&words::HOW_IT_ENDED);
    html.raw("</th><th class=\"n\">").say(&words::TOOK);
    html.raw("</th><th class=\"n\">").say(&words::CALLS);
    html.raw("</th></tr></thead><tbody>");
    for run in details.runs.iter().rev().take(most) {
        row_of_run(run, details, html);
    }
    html.raw("</tbody></table>");
    more(details.runs.len(), most, html);
}

fn row_of_run(run: &ListedRun, details: &Details, html: &mut Markup) {
    let end = match run.running {
        true => details.status.now,
        false => run.ended_at.unwrap_or(run.seen_at),
    };
    html.raw("<tr><td><b>").text(date(run.started_at)).raw(" ");
    html.text(time_of_day(run.started_at)).raw("</b><small>");
    html.text(&run.command).raw("</small></td><td>");
    match run.exit_code {
        _ if run.running => {
            html.say(&words::run_state(&details.status).0);
        }
        Some(code) => {
            let said = run.ended.as_ref().and_then(|said| said["text"].as_str());
            let chinese = words::exit(code);
            let ending = Bilingual {
                en: said.map_or(chinese.en, |said| said.to_owned().into()),
                zh: chinese.zh,
            };
            html.say(&ending).raw(" <small>exit ").text(code);
            html.raw("</small>");
        }
        None => {
            html.say(&words::BROKE_OFF);
        }
    }
    html.raw("</td><td class=\"n\">");
    html.say(&words::span(end.since(run.started_at)));
    html.raw("</td><td class=\"n\">").text(count(run.calls));
    html.raw("</td></tr>");
}

fn note(text: &Bilingual, html: &mut Markup) {
    html.raw("<p class=\"soft\">").say(text).raw("</p>");
}

fn more(rows: usize, most: usize, html: &mut Markup) {
    if let Some(more) = rows.checked_sub(most).filter(|more| *more > 0) {
        note(&words::and_more(&count(more as u64)), html);
    }
}
