//! What is wrong with a configuration file, in words and without its values, which may be secret.

/// An error of the parser as a sentence; `line` is where it is.
pub(super) fn in_words(message: &str, line: &str) -> String {
    let key = line.split('=').next().unwrap_or_default().trim();
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (unknown, expected) = rest.split_once('`').unwrap_or((rest, ""));
        return unknown_key(unknown, &quoted(expected));
    }
    let expected = message
        .strip_prefix("invalid type: ")
        .and_then(|rest| Some((rest, rest.rsplit_once(", expected ")?.1)));
    match expected {
        Some((found, expected)) => {
            let (found, expected) = (found_type(found), expected_type(expected));
            format!("{key}: {expected} is expected, not {found}")
        }
        None => message.to_owned(),
    }
}

fn unknown_key(unknown: &str, known: &[&str]) -> String {
    let near = |key: &&&str| strsim::jaro_winkler(unknown, key) > 0.8;
    let nearest = known.iter().filter(near).max_by(|one, other| {
        let similar = |key: &str| strsim::jaro_winkler(unknown, key);
        similar(one).total_cmp(&similar(other))
    });
    match nearest {
        Some(nearest) => format!("there is no setting `{unknown}`; did you mean `{nearest}`?"),
        None => format!(
            "there is no setting `{unknown}` here; there are {}",
            known.join(", ")
        ),
    }
}

/// The words between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The type that stands before the value.
fn found_type(found: &str) -> &'static str {
    match found.split([' ', ',']).next() {
        Some("string") => "a text",
        Some("integer" | "floating") => "a number",
        Some("boolean") => "true or false",
        Some("sequence") => "a list",
        Some("map") => "a table",
        _ => "this",
    }
}

fn expected_type(expected: &str) -> &'static str {
    match expected {
        "a string" | "path string" => "a text in quotes",
        "f64" | "f32" => "a number such as 0.02",
        "u16" | "u32" | "u64" => "a whole number from 0 up",
        "a boolean" => "true or false",
        "a map" => "a table of names and numbers",
        other if other.starts_with("struct") => "a section with settings",
        _ => "another kind of value",
    }
}
