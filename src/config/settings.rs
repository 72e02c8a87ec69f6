//! Every setting that a configuration file may hold, for `config init` and `config show`.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use toml::{Table, Value};

use super::{CONFIG_MAX, ConfigError, read_bounded};

/// A setting: where it is written, and what it is if nobody sets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// `wecom`, `run` or `contract`.
    pub(crate) section: &'static str,
    /// Its name; the flag has `-` for `_`.
    pub(crate) key: &'static str,
    /// The environment variable, if there is one.
    pub(crate) variable: Option<&'static str>,
    /// The default as TOML; in parentheses, words for what cannot be written down.
    pub(crate) default: &'static str,
    /// What it is, for the file.
    pub(crate) about: &'static str,
}

const fn wecom(key: &'static str, variable: &'static str, default: &'static str) -> Setting {
    Setting {
        section: "wecom",
        key,
        variable: if variable.is_empty() {
            None
        } else {
            Some(variable)
        },
        default,
        about: "",
    }
}

const fn run(key: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting {
        section: "run",
        key,
        variable: None,
        default,
        about,
    }
}

const fn contract(key: &'static str, about: &'static str) -> Setting {
    Setting {
        section: "contract",
        ..run(key, "(no rule)", about)
    }
}

/// All settings, section by section.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        about: "The upstream corp's id.",
        ..wecom("corp_id", "WECOM_CORP_ID", "(none)")
    },
    Setting {
        about: "Its app's secret; better in the environment, or in a file of its own.",
        ..wecom("corp_secret", "WECOM_CORP_SECRET", "(none)")
    },
    Setting {
        about: "A file that holds the secret.",
        ..wecom("corp_secret_file", "WECOM_CORP_SECRET_FILE", "(none)")
    },
    Setting {
        about: "The API's address.",
        ..wecom(
            "base_url",
            "WECOM_BASE_URL",
            "\"https://qyapi.weixin.qq.com\"",
        )
    },
    Setting {
        variable: Some("IDFERRY_STATE"),
        ..run("state", "\"idferry.db\"", "The job file.")
    },
    Setting {
        variable: Some("IDFERRY_LEDGER"),
        ..run(
            "ledger",
            "(ledger.db in $STATE_DIRECTORY, $XDG_STATE_HOME/idferry or ~/.local/state/idferry)",
            "The ledger of calls, one for all jobs of a corp.",
        )
    },
    run(
        "ticket",
        "\"auto\"",
        "The bulk ticket: auto, apply, stored, postpone or none.",
    ),
    run(
        "concurrency",
        "(adaptive, from 4 up to 64)",
        "The most calls in flight.",
    ),
    run(
        "quota",
        "{ \"basic.minute\" = 10000, \"basic.hour\" = 150000, \"business.hour\" = 100000, \
         \"business.day\" = 480000, \"business.month\" = 7500000, \"ip.minute\" = 20000, \
         \"ip.hour\" = 600000 }",
        "The limits of the windows.",
    ),
    run("margin", "0.02", "The share of every window left unused."),
    run(
        "reserve",
        "0.0",
        "A further share left to other systems of the corp.",
    ),
    run(
        "window",
        "\"sliding\"",
        "How windows are counted: sliding or calendar.",
    ),
    run(
        "on_quota",
        "\"wait\"",
        "At an exhausted hour, day or month: wait or exit.",
    ),
    run(
        "error_budget",
        "0.5",
        "Halt if more than this share of answers are errors.",
    ),
    run(
        "progress",
        "\"auto\"",
        "How progress is shown: auto, bar, lines, json or none.",
    ),
    run(
        "listen",
        "(off)",
        "The address of the status page, such as \"127.0.0.1:9464\".",
    ),
    run(
        "columns",
        "(unionid, openid, corpid)",
        "Header names, as \"unionid=会员unionid\".",
    ),
    run(
        "encoding",
        "(detected)",
        "utf-8, gb18030, utf-16le or utf-16be.",
    ),
    run("delimiter", "(detected)", "The delimiter: , ; tab or |."),
    run("corpid", "(all)", "Look in this downstream corp only."),
    run(
        "pending_ids",
        "false",
        "Ask for a pending_id for every unlinked subject.",
    ),
    run(
        "unlinked_after",
        "\"7d\"",
        "resync: ask unlinked subjects again once their answer is older; \"0s\" for never.",
    ),
    run(
        "linked_after",
        "\"30d\"",
        "resync: the same for linked subjects.",
    ),
    contract(
        "rows",
        "The lines an input must have, as \">= 0.8 x last\", or it is refused.",
    ),
    contract(
        "rejected",
        "Those of them that may be invalid, as \"< 1 %\".",
    ),
    contract(
        "new",
        "Those of them that may be new subjects, as \"< 20 %\".",
    ),
];

/// A configuration file with every default in it, commented out.
pub(crate) fn template() -> String {
    let mut text =
        "# idferry: a flag goes before the environment, and that before this file.\n".to_owned();
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            let _ = writeln!(text, "\n[{section}]");
        }
        let variable = setting
            .variable
            .map_or_else(String::new, |name| format!(" ({name})"));
        let _ = writeln!(text, "# {}{variable}", setting.about);
        let (key, default) = (setting.key, setting.default);
        let _ = match default.starts_with('(') {
            true => writeln!(
                text,
                "# {key} =    # default: {}",
                default.trim_matches(['(', ')'])
            ),
            false => writeln!(text, "# {key} = {default}"),
        };
    }
    text
}

/// What the file at `path` sets, by `section.key`; the secret is not shown.
pub(crate) fn written(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let text = read_bounded(path, CONFIG_MAX).unwrap_or_default();
    let table: Table = toml::from_str(&text).unwrap_or_default();
    let mut values = BTreeMap::new();
    for (section, settings) in table {
        for (key, value) in settings.as_table().into_iter().flatten() {
            let shown = match (key.as_str(), value) {
                ("corp_secret", _) => "(set)".to_owned(),
                (_, Value::String(text)) => text.clone(),
                (_, value) => serde_json::to_string(value).unwrap_or_default(),
            };
            values.insert(format!("{section}.{key}"), shown);
        }
    }
    Ok(values)
}
