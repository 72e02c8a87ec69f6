//! How to read a source, where the operator overrides detection.

use std::str::FromStr;

use super::encoding::Encoding;

/// The operator's options for reading inputs; by default everything is detected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// `--columns`: the header names of the needed columns.
    pub columns: Columns,
    /// `--encoding`: `None` detects it.
    pub encoding: Option<Encoding>,
    /// `--delimiter`: `None` detects it.
    pub delimiter: Option<u8>,
    /// `--sheet`: the sheet of a workbook; `None` for the first. Other inputs have none.
    pub sheet: Option<String>,
    /// `--corpid`: the only downstream corp to look in; a row that names another one is rejected.
    pub corpid: Option<String>,
}

/// The header names of the needed columns; `None` for the default, which is the field's name.
///
/// Parsed from `unionid=会员unionid,openid=小程序openid`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// That of the unionid column.
    pub unionid: Option<String>,
    /// That of the openid column.
    pub openid: Option<String>,
    /// That of the corpid column.
    pub corpid: Option<String>,
}

impl FromStr for Columns {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let mut columns = Self::default();
        // Chinese keyboards type the full-width comma.
        for pair in list.split([',', '\u{ff0c}']) {
            let Some((ours, theirs)) = pair.split_once('=') else {
                return Err(format!("'{pair}' is not of the form {FORM}"));
            };
            let (ours, theirs) = (ours.trim(), theirs.trim());
            let column = match ours.to_ascii_lowercase().as_str() {
                "unionid" => &mut columns.unionid,
                "openid" => &mut columns.openid,
                "corpid" => &mut columns.corpid,
                _ => return Err(format!("'{ours}' is not one of unionid, openid, corpid")),
            };
            if theirs.is_empty() {
                return Err(format!("no column is named for {ours}; the form is {FORM}"));
            }
            if column.replace(theirs.to_owned()).is_some() {
                return Err(format!("{ours} is named twice"));
            }
        }
        Ok(columns)
    }
}

const FORM: &str = "unionid=NAME,openid=NAME";

/// Parses `--delimiter`: `,`, `;`, `|`, `tab` or `\t`. The error is a sentence for the operator.
pub(crate) fn parse_delimiter(word: &str) -> Result<u8, String> {
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
    fn columns_are_parsed_from_pairs() {
        let columns: Columns = "unionid=会员unionid, OpenID = 小程序openid"
            .parse()
            .unwrap();
        assert_eq!(columns.unionid.as_deref(), Some("会员unionid"));
        assert_eq!(columns.openid.as_deref(), Some("小程序openid"));
        assert_eq!(columns.corpid, None);
    }

    #[test]
    fn invalid_columns_are_explained() {
        for (text, expected) in [
            ("unionid", "'unionid' is not of the form"),
            ("union=a", "'union' is not one of unionid, openid, corpid"),
            ("unionid=", "no column is named for unionid"),
            ("openid=a,openid=b", "openid is named twice"),
        ] {
            let error = text.parse::<Columns>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn delimiter_is_a_character_or_tab() {
        assert_eq!(parse_delimiter("tab"), Ok(b'\t'));
        assert_eq!(parse_delimiter("\\t"), Ok(b'\t'));
        assert_eq!(parse_delimiter(";"), Ok(b';'));
        assert!(parse_delimiter("x").is_err());
    }
}
