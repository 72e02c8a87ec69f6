//! Names of files that are told by a downstream corp.

use xxhash_rust::xxh3::xxh3_64;

/// Most letters of a corpid in a name.
const MOST: usize = 64;

/// Returns the name of a corp's file, without a suffix: its corpid. One with other characters than
/// corpids have cannot leave its folder by this name, and has a digest behind it that tells it from
/// others.
pub(crate) fn file_stem(corpid: &str) -> String {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let stem: String = corpid
        .chars()
        .take(MOST)
        .map(|c| if is_letter(c) { c } else { '_' })
        .collect();
    if stem == corpid && !stem.is_empty() && !stem.starts_with('-') {
        return stem;
    }
    format!("_{stem}.{:016x}", xxh3_64(corpid.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_corps_file_stays_in_its_folder() {
        assert_eq!(file_stem("wpAbC-_9"), "wpAbC-_9");
        for corpid in ["../../etc/passwd", "", ".", "-rf", "w/w", "w\0w", "企业"] {
            let stem = file_stem(corpid);
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            assert!(stem.starts_with('_') && stem.chars().all(plain), "{stem}");
        }
        assert_ne!(file_stem("w/w"), file_stem("w\\w"));
        assert!(file_stem(&"w".repeat(500)).len() < 100);
    }
}
