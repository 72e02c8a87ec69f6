//! Where calls go.

use super::values::{environment, in_file};
use crate::{
    config::WecomSection,
    job::{Connection, Error},
    wecom::BaseUrl,
};

/// The sandbox, or the address of the flag, `WECOM_BASE_URL`, the file, or the
/// documentation.
pub(super) fn connection(
    sandbox: bool,
    flag: Option<BaseUrl>,
    file: &WecomSection,
) -> Result<Connection, Error> {
    if sandbox {
        return Connection::sandbox();
    }
    if std::env::var_os("WECOM_BASE_URL").is_some_and(|url| url.to_str().is_none()) {
        return Err(Error::usage("WECOM_BASE_URL: it is not UTF-8"));
    }
    // Not clap's to read: a sandbox ignores the environment.
    let exported = environment("WECOM_BASE_URL").map(|text| BaseUrl::parse(&text));
    let exported = exported
        .transpose()
        .map_err(|why| Error::usage(format!("WECOM_BASE_URL: {why}")))?;
    let configured = file.base_url.as_deref().map(BaseUrl::parse).transpose();
    let configured = configured.map_err(|why| in_file("base_url", &why.to_string()))?;
    let base = flag.or(exported).or(configured);
    Ok(Connection::to(base.unwrap_or_else(BaseUrl::official)))
}
