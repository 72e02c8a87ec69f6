//! Standard error: a message is a line, a line above the progress bar, or, if a program reads it,
//! an event.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::OnceLock,
};

use serde::Serialize;

use crate::{
    job::Exit,
    report::{BarWriter, Summary, json, style},
};

static CONSOLE: OnceLock<Console> = OnceLock::new();

/// What standard error is used for, if not for plain lines.
enum Console {
    /// A progress bar, which messages push down.
    Bar(BarWriter),
    /// A JSON object a line and nothing else.
    Events,
}

/// From here on a bar is drawn.
pub(super) fn attach_bar(bar: BarWriter) {
    let _ = CONSOLE.set(Console::Bar(bar));
}

/// From here on a program reads.
pub(super) fn send_events() {
    let _ = CONSOLE.set(Console::Events);
}

/// Writes a line for people.
pub(super) fn say(line: &str) {
    match CONSOLE.get() {
        Some(Console::Events) => write_json(&json::message(line)),
        Some(Console::Bar(bar)) => write(bar.clone(), line),
        None => write(io::stderr(), line),
    }
}

/// Asks a question that is answered on the terminal with yes or no; without a terminal it is no.
pub(super) fn agrees(question: &str) -> bool {
    ask(question) == Some(true)
}

/// The same; `None` without a terminal.
pub(super) fn ask(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    Some(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "是"))
}

/// Writes a text for people to standard output; returns whether its reader is still there.
pub(super) fn print(text: &str) -> bool {
    print_raw(&style::printable_painted(text))
}

/// Writes a value for programs to standard output, in a line of JSON; returns whether its reader is
/// still there.
pub(super) fn print_json(value: &impl Serialize) -> bool {
    let json = serde_json::to_string(value).unwrap_or_default();
    print_raw(&(style::printable_json(&json) + "\n"))
}

/// Writes a text that is safe to print to standard output.
pub(super) fn print_raw(text: &str) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// Writes the last line of a process that exits immediately, without a bar.
pub(super) fn final_message(line: &str) {
    match CONSOLE.get() {
        Some(Console::Bar(bar)) => {
            bar.take_away();
            write(io::stderr(), line);
        }
        _ => say(line),
    }
}

/// Writes the end of a run: for a program always, for people who want less only if it did not end
/// well.
pub(super) fn summarise(summary: &Summary, quiet: bool) {
    match CONSOLE.get() {
        Some(Console::Events) => write_json(&json::ended(summary)),
        _ if quiet && summary.exit == Exit::Done => {}
        _ => say(summary.to_string().trim_end()),
    }
}

fn write_json(event: &str) {
    let _ = io::stderr().write_all((style::printable_json(event) + "\n").as_bytes());
}

/// A reader who closed the pipe does not want the line. What it quotes cannot steer a terminal.
fn write(mut out: impl Write, line: &str) {
    let line = style::printable_painted(line);
    let _ = out.write_all(format!("{line}\n").as_bytes());
}
