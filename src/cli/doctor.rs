//! `idferry doctor`: what stands in the way of a run, line by line, with the next step.

use serde::Serialize;

use super::{
    address::connection,
    console::{print, print_json, say},
    job_flags::StateFile,
    open_files, validate,
    values::environment,
};
use crate::{
    config::{self, ConfigFile},
    job::{
        Check, Connection, Credentials, Error, Exit, Grade, JobFiles, JobState, LookedUp,
        SessionSettings, check_files, look_up_one,
    },
    report,
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
    let mut checks = Vec::new();
    match args.state.file() {
        Ok(file) => check(args, &file, &mut checks)?,
        Err(why) => checks.push(Check::fail("configuration", why.message)),
    }
    let fails = checks.iter().any(|check| check.grade == Grade::Fail);
    if args.json {
        print_json(&Findings { version: 1, checks });
    } else {
        print(&report::doctor::render(&checks));
    }
    Ok(if fails { Exit::Halted } else { Exit::Done })
}

fn check(args: &Args, file: &ConfigFile, checks: &mut Vec<Check>) -> Result<(), Error> {
    let credentials = config::credentials(environment, &file.wecom);
    checks.push(match &credentials {
        Ok(found) => Check::ok(
            "credentials",
            format!("corp {}, {}", found.corp_id, origin(file)),
        ),
        Err(why) => Check::fail("credentials", why.to_string()),
    });
    let credentials = credentials.ok();
    let settings = usable("configuration", validate::settings(file), checks);
    let connection = connection(false, args.base_url.clone(), &file.wecom);
    let connection = usable("address", connection, checks);
    let files = args.state.files(&file.run, false);
    let Some(files) = usable("files", files, checks) else {
        return Ok(());
    };
    let corp_id = credentials.as_ref().map(|found| found.corp_id.as_str());
    let (state, found) = check_files(&files, corp_id);
    checks.extend(found);
    checks.push(open_files::check());
    checks.extend(connection.as_ref().map(proxy));
    if let (Some((settings, _)), Some(connection), Some(credentials), false) =
        (settings, connection, credentials, args.offline)
    {
        let first = FirstCall {
            files,
            settings,
            connection,
            credentials,
        };
        checks.extend(first.make(state)?);
    }
    Ok(())
}

/// What can be used; else a line that says why not.
fn usable<T>(name: &'static str, found: Result<T, Error>, checks: &mut Vec<Check>) -> Option<T> {
    found
        .map_err(|why| checks.push(Check::fail(name, why.message)))
        .ok()
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

/// The first call of a run.
struct FirstCall {
    files: JobFiles,
    settings: SessionSettings,
    connection: Connection,
    credentials: Credentials,
}

impl FirstCall {
    /// Makes it, or says why there is none.
    fn make(self, state: JobState) -> Result<Vec<Check>, Error> {
        match state {
            JobState::Idle(1..) => {}
            JobState::Running => {
                let found = "not tried: a run is making calls; `idferry status` says how it does";
                return Ok(vec![Check::ok("calls", found)]);
            }
            JobState::Paused => {
                let next = "`idferry resume`, then type this again";
                return Ok(vec![Check::warn(
                    "calls",
                    "not tried: the job is paused",
                    next,
                )]);
            }
            JobState::Idle(_) | JobState::Absent => {
                let next = "`idferry run INPUT --budget 0` imports one, then type this again";
                let found = "not tried: there is no queued subject to look up";
                return Ok(vec![Check::warn("calls", found, next)]);
            }
        }
        say("looking one queued subject up: the call is charged, its answer kept");
        let timeout = self.settings.options.call_timeout;
        let client = self.connection.client(self.credentials, timeout)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let looked_up = runtime.block_on(look_up_one(&self.files, self.settings, client));
        Ok(match looked_up {
            Ok(looked_up) => verdict(&looked_up, &self.connection.address()),
            Err(error) => vec![Check::fail("calls", error.message)],
        })
    }
}

fn verdict(looked_up: &LookedUp, address: &str) -> Vec<Check> {
    let trouble = report::doctor::trouble(&looked_up.reason, address);
    let mut checks = Vec::new();
    if !matches!(trouble, Some(("token" | "address", _))) {
        checks.push(Check::ok("token", format!("fetched from {address}")));
    }
    checks.push(match trouble {
        Some((name, found)) => Check::fail(name, found),
        None if looked_up.is_answered => Check::ok("permission", "the lookup was answered"),
        None => Check::fail("lookup", report::doctor::NOT_ANSWERED),
    });
    match &looked_up.clock {
        Some(clock) => {
            let found = report::doctor::clock(clock);
            checks.push(Check::warn("clock", found, report::doctor::SET_CLOCK));
        }
        None if looked_up.is_answered => {
            checks.push(Check::ok("clock", "within a minute of the API's"));
        }
        None => {}
    }
    checks
}
