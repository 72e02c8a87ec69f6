//! The program: hands the command line to [`idferry::cli`] and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    idferry::cli::main()
}
