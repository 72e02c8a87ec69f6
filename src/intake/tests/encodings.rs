//! Encodings and compression.

use super::*;

#[test]
fn gb18030_is_detected_and_its_columns_can_be_named() {
    let row = pair(1).replace(',', "\t");
    let text = format!("会员unionid\t小程序openid\t昵称\r\n{row}\t张三\r\n");
    let file = File::new("fans.csv", encoding_rs::GB18030.encode(&text).0);
    let options = options("unionid=会员unionid,openid=小程序openid");
    assert_eq!(
        file.read_with(&options).valid,
        [(2, id(1), id(500_001), None)]
    );
}

#[test]
fn utf16_is_read_in_both_byte_orders() {
    let text = format!("\u{feff}unionid\topenid\n{}\n", pair(1).replace(',', "\t"));
    let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [&le, &be, &le[2..].to_vec(), &be[2..].to_vec()] {
        assert_eq!(read(bytes).valid_lines(), [2]);
    }
}

#[test]
fn invalid_text_matters_in_ids_only() {
    let mut bytes = format!("unionid,openid,x\n{},", pair(1)).into_bytes();
    bytes.resize(bytes.len() + 65_536 - 60, b'x');
    let (two, three) = (pair(2), pair(3).replace("-A", "\u{e9}A"));
    let latin1 = format!("\n{two},caf\u{e9}\n{three},x\n");
    bytes.extend(latin1.chars().map(|c| c as u8));
    let read = read(bytes);
    assert_eq!(read.valid_lines(), [2, 3]);
    assert_eq!(read.errors(), [(4, "unionid", RejectReason::NotText)]);
}

#[test]
fn gzip_is_unpacked_whatever_its_name_and_over_all_members() {
    let text = tidy(1_000);
    let (head, tail) = text.as_bytes().split_at(20_000);
    let packed = [gzip(head), gzip(tail)].concat();
    for name in ["fans.csv.gz", "fans.csv"] {
        assert_eq!(File::new(name, &packed).read().valid.len(), 1_000);
    }
}

#[test]
fn zstd_is_unpacked_whatever_its_name() {
    let packed = zstd::encode_all(tidy(1_000).as_bytes(), 1).unwrap();
    for name in ["fans.csv.zst", "fans.csv"] {
        assert_eq!(File::new(name, &packed).read().valid.len(), 1_000);
    }
}

#[test]
fn truncated_archive_keeps_the_lines_before_the_cut() {
    let text = tidy(100_000);
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let gzip = gzip(text.as_bytes());
    for (name, packed) in [("fans.csv.gz", gzip), ("fans.csv.zst", zstd)] {
        let file = File::new(name, &packed[..packed.len() / 2]);
        let read = file.read();
        let (valid, error) = (read.valid.len(), read.failure.unwrap().to_string());
        assert!(valid > 10_000 && read.invalid.is_empty(), "{error}");
        let kept = format!("The {valid} lines before that are kept");
        assert!(error.contains(&kept), "{error}");
        assert!(error.contains("is damaged or cut off"), "{error}");
    }
}

#[test]
fn archive_in_name_only_is_reported() {
    let file = File::new("fans.csv.gz", tidy(1));
    let error = file.open().unwrap_err().to_string();
    assert!(error.contains("its gzip data cannot be unpacked"));
}
