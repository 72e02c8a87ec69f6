use super::*;

fn environment<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
    move |name| {
        let found = pairs.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

#[test]
fn credentials_are_trimmed_and_come_from_either_place() {
    let file: ConfigFile = toml::from_str("[wecom]\ncorp_secret = 'in the file'").unwrap();
    let ours = environment(&[("WECOM_CORP_ID", " ww1\r\n")]);
    let found = credentials(ours, &file.wecom).unwrap();
    assert_eq!(found.corp_id, "ww1");
    assert_eq!(found.corp_secret.expose(), "in the file");
}

#[test]
fn two_credentials_must_agree() {
    let file: ConfigFile =
        toml::from_str("[wecom]\ncorp_id = 'ww1'\ncorp_secret = 'hunter1'").unwrap();
    let same = environment(&[("WECOM_CORP_ID", "ww1"), ("WECOM_CORP_SECRET", "hunter1\n")]);
    assert!(credentials(same, &file.wecom).is_ok());
    for pair in [("WECOM_CORP_ID", "ww2"), ("WECOM_CORP_SECRET", "hunter2")] {
        let pairs = [pair];
        let error = credentials(environment(&pairs), &file.wecom).err().unwrap();
        let error = error.to_string();
        assert!(error.contains("two different"), "{error}");
        assert!(!error.contains("hunter"), "{error}");
    }
}

#[test]
fn missing_credential_is_named() {
    let only_id = environment(&[("WECOM_CORP_ID", "ww1"), ("WECOM_CORP_SECRET", "")]);
    let error = credentials(only_id, &WecomSection::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("no corp secret"));
}

#[test]
fn bad_file_is_located_but_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("idferry.toml");
    std::fs::write(&path, "[wecom]\ncorp_id = 'a'\ncorp_secret = hunter2\n").unwrap();
    let error = ConfigFile::read(Some(&path)).err().unwrap().to_string();
    assert!(error.contains("line 3"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

/// What is said of a file with this text.
fn refusal(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("idferry.toml");
    std::fs::write(&path, text).unwrap();
    let error = ConfigFile::read(Some(&path)).err().unwrap().to_string();
    error.split_once("not valid: ").unwrap().1.to_owned()
}

#[test]
fn unknown_settings_and_wrong_types_are_told_in_words() {
    for (text, said) in [
        (
            "[run]\nmargn = 0.1",
            "there is no setting `margn`; did you mean `margin`? (line 2)",
        ),
        (
            "[wecom]\nzebra = 1",
            "there is no setting `zebra` here; there are corp_id, corp_secret, \
             corp_secret_file, base_url (line 2)",
        ),
        (
            "[run]\nmargin = \"much\"",
            "margin: a number such as 0.02 is expected, not a text (line 2)",
        ),
        (
            "[wecom]\ncorp_secret = 12345",
            "corp_secret: a text in quotes is expected, not a number (line 2)",
        ),
    ] {
        assert_eq!(refusal(text), said);
    }
}

#[test]
fn the_written_configuration_has_every_setting_with_its_default() {
    let known = |section: &str| {
        let refused = refusal(&format!("[{section}]\n_ = 1"));
        let list = refused.split_once("there are ").unwrap().1.to_owned();
        list.split(" (")
            .next()
            .unwrap()
            .split(", ")
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for section in ["wecom", "run"] {
        let ours = settings::SETTINGS
            .iter()
            .filter(|setting| setting.section == section);
        let ours: Vec<_> = ours.map(|setting| setting.key.to_owned()).collect();
        assert_eq!(ours, known(section));
    }
    let template = settings::template();
    let uncommented = template
        .lines()
        .filter_map(|line| match line.strip_prefix("# ") {
            Some(line) if line.contains(" = ") && !line.contains("= #") => Some(line),
            Some(_) => None,
            None => Some(line),
        });
    let uncommented: Vec<_> = uncommented
        .filter(|line| !line.contains("# default:"))
        .collect();
    let file: ConfigFile = toml::from_str(&uncommented.join("\n")).unwrap();
    assert_eq!(file.run.margin, Some(0.02));
    assert_eq!(file.run.quota["business.hour"], 100_000);
}

#[test]
fn endless_and_large_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("idferry.toml");
    let refused = |path: &Path| ConfigFile::read(Some(path)).err().unwrap().to_string();
    assert!(refused(Path::new("/dev/zero")).contains("a pipe or a device"));
    assert!(refused(folder.path()).contains("is a directory"));
    std::fs::write(&path, "#".repeat(1 << 20)).unwrap();
    assert!(ConfigFile::read(Some(&path)).is_ok());
    std::fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
    assert!(refused(&path).contains("more than 1024 KiB"));
    let secret = read_secret(&path).unwrap_err().to_string();
    assert!(secret.contains("more than 64 KiB"), "{secret}");
    let secret = read_secret(Path::new("/dev/zero")).unwrap_err().to_string();
    assert!(secret.contains("a pipe or a device"), "{secret}");
}
