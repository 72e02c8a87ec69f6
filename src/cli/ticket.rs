//! `idferry ticket`: custody of the one `mass_call_ticket` of a corp.

use std::{
    io::{self, IsTerminal, Read},
    path::PathBuf,
};

use super::{
    address::connection,
    args::QuotaFlags,
    console::{self, print_json, say},
    quota::{ConsentedCall, Place},
    signals::Signals,
    values::environment,
};
use crate::{
    clock::{Clock, Timestamp},
    config,
    job::{Error, Exit, ticket},
    report,
    runner::RunOptions,
    secret::Secret,
};

/// More bytes than a ticket, or the reply that brought it, has.
const LONGEST: u64 = 64 << 10;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: TicketAction,
}

#[derive(clap::Subcommand)]
enum TicketAction {
    /// Show how it stands with the corp's ticket; its text is not printed.
    Show {
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Apply for the ticket: once, for ever. Only after 20 lookups of the corp were answered, and
    /// only for a job that today's quota cannot finish.
    Apply(ConsentedCall),
    /// Store a ticket that was obtained in another way, from a file or standard input.
    Import {
        /// The ticket, or the whole reply that brought it; - is standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
        /// When it was obtained, such as 2026-11-22T09:00+08:00 [default: now].
        #[arg(long, value_name = "TIME", value_parser = time)]
        obtained_at: Option<Timestamp>,
        #[command(flatten)]
        place: Place,
    },
    /// Delete the ticket's text from the ledger. There is no second one.
    Forget {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
}

fn time(word: &str) -> Result<Timestamp, String> {
    Timestamp::parse(word).map_err(|_| "a time such as 2026-11-22T09:00+08:00".to_owned())
}

pub(super) fn run(args: Args) -> Result<Exit, Error> {
    let clock = Clock::system();
    match args.action {
        TicketAction::Show { json, place } => {
            let files = place.files()?;
            let status = ticket::status(&files.ledger, &place.corp(&files)?, clock)?;
            // A reader who closed the pipe has read enough.
            let _ = match json {
                true => print_json(&status),
                false => console::print(&report::ticket::render(&status, clock.now())),
            };
            Ok(Exit::Done)
        }
        TicketAction::Apply(call) => apply(&call, clock),
        TicketAction::Import {
            file,
            obtained_at,
            place,
        } => {
            let files = place.files()?;
            let corp = place.corp(&files)?;
            let text = read(&file)?;
            let at = obtained_at.unwrap_or_else(|| clock.now());
            let until = ticket::import(&files.ledger, &corp, text, at, clock)?;
            say(&format!(
                "{corp}: the ticket is stored, and sent until {until}"
            ));
            Ok(Exit::Done)
        }
        TicketAction::Forget { yes, place } => {
            let files = place.files()?;
            let corp = place.corp(&files)?;
            let question = "A corp obtains one ticket, ever (D96250). Delete its text?";
            if !yes && !console::agrees(question) {
                return Err(Error::usage("to forget the ticket needs consent: --yes"));
            }
            say(match ticket::forget(&files.ledger, &corp)? {
                true => "the ticket is deleted; that there was one is remembered",
                false => "there is no ticket to forget",
            });
            Ok(Exit::Done)
        }
    }
}

fn apply(call: &ConsentedCall, clock: Clock) -> Result<Exit, Error> {
    let signals = Signals::listen()?;
    let (file, files) = (call.place.config()?, call.place.files()?);
    let credentials = config::credentials(environment, &file.wecom)?;
    call.place.check_corp(&credentials.corp_id)?;
    let quota = QuotaFlags::default().quota(&file.run)?;
    ticket::check_application(&files, &credentials.corp_id, &quota, clock)?;
    let question =
        "A corp applies once, ever, and the ticket lives seven days (D96250). Apply now?";
    if !call.yes && !console::agrees(question) {
        return Err(Error::usage("an application needs consent: --yes"));
    }
    let connection = connection(false, call.base_url.clone(), &file.wecom)?;
    let timeout = RunOptions::default().call_timeout;
    let client = connection.client(credentials, timeout)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // The reply does not come a second time.
    signals.calls_started();
    let news = runtime.block_on(ticket::apply(&files.ledger, &client, timeout, clock))?;
    signals.calls_finished();
    say(&report::ticket::news(&news, |at| at.to_string()));
    Ok(match ticket::is_obtained(&news) {
        true => Exit::Done,
        false => Exit::Halted,
    })
}

/// Reads a ticket, bounded; never from an argument, which other users of the machine see.
fn read(file: &PathBuf) -> Result<Secret<Vec<u8>>, Error> {
    let name = file.display();
    let failed = |why: io::Error| Error::usage(format!("{name} cannot be read: {why}"));
    let mut text = Vec::new();
    if file.as_os_str() == "-" {
        if io::stdin().is_terminal() {
            say("paste the ticket, then press Enter and Ctrl-D");
        }
        io::stdin().lock().take(LONGEST + 1).read_to_end(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text))
    }
    .map_err(failed)?;
    let text = Secret::new(text);
    if text.expose().len() as u64 > LONGEST {
        return Err(Error::usage(format!("{name} is too long for a ticket")));
    }
    Ok(text)
}
