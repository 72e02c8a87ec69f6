//! `--contract` and `[contract]`: what an input must look like.

use std::{fs, path::Path};

use super::values::in_file;
use crate::{
    config::ConfigFile,
    job::{Contract, Error},
};

/// Returns the contract of the flag's file, else that of the configuration, which may be empty.
///
/// # Errors
///
/// A usage error if the file cannot be read or has something else than rules.
pub(super) fn contract(flag: Option<&Path>, file: &ConfigFile) -> Result<Contract, Error> {
    if let Some(path) = flag {
        let why = |why: String| Error::usage(format!("the contract {}: {why}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| why(error.to_string()))?;
        return text.parse().map_err(why);
    }
    let mut contract = Contract::default();
    for (measure, rest) in &file.contract {
        let rule = contract.require(&format!("{measure} {rest}"));
        rule.map_err(|why| in_file("[contract]", &why))?;
    }
    Ok(contract)
}
