//! What people and programs read, pinned. Times, pids and durations are blanked.

use insta::assert_snapshot;

use super::{
    desk::{Desk, prompt, simulator},
    server::{Reply, Server},
};

/// Three subjects: linked twice, unlinked, rejected.
fn three() -> (Desk, Server) {
    let server = Server::with_token("token", |request| {
        let unionid = request.field("unionid");
        let reply = match &unionid[unionid.len() - 1..] {
            "0" => {
                r#"{"errcode":0,"errmsg":"ok","external_userid_info":[
                    {"corpid":"wpFirst","external_userid":"wmOne"},
                    {"corpid":"wpSecond","external_userid":"wmTwo"}]}"#
            }
            "1" => r#"{"errcode":0,"errmsg":"ok"}"#,
            _ => r#"{"errcode":610014,"errmsg":"invalid unionid"}"#,
        };
        Reply::Json(reply.to_owned())
    });
    (Desk::with_fans(3), server)
}

/// Words that look like a time, a date, a pid or a span of time are blanked.
fn blanked(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let words = line.split(' ').map(|word| {
            let bare = word.trim_matches(|c: char| "(),".contains(c));
            let shape: String = bare
                .chars()
                .map(|c| if c.is_ascii_digit() { '9' } else { c })
                .collect();
            let blank = match &*shape {
                "99:99:99" => "<time>",
                "9999-99-99" => "<date>",
                "9999-99-99T99:99:99+08:00" => "<moment>",
                _ => return word.to_owned(),
            };
            word.replace(bare, blank)
        });
        let line = words.collect::<Vec<_>>().join(" ");
        lines.push(match line.split_once("calls     ") {
            Some((_, calls)) => {
                format!("  calls     {} in <span>", calls.split(' ').next().unwrap())
            }
            None => between(&line, "(in ", ")"),
        });
    }
    lines.join("\n")
}

/// What stands between `from` and `to` is blanked.
fn between(line: &str, from: &str, to: &str) -> String {
    let cut = line.split_once(from).and_then(|(before, after)| {
        let (_, rest) = after.split_once(to)?;
        Some(format!("{before}{from}<span>{to}{rest}"))
    });
    cut.unwrap_or_else(|| line.to_owned())
}

#[test]
fn the_story_of_a_run() {
    let (desk, server) = three();
    let done = desk
        .idferry("run fans.csv --ticket none")
        .asking(server.base_url())
        .done();
    assert_snapshot!(blanked(&done.exits(3).err), @"");
    let stamped = desk.read("fans.links.csv");
    let results: Vec<_> = stamped
        .lines()
        .map(|line| {
            let (rest, last) = line.rsplit_once(',').unwrap();
            format!("{rest},{}", blanked(last))
        })
        .collect();
    assert_snapshot!(results.join("\n"), @"");
    assert_snapshot!(blanked(&desk.idferry("status").done().exits(0).out), @"");
    let json = desk.idferry("status --json").done().exits(0).out;
    let mut json: serde_json::Value = serde_json::from_str(&json).unwrap();
    json["run"]["pid"] = 1.into();
    let pretty = serde_json::to_string_pretty(&json).unwrap();
    let pretty: Vec<_> = pretty.lines().map(moments).collect();
    assert_snapshot!(pretty.join("\n"), @"");
}

fn moments(line: &str) -> String {
    match line.find("+08:00") {
        Some(end) => format!("{}<moment>{}", &line[..end - 19], &line[end + 6..]),
        None => line.to_owned(),
    }
}

#[test]
fn the_last_lines_at_the_end_of_a_quota() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(8);
    let command = "run fans.csv --ticket none --quota business.hour=5 --margin 0 --on-quota exit";
    let done = desk.idferry(command).at(&simulator).done().exits(75);
    assert_snapshot!(blanked(&done.err), @"");
}

#[test]
fn the_last_lines_when_the_secret_is_wrong() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(8);
    let typed = desk.idferry("run fans.csv --progress none").at(&simulator);
    let done = typed.env("WECOM_CORP_SECRET", "guessed").done().exits(4);
    let err = between(&done.err, "hint: [", "]");
    assert_snapshot!(blanked(&err), @"");
}

#[test]
fn help_is_short() {
    let desk = Desk::new();
    let help = |command: &str| {
        let line = format!("{command} -h");
        let done = desk.idferry(&line).env("COLUMNS", "100").done().exits(0);
        assert_eq!(done.err, "");
        done.out
    };
    assert_snapshot!(help(""), @"");
    assert_snapshot!(help("run"), @"");
    assert_snapshot!(help("status"), @"");
    assert_snapshot!(help("retry"), @"");
    assert_snapshot!(help("export"), @"");
    assert_snapshot!(help("simulate"), @"");
}
