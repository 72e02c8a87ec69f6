//! How a source is to be read, where the operator knows better than detection.

use std::str::FromStr;

use super::Encoding;

/// What the operator said about the inputs; the default leaves everything to detection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// `--columns`: header names that stand for ours.
    pub columns: Columns,
    /// `--encoding`: `None` detects it.
    pub encoding: Option<Encoding>,
    /// `--delimiter`: `None` detects it; see [`parse_delimiter`].
    pub delimiter: Option<u8>,
    /// `--corpid`: the downstream corp every row asks for; a row that names another is an error.
    pub corpid: Option<String>,
}

/// The header names under which the needed columns stand, as far as the operator gave them.
///
/// Parsed from `unionid=会员unionid,openid=小程序openid`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// The header name of the unionid column.
    pub unionid: Option<String>,
    /// The header name of the openid column.
    pub openid: Option<String>,
    /// The header name of the corpid column.
    pub corpid: Option<String>,
}

impl FromStr for Columns {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let mut columns = Self::default();
        // A Chinese keyboard types the full-width comma.
        for pair in list.split([',', '\u{ff0c}']) {
            let Some((ours, theirs)) = pair.split_once('=') else {
                return Err(format!("'{pair}' is not of the form {FORM}"));
            };
            let (ours, theirs) = (ours.trim(), theirs.trim());
            let place = match ours.to_ascii_lowercase().as_str() {
                "unionid" => &mut columns.unionid,
                "openid" => &mut columns.openid,
                "corpid" => &mut columns.corpid,
                _ => return Err(format!("'{ours}' is not one of unionid, openid, corpid")),
            };
            if theirs.is_empty() {
                return Err(format!("no column is named for {ours}; the form is {FORM}"));
            }
            if place.replace(theirs.to_owned()).is_some() {
                return Err(format!("{ours} is named twice"));
            }
        }
        Ok(columns)
    }
}

const FORM: &str = "unionid=NAME,openid=NAME";

/// The delimiter called `,`, `;`, `|`, `tab` or `\t`, for `--delimiter`.
///
/// # Errors
/// A sentence for the operator if `word` is none of these.
pub fn parse_delimiter(word: &str) -> Result<u8, String> {
    match word {
        "," => Ok(b','),
        ";" => Ok(b';'),
        "|" => Ok(b'|'),
        "tab" | "TAB" | "\\t" | "\t" => Ok(b'\t'),
        _ => Err(format!(
            "'{word}' is no delimiter: give one of ',' ';' '|' tab"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_in_pairs() {
        let columns: Columns = "unionid=会员unionid, OpenID = 小程序openid"
            .parse()
            .unwrap();
        assert_eq!(columns.unionid.as_deref(), Some("会员unionid"));
        assert_eq!(columns.openid.as_deref(), Some("小程序openid"));
        assert_eq!(columns.corpid, None);
    }

    #[test]
    fn a_slip_in_the_columns_is_told() {
        for (slip, told) in [
            ("unionid", "'unionid' is not of the form"),
            ("union=a", "'union' is not one of unionid, openid, corpid"),
            ("unionid=", "no column is named for unionid"),
            ("openid=a,openid=b", "openid is named twice"),
        ] {
            let error = slip.parse::<Columns>().unwrap_err();
            assert!(error.contains(told), "{slip}: {error}");
        }
    }

    #[test]
    fn a_delimiter_has_a_sign_or_a_name() {
        assert_eq!(parse_delimiter("tab"), Ok(b'\t'));
        assert_eq!(parse_delimiter("\\t"), Ok(b'\t'));
        assert_eq!(parse_delimiter(";"), Ok(b';'));
        assert!(parse_delimiter("x").is_err());
    }
}
