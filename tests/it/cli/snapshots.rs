//! What people and programs read, pinned. Times, pids and durations are blanked.

use insta::assert_snapshot;

use super::{
    server::{Reply, Server},
    test_dir::TestDir,
};

/// Three subjects: linked twice, unlinked, rejected.
fn three() -> (TestDir, Server) {
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
    (TestDir::with_fans(3), server)
}

/// Words that look like a time, a date, a pid or a span of time are blanked.
fn blanked(text: &str) -> String {
    let mut lines = Vec::new();
    // The quota in the last lines is that of some moment before.
    let spans = [".hour", ".day", ".month"];
    let is_quota =
        |line: &&str| line.starts_with("  ") && spans.iter().any(|span| line.ends_with(span));
    for line in text.lines().filter(|line| !is_quota(line)) {
        let words = line.split(' ').map(|word| {
            let bare = word.trim_matches(|c: char| "(),".contains(c));
            let shape: String = bare
                .chars()
                .map(|c| if c.is_ascii_digit() { '9' } else { c })
                .collect();
            let blank = match &*shape {
                "99:99:99" => "<time>",
                "9999-99-99" => "<date>",
                "9999-99-99T99:99:99+99:99" => "<moment>",
                _ => return word.to_owned(),
            };
            word.replace(bare, blank)
        });
        let line = words.collect::<Vec<_>>().join(" ");
        lines.push(match line.split_once("calls     ") {
            Some((_, calls)) => {
                format!("  calls     {} in <span>", calls.split(' ').next().unwrap())
            }
            // The date stands there too, if the time is tomorrow's.
            None => ["resumes at ", "come back at "]
                .into_iter()
                .fold(between(&line, "(in ", ")"), |line, before| {
                    between(&line, before, " (in")
                }),
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
    let (dir, server) = three();
    let done = dir
        .idferry("run fans.csv --ticket none")
        .with_server(server.base_url())
        .output();
    assert_snapshot!(blanked(&done.exits(3).err), @"
    fans.csv: 3 lines, 3 new subjects
    <date> (UTC+8)
    <time>  to be asked: 3 of 3 subjects
    Finished, but 1 subject rejected. (exit 3)

      linked    1   33.3 %
      unlinked  1   33.3 %
      rejected  1   33.3 %

      calls     3 in <span>
      results   fans.links.csv (4 lines)

      rejected  1  errcode 610014 无效的unionid (invalid unionid)
                   -> check these unionids at their source; they change when a mini
                      program moves to another open-platform account
    ");
    let stamped = dir.read("fans.links.csv");
    let results: Vec<_> = stamped
        .lines()
        .map(|line| {
            let (rest, last) = line.rsplit_once(',').unwrap();
            format!("{rest},{}", blanked(last))
        })
        .collect();
    assert_snapshot!(results.join("\n"), @r"
    unionid,openid,corpid,external_userid,pending_id,state,errcode,resolved_at
    oUnion0000000000000000000000,oOpen00000000000000000000000,wpFirst,wmOne,,linked,0,<moment>
    oUnion0000000000000000000000,oOpen00000000000000000000000,wpSecond,wmTwo,,linked,0,<moment>
    oUnion0000000000000000000001,oOpen00000000000000000000001,,,,unlinked,0,<moment>
    oUnion0000000000000000000002,oOpen00000000000000000000002,,,,rejected,610014,<moment>
    ");
    assert_snapshot!(blanked(&dir.idferry("status").exits(0).out), @"
    idferry.db · ww0123456789abcdef · <date> <time> (UTC+8)
    Ended at <time> with exit 3: Finished, but 1 subject rejected. Started at
    <time>, 3 calls.

      linked               1  33.3 %
      unlinked             1  33.3 %
      rejected             1  33.3 %

      basic.minute            3 of     9,800, 9,797 left
      basic.hour              3 of   147,000, 146,997 left
      business.hour           3 of    98,000, 97,997 left
      business.day            3 of   470,400, 470,397 left
      business.month          3 of 7,350,000, 7,349,997 left

      input           fans.csv (3 lines)
      results         fans.links.csv
    ");
    let mut status = dir.status();
    status["run"]["pid"] = 1.into();
    let ended = status["run"]["ended"].take();
    assert_eq!(ended["text"], "Finished, but 1 subject rejected.");
    let pretty = serde_json::to_string_pretty(&status).unwrap();
    let pretty: Vec<_> = pretty.lines().map(moments).collect();
    assert_snapshot!(pretty.join("\n"), @r#"
    {
      "activity": null,
      "asked_again": 0,
      "block": null,
      "corp_id": "ww0123456789abcdef",
      "counting": "sliding",
      "eta": "<moment>",
      "eta_seconds": 0,
      "inputs": [
        {
          "lines": 3,
          "name": "fans.csv",
          "rejected": 0,
          "subjects": 3
        }
      ],
      "run": {
        "calls": 3,
        "command": "run",
        "ended": null,
        "ended_at": "<moment>",
        "exit_code": 3,
        "next_command": "idferry run fans.csv --ticket none",
        "pid": 1,
        "seen_at": "<moment>",
        "started_at": "<moment>"
      },
      "running": false,
      "state": "ended",
      "state_file": "idferry.db",
      "subjects": {
        "linked": 1,
        "parked": 0,
        "queued": 0,
        "rejected": 1,
        "unlinked": 1
      },
      "ticket_expires_at": null,
      "version": 1,
      "waiting": null,
      "windows": [
        {
          "left": 9797,
          "limit": 9800,
          "room_at": null,
          "used": 3,
          "window": "basic.minute"
        },
        {
          "left": 146997,
          "limit": 147000,
          "room_at": null,
          "used": 3,
          "window": "basic.hour"
        },
        {
          "left": 97997,
          "limit": 98000,
          "room_at": null,
          "used": 3,
          "window": "business.hour"
        },
        {
          "left": 470397,
          "limit": 470400,
          "room_at": null,
          "used": 3,
          "window": "business.day"
        },
        {
          "left": 7349997,
          "limit": 7350000,
          "room_at": null,
          "used": 3,
          "window": "business.month"
        }
      ],
      "wishes": []
    }
    "#);
}

fn moments(line: &str) -> String {
    match line.find("+08:00") {
        Some(end) => format!("{}<moment>{}", &line[..end - 19], &line[end + 6..]),
        None => line.to_owned(),
    }
}

#[test]
fn the_last_lines_at_the_end_of_a_quota() {
    let (dir, simulator) = TestDir::with_simulator(8);
    let command = "run fans.csv --ticket none --quota business.hour=5 --margin 0 --on-quota exit";
    let done = dir.idferry(command).at(&simulator).exits(75);
    assert_snapshot!(blanked(&done.err), @"
    fans.csv: 8 lines, 8 new subjects
    <date> (UTC+8)
    <time>  to be asked: 8 of 8 subjects
    <time>  waiting: business.hour is used up, resumes at <span> (in <span>)
    Stopped: business.hour is used up, 3 subjects left. (exit 75)

      queued    3   37.5 %
      linked    3   37.5 %
      unlinked  2   25.0 %

      calls     5 in <span>
      results   fans.links.csv (8 lines)

    Next:
      come back at <span> (in <span>) and re-run the same command to resume
        idferry run fans.csv --ticket none --quota business.hour=5 --margin 0 --on-quota exit
    ");
}

#[test]
fn the_last_lines_when_the_secret_is_wrong() {
    let (dir, simulator) = TestDir::with_simulator(8);
    let typed = dir.idferry("run fans.csv --progress none").at(&simulator);
    let done = typed.env("WECOM_CORP_SECRET", "guessed").exits(4);
    let err = between(&done.err, "hint: [", "]");
    assert_snapshot!(blanked(&err), @r#"
    fans.csv: 8 lines, 8 new subjects
    Halted: the API refused gettoken with errcode 40001 不合法的secret参数 (invalid secret or credential). (exit 4)

      queued    8    100 %

      calls     0 in <span>
      results   fans.links.csv (8 lines)

    Next:
      the server's words: "invalid credential, hint: [<span>], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=40001"
      the server saw the call come from 127.0.0.1
      check WECOM_CORP_SECRET: it must be the shared app's own, not reset since, and
      the app enabled
      then re-run the same command to resume
        idferry run fans.csv --progress none
    "#);
}

#[test]
fn help_is_short() {
    let dir = TestDir::new();
    let help = |command: &str| {
        let line = format!("{command} -h");
        let done = dir.idferry(&line).env("COLUMNS", "100").exits(0);
        assert_eq!(done.err, "");
        done.out
    };
    assert_snapshot!(help(""), @r"
    Converts WeChat (unionid, openid) pairs to WeCom external_userids, within every quota and without
    losing an answer. Re-run the same command to resume

    Usage: idferry <COMMAND>

    Commands:
      run          Import the inputs, look every subject up, export. Re-run the same command to resume
      resync       As run, and ask again for answers that have grown old; for a nightly cron job
      plan         Estimate how long a run takes, with and without a ticket. Sends nothing, changes
                   nothing
      rehearse     Run against an in-memory simulator in virtual time: weeks in seconds
      status       Show what the job does, why it waits, and how much quota is left, also during a run
      pause        Let the run of this job, or the next one, send nothing until it is resumed
      resume       Let a paused run continue
      throttle     Slow the run of this job down, or lift that again
      stop         End the run of this job with work left: calls in flight are awaited
      retry        Ask for chosen answers again with the next run; old ones stay until new ones come
      export       Write the results so far, also during a run
      pending      The second road: external_userids of downstream corps become links, by their
                   pending_ids
      quota        Show the corp's quota over all jobs and processes; note calls made elsewhere
      ticket       Show, apply for, import or forget the corp's one mass_call_ticket (大批量调用凭据)
      runs         List the runs of this job: when, calls, how they ended, what they waited for
      report       Write one HTML file: how the job went, against the limits, also during a run
      backup       Copy the job file, also during a run
      doctor       Check what a run needs, with the next step for each thing that is missing; one call
      config       Write a configuration file with every default, or show where each value comes from
      completions  Print the completions of a shell
      man          Print the manual page, of idferry or of one command
      forget       Delete persons from the job file, and every byte of them; ledger and ticket stay
      simulate     Serve the simulated WeCom API on a loopback address, for any client
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version
    ");
    assert_snapshot!(help("run"), @r"
    Import the inputs, look every subject up, export. Re-run the same command to resume

    Usage: idferry run [OPTIONS] [INPUT]...

    Arguments:
      [INPUT]...  CSV files (.gz and .zst too) and Excel workbooks (.xlsx); - is standard input. Without
                  any, a run resumes the queue

    Options:
          --columns <NAME=HEADER,…>  Header names of the columns, such as
                                     unionid=会员unionid,openid=小程序openid
          --encoding <ENCODING>      utf-8, gb18030, utf-16le or utf-16be [default: detected]
          --delimiter <DELIMITER>    , ; tab or | [default: detected]
          --sheet <NAME>             The sheet of a workbook [default: the first]
          --corpid <ID>              Look in this downstream corp only
          --state <FILE>             The job file [env: IDFERRY_STATE] [default: idferry.db, with
                                     --sandbox sandbox.db]
          --ledger <FILE>            The ledger of calls, one for all jobs of a corp [env:
                                     IDFERRY_LEDGER] [default: ledger.db in $STATE_DIRECTORY,
                                     $XDG_STATE_HOME/idferry or ~/.local/state/idferry, with --sandbox
                                     sandbox.ledger.db]
          --config <FILE>            The configuration file [default: idferry.toml, if there is one]
          --output <FILE>            Where the results go; - is standard output, .gz and .zst are
                                     compressed [default: INPUT's stem + .links.csv, with --sandbox
                                     .sandbox.links.csv]
          --rejects <FILE>           Where invalid lines go [default: INPUT's stem + .rejects.csv, with
                                     --sandbox .sandbox.rejects.csv]
          --changes <FILE>           Write the links that this run gained and lost to FILE, with a
                                     column change
          --overwrite                Replace existing files that this job did not write; never an input
                                     or the job file
          --sandbox                  Call a simulator inside this process: real HTTP, no credentials
          --base-url <URL>           The API's address [env: WECOM_BASE_URL] [default:
                                     https://qyapi.weixin.qq.com]
          --ticket <POLICY>          The bulk ticket (大批量调用凭据), obtainable once: auto, apply, stored,
                                     postpone or none [default: auto] [possible values: auto, apply,
                                     stored, postpone, none]
          --pending-ids              Ask for a pending_id for every unlinked subject, beside the lookups
                                     and in a quota of its own: by it a later external_userid is
                                     recognised, for 90 days
          --quota <NAME=N>           The limit of a window, such as business.hour=50000 (repeatable);
                                     none removes all limits, for loopback addresses only [default: the
                                     published limits]
          --margin <F>               The share of every window left unused to allow for clock
                                     differences [default: 0.02]
          --reserve <F>              A further share left to other systems of the same corp [default: 0]
          --window <HOW>             How windows are counted: sliding or calendar [default: sliding]
          --concurrency <N>          The most calls in flight [default: adaptive, from 4 up to 64]
          --on-quota <ON_QUOTA>      When an hour, day or month is used up: wait, or export what there
                                     is and exit 75 [default: wait] [possible values: wait, exit]
          --budget <N>               Stop after this many calls; 0 only imports
          --until <HH:MM>            Stop at this time of day (+08:00)
          --max-duration <DURATION>  Stop after this long, such as 6h or 90m
          --error-budget <F>         Halt if more than this share of the last 200 answers are errors
                                     [default: 0.5]
          --progress <HOW>           How progress is shown [default: auto] [possible values: auto, bar,
                                     lines, json, none]
          --listen <ADDR>            Serve a read-only status page there, /metrics (Prometheus),
                                     /status.json and /healthz: a port of the loopback address, or an
                                     address such as 0.0.0.0:9464 [default: off]
          --contract <FILE>          What an input must look like, a rule a line, such as rows >= 0.8 x
                                     last; one that does not is refused before the first call [default:
                                     [contract] of the configuration]
          --yes                      Assume yes to all prompts
      -q, --quiet                    Print less: no progress, and no summary of a run that succeeds
      -v, --verbose...               Log what happens; repeat for more
          --log-format <LOG_FORMAT>  Format of log lines [default: text] [possible values: text, json]
          --log-file <FILE>          Append log lines to this file; SIGUSR2 opens it again, for
                                     logrotate
      -h, --help                     Print help (see more with '--help')
    ");
    assert_snapshot!(help("status"), @r"
    Show what the job does, why it waits, and how much quota is left, also during a run

    Usage: idferry status [OPTIONS]

    Options:
          --state <FILE>   The job file [env: IDFERRY_STATE] [default: idferry.db, with --sandbox
                           sandbox.db]
          --ledger <FILE>  The ledger of calls, one for all jobs of a corp [env: IDFERRY_LEDGER]
                           [default: ledger.db in $STATE_DIRECTORY, $XDG_STATE_HOME/idferry or
                           ~/.local/state/idferry, with --sandbox sandbox.ledger.db]
          --config <FILE>  The configuration file [default: idferry.toml, if there is one]
          --sandbox        Use the sandbox's job file, sandbox.db
          --json           Print one JSON object instead of text
          --watch          Print again every two seconds, until interrupted
      -h, --help           Print help
    ");
    assert_snapshot!(help("retry"), @r"
    Ask for chosen answers again with the next run; old ones stay until new ones come

    Usage: idferry retry [OPTIONS]

    Options:
          --outcome <OUTCOME>      Ask subjects with this outcome again: parked, rejected, unlinked or
                                   linked (repeatable) [default with --errcode: parked and rejected]
          --errcode <CODE>         Only outcomes with this errcode (repeatable)
          --older-than <DURATION>  Only answers that are older than this, such as 30d or 12h
          --limit <N>              No more than so many subjects, the first ones
          --cancel                 Take back what earlier retries asked for and no run has worked off
          --state <FILE>           The job file [env: IDFERRY_STATE] [default: idferry.db, with
                                   --sandbox sandbox.db]
          --ledger <FILE>          The ledger of calls, one for all jobs of a corp [env: IDFERRY_LEDGER]
                                   [default: ledger.db in $STATE_DIRECTORY, $XDG_STATE_HOME/idferry or
                                   ~/.local/state/idferry, with --sandbox sandbox.ledger.db]
          --config <FILE>          The configuration file [default: idferry.toml, if there is one]
          --sandbox                Use the sandbox's job file, sandbox.db
          --yes                    Assume yes to all prompts
      -h, --help                   Print help
    ");
    assert_snapshot!(help("export"), @r"
    Write the results so far, also during a run

    Usage: idferry export [OPTIONS]

    Options:
      -o, --output <FILE>                  Where the results go; - is standard output, .gz and .zst are
                                           compressed [default: the first input's stem + .links.csv]
          --overwrite                      Replace an existing file that this job did not write; never
                                           an input or the job file
          --format <FORMAT>                The format of the results [default: that of FILE's suffix,
                                           else csv] [possible values: csv, jsonl]
          --outcome <OUTCOME>              Only subjects with this outcome: queued, linked, unlinked,
                                           rejected or parked (repeatable)
          --corpid <ID>                    Only the lines of this downstream corp; with --join as the
                                           run had it
          --changed-since <last|RUN|TIME>  Only links gained or lost since the latest run began, since
                                           the run of a number (`idferry runs`), or since a moment such
                                           as 2026-11-20T00:00+08:00; the column change says added or
                                           removed
          --by <COLUMN>                    A file for each downstream corp, named by its corpid, with
                                           its own links and nothing else [possible values: corpid]
          --dir <DIR>                      The folder of these files; made if it is not there
          --manifest <FILE>                Where a list of the files goes, as JSON: lines, bytes and
                                           SHA-256 of each [default: none, with --by DIR/manifest.json]
          --join <INPUT>                   Every row and column of this input, in order, with the
                                           results behind them: one line per link [default output:
                                           INPUT's stem + .joined.csv]
          --columns <NAME=HEADER,…>        Header names of INPUT's columns, as for run
          --delimiter <DELIMITER>          , ; tab or | in INPUT [default: detected]
          --sheet <NAME>                   The sheet of INPUT, if it is a workbook [default: the first]
          --encoding <ENCODING>            The encoding of what is written: utf-8, gb18030, utf-16le or
                                           utf-16be [default: INPUT's]
          --input-encoding <ENCODING>      The encoding of INPUT [default: detected]
          --state <FILE>                   The job file [env: IDFERRY_STATE] [default: idferry.db, with
                                           --sandbox sandbox.db]
          --ledger <FILE>                  The ledger of calls, one for all jobs of a corp [env:
                                           IDFERRY_LEDGER] [default: ledger.db in $STATE_DIRECTORY,
                                           $XDG_STATE_HOME/idferry or ~/.local/state/idferry, with
                                           --sandbox sandbox.ledger.db]
          --config <FILE>                  The configuration file [default: idferry.toml, if there is
                                           one]
          --sandbox                        Use the sandbox's job file, sandbox.db
      -h, --help                           Print help
    ");
    assert_snapshot!(help("backup"), @r"
    Copy the job file, also during a run

    Usage: idferry backup [OPTIONS] <FILE>

    Arguments:
      <FILE>  Where the copy goes; it must not exist

    Options:
          --state <FILE>   The job file [env: IDFERRY_STATE] [default: idferry.db, with --sandbox
                           sandbox.db]
          --ledger <FILE>  The ledger of calls, one for all jobs of a corp [env: IDFERRY_LEDGER]
                           [default: ledger.db in $STATE_DIRECTORY, $XDG_STATE_HOME/idferry or
                           ~/.local/state/idferry, with --sandbox sandbox.ledger.db]
          --config <FILE>  The configuration file [default: idferry.toml, if there is one]
          --sandbox        Use the sandbox's job file, sandbox.db
      -h, --help           Print help
    ");
    assert_snapshot!(help("simulate"), @r"
    Serve the simulated WeCom API on a loopback address, for any client

    Usage: idferry simulate [OPTIONS]

    Options:
          --addr <ADDR>              The loopback address to serve on; port 0 picks a free one [default:
                                     127.0.0.1:0]
          --seed <SEED>              Seed of its people, its random choices and its credentials
                                     [default: 1]
          --faults <FAULTS>          How it misbehaves: none, mild, harsh, or KNOB=P,… (busy,
                                     concurrent, http5xx, reset_before, reset_after, hang, slow, cut,
                                     invalid, warning, token_killed, odd, page, redirect, http4xx,
                                     http429; burst, a share of the time) [default: mild]
          --limits <LIMITS>          The quota it enforces: published, none, or NAME=N,…
                                     (business.hour=500) [default: published]
          --window <WINDOW>          How it counts windows: sliding or calendar [default: sliding]
          --latency <LATENCY>        How long it takes to answer, such as 20ms-80ms or 0s [default:
                                     20ms-80ms]
          --concurrent <N>           Concurrent calls of one API before 45033; 0 for no limit [default:
                                     50]
          --token-life <TOKEN_LIFE>  Lifetime of an access token [default: 7200s]
          --others <RATE>            Lookups a second by other systems of the same corp [default: 0]
          --changing <F>             The share of its people who change dealers on a day [default: 0]
      -h, --help                     Print help
    ");
}
