//! `idferry doctor`: what stands in the way of a run, line by line, with the next step.

use serde::Serialize;

use super::{
    address::connection,
    console::{print, print_json, say},
    job_flags::StateFile,
    open_files,
    values::environment,
};
use crate::{
    config::{self, ConfigFile},
    job::{
        Check, Connection, Credentials, Error, Exit, Grade, JobFiles, JobState, SessionSettings,
        check_files, look_up_one,
    },
    report,
    runner::event::StopReason,
    wecom::BaseUrl,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    state: StateFile,
    /// The API's address [env: WECOM_BASE_URL] [default: https://qyapi.weixin.qq.com].
    #[arg(long, value_name = "URL")]
    base_url: Option<BaseUrl>,
    /// Make no call: look at this machine only.
    #[arg(long)]
    offline: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What was found, of the form `version`.
#[derive(Serialize)]
struct Findings {
    version: u32,
    checks: Vec<Check>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let checks = match args.state.file() {
        Ok(file) => check(args, &file)?,
        Err(why) => vec![Check::fail("configuration", why.message)],
    };
    let fails = checks.iter().any(|check| check.grade == Grade::Fail);
    if args.json {
        print_json(&Findings { version: 1, checks });
    } else {
        print(&report::doctor::render(&checks));
    }
    Ok(if fails { Exit::Halted } else { Exit::Done })
}

fn check(args: &Args, file: &ConfigFile) -> Result<Vec<Check>, Error> {
    let files = args.state.files(&file.run, false)?;
    let connection = connection(false, args.base_url.clone(), &file.wecom)?;
    let credentials = config::credentials(environment, &file.wecom);
    let mut checks = vec![match &credentials {
        Ok(found) => Check::ok(
            "credentials",
            format!("corp {}, {}", found.corp_id, origin(file)),
        ),
        Err(why) => Check::fail("credentials", why.to_string()),
    }];
    let credentials = credentials.ok();
    let corp_id = credentials.as_ref().map(|found| found.corp_id.as_str());
    let (state, found) = check_files(&files, corp_id);
    checks.extend(found);
    checks.push(open_files::check());
    checks.push(proxy(&connection));
    if let Some(credentials) = credentials.filter(|_| !args.offline) {
        checks.extend(calls(state, &files, &connection, credentials)?);
    }
    Ok(checks)
}

/// Where the secret comes from.
fn origin(file: &ConfigFile) -> &'static str {
    let set = |name| environment(name).is_some();
    if set("WECOM_CORP_SECRET") {
        "secret from WECOM_CORP_SECRET"
    } else if set("WECOM_CORP_SECRET_FILE") {
        "secret from the file of WECOM_CORP_SECRET_FILE"
    } else if file.wecom.corp_secret_file.is_some() {
        "secret from the file that the configuration names"
    } else {
        "secret from the configuration"
    }
}

fn proxy(connection: &Connection) -> Check {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let found = names
        .iter()
        .find_map(|name| Some((name, environment(name)?)));
    match found.filter(|_| !connection.is_loopback()) {
        None => Check::ok("proxy", "none"),
        Some((name, address)) => {
            // Without user and password.
            let host = address.rsplit('@').next().unwrap_or_default();
            Check::ok("proxy", format!("{host} ({name})"))
        }
    }
}

/// The first call of a run, or why there is none.
fn calls(
    state: JobState,
    files: &JobFiles,
    connection: &Connection,
    credentials: Credentials,
) -> Result<Vec<Check>, Error> {
    match state {
        JobState::Idle(1..) => {}
        JobState::Running => {
            let found = "not tried: a run is making calls; `idferry status` says how it does";
            return Ok(vec![Check::ok("calls", found)]);
        }
        JobState::Idle(_) | JobState::Absent => {
            let next = "`idferry run INPUT --budget 0` imports one, then type this again";
            let found = "not tried: there is no queued subject to look up";
            return Ok(vec![Check::warn("calls", found, next)]);
        }
    }
    say("looking one queued subject up: the call is charged, its answer kept");
    let settings = SessionSettings::default();
    let client = connection.client(credentials, settings.options.call_timeout)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let reason = runtime.block_on(look_up_one(files, settings, client));
    Ok(match reason {
        Ok(reason) => verdict(&reason, connection),
        Err(error) => vec![Check::fail("calls", error.message)],
    })
}

fn verdict(reason: &StopReason, connection: &Connection) -> Vec<Check> {
    let token = || Check::ok("token", format!("fetched from {}", connection.address()));
    let (name, found) = match report::doctor::trouble(reason, &connection.address()) {
        None => return vec![token(), Check::ok("permission", "the lookup was answered")],
        Some(trouble) => trouble,
    };
    let mut checks = Vec::new();
    if name != "token" && name != "address" {
        checks.push(token());
    }
    checks.push(Check::fail(name, found));
    checks
}
